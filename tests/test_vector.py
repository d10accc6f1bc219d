"""The steps in vector registers mean what their plain Python functions say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evstore.codec import vector_decoding as vector
from evstore.codec import vector_encoding as encoding
from evstore.codec.bitpack_kernels import CARRY, MASK, SHIFT
from evstore.codec.llvm import PAST_ALIGN
from evstore.jit import kernel

U = np.uint64


@kernel
def unpack_row(
    words: Any, k: Any, h: Any, shift: Any, carry: Any, mask: Any, add: Any,
    out: Any, to: Any, past: Any,
) -> None:  # fmt: skip
    vector.unpack_row(words, k, h, shift, carry, mask, add, out, to, past)


@kernel
def running_sums(values: Any, steps: Any) -> None:
    vector.running_sums(values, steps)


@kernel
def widen_times(sums: Any, at: Any, time: Any, t: Any, to: Any, past: Any) -> None:
    vector.widen_times(sums, at, time, t, to, past)


@kernel
def expand_runs(runs: Any, at: Any, changed: Any, out: Any, to: Any, past: Any) -> None:
    vector.expand_runs(runs, at, changed, out, to, past)


@kernel
def expand_bits(words: Any, at: Any, out: Any, to: Any, past: Any) -> None:
    vector.expand_bits(words, at, out, to, past)
    vector.drain()


def expect_same(
    dtype: Any, rng: np.random.Generator, plain: Callable[..., Any], fast: Callable[..., Any]
) -> None:
    """Both write the same into 200 values: anywhere, and past the cache where that is allowed."""
    per_16_bytes = 16 // np.dtype(dtype).itemsize
    for past in (False, True):
        to = U(rng.integers(0, 8) * per_16_bytes if past else rng.integers(0, 100))
        expected, got = np.zeros(200, dtype), np.zeros(200, dtype)
        assert got.ctypes.data % PAST_ALIGN == 0
        with np.errstate(over="ignore"):
            plain(expected, to, past)
        fast(got, to, past)
        assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("width", range(1, 17))
def test_unpack_row(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 65_536, 300).astype(np.uint16)
    for row in range(16):
        k, h = (U(i) for i in rng.integers(0, 230, 2))
        shift = SHIFT[16 * width + row]
        told = (words, k, h, shift, CARRY[shift], MASK[width], np.uint16(rng.integers(0, 65_536)))
        expect_same(
            np.uint16,
            rng,
            lambda *rest, told=told: vector.unpack_row(*told, *rest),
            lambda *rest, told=told: unpack_row(*told, *rest),
        )


def test_running_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for top in (2, 300, 65_536):
        for steps in (0, 1, 2, 5, 64):
            expected = rng.integers(0, top, 16 * steps + 5).astype(np.uint16)
            got = expected.copy()
            vector.running_sums(expected, U(steps))
            running_sums(got, U(steps))
            assert got.tolist() == expected.tolist()


def test_widen_times(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(100):
        sums = rng.integers(0, 65_536, 40).astype(np.uint16)
        told = (sums, U(rng.integers(0, 20)), np.int64(rng.integers(-(1 << 62), 1 << 62)))
        expect_same(
            np.int64,
            rng,
            lambda *rest, told=told: vector.widen_times(*told, *rest),
            lambda *rest, told=told: widen_times(*told, *rest),
        )


def test_expand_runs_for_every_bitmap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs = rng.integers(0, 65_536, 30).astype(np.uint16)
    for changed in range(256):
        told = (runs, U(rng.integers(0, 20)), U(changed))
        expect_same(
            np.uint16,
            rng,
            lambda *rest, told=told: vector.expand_runs(*told, *rest),
            lambda *rest, told=told: expand_runs(*told, *rest),
        )


def test_expand_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(50):
        told = (rng.integers(0, 65_536, 20).astype(np.uint16), U(rng.integers(0, 16)))
        expect_same(
            np.uint8,
            rng,
            lambda *rest, told=told: vector.expand_bits(*told, *rest),
            lambda *rest, told=told: expand_bits(*told, *rest),
        )


@kernel
def bits_on(values: Any, at: Any) -> Any:
    return encoding.bits_on(values, at)


@kernel
def bits_above(values: Any, at: Any, limit: Any) -> Any:
    return encoding.bits_above(values, at, limit)


@kernel
def put_bitmaps(values: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any) -> None:
    encoding.put_bitmaps(values, at, bit, count, out, to, size)


@kernel
def put_step_bitmaps(t: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any) -> None:
    encoding.put_step_bitmaps(t, at, bit, count, out, to, size)


@kernel
def bits_changed(values: Any, at: Any) -> Any:
    return encoding.bits_changed(values, at)


@kernel
def lowest_bit(bits: Any) -> Any:
    return encoding.lowest_bit(bits)


@kernel
def gather_runs(values: Any, at: Any, changed: Any, least: Any, out: Any, to: Any) -> None:
    encoding.gather_runs(values, at, changed, least, out, to)


def test_comparisons_of_64_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for top in (2, 5, 65_536):
        at = U(rng.integers(1, 30))
        values = rng.integers(0, top, 100).astype(np.uint16)
        polarities = (values & 1).astype(np.uint8)
        limit = np.uint16(rng.integers(0, top))
        assert int(bits_on(polarities, at)) == int(encoding.bits_on(polarities, at))
        assert int(bits_above(values, at, limit)) == int(encoding.bits_above(values, at, limit))
        assert int(bits_changed(values, at)) == int(encoding.bits_changed(values, at))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint64, np.int64])
@pytest.mark.parametrize("count", range(9))
def test_bitmaps_of_64_values(dtype: Any, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, 100, dtype, endpoint=True)
    plain, fast = encoding.put_bitmaps, put_bitmaps
    if dtype is np.int64:
        plain, fast = encoding.put_step_bitmaps, put_step_bitmaps
    for bit in range(0, limits.bits, 8):
        told = (values, U(rng.integers(1, 36)), U(bit), U(count))
        expected, got = np.zeros((2, 300), np.uint8)
        with np.errstate(over="ignore"):
            plain(*told, expected, U(5), U(30))
        fast(*told, got, U(5), U(30))
        assert got.tolist() == expected.tolist()


def test_lowest_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for bit in range(64):
        bits = (rng.integers(0, 1 << 64, dtype=np.uint64) | U(1)) << U(bit)
        assert int(lowest_bit(bits)) == int(encoding.lowest_bit(bits)) == bit


def test_gather_runs_for_every_bitmap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 65_536, 30).astype(np.uint16)
    least = np.uint16(rng.integers(0, 65_536))
    for changed in range(256):
        at, to = (U(k) for k in rng.integers(0, 20, 2))
        expected, got = np.zeros(30, np.uint16), np.zeros(30, np.uint16)
        with np.errstate(over="ignore"):
            encoding.gather_runs(values, at, U(changed), least, expected, to)
        gather_runs(values, at, U(changed), least, got, to)
        assert got.tolist() == expected.tolist(), changed
