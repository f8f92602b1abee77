"""The demonstration's chapter on IVIM: an abdomen-sized phantom, fitted by every method."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from demo_chapter import Chapter
from demo_ivim_page import write

SMALL = ["--size", "36", "28", "3", "--spacing", "10.4", "10.4", "30"]
EVALUATION = ["--snr", "20", "--n", "5000", "--trainings", "1", "--members", "1"]
QUICK_EVALUATION = ["--snr", "20", "--n", "300", "--squares-size", "20", "--trainings", "1", "--members", "1",
                    "--epochs", "1", "--training-voxels", "2000"]  # fmt: skip


def commands(folder: Path, network: bool, quick: bool) -> Iterable[tuple[str, list[str]]]:
    """The folder that each command makes, and its words."""
    series, organs = folder / "phantom" / "dwi.nii.gz", ["--labels", str(folder / "phantom" / "labels.nii.gz")]
    small, methods = SMALL if quick else [], ["lsq", "segmented", "bayes"]
    made = {"phantom": ["ivim", "phantom", *small]}
    for method in methods:
        made[method] = ["ivim", "fit", str(series), "--method", method, *organs]
    if network:
        other = folder / "other_subject" / "dwi.nii.gz"
        short = ["--members", "1", "--epochs", "1"] if quick else ["--members", "3"]
        made["other_subject"] = ["ivim", "phantom", "--subject", "1", "--seed", "1", *small]
        made["network"] = ["ivim", "train", str(series), str(other), "--name", "demo", *short]
        made["ivimnet"] = ["ivim", "apply", str(folder / "network"), str(series), *organs]
        methods = [*methods, "ivimnet"]
    made["evaluation"] = ["ivim", "evaluate", "--methods", *methods, *(QUICK_EVALUATION if quick else EVALUATION)]
    return made.items()


CHAPTER = Chapter(
    name="ivim",
    title="IVIMFit: maps of a computed abdomen, by every method",
    packages=("torch", "safetensors"),
    networks="the network, its maps, its curves and its scores",
    commands=commands,
    write=write,
)
