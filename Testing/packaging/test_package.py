"""The extension configures, builds and packs with cmake, and the package holds what it should and nothing else.

Against the stub of Slicer's CMake package beside this file; with SLICER_SOURCE also against Slicer's own macros, and
with CTK_SOURCE too against CTK's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from extension_tree import LIBRARY, ROOT, modules, shipped_library, shipped_module

HERE = Path(__file__).resolve().parent
URL = json.loads((ROOT / "DeepMRI.json").read_text(encoding="utf-8"))["scm_url"]
MODULES_FOLDER = "lib/Slicer-5.12/qt-scripted-modules"


def tool(name: str) -> str:
    """cmake, ctest or ninja: as installed from PyPI beside this Python, else from the PATH."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    assert found, f"{name} is needed: pip install cmake ninja"
    return found


def call(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)


def configure(source: Path, build: Path, *definitions: str) -> subprocess.CompletedProcess[str]:
    # project() asks for compilers and nothing is compiled: any program stands in for them, so none is needed.
    compilers = [
        f"-DCMAKE_{language}_COMPILER{setting}"
        for language in ("C", "CXX")
        for setting in (f"={sys.executable}", "_FORCED=ON", "_ID_RUN=ON")
    ]
    given = [*compilers, f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", *definitions]
    given.append("-DCMAKE_POLICY_DEFAULT_CMP0177=NEW")  # Slicer's install paths begin with ./
    return call(tool("cmake"), "-G", "Ninja", "-S", source, "-B", build, *given)


def copy_of_tree(folder: Path) -> Path:
    """The extension as a commit in a git repository of its own, with the caches that a working copy has."""
    source = folder / "DeepMRI"
    source.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    for name in (LIBRARY.name, *modules()):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        cache = source / name / "__pycache__"
        cache.mkdir()
        (cache / "stray.cpython-312.pyc").write_bytes(b"cache")
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "copy"], ["remote", "add", "origin", URL]):
        done = call("git", *command, cwd=source)
        assert done.returncode == 0, done.stderr
    return source


def stub(source: Path, build: Path, *, testing: str = "ON") -> subprocess.CompletedProcess[str]:
    return configure(source, build, f"-DSlicer_DIR={HERE / 'stub_slicer'}", f"-DBUILD_TESTING={testing}")


def slicer_macros(ctk: str) -> list[str]:
    slicer = os.environ.get("SLICER_SOURCE")
    if not slicer:
        pytest.skip("SLICER_SOURCE does not point at a Slicer source tree")
    given = [f"-DSlicer_DIR={HERE / 'slicer_source'}", f"-DSLICER_SOURCE={slicer}"]
    return [*given, f"-DCTK_SOURCE={ctk}", f"-DPYTHON_EXECUTABLE={sys.executable}"]


def pack(build: Path, configured: subprocess.CompletedProcess[str]) -> Path:
    """Build and pack what was configured, and unpack it: the folder with lib/ and share/."""
    assert configured.returncode == 0, configured.stdout + configured.stderr
    built = call(tool("cmake"), "--build", build, "--target", "package")
    assert built.returncode == 0, built.stdout + built.stderr
    (archive,) = build.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(build / "unpacked", filter="data")
    (top,) = (build / "unpacked").iterdir()
    return top


def contents(package: Path) -> set[str]:
    """Its files; byte code that CTK's macro makes beside each Python file is left out."""
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    return {name for name in files if not name.endswith(".pyc") or "__pycache__" in name}


def expected() -> set[str]:
    """What the tree says that the package should hold."""
    files = set(shipped_library()).union(*(shipped_module(name) for name in modules()))
    return {f"{MODULES_FOLDER}/{name}" for name in files} | {"share/Slicer-5.12/DeepMRI.s4ext"}


def registered_tests(build: Path) -> set[str]:
    listing = call(tool("ctest"), "-N", cwd=build).stdout
    return {line.split()[-1] for line in listing.splitlines() if "Test  #" in line or "Test #" in line}


