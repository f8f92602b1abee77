"""What README and pages show is true: tables are up to date, commands and Python run, pictures and links exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import PAGES, README, ROOT, Block, anchors, blocks_of, links, modules, page_of, section

from DeepMRILib.interactive.example_training import import_inputs
from DeepMRILib.jobs import JOBS

MOST_LINES = 470
SMALL = {
    "ivim.phantom": ["--size", "36", "28", "3", "--spacing", "10.4", "10.4", "30"],
    "ivim.train": ["--members", "1", "--epochs", "1", "--preset", "optim", "--device", "cpu"],
    "ivim.simulate": ["--n", "50"],
    "ivim.squares": ["--size", "10"],
    "interactive.phantom": ["--size", "40", "40", "20", "--spacing", "1.5", "1.5", "3", "--volume", "8"],
    "interactive.train": ["--epochs", "1", "--device", "cpu"],
    "pvs.phantom": ["--spacing", "2", "2", "2", "--diameter", "1.8", "--tubes", "60"],
    "pvs.train": [
        "--steps",
        "2",
        "--batch",
        "1",
        "--patch",
        "16",
        "--channels",
        "2",
        "4",
        "--heads",
        "1",
        "--held-out",
        "2",
        "--workers",
        "0",
        "--device",
        "cpu",
    ],
    "igs.sample": ["--cases", "12", "--size", "48"],
    "igs.train": ["--epochs", "1", "--channels", "4", "8", "--device", "cpu"],
    "igs.finetune": ["--epochs", "1", "--device", "cpu"],
    "igs.test": ["--draws", "2", "--device", "cpu"],
    "iap.simulate": ["--subjects", "6", "--series", "2", "--slices", "1", "--size", "48"],
    "iap.train": ["--epochs", "1", "--size", "48", "--channels", "4", "8", "8", "8", "--device", "cpu"],
    "ivim.evaluate": ["--methods", "lsq", "bayes", "--snr", "20", "--n", "100", "--squares-size", "10"],
}
"""Settings that are added to a command so that it takes a moment; the last of two that say the same counts."""
SHORT = {
    'name="study_python"': 'preset="optim", members=1, epochs=1, name="study_python"',
    "epochs=3, device": "epochs=1, channels=(4, 8), device",
    "cases=12, tests=4": "cases=4, tests=1, size=(24, 24, 20), spacing=(2.0, 2.0, 2.4)",
}
"""What is put for some words of the Python examples, for the same reason."""
LEFT = {
    "InteractiveSeg": ("lesion_python/mask.nii.gz", "both/mask.tsv", "displaced/table.csv"),
    "PVSSegment": ("found_python/census.csv", "found_t2/segmentation.nii.gz", "agreement/curve.csv"),
    "KSpaceIGS": ("fast.nii.gz", "files/mask.npy", "constrained/pattern.json", "image_tested/summary.csv"),
    "IAPPredict": ("read_python/parameters.csv", "audited/findings.csv", "by_vendor/series.csv"),
    "IVIMFit": ("fit_python/D.nii.gz", "triexp/D_star2.nii.gz", "squares/dwi.nii.gz", "evaluation/report.html"),
}
"""Some of the files that a module's commands and examples leave."""
LEFT_BY_NETWORKS = {
    "InteractiveSeg": (
        "trained/model.safetensors",
        "tested/scores.csv",
        "by_network/mask.nii.gz",
        "imported/model.json",
    ),
    "PVSSegment": ("network/model.safetensors", "by_network/segmentation.nii.gz"),
    "KSpaceIGS": ("network/model.safetensors", "tested/scores.csv", "tuned/model.json", "applied/segmentation.nii.gz"),
    "IAPPredict": ("network/model.safetensors", "told/saliency.nii.gz", "scored/scores.csv", "completed/written.csv"),
    "IVIMFit": ("study/model.safetensors", "net_1/f_sd.nii.gz", "study_python/model.safetensors"),
}


def run(arguments: list[str], folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DEEPMRI_HOME": str(folder / "home")},
    )  # fmt: skip
    assert ran.returncode == 0, f"{' '.join(arguments)}\n{ran.stdout[-2000:]}{ran.stderr}"


