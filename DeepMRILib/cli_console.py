"""What the command line does with its terminal: lines, the progress bar, silenced libraries and signals."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType


class Stopped(KeyboardInterrupt):
    """Another program asked us to end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """End on SIGTERM and SIGHUP as on Ctrl-C: what is half written is removed first."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            # nohup has it ignored, and a program that we are part of may have its own way
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: a second one must not cut the clearing up short
    raise Stopped(number)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """No remarks of numpy, pydicom, nibabel and others between our lines; Python's -W brings the warnings back."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def say(text: str, end: str = "\n") -> None:
    """Print to standard error; where that is full or gone, the work goes on without it."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201
    except (OSError, ValueError):
        # What could not be written stays in its buffer, and Python would fail at its end when it tries again.
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for the rest of the process


def silent(fraction: float, message: str) -> None:
    """Show nothing."""


class ProgressBar:
    """A bar on standard error where there is a terminal, a line every few seconds elsewhere."""

    WIDTH = 28
    LINE_EVERY_S = 5.0

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = 0.0

    def __call__(self, fraction: float, message: str) -> None:
        now = time.monotonic()
        if self._terminal and (now - self._shown > 0.1 or fraction >= 1):
            self._shown = now
            done = round(self.WIDTH * min(max(fraction, 0), 1))
            line = f"\r\x1b[K[{'#' * done}{' ' * (self.WIDTH - done)}] {fraction:4.0%}  {message}"
            say(line, end="\n" if fraction >= 1 else "")
        elif not self._terminal and (fraction >= 1 or now - self._shown > self.LINE_EVERY_S):
            self._shown = now
            say(message)
