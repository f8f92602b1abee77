"""What the packaging tests read from the source tree: modules, library files, imports. Nothing is listed by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "DeepMRILib"
SHARED_PACKAGES = {"files": "base", "mrml": "mrml", "panel": "panel"}
"""Packages of the library that are not methods, and their layer; any other package is a method."""


def modules(root: Path = ROOT) -> list[str]:
    """The scripted modules: folders at the top with a CMakeLists.txt, or with a Python file of their own name."""
    folders = [path for path in root.iterdir() if path.is_dir() and path.name not in (LIBRARY.name, "Testing")]
    found = [path for path in folders if (path / "CMakeLists.txt").exists() or (path / f"{path.name}.py").exists()]
    return sorted(path.name for path in found)


def is_shipped(path: Path) -> bool:
    """Whether a file of the library or of Resources belongs in the package: not a cache, not CMake's."""
    caches = any(part == "__pycache__" or part.startswith(".") for part in path.parts)
    return not caches and path.suffix != ".pyc" and path.name != "CMakeLists.txt"


def files_below(folder: Path, base: Path) -> set[str]:
    """The shipped files below a folder, as posix paths relative to ``base``."""
    found = (path.relative_to(base) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if is_shipped(path)}


def shipped_library(root: Path = ROOT) -> set[str]:
    """Every file of the library, as ``DeepMRILib/...``."""
    return files_below(root / LIBRARY.name, root)


def shipped_module(name: str, root: Path = ROOT) -> set[str]:
    """What one module installs into the flat folder of all modules: its Python file and its Resources."""
    return {f"{name}.py"} | files_below(root / name / "Resources", root / name)


def library_sources() -> list[Path]:
    """The Python files of the library."""
    return sorted(ROOT / name for name in shipped_library() if name.endswith(".py"))


def methods() -> list[str]:
    """The method packages (ivim, ...)."""
    packages = (path.parent.name for path in LIBRARY.glob("*/__init__.py"))
    return sorted(name for name in packages if name not in SHARED_PACKAGES)


def dotted(path: Path) -> str:
    """The import name of a library file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(name: str) -> str:
    """The layer of a name in the library: base, jobs, cli, worker, mrml, panel, or ``method <package>``."""
    parts = name.split(".")
    if len(parts) == 1:
        return "base"
    if (LIBRARY / parts[1]).is_dir():
        return SHARED_PACKAGES.get(parts[1], f"method {parts[1]}")
    if parts[1] == "jobs":
        return "jobs"
    if parts[1] == "__main__" or parts[1].startswith(("cli", "cohort")):
        return "cli"
    return "worker" if parts[1].startswith("worker") else "base"


@dataclass(frozen=True)
class Import:
    """One imported name, where it stands, and whether importing the file runs it."""

    name: str
    line: int
    at_file_scope: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """All imports of a file, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return tuple(_imports(tree, path, at_file_scope=True))


def _imports(node: ast.AST, path: Path, *, at_file_scope: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            for name in _names(child, path):
                yield Import(name, child.lineno, at_file_scope)
            continue
        inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or _only_for_types(child)
        yield from _imports(child, path, at_file_scope=at_file_scope and not inside)


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _names(node: ast.Import | ast.ImportFrom, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    module = node.module or ""
    if node.level:
        folder = path.parents[node.level - 1]
        module = ".".join([*folder.relative_to(ROOT).parts, *filter(None, [module])])
    return [_submodule_or(module, alias.name) for alias in node.names]


def _submodule_or(module: str, name: str) -> str:
    """``from DeepMRILib import files`` imports a submodule; ``from DeepMRILib import __version__`` does not."""
    place = ROOT.joinpath(*module.split("."), name)
    is_submodule = place.with_suffix(".py").exists() or (place / "__init__.py").exists()
    return f"{module}.{name}" if is_submodule else module
