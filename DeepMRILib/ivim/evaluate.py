"""``ivim.evaluate``: how well each method finds known parameters at several SNRs, beside a constant guess."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim import scores
from DeepMRILib.ivim.engine import Problem
from DeepMRILib.ivim.evaluation import CLIPPED, CONSTANT, METHOD_NAMES, EvaluateOptions, Evaluation
from DeepMRILib.ivim.fitting import fit
from DeepMRILib.ivim.ivimnet import apply
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.options import MODELS_OF, ApplyOptions, FitOptions, Method
from DeepMRILib.ivim.quantities import QUANTITIES
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.ivim.simulate import SimulateOptions, SimulationOptions, checked_ranges, simulate
from DeepMRILib.ivim.squares import SMALLEST, SquaresOptions, squares
from DeepMRILib.ivim.studies import TrainOptions, train
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, Volume

MAP_SNR = 20.0
"""Maps, scatter and decays are shown for the SNR nearest to this one, at which most papers compare."""
Run = Callable[[DiffusionVolume, Progress], IVIMResult]
DECAYS = 4
CURVE_POINTS = 71
Values = dict[str, NDArray]


def evaluate(options: EvaluateOptions = EvaluateOptions(), *, progress: Progress | None = None) -> Evaluation:
    """Simulate signals, fit them with each method, and compare with the truth.

    At each SNR the same parameters are simulated with noise of that strength. A network is trained at each SNR on
    signals of the purpose "training", which share nothing with those that it is scored on (see ``ivim.simulate``).
    Beside the methods stand two references: the constant guess, which knows only the range that the truth was drawn
    from, and least squares clipped to that range, which has this knowledge without being a network.

    Args:
        options: see ``EvaluateOptions``. Methods that cannot fit the model are left out, with a note.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: a bad setting, or no method that fits the model.
        DependencyError: the method ivimnet, and PyTorch is not installed.

    Example:
        >>> found = evaluate(EvaluateOptions(methods=("lsq",), snr=(50.0,), n=500, squares_size=0))
        >>> found.errors.columns["method"][::3]
        ['lsq', 'lsq_clipped', 'constant']
    """
    options = validate(options)
    checked_ranges(options.ranges, options.model)
    if not options.snr or len(set(options.snr)) < len(options.snr):
        raise InputError("snr names the SNRs to evaluate at, each once; give at least one, for example 20 50.")
    if 0 < options.squares_size < SMALLEST:
        raise InputError(f"squares_size is {options.squares_size}; give 0 for no squares, or at least {SMALLEST}.")
    methods, notes = _able(options)
    return _Evaluator(options, methods, notes + _beyond_bounds(options), progress).run()


def _able(options: EvaluateOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The methods that fit the model, and what a reader must know of them."""
    given = tuple(dict.fromkeys(options.methods))
    able = tuple(method for method in given if options.model in MODELS_OF[method])
    if not able:
        possible = [method for method, models in MODELS_OF.items() if options.model in models]
        raise InputError(
            f"None of the methods {', '.join(given) or '(none is named)'} fits the model {options.model}; choose among "
            f"{', '.join(possible)}."
        )
    left = [method for method in given if method not in able]
    notes = [f"Left out, as they do not fit the model {options.model}: {', '.join(left)}."] if left else []
    if "ivimnet" in able:
        notes.append(
            "Each network was trained on other signals of the ranges and SNR that it is scored at: its best case."
        )
    return able, tuple(notes)


def _bounds(options: EvaluateOptions) -> dict[str, tuple[float, float]]:
    """Those of all fits."""
    return Problem.of(_fit_options("lsq", options)).bounds.as_dict()


def _beyond_bounds(options: EvaluateOptions) -> tuple[str, ...]:
    """A note on parameters whose truth the fits may not reach."""
    bounds = _bounds(options)
    notes = []
    for name, (low, high) in options.ranges.items():
        if low < bounds[name][0] or high > bounds[name][1]:
            notes.append(
                f"The truth of {QUANTITIES[name].label} lies between {low:g} and {high:g}, the fits' bounds are "
                f"{bounds[name][0]:g} and {bounds[name][1]:g}: some of it is out of reach."
            )
    return tuple(notes)


def _fit_options(method: Method, options: EvaluateOptions) -> FitOptions:
    return FitOptions(
        method=method, model=options.model, body_part=options.body_part, fit_s0=options.fit_s0, prior=options.prior,
        preset=options.preset, seed=options.seed, device=options.device,
    )  # fmt: skip


