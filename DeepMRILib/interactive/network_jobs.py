"""A trained model at work on the cases of a dataset: what testing and predicting share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.cases import LoadedCase, load_case
from DeepMRILib.interactive.dataset import Case, Dataset
from DeepMRILib.interactive.network_ask import Asking, asked
from DeepMRILib.interactive.network_engine import opened
from DeepMRILib.interactive.network_forward import Ensemble
from DeepMRILib.interactive.network_found import finished_mask, found_mask
from DeepMRILib.interactive.network_memory import most_voxels
from DeepMRILib.interactive.options_training import PredictOptions, TestOptions
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.interactive.postprocess import Postprocessing
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.progress import Progress, part


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A trained model with the settings of a job.

    Attributes:
        model: what is asked.
        ensemble: its networks.
        names: of the labels, from 1.
        asking: how it is asked.
        postprocessing: what is done afterwards.
    """

    model: TrainedModel
    ensemble: Ensemble
    names: dict[int, str]
    asking: Asking
    postprocessing: Postprocessing

    @classmethod
    def of(cls, place: Path, dataset: Dataset, options: TestOptions | PredictOptions, device: str) -> Segmenter:
        """A model for a dataset.

        Raises:
            InputError: it is for other images or another number of labels.
            WeightsError: there is none, or it cannot be used.
        """
        model, ensemble = opened(place, device)
        _check_fit(model, dataset)
        chosen = model.postprocessing if options.postprocessing == "model" else options.postprocessing
        most = most_voxels(model.plan, options.memory_limit)
        asking = Asking(flips=options.flips, how=options.resampling, most=most)
        return cls(model, ensemble, dict(enumerate(dataset.label_names, start=1)), asking, chosen)

    def segmented(self, case: LoadedCase, progress: Progress) -> tuple[PlacedMask, tuple[str, ...]]:
        """The mask of a case, and what is to be said of it.

        Raises:
            InputError: the case cannot be used; the text names it.
        """
        try:
            found = asked(self.ensemble, case.images, case.points, self.asking, progress=progress)
        except InputError as error:
            raise InputError(f"The case {case.name} cannot be segmented. {error}") from error
        return finished_mask(found_mask(found, case, self.names), self.postprocessing, case), found.notes

    def all_of(
        self, cases: Sequence[Case], progress: Progress
    ) -> Iterator[tuple[LoadedCase, PlacedMask, tuple[str, ...]]]:
        """Case after case with its mask."""
        for n, case in enumerate(cases):
            step = part(progress, n / len(cases), (n + 1) / len(cases))
            step(0.0, f"Case {n + 1} of {len(cases)}")
            loaded = load_case(case)
            yield loaded, *self.segmented(loaded, step)


def _check_fit(model: TrainedModel, dataset: Dataset) -> None:
    """Refuse a model for other images or other labels than a dataset has."""
    plan = model.plan
    if len(plan.channels) != len(dataset.channels):
        raise InputError(
            f"The network {model.name} takes {len(plan.channels)} images of each case ({', '.join(plan.channels)}), "
            f"and the dataset {dataset.name} has {len(dataset.channels)} ({', '.join(dataset.channels)}). Choose "
            "another network."
        )
    if len(plan.labels) not in (1, len(dataset.labels)):
        raise InputError(
            f"The network {model.name} segments {len(plan.labels)} labels ({', '.join(plan.labels)}), and the dataset "
            f"{dataset.name} has {len(dataset.labels)} ({', '.join(dataset.label_names)}). Choose another network."
        )
