"""Reports: what is given is shown as text, the file needs nothing else, and pictures are the right way round."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.figures import Marks, Panel, montage, oriented
from DeepMRILib.plots import Curve, decay_plot, histogram, region_plot
from DeepMRILib.report import Report, png
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

ROOT = Path(__file__).resolve().parents[2]
VOID = {"meta", "img", "br", "link", "hr", "input"}
HOSTILE = "<script>alert(\"1\")</script> & 'quoted'"


class Page(HTMLParser):
    """Collects tags, text and attributes, and fails on tags that do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def a_volume(affine: np.ndarray | None = None, shape: tuple[int, ...] = (20, 30, 8)) -> Volume:
    array = np.random.default_rng(3).uniform(0, 1, shape)
    return Volume(array, np.diag([2.0, 2, 4, 1]) if affine is None else affine)


def a_report() -> Report:
    report = Report("IVIM of the liver", "Volunteer 3", created=datetime(2026, 3, 1, 14, 5))
    report.facts({"Method": "least squares", "Voxels": 1200, "Averaged": False, "Noise": float("nan")})
    report.note("3 % of the voxels lie on a bound.")
    report.section("Maps")
    report.text("One paragraph.\n\nAnother.")
    table = Table({"Region": ["liver", "spleen"], "D": [1.234567, None], "n": [30000, 7]}, {"D": "10⁻³ mm²/s"})
    report.table(table, formats={"D": ".2f"}, caption="Medians")
    report.figure(montage([Panel("D", a_volume(), "mm²/s")]), "Three slices.")
    report.figure(decay_plot([Curve("liver", [0, 100], [1, 0.8])]), "Decay.", alt="A falling curve")
    return report


def test_the_page_is_well_formed_and_semantic() -> None:
    page = Page(a_report().html())
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("footer")) == 1
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(page.all("img")) == 2
    assert {cell["scope"] for cell in page.all("th")} == {"col", "row"}
    assert page.all("html")[0]["lang"] == "en"
    assert [image["alt"] for image in page.all("img")] == ["Three slices.", "A falling curve"]
    assert len(page.all("p")) == 4  # subtitle, note, two paragraphs
    assert page.words.count("For research use only.") == 1
    assert "2026-03-01 14:05" in page.words


def test_values_are_shown_as_readers_expect() -> None:
    page = Page(a_report().html())
    assert "Averagedno" in page.words
    assert "Noise–" in page.words
    assert "1.23" in page.words
    assert "1.234567" not in page.words
    assert "30000" in page.words
    report = Report("t")
    report.facts({"large": 12345.6, "small": 0.00123456, "below zero": -0.5})
    assert "large12346small0.001235below zero-0.5" in Page(report.html()).words
    report.facts({"numpy": np.float32(0.25), "flag": np.bool_(True), "many": [1, 2.5]})
    assert "numpy0.25flagyesmany1, 2.5" in Page(report.html()).words


def test_everything_given_is_text_never_markup() -> None:
    report = Report(HOSTILE, HOSTILE)
    report.section(HOSTILE)
    report.text(HOSTILE)
    report.note(HOSTILE)
    report.facts({HOSTILE: HOSTILE})
    report.table(Table({HOSTILE: [HOSTILE]}, {HOSTILE: HOSTILE}), caption=HOSTILE)
    report.figure(Figure((1, 1)), HOSTILE)
    source = report.html()
    page = Page(source)
    assert not page.all("script")
    assert "<script" not in source
    assert page.all("img")[0]["alt"] == HOSTILE
    # title element and heading, subtitle, section, text, note, name, value, column, unit, cell, caption, figcaption
    assert page.words.count(HOSTILE) == 13


def test_the_page_needs_nothing_else() -> None:
    page = Page(a_report().html())
    assert not page.all("link")
    assert not page.all("script")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"https?://|@import|url\(", a_report().html())


def test_pictures_decode_at_twice_the_size_on_the_page() -> None:
    for image in Page(a_report().html()).all("img"):
        picture = imread(io.BytesIO(base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))))
        assert picture.shape[1] == pytest.approx(2 * int(image["width"]), abs=2)
        assert picture.shape[0] == pytest.approx(2 * int(image["height"]), abs=2)
        assert np.ptp(picture[..., :3]) > 0.5


