"""The demonstration's chapter on lesions from six points: generated lesions, segmented by every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from demo_chapter import Chapter
from demo_interactive_material import CLICK, CORRECTED, DISPLACED, KINDS, deepest_excess
from demo_interactive_page import write

from DeepMRILib.interactive.network_engine import SHIPPED
from DeepMRILib.model_store import ModelStore

JITTER = "2"
SMALL = ["--size", "40", "40", "32", "--spacing", "2", "2", "2.5"]
FOLDS, EPOCHS = "2", "12"


def commands(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The folder that each command makes, and its words; each may be made from what the ones before have left."""
    engines = ["geodesic", "graphcut", *(["network"] if network and is_shipped() else [])]
    for kind in KINDS:
        yield kind, ["interactive", "phantom", "--kind", kind, *(SMALL if quick else [])]
        yield from segmentations(folder, kind, folder / kind / "points.csv", engines)
    truth = folder / "hard" / "label.nii.gz"
    yield DISPLACED, ["interactive", "points", str(truth), "--jitter", JITTER]
    yield from segmentations(folder, "hard", folder / DISPLACED / "points.csv", engines, DISPLACED)
    kind, path = clicked(folder)
    for name, words in segmentations(folder, kind, folder / kind / "points.csv", engines, CORRECTED):
        yield name, [*words, "--negative-points", str(path)]


def segmentations(
    folder: Path, kind: str, points: Path, engines: list[str], name: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """A lesion segmented by each engine from the same points."""
    for engine in engines:
        words = ["interactive", "segment", str(folder / kind / "image.nii.gz"), str(points), "--engine", engine]
        yield f"{name or kind}_{engine}", words


def is_shipped() -> bool:
    """Whether DeepMRI brings a network along."""
    return any(model.name == SHIPPED for model in ModelStore().list())


def clicked(folder: Path) -> tuple[str, Path]:
    """The kind of the lesion in which a click is wanted most, and the file of that point."""
    kind, place = deepest_excess(folder)
    path = folder / CLICK
    path.write_text("r,a,s\n" + ",".join(f"{mm:.1f}" for mm in place) + "\n", encoding="utf-8")
    return kind, path


CHAPTER = Chapter(
    name="interactive",
    title="InteractiveSeg: lesions from six points",
    packages=("torch", "safetensors", "monai"),
    networks="the network and what it finds",
    commands=commands,
    write=write,
)
