"""CRC-32C (Castagnoli), the checksum of TensorFlow's checkpoints, by numpy.

The register after A followed by B is the register after A moved on by len(B) zero bytes, xor that of B alone: so
many short rows run side by side and are joined in pairs (the idea of zlib's crc32_combine).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_LONGEST_ROW = 512
_BLOCK = 1 << 23
_ONES = 0xFFFF_FFFF


def crc32c(data: memoryview) -> int:
    """The checksum; some 100 MB a second and more.

    >>> hex(crc32c(memoryview(b"123456789")))
    '0xe3069283'
    """
    register = _ONES
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        register = _moved(register, len(block)) ^ _register(block)
    return register ^ _ONES


def unmasked(stored: int) -> int:
    """The checksum that a file stores turned and shifted, so that checksums of checksums are no trouble."""
    turned = (stored - 0xA282EAD8) & _ONES
    return ((turned >> 17) | (turned << 15)) & _ONES


def masked(checksum: int) -> int:
    """A checksum as files store it."""
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & _ONES


def _register(block: memoryview) -> int:
    """The register after a block, from 0 on; zeros before it change nothing, so rows are filled up there."""
    row, count = 16, 1
    while row * count < len(block):
        row, count = (row * 2, count) if row < count and row < _LONGEST_ROW else (row, count * 2)
    padded = np.zeros(count * row, np.uint8)
    if len(block):
        padded[-len(block) :] = np.frombuffer(block, np.uint8)
    columns = np.ascontiguousarray(padded.reshape(count, row).T)
    table = _table()
    state = np.zeros(count, np.uint32)
    for column in columns:
        state = table[(state ^ column) & np.uint32(0xFF)] ^ (state >> np.uint32(8))
    length = row
    while len(state) > 1:
        state = _apply(_mover(length), state[0::2]) ^ state[1::2]
        length *= 2
    return int(state[0])


def _moved(register: int, zeros: int) -> int:
    state = np.array([register], np.uint32)
    length = 1
    while zeros:
        if zeros & 1:
            state = _apply(_mover(length), state)
        zeros >>= 1
        length *= 2
    return int(state[0])


@cache
def _table() -> NDArray:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(_POLYNOMIAL), values >> 1).astype(np.uint32)
    return values


@cache
def _mover(zeros: int) -> NDArray:
    """What ``zeros`` (a power of two) zero bytes make of each of the 32 bits."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    if zeros == 1:
        return _table()[bits & np.uint32(0xFF)] ^ (bits >> np.uint32(8))
    half = _mover(zeros // 2)
    return _apply(half, half)


def _apply(mover: NDArray, state: NDArray) -> NDArray:
    result = np.zeros_like(state)
    for bit in range(32):
        result ^= mover[bit] * ((state >> np.uint32(bit)) & np.uint32(1))
    return result
