"""Moving what is kept: the vector steps mean what their plain functions say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evstore.jit import kernel
from evstore.noise import vector_kept
from evstore.noise.filters.moving_kernels import move_records

U = np.uint64


@kernel
def move_kept(keep: Any, source: Any, out: Any) -> Any:
    return vector_kept.move_kept(keep, source, out)


@kernel
def move_kept_on(keep: Any, source: Any, out: Any) -> Any:
    return vector_kept.move_kept_on(keep, source, out)


@kernel
def move_16(source: Any, at: Any, target: Any, to: Any) -> None:
    vector_kept.move_16(source, at, target, to)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.uint8])
@pytest.mark.parametrize("share", [0, 0.1, 0.9, 1])
def test_move_kept(dtype: Any, share: float, seed: int) -> None:
    """Of any length; flags are any numbers but 0, and nothing is written past the end."""
    rng = np.random.default_rng(seed)
    for size in (0, 1, 63, 64, 65, 200, 1000):
        source = rng.integers(0, np.iinfo(dtype).max, size, dtype)
        keep = ((rng.random(size) < share) * rng.integers(1, 256, size)).astype(np.uint8)
        beyond = np.full(size + 80, 7, dtype)
        expected = np.full(size + 80, 7, dtype)
        count = vector_kept.move_kept(keep, source, expected)
        assert move_kept(keep, source, beyond[:size]) == count == np.count_nonzero(keep)
        assert np.array_equal(beyond[:count], source[keep != 0])
        assert np.array_equal(expected[:count], beyond[:count])
        assert np.all(beyond[size:] == 7)
        little = np.full(count + 80, 7, dtype)
        assert move_kept_on(keep, source, little[: count + 64]) == count
        assert vector_kept.move_kept_on(keep, source, expected[: count + 64]) == count
        assert np.array_equal(little[:count], source[keep != 0])
        assert np.array_equal(expected[:count], little[:count])
        assert np.all(little[count + 64 :] == 7)


def test_move_16(seed: int) -> None:
    source = np.random.default_rng(seed).integers(0, 256, 60, np.uint8)
    plain, fast = np.zeros(60, np.uint8), np.zeros(60, np.uint8)
    vector_kept.move_16(source, U(3), plain, U(29))
    move_16(source, U(3), fast, U(29))
    assert np.array_equal(plain, fast)
    assert plain[29:45].any()


@pytest.mark.parametrize("size", [1, 5, 13, 16, 17, 40])
def test_move_records(size: int, seed: int) -> None:
    """Of any size; what is around is not touched."""
    rng = np.random.default_rng(seed)
    for count in (0, 1, 3, 100):
        octets = rng.integers(0, 256, (count, size), np.uint8)
        keep = (rng.random(count) < 0.6).astype(np.uint8)
        out = np.full(count * size + 64, 7, np.uint8)
        found = move_records(keep, octets.ravel(), size, out[: count * size])
        assert found == keep.sum()
        assert np.array_equal(out[: found * size], octets[keep != 0].ravel())
        assert np.all(out[count * size :] == 7)
