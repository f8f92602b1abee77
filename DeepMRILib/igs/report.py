"""The pages that stand beside the results of KSpaceIGS."""

from __future__ import annotations

from typing import Any

import numpy as np

from DeepMRILib.figures import Panel, montage
from DeepMRILib.igs.growth_frames import frames_of, gif
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.report_figures import data_in_words, growth_figure, in_a_row, legend_words
from DeepMRILib.igs.report_masks import masks_figure, order_figure, word_of
from DeepMRILib.igs.report_testing import test_report
from DeepMRILib.igs.result import AppliedPattern, ExportResult, PatternResult, SampleResult
from DeepMRILib.report import Report
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

__all__ = ["apply_report", "export_report", "find_report", "sample_report", "test_report"]

MOST_ROWS = 48
"""Lines in the table of the page; lines.csv has all."""


def find_report(result: PatternResult) -> Report:
    """The pattern, its order, its rivals, and how a slice grows with it."""
    made, pattern = result.provenance, result.pattern
    report = Report("k-space pattern", f"{made.engine[0].upper()}{made.engine[1:]}.")
    report.facts(_facts_of_search(result))
    _add_notes(report, made)
    report.section("The pattern")
    report.text(_verdict(pattern))
    counts = [rung.lines for rung in pattern.rungs] or [pattern.lines]
    word = pattern.encoding.word
    report.figure(
        masks_figure(
            {f"{count} {word}": _rivals(pattern, count) for count in counts},
            {f"{count} {word}": pattern.recommended(count) for count in counts},
        ),
        "What each acquires. ✓ has the lowest loss on the slices that the pattern was chosen on.",
    )
    report.figure(
        order_figure(pattern),
        f"The order is nested: the first n {word} are the pattern of n.",
    )
    if len(result.rivals):
        report.table(_rivals_table(result.rivals), caption="Loss on the slices that the pattern was chosen on.",
                     formats=dict.fromkeys(("search (IGS)", "best block", "centre"), ".4g"),
                     best=_best(result.rivals))  # fmt: skip
    report.section("How a slice grows with it")
    report.figure(growth_figure(result), _growth_caption(result))
    report.animation(gif(frames_of(result), loops=3), "The same line by line; it is played three times.")
    report.section("Lines in order" if word == "lines" else "Points in order")
    report.table(_lines_table(result), formats={"gradient": ".3g", "loss": ".4g"},
                 caption=_lines_caption(len(result.lines)))  # fmt: skip
    _add_settings(report, made)
    return report


def _facts_of_search(result: PatternResult) -> dict[str, Any]:
    made, pattern = result.provenance, result.pattern
    inputs = made.inputs
    size = pattern.encoding.size
    axis = " and ".join({-1: "columns", -2: "rows", -3: "slices"}[axis] for axis in pattern.axes)
    return {
        "Recommended": _recommended(pattern),
        pattern.encoding.word.capitalize(): f"{pattern.lines} of {size} across {axis}, "
        f"acceleration {size / pattern.lines:.3g}",
        "Loss": inputs["loss"],
        "Network": inputs["network"] or "none: the image alone",
        "Chosen on": data_in_words(inputs),
        "Time": f"{sum(made.seconds.values()):.1f} s on {made.device}",
        "DeepMRI": made.version,
        **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
    }


def _recommended(pattern: Pattern) -> str:
    kind = pattern.recommended()
    rung = pattern.rung()
    words = f"{word_of(kind)}"
    if kind == "block" and rung is not None and any(rung.block_shift):
        words += f", its middle {in_a_row([f'{shift:+d}' if shift else 0 for shift in rung.block_shift])} from DC"
    return f"{words}, at {pattern.lines} {pattern.encoding.word}"


def _verdict(pattern: Pattern) -> str:
    if not pattern.rungs:
        return "The pattern was not compared with the centre and the best block: the search was told to leave them out."
    won = {
        name: [str(rung.lines) for rung in pattern.rungs if rung.winner == name] for name in ("igs", "block", "centre")
    }
    parts = [f"{word_of(name)} at {in_a_row(counts)}" for name, counts in won.items() if counts]
    return (
        f"Lowest loss: {'; '.join(parts)} {pattern.encoding.word}; of equal ones the simpler counts. A shifted block "
        "is what partial Fourier acquires. Whether the difference holds on other cases, a test tells (igs test)."
    )


def _rivals(pattern: Pattern, count: int) -> dict[str, np.ndarray]:
    rung = pattern.rung(count)
    kinds = (
        ["igs"] if rung is None else [kind for kind in ("igs", "block", "centre") if getattr(rung, kind) is not None]
    )
    return {kind: pattern.masks(count, kind=kind) for kind in kinds}


def _rivals_table(rivals: Table) -> Table:
    columns = rivals.columns
    return Table(
        {
            "lines": columns["lines"],
            "acceleration": columns["acceleration"],
            "search (IGS)": columns["igs"],
            "best block": columns["block"],
            "centre": columns["centre"],
            "shift of the block": [
                None if shift is None else shift.replace("+0", "0") for shift in columns["block_shift"]
            ],
            "lowest": [word_of(name) for name in columns["recommended"]],
        }
    )


