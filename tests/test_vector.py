"""The two steps in vector registers mean what their plain Python functions say."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.codec import vector
from evstore.jit import kernel

U = np.uint64


@kernel
def scan(low: Any, at: Any, passed: Any, time: Any, t: Any, to: Any) -> Any:
    return vector.scan_times(low, at, passed, time, t, to)


@kernel
def expand(runs: Any, at: Any, changed: Any, out: Any, to: Any) -> None:
    vector.expand_runs(runs, at, changed, out, to)


def test_scan_times(seed: int) -> None:
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        for top in (2, 300, 65_536):
            for _ in range(100):
                low = rng.integers(0, top, 40).astype(np.uint16)
                at, to = (U(k) for k in rng.integers(0, 20, 2))
                passed = U(rng.integers(0, 65_536))
                time = np.int64(rng.integers(-(1 << 62), 1 << 62))
                plain, fast = np.zeros(40, np.int64), np.zeros(40, np.int64)
                expected = vector.scan_times(low, at, passed, time, plain, to)
                assert int(scan(low, at, passed, time, fast, to)) == int(expected)
                assert fast.tolist() == plain.tolist()


def test_expand_runs_for_every_bitmap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs = rng.integers(0, 65_536, 30).astype(np.uint16)
    for changed in range(256):
        at, to = (U(k) for k in rng.integers(0, 20, 2))
        plain, fast = np.zeros(30, np.uint16), np.zeros(30, np.uint16)
        vector.expand_runs(runs, at, U(changed), plain, to)
        expand(runs, at, U(changed), fast, to)
        assert fast.tolist() == plain.tolist(), changed
