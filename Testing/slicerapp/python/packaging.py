"""Stand-in for ``slicer.packaging`` (Slicer 5.12 and later): what is missing is found out, nothing is installed."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import slicer.util
from packaging.requirements import InvalidRequirement, Requirement
from slicer.i18n import tr as _

Requirements = str | Requirement | list[str | Requirement]


def load_requirements(path: str | Path) -> list[Requirement]:
    """The requirements of a file, one a line; blank lines, ``#`` lines and pip options are passed over.

    Raises:
        InvalidRequirement: a line is no requirement; a comment behind one is not allowed.
    """
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def load_pyproject_dependencies(path: str | Path) -> list[Requirement]:
    """The ``[project]`` dependencies of a pyproject.toml.

    Raises:
        KeyError: there is no ``[project]`` table.
    """
    import tomllib

    data = tomllib.loads(Path(path).read_text())
    if "project" not in data:
        raise KeyError(f"pyproject.toml has no [project] table: {path}")
    return [Requirement(text) for text in data["project"].get("dependencies", [])]


def _listed(requirements: Requirements) -> list[Requirement]:
    if isinstance(requirements, Requirement):
        return [requirements]
    if isinstance(requirements, list):
        return [item if isinstance(item, Requirement) else Requirement(item) for item in requirements]
    if not isinstance(requirements, str):
        raise TypeError(f"Expected str, Requirement, or list, got {type(requirements).__name__}")
    try:
        return [Requirement(requirements)]
    except InvalidRequirement:
        return [Requirement(word) for word in requirements.split()]


def pip_check(req: Requirements) -> bool:
    """Whether all requirements are installed, by metadata only, with the dependencies of extras; markers that do not
    apply here count as satisfied."""
    return all(_satisfied(item, set()) for item in _listed(req))


def _satisfied(req: Requirement, seen: set[tuple[str, frozenset[str]]]) -> bool:
    if req.marker is not None and not req.marker.evaluate():
        return True
    key = (req.name.lower(), frozenset(req.extras))
    if key in seen:
        return True
    seen.add(key)
    try:
        installed = version(req.name)
    except PackageNotFoundError:
        return False
    return installed in req.specifier and all(_satisfied(item, seen) for item in _asked_by_extras(req))


def _asked_by_extras(req: Requirement) -> list[Requirement]:
    asked = []
    for text in requires(req.name) or () if req.extras else ():
        dependency = Requirement(text)
        if dependency.marker and any(dependency.marker.evaluate({"extra": extra}) for extra in req.extras):
            dependency.marker = None
            asked.append(dependency)
    return asked


def pip_ensure(
    requirements: Requirements,
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Install what is missing, after asking; in testing mode only log it.

    Raises:
        RuntimeError: the user declined.
    """
    missing = [str(req) for req in _listed(requirements) if not pip_check(req)]
    if not missing:
        return None
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info("Testing mode is enabled: skipping pip_ensure for [%s]", ", ".join(missing))
        return None
    if prompt_install:
        title = _("Install Python Packages")
        title = _("{requester} - Install Python Packages").format(requester=requester) if requester else title
        text = _("{count} Python packages need to be installed.").format(count=len(missing))
        listed = "\n".join(f"- {req}" for req in missing)
        if not slicer.util.confirmOkCancelDisplay(text, title, detailedText=listed):
            raise RuntimeError("User declined package installation")
    return pip_install(
        missing,
        constraints=constraints,
        skip_packages=skip_packages,
        blocking=True,
        show_progress=show_progress,
        requester=requester,
    )


def pip_install(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    no_deps_requirements: str | list[str] | None = None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    logCallback: Any = None,
    completedCallback: Any = None,
) -> list[str] | None:
    """Hand the command to ``slicer.util.executePythonModule``, which the tests' records keep and do not run."""
    words = requirements.split() if isinstance(requirements, str) else list(map(str, requirements))
    arguments = ["install", *words, *(["-c", str(constraints)] if constraints else [])]
    slicer.util.executePythonModule("pip", arguments, blocking=blocking)
    return [] if skip_packages is not None else None


def pip_uninstall(requirements: str | list[str], blocking: bool = True) -> None:
    """Hand the command to ``slicer.util.executePythonModule``."""
    words = requirements.split() if isinstance(requirements, str) else list(requirements)
    slicer.util.executePythonModule("pip", ["uninstall", *words, "--yes"], blocking=blocking)
