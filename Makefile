# make demo: run every method on computed images and write demo/index.html.   make test: lint and all tests.
# make demo EXTRAS=cli leaves out PyTorch and with it the networks.
# Both set up everything they need in .venv; nothing is needed but Python 3.10 or later and make.
PYTHON ?= python3
VENV := .venv
PY ?= 3.12
EXTRAS ?= cli,torch
# a process for each core; the tests of a file stay together. make test PARALLEL= runs them one after the other
PARALLEL ?= -n auto --dist loadfile
OTHER := .venv-$(PY)
OTHER_PYTHON ?= python$(PY)
ifeq ($(OS),Windows_NT)
BIN := Scripts
else
BIN := bin
endif

.PHONY: demo test test-py benchmarks pictures clean

demo: $(VENV)/demo.stamp
	$(VENV)/$(BIN)/python Utilities/demo.py --output demo --overwrite
	@echo "Open demo/index.html in a browser."

# with a process on each core, the threads of several would only wait for each other
test: export OMP_NUM_THREADS ?= 1
test: $(VENV)/test.stamp
	$(VENV)/$(BIN)/ruff check .
	$(VENV)/$(BIN)/ruff format --check .
	$(VENV)/$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

# The tests that need neither PyTorch nor Slicer's libraries, on another interpreter: make test-py PY=3.10
test-py: $(OTHER)/test.stamp
	$(OTHER)/$(BIN)/python -m pytest $(PARALLEL) Testing/library Testing/packaging -m "not torch" $(PYTEST_ARGS)

benchmarks: $(VENV)/test.stamp
	$(VENV)/$(BIN)/python Testing/benchmarks/run_all.py

pictures: $(VENV)/test.stamp
	$(VENV)/$(BIN)/python Utilities/make_screenshots.py
	$(VENV)/$(BIN)/python Utilities/make_report_pictures.py

$(VENV)/demo.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	@touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,slicer,torch]"
	@touch $@ $(VENV)/demo.stamp

$(OTHER)/test.stamp: pyproject.toml constraints.txt
	$(OTHER_PYTHON) -m venv $(OTHER)
	$(OTHER)/$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) .venv-* demo build dist *.egg-info
