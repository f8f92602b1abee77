"""The names that Slicer's and CTK's widgets show to Python, read off their C++ headers.

PythonQt shows a class's properties, signals, public slots and invokable methods, nothing else. ``names.json`` holds
these names for each widget that has a stand-in here; a stand-in may offer fewer, never others. To renew it::

    SLICER_SOURCE=... CTK_SOURCE=... python names.py > names.json
"""

from __future__ import annotations

import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import TypedDict

FILE = Path(__file__).with_name("names.json")

CTK_WIDGETS = "Libs/Widgets"
HEADERS = {
    "CTK_SOURCE": {
        CTK_WIDGETS: [
            "ctkCheckBox",
            "ctkCheckablePushButton",
            "ctkCollapsibleButton",
            "ctkColorPickerButton",
            "ctkComboBox",
            "ctkDirectoryButton",
            "ctkDoubleRangeSlider",
            "ctkDoubleSlider",
            "ctkDoubleSpinBox",
            "ctkMessageBox",
            "ctkPathLineEdit",
            "ctkPushButton",
            "ctkRangeWidget",
            "ctkSliderWidget",
        ]
    },
    "SLICER_SOURCE": {
        "Libs/MRML/Widgets": [
            "qMRMLNodeComboBox",
            "qMRMLRangeWidget",
            "qMRMLSegmentSelectorWidget",
            "qMRMLSliderWidget",
            "qMRMLSpinBox",
            "qMRMLWidget",
        ],
        "Base/QTGUI": ["qSlicerWidget", "qSlicerAbstractModuleWidget", "qSlicerScriptedLoadableModuleWidget"],
        "Modules/Loadable/Markups/Widgets": ["qSlicerMarkupsPlaceWidget", "qSlicerSimpleMarkupsWidget"],
    },
}
"""Environment variable that names a source tree -> folder in it -> classes."""


class Names(TypedDict):
    """What one class adds to its base class."""

    base: str
    properties: list[str]
    signals: list[str]
    methods: list[str]
    enumerators: list[str]


@cache
def all_names() -> dict[str, Names]:
    """The committed names of every widget that may have a stand-in."""
    return json.loads(FILE.read_text())


def read_header(text: str, class_name: str) -> Names:
    """The names in the header of one class."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"//[^\n]*", "", text)
    found = re.search(rf"class\s+(?:\w+\s+)?{class_name}\s*:\s*public\s+(\w+)[^{{]*\{{(.*)\}};", text, re.DOTALL)
    if found is None:
        raise ValueError(f"no class {class_name} in its header")
    base, body = found.groups()
    properties = re.findall(r"Q_PROPERTY\(\s*[\w:<>]+\s+(\w+)", body)
    enumerators = [name for block in re.findall(r"enum\s+\w*\s*\{([^}]*)\}", body) for name in _enumerators(block)]
    signals, methods = [], []
    section = "private"
    for statement in _statements(_without_bodies(body)):
        label, member = _section(statement)
        section = label or section
        declaration = re.search(r"([\w:<>*&]+[\s*&]+)(\w+)\s*\((.*)\)", member, re.DOTALL)
        if declaration is None or "operator" in member:
            continue
        _, name, arguments = declaration.groups()
        if section == "signals":
            signals.append(f"{name}({_argument_types(arguments)})")
        elif section == "public slots" or (section == "public" and "Q_INVOKABLE" in member):
            methods.append(name)
    lists = [sorted(set(found)) for found in (properties, signals, methods, enumerators)]
    return Names(zip(Names.__annotations__, [base, *lists], strict=True))


def _enumerators(block: str) -> list[str]:
    return [part.partition("=")[0].strip() for part in block.split(",") if part.strip()]


def _without_bodies(text: str) -> str:
    while re.search(r"\{[^{}]*\}", text):
        text = re.sub(r"\{[^{}]*\}", ";", text)
    return text


def _statements(text: str) -> list[str]:
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b(Q_OBJECT|QVTK_OBJECT)\b", "", text)
    text = re.sub(r"\b(Q_PROPERTY|Q_FLAGS|Q_ENUMS?)\([^)]*\)", ";", text)
    return [part.strip() for part in text.split(";") if part.strip()]


def _section(statement: str) -> tuple[str | None, str]:
    """The access section that a statement opens, if any, and the statement without it."""
    pattern = r"(public|protected|private)?\s*(Q_SLOTS|slots|Q_SIGNALS|signals)?\s*:(?!:)\s*(.*)"
    label = None
    while found := re.fullmatch(pattern, statement, re.DOTALL):
        access, kind, statement = found.groups()
        label = "signals" if kind in ("Q_SIGNALS", "signals") else f"{access} slots" if kind else access
    return label, statement


def _argument_types(arguments: str) -> str:
    """C++ arguments as Qt writes them in a signature: no names, no const references."""
    types = []
    for argument in filter(None, (part.strip() for part in arguments.split(","))):
        plain = re.sub(r"\s*=.*", "", argument).replace("const ", "").replace("&", " ")
        found = re.match(r"((?:unsigned\s+)?[\w:<>]+)\s*(\**)", plain)
        types.append(found.group(1) + found.group(2) if found else plain)
    return ",".join(types)


def derive() -> dict[str, Names]:
    """The names of all classes whose headers are in the source trees named by the environment."""
    derived: dict[str, Names] = {}
    for variable, folders in HEADERS.items():
        root = os.environ.get(variable)
        for folder, classes in folders.items() if root else ():
            for name in classes:
                header = Path(root) / folder / f"{name}.h"
                if header.is_file():
                    derived[name] = read_header(header.read_text(encoding="utf-8", errors="replace"), name)
    return derived


if __name__ == "__main__":
    json.dump(derive(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
