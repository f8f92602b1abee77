"""The command line ``deepmri``: one command per job, made from the table of jobs and their options classes.

What a user did wrong is one sentence on standard error and exit code 2; an error of ours keeps its traceback.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import logging
import re
import sys
import time
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from DeepMRILib import __version__, cli_models
from DeepMRILib.cli_inputs import INPUT_FLAGS, read_input
from DeepMRILib.errors import Cancelled, DeepMRIError, InputError, require
from DeepMRILib.jobs import JOBS, Job, load
from DeepMRILib.options import from_json, settings

PROGRAM, MODELS = "deepmri", "models"
EXIT_BAD_INPUT, EXIT_STOPPED = 2, 130
METAVARS = {"folder": "FOLDER", "model": "NAME|FOLDER"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        with _quiet_libraries():
            return _dispatch(list(sys.argv[1:] if arguments is None else arguments))
    except DeepMRIError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except MemoryError:
        print(
            f"{PROGRAM}: Not enough memory. Take a mask or a smaller region, or close other programs.", file=sys.stderr
        )
        return EXIT_BAD_INPUT
    except (KeyboardInterrupt, Cancelled):
        print(f"\n{PROGRAM}: Stopped; nothing was written.", file=sys.stderr)
        return EXIT_STOPPED


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """No remarks of pydicom, nibabel and others between our lines: what matters to a user is one of our sentences."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(?!DeepMRILib)")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["--version"]:
        print(f"{PROGRAM} {__version__}")
        return 0
    methods = dict.fromkeys(job.method for job in JOBS)
    method = arguments[0] if arguments else "--help"
    if method == MODELS:
        tyro = require("tyro", "The command line")
        config = (tyro.conf.PositionalRequiredArgs, tyro.conf.FlagCreatePairsOff)
        print(_parse(cli_models.COMMANDS, arguments[1:] or ["--help"], f"{PROGRAM} {MODELS}", config))
        return 0
    if method not in methods:
        described = {name: _described(name, _method_summary(name)) for name in methods}
        _parse({**described, MODELS: _described(MODELS, cli_models.SUMMARY)}, [method], PROGRAM)
        return 0  # only --help comes back: tyro has printed it
    commands = {job.name: command_type(job) for job in JOBS if job.method == method}
    command = _parse(commands, arguments[1:] or ["--help"], f"{PROGRAM} {method}")
    return run_command(next(job for job in JOBS if isinstance(command, commands.get(job.name, ()))), command)


def _method_summary(method: str) -> str:
    purpose = (importlib.import_module(f"DeepMRILib.{method}").__doc__ or "").partition("\n")[0]
    return f"{purpose} Jobs: {', '.join(job.name for job in JOBS if job.method == method)}."


def _described(name: str, summary: str) -> Callable[[], None]:
    def command() -> None: ...

    command.__doc__ = summary
    command.__name__ = name
    return command


