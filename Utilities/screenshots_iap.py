"""The README's pictures of IAPPredict: what header and image say of a series, what decides, and a folder of series."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicerapp
from make_screenshots import FOLDER, beside, grid, scene, settle
from PIL import Image
from screenshots_pvs import shrink
from slicerapp import views

MODEL = "iap-demo"
VIEW, PLOT, SMALL, LARGE = (400, 400), (800, 460), (400, 340), (500, 500)
SHOWN, DECIDED = "echo_time", "field_strength"
"""The parameters of the strip plot, and of the picture of what decides."""
SECTIONS = (
    "inputs", "settings", "advanced", "result", "saliency", "cohort", "audit", "sort", "complete", "train", "export",
    "outputs",
)  # fmt: skip
STUDY = {"subjects": 8, "series": 3, "slices": 4, "headers": "gaps", "seed": 5}
"""The folder: its headers have gaps."""
ROWS, WIDTH, WIDEST, ROW_HEIGHT = 14, 800, 215, 24
"""Of the pictures of tables: rows, pixels of all columns and of one, pixels of a row."""
MARGIN = 12


def draw() -> None:
    """Run the panel on the sample data and on a folder, and draw everything; without PyTorch only headers are read."""
    with tempfile.TemporaryDirectory() as folder:
        from DeepMRILib.panel.machine import setMachineSetting

        setMachineSetting("model_folder", folder)
        panel = Panel(Path(folder))
        panel.draw_header()
        if importlib.util.find_spec("torch") is not None:
            panel.draw_series()
            panel.draw_decides()
        panel.draw_folder()
        panel.loaded.close()


class Panel:
    """The panel on the simulated series.

    Args:
        place: for files that go into pictures.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        scene().AddNewNodeByClass("vtkMRMLSliceCompositeNode")  # of a slice view, where the overlay is shown
        self.loaded = slicerapp.load_module("IAPPredict")
        self.loaded.enter()
        self.widget, self.ui = self.loaded.widget, self.loaded.widget.ui
        self.spin_echo, self.gradient_echo, self.inversion = self.loaded.python.loadSample()
        self.parameters = self.loaded.logic.getParameterNode()

    def press(self, section: str = "") -> None:
        """Press a section's button, and wait."""
        found = next(one for one in self.widget.sections if one.task.section == section)
        found.bar.applyButton.click()
        slicerapp.wait_until(lambda: not self.widget.runner.isBusy(), 600, "the job")
        settle()

    def only(self, *names: str) -> None:
        """Open these sections and close the others."""
        for name in SECTIONS:
            getattr(self.ui, f"{name}CollapsibleButton").collapsed = name not in names

    def choose(self, parameter: str) -> None:
        """Click on a parameter's row, if it is there."""
        from DeepMRILib.mrml.iap_rows import rowsOf

        names = [row.parameter for row in rowsOf(self.parameters.parametersTable)]
        if parameter in names:
            self.ui.parameterList.setCurrentCell(names.index(parameter), 0)
        settle()

    def grab(self, name: str) -> Path:
        """The panel without the empty room below it."""
        path = self.loaded.grab(self.place / f"{name}.png")
        picture = Image.open(path).convert("RGB")
        pixels = np.asarray(picture)
        drawn = np.flatnonzero((pixels != pixels[-1, 0]).any(axis=(1, 2)))
        picture.crop((0, 0, picture.width, min(int(drawn.max()) + MARGIN, picture.height))).save(path)
        return path

    def draw_header(self) -> None:
        """The header alone, of the series whose inversion time is missing, and the three series."""
        self.parameters.inputVolume = self.inversion
        self.press()
        self.only("inputs", "settings", "result")
        panel = self.grab("header")
        nodes = {"spin echo": self.spin_echo, "gradient echo": self.gradient_echo, "inversion recovery": self.inversion}
        pictures = [(name, self.slice(node, f"header-{n}", size=SMALL)) for n, (name, node) in enumerate(nodes.items())]
        grid(pictures, self.place / "series.png", columns=1)
        beside(panel, [self.place / "series.png"], FOLDER / "IAPPredict-header.png")
        shrink(FOLDER / "IAPPredict-header.png")

    def draw_series(self) -> None:
        """The panel beside the series whose header says another field strength, and a strip plot."""
        if MODEL not in self.loaded.logic.networks.entries():
            raise SystemExit(f"There is no model {MODEL}: run Utilities/train_iap_demo.py first.")
        self.parameters.inputVolume, self.parameters.model = self.gradient_echo, MODEL
        self.press()
        self.choose(SHOWN)
        self.only("inputs", "settings", "result")
        panel = self.grab("panel")
        plot = views.renderChart(self.parameters.stripChart, self.place / "strip.png", size=PLOT)
        pictures = self.slice(self.gradient_echo, "slice", views_of=("Axial", "Sagittal"))
        beside(panel, [pictures, plot], FOLDER / "IAPPredict.png")
        shrink(FOLDER / "IAPPredict.png")

    def draw_decides(self) -> None:
        """What decides about the field strength, over its slice."""
        self.choose(DECIDED)
        self.press("saliency")
        self.only("result", "saliency")
        panel = self.grab("decides")
        map_ = {"foreground": self.parameters.saliencyVolume, "legend": True}
        over = self.slice(self.gradient_echo, "over", size=LARGE, **map_)
        alone = self.slice(self.gradient_echo, "alone", size=LARGE)
        beside(panel, [alone, over], FOLDER / "IAPPredict-decides.png")
        shrink(FOLDER / "IAPPredict-decides.png")

    def draw_folder(self) -> None:
        """A folder of series: its findings, and its domains."""
        from DeepMRILib.iap import SimulateOptions, simulation

        study = self.place / "study"
        simulation(SimulateOptions(**STUDY)).save(study)
        self.parameters.cohortFolder = str(study / "series")
        self.parameters.sort_by = "manufacturer, field_strength"
        if importlib.util.find_spec("torch") is None:
            self.parameters.sort_source = "header"
        for section in ("audit", "sort"):
            self.press(section)
        self.only("cohort", "audit", "sort")
        panel = self.grab("folder")
        tables = [
            self.table(self.parameters.findingsTable, ("series", "parameter", "value", "finding", "expected")),
            self.table(
                self.parameters.cohortTable,
                ("path", "domain", "field_strength_header", "field_strength_predicted", "field_strength_verdict"),
            ),
        ]
        beside(panel, tables, FOLDER / "IAPPredict-folder.png")
        shrink(FOLDER / "IAPPredict-folder.png")

    def slice(
        self,
        node: Any,
        name: str,
        views_of: Sequence[str] = ("Axial",),
        size: tuple[int, int] = VIEW,
        **layers: Any,
    ) -> Path:
        """The slice that decides about the chosen parameter, or the middle."""
        from DeepMRILib.mrml.iap import slicePosition
        from DeepMRILib.mrml.iap_rows import rowsOf

        table, at = self.parameters.parametersTable, None
        row = next((row for row in rowsOf(table) if row.parameter == self.parameters.shownParameter), None)
        if row is not None and row.slice is not None:
            at = slicePosition(table, row.slice)
        return views.renderSlices(scene(), node, self.place / f"{name}.png", views_of, at=at, size=size, **layers)

    def table(self, node: Any, columns: Sequence[str]) -> Path:
        """The first rows of a table node, as Slicer's table view shows them."""
        import qt

        from DeepMRILib.mrml.pvs_report import tableFromNode

        table = tableFromNode(node)
        shown = [name for name in columns if name in table.columns]
        rows = min(len(table), ROWS)
        widget = qt.QTableWidget(rows, len(shown))
        widget.setHorizontalHeaderLabels(shown)
        widget.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        for column, name in enumerate(shown):
            for row in range(rows):
                widget.setItem(row, column, qt.QTableWidgetItem(str(table.columns[name][row])))
        widget.horizontalHeader().setMaximumSectionSize(WIDEST)
        widget.setWordWrap(False)
        widget.resizeColumnsToContents()
        widget.horizontalHeader().setStretchLastSection(True)
        for policy in (widget.setHorizontalScrollBarPolicy, widget.setVerticalScrollBarPolicy):
            policy(qt.Qt.ScrollBarAlwaysOff)
        widget.resize(WIDTH, ROW_HEIGHT * (rows + 1) + 4)
        path = self.place / f"{node.GetID()}.png"
        widget.grab().save(str(path))
        return path
