"""``interactive.segment`` as users call it: one lesion, several, more points, an earlier answer, more images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import interactive
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.engines import ENGINES
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.report import segment_report
from DeepMRILib.volume import Volume

LEFT_HANDED_OBLIQUE = np.array([[-1.9, 0.1, 0.3, 40], [0.1, 1.9, -0.4, -20], [-0.1, 0.2, 2.9, 5], [0, 0, 0, 1]])
CENTRE, RADIUS = np.array([24.0, 24.0, 16.0]), 22.0


def ball(affine: np.ndarray = LEFT_HANDED_OBLIQUE, *centres: np.ndarray) -> tuple[Volume, np.ndarray]:
    """A noisy image of bright balls of 22 mm, and which ball each voxel is in."""
    truth = np.zeros((48, 48, 32), np.uint8)
    empty = Volume(truth, affine)
    places = empty.ras_from_voxel(np.argwhere(truth == 0)).reshape(*truth.shape, 3)
    for number, centre in enumerate(centres or (CENTRE,), start=1):
        distance = np.linalg.norm(places - empty.ras_from_voxel([centre])[0], axis=-1)
        truth[distance < RADIUS] = number
    noise = np.random.default_rng(5).normal(0, 8, truth.shape)
    return Volume((60 + 60 * (truth > 0) + noise).astype(np.float32), affine), truth


def points_of(volume: Volume, centre: np.ndarray = CENTRE, depth: float = 5.0) -> np.ndarray:
    """Six points ``depth`` mm inside the margin of a ball, in no order."""
    middle = volume.ras_from_voxel([centre])[0]
    around = np.concatenate([np.eye(3), -np.eye(3)])[[3, 1, 5, 0, 4, 2]]
    return middle + (RADIUS - depth) * around


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("resolution", ["full", "preview"])
def test_a_ball_is_found(engine: str, resolution: str) -> None:
    volume, truth = ball()
    found = segment(volume, points_of(volume), SegmentOptions(engine=engine, resolution=resolution))
    assert dice(found.mask.array == 1, truth == 1) > (0.95 if resolution == "full" else 0.92)
    assert found.mask.same_grid(volume)
    assert found.mask.array.dtype == np.uint8
    assert found.mask.names == {1: "lesion"}
    sure = found.confidence.array
    assert 0 <= sure.min() <= sure.max() <= 1
    assert sure[tuple(CENTRE.astype(int))] > 0.5
    expected = 4 / 3 * np.pi * RADIUS**3
    row = dict(zip(found.table.columns, found.table.rows[0], strict=True))
    assert row["volume"] == pytest.approx(expected, rel=0.1)
    assert row["volume_ml"] == pytest.approx(row["volume"] / 1000)
    for plane in ("axial", "coronal", "sagittal"):
        assert row[f"diameter_{plane}"] == pytest.approx(2 * RADIUS, rel=0.1)
    assert row["seconds"] > 0


def test_every_point_has_the_name_of_its_side() -> None:
    volume, _ = ball()
    points = np.concatenate([points_of(volume), volume.ras_from_voxel([CENTRE])])
    table = segment(volume, points, negative_points=volume.ras_from_voxel([[2, 2, 2]])).points
    assert table.columns["name"] == [
        "left", "anterior", "inferior", "right", "posterior", "superior", "extra", "negative",
    ]  # fmt: skip
    assert table.columns["segment"] == ["lesion"] * 7 + [""]
    assert table.columns["r"][0] == pytest.approx(points[0, 0])


@pytest.mark.parametrize("engine", ENGINES)
def test_two_segments_compete(engine: str) -> None:
    centres = np.array([14.0, 24.0, 16.0]), np.array([34.0, 24.0, 16.0])
    volume, truth = ball(LEFT_HANDED_OBLIQUE, *centres)
    given = {"one": points_of(volume, centres[0]), "other": points_of(volume, centres[1])}
    found = segment(volume, given, SegmentOptions(engine=engine))
    assert found.mask.names == {1: "one", 2: "other"}
    assert found.table.columns["segment"] == ["one", "other"]
    for number in (1, 2):
        assert dice(found.mask.array == number, truth == number) > 0.9


@pytest.mark.parametrize("engine", ENGINES)
def test_a_negative_point_makes_it_give_way(engine: str) -> None:
    volume, _ = ball()
    place = volume.ras_from_voxel([CENTRE])[0] + 0.85 * RADIUS * np.array([1, 1, 0]) / np.sqrt(2)
    points = points_of(volume)
    free = segment(volume, points, SegmentOptions(engine=engine))
    held = segment(volume, points, SegmentOptions(engine=engine), negative_points=place[None])
    voxel = tuple(np.rint(volume.voxel_from_ras(place)[0]).astype(int))
    assert free.mask.array[voxel] == 1
    assert held.mask.array[voxel] == 0
    assert held.mask.array.sum() < free.mask.array.sum()
    assert held.mask.array[tuple(CENTRE.astype(int))] == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_an_earlier_segmentation_is_heard(engine: str) -> None:
    """A second ball of the same brightness hangs on the first; only the prior says that it belongs to it."""
    centres = CENTRE, CENTRE + np.array([16.0, 0, 0])
    volume, truth = ball(LEFT_HANDED_OBLIQUE, *centres)
    whole = Volume((truth > 0).astype(np.uint8), volume.affine)
    points = points_of(volume)
    without = segment(volume, points, SegmentOptions(engine=engine, margin=30))
    led = segment(volume, points, SegmentOptions(engine=engine, margin=30), prior=whole)
    assert dice(led.mask.array == 1, truth > 0) > dice(without.mask.array == 1, truth > 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_image_shows_what_the_first_does_not(engine: str) -> None:
    volume, truth = ball()
    noise = np.random.default_rng(0).normal(0, 8, volume.shape)
    nothing = volume.like((60 + noise).astype(np.float32))
    options = SegmentOptions(engine=engine)
    alone = segment(nothing, points_of(volume), options)
    together = segment(nothing, points_of(volume), options, channels=[volume])
    stacked = segment(volume.like(np.stack([nothing.array, volume.array], axis=-1)), points_of(volume), options)
    assert dice(together.mask.array == 1, truth == 1) > max(0.93, dice(alone.mask.array == 1, truth == 1))
    assert dice(together.mask.array == 1, stacked.mask.array == 1) > 0.99


def test_the_size_of_the_image_does_not_matter() -> None:
    volume, _ = ball()
    wide = np.pad(volume.array, ((30, 20), (10, 50), (15, 25)), mode="reflect")
    affine = volume.affine.copy()
    affine[:3, 3] = volume.ras_from_voxel([[-30, -10, -15]])[0]
    points = points_of(volume)
    small, large = segment(volume, points), segment(Volume(wide, affine), points)
    np.testing.assert_array_equal(small.mask.array, large.mask.array[30:78, 10:58, 15:47])
    assert small.table.columns["volume"] == pytest.approx(large.table.columns["volume"])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_lesion_on_another_grid_is_the_same(engine: str) -> None:
    """Axes swapped and flipped: other indices, the same place."""
    volume, _ = ball()
    turned = np.flip(volume.array.transpose(2, 0, 1), axis=1)
    affine = volume.affine @ np.eye(4)[:, [2, 0, 1, 3]]
    affine[:3, 3] += affine[:3, 1] * (turned.shape[1] - 1)
    affine[:3, 1] *= -1
    points = points_of(volume)
    options = SegmentOptions(engine=engine)
    one, other = segment(volume, points, options), segment(Volume(turned, affine), points, options)
    back = np.flip(other.mask.array, axis=1).transpose(1, 2, 0)
    assert dice(one.mask.array == 1, back == 1) > 0.995


def test_the_result_says_how_it_was_made_and_is_written(tmp_path: Path) -> None:
    volume, _ = ball()
    result = segment(volume, points_of(volume))
    made = result.provenance
    assert (made.job, made.seed, made.weights_sha256) == ("interactive.segment", None, None)
    assert made.inputs["points"] == {"lesion": 6}
    assert made.options["engine"] == "geodesic"
    folder = result.save(tmp_path / "out")
    assert {path.name for path in folder.iterdir()} >= {
        "mask.nii.gz", "mask.tsv", "confidence.nii.gz", "table.csv", "points.csv", "result.json",
    }  # fmt: skip
    page = segment_report(result).html()
    assert page.count("data:image/png") == 3


def test_the_example_runs_by_the_job(tmp_path: Path) -> None:
    from DeepMRILib.jobs import find_job

    job = find_job("interactive.segment")
    result = job.run(job.example_inputs(), job.example_options())
    assert isinstance(result, interactive.InteractiveResult)
    assert result.mask.array.any()


def test_points_outside_the_answer_are_told() -> None:
    volume, _ = ball()
    assert not segment(volume, points_of(volume)).provenance.notes
    points = points_of(volume)
    points[np.argmax(points[:, 2])] += (0, 0, 0.6 * RADIUS)
    (note,) = segment(volume, points, SegmentOptions(depth=1.0, margin=20.0)).provenance.notes
    assert note.startswith("1 of 6 points of lesion lie outside its segmentation (superior).")


def test_it_stops_when_asked() -> None:
    volume, _ = ball()
    told = []

    def stop(fraction: float, message: str) -> None:
        told.append(fraction)
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        segment(volume, points_of(volume), progress=stop)
    assert told == sorted(told)


def test_an_empty_answer_and_a_contradicting_prior_are_told() -> None:
    volume, truth = ball()
    # a few mm disappear when the margin is smoothed over 10 mm
    empty = segment(volume, points_of(volume, depth=RADIUS - 3), SegmentOptions(smooth=10.0))
    assert not empty.mask.array.any()
    assert any(note.startswith("Nothing was found of lesion.") for note in empty.provenance.notes)
    right = segment(volume, points_of(volume), prior=volume.like(truth))
    assert right.provenance.notes == ()
    other = segment(volume, points_of(volume), prior=volume.like(5 * truth))
    assert any(note.startswith("The earlier segmentation shows none of the labels") for note in other.provenance.notes)
    wrong = segment(volume, points_of(volume), prior=volume.like(1 - truth.astype(np.uint8)))
    assert any(note.startswith("No point of lesion lies in the earlier") for note in wrong.provenance.notes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"points_ras": slice(0, 5)}, "5 points given; expected at least 6"),
        ({"model": "interactive-small"}, "A model was given, and the engine geodesic uses none"),
        ({"prior": "elsewhere"}, "earlier segmentation lies on another grid"),
        ({"prior": "array"}, "The earlier segmentation is of the type ndarray; expected a Volume"),
    ],
)
def test_bad_input_is_one_sentence(change: dict, sentence: str) -> None:
    volume, truth = ball()
    points = points_of(volume)
    points = points[change.pop("points_ras")] if "points_ras" in change else points
    if "prior" in change:
        change["prior"] = truth if change["prior"] == "array" else Volume(truth, np.eye(4))
    with pytest.raises(InputError, match=sentence):
        segment(volume, points, **change)
