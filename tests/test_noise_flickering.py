"""Flicker at the ends of its ranges: few events, many cycles, and what is held until it is due."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import Flicker
from evstore.noise.batch import Batch, Sensor, joined
from evstore.noise.key import Key
from evstore.noise.random import words
from evstore.noise.sources import flicker_kernels as kernels
from evstore.noise.sources.flickering import Flickering

MEMORY = 4_000_000_000  # octets of address space: the code itself takes one or two

CHILD = """
import resource
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
from evstore import Events
from evstore.noise import Flicker
print(len(Flicker({lamp}, seed=1)(Events.empty({size}), start=0, stop=2000, sample=1)))
"""


def made_in_little_memory(lamp: str, size: tuple[int, int]) -> int:
    """How many events come in two milliseconds."""
    code = CHILD.format(memory=MEMORY, lamp=lamp, size=size)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not ran.returncode, ran.stderr[-2000:]
    return int(ran.stdout)


@pytest.mark.parametrize("amount", [2e-6, 1.4e-5, 3e-5, 1e-4, 5e-4])
def test_few_events_are_as_many_as_said(amount: float) -> None:
    """Also where they are less than one of 65,536 in a cycle, by the amount and by a mask."""
    seeds, stop = 20, 10_000_000
    expected = 2 * amount * 64 * 64 * 1000 * seeds
    for lamp in (
        lambda seed: Flicker(events_per_cycle=amount, seed=seed),
        lambda seed: Flicker(mask=np.full((64, 64), amount), seed=seed),
    ):
        made = [lamp(seed)(Events.empty((64, 64)), start=0, stop=stop) for seed in range(seeds)]
        count = sum(len(events) for events in made)
        assert abs(count - expected) < 4.5 * math.sqrt(expected), (count, expected)


@pytest.mark.parametrize("amount", [0.0, 1e-9, 0.3, 1.0, 1 - 2.0**-40, 2.75, 61.99999, 62.0])
def test_numbers_of_events_as_plain_integers_have_them(amount: float) -> None:
    n = 2000
    off, on = (np.zeros(n, np.uint8) for _ in range(2))
    kernels.draw_numbers(7, np.uint64(5), np.full(n, amount), off, on)
    share = math.floor(amount * 2**32 + 0.5)
    for i, word in enumerate(words(7, n + 5)[5:].tolist()):
        assert off[i] == (share + word % 2**32) >> 32
        assert on[i] == (share + (word >> 32)) >> 32
    assert max(off.max(), on.max()) <= math.floor(amount) + 1  # for which there is room


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux' limits")
def test_room_is_for_what_comes() -> None:
    """Not for all pixels in each of thousands of cycles."""
    assert made_in_little_memory("events_per_cycle=1e-6", (1280, 720)) <= 5


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux' limits")
@pytest.mark.parametrize(
    ("lamp", "size"),
    [
        ("frequency_hz=10_000, jitter_us=1e5", (30, 20)),  # 8 million are held
        ("frequency_hz=100, jitter_us=1e5", (320, 240)),  # 11 million
    ],
)
def test_many_that_are_held_are_not_copied(lamp: str, size: tuple[int, int]) -> None:
    count = made_in_little_memory(lamp, size)
    frequency = 10_000 if "10_000" in lamp else 100
    expected = 2 * frequency * size[0] * size[1] * 0.002
    assert abs(count - expected) < 4.5 * math.sqrt(expected)


def test_more_than_can_be_held_is_said() -> None:
    lamp = Flicker(frequency_hz=100, jitter_us=1e6)
    with pytest.raises(ArgumentError, match=r"427,\d+,\d+ events .* 134,217,728 at most: lower .*"):
        lamp(Events.empty((640, 480)), start=0, stop=2000)
    region = Flicker(frequency_hz=100, jitter_us=1e6, region=(0, 0, 20, 20))
    assert len(region(Events.empty((640, 480)), start=0, stop=2000)) > 0


def source_of(lamp: Flicker) -> Flickering:
    source = lamp.begin(Sensor(12, 9), Key(0, b""), 500)._source  # type: ignore[attr-defined]
    assert isinstance(source, Flickering)
    return source


@pytest.mark.parametrize(
    "lamp",
    [
        Flicker(frequency_hz=1000, jitter_us=20_000, seed=1),
        Flicker(frequency_hz=5000, jitter_us=50_000, events_per_cycle=0.02, seed=2),
        Flicker(frequency_hz=100, phase_spread=0.25, events_per_cycle=3, seed=3),
        Flicker(frequency_hz=100, jitter_us=0, phase_spread=0, waveform="pwm", seed=4),
    ],
    ids=["wide", "wide and few", "spread", "many at once"],
)
@pytest.mark.parametrize("seed", range(3))
def test_held_events_are_in_the_order_in_which_they_were_made(lamp: Flicker, seed: int) -> None:
    """Those of equal times too, wherever it is cut: as one stable sort of all that is made."""
    stop = 150_000
    source, every, runs = source_of(lamp), source_of(lamp), list[Batch]()
    while every._begin(every._cycle) + every._earliest < stop:
        runs.append(every._some())
    wanted = joined(runs)
    wanted = wanted.at(np.argsort(wanted.t, kind="stable"))
    wanted = wanted.at(slice(0, int(np.searchsorted(wanted.t, stop))))
    cuts = np.sort(np.random.default_rng(seed).integers(500, stop, 30)).tolist()
    parts = []
    for cut in [*cuts, stop]:
        part = source.until(cut)
        assert not part.size or part.t[-1] < cut
        parts.append(part)
    found = joined([part for part in parts if part.size])
    assert wanted.size > 1000
    for column, expected in zip(found, wanted, strict=True):
        assert np.array_equal(column, expected)
