"""The rules that settings ask for, and what contradicts itself among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.constraints import Constraints, by_distance, mirrored
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.kspace import line_count
from DeepMRILib.igs.options import PatternOptions


def constraints_of(encoding: Encoding, options: PatternOptions) -> Constraints:
    """The rules of these settings.

    Calibration lines are the ``calibration`` ones nearest to DC, of an even number the further one at the negative
    side; of points they are a square of that many by that many. Partial Fourier leaves out the first lines (those
    with the lowest indices) and keeps the last ``partial_fourier`` of them, rounded up, DC always among them; of
    points along ``options.axis``. With ``mirror`` the line at -N/2 of an even N, which has no partner, is left out,
    and forced lines bring their partners, so that a pattern has an odd number of lines.

    Raises:
        InputError: more lines than there are, or settings that contradict each other.
    """
    size = encoding.size
    asked = {"acceleration": options.acceleration} if options.acceleration else {"lines": options.lines}
    lines = line_count(size, **asked)
    calibration = _calibration(encoding, options.calibration)
    forced, forbidden = _flags(encoding, options.forced, "forced"), _flags(encoding, options.forbidden, "forbidden")
    _check_forbidden(encoding, forbidden, forced, calibration)
    forced |= calibration
    kept = _kept(encoding, options)
    _check_kept(forced & ~kept, options)
    allowed = kept & ~forbidden
    if options.mirror:
        forced, allowed = _in_pairs(encoding, forced, allowed)
        calibration |= calibration[mirrored(encoding)]
    order = tuple(int(line) for line in by_distance(encoding) if forced[line])
    found = Constraints(
        encoding, lines, order, allowed, calibration, options.gap, options.mirror, options.echo_train
    )  # fmt: skip
    _check_counts(found)
    _check_gap(found)
    return found


def _calibration(encoding: Encoding, width: int) -> NDArray:
    if width > min(encoding.shape):
        raise InputError(
            f"{width} calibration lines were asked for, and there are {min(encoding.shape)}. Ask for fewer."
        )
    width = max(width, 1)  # DC itself
    found = np.zeros(encoding.shape, dtype=bool)
    found[tuple(slice(n // 2 - width // 2, n // 2 - width // 2 + width) for n in encoding.shape)] = True
    return found.ravel()


def _flags(encoding: Encoding, lines: tuple[int, ...], what: str) -> NDArray:
    for line in lines:
        if not 0 <= line < encoding.size:
            raise InputError(f"The {what} line {line} does not exist; lines are counted from 0 to {encoding.size - 1}.")
    found = np.zeros(encoding.size, dtype=bool)
    found[list(lines)] = True
    return found


def _check_forbidden(encoding: Encoding, forbidden: NDArray, forced: NDArray, calibration: NDArray) -> None:
    if forbidden[encoding.centre]:
        raise InputError(f"Line {encoding.centre} is DC, which every pattern acquires; it cannot be forbidden.")
    if (forced & forbidden).any():
        raise InputError(f"{_named(forced & forbidden)} both forced and forbidden. Choose one of the two.")
    if (calibration & forbidden).any():
        raise InputError(
            f"{_named(calibration & forbidden)} forbidden, and of the calibration block around DC. "
            "Choose one of the two."
        )


def _kept(encoding: Encoding, options: PatternOptions) -> NDArray:
    """(size,) what partial Fourier leaves."""
    along = encoding.axes.index(options.axis)
    n = encoding.shape[along]
    first = n - max(int(np.ceil(options.partial_fourier * n - 1e-9)), n - n // 2)
    return encoding.offsets()[:, along] + n // 2 >= first


def _check_kept(lost: NDArray, options: PatternOptions) -> None:
    if lost.any():
        raise InputError(
            f"{_named(lost)} forced, or of the calibration block, and left out by partial Fourier "
            f"{options.partial_fourier:g}, which leaves out the first lines. Raise it, or force fewer lines."
        )


def _in_pairs(encoding: Encoding, forced: NDArray, allowed: NDArray) -> tuple[NDArray, NDArray]:
    partners = mirrored(encoding)
    alone = forced & (partners < 0)
    if alone.any():
        raise InputError(f"{_named(alone)} forced and without a partner mirrored at DC. Leave it out, or mirror.")
    forced = forced | forced[partners] & (partners >= 0)
    if (forced & ~allowed).any():
        raise InputError(
            f"{_named(forced & ~allowed)} the mirror of a forced line, and forbidden or left out by partial "
            "Fourier. Force other lines, or allow these."
        )
    return forced, allowed & (partners >= 0) & allowed[partners]


def _check_counts(rules: Constraints) -> None:
    word, most = rules.encoding.word, int(rules.allowed.sum())
    if not rules.possible(rules.lines):
        raise InputError(_impossible(rules, most))
    if len(rules.forced) > rules.lines:
        raise InputError(
            f"{len(rules.forced)} {word} are forced, with DC and calibration, and only {rules.lines} were asked for. "
            f"Ask for {len(rules.forced)} or more, or force fewer."
        )
    if most < rules.lines:
        raise InputError(
            f"Only {most} of {rules.encoding.size} {word} may be acquired with these constraints, and {rules.lines} "
            "were asked for. Ask for fewer, or allow more."
        )


def _impossible(rules: Constraints, most: int) -> str:
    if rules.mirror and rules.echo_train % 2 == 0:
        return (
            f"Mirrored pairs and DC make an odd number of lines, echo trains of {rules.echo_train} an even one. "
            "Give up one of the two."
        )
    why = [f"a multiple of the echo train's {rules.echo_train}"] if rules.echo_train > 1 else []
    why += ["odd, DC and mirrored pairs"] if rules.mirror else []
    fewer = next((count for count in range(rules.lines, 0, -1) if rules.possible(count)), None)
    more = next((count for count in range(rules.lines, most + 1) if rules.possible(count)), None)
    near = " or ".join(str(count) for count in (fewer, more) if count is not None)
    advice = f"Ask for {near}." if near else "No number of lines fits; choose shorter echo trains."
    return f"{rules.lines} {rules.encoding.word} were asked for; their number must be {' and '.join(why)}. {advice}"


def _check_gap(rules: Constraints) -> None:
    if not rules.gap:
        return
    chosen = np.zeros(rules.encoding.size, dtype=bool)
    chosen[list(rules.forced)] = True
    crowded = [line for line in rules.forced if rules.crowded(line, chosen)]
    if crowded:
        raise InputError(
            f"The forced line {crowded[0]} has another one nearer than the gap of {rules.gap} lines. Lower the gap, or "
            "force other lines."
        )
    needed = rules.lines - len(rules.forced)
    if not rules.room(chosen, needed):
        most = len(rules.forced) + len(rules.packed(chosen, needed))
        raise InputError(
            f"With a gap of {rules.gap} there is room for {most} {rules.encoding.word}, and {rules.lines} were asked "
            "for. Ask for fewer, or lower the gap."
        )


def _named(lines: NDArray) -> str:
    """The first lines, as the beginning of a sentence."""
    found = np.flatnonzero(lines)
    if len(found) == 1:
        return f"Line {found[0]} is"
    return f"Lines {', '.join(str(line) for line in found[:4])}{' and more' if len(found) > 4 else ''} are"
