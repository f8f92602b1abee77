"""``iap.predict``: what an image says of how it was acquired, beside what its header says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.iap.answering import Answer, answers, sequence_of
from DeepMRILib.iap.gates import check_usable, checks
from DeepMRILib.iap.header import Header, read_header
from DeepMRILib.iap.model import Model, load_model
from DeepMRILib.iap.options import PredictOptions
from DeepMRILib.iap.outside import is_outside
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.preprocessing import inverted
from DeepMRILib.iap.published import CITATION, PublishedModel
from DeepMRILib.iap.result import IAPResult
from DeepMRILib.iap.rows import Asked, parameter_rows, slice_rows
from DeepMRILib.iap.series import Series, SeriesPlace, read_series
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

Source = Path | str | Volume | SeriesPlace
PICTURED = 4
"""Slices that are shown where no network chooses any."""
UNCALIBRATED = (
    "The network brings no calibration: its probabilities are its own and usually too high, and there are no sets and "
    "intervals."
)
UNLIKE = "These images are unlike those that the network was trained on ({checks}): its answers may mean nothing."
UNLIKE_TRAINING = "The images are unlike those of the training: no agreement or disagreement."
REFUSED = "Not given, as the images are unlike those of the training."
NOTHING_DECIDES = "What decides is not shown: nothing was told of the {parameter}."
NOT_APART = "The network did not learn times for each sequence apart: it tells the same whatever the header's is."
NO_SEQUENCE = "The header names no sequence that the network knows: the one that it sees decides."
NOTHING_TO_SEE = "Every slice that was looked at is empty or of one grey value: nothing can be told from it."


def predict(
    data: Source,
    model: Model | Path | str | None = None,
    options: PredictOptions | None = None,
    *,
    header: Header | Path | str | None = None,
    progress: Progress | None = None,
) -> IAPResult:
    """The acquisition parameters of one series, by its header and by its image.

    Args:
        data: a DICOM file or a folder with one series, a NIfTI image (with its sidecar beside it), or a volume.
        model: an open model, its folder or name, or the file of the published checkpoint. Without one, what the header
            says and what it lacks is told alone.
        options: see ``PredictOptions``.
        header: where the header is if not in or beside the image: a ``Header``, a sidecar, or a DICOM file.
        progress: told how far it is.

    Returns:
        A row for each parameter, what each slice says, and whether the images are of the kind of the training.

    Raises:
        InputError: no readable MR series, no pixels, a colour image, or, with the published network, pixels that are
            not square.
        WeightsError: no such model, or a damaged one.
        DependencyError: PyTorch, or the package of the image's format, is not installed.
        DeviceMemoryError: the device's memory does not suffice.
        Cancelled: by ``progress``.
    """
    return predict_job(data, options, header=header, model=model, progress=progress)


def predict_job(
    data: Source,
    options: PredictOptions | None = None,
    *,
    header: Header | Path | str | None = None,
    model: Model | Path | str | None = None,
    progress: Progress | None = None,
) -> IAPResult:
    """``predict`` with its arguments in the order of jobs."""
    options = validate(PredictOptions() if options is None else options)
    told = part(progress, 0.0, 1.0)
    if model is None:
        result = _by_header(data, header, options)
        return result if isinstance(data, SeriesPlace) else _with_pictures(result, data, header, options)
    told(0.0, "Reading the network")
    opened = load_model(model, device=options.device)
    check_told(opened, options.saliency)
    told(0.05, "Reading the images")
    series = read_series(data, slice_axis=options.slice_axis, most=options.slices, header=header)
    result = of_series(series, opened, options, part(progress, 0.1, 1.0))
    return replace(result, pictures=_pictures(series, opened, result))


def check_told(model: Model, parameter: str) -> None:
    """Refuse a parameter that a model does not tell; an empty one is none.

    Raises:
        InputError: it does not.
    """
    if parameter and model.layout.head(parameter) is None:
        known = ", ".join(model.layout.by_parameter)
        raise InputError(f"The network {model.name} does not tell {parameter!r}. It tells {known}.")


def _by_header(data: Source, header: Header | Path | str | None, options: PredictOptions) -> IAPResult:
    """What can be said without a model."""
    if options.saliency:
        raise InputError("What decides can only be shown of a network: give a model, or leave saliency empty.")
    if header is None and isinstance(data, Volume):
        raise InputError("The image came without a header, and no model was given. Give one of the two.")
    if header is None and isinstance(data, SeriesPlace):
        header = data.header
    known = header if isinstance(header, Header) else read_header(data if header is None else header)
    made = Provenance(
        job="iap.predict",
        engine="header alone",
        options=to_json(options),
        inputs={"header": known.kind, "files": known.files},
        notes=(*known.notes, "No model was given: nothing was told from the image."),
    )
    return IAPResult(made, parameter_rows(known, {}, (), Asked()), header=dict(known.raw))


def _with_pictures(
    result: IAPResult, data: Source, header: Header | Path | str | None, options: PredictOptions
) -> IAPResult:
    """With a few slices of the middle, to see what the header is of; without where there are none, and the reason."""
    try:
        series = read_series(data, slice_axis=options.slice_axis, most=PICTURED, header=header)
    except (InputError, DependencyError) as error:
        made = result.provenance
        return replace(result, provenance=replace(made, notes=(*made.notes, f"No slices are shown: {error}")))
    shown = zip(series.indices, series.slices, strict=True)
    dark = {str(index): _bright_on_dark(one, series.photometric) for index, one in shown if np.ndim(one) == 2}
    return replace(result, pictures=dark)


@dataclass(frozen=True, eq=False)
class _Looked:
    """What a network said of the slices that have something on them: ``used`` of all that were read."""

    slices: list[NDArray]
    used: list[int]
    logits: NDArray
    features: NDArray | None

    @property
    def images(self) -> list[NDArray]:
        return [self.slices[number] for number in self.used]


def of_series(
    series: Series, model: Model, options: PredictOptions, progress: Progress, *, job: str = "iap.predict"
) -> IAPResult:
    """The answers of an open model to a series that was read; see ``predict``.

    Args:
        series: its slices are those that are looked at.
        model: the network.
        options: checked.
        progress: from 0 to 1.
        job: what the result's provenance calls it.
    """
    started = time.perf_counter()
    check_usable(model, series)
    looked = _look(series, model, options, part(progress, 0.0, 0.7))
    outside = checks(model, series, looked.slices, _features_of_all(looked))
    known = {} if options.sequence == "image" else sequence_of(model, series.header.values.get("sequence"))
    said = answers(model, looked.images, options.level, logits=looked.logits, known=known)
    withheld, notes = _judged(looked, outside, options)
    if options.sequence == "header" and max(map(len, model.layout.by_parameter.values())) == 1:
        notes.append(NOT_APART)
    elif options.sequence == "header" and not known:
        notes.append(NO_SEQUENCE)
    asked = Asked(options.abstain, withheld, UNLIKE_TRAINING if is_outside(outside) else "")
    indices = [series.indices[number] for number in looked.used]
    parameters = parameter_rows(series.header, said, indices, asked)
    saliency = None
    if options.saliency and _deciding(parameters)[options.saliency] is not None:
        saliency = _saliency(series, model, looked, said[options.saliency], part(progress, 0.7, 1.0))
    elif options.saliency:
        notes.append(NOTHING_DECIDES.format(parameter=BY_NAME[options.saliency].label.lower()))
    progress(1.0, "Done")
    return IAPResult(
        provenance=Provenance(
            job=job,
            engine=_engine(model),
            options=to_json(options),
            device=getattr(model, "device", "cpu"),
            seconds={"predict": time.perf_counter() - started},
            weights_sha256=model.weights_sha256 or None,
            inputs={
                "slices": series.count,
                "looked_at": len(looked.used),
                "header": series.header.kind,
                "model": model.name,
            },
            notes=tuple(dict.fromkeys((*series.notes, *notes, *_of_model(model)))),
        ),
        parameters=parameters,
        slices=slice_rows({} if withheld else said, series, looked.used),
        outside=outside,
        header=dict(series.header.raw),
        saliency=saliency,
    )


def _look(series: Series, model: Model, options: PredictOptions, progress: Progress) -> _Looked:
    slices = [_bright_on_dark(one, series.photometric, model) for one in series.slices]
    used = [number for number, one in enumerate(slices) if not _is_flat(one)]
    logits, features = [], []
    for start in range(0, len(used), options.batch):
        progress(start / len(used), f"Slice {start + 1} of {len(used)}")
        images = [slices[number] for number in used[start : start + options.batch]]
        said, seen = _both(model, images)
        logits.append(said)
        features.append(seen)
    # where nothing is to be seen there are still rows for what the model would tell, without an answer
    joined = np.concatenate(logits) if logits else np.zeros((1, model.layout.outputs), np.float32)
    return _Looked(slices, used, joined, None if not features or features[0] is None else np.concatenate(features))


def _both(model: Model, images: Sequence[NDArray]) -> tuple[NDArray, NDArray | None]:
    """Outputs, and features where the model's calibration asks for them."""
    if model.calibration is None or not model.calibration.outside:
        return model.logits(images), None
    if hasattr(model, "logits_and_features"):
        return model.logits_and_features(images)
    return model.logits(images), model.features(images)


