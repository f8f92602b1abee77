"""The growth of a pattern: what each step shows, how pictures are turned, and the animation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.figures import oriented
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.growth import drawn_mask, example_depth, example_row, growth_of, log_kspace
from DeepMRILib.igs.growth_frames import NEWEST, gif, growth_frames, painted, title_of, write_gif
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.phantoms import ring_phantom
from DeepMRILib.igs.slicing import slices_of
from DeepMRILib.igs.viewing import as_seen, spacing_seen, view_of
from DeepMRILib.volume import Volume

ORANGE = tuple(int(NEWEST[start : start + 2], 16) for start in (1, 3, 5))


@pytest.fixture(scope="module")
def hearts() -> SliceDataset:
    return ring_phantom(3, 48)


def a_pattern(axis: int = -1, size: int = 48, lines: int = 6) -> Pattern:
    order = [size // 2 + offset for offset in (0, -1, 1, -2, 2, 3, -3, 4)][:lines]
    return Pattern((tuple(order),), (size,), (axis,), losses=tuple(1 / (n + 1) for n in range(lines)))


def test_each_step_has_its_lines_and_the_last_is_what_is_measured(hearts: SliceDataset) -> None:
    growth = growth_of(a_pattern(), hearts, row=1)
    assert growth.lines.tolist() == [1, 2, 3, 4, 5, 6]
    kspace = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(hearts.images[1, 0], axes=-1), axis=-1), axes=-1)
    for step, image in zip(growth.lines, growth.images, strict=True):
        mask = a_pattern().mask(lines=int(step))
        direct = np.abs(np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(kspace * mask, axes=-1), axis=-1), axes=-1))
        assert image == pytest.approx(direct, abs=1e-5)
    assert growth.full == pytest.approx(np.abs(hearts.images[1, 0]))
    assert np.array_equal(growth.truth, hearts.targets[1])
    assert growth.labels is None


def test_many_lines_are_shown_in_even_steps(hearts: SliceDataset) -> None:
    growth = growth_of(a_pattern(lines=8), hearts, most=3)
    assert growth.lines.tolist() == [1, 4, 8] or growth.lines.tolist() == [1, 5, 8]


@pytest.mark.torch
def test_a_network_labels_each_step(hearts: SliceDataset) -> None:
    torch = pytest.importorskip("torch")

    class Bright(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.cat([0 * images, images - 1, 0 * images - 9, 0 * images - 9], dim=1)

    growth = growth_of(a_pattern(), hearts, Bright(), row=0, device="cpu")
    mean, deviation = hearts.normalisation()
    assert np.array_equal(growth.labels[-1], growth.images[-1] > mean[0, 0] + deviation[0, 0])
    assert not np.array_equal(growth.labels[0], growth.labels[-1])


def test_the_slice_shown_has_all_structures_and_the_median_area() -> None:
    targets = np.zeros((5, 8, 8), dtype=int)
    targets[1, 0, :7] = 1  # the largest area, one structure only
    for row, width in ((2, 5), (3, 1), (4, 3)):
        targets[row, 0, :width], targets[row, 1, 0] = 1, 2
    dataset = SliceDataset(np.ones((5, 1, 8, 8)), targets)
    assert example_row(dataset) == 4
    assert example_row(SliceDataset(np.ones((5, 1, 8, 8)))) == 2
    volume = SliceDataset(np.ones((1, 1, 5, 8, 8)), targets[None])
    assert example_depth(volume) == 1


def test_kspace_picture_peaks_at_dc_and_masks_lie_along_it(hearts: SliceDataset) -> None:
    encoding = Encoding((-2,), (48,))
    picture = log_kspace(hearts.subset([0]), encoding)
    assert np.unravel_index(picture.argmax(), picture.shape) == (24, 24)
    assert picture.max() == 1
    mask = np.zeros(48, dtype=bool)
    mask[10] = True
    rows = drawn_mask(mask, encoding, picture.shape)
    assert rows[10].all()
    assert rows.sum() == 48
    columns = drawn_mask(mask, Encoding((-1,), (48,)), picture.shape)
    assert columns[:, 10].all()
    assert columns.sum() == 48


@pytest.mark.parametrize(("axis", "second"), [(-3, 0), (-3, -2), (-2, -1)])
def test_volumes_are_drawn_along_what_is_encoded(axis: int, second: int) -> None:
    one = SliceDataset(np.random.default_rng(0).random((1, 1, 6, 8, 10)) + 1)
    encoding = Encoding.of(one.images.shape, axis, second)
    picture = log_kspace(one, encoding)
    assert picture.shape == ((6, 10) if not second else encoding.shape)
    assert np.unravel_index(picture.argmax(), picture.shape) == tuple(n // 2 for n in picture.shape)


def orange_columns(frame: np.ndarray) -> np.ndarray:
    return np.flatnonzero((frame == ORANGE).all(axis=-1).any(axis=0))


def test_frames_show_the_newest_line_where_it_is(hearts: SliceDataset) -> None:
    pattern = a_pattern()
    growth = growth_of(pattern, hearts)
    frames = growth_frames(pattern, growth.images, growth.lines, kspace=growth.kspace)
    assert len(frames) == 6
    assert len({frame.shape for frame in frames}) == 1
    left = [orange_columns(frame)[0] for frame in frames]
    # 0, -1, 1, -2, 2, 3 lines of DC, each as wide
    width = left[2] - left[0]
    assert [round((one - left[0]) / width) for one in left] == [0, -1, 1, -2, 2, 3]


def test_several_lines_of_a_step_are_all_new(hearts: SliceDataset) -> None:
    pattern = a_pattern()
    growth = growth_of(pattern, hearts, most=2)
    frames = growth_frames(pattern, growth.images, growth.lines, kspace=growth.kspace)
    width = len(orange_columns(frames[0]))
    assert len(orange_columns(frames[1])) == pytest.approx(5 * width, abs=3)  # lines are 4 2/3 pixels wide


def test_a_third_panel_has_the_labels_and_their_names(hearts: SliceDataset) -> None:
    pattern = a_pattern()
    growth = growth_of(pattern, hearts)
    labels = np.stack([growth.truth] * 6)
    two = growth_frames(pattern, growth.images, growth.lines, kspace=growth.kspace)[0]
    three = growth_frames(
        pattern, growth.images, growth.lines, kspace=growth.kspace, labels=labels, names=hearts.names
    )[0]
    assert three.shape[1] > 1.4 * two.shape[1]
    assert three.shape[0] > two.shape[0]
    picture = painted(np.ones((2, 2)), np.array([[0, 1], [2, 0]]), 1.0)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 1, 2] > picture[0, 1, 0]  # blue
    assert picture[1, 0, 0] > picture[1, 0, 2]  # red


def test_titles_say_lines_acceleration_and_loss() -> None:
    assert title_of(a_pattern(), 6) == "6 of 48 lines · acceleration 8 · loss 0.167"
    points = Pattern(((5, 6),), (4, 4), (-2, -1), losses=(None, None))
    assert title_of(points, 2) == "2 of 16 points · acceleration 8"


def test_the_animation_has_a_frame_for_each_step(tmp_path: Path, hearts: SliceDataset) -> None:
    pattern = a_pattern()
    growth = growth_of(pattern, hearts)
    frames = growth_frames(pattern, growth.images, growth.lines, kspace=growth.kspace)
    path = write_gif(tmp_path / "growth.gif", frames, 0.2)
    with Image.open(path) as animation:
        assert animation.n_frames == 6
        assert animation.info["loop"] == 0
        assert animation.size == frames[0].shape[1::-1]
        durations = []
        for number in range(6):
            animation.seek(number)
            durations.append(animation.info["duration"])
            shown = np.asarray(animation.convert("RGB")).astype(int)
            # few colours are enough to show what is there
            assert np.abs(shown - frames[number]).mean() < 4
    assert durations == [200] * 5 + [1000]


def test_an_animation_ends_after_the_loops_asked_for(hearts: SliceDataset) -> None:
    frames = [np.full((8, 8, 3), value, np.uint8) for value in (0, 255)]
    assert b"NETSCAPE2.0" not in gif(frames, loops=1)
    assert b"NETSCAPE2.0\x03\x01\x02\x00" in gif(frames, loops=3)
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in gif(frames)


def test_nothing_to_animate_and_no_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one frame"):
        gif([])
    with pytest.raises(OutputError, match="does not exist"):
        write_gif(tmp_path / "missing" / "growth.gif", [np.zeros((4, 4, 3), np.uint8)])


AFFINES = {
    "RAS": np.diag([1.0, 2.0, 3.0, 1.0]),
    "LPS": np.diag([-1.0, -2.0, 3.0, 1.0]),
    "sagittal": np.array([[0, 0, 3.0, 0], [1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]]),
    "swapped": np.array([[0, 2.0, 0, 0], [-1.0, 0, 0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("name", AFFINES)
def test_slices_are_turned_as_radiologists_look_at_them(name: str) -> None:
    volume = Volume(np.arange(4 * 5 * 6, dtype=float).reshape(4, 5, 6), AFFINES[name])
    view = view_of(volume.affine, "k")
    seen = as_seen(slices_of(volume, DataOptions())[:, 0], view)
    plane = "sagittal" if name == "sagittal" else "axial"
    expected = oriented(volume, plane)
    turned = np.moveaxis(expected.array, 2, 0)
    assert np.array_equal(seen, turned) or np.array_equal(seen, turned[::-1])  # the order of slices is the image's
    assert spacing_seen((volume.spacing[1], volume.spacing[0]), view) == pytest.approx(expected.spacing[:2])
