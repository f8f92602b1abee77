"""The job ``igs.apply``: images as a pattern leaves them, and what a network makes of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.igs import hdf5
from DeepMRILib.igs.applying import check_fit
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.images import slices_of_image
from DeepMRILib.igs.joining import resized
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.options_network import ApplyOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.raw_arrays import NAME as ARRAY_NAME
from DeepMRILib.igs.reading import as_scanned
from DeepMRILib.igs.result import AppliedPattern
from DeepMRILib.igs.scoring import probabilities_of
from DeepMRILib.igs.slicing import even_rows, volume_of
from DeepMRILib.igs.sources import read_dataset
from DeepMRILib.igs.task_network import TaskNetwork, task_network
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part, silent
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume


@dataclass(frozen=True, eq=False)
class _Slices:
    """Slices, and the image that they are put back into.

    Attributes:
        dataset: all slices that are undersampled.
        like: an image of their size and place.
        options: how that image is cut into these slices.
    """

    dataset: SliceDataset
    like: Volume
    options: ApplyOptions

    def volume(self, slices: NDArray) -> Volume:
        """Images (n, c, h, w) or label maps (n, h, w) as one image."""
        return volume_of(slices, self.like, self.options)


def apply(
    data: Path | str | Volume | SliceDataset,
    pattern: Pattern | Path | str,
    options: ApplyOptions | None = None,
    *,
    phase: Volume | None = None,
    network: Any = None,
    progress: Progress | None = None,
) -> AppliedPattern:
    """Undersample images as a pattern would, and segment, classify or reconstruct them with a network.

    Args:
        data: an image, or what ``sources.read_dataset`` takes: of a folder or raw data the slices are stacked along k.
        pattern: or the place of one.
        options: see ``ApplyOptions``.
        phase: of the image, on its grid.
        network: that does a task, see ``network_opened.open_network``; None leaves it at the images.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: data of another size than the pattern, more lines than it has, or a network for other images.
        WeightsError: a network that is damaged or of another kind.
        DependencyError: a network needs PyTorch.
    """
    options, progress = validate(options or ApplyOptions()), progress or silent
    started = time.perf_counter()
    pattern = pattern if isinstance(pattern, Pattern) else Pattern.load(pattern)
    slices = _slices(data, options, phase, part(progress, 0, 0.3))
    dataset = slices.dataset
    check_fit(pattern, dataset.images.shape)
    lines = pattern.count(options.lines or None, options.acceleration or None)
    kind = pattern.recommended(lines) if options.kind == "recommended" else options.kind
    masks = pattern.masks(lines, kind=kind)
    opened = task_network(network, dataset, trust=options.trust, any_task=True)
    progress(0.35, "Leaving lines out")
    seen = measured(dataset, masks, pattern.encoding)
    found = _found(opened, seen, slices, options, part(progress, 0.45, 1.0)) if opened else {}
    progress(1.0, "Done")
    provenance = Provenance(
        "igs.apply",
        "Lines left out of k-space, zero-filled" + (f"; network {opened.name}" if opened else ""),
        to_json(options),
        seed=options.seed,
        device=devices.resolve(options.device) if opened else "cpu",
        seconds={"total": time.perf_counter() - started},
        weights_sha256=opened.sha256 if opened else None,
        inputs={
            "images": list(dataset.images.shape),
            "lines": lines,
            "acceleration": pattern.encoding.size / lines,
            "kind": kind,
            "axes": list(pattern.axes),
            "network": opened.name if opened else None,
        },
        notes=dataset.all_notes,
    )
    full = np.broadcast_to(
        pattern.encoding.spread(masks, dataset.spatial), (len(masks), *dataset.images.shape[2:])
    )  # fmt: skip
    picture = (full[0] if len(masks) == 1 else full).astype(np.uint8)
    return AppliedPattern(provenance, slices.volume(seen), picture, **found)


def _slices(data: Any, options: ApplyOptions, phase: Volume | None, progress: Progress) -> _Slices:
    """All slices of an image, empty ones too, so that they can be put back; of anything else what can be read."""
    image = _image(data) if options.part == "all" else None
    if image is None:
        dataset = read_dataset(data, options, phase=phase, progress=progress)
        return _Slices(dataset, _stack_of(dataset), _plain(options, dataset))
    dataset = slices_of_image(image, options, phase=phase)
    if options.slices and dataset.spatial == 2:
        dataset = dataset.subset(even_rows(len(dataset), options.slices))
    return _Slices(as_scanned(resized(dataset, options.size), options), image, options)


def _image(data: Any) -> Volume | None:
    """The image that is meant, read where it is a file; None of slices, folders and k-space."""
    if isinstance(data, Volume):
        return data
    if not isinstance(data, (str, Path)):
        return None
    path = Path(data).expanduser()
    raw = path.suffix.lower() in hdf5.SUFFIXES or ARRAY_NAME.search(path.name)
    return files.read_volume(path, components=True) if path.is_file() and not raw else None


def _plain(options: ApplyOptions, dataset: SliceDataset) -> ApplyOptions:
    """How a stack of slices is cut into just these."""
    return replace(options, slices=0, size=(0, 0), slice_axis="k" if dataset.spatial == 2 else "volume")


def _stack_of(dataset: SliceDataset) -> Volume:
    """An empty image of the size of slices that have none: columns to the patient's left, rows to the back."""
    if dataset.spatial == 3 and len(dataset) > 1:
        raise InputError(f"The data are {len(dataset)} volumes; a pattern is applied to one at a time. Give one image.")
    depth = len(dataset) if dataset.spatial == 2 else dataset.images.shape[2]
    rows, columns = dataset.images.shape[-2:]
    down, right = dataset.spacing[-2:]
    across = dataset.spacing[0] if dataset.spatial == 3 else down
    shape = (columns, rows, depth) + ((dataset.contrasts,) if dataset.contrasts > 1 else ())
    return Volume(np.broadcast_to(np.float32(0), shape), np.diag([-right, -down, across, 1.0]))


