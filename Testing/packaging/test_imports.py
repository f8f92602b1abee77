"""Who may import whom, and what an import costs: read from the files, and proved in fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from extension_tree import LIBRARY, ROOT, dotted, imports, layer, library_sources, methods, modules

HEAVY = {"torch", "monai", "vtk", "slicer", "qt", "ctk", "nibabel", "matplotlib", "h5py", "pydicom", "SimpleITK"}
HEAVY |= {"tyro", "nrrd", "safetensors", "dask"}
SLICER = {"slicer", "vtk", "qt", "ctk", "vtkmodules", "PySide6", "pythonqt"}

BELOW = {
    "base": {"base"},
    "method": {"base"},
    "jobs": {"base", "method"},
    "worker": {"base", "method", "jobs", "worker"},
    "cli": {"base", "method", "jobs", "worker", "cli"},
    "mrml": {"base", "method", "jobs", "mrml"},
    "panel": {"base", "method", "jobs", "worker", "mrml", "panel"},
    "module": {"base", "method", "jobs", "mrml", "panel"},
}
"""What each layer may import. A panel shares with the worker how a job is handed over."""

SOURCES = library_sources()
ENTRY_FILES = [path for name in modules() if (path := ROOT / name / f"{name}.py").exists()]


def may_hold_torch(path: Path) -> bool:
    """network*.py and train*.py may import torch at the top."""
    return path.name.startswith(("network", "train"))


def run(code: str) -> str:
    """What a fresh Python process prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(name: str) -> set[str]:
    """The modules that a fresh process loads on importing ``name``."""
    code = f"import sys; before = set(sys.modules); import {name}; print('\\n'.join(set(sys.modules) - before))"
    return set(run(code).split())


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def identify(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_importing_the_library_loads_nothing_else() -> None:
    assert loaded_by("DeepMRILib") == {"DeepMRILib"}


@pytest.mark.parametrize("method", methods())
def test_a_method_loads_neither_heavy_packages_nor_other_methods(method: str) -> None:
    loaded = loaded_by(f"DeepMRILib.{method}")
    assert not tops(loaded) & HEAVY
    others = {f"DeepMRILib.{other}" for other in (*methods(), "mrml", "panel", "jobs") if other != method}
    assert not loaded & others


def test_no_file_of_the_library_loads_heavy_packages() -> None:
    """Each file in turn, in one process; those for Slicer and the networks, which are loaded late, left out."""
    late = ("mrml", "panel")
    paths = [p for p in SOURCES if layer(dotted(p)) not in late and not may_hold_torch(p) and p.stem != "__main__"]
    code = f"""
import importlib, json, sys
culprits, seen = {{}}, set()
for name in {[dotted(path) for path in paths]}:
    importlib.import_module(name)
    new = {{m.partition(".")[0] for m in sys.modules}} & {HEAVY} - seen
    seen |= new
    if new:
        culprits[name] = sorted(new)
print(json.dumps(culprits))
"""
    assert json.loads(run(code)) == {}


@pytest.mark.parametrize("path", SOURCES + ENTRY_FILES, ids=identify)
def test_imports_point_down_the_layers(path: Path) -> None:
    own = layer(dotted(path)) if path in SOURCES else "module"
    allowed = BELOW[own.partition(" ")[0]]
    for item in imports(path):
        target = layer(item.name)
        inside = item.top == LIBRARY.name
        assert not inside or target == own or target.partition(" ")[0] in allowed, (
            f"{identify(path)}:{item.line} ({own}) imports {item.name} ({target})"
        )


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_only_mrml_and_panel_know_slicer_and_only_panel_knows_qt(path: Path) -> None:
    known = {"panel": SLICER, "mrml": {"slicer", "vtk", "vtkmodules"}}.get(layer(dotted(path)), set())
    forbidden = SLICER - known
    assert not [f"{item.line}: {item.name}" for item in imports(path) if item.top in forbidden]


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_heavy_packages_are_imported_inside_functions(path: Path) -> None:
    allowed = {"torch", "monai", "safetensors"} if may_hold_torch(path) else set()
    allowed |= SLICER if layer(dotted(path)) in ("mrml", "panel") else set()
    heavy = [i for i in imports(path) if i.at_file_scope and i.top in HEAVY and i.top not in allowed]
    assert not [f"{item.line}: {item.name}" for item in heavy]


def loading_torch() -> set[str]:
    """The files whose import loads PyTorch or another heavy package: those that name it at their top, and network*.py
    and train*.py that import such a file there."""
    at_top = {path: {item for item in imports(path) if item.at_file_scope} for path in SOURCES}
    found = {dotted(path) for path, items in at_top.items() if any(item.top in HEAVY - SLICER for item in items)}
    while True:
        further = {
            dotted(path)
            for path, items in at_top.items()
            if may_hold_torch(path) and any(item.name in found for item in items)
        }
        if further <= found:
            return found
        found |= further


def test_files_with_torch_at_the_top_are_imported_late() -> None:
    """Nothing imports them at its own top but one another."""
    names = loading_torch()
    early = {
        f"{identify(path)}:{item.line}"
        for path in SOURCES + ENTRY_FILES
        if dotted(path) not in names
        for item in imports(path)
        if item.at_file_scope and item.name in names
    }
    assert not early


def test_every_folder_with_python_files_is_a_package() -> None:
    """The wheel finds packages by their __init__.py; folders of data are none."""
    assert not [identify(path) for path in SOURCES if not (path.parent / "__init__.py").exists()]
