"""The command line ``deepmri``: one command per job, made from the table of jobs and their options classes.

What a user did wrong is one sentence on standard error and exit code 2; an error of ours keeps its traceback.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import os
import re
import shlex
import sys
import tempfile
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from DeepMRILib import __version__, cli_models
from DeepMRILib.cli_console import ProgressBar, Stopped, quiet_libraries, say, signals_as_interrupts, silent
from DeepMRILib.cli_inputs import file_record, input_flags, input_paths, read_input
from DeepMRILib.errors import Cancelled, DeepMRIError, InputError, require
from DeepMRILib.jobs import COMMANDS, JOBS, SEVERAL, Job, load
from DeepMRILib.options import from_json, settings

PROGRAM, MODELS = "deepmri", "models"
EXIT_BAD_INPUT, EXIT_SIGNAL = 2, 128
EXIT_STOPPED = EXIT_SIGNAL + 2  # as shells have it for Ctrl-C
VERSION_HINT = f"{PROGRAM} --version prints the version, {PROGRAM} METHOD JOB --help the settings of a job."
METAVARS = {"folder": "FOLDER", "model": "NAME|FOLDER", "network": "NAME|FILE|FOLDER", "data": "FILE|FOLDER"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with quiet_libraries(), signals_as_interrupts():
            return _dispatch(given)
    except DeepMRIError as error:
        return _refuse(str(error))
    except MemoryError:
        return _refuse("Not enough memory. Take a mask or a smaller region, or close other programs.")
    except BrokenPipeError:  # who reads our output has had enough, as head has
        sys.stdout = None  # Python would complain once more when it ends
        return EXIT_SIGNAL + 13
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{place}{error.strerror or error}. Check the paths, and try another place.")
    except (KeyboardInterrupt, Cancelled) as stop:
        say(f"\n{PROGRAM}: Stopped; nothing was written.")
        return EXIT_SIGNAL + stop.number if isinstance(stop, Stopped) else EXIT_STOPPED


def _refuse(sentence: str) -> int:
    say(f"{PROGRAM}: {' '.join(sentence.split())}")
    return EXIT_BAD_INPUT


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
        _parse(
            {**described, MODELS: _described(MODELS, cli_models.SUMMARY)}, [method], PROGRAM, description=VERSION_HINT
        )
        return 0  # only --help comes back: tyro has printed it
    jobs = [job for job in JOBS if job.method == method]
    commands = {job.name: command_type(job) for job in jobs}
    telling = {name: load(function) for name, function in COMMANDS.get(method, {}).items()}
    command = _parse({**commands, **telling}, arguments[1:] or ["--help"], f"{PROGRAM} {method}")
    if isinstance(command, str):
        print(command)
        return 0
    chosen = next(job for job in jobs if isinstance(command, commands[job.name]))
    return run_command(chosen, command, [PROGRAM, *arguments])


def _method_summary(method: str) -> str:
    purpose = (importlib.import_module(f"DeepMRILib.{method}").__doc__ or "").partition("\n")[0]
    names = [*(job.name for job in JOBS if job.method == method), *COMMANDS.get(method, {})]
    return f"{purpose} Jobs: {', '.join(names)}."


def _described(name: str, summary: str) -> Callable[[], None]:
    def command() -> None: ...

    command.__doc__ = summary
    command.__name__ = name
    return command


def _parse(
    commands: Mapping[str, Any],
    arguments: list[str],
    program: str,
    config: Sequence[Any] = (),
    description: str | None = None,
) -> Any:
    """Parse with tyro; its boxed complaint becomes one sentence.

    Raises:
        InputError: the arguments are not understood.
    """
    tyro = require("tyro", "The command line")
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.extras.subcommand_cli_from_dict(
                dict(commands), prog=program, description=description, args=arguments, config=tuple(config)
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
    kept = [section for section in kept if section and not section.startswith(hints)]
    # A title that the next section begins with says nothing by itself
    text = "; ".join(one for one, after in zip(kept, [*kept[1:], ""], strict=True) if not after.startswith(one))
    text, _, alike = text.partition("Perhaps you meant")
    if meant := re.search(r"--[\w-]+", alike):
        text = f"{text.strip(' ;')} (is {meant[0]} meant?)"
    return f"{re.sub(r' +', ' ', text).replace(' (required)', ',').strip(' .,')}. See {program} --help."


def command_type(job: Job) -> type:
    """A dataclass whose fields are a job's arguments: inputs, every setting, and where the result goes.

    Raises:
        TypeError: two of them have one name; found when the job is tested, not by a user.
    """
    tyro = require("tyro", "The command line")
    fields: list[tuple[str, Any, Any]] = []
    for item in job.inputs:
        several = item.kind in SEVERAL
        kind, nothing = (tuple[Path, ...], ()) if several else (Path | None, None)
        hint = tyro.conf.Positional[kind if several else Path] if item.required else kind
        default = dataclasses.MISSING if item.required else nothing
        shown = item.name.upper() if item.required else METAVARS.get(item.kind, "FILE")
        shown += " ..." if several else ""
        fields.append(_argument(item.name, hint, default, item.help, metavar=shown, no_default=several))
        for name, flag in input_flags(job, item).items():
            fields.append(_argument(name, str | None, None, flag.help, metavar=flag.metavar))
    types = typing.get_type_hints(job.options_type)
    fields += [
        _argument(item.name, types[item.name], item.default, item.tooltip.rstrip("."))
        for item in settings(job.options_type)
    ]
    where = "Folder for the result; it must not exist yet"
    fields.append(
        _argument("output", Path | None, None, f"{where}; by default it goes to your own models", aliases=["-o"])
        if job.stores
        else _argument("output", Path, dataclasses.MISSING, where, aliases=["-o"])
    )
    flag = tyro.conf.FlagCreatePairsOff[bool]
    fields.append(_argument("overwrite", flag, False, "Replace an older result in the output folder"))
    fields.append(_argument("no_report", flag, False, "Leave out report.html, the page with pictures"))
    fields.append(_argument("quiet", flag, False, "Print nothing but errors", aliases=["-q"]))
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
    name: str,
    hint: Any,
    default: Any,
    text: str,
    *,
    aliases: Sequence[str] = (),
    metavar: str | None = None,
    no_default: bool = False,
) -> tuple[str, Any, Any]:
    tyro = require("tyro", "The command line")
    hidden = "" if no_default or default in (None, (), "") else None  # "(default: None)" would tell nobody anything
    shown = tyro.conf.arg(help=text, aliases=tuple(aliases) or None, metavar=metavar, help_behavior_hint=hidden)
    annotated = Annotated[hint, shown]
    made = dataclasses.field() if default is dataclasses.MISSING else dataclasses.field(default=default)
    return name, annotated, made


def _check_checkpoint(options: Any, place: Path) -> None:
    """Refuse a checkpoint where the result goes: the folder is made anew when the training is done."""
    for name in ("checkpoint", "workspace"):
        given = getattr(options, name, "")
        if given and Path(os.path.realpath(given)).is_relative_to(place):
            raise InputError(
                f"The {name} {given} lies in the output folder, which is made anew. Choose another place for it."
            )


def run_command(job: Job, command: Any, line: Sequence[str] = ()) -> int:
    """Read the inputs, run the job and write its result.

    Args:
        job: what to run.
        command: an instance of its ``command_type``.
        line: the command as it was typed, for the result's provenance.
    """
    from DeepMRILib.results import check_output, new_folder

    given = dataclasses.asdict(command)
    options = from_json(job.options_type, {item.name: given[item.name] for item in settings(job.options_type)})
    paths = input_paths(job, given)
    stored = command.output is None
    place = None if stored else check_output(command.output, overwrite=command.overwrite, inputs=paths.values())
    if place is not None:
        _check_checkpoint(options, place)
    inputs = {item.name: read_input(item, given, job.method) for item in job.inputs}
    # A model may have been given by its name: its folder is known now
    found = {name: inputs[name] for name in paths if isinstance(inputs.get(name), Path)}
    read = {name: file_record(path) for name, path in {**paths, **found}.items()}
    bar = silent if command.quiet else ProgressBar()
    result = job.run(inputs, options, bar)
    made = result.provenance
    made = dataclasses.replace(made, command=shlex.join(line), inputs={**made.inputs, "files": read})
    result = dataclasses.replace(result, provenance=made)
    if stored:
        _store(result, command, bar)
        return 0
    with new_folder(place, overwrite=command.overwrite, inputs=paths.values()) as folder:
        pictured = job.report is not None and not command.no_report
        if pictured:
            load(job.report)(result).write(folder / "report.html")
        result.write_files(folder)  # last, as it lists what there is
    bar(1.0, f"Written to {command.output}" + (", see report.html" if pictured else ""))
    _tell(made.notes, command)
    return 0


def _store(result: Any, command: Any, bar: Any) -> None:
    """Put a result that is a model among the user's own."""
    from DeepMRILib.model_store import ModelStore

    with tempfile.TemporaryDirectory() as folder:
        model = ModelStore().add(result.save(Path(folder) / "model"), overwrite=command.overwrite)
    bar(1.0, f"Added {model.card.name} to {model.folder.parent}")
    _tell(result.provenance.notes, command)


def _tell(notes: Sequence[str], command: Any) -> None:
    for note in () if command.quiet else notes:
        say(f"note: {note}")
