"""Write the file lists of the CMakeLists.txt of the library and of every module: run it after adding a file.

Slicer ships what is listed and silently leaves out the rest, so the lists are written from what is there.
With ``--check`` nothing is written, and the exit status is 1 when a list is out of date.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = "DeepMRILib"


def library_scripts(folder: Path) -> list[str]:
    """The Python files of the library and its sub-packages, relative to it."""
    return _relative(folder, folder.rglob("*.py"))


def library_resources(folder: Path) -> list[str]:
    """The data files of the library: everything in a folder named data that is not Python."""
    files = (path for path in folder.rglob("data/**/*") if path.is_file() and path.suffix != ".py")
    return _relative(folder, files)


def module_resources(folder: Path) -> list[str]:
    """What a module ships beside its Python file, its name written as CMake's MODULE_NAME."""
    files = (path for path in (folder / "Resources").rglob("*") if path.is_file())
    return [name.replace(folder.name, "${MODULE_NAME}") for name in _relative(folder, files)]


def _relative(folder: Path, files: Iterable[Path]) -> list[str]:
    names = {path.relative_to(folder) for path in files}
    return sorted(name.as_posix() for name in names if not _is_cache(name))


def _is_cache(path: Path) -> bool:
    return path.suffix == ".pyc" or any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def with_list(text: str, variable: str, names: list[str]) -> str:
    """The text of a CMakeLists.txt with ``set(variable ...)`` holding these names, one a line.

    Raises:
        ValueError: the text has no such list, or more than one.
    """
    lines = "".join(f"  {name}\n" for name in names)
    pattern = rf"^set\({variable}\n[^)]*^  \)$"
    changed, count = re.subn(pattern, lambda _: f"set({variable}\n{lines}  )", text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"expected one list set({variable} ...) closed by a line of its own, found {count}")
    return changed


def updated(folder: Path) -> str:
    """What the CMakeLists.txt of the library or of a module should say."""
    text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    if folder.name != LIBRARY:
        return with_list(text, "MODULE_PYTHON_RESOURCES", module_resources(folder))
    text = with_list(text, "MODULE_PYTHON_SCRIPTS", library_scripts(folder))
    return with_list(text, "MODULE_PYTHON_RESOURCES", library_resources(folder))


def folders(root: Path) -> list[Path]:
    """The library and the modules: the folders whose CMakeLists.txt builds a scripted module."""
    lists = (path for path in root.glob("*/CMakeLists.txt") if "MODULE_PYTHON_SCRIPTS" in path.read_text("utf-8"))
    return sorted(path.parent for path in lists)


def main(arguments: list[str] | None = None) -> int:
    """Bring the lists up to date, or say which are not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a list is out of date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the extension's folder")
    options = parser.parse_args(arguments)

    stale = {folder: text for folder in folders(options.root) if (text := updated(folder)) != _current(folder)}
    for folder, text in stale.items():
        sys.stdout.write(f"{folder.name}/CMakeLists.txt {'is out of date' if options.check else 'updated'}\n")
        if not options.check:
            (folder / "CMakeLists.txt").write_text(text, encoding="utf-8", newline="\n")
    return 1 if stale and options.check else 0


def _current(folder: Path) -> str:
    return (folder / "CMakeLists.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