def _features_of_all(looked: _Looked) -> NDArray | None:
    """Features, where they are of all slices that were read: the checks are of all."""
    return looked.features if len(looked.used) == len(looked.slices) else None


def _bright_on_dark(image: NDArray, photometric: str, model: Model | None = None) -> NDArray:
    """A slice whose small values are dark."""
    if photometric != "MONOCHROME1":
        return image
    return inverted(image) if isinstance(model, PublishedModel) else np.max(image) - image


def _is_flat(image: NDArray) -> bool:
    finite = image[np.isfinite(image)]
    return finite.size == 0 or bool(finite.min() == finite.max())


def _judged(looked: _Looked, outside: Any, options: PredictOptions) -> tuple[str, list[str]]:
    """Why no answer is given, empty where one is; and what is to be said of the images."""
    if not looked.used:
        return NOTHING_TO_SEE, [NOTHING_TO_SEE]
    if not is_outside(outside):
        return "", []
    pairs = zip(outside.columns["check"], outside.columns["state"], strict=True)
    notes = [UNLIKE.format(checks=", ".join(check for check, state in pairs if state == "bad"))]
    return (REFUSED, notes) if options.outside == "refuse" else ("", notes)


def _of_model(model: Model) -> tuple[str, ...]:
    return model.notes if model.calibration is not None else (*model.notes, UNCALIBRATED)


