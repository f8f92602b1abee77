"""k-space of a dataset in PyTorch: magnitudes under weighted lines, and what their gradient is to each line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding

Rows = slice | Sequence[int] | NDArray


@dataclass(frozen=True)
class Seen:
    """Some slices under a mask.

    Attributes:
        magnitudes: (b, c, *spatial).
        images: (b, c, *spatial) or (b, c, coils, *spatial) complex, what ``magnitudes`` are the moduli of.
        kspace: as ``images``, before the mask.
        maps: (b, 1, coils, *spatial) conj(S) / sum of |S|^2 of the coils, for SENSE.
    """

    magnitudes: torch.Tensor
    images: torch.Tensor
    kspace: torch.Tensor
    maps: torch.Tensor | None


class EncodedSlices:
    """k-space of a dataset, transformed along the encoded axes only: along the readout nothing is left out.

    It is not centred: instead the mask is shifted, and shifts of the image cancel on the way there and back. It stays
    in main memory, of which a graphics card gets a batch at a time.

    Args:
        dataset: with its coils, where it has some.
        encoding: the phase-encoded axes.
        device: where to compute.
        dtype: float32, or float64 for checks.
    """

    def __init__(self, dataset: SliceDataset, encoding: Encoding, device: str, dtype: torch.dtype) -> None:
        self.encoding, self.device, self.dtype = encoding, device, dtype
        self.spatial = dataset.spatial
        self.has_coils = dataset.coil_images is not None
        seen = dataset.coil_images if self.has_coils else dataset.images
        complex_type = torch.complex128 if dtype == torch.float64 else torch.complex64
        images = torch.from_numpy(np.ascontiguousarray(seen)).to(complex_type)
        self.kspace = torch.fft.fftn(images, dim=encoding.axes, norm="ortho")
        self.maps = None
        if dataset.sensitivities is not None:
            maps = torch.from_numpy(dataset.sensitivities).to(complex_type)[:, None]
            power = maps.abs().square().sum(2, keepdim=True).clamp_min(1e-12)
            self.maps = maps.conj() / power

    def __len__(self) -> int:
        return len(self.kspace)

    def spread(self, mask: NDArray) -> torch.Tensor:
        """A mask (contrasts or 1, *shape) as weights to multiply uncentred k-space with."""
        shifted = np.fft.ifftshift(mask, axes=range(1, mask.ndim))
        weights = self.encoding.spread(shifted, self.spatial)
        weights = weights[:, None] if self.has_coils else weights
        return torch.from_numpy(np.ascontiguousarray(weights)).to(self.device, self.dtype)

    def part(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor | None]:
        """k-space and maps of some slices, on the device."""
        maps = None if self.maps is None else self.maps[rows].to(self.device)
        return self.kspace[rows].to(self.device), maps

    def seen(self, kspace: torch.Tensor, maps: torch.Tensor | None, weights: torch.Tensor) -> Seen:
        """Slices of ``part`` under weights of ``spread``."""
        images = torch.fft.ifftn(kspace * weights, dim=self.encoding.axes, norm="ortho")
        if not self.has_coils:
            return Seen(images.abs(), images, kspace, None)
        if maps is None:
            return Seen(images.abs().square().sum(2).sqrt(), images, kspace, None)
        combined = (maps * images).sum(2)
        return Seen(combined.abs(), combined, kspace, maps)

    def gradient(self, seen: Seen, slope: torch.Tensor) -> NDArray:
        """(c, *shape) float64, summed over the slices: dL/dw of each line, from dL/d(magnitudes).

        With z the image, u = z / |z| and s = dL/d|z|, and G the transform of s u: the sum of Re(conj(G) k) over what
        lies on a line. A root of the sum of squares r has s z / r in each coil, SENSE s u S / sum of |S|^2.
        """
        if self.has_coils and seen.maps is None:
            slope, magnitudes = slope[:, :, None], seen.magnitudes[:, :, None]
        else:
            magnitudes = seen.magnitudes
        # where nothing is seen, the magnitude has no direction in which it grows
        pulled = seen.images * torch.where(magnitudes > 0, slope / magnitudes, torch.zeros_like(slope))
        if seen.maps is not None:
            pulled = pulled[:, :, None] * seen.maps.conj()
        spectrum = torch.fft.fftn(pulled, dim=self.encoding.axes, norm="ortho")
        products = torch.view_as_real(spectrum) * torch.view_as_real(seen.kspace)
        others = [axis - 1 for axis in range(-self.spatial, 0) if axis not in self.encoding.axes]
        # outer axes first: PyTorch sums long rows of neighbours fastest
        summed = products.sum(dim=[0, *([2] if self.has_coils else []), *others]).sum(-1)
        return np.fft.fftshift(summed.cpu().double().numpy(), axes=range(1, summed.ndim))
