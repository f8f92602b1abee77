"""The rules of the Extensions Index and of its reviewers, checked offline from the files.

Rules: schema slicer-extension-catalog-entry v1.0.2, the Index's scripts/check_description_files.py, Slicer's module
template.
"""

from __future__ import annotations

import ast
import json
import re
import struct
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from extension_tree import LIBRARY, ROOT, files_below, imports, modules
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "DeepMRI"
ENTRY = ROOT / f"{NAME}.json"
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
FIELDS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "tier": int,
}
REQUIRED = {"$schema", "category", "scm_url"}
CATEGORIES = {"Diffusion", "Neuroimaging", "Quantification", "Segmentation", "Filtering", "Analysis"}
"""Those of the Index that could fit."""
LICENSE_NAMES = {"LICENSE", "LICENCE", "License.txt", "license.txt", "LICENSE.txt", "COPYING", "COPYING.txt"}
IN_SLICER = {"slicer", "vtk", "qt", "ctk", "mrml", "SimpleITK", "numpy", "scipy", "SampleData", "DeepMRILib"}
SCENE_WIDGETS = re.compile(r"qMRML\w+|qSlicerMarkupsPlaceWidget|qSlicerSimpleMarkupsWidget")
TEXT = {".py", ".txt", ".md", ".json", ".cmake", ".cff", ".toml", ".ui", ".yaml", ".yml", ""}
"""Endings of the files that are text; licence, notice and Makefile have none."""
MODULES = modules()


def read(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def entry() -> dict:
    return json.loads(read(ENTRY.name))


def cmake_urls(variable: str) -> list[str]:
    """The value of set(variable "...") as the Index finds it: one line, double quotes, no variable inside."""
    found = re.findall(rf'^set\({variable} "([^"$]+)"\)$', read("CMakeLists.txt"), re.MULTILINE)
    assert len(found) == 1, f'{variable} must stand in CMakeLists.txt as set({variable} "...") on one line'
    return found[0].split()


def sources() -> Iterator[Path]:
    """Every text file of the project."""
    folders = [LIBRARY.name, "Testing", "Utilities", *MODULES]
    inside = (ROOT / name for folder in folders for name in files_below(ROOT / folder, ROOT))
    lists = ROOT.glob("*/**/CMakeLists.txt")
    files = {*inside, *lists, *(path for path in ROOT.iterdir() if path.is_file())}
    return (path for path in sorted(files) if path.suffix in TEXT)


def png_header(path: Path) -> tuple[int, int, int]:
    """Width, height, and color type (6 is RGBA)."""
    data = path.read_bytes()[:26]
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path.name} is no PNG"
    width, height = struct.unpack(">II", data[16:24])
    return width, height, data[25]


def raw_url() -> str:
    """Where GitHub serves files of the branch that the catalogue names."""
    address = entry()["scm_url"].replace("https://github.com/", "https://raw.githubusercontent.com/")
    return f"{address}/{entry()['scm_revision']}/"


def test_the_entry_follows_the_schema() -> None:
    values = entry()
    assert set(values) >= REQUIRED
    assert {key: FIELDS.get(key) for key in values} == {key: type(value) for key, value in values.items()}
    assert values["$schema"] == SCHEMA
    assert values["category"] in CATEGORIES
    assert values["scm_type"] in ("git", "local")
    assert all(isinstance(name, str) and name for name in values["build_dependencies"])
    assert 1 <= values["tier"] <= 5


def test_names_agree() -> None:
    project = re.findall(r"project\s*\(\s*([^\s)]+)", read("CMakeLists.txt"))
    assert project[0] == NAME
    assert not NAME.startswith("Slicer")
    assert re.fullmatch(rf"https://github\.com/[\w-]+/Slicer{NAME}", entry()["scm_url"])


def test_one_address_everywhere() -> None:
    """The repository's address stands in several files as text; all must say the same."""
    owner = entry()["scm_url"].split("/")[-2]
    pattern = re.compile(rf"(?:github\.com|githubusercontent\.com)[/:]([\w.-]+)/Slicer{NAME}\b")
    owners = {path.name: set(pattern.findall(path.read_text(encoding="utf-8"))) for path in sources()}
    assert {name: found for name, found in owners.items() if found - {owner}} == {}
    assert cmake_urls("EXTENSION_HOMEPAGE") == [entry()["scm_url"]]


