"""What a module showed or asked, kept for tests instead of shown: messages, status lines, questions, pip commands."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import slicer.util


@dataclass
class Records:
    """Texts in their order; ``answer`` is what questions are answered with, None for what Slicer answers in tests."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    selected_modules: list[str] = field(default_factory=list)
    pip: list[str] = field(default_factory=list)
    answer: bool | None = None

    def clear(self) -> None:
        """Forget everything, answer as Slicer."""
        self.__init__()


records = Records()

QUESTIONS = ("confirmOkCancelDisplay", "confirmYesNoDisplay", "confirmRetryCloseDisplay")


def install() -> None:
    """Put recorders in front of ``slicer.util``'s windows."""
    util = slicer.util
    for name, kept in (("errorDisplay", "errors"), ("warningDisplay", "warnings"), ("infoDisplay", "infos")):
        _record(name, kept)
    for name in QUESTIONS:
        _record_question(name, getattr(util, name))
    util.messageBox = _message_box
    util.showStatusMessage = _show_status
    util.selectModule = _select_module
    util.executePythonModule = _pip_only(util.executePythonModule)


def _record(name: str, kept: str) -> None:
    shown = getattr(slicer.util, name)

    def display(text: str, *args: Any, **kwargs: Any) -> None:
        getattr(records, kept).append(text)
        shown(text, *args, **kwargs)

    setattr(slicer.util, name, display)


def _record_question(name: str, ask: Callable[..., bool]) -> None:
    def confirm(text: str, *args: Any, **kwargs: Any) -> bool:
        records.questions.append(text)
        return ask(text, *args, **kwargs) if records.answer is None else records.answer

    setattr(slicer.util, name, confirm)


def _message_box(text: str, parent: Any = None, **kwargs: Any) -> int:
    import qt

    records.infos.append(text)
    logging.info(text)
    return qt.QMessageBox.Ok


def _show_status(message: str, duration: int = 0) -> bool:
    records.status.append(message)
    return False  # no main window


def _select_module(module: str) -> None:
    records.selected_modules.append(module if isinstance(module, str) else module.name)


def _pip_only(execute: Callable[..., Any]) -> Callable[..., Any]:
    """``executePythonModule`` that keeps pip's command lines and runs only other modules."""

    def execute_module(module: str, args: list[str], **kwargs: Any) -> Any:
        if module != "pip":
            return execute(module, args, **kwargs)
        records.pip.append(" ".join(args))
        return None

    return execute_module


def pip_install_of_5_10(requirements: str | list[str]) -> None:
    """``slicer.util.pip_install`` as Slicer 5.10 has it: the requirements only, no question."""
    records.pip.append(f"install {requirements if isinstance(requirements, str) else ' '.join(requirements)}")
