"""What a seed draws: random bits, and the texture of the scene.

Integers only, so that a seed gives the same events on every machine. Log intensities are int16 in
1/2048 of a factor e.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bits

TILE = 1024  # the scene repeats after so many pixels

_S33 = np.uint64(33)


@kernel
def random_bits(seed: int, number: int) -> Any:
    """31 random bits, the ``number``-th of a seed (SplitMix64)."""
    return np.int64(bits(seed, number) >> _S33)


@kernel
def add_octave(out: Any, seed: int, cell: int, amplitude: int) -> None:
    """Add smooth noise of one scale to ``TILE * TILE`` int32 values; periodic, zero mean."""
    side = TILE // cell
    for y in range(TILE):
        row = out[y * TILE : (y + 1) * TILE]
        top = (y // cell) * side
        bottom = ((y // cell + 1) % side) * side
        v = (y % cell) * 256 // cell
        v = (v * v * (768 - 2 * v)) >> 16  # smoothstep in 1/256
        for x in range(TILE):
            left = x // cell
            right = (left + 1) % side
            u = (x % cell) * 256 // cell
            u = (u * u * (768 - 2 * u)) >> 16
            a = random_bits(seed, top + left) & 1023
            b = random_bits(seed, top + right) & 1023
            c = random_bits(seed, bottom + left) & 1023
            d = random_bits(seed, bottom + right) & 1023
            mean = (a * (256 - u) + b * u) * (256 - v) + (c * (256 - u) + d * u) * v
            row[x] += ((mean >> 16) - 511) * amplitude >> 9


@kernel
def clip_into_tile(values: Any, limit: int, tile: Any, stride: int) -> None:
    """Clip the noise to plateaus with edges between; repeat columns up to ``stride`` a row."""
    for y in range(TILE):
        row = values[y * TILE : (y + 1) * TILE]
        out = tile[y * stride : (y + 1) * stride]
        for x in range(stride):
            out[x] = min(max(row[x % TILE], -limit), limit)


@kernel
def add_to_tile(values: Any, tile: Any, stride: int) -> None:
    """Add what surfaces have of texture, also to the columns that are repeated."""
    for y in range(TILE):
        row = values[y * TILE : (y + 1) * TILE]
        out = tile[y * stride : (y + 1) * stride]
        for x in range(stride):
            out[x] += row[x % TILE]


@kernel
def look(tile: Any, stride: int, x: int, y: int, mixed: Any, top: Any, out: Any) -> None:
    """The log intensities of the sensor's row whose left end sees (x, y), in 1/65536 pixel.

    One operation a loop, each into an array of the width it needs: so LLVM vectorises them.
    """
    fx = (x >> 8) & 255
    fy = (y >> 8) & 255
    column = (x >> 16) & (TILE - 1)
    first = ((y >> 16) & (TILE - 1)) * stride + column
    second = (((y >> 16) + 1) & (TILE - 1)) * stride + column
    a = tile[first : first + top.size]
    b = tile[second : second + top.size]
    for i in range(top.size):
        top[i] = a[i] * (256 - fy) + b[i] * fy
    right = top[1:]
    for i in range(mixed.size):
        mixed[i] = top[i] * (256 - fx) + right[i] * fx
    for i in range(out.size):
        out[i] = mixed[i] >> 16