def _engine(model: Model) -> str:
    if isinstance(model, PublishedModel):
        return f"published breast-MRI network, {model.name}; {CITATION}"
    return f"network {model.name}"


def _saliency(series: Series, model: Model, looked: _Looked, answer: Answer, progress: Progress) -> Volume:
    from DeepMRILib.iap.saliency import occlusion

    number = looked.used[answer.slice]
    shares = occlusion(model, looked.slices[number], answer, progress=progress)
    return series.on_volume({series.indices[number]: shares})


def _deciding(parameters: Table) -> dict[str, int | None]:
    """Parameter to the slice that decides; None where the image told nothing."""
    return dict(zip(parameters.columns["parameter"], parameters.columns["slice"], strict=True))


def _pictures(series: Series, model: Model, result: IAPResult) -> dict[str, NDArray]:
    """The slices that decided, and the map of the one that was searched; see ``IAPResult.pictures``."""
    deciding = _deciding(result.parameters)
    pictures = {
        str(index): _bright_on_dark(series.slices[series.indices.index(index)], series.photometric, model)
        for index in sorted({one for one in deciding.values() if one is not None})
    }
    if result.saliency is not None:
        searched = deciding[result.provenance.options["saliency"]]
        pictures["saliency"] = series.turn.slice_of(result.saliency.array, searched)
    return pictures