class _Evaluator:
    """One evaluation: collects scores SNR by SNR."""

    def __init__(
        self, options: EvaluateOptions, methods: tuple[str, ...], notes: tuple[str, ...], progress: Progress | None
    ) -> None:
        self._options, self._methods, self._notes = options, methods, notes
        # least squares runs in any case: its clipped estimates are a reference
        self._run = methods if "lsq" in methods else (*methods, "lsq")
        self._errors: list[dict] = []
        self._correlations: list[dict] = []
        self._consistency: list[dict] = []
        self._decay: list[dict] = []
        self._estimates: Values = {}
        self._squares: dict[str, Volume] = {}
        self._squares_errors: list[dict] = []
        self._seconds: dict[str, float] = {"simulation": 0.0}
        self._networks_used: list[dict] = []
        self._progress = progress
        self._map_snr = min(options.snr, key=lambda snr: abs(snr - MAP_SNR))

    def run(self) -> Evaluation:
        """Everything."""
        for snr in self._options.snr:
            told = self._progress_of(self._run[0], snr, 0, 0.0, 0.0)
            series, truth = self._simulated(snr, "evaluation", self._options.n, told)
            truth = {name: truth[name].array.ravel() for name in self._options.ranges}
            self._estimates |= {f"true_{name}": values for name, values in truth.items()}
            found = {method: self._method(method, snr, series, truth) for method in self._run}
            self._references(snr, found["lsq"], truth)
            if snr == self._map_snr:
                self._draw_decays(series, truth, found)
        provenance = Provenance(
            "ivim.evaluate",
            f"Simulated signals of known truth, fitted by {', '.join(METHOD_NAMES[name] for name in self._methods)}",
            to_json(self._options),
            seed=self._options.seed,
            device=self._networks_used[0]["device"] if self._networks_used else "cpu",
            seconds=self._seconds,
            inputs={
                "methods": list(self._methods),
                "networks": self._networks_used,
                "bounds": {name: list(interval) for name, interval in _bounds(self._options).items()},
                "ranges": {name: list(interval) for name, interval in self._options.ranges.items()},
                "b_values": list(self._options.protocol),
                "map_snr": self._map_snr,
            },
            notes=self._notes,
        )
        return Evaluation(
            provenance,
            errors=Table.from_rows(self._errors),
            correlations=Table.from_rows(self._correlations),
            consistency=Table.from_rows(self._consistency),
            estimates=self._estimates,
            squares=self._squares,
            squares_errors=Table.from_rows(self._squares_errors),
            decay=Table.from_rows(self._decay, {"b": "s/mm2"}),
        )

    def _simulated(
        self, snr: float, purpose: str, n: int, progress: Progress
    ) -> tuple[DiffusionVolume, dict[str, Volume]]:
        started = time.perf_counter()
        shared = {name: getattr(self._options, name) for name in SimulationOptions.__dataclass_fields__ if name != "n"}
        made = simulate(SimulateOptions(**shared, n=n, snr=(snr,), purpose=purpose), progress=progress)
        self._seconds["simulation"] += time.perf_counter() - started
        return made

    def _method(self, method: str, snr: float, series: DiffusionVolume, truth: Values) -> Values:
        """Score one method at one SNR; the estimates of its first run."""
        runs = []
        for number, run in enumerate(self._fits(method, snr)):
            start = 0.9 if method == "ivimnet" else 0.0
            result = run(series, self._progress_of(method, snr, number, start, 1.0))
            self._add_seconds(method, result.provenance.seconds["fit"])
            runs.append(_of_voxels(result, truth))
            if number == 0 and snr == self._map_snr:
                self._draw_squares(method, snr, run)
        first = runs[0][0]
        if method in self._methods:
            label = {"snr": snr, "method": method}
            self._errors += [{**label, **row} for row in _mean([scores.score(one, truth, sd) for one, sd in runs])]
            names = list(truth)
            between = [scores.between_estimates({name: one[name] for name in names}) for one, _ in runs]
            self._correlations += [{**label, **row} for row in _mean(between)]
            if len(runs) > 1:
                rows = scores.consistency([one for one, _ in runs], truth)
                self._consistency += [{**label, **row} for row in rows]
            self._estimates |= {f"{method}_snr{snr:g}_{name}": one.astype(np.float32) for name, one in first.items()}
        return first

    def _add_seconds(self, what: str, seconds: float) -> None:
        self._seconds[what] = self._seconds.get(what, 0.0) + seconds

    def _fits(self, method: str, snr: float) -> Iterator[Run]:
        """What fits a series: one function, or one for each training of a network."""
        if method == "ivimnet":
            yield from self._networks(snr)
            return
        options = _fit_options(method, self._options)
        yield lambda series, progress: fit(series, options, mask=_everywhere(series), progress=progress)

    def _networks(self, snr: float) -> Iterator[Run]:
        """One network after the other; each is trained when it is asked for."""
        chosen = self._options
        told = self._progress_of("ivimnet", snr, 0, 0.0, 0.0)
        series, _ = self._simulated(snr, "training", chosen.training_voxels, told)
        applying = ApplyOptions(device=chosen.device)
        for number in range(chosen.trainings):
            options = TrainOptions(
                preset=chosen.preset, model=chosen.model, body_part=chosen.body_part, fit_s0=chosen.fit_s0,
                members=chosen.members, epochs=chosen.epochs, seed=chosen.seed + number, device=chosen.device,
            )  # fmt: skip
            started = time.perf_counter()
            told = self._progress_of("ivimnet", snr, number, 0.0, 0.9)
            model = train([series], options, masks=[_everywhere(series)], progress=told)
            self._add_seconds("ivimnet, training", time.perf_counter() - started)
            made = model.provenance
            self._networks_used.append(
                {"snr": snr, "seed": made.seed, "engine": made.engine, "device": made.device, "sha256": model.sha256}
            )
            yield lambda series, progress, model=model: apply(
                model, series, applying, mask=_everywhere(series), progress=progress
            )

    def _progress_of(self, method: str, snr: float, number: int, start: float, stop: float) -> Progress:
        """The share of one run of a method at one SNR."""
        runs = self._options.trainings if method == "ivimnet" else 1
        before = self._options.snr.index(snr) * len(self._run) + self._run.index(method)
        total = len(self._options.snr) * len(self._run)
        share = part(
            self._progress, (before + (number + start) / runs) / total, (before + (number + stop) / runs) / total
        )
        return lambda fraction, message: share(fraction, f"{METHOD_NAMES[method]}, SNR {snr:g}: {message}")

    def _references(self, snr: float, least_squares: Values, truth: Values) -> None:
        ranges = self._options.ranges
        n = len(next(iter(truth.values())))
        for name, guess in (
            (CLIPPED, scores.clipped(least_squares, ranges)),
            (CONSTANT, scores.constant_guess(ranges, n)),
        ):
            self._errors += [{"snr": snr, "method": name, **row} for row in scores.score(guess, truth)]

    def _draw_squares(self, method: str, snr: float, run: Run) -> None:
        chosen = self._options
        if not chosen.squares_size or chosen.model != "biexp":
            return
        made = squares(
            SquaresOptions(size=chosen.squares_size, b_values=chosen.protocol, noise=chosen.noise, snr=snr,
                           seed=chosen.seed)
        )  # fmt: skip
        self._squares |= {f"{name}_true": made.truth[f"{name}_true"] for name in chosen.ranges}
        if method in self._methods:
            result = run(made.dwi, self._progress_of(method, snr, 0, 1.0, 1.0))
            self._squares |= {f"{name}_{method}": result.maps[name] for name in chosen.ranges}
            truth = {name: made.truth[f"{name}_true"] for name in chosen.ranges}
            table = scores.evaluate_maps(result, truth, made.labels, ranges=chosen.ranges)
            self._squares_errors += [
                {"method": method, **dict(zip(table.columns, row, strict=True))} for row in table.rows
            ]

    def _draw_decays(self, series: DiffusionVolume, truth: Values, found: Mapping[str, Values]) -> None:
        model = MODELS[self._options.model]
        signals = series.array.reshape(-1, series.b_values.size)
        dense = np.linspace(0, series.b_values.max(), CURVE_POINTS)
        for voxel in range(min(DECAYS, len(signals))):
            curves = {"measured": (series.b_values, signals[voxel])}
            for name, values in (("truth", truth), *((method, found[method]) for method in self._methods)):
                one = [values[key][voxel] if key in values else 1.0 for key in model.parameters]
                curves[name] = dense, model.signal(dense, *one)
            for name, (b_values, curve) in curves.items():
                self._decay += [
                    {"voxel": voxel + 1, "curve": name, "b": float(b), "signal": float(f"{signal:.6g}")}
                    for b, signal in zip(b_values, curve, strict=True)
                ]


def _everywhere(series: DiffusionVolume) -> NDArray:
    """A mask of all voxels: simulated signals have no background."""
    return np.ones(series.shape, dtype=bool)


def _of_voxels(result: IVIMResult, truth: Values) -> tuple[Values, Values]:
    """Estimates and standard deviations (n,) of the parameters, and S0; NaN where nothing was fitted."""
    left_out = np.asarray(result.fitted).ravel() == 0
    found, sd = ({}, {})
    for name in (*truth, "S0"):
        for maps, key in ((found, name), (sd, f"{name}_sd")):
            if key in result.maps:
                values = np.array(result.maps[key].array, dtype=np.float64).ravel()
                values[left_out] = np.nan
                maps[name] = values
    return found, sd


def _mean(runs: list[list[dict]]) -> list[dict]:
    """Rows of several runs as one: the mean of their numbers."""
    merged = []
    for rows in zip(*runs, strict=True):
        numbers = {
            key: float(np.mean([row[key] for row in rows])) for key in rows[0] if isinstance(rows[0][key], float)
        }
        merged.append({**rows[0], **numbers})
    return merged