def _found(
    opened: TaskNetwork, seen: NDArray, slices: _Slices, options: ApplyOptions, progress: Progress
) -> dict[str, Any]:
    """What the network makes of the undersampled images: the fields of ``AppliedPattern`` that it fills."""
    from DeepMRILib.igs.network_predict import magnitudes_of, predict

    dataset, module = slices.dataset, opened.module
    mean, std = dataset.normalisation()
    given = predict(module, seen, mean, std, batch=options.batch, device=options.device, progress=progress)
    task = _task(module, given, dataset)
    names = _names(module, task, dataset)
    if task == "classification":
        return {"classes": _classes(given, names, dataset)}
    if task == "reconstruction":
        return {"reconstruction": slices.volume(magnitudes_of(given, mean, std))}
    labels = slices.volume(given.argmax(axis=1).astype(np.uint8))
    return {"segmentation": LabelVolume(labels.array, labels.affine, names)}


def _task(module: Any, given: NDArray, dataset: SliceDataset) -> str:
    """What a network does: as it says itself, else by the shape of what it gives."""
    design = getattr(module, "design", None)
    if isinstance(design, dict):
        return design["task"]
    if given.ndim == 2:
        return "classification"
    if given.shape[2:] != dataset.images.shape[2:]:
        raise InputError(
            f"The network gives {' x '.join(map(str, given.shape[1:]))} for a slice of "
            f"{' x '.join(map(str, dataset.images.shape[2:]))}. Choose one whose output has the size of the image."
        )
    return "reconstruction" if given.shape[1] == 1 else "segmentation"


def _names(module: Any, task: str, dataset: SliceDataset) -> dict[int, str]:
    """What the network's labels or classes are called: as it says, else as in data for the same task."""
    about = getattr(module, "trained_on", {})
    known = {int(label): name for label, name in about.get("labels", {}).items()}
    return known or (dict(dataset.names) if task == dataset.task else {})


def _classes(logits: NDArray, names: dict[int, str], dataset: SliceDataset) -> Table:
    """A row for each slice."""
    odds = probabilities_of(logits)
    best = odds.argmax(axis=1)
    return Table.from_rows(
        {
            "slice": row,
            "case": str(dataset.cases[row]),
            "class": names.get(int(label), str(label)),
            "probability": float(odds[row, label]),
        }
        for row, label in enumerate(best)
    )