def test_figures_are_closed_those_of_pyplot_too() -> None:
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(1, 1))
    figure.add_subplot()
    before = len(pyplot.get_fignums())
    Report("t").figure(figure, "c")
    assert len(pyplot.get_fignums()) == before - 1
    assert figure.axes == []


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert a_report().write(target) == target
    first = target.read_text(encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        Report("other").write(target)
    assert target.read_text(encoding="utf-8") == first
    Report("other").write(target, overwrite=True)
    assert "<h1>other</h1>" in target.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Report("old").write(tmp_path / "report.html")
    before = target.read_bytes()

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="the disk is full"):
        Report("new").write(target, overwrite=True)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("name", "words"), [(".", "that is a folder"), ("missing/report.html", "Make .*missing first")]
)
def test_a_bad_place_is_named(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(OutputError, match=words):
        Report("t").write(tmp_path / name)


def oblique() -> np.ndarray:
    """Axes permuted (k is left-right), left-handed, turned by 20 degrees, anisotropic."""
    turn = np.radians(20)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.array([[0, 0, 3.0], [1.5, 0, 0], [0, -2.0, 0]])
    affine[:3, 3] = (-30, 10, 40)
    return affine


AFFINES = {
    "RAS": np.diag([2.0, 2, 4, 1]),
    "LAS": np.diag([-2.0, 2, 4, 1]),
    "LPS": np.diag([-2.0, -2, 4, 1]),
    "oblique": oblique(),
}


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize(
    ("plane", "toward", "edge"),
    [
        ("axial", (1, 0, 0), "left"),
        ("axial", (0, 1, 0), "top"),
        ("coronal", (1, 0, 0), "left"),
        ("coronal", (0, 0, 1), "top"),
        ("sagittal", (0, 1, 0), "left"),
        ("sagittal", (0, 0, 1), "top"),
    ],
)
def test_pictures_are_the_right_way_round(affine: np.ndarray, plane: str, toward: tuple, edge: str) -> None:
    volume = Volume(np.zeros((21, 31, 11)), affine)
    middle = volume.ras_from_voxel([[10, 15, 5]])[0]
    spot = np.rint(volume.voxel_from_ras(middle + 8 * np.array(toward))[0]).astype(int)
    volume.array[tuple(spot)] = 1
    view = oriented(volume, plane)
    row, column, index = np.argwhere(view.array == 1)[0]
    assert (column < (view.array.shape[1] - 1) / 2) if edge == "left" else (row < (view.array.shape[0] - 1) / 2)
    # the picture's own affine leads back to the same place
    assert (view.affine @ [row, column, index, 1])[:3] == pytest.approx(volume.ras_from_voxel([spot])[0])
    assert np.linalg.norm(view.affine[:3, :3], axis=0) == pytest.approx(view.spacing)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_the_patients_right_is_on_the_left_of_the_drawn_picture(affine: np.ndarray) -> None:
    volume = Volume(np.zeros((21, 31, 11)), affine)
    point = volume.ras_from_voxel([[10, 15, 5]])[0] + (7, 7, 0)
    spot = np.rint(volume.voxel_from_ras(point)[0]).astype(int)
    volume.array[tuple(spot)] = 1
    index = int(np.argwhere(oriented(volume).array == 1)[0][2])
    figure = montage([Panel("spot", volume, window=(0, 1), colors="hot")], slices=[index])
    picture = imread(io.BytesIO(png(figure)))
    # "hot" shows 1 as white and 0 as black; the figure around is cut to its black part first
    dark = np.argwhere(picture[..., :3].sum(2) < 0.2)
    (top, left), (bottom, right) = dark.min(0), dark.max(0)
    rows, columns = np.nonzero(picture[top:bottom, left:right, :3].sum(2) > 2.9)
    # labels R and A are white too and lie at the edges: keep what lies well inside
    height, width = bottom - top, right - left
    inside = (rows > 0.15 * height) & (rows < 0.85 * height) & (columns > 0.15 * width) & (columns < 0.85 * width)
    assert 0 < columns[inside].mean() < 0.48 * width
    assert 0 < rows[inside].mean() < 0.48 * height


def test_pictures_keep_the_shape_of_anisotropic_voxels() -> None:
    volume = Volume(np.ones((40, 10, 3)), np.diag([1.0, 3, 5, 1]))  # 40 mm wide, 30 mm tall
    figure = montage([Panel("a", volume)], slices=[1])
    box = figure.axes[0].get_position()
    width, height = box.width * figure.get_figwidth(), box.height * figure.get_figheight()
    assert width / height == pytest.approx(4 / 3)


def test_units_windows_and_scales_reach_the_color_bar() -> None:
    volume = Volume(np.full((8, 8, 3), 0.002))
    figure = montage([Panel("D", volume, "10⁻³ mm²/s", (0, 3), "viridis", 1000)], count=1)
    image = figure.axes[0].images[0]
    assert image.get_clim() == (0, 3)
    assert float(image.get_array().max()) == pytest.approx(2)
    assert figure.axes[1].get_xlabel() == "10⁻³ mm²/s"


def test_many_volumes_go_on_below() -> None:
    figure = montage([Panel(str(n), a_volume()) for n in range(6)], slices=[2, 5])
    places = [axes.get_position() for axes in figure.axes if axes.images]
    assert len(places) == 12
    assert len({round(place.x0, 3) for place in places}) == 3
    assert len({round(place.y0, 3) for place in places}) == 4
    assert all(0 <= place.x0 < place.x1 <= 1 and 0 <= place.y0 < place.y1 <= 1 for place in places)


def test_slices_are_taken_within_the_outline_which_is_drawn_and_named() -> None:
    volume = a_volume()
    labels = np.zeros(volume.shape, dtype=np.uint8)
    labels[5:12, 8:20, 2:4] = 1
    labels[14:18, 8:20, 3] = 2
    figure = montage([Panel("a", volume)], count=2, outline=volume.like(labels), names={1: "liver", 2: "cyst"})
    pictures = [axes for axes in figure.axes if axes.images]
    assert [len(axes.collections) for axes in pictures[:2]] == [2, 4]  # a white and a coloured line per label
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["liver", "cyst"]


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_points_are_drawn_on_their_voxel_in_slices_near_them(affine: np.ndarray) -> None:
    volume = Volume(np.zeros((21, 31, 11)), affine)
    spot = volume.ras_from_voxel([[6, 20, 4]])
    volume.array[6, 20, 4] = 1
    view = oriented(volume)
    row, column, index = np.argwhere(view.array == 1)[0]
    far = index + 3 if index + 3 < view.array.shape[2] else index - 3
    figure = montage([Panel("a", volume)], slices=[index, far], marks=[Marks(spot, "red")])
    here, there = [axes for axes in figure.axes if axes.images]
    expected = ((column + 0.5) * view.spacing[1], (row + 0.5) * view.spacing[0])
    assert [tuple(cross.get_offsets()[0]) for cross in here.collections] == [pytest.approx(expected)] * 2
    assert all(len(cross.get_offsets()) == 0 for cross in there.collections)
    assert here.axis() == there.axis()


def test_a_long_legend_stays_inside_the_figure() -> None:
    volume = a_volume()
    labels = np.arange(volume.array.size).reshape(volume.shape) // (volume.array.size // 22) + 1
    names = {n: f"tissue number {n}" for n in range(1, 23)}
    figure = montage([Panel("a", volume)], slices=[2], outline=volume.like(labels), names=names)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    box = figure.legends[0].get_window_extent(renderer)
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    bar = figure.axes[1].get_tightbbox(renderer)
    assert 0 <= box.y0 < box.y1 <= bar.y0 + 1
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.legends[0].get_lines()}
    assert len(styles) == len(figure.legends[0].get_lines()) == 22


