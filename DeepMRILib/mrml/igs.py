"""Patterns of k-space lines on nodes: the table of lines, and what belongs to it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.pattern import Pattern, Rung
from DeepMRILib.igs.result import PatternResult
from DeepMRILib.mrml.hierarchy import placeResult
from DeepMRILib.mrml.igs_charts import lossChart, patternWord
from DeepMRILib.mrml.igs_growth import browserOf, sequenceFromSteps
from DeepMRILib.mrml.igs_live import MAP_ATTRIBUTE, LiveImage, nameBeside, showImage, showMask
from DeepMRILib.mrml.igs_pictures import maskPicture, rowOf, volumesOfFrames
from DeepMRILib.mrml.igs_record import IGSNodes, hasPattern, keepPattern, keepRecord, linkedNodes, linkNodes, recordOf
from DeepMRILib.mrml.sequences import proxyOfSequence
from DeepMRILib.mrml.tables import tableNodeFromTable
from DeepMRILib.tables import Table

FOLDER = "k-space patterns"


@dataclass(frozen=True)
class _Target:
    """Beside which image the results go (None for a folder's), and which nodes there are already."""

    image: Any
    old: IGSNodes

    def name(self, what: str) -> str:
        """The name of a new node."""
        return nameBeside(self.image, what)

    def place(self, node: Any, folder: str | None = None) -> Any:
        """Put a result beside the image."""
        if self.image is not None:
            placeResult(node, self.image, folder)
        return node


def deliverPattern(
    result: PatternResult, imageNode: Any = None, outputs: IGSNodes | None = None, *, phaseNode: Any = None,
    network: str = "",
) -> IGSNodes:  # fmt: skip
    """Put a pattern with its tables, chart and pictures into the scene; nodes in ``outputs`` are updated, others made.

    Args:
        imageNode: the image that it was found for; None where that was a folder.
        outputs: those that are None, and belong to the table that is updated, are found by themselves.
        phaseNode: phase of the image.
        network: name of the network whose task the pattern serves.

    Raises:
        InputError: an output that cannot hold the result.
    """
    target = _Target(imageNode, _known(outputs or IGSNodes()))
    pattern = result.pattern
    table = _table(result.lines, "k-space lines", target, "linesTable")
    keepRecord(table, result.provenance.options, network, str(pattern.about.get("loss", "")))
    options = recordOf(table).options
    nodes = IGSNodes(
        linesTable=table,
        rivalsTable=_table(result.rivals, "k-space rivals", target, "rivalsTable"),
        lossChart=target.place(lossChart(pattern, target.name("k-space loss"), target.old.lossChart)),
        growthSequence=_growth(result, target, options),
        patternText=target.place(keepPattern(pattern, target.name("pattern"), target.old.patternText), FOLDER),
    )
    nodes = dataclasses.replace(nodes, **_pictures(result, target, options, phaseNode))
    linkNodes(nodes)
    return nodes


def _known(outputs: IGSNodes) -> IGSNodes:
    """The nodes to update: those given, and the others of the same search where the user has chosen none."""
    if not hasPattern(outputs.linesTable):
        return outputs
    linked = linkedNodes(outputs.linesTable)
    return IGSNodes(**{name: getattr(outputs, name) or getattr(linked, name) for name in IGSNodes.names()})


def _table(table: Table, what: str, target: _Target, name: str) -> Any:
    return target.place(tableNodeFromTable(table, target.name(what), getattr(target.old, name)))


def _pictures(result: PatternResult, target: _Target, options: DataOptions, phaseNode: Any) -> dict[str, Any]:
    """The lines of k-space, and the image that all of them give."""
    pattern, image, old = result.pattern, target.image, target.old
    made: dict[str, Any] = {"undersampledVolume": old.undersampledVolume}
    shape = result.example.shape
    if image is not None:
        live = LiveImage.of(image, phaseNode, pattern, options)
        shape = live.shape
        masks = pattern.masks(kind="recommended")
        made["undersampledVolume"] = showImage(live, masks, image, old.undersampledVolume)
    picture = maskPicture(pattern, pattern.masks(kind="recommended"), shape)
    return {"maskVolume": showMask(picture, image, options, old.maskVolume), **made}


def _growth(result: PatternResult, target: _Target, options: DataOptions) -> Any:
    """One slice with more and more lines; None where the search has kept no picture."""
    if not len(result.growth):
        return None
    row = rowOf(np.asarray(result.example), target.image, options)
    volumes = volumesOfFrames(result.growth, target.image, options, row)
    word = result.pattern.encoding.word
    name = target.name("k-space growth")
    sequence = sequenceFromSteps(volumes, result.growth_lines, name, word, target.old.growthSequence)
    for node in (sequence, browserOf(sequence)):
        target.place(node, FOLDER)
    proxy = proxyOfSequence(sequence)
    if proxy is not None:
        if proxy.GetAttribute(MAP_ATTRIBUTE) is None:
            proxy.SetAttribute(MAP_ATTRIBUTE, "growth")
            display = proxy.GetDisplayNode()
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(0.0, float(np.percentile(result.example, 99.5)) or 1.0)
        target.place(proxy)
    return sequence


def summary(result: PatternResult) -> str:
    """What the panel says when it is done: which lines are recommended, and what a reader must know."""
    seconds = sum(result.provenance.seconds.values())
    took = f" in {seconds:.1f} s" if seconds else ""
    pattern = result.pattern
    # which pattern wins is said in a sentence of its own
    notes = [note for note in result.provenance.notes if not note.startswith("Lowest loss")]
    found = f"{pattern.lines} of {pattern.encoding.size} {pattern.encoding.word} found{took}."
    return " ".join(filter(None, (found, recommendation(pattern), *notes)))


def recommendation(pattern: Pattern, lines: int | None = None) -> str:
    """Which pattern serves best at a number of lines, in words; empty where none were compared."""
    rung = pattern.rung(lines)
    if rung is None:
        return ""
    losses = {"igs": rung.igs, "block": rung.block, "centre": rung.centre}
    others = ", ".join(
        f"{patternWord(name)} {losses[name]:.3g}" for name in losses if name != rung.winner and losses[name] is not None
    )
    compared = f"; {others}" if others else ""
    word = pattern.encoding.word
    return f"At {rung.lines} {word} {_winner(rung)} serves best (loss {losses[rung.winner]:.3g}{compared})."


def shownText(pattern: Pattern, lines: int, kind: str) -> str:
    """What the slider shows, in words: how many lines, of which pattern, and their loss where it is known."""
    size, word = pattern.encoding.size, pattern.encoding.word
    chosen = pattern.recommended(lines) if kind == "recommended" else kind
    parts = [f"{lines} of {size} {word}, acceleration {size / lines:.3g}: {patternWord(chosen)}"]
    if kind == "recommended" and pattern.rungs:
        parts[0] += ", as recommended"
    loss = _lossAt(pattern, lines, chosen)
    if loss is not None:
        parts.append(f"loss {loss:.3g}")
    return "; ".join(parts) + "."


def _lossAt(pattern: Pattern, lines: int, kind: str) -> float | None:
    if kind == "igs":
        return pattern.losses[lines - 1] if lines <= len(pattern.losses) else None
    rung = pattern.rung(lines)
    return getattr(rung, kind) if rung is not None and rung.lines == lines else None


def _winner(rung: Rung) -> str:
    if rung.winner == "block":
        shift = " ".join(f"{away:+d}" for away in rung.block_shift)
        return f"a block shifted by {shift}"
    return {"igs": "the search", "centre": "the centre"}[rung.winner]
