"""Recorded events as another sensor would have given them."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bits

_S11 = np.uint64(11)


@kernel
def overlay(
    t: Any, x: Any, y: Any, p: Any,
    left: int, top: int, width: int, height: int, flip_x: int, flip_y: int,
    seed: int, first: int, share: int, label: int,
    to_t: Any, to_x: Any, to_y: Any, to_p: Any, to_k: Any, kept: Any,
) -> Any:  # fmt: skip
    """Crop to a region, mirror, and keep a share (of 2**53) of the events.

    Returns how many lie in the region; ``first`` is the number of the first of these. ``kept[0]``
    becomes how many are kept; out has room for one more than all events.
    """
    n = t.size
    x, y, p = x[:n], y[:n], p[:n]
    seen, at = np.int64(0), np.uint64(0)
    for i in range(n):
        right, down = np.int64(x[i]) - left, np.int64(y[i]) - top
        inside = (right >= 0) & (right < width) & (down >= 0) & (down < height)
        keeps = inside & (np.int64(bits(seed, first + seen) >> _S11) < share)
        to_t[at] = t[i]
        to_x[at] = width - 1 - right if flip_x else right
        to_y[at] = height - 1 - down if flip_y else down
        to_p[at] = p[i]
        to_k[at] = label
        seen += np.int64(inside)
        at += np.uint64(keeps)
    kept[0] = np.int64(at)
    return seen
