"""Python packages that Slicer does not bring: asked for when Apply is pressed, never before."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib import metadata

import slicer
from slicer.i18n import tr as _

from DeepMRILib.errors import DependencyError


def ensurePackages(requirements: Sequence[str], requester: str) -> None:
    """Install what is missing, after the user has agreed.

    Args:
        requirements: as in a requirements file, e.g. "monai>=1.5".
        requester: the module's title, named in the question.

    Raises:
        DependencyError: the user declined, or a package is still missing.
    """
    missing = [requirement for requirement in requirements if not _isInstalled(requirement)]
    if not missing:
        return
    if importlib.util.find_spec("slicer.packaging") is not None:
        _ensureWithPackaging(missing, requester)
    else:
        _ensureWithPip(missing, requester)
    still = [requirement for requirement in missing if not _isInstalled(requirement)]
    if still:
        raise DependencyError(_needs(still))


def _isInstalled(requirement: str) -> bool:
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _ensureWithPackaging(missing: Sequence[str], requester: str) -> None:
    from slicer import packaging

    try:
        packaging.pip_ensure(list(missing), requester=requester)
    except RuntimeError as declined:
        raise DependencyError(_needs(missing)) from declined


def _ensureWithPip(missing: Sequence[str], requester: str) -> None:
    """Slicer 5.10 has no slicer.packaging."""
    question = _("{module} needs these Python packages: {packages}. Install them now? This can take a few minutes.")
    if not slicer.util.confirmOkCancelDisplay(question.format(module=requester, packages=", ".join(missing))):
        raise DependencyError(_needs(missing))
    for requirement in missing:
        slicer.util.pip_install(requirement)


def _needs(requirements: Sequence[str]) -> str:
    return _(
        "These Python packages are needed and not installed: {packages}. Press Apply again to install them."
    ).format(packages=", ".join(requirements))
