"""Models of noise against real recordings: `python -m bench noise_reality [FILE ...]`.

Measured is the first half, compared with the second: of pixels that nothing moved around in either
half, the rates and the times between events, by the statistic of Kolmogorov and Smirnov (the
largest distance of two distributions: 0 equal, 1 apart). Beside it what chance alone would give.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import evstore
from bench.recordings import data_folder
from evstore import Events
from evstore.errors import EvstoreError
from evstore.noise.measuring.measure import measured_still

FILES = (
    "made/vga_outdoor_evt3.raw", "prophesee/evk4_hd.dat", "ros/evt3_triggers.db3",
    "inivation/dvxplorer_lz4.aedat4", "inivation/davis346_lz4.aedat4",
    "inivation/davis240_boxes.aedat2.aedat", "mat/dvs128_stripes.mat", "mat/atis_td_em.mat",
)  # fmt: skip
STILL = 0.97  # of the time in which noise alone would leave it quiet
LEAST_PIXELS, LEAST_INTERVALS = 500, 300  # in each half, for a comparison to say something
V2E_DECADES = 0.1  # its noise_rate_cov_decades
SHORT = 0.05  # of the mean interval: what comes sooner is a burst
SEED = 1

Floats = NDArray[np.float64]


class Half(NamedTuple):
    """What the still pixels did in half a recording: counts, and intervals in seconds."""

    seconds: float
    counts: NDArray[np.int64]
    intervals: Floats
    alone: NDArray[np.int64]  # counts of events that begin a burst or are none

    @property
    def rate_hz(self) -> float:
        """The mean a pixel."""
        return float(self.counts.mean() / self.seconds)


class Burst(NamedTuple):
    """An event is followed by another with this chance, after one of these delays in seconds."""

    share: float
    delays: Floats


def halves(events: Events, resolution: tuple[int, int]) -> tuple[Half, Half] | None:
    """Both halves of a recording, of the pixels that were still in both."""
    middle = (int(events.t[0]) + int(events.t[-1])) // 2
    cut = int(np.searchsorted(events.t, middle))
    parts = (events[:cut], events[cut:])
    still = np.logical_and(*(measured_still(part, resolution, STILL) for part in parts))
    if np.count_nonzero(still) < LEAST_PIXELS:
        return None
    first, second = (half(part, resolution, still) for part in parts)
    return first, second


def half(events: Events, resolution: tuple[int, int], still: NDArray[np.bool_]) -> Half:
    pixel = events.y.astype(np.int64) * resolution[0] + events.x
    own = still[pixel]
    seconds = (int(events.t[-1]) - int(events.t[0]) + 1) / 1e6
    place = np.cumsum(still) - 1
    return half_of(place[pixel[own]], events.t[own] / 1e6, seconds, int(still.sum()))


def half_of(pixel: NDArray[np.int64], t: Floats, seconds: float, pixels: int) -> Half:
    order = np.lexsort((t, pixel))
    pixel, t = pixel[order], t[order]
    counts = np.bincount(pixel, minlength=pixels)
    limit = SHORT * seconds * pixels / max(t.size, 1)
    alone = np.bincount(pixel[first_events(pixel, t, limit)], minlength=pixels)
    return Half(seconds, counts, np.diff(t)[np.diff(pixel) == 0], alone)


def simulated(
    rng: np.random.Generator, rates: Floats, seconds: float, burst: Burst | None = None
) -> Half:
    """Poisson noise of these rates of pixels; with bursts of as many events all the same."""
    share = 0.0 if burst is None else burst.share
    first = rng.poisson(rates * (1 - share) * seconds)
    pixel = np.repeat(np.arange(rates.size), first)
    t = rng.random(pixel.size) * seconds
    parts = [(pixel, t)]
    while burst is not None and burst.delays.size:
        on = rng.random(pixel.size) < share
        pixel, t = pixel[on], t[on] + rng.choice(burst.delays, int(on.sum()))
        if not pixel.size:
            break
        parts.append((pixel, t))
    pixel, t = (np.concatenate(column) for column in zip(*parts, strict=True))
    pixel, t = pixel[t < seconds], t[t < seconds]
    return half_of(pixel, t, seconds, rates.size)


def spread_decades(counts: NDArray[np.int64]) -> float:
    """Of log-normal rates, without what counting adds; see `evstore.noise.measuring.background`."""
    ratio = (counts * (counts - 1.0)).mean() / counts.mean() ** 2
    return float(np.sqrt(np.log(max(ratio, 1.0))) / np.log(10))


def log_normal(rng: np.random.Generator, mean: float, decades: float, size: int) -> Floats:
    """Rates with this mean."""
    width = decades * np.log(10)
    return np.asarray(mean * np.exp(width * rng.standard_normal(size) - width**2 / 2))


def bursts(found: Half) -> Burst:
    """What comes sooner than a Poisson process of that rate would have it come."""
    soon = found.intervals[found.intervals < SHORT / found.rate_hz]
    return Burst(min(soon.size / max(found.counts.sum(), 1), 0.95), soon)


def first_events(pixel: NDArray[np.int64], t: Floats, limit: float) -> NDArray[np.bool_]:
    """Which events, by pixel and time, begin a burst or stand alone."""
    found = np.ones(t.size, bool)
    found[1:] = (np.diff(pixel) != 0) | (np.diff(t) >= limit)
    return found


def models(first: Half, seconds: float) -> dict[str, Half]:
    """The second half as each model has it."""
    rng = np.random.default_rng(SEED)
    size, mean = first.counts.size, first.rate_hz
    burst = bursts(first)
    spread = spread_decades(first.counts)
    of_bursts = log_normal(rng, mean, spread_decades(first.alone), size)
    return {
        "Poisson": simulated(rng, np.full(size, mean), seconds),
        "v2e": simulated(rng, log_normal(rng, mean, V2E_DECADES, size), seconds),
        "spread": simulated(rng, log_normal(rng, mean, spread, size), seconds),
        "rates": simulated(rng, first.counts / first.seconds, seconds),
        "spread, bursts": simulated(rng, of_bursts, seconds, burst),
        "rates, bursts": simulated(
            rng, first.alone / first.seconds / (1 - burst.share), seconds, burst
        ),
    }


def distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Kolmogorov and Smirnov's, of two samples."""
    if not one.size or not other.size:
        return float("nan")
    at = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(some), at, side="right") / some.size for some in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def compared(name: str, events: Events, resolution: tuple[int, int]) -> list[str]:
    """Rows of the table; or why there are none."""
    found = halves(events, resolution)
    if found is None:
        return [f"| {name} | too few still pixels | | | | |"]
    first, second = found
    least = min(first.intervals.size, second.intervals.size)
    if least < LEAST_INTERVALS:
        return [
            f"| {name} | {least} times between events of {first.counts.size:,} still pixels: "
            "too few | | | | |"
        ]
    rows = []
    burst = bursts(first)
    about = (
        f"{first.counts.size:,} pixels, {first.rate_hz:.3g} and {second.rate_hz:.3g} Hz, "
        f"spread {spread_decades(first.counts):.2f} decades, {burst.share:.0%} in bursts"
    )
    made = {"first half": first, **models(first, second.seconds)}
    for model, half_made in made.items():
        rates = distance(half_made.counts, second.counts)
        some = [part.counts[part.counts > 0] for part in (half_made, second)]
        gaps = distance(half_made.intervals, second.intervals)
        rows.append(
            f"| {name} | {about} | {model} | {rates:.3f} | {distance(*some):.3f} | {gaps:.3f} |"
        )
        name = about = ""
    return rows


def main(argv: list[str]) -> int:
    folder = data_folder()
    paths = [Path(given) for given in argv]
    if not paths and folder is not None:
        paths = [folder / name for name in FILES]
    if not paths:
        print("no real recordings (EVSTORE_TEST_DATA), and none given")
        return 1
    print("| recording | still pixels | model | rates | of those that fired | times between |")
    print("|---|---|---|---|---|---|")
    for path in paths:
        try:
            with evstore.open(path) as recording:
                events = Events.concatenate(recording.batches())
                resolution = recording.resolution
            assert resolution is not None
            rows = compared(path.name, events, resolution)
        except EvstoreError as error:
            rows = [f"| {path.name} | {error} | | | | |"]
        print("\n".join(rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