def _best(rivals: Table) -> list[tuple[int, str]]:
    titles = {"igs": "search (IGS)", "block": "best block", "centre": "centre"}
    return [(row, titles[name]) for row, name in enumerate(rivals.columns["recommended"])]


def _growth_caption(result: PatternResult) -> str:
    words = "A slice from its first lines on, above the k-space that is acquired; right, all of it."
    if result.growth_labels is None:
        return words
    names = result.provenance.inputs["label_names"]
    truth = "; the truth as a white outline, and right as it is" if result.example_labels is not None else ""
    return f"{words} Below what the network finds: {legend_words(names)}{truth}."


def _lines_table(result: PatternResult) -> Table:
    columns = result.lines.columns
    shared = set(columns["contrast"]) == {"all"}
    return Table({name: values[:MOST_ROWS] for name, values in columns.items() if not (shared and name == "contrast")})


def _lines_caption(count: int) -> str:
    more = f" The first {MOST_ROWS} of {count}; lines.csv has all." if count > MOST_ROWS else ""
    return (
        "Offsets are counted from DC. The gradient is that for which a line was taken, the loss that with all lines up "
        f"to it.{more}"
    )


def apply_report(result: AppliedPattern) -> Report:
    """The image as the pattern leaves it, with the segmentation."""
    made = result.provenance
    report = Report("Undersampled image", f"{made.engine[0].upper()}{made.engine[1:]}.")
    report.facts(_plain_facts(made))
    _add_notes(report, made)
    report.section("Image")
    image = result.undersampled
    shown = image if image.array.ndim == 3 else image.like(image.array[..., 0])
    outline = result.segmentation
    report.figure(
        montage([Panel("Undersampled", shown)], outline=outline, names=None if outline is None else outline.names),
        "Zero-filled magnitudes" + ("." if outline is None else ", with the outline of what the network finds."),
    )
    if result.classes is not None and len(result.classes):
        report.section("Classes")
        report.table(result.classes, formats={"probability": ".3f"})
    _add_settings(report, made)
    return report


def export_report(result: ExportResult) -> Report:
    """The mask, its scan time, and in which order echo trains acquire it."""
    made, pattern = result.provenance, result.pattern
    report = Report("Pattern for other programs", f"{result.lines} {pattern.encoding.word}, {word_of(result.kind)}")
    report.facts(
        {"Files": ", ".join(result.formats), "Shape": " x ".join(map(str, pattern.shape)), "DeepMRI": made.version}
    )
    _add_notes(report, made)
    report.section("Mask")
    masks = result.mask.reshape(-1, *pattern.shape)
    report.figure(masks_figure({f"{result.lines} {pattern.encoding.word}": {result.kind: masks}}), "What is acquired.")
    report.section("Scan time")
    report.table(result.timing, formats={"acceleration": ".3g", "seconds": ".1f", "seconds_of_all_lines": ".1f"})
    if result.trains is not None:
        report.section("Echo trains")
        report.table(
            Table({name: values[:MOST_ROWS] for name, values in result.trains.columns.items()}),
            caption=f"The first {MOST_ROWS} of {len(result.trains)} echoes; trains.csv has all."
            if len(result.trains) > MOST_ROWS
            else "Which line each echo acquires.",
        )
    _add_settings(report, made)
    return report


def sample_report(result: SampleResult) -> Report:
    """Some slices with their labels."""
    made = result.provenance
    report = Report("Sample data for k-space patterns", f"{made.engine[0].upper()}{made.engine[1:]}.")
    n = result.image.array.shape[2]
    report.facts({"Slices": n, "Pixels": " x ".join(map(str, result.image.array.shape[1::-1])), "Seed": made.seed})
    _add_notes(report, made)
    report.section("Slices")
    panels = [Panel("Magnitude", result.image)]
    if result.phase is not None:
        panels.append(
            Panel("Phase", _masked(result.phase, result.image), unit="rad", window=(-np.pi, np.pi), colors="twilight")
        )
    report.figure(montage(panels, outline=result.labels, names=result.labels.names), "Each slice is a case of its own.")
    _add_settings(report, made)
    return report


def _masked(phase: Volume, image: Volume) -> Volume:
    """The phase where there is signal: elsewhere it is noise."""
    bright = np.asarray(image.array) > 0.05 * float(np.max(image.array))
    return phase.like(np.where(bright, phase.array, np.nan).astype(np.float32))


def _plain_facts(made: Provenance) -> dict[str, Any]:
    plain = {
        name: value for name, value in made.inputs.items() if isinstance(value, (str, int, float)) and name != "sha256"
    }
    return {**{name.replace("_", " ").capitalize(): value for name, value in plain.items()}, "DeepMRI": made.version}


def _add_notes(report: Report, made: Provenance) -> None:
    for note in made.notes:
        report.note(note)


def _add_settings(report: Report, made: Provenance) -> None:
    report.section("How it was made")
    report.facts({name: value for name, value in made.options.items() if value not in ("", (), [])})
