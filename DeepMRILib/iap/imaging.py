"""From tissue fractions to the grey values of an image: signal, coils, k-space, noise.

What a vendor does to its images is invented (``SIGNATURES``) and declared so: a network that tells simulated vendors
has learned nothing of real ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from DeepMRILib.iap import signal
from DeepMRILib.iap.protocols import FIELD_STRENGTHS, Protocol
from DeepMRILib.iap.tissues import BLOOD, FAT, TISSUES, Properties

SIGNATURES = ("none", "tapered", "round")
"""Of each vendor's k-space: as acquired, tapered towards its edge, or without corners."""
B1_RANGE = (0.10, 0.30)
"""How much the flip angle varies over the image, from lowest to highest, at 1.5 and 3 T."""
RECEIVE_RANGE = (0.03, 0.12)
"""How much the coils' sensitivity does, after the correction that scanners make."""
REFERENCE_SNR = 24.0
"""Of the brightest tissue at 1.5 T in a voxel of ``REFERENCE_MM3`` at ``REFERENCE_HZ`` per pixel."""
REFERENCE_MM3, REFERENCE_HZ = 20.0, 200.0
SNR_RANGE = (8.0, 90.0)
BRIGHT = 0.96
"""The quantile of an image that is its brightest tissue: a few vessels may be brighter."""
VELOCITIES = (0.03, 0.25)
"""Between which blood's velocity lies, in mm/ms, logarithmically uniform."""
DEPHASING = 0.012
"""Per ms and T: how fast a gradient echo decays where all that is near is air (magnetic susceptibility)."""
NEAR_MM = 8.0
"""Standard deviation of what is near."""
FAT_LEFT = (0.05, 0.25)
"""What fat saturation leaves of fat's signal."""
LARGEST = (400, 4000)
"""Between which grey values the brightest pixel lies: a scanner's gain tells nothing."""


def images(fractions: NDArray, properties: Properties, protocol: Protocol, random: np.random.Generator) -> NDArray:
    """n slices (n, rows, columns) uint16.

    Args:
        fractions: (tissues, n, rows, columns), of ``subjects.sections``.
        properties: of the tissues at the protocol's field strength.
        protocol: how they are acquired.
        random: of coils, noise and gain.
    """
    size = fractions.shape[-1]
    b1, receive = _coils(random, protocol.field, size)
    velocity = float(np.exp(random.uniform(*np.log(VELOCITIES))))
    water, fat = _signals(fractions, properties, protocol, b1, velocity)
    if protocol.family == "GRE":
        kept_phase = _dephased(fractions, protocol)
        water, fat = water * kept_phase, fat * kept_phase
    if protocol.fat_saturated:
        left = random.uniform(*FAT_LEFT) * (1 + 0.5 * _smooth(random, size))
        fat = fat * np.clip(left, 0, 1)
    kspace = _kspace(water * receive, fat * receive, protocol)
    kept, weights = _acquired(protocol, size)
    brightest = np.quantile(np.abs(fft.ifft2(kspace * kept, norm="ortho")), BRIGHT)
    sigma = brightest / snr(protocol, float(np.exp(random.normal(0, 0.12))))
    noise = random.standard_normal((2, *kspace.shape), dtype=np.float32) * np.float32(sigma)
    magnitude = np.abs(fft.ifft2((kspace + noise[0] + 1j * noise[1]) * kept * weights, norm="ortho"))
    gain = np.exp(random.uniform(*np.log(LARGEST))) / max(float(magnitude.max()), 1e-12)
    return _turned(np.rint(magnitude * gain).astype(np.uint16), protocol.position)


def snr(protocol: Protocol, coil: float = 1.0) -> float:
    """Signal to noise of the brightest tissue, noise in each of the two channels.

    It is proportional to field strength and 1 / sqrt(bandwidth). That it grows with the square root only of the voxel's
    volume stands for the averages that people take of small voxels.

    Example:
        >>> from DeepMRILib.iap.protocols import Protocol
        >>> one = Protocol("SE", 0, 3.0, 500, 10, 0, 90, False, False, 200, 5.0, 192, 96, "HFS")
        >>> snr(one)
        48.0
    """
    voxel = (protocol.field_of_view / protocol.lines) ** 2 * protocol.thickness
    relative = (voxel / REFERENCE_MM3) ** 0.5 * (REFERENCE_HZ / protocol.bandwidth) ** 0.5
    return float(np.clip(REFERENCE_SNR * coil * protocol.field / FIELD_STRENGTHS[0] * relative, *SNR_RANGE))


def _dephased(fractions: NDArray, protocol: Protocol) -> NDArray:
    """What is left of gradient echoes near air, (n, rows, columns)."""
    pixel = protocol.field_of_view / fractions.shape[-1]
    air = ndimage.gaussian_filter(1 - fractions.sum(axis=0), (0, NEAR_MM / pixel, NEAR_MM / pixel), truncate=2.5)
    return np.exp(-DEPHASING * protocol.te * protocol.field * air)


