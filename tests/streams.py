"""Adversarial event streams for hypothesis: pieces of every awkward kind, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from evstore.events import Events

MIN_T, MAX_T = -(1 << 63), (1 << 63) - 1

Make = Callable[[np.random.Generator, int], NDArray[Any]]

TIMES: dict[str, Make] = {
    "constant": lambda r, n: np.full(n, r.integers(MIN_T, MAX_T), np.int64),
    "dense": lambda r, n: r.integers(0, 1 << 40) + np.cumsum(r.integers(0, 3, n)),
    "sparse": lambda r, n: np.cumsum(r.integers(0, 1 << int(r.integers(1, 45)), n)),
    "bursts": lambda r, n: np.cumsum((r.random(n) < 0.01) * r.integers(0, 1 << 30, n)),
    "outliers": lambda r, n: np.cumsum(np.where(r.random(n) < 0.003, 1 << 47, 2)),
    "jitter": lambda r, n: np.arange(n) * 3 + r.integers(-20, 20, n),
    "backward": lambda r, n: np.arange(n, 0, -1, dtype=np.int64) * r.integers(1, 1 << 20),
    "rare steps back": lambda r, n: np.cumsum(np.where(r.random(n) < 0.01, -5000, 7)),
    "any": lambda r, n: r.integers(MIN_T, MAX_T, n, dtype=np.int64, endpoint=True),
    "ends": lambda r, n: r.choice(np.array([MIN_T, MIN_T + 1, -1, 0, 1, MAX_T - 1, MAX_T]), n),
    "up to the end": lambda r, n: MAX_T - np.arange(n, dtype=np.int64)[::-1],
    "around zero": lambda r, n: np.arange(n, dtype=np.int64) - n // 2,
}
COORDINATES: dict[str, Make] = {
    "constant": lambda r, n: np.full(n, r.integers(0, 65_536)),
    "sensor": lambda r, n: r.integers(0, 1280, n),
    "any": lambda r, n: r.integers(0, 65_536, n),
    "hot pixel": lambda r, n: np.where(r.random(n) < 0.02, r.integers(0, 65_536, n), 77),
    "one outlier": lambda r, n: np.where(np.arange(n) == n // 2, 65_535, 3),
    "runs": lambda r, n: np.repeat(r.integers(0, 720, n), r.integers(1, 40, n))[:n],
    "long runs": lambda r, n: np.repeat(r.integers(0, 65_536, n), 200)[:n],
    "rows": lambda r, n: np.arange(n) % 640,
    "two": lambda r, n: r.choice(np.array([0, 65_535]), n),
}
POLARITIES: dict[str, Make] = {
    "off": lambda r, n: np.zeros(n),
    "on": lambda r, n: np.ones(n),
    "any": lambda r, n: r.integers(0, 2, n),
    "one on": lambda r, n: np.arange(n) == n - 1,
}


def piece(n: int, t: str, x: str, y: str, p: str, seed: int) -> Events:
    """``n`` events of the kinds named."""
    r = np.random.default_rng(seed)
    return Events(
        np.asarray(TIMES[t](r, n), np.int64),
        np.asarray(COORDINATES[x](r, n), np.uint16),
        np.asarray(COORDINATES[y](r, n), np.uint16),
        np.asarray(POLARITIES[p](r, n), np.uint8),
    )


def pieces(most: int) -> st.SearchStrategy[Events]:
    """One to three pieces of up to ``most`` events in all."""
    lengths = st.one_of(
        st.integers(1, 80), st.sampled_from([1, 63, 64, 65, 1023, 1024, 1025]), st.integers(1, 1500)
    ).map(lambda n: min(n, most))
    one = st.builds(
        piece,
        lengths,
        st.sampled_from(sorted(TIMES)),
        st.sampled_from(sorted(COORDINATES)),
        st.sampled_from(sorted(COORDINATES)),
        st.sampled_from(sorted(POLARITIES)),
        st.integers(0, 2**32 - 1),
    )
    return st.lists(one, min_size=1, max_size=3).map(lambda many: Events.concatenate(many)[:most])


TINY = st.lists(
    st.tuples(
        st.integers(MIN_T, MAX_T), st.integers(0, 65_535), st.integers(0, 65_535), st.integers(0, 1)
    ),
    min_size=1,
    max_size=12,
).map(
    lambda rows: Events(
        *(np.array(c, d) for c, d in zip(zip(*rows, strict=True), "qHHB", strict=True))
    )
)


def streams(most: int = 3000) -> st.SearchStrategy[Events]:
    """Events, at least one: hypothesis picks every value of a few, and the kinds of many."""
    return st.one_of(TINY, pieces(most))
