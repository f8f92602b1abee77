"""What the benchmarks of KSpaceIGS share: the loop as its authors wrote it, Dice of a mask, and bars."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from DeepMRILib.igs import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.measures import dice, mean_of_known
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.network_predict import predict

PLAIN_BATCH = 32


def plain_loop(dataset: SliceDataset, network: torch.nn.Module, lines: int) -> list[int]:
    """The order of iterative gradient sampling, straightforward: the whole Fourier transform inside what PyTorch
    differentiates, batches of 32, all slices for each line; lines along the last axis."""
    network.eval().requires_grad_(False)
    images, labels = torch.from_numpy(dataset.images), torch.from_numpy(dataset.targets)
    full = images.abs()
    mean, deviation = full.mean((-2, -1), keepdim=True), full.std((-2, -1), keepdim=True, correction=0)
    kspace = _centred(torch.fft.fft2, images)
    weights = torch.zeros(images.shape[-1])
    weights[len(weights) // 2] = 1
    order = [len(weights) // 2]
    while len(order) < lines:
        weights.requires_grad_(True)
        for start in range(0, len(images), PLAIN_BATCH):
            rows = slice(start, start + PLAIN_BATCH)
            seen = _centred(torch.fft.ifft2, kspace[rows] * weights).abs()
            logits = network((seen - mean[rows]) / (deviation[rows] + 1e-11))
            (_soft_dice_loss(logits, labels[rows]).sum() / len(images)).backward()
        gradient = weights.grad
        weights = weights.detach().clone()
        order.append(int(torch.where(weights > 0, torch.inf, gradient).argmin()))
        weights[order[-1]] = 1
    return order


def _soft_dice_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    p = logits.softmax(1)
    q = torch.nn.functional.one_hot(labels, p.shape[1]).movedim(-1, 1).float()
    scores = 2 * (p * q).sum((-2, -1)) / (p.sum((-2, -1)) + q.sum((-2, -1)))
    present = q.sum((-2, -1)) > 0
    return 1 - (scores * present).sum(1) / present.sum(1)


def _centred(transform: object, images: torch.Tensor) -> torch.Tensor:
    axes = (-2, -1)
    return torch.fft.fftshift(transform(torch.fft.ifftshift(images, dim=axes), norm="ortho"), dim=axes)


def dice_with(network: torch.nn.Module, dataset: SliceDataset, mask: NDArray, axis: int = -1) -> float:
    """Hard Dice with a mask (N,), mean over slices and structures."""
    encoding = Encoding.of(dataset.images.shape, axis)
    seen = measured(dataset, np.asarray(mask)[None], encoding)
    found = predict(network, seen, *dataset.normalisation()).argmax(axis=1)
    pairs = zip(found, dataset.targets, strict=True)
    return float(np.mean([mean_of_known(dice(one, truth, dataset.classes)) for one, truth in pairs]))


def met(passed: bool) -> str:
    """The word beside a bar."""
    return "met" if passed else "MISSED"


def load() -> str:
    """How busy the computer is: times and ratios suffer from it."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
