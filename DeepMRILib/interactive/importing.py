"""``interactive.import_upstream``: networks that were trained with InteractiveNet, as a model of ours.

InteractiveNet stores whole Python objects (MLflow, PyTorch Lightning), and opening those runs whatever code they hold.
So only weights are read here: state dictionaries, as this writes them in the environment that trained them::

    import mlflow, torch
    for fold in range(5):
        model = mlflow.pytorch.load_model(f"models/TaskXXX/model/{fold}", map_location="cpu")
        torch.save(model.state_dict(), f"out/fold{fold}.pt")

``out`` then gets plans.json and, if there is one, postprocessing.json, and is what is imported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from DeepMRILib.errors import InputError, WeightsError, require
from DeepMRILib.interactive.dataset_layout import read_json
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.options_training import ImportOptions
from DeepMRILib.interactive.planning_upstream import plan_from_upstream
from DeepMRILib.interactive.postprocess import Postprocessing
from DeepMRILib.interactive.trained import MOST_FOLDS, TrainedModel
from DeepMRILib.interactive.weight_shapes import check_plan, check_weights, fold_key, weight_shapes
from DeepMRILib.model_card import check_name
from DeepMRILib.model_store import load_torch_file
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.trained import LICENCE, weights_sha256

PREFIXES = ("_model.", "model.", "module.")
SUFFIXES = (".pt", ".pth", ".ckpt")
PLANS, POSTPROCESSING = "plans.json", ("postprocessing.json", "postprocessings.json")
WAY_OUT = (
    "In the environment that trained the network, load it and write its weights alone: "
    "model = mlflow.pytorch.load_model(folder, map_location='cpu'); torch.save(model.state_dict(), 'fold0.pt'); then "
    "import the folder that holds these files and plans.json."
)
_WAYS: dict[Any, Postprocessing] = {
    False: "none",
    "fillholes": "fill",
    "largestcomponent": "largest",
    "fillholes_and_largestcomponent": "fill+largest",
}


def import_upstream(
    folder: Path, options: ImportOptions | None = None, *, progress: Progress | None = None
) -> TrainedModel:
    """Networks of InteractiveNet as a model: their weights, their plan and what is done after them.

    The networks get the input that InteractiveNet makes, to the voxel: its box, its axes, its geodesic map, which is
    not the true geodesic one.

    Args:
        folder: holds plans.json, one file of weights for each fold (a state dictionary; ``.pt``, ``.pth`` or a
            Lightning ``.ckpt``; also in folders, one for each fold), and postprocessing.json if there is one.
        options: see ``ImportOptions``.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: no plans.json, no weights, or a plan of another network.
        WeightsError: weights that are damaged, of another network, or whole Python objects; the text says what to do.
        DependencyError: PyTorch or safetensors is not installed.
    """
    options = validate(ImportOptions() if options is None else options)
    require("torch", "Reading the weights of InteractiveNet")
    require("safetensors", "Keeping a network")
    folder = Path(folder).expanduser()
    name = check_name(options.name or re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-."))
    plan = _plan(folder, options)
    files = weight_files(folder)
    told = part(progress, 0.0, 1.0)
    weights: dict[str, NDArray] = {}
    for number, file in enumerate(files):
        told(number / len(files), f"Reading {file.name}")
        weights |= {fold_key(number, key): array for key, array in read_fold(file, plan).items()}
    folds = tuple(range(len(files)))
    check_weights(name, weights, plan, folds)
    return TrainedModel(
        provenance=Provenance(
            job="interactive.import",
            engine="InteractiveNet (Spaanderman et al., arXiv 2402.07746), weights made elsewhere",
            options=to_json(options),
            weights_sha256=weights_sha256(weights),
            inputs={"networks": len(files), "made_from": [file.name for file in files]},
            notes=("The input is made by InteractiveNet's rules, its geodesic map included.",),
        ),
        name=name,
        plan=plan,
        weights=weights,
        folds=folds,
        postprocessing=_postprocessing(folder),
        licence=options.licence or LICENCE,
        source=options.source or "InteractiveNet; who trained it is not stated",
    )


def weight_files(folder: Path) -> list[Path]:
    """The weights of each fold, ordered by the numbers in their names.

    Raises:
        InputError: there are none, or more than a model can have.
    """
    found = sorted(
        (path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in SUFFIXES),
        key=lambda path: ([int(n) for n in re.findall(r"\d+", str(path.relative_to(folder)))], path),
    )
    if not found:
        raise InputError(f"There are no weights in {folder}: no file ends in {', '.join(SUFFIXES)}. {WAY_OUT}")
    if len(found) > MOST_FOLDS:
        raise InputError(
            f"There are {len(found)} files of weights in {folder}; expected one for each fold, up to {MOST_FOLDS}. "
            "Give the folder of one task."
        )
    return found


def read_fold(path: Path, plan: NetworkPlan) -> dict[str, NDArray]:
    """A fold's weights by DynUNet's names, each once.

    Raises:
        WeightsError: damaged, of another network, or Python objects.
    """
    weights = _tensors(path)
    expected = weight_shapes(plan)
    for prefix in ("", *PREFIXES):
        kept = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        if "input_block.conv1.conv.weight" in kept:
            break
    else:
        raise WeightsError(f"{path.name} holds no DynUNet: it lacks input_block.conv1.conv.weight. {WAY_OUT}")
    missing = sorted(set(expected) - set(kept))
    unknown = sorted(key for key in set(kept) - set(expected) if not key.startswith("skip_layers."))
    if missing or unknown:
        fault = f"lacks {missing[0]}" if missing else f"also has {unknown[0]}"
        raise WeightsError(
            f"{path.name} is of another network than plans.json describes: it {fault}. Give the plans.json that lies "
            "beside it."
        )
    for key, shape in expected.items():
        if tuple(kept[key].shape) != shape:
            raise WeightsError(
                f"{path.name} is of another network than plans.json describes: {key} has the shape "
                f"{tuple(kept[key].shape)}, not {shape}. Give the plans.json that lies beside it."
            )
        if not _is_plain(kept[key]):
            raise WeightsError(f"{path.name} holds {key} in a form that is not used for weights. {WAY_OUT}")
    return {key: kept[key].detach().float().numpy() for key in expected}


def _is_plain(tensor: Any) -> bool:
    """Whether a tensor holds its numbers as they are: not sparse, quantized, complex, whole, or without content."""
    return tensor.is_floating_point() and str(tensor.layout) == "torch.strided" and tensor.device.type == "cpu"


def _tensors(path: Path) -> dict[str, Any]:
    import torch

    try:
        content = load_torch_file(path)
    except WeightsError as error:
        if "Python objects" in str(error):
            raise WeightsError(
                f"{path.name} holds whole Python objects, and opening it could run code on your computer. {WAY_OUT}"
            ) from error
        raise
    candidates = [content, content.get("state_dict") if isinstance(content, Mapping) else None]
    for found in candidates:
        if isinstance(found, Mapping) and found and all(isinstance(value, torch.Tensor) for value in found.values()):
            return {str(key): value for key, value in found.items()}
    raise WeightsError(f"{path.name} holds no weights: expected tensors by name. {WAY_OUT}")


def _plan(folder: Path, options: ImportOptions) -> NetworkPlan:
    path = folder / PLANS
    if not path.is_file():
        raise InputError(f"There is no {PLANS} in {folder}. Copy the one of the task to the weights.")
    plan = plan_from_upstream(read_json(path), labels=(options.label,))
    if options.channels:
        if len(options.channels) != len(plan.channels):
            raise InputError(f"channels names {len(options.channels)} images; networks of InteractiveNet take one.")
        plan = replace(plan, channels=tuple(options.channels))
    try:
        check_plan(plan)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    return plan


def _postprocessing(folder: Path) -> Postprocessing:
    """What was chosen after training: of one file for all, or of a file for each fold, the majority."""
    paths = [path for path in sorted(folder.rglob("*.json")) if path.name in POSTPROCESSING]
    ways = [_way(path, read_json(path)) for path in paths]
    # of equally many the more thorough one, which InteractiveNet's own program in Slicer always applies
    order = list(_WAYS.values())
    counts = Counter(ways)
    return max(counts, key=lambda way: (counts[way], order.index(way))) if counts else "fill+largest"


def _way(path: Path, content: Any) -> Postprocessing:
    entry = content.get("postprocessing") if isinstance(content, dict) else None
    if isinstance(entry, (bool, str)) and entry in _WAYS:
        return _WAYS[entry]
    raise InputError(
        f"{path} says {entry!r}; expected a postprocessing of false, {_listed(way for way in _WAYS if way)}. Mend it, "
        "or remove it."
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