def test_an_empty_outline_and_missing_values_are_drawn() -> None:
    volume = a_volume()
    volume.array[:5] = np.nan
    empty = volume.like(np.zeros(volume.shape))
    assert len(png(montage([Panel("a", volume), Panel("b", empty)], outline=empty, names={1: "liver"}))) > 1000
    assert len(png(montage([Panel("complex", Volume(a_volume().array * 1j))], count=1))) > 1000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"panels": []}, "nothing to draw"),
        ({"panels": [Panel("a", a_volume()), Panel("b", a_volume(shape=(4, 4, 4)))]}, "same grid"),
        ({"slices": [8]}, "Slice 8 is not there: the image has the slices 0 to 7"),
        ({"slices": []}, "No slice is chosen"),
        ({"plane": "oblique"}, "choose one of axial, coronal, sagittal"),
        ({"panels": [Panel("a", a_volume(shape=(4, 4, 4, 2)))]}, "one value per voxel"),
    ],
)
def test_what_cannot_be_drawn_is_said(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        montage(**{"panels": [Panel("a", a_volume())], **change})


def test_curves_show_points_bars_and_lines() -> None:
    b = np.array([0, 100, 400, 800])
    curves = [
        Curve(name, b, np.exp(-b * d), np.full(4, 0.02), b, np.exp(-b * d)) for name, d in (("a", 1e-3), ("b", 2e-3))
    ]
    axes = decay_plot(curves, log=True).axes[0]
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    points, line = axes.containers[0].lines[0], axes.lines[-1]
    assert points.get_ydata() == pytest.approx(np.exp(-b * 1e-3))
    assert line.get_ydata() == pytest.approx(np.exp(-b * 2e-3))
    first, second = (container.lines[0] for container in axes.containers)
    assert (first.get_color(), first.get_marker()) != (second.get_color(), second.get_marker())
    with pytest.raises(InputError, match="2 positions for 1 values"):
        decay_plot([Curve("a", [0, 1], [1])])


def test_points_below_zero_are_left_out_of_a_logarithmic_plot() -> None:
    axes = decay_plot([Curve("a", [0, 100, 200], [1.0, -0.1, 0.5], [0.1, 0.1, 0.9])], log=True).axes[0]
    assert list(axes.containers[0].lines[0].get_xdata()) == [0, 200]
    assert axes.get_ylim()[0] > 0


def test_regions_show_quartiles_counts_and_references() -> None:
    values = np.r_[np.arange(101.0), np.nan]
    figure = region_plot({"liver": values, "spleen": []}, label="D", reference={"liver": 40.0})
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["liver  (n = 101)", "spleen  (n = 0)"]
    box = axes.patches[0]
    assert (box.get_x(), box.get_width()) == (25, 50)
    assert list(axes.lines[0].get_xdata()) == [40]


def test_histograms_have_an_area_of_one() -> None:
    axes = histogram({"a": np.random.default_rng(0).normal(size=500)}, label="D", limits=(-9, 9)).axes[0]
    heights, edges, _ = axes.patches[0].get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(1)
    with pytest.raises(InputError, match="no group has a finite value"):
        histogram({"a": [np.nan]}, label="D")


FRESH = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
import numpy as np
from DeepMRILib.errors import DependencyError
from DeepMRILib.figures import Panel, montage
from DeepMRILib.plots import Curve, decay_plot
from DeepMRILib.report import Report
from DeepMRILib.volume import Volume
for draw in (lambda: montage([Panel("a", Volume(np.ones((4, 4, 4))))]), lambda: decay_plot([Curve("a", [0], [1])])):
    try:
        draw()
    except DependencyError as error:
        print(error)
Report("words alone").write(sys.argv[1])
"""


def fresh(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_without_matplotlib_one_is_told_and_words_still_work(tmp_path: Path) -> None:
    lines = fresh(FRESH, str(tmp_path / "words.html")).splitlines()
    assert len(lines) == 2
    assert all("needs the Python package matplotlib, which is not installed" in line for line in lines)
    assert (tmp_path / "words.html").is_file()


def test_drawing_leaves_the_users_matplotlib_alone() -> None:
    code = (
        "import sys, numpy as np; from DeepMRILib.figures import Panel, montage; from DeepMRILib.report import png\n"
        "from DeepMRILib.volume import Volume\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "png(montage([Panel('a', Volume(np.ones((4, 4, 4))))]))\n"
        "print('matplotlib.pyplot' in sys.modules)\n"
        # asking for the backend would load pyplot to find one
        "print(all(before[key] == matplotlib.rcParams[key] for key in before if key != 'backend'))"
    )
    assert fresh(code).split() == ["False", "True"]


def test_a_cell_on_a_colour_says_the_same_in_words() -> None:
    report = Report("Verdicts")
    report.table(Table({"row": [HOSTILE, "b"], "verdict": ["= agree", "≠ differs"]}), tones={(1, "verdict"): "orange"})
    page = Page(report.html())
    assert [span["class"] for span in page.all("span")] == ["tone orange"]
    assert "≠ differs" in page.words
    assert HOSTILE in page.words