def _parse(commands: Mapping[str, Any], arguments: list[str], program: str, config: Sequence[Any] = ()) -> Any:
    """Parse with tyro; its boxed complaint becomes one sentence.

    Raises:
        InputError: the arguments are not understood.
    """
    tyro = require("tyro", "The command line")
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.extras.subcommand_cli_from_dict(
                dict(commands), prog=program, args=arguments, config=tuple(config)
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        named = arguments[0] if arguments and arguments[0] in commands else ""
        raise InputError(_one_sentence(complaint.getvalue(), f"{program} {named}".strip())) from stop


def _one_sentence(box: str, program: str) -> str:
    """The first words in tyro's box of complaint: between the frame's title and the hints that follow."""
    lines = [line.strip("│| ") for line in re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines()]
    sections: list[list[str]] = [[]]
    for line in lines:
        if re.match(r"[╭╰+]", line):
            continue
        if re.fullmatch(r"[─-]+", line):
            sections.append([])
        else:
            sections[-1].append(line)
    kept = [" ".join(section) for section in sections]
    hints = ("For full helptext", "Argument helptext")
    text = "; ".join(section for section in kept if section and not section.startswith(hints))
    return f"{re.sub(r' +', ' ', text).replace(' (required)', ',').strip(' .,')}. See {program} --help."


def command_type(job: Job) -> type:
    """A dataclass whose fields are a job's arguments: inputs, every setting, and where the result goes.

    Raises:
        TypeError: two of them have one name; found when the job is tested, not by a user.
    """
    tyro = require("tyro", "The command line")
    fields: list[tuple[str, Any, Any]] = []
    for item in job.inputs:
        hint = tyro.conf.Positional[Path] if item.required else (Path | None)
        default = dataclasses.MISSING if item.required else None
        shown = item.name.upper() if item.required else METAVARS.get(item.kind, "FILE")
        fields.append(_argument(item.name, hint, default, item.help, metavar=shown))
        for flag, text in INPUT_FLAGS.get(item.kind, {}).items():
            fields.append(_argument(flag, str | None, None, text, metavar="FILE"))
    types = typing.get_type_hints(job.options_type)
    fields += [
        _argument(item.name, types[item.name], item.default, item.tooltip.rstrip("."))
        for item in settings(job.options_type)
    ]
    fields.append(
        _argument("output", Path, dataclasses.MISSING, "Folder for the result; it must not exist yet", aliases=["-o"])
    )
    flag = tyro.conf.FlagCreatePairsOff[bool]
    fields.append(_argument("overwrite", flag, False, "Replace an older result in the output folder"))
    fields.append(_argument("no_report", flag, False, "Leave out report.html, the page with pictures"))
    fields.append(_argument("quiet", flag, False, "No progress bar", aliases=["-q"]))
    _check_names(job, [(name, typing.get_type_hints(job.options_type).get(name) is bool) for name, *_ in fields])
    made = dataclasses.make_dataclass(job.name, fields, kw_only=True)
    made.__doc__ = job.summary + "."
    return made


def _check_names(job: Job, names: Sequence[tuple[str, bool]]) -> None:
    """Inputs, their further flags, settings and our own arguments share one namespace; a switch takes --no-x too."""
    seen = {"help", "h", "o", "q"}
    for name, switch in names:
        for taken in (name, f"no_{name}") if switch else (name,):
            if taken in seen:
                raise TypeError(f"{job.key}: two arguments of its command are called {taken}; rename one of them")
            seen.add(taken)


def _argument(
    name: str, hint: Any, default: Any, text: str, *, aliases: Sequence[str] = (), metavar: str | None = None
) -> tuple[str, Any, Any]:
    tyro = require("tyro", "The command line")
    annotated = Annotated[hint, tyro.conf.arg(help=text, aliases=tuple(aliases) or None, metavar=metavar)]
    made = dataclasses.field() if default is dataclasses.MISSING else dataclasses.field(default=default)
    return name, annotated, made


def run_command(job: Job, command: Any) -> int:
    """Read the inputs, run the job and write its result."""
    from DeepMRILib.results import check_output, new_folder

    given = dataclasses.asdict(command)
    options = from_json(job.options_type, {item.name: given[item.name] for item in settings(job.options_type)})
    check_output(command.output, overwrite=command.overwrite)
    inputs = {item.name: read_input(item, given, job.method) for item in job.inputs}
    bar = _silent if command.quiet else ProgressBar()
    result = job.run(inputs, options, bar)
    with new_folder(command.output, overwrite=command.overwrite) as folder:
        result.write_files(folder)
        pictured = job.report is not None and not command.no_report and _write_report(job, result, folder)
    bar(1.0, f"Written to {command.output}" + (", see report.html" if pictured else ""))
    return 0


def _write_report(job: Job, result: Any, folder: Path) -> bool:
    load(job.report)(result).write(folder / "report.html")
    return True


def _silent(fraction: float, message: str) -> None:
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
            print(line, end="\n" if fraction >= 1 else "", file=sys.stderr, flush=True)
        elif not self._terminal and (fraction >= 1 or now - self._shown > self.LINE_EVERY_S):
            self._shown = now
            print(message, file=sys.stderr, flush=True)
