"""Learned probabilities of lines: exactly as many as asked, the same for a seed, and where the information is."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.igs import PatternOptions, SliceDataset

torch = pytest.importorskip("torch")
from interactive_network import one_thread

from DeepMRILib.igs.network_rival import Schedule, probabilistic_mask, projected

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
FEW = Schedule(steps=12)


def images(rng: np.random.Generator, frequencies: tuple[int, ...], n: int = 8, size: int = 32) -> SliceDataset:
    """Waves of these frequencies along the columns, with random strengths and phases in each row."""
    columns = np.arange(size) * 2 * np.pi / size
    waves = [np.exp(1j * frequency * columns) for frequency in frequencies]
    strength = rng.normal(size=(n, 1, size, len(waves))) + 1j * rng.normal(size=(n, 1, size, len(waves)))
    return SliceDataset(5 + strength @ np.stack(waves))


@pytest.mark.parametrize(
    ("axis", "second", "per_contrast", "lines"), [(-1, 0, False, 5), (-2, 0, True, 1), (-2, -1, True, 40)]
)
def test_as_many_lines_as_asked(
    rng: np.random.Generator, axis: int, second: int, per_contrast: bool, lines: int
) -> None:
    dataset = SliceDataset(rng.normal(size=(3, 2, 11, 12)))
    options = PatternOptions(axis=axis, second_axis=second, loss="l1", per_contrast=per_contrast, device="cpu")
    mask = probabilistic_mask(dataset, None, options, lines, schedule=FEW)
    shape = (11, 12) if second else (12,) if axis == -1 else (11,)
    assert mask.dtype == bool
    assert mask.shape == (2 if per_contrast else 1, *shape)
    assert (mask.reshape(len(mask), -1).sum(axis=1) == lines).all()
    assert mask[(slice(None), *(n // 2 for n in shape))].all()
    again = probabilistic_mask(dataset, None, options, lines, schedule=FEW)
    assert np.array_equal(mask, again)


def test_all_lines(rng: np.random.Generator) -> None:
    dataset = SliceDataset(rng.normal(size=(2, 1, 4, 5)))
    assert probabilistic_mask(dataset, None, PatternOptions(loss="l1"), 5).all()
    with pytest.raises(InputError, match="6 lines were asked for, and there are 5"):
        probabilistic_mask(dataset, None, PatternOptions(loss="l1"), 6)


def test_it_finds_the_lines_that_hold_the_image(rng: np.random.Generator) -> None:
    dataset = images(rng, (9, -5, 12))
    mask = probabilistic_mask(dataset, None, PatternOptions(loss="l1", device="cpu"), 4, schedule=Schedule(steps=120))
    assert set(np.flatnonzero(mask[0]) - 16) == {0, 9, -5, 12}


def test_it_goes_through_a_network(rng: np.random.Generator) -> None:
    """The network sees one wave only, however strong the others are."""
    dataset = images(rng, (4, 7, 9))
    kspace = np.fft.fft(dataset.images, axis=-1)
    kspace[..., [4, 9]] *= 3
    shown = np.fft.ifft(kspace, axis=-1)
    bright = np.abs(kspace[:, 0, :, 7]) > np.median(np.abs(kspace[:, 0, :, 7]))
    dataset = SliceDataset(shown, np.repeat(bright[:, :, None], 32, axis=2).astype(int))

    class Seventh(torch.nn.Module):
        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            strength = torch.fft.fft(seen, dim=-1)[..., 7:8].abs().expand_as(seen)
            return torch.cat([torch.zeros_like(strength), strength - strength.median()], dim=1)

    options = PatternOptions(loss="dice", device="cpu")
    mask = probabilistic_mask(dataset, Seventh(), options, 2, schedule=Schedule(steps=150))
    assert set(np.flatnonzero(mask[0]) - 16) == {0, 7}


def test_projection_keeps_the_number() -> None:
    scores = np.random.default_rng(0).normal(0, 30, (2, 50))
    for count in (1.5, 10.0, 49.0):
        found = projected(scores, count, centre=25)
        chances = np.delete(1 / (1 + np.exp(-found)), 25, axis=1)
        assert chances.sum(axis=1) == pytest.approx(np.full(2, count - 1), rel=1e-6)


def test_it_can_be_stopped(rng: np.random.Generator) -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        probabilistic_mask(SliceDataset(rng.normal(size=(2, 1, 8, 8))), None, PatternOptions(loss="l1"), 3, stop)
