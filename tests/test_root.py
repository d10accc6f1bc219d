"""A leaf of the hash tree against the reference, byte for byte."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings

import naive
from evstore.events import Events
from evstore.shard.root import leaf_hash
from evstore.shard.root_kernels import STEP
from streams import MAX_T, MIN_T, streams


def expect_naive(events: Events) -> None:
    columns = tuple(getattr(events, name).tolist() for name in "txyp")
    expected = hashlib.sha256(naive.leaf_bytes(columns)).digest()  # type: ignore[arg-type]
    assert leaf_hash(events.t, events.x, events.y, events.p) == expected


@given(streams())
@settings(max_examples=60)
def test_leaves_of_any_events(events: Events) -> None:
    expect_naive(events)


@pytest.mark.parametrize("n", [1, 2, STEP - 1, STEP, STEP + 1, 3 * STEP + 7])
@pytest.mark.parametrize("t_bits", [0, 7, 31, 32, 40, 64])
def test_leaves_of_every_width(n: int, t_bits: int, seed: int) -> None:
    """Of 1 to 97 bits an event: in 64 of them, and beyond."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 1 << t_bits, n, np.uint64, endpoint=False) if t_bits < 64 else None
    t = np.cumsum(steps, dtype=np.uint64).astype(np.int64) if steps is not None else None
    for x_top, y_top in ((1, 1), (640, 480), (65_536, 65_536), (1, 65_536)):
        x, y = rng.integers(0, x_top, n), rng.integers(0, y_top, n)
        p = rng.integers(0, 2, n)
        times = rng.integers(MIN_T, MAX_T, n) if t is None else t
        expect_naive(Events(times, x, y, p))
