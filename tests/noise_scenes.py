"""Scenes with noise of known parameters, made by numpy alone, to hold measuring against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.events import Events
from evstore.synth import simulate

Size = tuple[int, int]
Box = tuple[int, int, int, int]


class Part(NamedTuple):
    """Events of one kind, in any order; ``pixel`` is row by row."""

    t: NDArray[np.int64]
    pixel: NDArray[np.int64]
    p: NDArray[np.bool_]


def moving(size: Size, duration_us: int, rate: float, threshold: float = 0.25) -> Part:
    """A texture that moves, without noise; nothing at a rate of 0."""
    if not rate:
        empty = np.empty(0, np.int64)
        return Part(empty, empty, empty.astype(bool))
    events = Events.concatenate(
        simulate(size, duration_us, events_per_s=rate, noise_hz=0, threshold=threshold)
    )
    return Part(events.t, events.y.astype(np.int64) * size[0] + events.x, events.p.astype(bool))


def background(
    rng: np.random.Generator, size: Size, duration_us: int, rate: float, on: float = 0.5,
    spread: float = 0.1,
) -> tuple[Part, float]:  # fmt: skip
    """Poisson, with log-normal rates; and their mean."""
    pixels = size[0] * size[1]
    rates = rate * 10 ** (spread * rng.standard_normal(pixels))
    pixel = np.repeat(np.arange(pixels), rng.poisson(rates * duration_us / 1e6))
    t = rng.integers(0, duration_us, pixel.size)
    return Part(t, pixel, rng.random(pixel.size) < on), float(rates.mean())


def hot(
    rng: np.random.Generator, size: Size, duration_us: int, *, count: int, low: float = 50,
    high: float = 1000, periodic: bool = False, cluster: int = 1,
) -> tuple[Part, set[int]]:  # fmt: skip
    """Hot pixels of rates log-uniform between two, and which they are."""
    where = rng.choice(size[0] * size[1], count, replace=False)
    steps = np.array([0, 1, size[0], size[0] + 1][:cluster])
    where = np.unique(np.minimum((where[:, None] + steps).ravel(), size[0] * size[1] - 1))
    parts = []
    for at, pixel in enumerate(where):
        rate = low * (high / low) ** rng.random()
        amount = int(rng.poisson(rate * duration_us / 1e6))
        t = rng.integers(0, duration_us, amount)
        if periodic:
            gaps = 1e6 / rate * (1 + 0.1 * rng.standard_normal(2 * amount + 10))
            t = np.cumsum(gaps).astype(np.int64)
            t = t[t < duration_us]
        p = (rng.random(t.size) < 0.9) == bool(at % 2)
        parts.append(Part(t, np.full(t.size, pixel), p))
    return Part(*map(np.concatenate, zip(*parts, strict=True))), set(where.tolist())


def flicker(
    rng: np.random.Generator, size: Size, duration_us: int, frequency: float, *, a_cycle: float,
    box: Box | None = None, duty: float | None = None, jitter_us: float = 200,
) -> Part:  # fmt: skip
    """ON and OFF once a cycle, ``a_cycle`` events of a pixel: a sine's slope, or bursts."""
    left, top, right, bottom = box or (0, 0, *size)
    y, x = np.mgrid[top:bottom, left:right]
    pixels = (y * size[0] + x).ravel()
    cycles = int(duration_us / 1e6 * frequency)
    parts = []
    for on in (False, True):
        amounts = rng.poisson(a_cycle / 2 * cycles, pixels.size)
        total = int(amounts.sum())
        phase = np.arcsin(rng.uniform(-1, 1, total)) / (2 * np.pi) + (0.25 if on else 0.75)
        if duty is not None:
            phase = np.full(total, 0.0 if on else duty)
        t = (rng.integers(0, cycles, total) + phase) * 1e6 / frequency
        t = (t + rng.normal(0, jitter_us, total)).astype(np.int64)
        inside = (t >= 0) & (t < duration_us)
        own = np.repeat(pixels, amounts)[inside]
        parts.append(Part(t[inside], own, np.full(own.size, on)))
    return Part(*map(np.concatenate, zip(*parts, strict=True)))


def mixed(size: Size, *parts: Part) -> tuple[Events, NDArray[np.int64]]:
    """All of them in order of time, and which part each event is of."""
    t, pixel, p = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    which = np.repeat(np.arange(len(parts)), [part.t.size for part in parts])
    order = np.argsort(t, kind="stable")
    y, x = np.divmod(pixel[order], size[0])
    events = Events(t[order], x.astype(np.uint16), y.astype(np.uint16), p[order], size)
    return events, which[order]