def module_tests() -> set[str]:
    generic = {f"py_nomainwindow_qSlicer{name}ModuleGenericTest" for name in modules()}
    return generic | {f"py_{name}" for name in modules()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_tree(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def package(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("stub") / "build"
    return pack(build, stub(source, build))


def test_the_package_holds_the_library_and_the_modules_and_nothing_else(package: Path) -> None:
    assert contents(package) == expected()


def test_packed_files_are_those_of_the_tree(package: Path) -> None:
    folder = package / MODULES_FOLDER
    for name in shipped_library():
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes(), name
    for module in modules():
        for name in shipped_module(module):
            assert (folder / name).read_bytes() == (ROOT / module / name).read_bytes(), name


def test_the_package_is_the_same_without_tests(source: Path, package: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    without = pack(build, stub(source, build, testing="OFF"))
    assert contents(without) == contents(package)
    assert registered_tests(build) == set()
    assert registered_tests(package.parents[1]) == module_tests()


def test_the_description_has_no_empty_line(package: Path) -> None:
    text = (package / "share/Slicer-5.12/DeepMRI.s4ext").read_text(encoding="utf-8")
    entries = dict(line.split(" ", 1) for line in text.splitlines())
    assert entries["homepage"] == URL
    assert entries["depends"] == "PyTorch"
    assert all(value.strip() for value in entries.values()), entries


@pytest.mark.parametrize("ctk", ["", os.environ.get("CTK_SOURCE", "")], ids=["", "own CTK macro"])
@pytest.mark.parametrize("testing", ["ON", "OFF"])
def test_slicers_own_macros_make_the_same_package(
    source: Path, package: Path, tmp_path: Path, ctk: str, testing: str, request: pytest.FixtureRequest
) -> None:
    if "own CTK macro" in request.node.name and not ctk:
        pytest.skip("CTK_SOURCE does not point at a CTK source tree")
    build = tmp_path / "build"
    packed = pack(build, configure(source, build, *slicer_macros(ctk), f"-DBUILD_TESTING={testing}"))
    assert contents(packed) == contents(package)
    assert registered_tests(build) == (module_tests() if testing == "ON" else set())


def run_packed(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh Python in the package's folder, which knows no other DeepMRILib."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-B", *arguments]
    folder = package / MODULES_FOLDER
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_packed_method_imports(package: Path) -> None:
    names = sorted(path.parent.name for path in (package / MODULES_FOLDER / "DeepMRILib").glob("*/__init__.py"))
    wanted = [f"DeepMRILib.{name}" for name in names if name not in ("mrml", "panel")]
    code = f"import importlib, DeepMRILib; [importlib.import_module(n) for n in {wanted}]; print(DeepMRILib.__file__)"
    done = run_packed(package, "-c", code)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).resolve().is_relative_to(package.resolve())


def test_the_command_line_runs_from_the_package(package: Path) -> None:
    done = run_packed(package, "-m", "DeepMRILib", "--help")
    assert done.returncode == 0, done.stderr
    assert "deepmri" in done.stdout


def test_a_listed_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    source = copy_of_tree(tmp_path)
    (source / "DeepMRILib" / "errors.py").unlink()
    done = stub(source, tmp_path / "build")
    assert done.returncode != 0
    assert "errors.py" in done.stderr


def test_one_resource_name_in_two_modules_is_refused(tmp_path: Path) -> None:
    """Slicer installs the resources of all modules into one folder, where one would silently replace the other."""
    source = copy_of_tree(tmp_path)
    for name in ("First", "Second"):
        folder = source / name
        (folder / "Resources").mkdir(parents=True)
        (folder / f"{name}.py").touch()
        (folder / "Resources" / "requirements.txt").touch()
        (folder / "CMakeLists.txt").write_text(
            f"slicerMacroBuildScriptedModule(NAME {name} SCRIPTS {name}.py RESOURCES Resources/requirements.txt)\n"
        )
    lists = source / "CMakeLists.txt"
    added = "add_subdirectory(First)\nadd_subdirectory(Second)\n## NEXT_MODULE"
    lists.write_text(lists.read_text(encoding="utf-8").replace("## NEXT_MODULE", added), encoding="utf-8")
    done = stub(source, tmp_path / "build")
    assert done.returncode != 0
    assert "both installed" in done.stderr


def test_the_cmake_lists_are_up_to_date() -> None:
    done = call(sys.executable, ROOT / "Utilities" / "update_cmake_lists.py", "--check")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}Run: python Utilities/update_cmake_lists.py"


def test_a_new_file_is_listed_by_the_script(tmp_path: Path) -> None:
    source = copy_of_tree(tmp_path)
    data = source / "DeepMRILib" / "newmethod" / "data"
    data.mkdir(parents=True)
    for path in (data / "labels.json", data.parent / "__init__.py"):
        path.touch()
    script = (sys.executable, ROOT / "Utilities" / "update_cmake_lists.py", "--root", source)
    before = (source / "DeepMRILib" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert call(*script, "--check").returncode == 1
    assert (source / "DeepMRILib" / "CMakeLists.txt").read_text(encoding="utf-8") == before
    assert call(*script).returncode == 0
    assert call(*script, "--check").returncode == 0
    listed = (source / "DeepMRILib" / "CMakeLists.txt").read_text(encoding="utf-8").split()
    assert "newmethod/__init__.py" in listed
    assert "newmethod/data/labels.json" in listed
