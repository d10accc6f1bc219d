"""Which pixels are hot: clusters that grow from pixels in a random order."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bits

STEPS = 8  # of a walk for each pixel of a cluster: then it ends, short of neighbours


@kernel
def choose(
    order: Any, seed: int, cluster: int, width: int, height: int, marks: Any, chosen: Any
) -> None:  # fmt: skip
    """Choose as many pixels as ``chosen`` has room for, no more than there are.

    ``order``: all pixels in random order, centres of clusters; the size of one is uniform in
    1 .. 2 * cluster - 1. ``marks``: uint8 of all pixels, zeros. A walk that leaves the sensor goes
    on at the opposite border: all places are alike, so that no pixel is chosen more often.
    """
    count = 0
    k = number = 0
    while count < chosen.size and k < order.size:
        pixel = order[k]
        k += 1
        if marks[pixel]:
            continue
        size = 1 + np.int64(bits(seed, number) >> np.uint64(33)) % (2 * cluster - 1)
        number += 1
        walk = 0
        while True:
            if not marks[pixel]:
                marks[pixel] = 1
                chosen[count] = pixel
                count += 1
                size -= 1
            walk += 1
            if size == 0 or count == chosen.size or walk > STEPS * 2 * cluster:
                break
            step = np.int64(bits(seed, number) >> np.uint64(62))
            number += 1
            x, y = pixel % width, pixel // width
            if step == 0:
                x = x + 1 if x + 1 < width else 0
            elif step == 1:
                x = x - 1 if x else width - 1
            elif step == 2:
                y = y + 1 if y + 1 < height else 0
            else:
                y = y - 1 if y else height - 1
            pixel = y * width + x