def run_block(block: Block, folder: Path) -> None:
    """Run a block's commands on small data, or its Python."""
    if block.language == "python":
        code = block.code
        for words, shorter in SHORT.items():
            code = code.replace(words, shorter)
        run(["-c", code], folder)
        return
    for words in block.commands:
        assert words[0] == "deepmri"
        job = f"{words[1]}.{words[2]}"
        # the README's first results are compared with what it says that a folder holds, its report included
        quiet = [] if block.page == README or job == "ivim.evaluate" or words[1] == "models" else ["--no-report"]
        run(["-m", "DeepMRILib", *words[1:], *SMALL.get(job, []), *quiet], folder)
        if "-o" in words:
            assert (folder / words[words.index("-o") + 1] / "result.json").is_file()


def runnable(module: str) -> list[Block]:
    return [block for block in blocks_of(module) if block.language in ("", "python") and not block.in_slicer]


@pytest.fixture(scope="module", params=modules())
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A module, and a folder in which all of its commands and examples without a network have run."""
    folder = tmp_path_factory.mktemp(request.param)
    for block in runnable(request.param):
        if not block.needs_torch:
            run_block(block, folder)
    return request.param, folder


def test_the_commands_and_the_python_of_a_module_run(ran: tuple[str, Path]) -> None:
    module, folder = ran
    kinds = [block.language for block in runnable(module) if block.page == README]
    assert set(kinds) == {"", "python"}
    assert [name for name in LEFT[module] if not (folder / name).is_file()] == []


def test_a_result_holds_every_file_that_is_named(ran: tuple[str, Path]) -> None:
    module, folder = ran
    text = page_of(module).read_text(encoding="utf-8")
    said = re.findall(r"The folder `(\w+)` then holds(.*?`result\.json`)", text, re.DOTALL)
    assert said
    for name, files in said:
        named = re.findall(r"`([\w.]+\.(?:nii\.gz|csv|tsv|html|json|png|npy|gif))`", files)
        assert {path.name for path in (folder / name).iterdir()} == set(named)


@pytest.mark.torch
def test_the_commands_and_the_python_with_networks_run(ran: tuple[str, Path]) -> None:
    pytest.importorskip("torch")
    module, folder = ran
    learned = [block for block in runnable(module) if block.needs_torch]
    assert learned
    if module == "InteractiveSeg":  # the folder "out" of its page: what somebody has from InteractiveNet
        shutil.copytree(import_inputs()["folder"], folder / "out")
    for block in learned:
        run_block(block, folder)
    assert [name for name in LEFT_BY_NETWORKS[module] if not (folder / name).is_file()] == []


@pytest.mark.parametrize("words", SHORT)
def test_what_is_shortened_stands_on_a_page(words: str) -> None:
    assert sum(block.code.count(words) for module in modules() for block in runnable(module)) == 1


def test_every_module_has_its_section() -> None:
    assert modules()
    for module in modules():
        text = section(module)
        for words in ("### Tutorial", "### Command line and Python", "### What was measured", "**Citation.**"):
            assert words in text, f"{module} has no {words}"
        assert any(block.in_slicer for block in blocks_of(module)), f"{module} has no example for Slicer's console"
        assert f"[**{module}**](#{module.lower()})" in README.read_text(encoding="utf-8")


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_tables_of_settings_and_bounds_are_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, "Utilities/update_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    for job in JOBS:
        table = f"<!-- settings of {job.key} -->\n| setting |"
        assert table in texts[ROOT / "docs" / f"{job.method}.md"], f"{job.key} has no table of settings"
    ivim = texts[ROOT / "docs" / "ivim.md"]
    for model in ("adc", "biexp", "triexp"):
        assert f"<!-- bounds of {model} -->\n| body part |" in ivim
    assert "<!-- splits of ivim -->\n| body part |" in ivim


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES])
def test_pictures_and_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"
    text = page.read_text(encoding="utf-8")
    assert "![](" not in text, "a picture has no words for those who cannot see it"


def test_every_paper_that_the_citation_file_names_is_cited_on_a_page() -> None:
    references = (ROOT / "CITATION.cff").read_text(encoding="utf-8").partition("\nreferences:\n")[2]
    papers = references.split("\n  - type:")
    assert len(papers) >= 6
    cited = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for paper in papers:
        author = re.findall(r"family-names: (.+)", paper)[0]
        year = re.findall(r"year: (\d+)", paper)[0]
        assert re.search(rf"{author}\b[^|]*{year}", cited), f"{author} {year} stands on no page"