def test_dependencies_agree() -> None:
    """The catalogue's dependencies are those of CMake."""
    depends = re.findall(r'^set\(EXTENSION_DEPENDS "([^"]+)"\)', read("CMakeLists.txt"), re.MULTILINE)
    assert [name for name in depends[0].split() if name != "NA"] == entry()["build_dependencies"]


def test_the_icon_and_the_screenshots_exist() -> None:
    (icon,) = cmake_urls("EXTENSION_ICONURL")
    assert icon.startswith(raw_url())
    assert png_header(ROOT / icon.removeprefix(raw_url()))[:2] == (128, 128)
    screenshots = cmake_urls("EXTENSION_SCREENSHOTURLS")
    for url in screenshots:
        assert url.startswith(raw_url() + "Screenshots/")
        assert url.endswith((".png", ".jpg", ".gif"))
        assert (ROOT / url.removeprefix(raw_url())).is_file(), f"{url} is no file of this tree"


def test_the_licence_is_found_and_whole() -> None:
    (name,) = LICENSE_NAMES & {path.name for path in ROOT.iterdir()}
    text = read(name)
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert read("NOTICE").startswith(NAME)


def test_text_files_have_unix_line_endings_and_end_with_one() -> None:
    wrong = [path.relative_to(ROOT).as_posix() for path in sources() if b"\r" in path.read_bytes()]
    assert not wrong
    text = [path for path in sources() if path.stat().st_size]
    assert not [path.relative_to(ROOT).as_posix() for path in text if not path.read_bytes().endswith(b"\n")]


def test_no_python_file_at_the_root() -> None:
    """Slicer takes every Python file in a module path for a module."""
    assert not list(ROOT.glob("*.py"))


def test_the_readme_says_what_the_index_asks() -> None:
    text = read("README.md")
    assert text.startswith(f"# {NAME}")
    purpose = next((part for part in text.split("\n\n")[1:] if part[:1].isalpha()), "")
    assert "Slicer" in purpose
    headings = " ".join(re.findall(r"^#+ (.*)$", text, re.MULTILINE)).lower()
    for word in ("install", "tutorial", "citation", "licen", "troubleshooting"):
        assert word in headings, f"README.md has no heading about {word}"
    assert [name for name in MODULES if name not in text] == []
    assert "research use" in text.lower()
    assert re.search(r"!\[[^\]]+\]\(", text), "README.md shows no image"


