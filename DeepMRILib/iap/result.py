"""What the jobs of IAPPredict return; trained networks stand in ``trained``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

if TYPE_CHECKING:
    from DeepMRILib.iap.options_network import SimulateOptions
    from DeepMRILib.iap.simulating import SimulatedSeries


def _none() -> Table:
    return Table({})


@dataclass(frozen=True, eq=False)
class IAPResult(Result):
    """The parameters of one series (``iap.predict``).

    Attributes:
        parameters: a row for each parameter that header or model know or that the header should know, without a model
            for all: ``parameter`` (name), ``label``, ``unit``,
            ``header``, ``predicted``, ``probability`` (of words and classes), ``low``, ``high`` (of numbers), ``set``
            (classes at the level, joined by "; "), ``verdict`` (``agree``, ``disagree``, ``missing in the header``,
            ``unseen class``, ``not predicted``, ``unsure``), ``agreement`` (fraction of slices that say the same),
            ``slice`` (the deciding one), ``note``.
        slices: a row for each slice looked at and parameter: ``slice``, ``parameter``, ``predicted``, ``probability``.
        outside: whether the images are unlike those of the training, and by what: ``check``, ``value``, ``limit``,
            ``state`` (``good``, ``look``, ``bad``).
        header: name to what the header says, as it stands there.
        saliency: on the grid of the image, how much the answer changes where a patch is hidden; None if not asked for.
        pictures: the deciding slices as the network was given them (rows, columns), by their number in the series as
            text, and ``saliency``, the map of the one that was searched; without a model a few from the middle.
    """

    parameters: Table
    slices: Table = field(default_factory=_none)
    outside: Table = field(default_factory=_none)
    header: dict[str, Any] = field(default_factory=dict)
    saliency: Volume | None = None
    pictures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AuditResult(Result):
    """The headers of a folder (``iap.audit``), without any model.

    Attributes:
        series: a row for each series: its path, patient, group, and all parameters.
        findings: a row for each oddity: ``series``, ``parameter``, ``value``, ``finding`` (missing, rare in its group,
            differs within the series, zero, out of range ...), ``expected``.
        groups: a row for each protocol group: its parameters, ``series``, ``patients``.
        coverage: a row for each parameter: ``present``, ``missing``, ``values`` (how many different).
        unread: a row for each file or folder that could not be read: ``path``, ``reason``.
    """

    series: Table
    findings: Table
    groups: Table
    coverage: Table
    unread: Table


@dataclass(frozen=True, eq=False)
class AnalysisResult(Result):
    """A folder's parameters described (``iap.analyse``).

    Attributes:
        histograms: ``parameter``, ``value`` (or ``from``, ``to``), ``count``, ``split``.
        association: parameter by parameter, Cramer's V, correlation ratio or Spearman's rank correlation.
        combinations: combinations of parameters: ``count`` in each split, and how many of test occur in train.
        leakage: patients that are in more than one split.
        unread: as of the audit.
    """

    histograms: Table
    association: Table
    combinations: Table
    leakage: Table
    unread: Table


@dataclass(frozen=True, eq=False)
class CohortResult(Result):
    """A folder of series with what was predicted (``iap.sort``, ``iap.complete``).

    Attributes:
        series: a row for each series: ``path``, ``patient``, ``domain`` (the batch column for harmonisation), and of
            each parameter header, predicted, probability, verdict.
        confusion: ``parameter``, ``header``, ``predicted``, ``count``, where the header knows.
        written: files that were written: sidecars, or copies; ``path``, ``what``.
        unread: as of the audit.
    """

    series: Table
    confusion: Table
    written: Table
    unread: Table


@dataclass(frozen=True, eq=False)
class EvaluationResult(Result):
    """A network scored on series with known parameters (``iap.evaluate``).

    Attributes:
        scores: a row for each parameter and group (``all``, or a sequence family): ``kind``, ``series``, ``accuracy``,
            ``balanced_accuracy``, ``majority`` (of the commonest class), ``r2`` (on the network's scale, logarithmic
            where it learned so), ``vendor_mean_r2`` and ``vendor_mean_rmse`` (of guessing each vendor's mean),
            ``rmse``, ``median_error``, ``coverage`` of intervals, and of sets before an empty one gets the likeliest
            class, ``width`` (of an interval; classes in a set), ``relative_width`` (to the range that this part of
            the true values spans on the network's scale; to all classes), ``ece``.
        confusion: as of ``CohortResult``.
        calibration: reliability: ``parameter``, ``probability``, ``correct``, ``series``.
        predictions: a row for each series and parameter: truth, prediction, interval.
        unread: as of the audit.
    """

    scores: Table
    confusion: Table
    calibration: Table
    predictions: Table
    unread: Table = field(default_factory=_none)


@dataclass(frozen=True, eq=False)
class SimulationResult(Result):
    """Simulated series (``iap.simulate``).

    Attributes:
        truth: a row for each series: ``series``, ``patient``, ``path`` within the folder, ``anatomy``, the true
            parameters, and ``amiss``, what its header lacks or says wrong.
        examples: a few slices (rows, columns) by name, for pictures.
        made: the series, whose files are written into the result's folder.
        wanted: the settings, which say how.
    """

    truth: Table
    examples: dict[str, Any] = field(default_factory=dict)
    made: tuple[SimulatedSeries, ...] = ()
    wanted: SimulateOptions | None = None

    def write_files(self, folder: Path) -> None:
        """The series, and the files of any result."""
        if self.wanted is not None:
            from DeepMRILib.iap.simulated import write_series

            write_series(self.made, self.wanted, folder)
        super(SimulationResult, replace(self, made=(), wanted=None)).write_files(folder)
