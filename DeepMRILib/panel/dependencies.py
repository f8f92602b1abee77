"""Python packages that Slicer does not bring: asked for when Apply is pressed, never before."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType

import slicer
from slicer.i18n import tr as _

from DeepMRILib.errors import DependencyError

KEPT = ("numpy", "scipy", "SimpleITK", "torch")
"""No installation may change these: Slicer's own, and the PyTorch that suits the graphics card."""
TORCH_REQUIREMENT = ">=2.8,<2.13" if sys.platform == "win32" else ">=2.8"
"""On Windows the wheels of 2.13 have paths too long for Slicer's folder (light-the-torch issue 176)."""


def ensurePackages(requirements: Sequence[str], requester: str) -> bool:
    """Install what is missing, after the user has agreed.

    Args:
        requirements: as in a requirements file, e.g. "monai>=1.5".
        requester: the module's title, named in the question.

    Returns:
        Whether anything was installed.

    Raises:
        DependencyError: the user declined, or a package is still missing.
    """
    missing = [requirement for requirement in requirements if not _isInstalled(requirement)]
    if not missing:
        return False
    try:
        from slicer import packaging
    except ImportError:  # Slicer 5.10 has none
        _ensureWithPip(missing, requester)
    else:
        _ensureWithPackaging(packaging, missing, requester)
    still = [requirement for requirement in missing if not _isInstalled(requirement)]
    if still:
        raise DependencyError(_needs(still))
    return True


def ensureTorch(requester: str) -> bool:
    """Install PyTorch through Slicer's PyTorch extension, after the user has agreed; never by pip.

    Only that extension picks the build that suits the computer's graphics card.

    Returns:
        Whether it was installed now.

    Raises:
        DependencyError: the extension is not there, the user declined, the installation failed, or another version is
            installed.
    """
    if importlib.util.find_spec("torch") is not None:
        _checkTorch(requester)
        return False
    if importlib.util.find_spec("PyTorchUtils") is None:
        text = _(
            "{module} needs PyTorch. Install the extension PyTorch in the Extensions Manager, restart Slicer, and "
            "press Apply again."
        )
        raise DependencyError(text.format(module=requester))
    question = _("{module} needs PyTorch, several gigabytes: installing it takes some minutes. Install it now?")
    if not slicer.util.confirmOkCancelDisplay(question.format(module=requester)):
        raise DependencyError(_needs(["torch"]))
    import PyTorchUtils

    logic = PyTorchUtils.PyTorchUtilsLogic()
    if logic.installTorch(askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT) is None:
        raise DependencyError(
            _("PyTorch could not be installed. See the log of the module PyTorch Util for the reason.")
        )
    return True


def _checkTorch(requester: str) -> None:
    if not _isInstalled(f"torch{TORCH_REQUIREMENT}"):
        text = _("{module} needs PyTorch {wanted}; {found} is installed. Update it in the module PyTorch Util.")
        raise DependencyError(text.format(module=requester, wanted=TORCH_REQUIREMENT, found=_version("torch")))


def _isInstalled(requirement: str) -> bool:
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    version = _version(wanted.name)
    return bool(version) and wanted.specifier.contains(version, prereleases=True)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _ensureWithPackaging(packaging: ModuleType, missing: Sequence[str], requester: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        pins = [f"{name}=={_version(name)}" for name in KEPT if _version(name)]
        constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
        try:
            packaging.pip_ensure(list(missing), constraints=constraints, requester=requester)
        except RuntimeError as declined:
            raise DependencyError(_needs(missing)) from declined
        except subprocess.CalledProcessError as failed:  # Slicer has shown pip's own words
            raise DependencyError(_needs(missing)) from failed


def _ensureWithPip(missing: Sequence[str], requester: str) -> None:
    question = _("{module} needs these Python packages: {packages}. Install them now? This can take a few minutes.")
    if not slicer.util.confirmOkCancelDisplay(question.format(module=requester, packages=", ".join(missing))):
        raise DependencyError(_needs(missing))
    try:
        slicer.util.pip_install(" ".join(missing))
    except subprocess.CalledProcessError as failed:
        raise DependencyError(_needs(missing)) from failed


def _needs(requirements: Sequence[str]) -> str:
    return _(
        "These Python packages are needed and not installed: {packages}. Press Apply again to install them."
    ).format(packages=", ".join(requirements))