def _signals(
    fractions: NDArray, known: Properties, protocol: Protocol, b1: NDArray, velocity: float
) -> tuple[NDArray, NDArray]:
    """Signal of water and of fat (n, rows, columns), with signs and the phase that fat has gathered."""
    water = np.zeros(fractions.shape[1:], np.float32)
    for number in range(len(TISSUES)):
        if number != FAT and fractions[number].any():
            made = _of_tissue(number, known, protocol, b1)
            water += fractions[number] * (_flowing(made, known, protocol, b1, velocity) if number == BLOOD else made)
    fat = fractions[FAT] * _of_tissue(FAT, known, protocol, b1)
    if protocol.family == "GRE":
        fat = fat * np.complex64(signal.fat_phase(protocol.field, protocol.te))
    return water, fat


def _of_tissue(number: int, known: Properties, protocol: Protocol, b1: NDArray) -> NDArray:
    density, t1, t2 = known.density[number], known.t1[number], known.t2[number]
    if protocol.family == "GRE":
        made = signal.spoiled_gradient_echo(
            density, t1, known.t2_star[number], tr=protocol.tr, te=protocol.te, flip=b1 * protocol.flip
        )
        return made.astype(np.float32)
    # 90 and 180 degrees that are not quite: sin(a) of the one, sin(2 a / 2)^2 of the other (Hahn 1950)
    refocused = np.sin(b1 * (np.pi / 2)) ** 3
    if protocol.family == "SE":
        made = signal.spin_echo(density, t1, t2, tr=protocol.tr, te=protocol.te)
    else:
        made = signal.inversion_recovery(density, t1, t2, tr=protocol.tr, te=protocol.te, ti=protocol.ti)
    return (made * refocused).astype(np.float32)


def _flowing(made: NDArray, known: Properties, protocol: Protocol, b1: NDArray, velocity: float) -> NDArray:
    """Blood's signal as it flows through the slices of a series; through a volume it flows without a change."""
    if protocol.family != "GRE":
        return made * np.float32(signal.washed_out(protocol.te, velocity, protocol.thickness))
    if protocol.volume:
        return made
    new = np.float32(signal.fresh(protocol.tr, velocity, protocol.thickness))
    relaxed = (
        known.density[BLOOD] * np.sin(np.deg2rad(b1 * protocol.flip)) * np.exp(-protocol.te / known.t2_star[BLOOD])
    )
    return (new * relaxed + (1 - new) * made).astype(np.float32)


def _coils(random: np.random.Generator, field: float, size: int) -> tuple[NDArray, NDArray]:
    """Relative flip angle and sensitivity (rows, columns): smooth, the first brighter in the middle."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    centre = random.uniform(-0.2, 0.2, 2).astype(np.float32)
    dome = np.exp(-1.5 * ((line[:, None] - centre[0]) ** 2 + (line - centre[1]) ** 2))
    swing = B1_RANGE[FIELD_STRENGTHS.index(field)] * random.uniform(0.7, 1.3)
    b1 = 1 + swing * (dome - 0.5 + 0.25 * _smooth(random, size))
    receive = 1 + random.uniform(*RECEIVE_RANGE) / 2 * _smooth(random, size)
    return b1.astype(np.float32), receive.astype(np.float32)


def _smooth(random: np.random.Generator, size: int) -> NDArray:
    """A field (size, size) float32 between -1 and 1 of the lowest cosines."""
    line = np.linspace(0, np.pi, size, dtype=np.float32)
    waves = np.cos(np.arange(3, dtype=np.float32)[:, None] * line)
    weights = random.standard_normal((3, 3)).astype(np.float32)
    weights[0, 0] = 0
    field = waves.T @ weights @ waves
    return field / np.abs(field).max()


def _kspace(water: NDArray, fat: NDArray, protocol: Protocol) -> NDArray:
    """k-space (n, rows, columns), its centre at 0: fat lies beside its place along the rows (chemical shift)."""
    size = water.shape[-1]
    # one acquired pixel is size / lines pixels of the image
    shift = signal.fat_frequency(protocol.field) / protocol.bandwidth * size / protocol.lines
    phase = np.exp(-2j * np.pi * shift * fft.fftfreq(size)).astype(np.complex64)
    return fft.fft2(water, norm="ortho") + fft.fft2(fat, norm="ortho") * phase


def _acquired(protocol: Protocol, size: int) -> tuple[NDArray, NDArray]:
    """Which points of k-space (rows, columns) are acquired, and by what the vendor multiplies them."""
    line = np.abs(fft.fftfreq(size)) * size / (protocol.lines / 2)
    radius = np.sqrt(line[:, None] ** 2 + line**2)
    kept = ((line <= 1)[:, None] & (line <= 1)).astype(np.float32)
    kind = SIGNATURES[protocol.vendor]
    if kind == "tapered":  # Tukey's window
        taper = 0.5 + 0.5 * np.cos(np.pi * np.clip((line - 0.5) / 0.5, 0, 1))
        return kept, (0.1 + 0.9 * taper[:, None] * taper).astype(np.float32)
    return (kept * (radius <= 1) if kind == "round" else kept), np.ones((size, size), np.float32)


def _turned(slices: NDArray, position: str) -> NDArray:
    """As people who lie prone appear in the scanner's frame."""
    return slices[:, ::-1, ::-1] if position == "HFP" else slices