def test_the_readmes_files_exist() -> None:
    links = re.findall(r"\]\(([^)#\s]+)", read("README.md"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert not [link for link in local if not (ROOT / link).exists()]


def test_the_citation_agrees_with_the_library() -> None:
    lines = re.findall(r"^([\w-]+):[ ]*(.*)$", read("CITATION.cff"), re.MULTILINE)
    values = {key: value.strip('"') for key, value in lines}
    assert {"cff-version", "message", "title", "authors"} <= set(values)
    assert values["cff-version"] == "1.2.0"
    version = re.search(r'^__version__ = "([^"]+)"', read("DeepMRILib", "__init__.py"), re.MULTILINE)
    assert values["version"] == version[1]
    assert values["license"] == "Apache-2.0"
    assert values["repository-code"] == entry()["scm_url"]


def test_the_changelog_has_the_usual_sections() -> None:
    text = read("CHANGELOG.md")
    versions = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds


def test_cmake_builds_the_library_and_every_module() -> None:
    text = read("CMakeLists.txt")
    added = re.findall(r"^add_subdirectory\((\w+)\)$", text, re.MULTILINE)
    assert added[0] == LIBRARY.name
    assert sorted(set(added) - {LIBRARY.name, "Testing"}) == MODULES
    assert text.index(f"add_subdirectory({added[-1]})") < text.index("## NEXT_MODULE")


def test_resource_names_are_unique_across_modules() -> None:
    """Slicer installs the resources of all modules into one folder."""
    names = [name for module in MODULES for name in files_below(ROOT / module / "Resources", ROOT / module)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", MODULES)
class TestModule:
    """What holds for each module's folder."""

    def tree(self, module: str) -> ast.Module:
        return ast.parse(read(module, f"{module}.py"))

    def test_it_has_exactly_one_python_file(self, module: str) -> None:
        """Slicer would register a second one as a module of its own."""
        assert [path.name for path in (ROOT / module).rglob("*.py")] == [f"{module}.py"]

    def test_its_resources_carry_its_name(self, module: str) -> None:
        folder = ROOT / module / "Resources"
        names = files_below(folder, folder)
        assert {f"Icons/{module}.png", f"UI/{module}.ui", f"{module}-requirements.txt"} <= names
        assert not [name for name in names if not Path(name).name.startswith(module)]

    def test_its_icon_is_128_pixels_with_transparency(self, module: str) -> None:
        assert png_header(ROOT / module / "Resources" / "Icons" / f"{module}.png") == (128, 128, 6)

    def test_its_classes_are_those_that_slicer_looks_for(self, module: str) -> None:
        """The Extension Wizard reads the bare base name; the self-test runner wants a class <M>Test."""
        classes = {node.name: node for node in self.tree(module).body if isinstance(node, ast.ClassDef)}
        assert [ast.unparse(base) for base in classes[module].bases] == ["ScriptedLoadableModule"]
        assert {f"{module}Widget", f"{module}Logic", f"{module}Test"} <= set(classes)

    def test_it_imports_only_what_slicer_has(self, module: str) -> None:
        allowed = IN_SLICER | set(sys.stdlib_module_names)
        early = [item for item in imports(ROOT / module / f"{module}.py") if item.at_file_scope]
        assert not [f"{item.line}: {item.name}" for item in early if item.top not in allowed]

    def test_its_requirements_are_known_and_bounded_below(self, module: str) -> None:
        """One a line, without comment beside it (slicer.packaging refuses that), as in pyproject.toml."""
        lines = read(module, "Resources", f"{module}-requirements.txt").splitlines()
        given = [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]
        extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
        known = {str(Requirement(text)) for texts in extras.values() for text in texts}
        assert given
        assert not [str(item) for item in given if str(item) not in known]
        assert not [item.name for item in given if item.name in ("torch", "torchvision", "monai")]

    def test_its_panel_passes_the_scene_on(self, module: str) -> None:
        root = ET.fromstring(read(module, "Resources", "UI", f"{module}.ui"))
        top = root.find("widget")
        assert top.get("class") == "qMRMLWidget"
        widgets = [widget for widget in top.iter("widget") if widget is not top]
        names = [widget.get("name") for widget in widgets]
        assert len(names) == len(set(names))
        wanted = {widget.get("name") for widget in widgets if SCENE_WIDGETS.fullmatch(widget.get("class"))}
        connected = {link.findtext("receiver") for link in root.iter("connection") if is_scene_link(link, top)}
        assert wanted - connected == set()

    def test_its_panel_declares_its_widgets(self, module: str) -> None:
        """Designer and Slicer's loader need each class that is not Qt's own in <customwidgets>."""
        root = ET.fromstring(read(module, "Resources", "UI", f"{module}.ui"))
        used = {widget.get("class") for widget in root.iter("widget")}
        declared = {item.findtext("class") for item in root.iter("customwidget")}
        assert {name for name in used if not name.startswith("Q")} <= declared


def is_scene_link(link: ET.Element, top: ET.Element) -> bool:
    ends = (link.findtext("sender"), link.findtext("signal"), link.findtext("slot"))
    return ends == (top.get("name"), "mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)")


def installed_by_call(path: Path) -> Iterator[str]:
    """The text given to calls of pip_install and the like, and what a pip command line installs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and re.search(r"pip_(install|ensure)$", ast.unparse(node.func)):
            yield from (c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str))
        if isinstance(node, (ast.List, ast.Tuple)):
            words = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            if "pip" in words and "install" in words:
                yield from (word for word in words if isinstance(word, str))


def test_nothing_installs_torch_itself() -> None:
    """PyTorch comes through the PyTorch extension, which picks the build for the graphics card."""
    paths = [*LIBRARY.rglob("*.py"), *(ROOT / name / f"{name}.py" for name in MODULES)]
    given = {path.name: [text for text in installed_by_call(path) if "torch" in text] for path in paths}
    assert not {name: texts for name, texts in given.items() if texts}
