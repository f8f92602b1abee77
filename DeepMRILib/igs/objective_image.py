"""The loss of the zero-filled image as a function of the mask, with its derivative: the identity network, in numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.image_losses import LOSSES, scales
from DeepMRILib.igs.options import PatternOptions

CHUNK = 2**19
"""Complex numbers that are transformed at once: 4 MB, which stay in a core's cache and bound the memory."""


class ImageObjective:
    """See ``objective.Objective``; the losses are those of ``image_losses``.

    Only the encoded axes are transformed. The transform is not centred here: shifting the image multiplies k-space by
    phases, which neither |z| nor Re(conj(G) k) sees, so that the mask alone is shifted.

    Args:
        dataset: what the loss is averaged over; with its coils, where it has some.
        encoding: the phase-encoded axes.
        options: ``loss`` (l1, ssim or psnr) and ``per_contrast`` are used.
        precision: ``double`` computes with 64 bits, to check derivatives.
    """

    def __init__(
        self,
        dataset: SliceDataset,
        encoding: Encoding,
        options: PatternOptions,
        precision: Literal["single", "double"] = "single",
    ) -> None:
        from scipy import fft

        real, complex_ = (np.float32, np.complex64) if precision == "single" else (np.float64, np.complex128)
        seen = dataset.images if dataset.coil_images is None else dataset.coil_images
        self.encoding = encoding
        self.contrasts = dataset.contrasts if options.per_contrast else 1
        self._loss = LOSSES[options.loss]
        self._spatial = dataset.spatial
        self._coils = dataset.coil_images is not None
        kind = complex_ if np.iscomplexobj(seen) else real
        self._kspace = fft.fftn(seen.astype(kind, copy=False), axes=encoding.axes, norm="ortho")
        self._truth = dataset.truth().astype(real, copy=False)
        self._scale = scales(options.loss, self._truth, dataset.normalisation()[1].astype(real))
        self._maps = None
        if dataset.sensitivities is not None:
            self._maps = dataset.sensitivities.astype(complex_, copy=False)
            self._power = np.maximum((np.abs(self._maps) ** 2).sum(axis=1, keepdims=True), real(1e-12))

    def losses(self, masks: Sequence[NDArray], rows: NDArray | None = None) -> NDArray:
        """(m,) the true loss of each mask; of the slices ``rows`` only, if given."""
        weights = [self._weights(mask) for mask in masks]
        rows = np.arange(len(self._truth)) if rows is None else np.asarray(rows)
        total = np.zeros(len(weights))
        for part in self._parts(rows):
            kspace, truth, scale = self._kspace[part], self._truth[part], self._scale[part]
            for number, weight in enumerate(weights):
                _, image = self._seen(kspace * weight, part)
                total[number] += self._loss(image, truth, scale, False)[0].sum()
        return total / (len(rows) * self._truth.shape[1])

    def gradient(self, mask: NDArray) -> tuple[float, NDArray]:
        """The loss, and its derivative (contrasts, *shape) with respect to the weight of each line."""
        from scipy import fft

        weight = self._weights(mask)
        images = self._truth.shape[0] * self._truth.shape[1]
        total, found = 0.0, 0.0
        for part in self._parts(np.arange(len(self._truth))):
            kspace = self._kspace[part]
            z, image = self._seen(kspace * weight, part)
            values, slope = self._loss(image, self._truth[part], self._scale[part], True)
            total += float(values.sum())
            changed = fft.fftn(self._adjoint(z, image, slope, part), axes=self.encoding.axes, norm="ortho")
            found = found + self._by_line(changed, kspace)
        found = np.fft.fftshift(found, axes=tuple(range(1, found.ndim))) / images
        return total / images, found if self.contrasts > 1 else found.sum(axis=0, keepdims=True)

    def _weights(self, mask: NDArray) -> NDArray:
        """A mask (contrasts or 1, *shape) as what the uncentred k-space is multiplied with."""
        mask = np.asarray(mask, dtype=self._truth.dtype).reshape(-1, *self.encoding.shape)
        shifted = np.fft.ifftshift(mask, axes=tuple(range(1, mask.ndim)))
        spread = self.encoding.spread(shifted, self._spatial)
        return spread[:, None] if self._coils else spread

    def _parts(self, rows: NDArray) -> Iterator[NDArray | slice]:
        """The rows in chunks; slices where they are neighbours, which numpy need not copy."""
        step = max(1, CHUNK // int(np.prod(self._kspace.shape[1:])))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            neighbours = part[-1] - part[0] == len(part) - 1 and bool((np.diff(part) == 1).all())
            yield slice(int(part[0]), int(part[-1]) + 1) if neighbours else part

    def _seen(self, kspace: NDArray, part: NDArray | slice) -> tuple[NDArray, NDArray]:
        """z, complex, of each coil or combined with the sensitivities, and r = |z|."""
        from scipy import fft

        z = fft.ifftn(kspace, axes=self.encoding.axes, norm="ortho", overwrite_x=True)
        if not self._coils:
            return z, np.abs(z)
        if self._maps is None:
            return z, np.sqrt((z.real**2 + z.imag**2).sum(axis=2))
        z = (np.conj(self._maps[part])[:, None] * z).sum(axis=2) / self._power[part]
        return z, np.abs(z)

    def _adjoint(self, z: NDArray, image: NDArray, slope: NDArray, part: NDArray | slice) -> NDArray:
        """s z / |z| of each coil: which change of its image raises the loss fastest; 0 where the image is."""
        # |z| has no derivative at 0; its subgradient 0 is taken
        pull = slope / np.maximum(image, np.finfo(image.dtype).tiny ** 0.5)
        if not self._coils:
            return pull * z
        if self._maps is None:
            return pull[:, :, None] * z
        return (pull * z / self._power[part])[:, :, None] * self._maps[part][:, None]

    def _by_line(self, changed: NDArray, kspace: NDArray) -> NDArray:
        """The sum of Re(conj(G) k) over slices, coils and what is not encoded: (c, *shape)."""
        product = changed.real * kspace.real + changed.imag * kspace.imag
        # sums of thousands: in doubles, so that lines that serve equally well have equal derivatives
        others = [axis for axis in range(-self._spatial, 0) if axis not in self.encoding.axes]
        axes = (0, *([2] if self._coils else []), *(product.ndim + axis for axis in others))
        return product.sum(axis=axes, dtype=np.float64)
