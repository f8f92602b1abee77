"""The demonstration leaves its page, with and without networks, and harms no other folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {
    "ivim": {
        "D",
        "f",
        "D_star",
        "uncertainty",
        "decay_organs",
        "decay_voxels",
        "squares_D",
        "squares_f",
        "squares_D_star",
    },
    "interactive": {"lesions", "outside", "confidence"},
    "pvs": {"curves", "engines", "sizes"},
    "igs": {"order"},
    "iap": {"examples", "association"},
}
"""The pictures of each chapter."""
LEARNED = {
    "ivim": {"loss"},
    "interactive": {"training"},
    "pvs": set(),
    "igs": {"hearts_curves", "hearts_order", "stripe_curves", "stripe_order"},
    "iap": {"slices", "truth", "coverage", "training"},
}
"""Those that networks add."""


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "Utilities" / "demo.py"), "--quick", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def demonstrate(output: Path, *more: str) -> str:
    """Run the demonstration on small data; returns its page."""
    ran = start("--output", str(output), *more)
    assert ran.returncode == 0, ran.stderr
    return (output / "index.html").read_text(encoding="utf-8")


def check(page: str, output: Path, expected: dict[str, set[str]]) -> None:
    """Every picture is on the page and beside it, and every entry of the contents leads to a heading."""
    assert page.count("data:image/png") == sum(len(names) for names in expected.values())
    for chapter, names in expected.items():
        assert {path.stem for path in (output / chapter / "figures").iterdir()} == names
    assert "research use only" in page.lower()
    leads = re.findall(r'<a href="#([^"]+)">', page)
    places = re.findall(r'<h[23] id="([^"]+)">', page)
    assert len(leads) > 8
    assert leads == places
    assert len(set(places)) == len(places)


def test_the_demonstration_leaves_its_page_without_networks(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    page = demonstrate(output, "--no-network")
    check(page, output, PICTURES)
    assert page.count("Left out: the network") == len(PICTURES)
    assert "IVIM-NET" not in page
    for method in ("lsq", "segmented", "bayes"):
        assert (output / "ivim" / method / "regions.csv").is_file()
    for engine in ("geodesic", "graphcut"):
        assert (output / "interactive" / f"corrected_{engine}" / "mask.nii.gz").is_file()
    assert (output / "pvs" / "agreement_jerman" / "curve.csv").is_file()


@pytest.mark.torch
def test_the_demonstration_shows_networks_where_there_is_pytorch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    output = tmp_path / "demo"
    page = demonstrate(output)
    check(page, output, {chapter: names | LEARNED[chapter] for chapter, names in PICTURES.items()})
    assert "Left out: the network" not in page
    assert (output / "ivim" / "network" / "model.safetensors").is_file()


def test_a_demonstration_replaces_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ran = start("--overwrite", "--output", str(tmp_path))
    assert ran.returncode == 2
    assert "not replaced" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
