"""Filters: how fast, beside eventcv's, tonic's and dv_processing's, and how well they denoise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import noise_peers as peers
from bench.bars import Bar, Settings, worst
from bench.recordings import data_folder, recordings
from bench.timing import Spread, exact, rounds_of, times_faster
from evstore.events import Events
from evstore.noise import (
    ActivityFilter,
    BackgroundActivity,
    Decimation,
    HotPixelMask,
    Refractory,
    Stcf,
    Transform,
    stcf_scores,
)
from evstore.noise.filters.stcf import NEVER_US
from evstore.synth import simulate

Make = Callable[[], Any]

SIZE = (346, 260)
WINDOW_US, PERIOD_US = 5_000, 1_000
EVENTS, TONIC_EVENTS, DENOISED = 2_000_000, 200_000, 60_000
QUICK_EVENTS = 20_000
BATCH = 65_536
#: That we filter while tonic filters one: more than caches hold, so often that it takes about as
#: long. A core that has run something else is slower for some milliseconds.
SAMPLES, PASSES = 16, 16
RATE_HZ = 5.0
WINDOWS_US = [int(10**exponent) for exponent in np.linspace(2, 6, 9)]
#: Real recordings that noise is put into; they have some already, which counts as signal here.
REAL = ("rpg_shapes_rotation", "rpg_boxes_rotation", "gen3_vga_a", "evk4_hd")
EVENTCV_MUST, TONIC_MUST, AUC_MUST = 10, 300, 0.9


def scene(events: int, events_per_s: float = 2_000_000) -> Events:
    """A texture that moves over a DAVIS346's pixels, and noise of every pixel."""
    duration = int(1.5 * events / events_per_s * 1e6) + 100_000
    parts = simulate(SIZE, duration, events_per_s=events_per_s, noise_hz=RATE_HZ, seed=1)
    found = Events.concatenate(parts)[:events]
    return Events.of(found.t + 1, found.x, found.y, found.p, SIZE)


def streamed(filter: Transform, events: Events) -> Make:
    """Batch by batch, as they come from a shard or a camera."""
    batches = [events[at : at + BATCH] for at in range(0, len(events), BATCH)]

    def run() -> None:
        stream = filter.stream(SIZE)
        for batch in batches:
            stream.push(batch)
        stream.end()

    return run


def against_eventcv(settings: Settings) -> list[Bar]:
    """Ours of Events, theirs of their own streams, both in memory; equal results.

    And arrays to arrays, as loaders and networks have events.
    """
    events = scene(QUICK_EVENTS if settings.quick else EVENTS)
    rows = peers.eventcv_rows(events)
    stream = peers.eventcv_stream(rows, SIZE)
    counts = np.bincount(events.y.astype(np.int64) * SIZE[0] + events.x)
    hottest = [(int(at) % SIZE[0], int(at) // SIZE[0]) for at in np.argsort(counts)[-20:]]
    pairs: dict[str, tuple[Transform, Callable[[Any], Any], bool]] = {
        "background activity, 8 neighbours": (
            ActivityFilter(WINDOW_US + 1),
            lambda stream: stream.background_activity_filter(WINDOW_US), True,
        ),
        "background activity, 4 neighbours": (
            ActivityFilter(WINDOW_US + 1, 4),
            lambda stream: stream.background_activity_filter(WINDOW_US, neighbourhood="cross"),
            True,
        ),
        "refractory": (
            Refractory(PERIOD_US - 1), lambda stream: stream.refractory_filter(PERIOD_US), True
        ),
        "decimation of the stream": (
            Decimation(3, by="stream"), lambda stream: stream.decimate(3), True
        ),
        "hot pixels (theirs finds them too)": (
            HotPixelMask(hottest), lambda stream: stream.hot_pixel_filter(), False
        ),
    }  # fmt: skip
    bars, arrays = [], {}
    for name, (ours, theirs, same) in pairs.items():
        if same:
            x, y, t, p = theirs(stream).numpy().T
            assert ours(events) == Events(t, x, y, p), name
        one = partial(ours, events)
        parts = {
            "one call": times_faster(settings.rounds, one, partial(theirs, stream)),
            f"batches of {BATCH:,}": times_faster(
                settings.rounds, streamed(ours, events), partial(theirs, stream)
            ),
        }
        title = f"filters, against eventcv's: {name}"
        bars.append(Bar(title, "x", "more", EVENTCV_MUST, None, parts["one call"], parts, CORE))
        arrays[name] = times_faster(settings.rounds, one, partial(from_arrays, rows, theirs))
    title = "filters, against eventcv's: arrays in, arrays out"
    bars.append(
        Bar(title, "x", "more", EVENTCV_MUST, None, worst(arrays, "more"), arrays, "one core")
    )
    return bars


def from_arrays(rows: NDArray[np.int64], filter: Callable[[Any], Any]) -> Any:
    return filter(peers.eventcv_stream(rows, SIZE)).numpy()


CORE = "one core, whole calls; theirs all in one call, ours too, and batch by batch"


def against_tonic(settings: Settings) -> list[Bar]:
    """Structured arrays of tonic's dtype, equal results."""
    events = scene(QUICK_EVENTS if settings.quick else TONIC_EVENTS)
    array, transforms = events.to_structured(peers.TONIC), peers.tonic_transforms()
    samples = [array.copy() for _ in range(SAMPLES)]
    bars = []
    for name, ours, theirs in (
        (
            "Denoise",
            ActivityFilter(WINDOW_US, 4, start="active"),
            transforms.Denoise(filter_time=WINDOW_US),
        ),
        (
            "RefractoryPeriod",
            Refractory(PERIOD_US, restart="all"),
            transforms.RefractoryPeriod(delta=PERIOD_US),
        ),
        ("Decimation", Decimation(3), transforms.Decimation(n=3)),
    ):
        assert np.array_equal(ours(array), theirs(array)), name
        rounds = rounds_of(
            settings.rounds,
            partial(each_of, ours, samples),
            lambda theirs=theirs: theirs(array),
        )
        found = Spread.of(SAMPLES * PASSES * theirs / ours for ours, theirs in rounds)
        title = f"filters, against tonic's {name}"
        note = f"{len(events):,} events, ours of {SAMPLES} such arrays {PASSES} times; one core"
        bars.append(Bar(title, "x", "more", TONIC_MUST, None, found, {"": found}, note))
    return bars


def each_of(filter: Transform, arrays: list[Any]) -> None:
    for _ in range(PASSES):
        for array in arrays:
            filter(array)


def against_dv(settings: Settings) -> list[Bar]:
    """Their filter of background activity, of a store of their own."""
    events = scene(QUICK_EVENTS if settings.quick else EVENTS // 4)
    store = peers.dv_store(events)
    parts = {}
    for name, argument in (
        ("BackgroundActivityNoiseFilter", "backgroundActivityDuration"),
        ("FastDecayNoiseFilter", "halfLife"),
    ):

        def theirs(name: str = name, argument: str = argument) -> Any:
            filter = peers.dv_filter(name, argument, SIZE, WINDOW_US)
            return peers.filtered(filter, store)

        ours = ActivityFilter(WINDOW_US)
        parts[name] = times_faster(settings.rounds, lambda ours=ours: ours(events), theirs)
    title = "filters, against dv_processing's of noise"
    return [Bar(title, "x", "more", None, None, worst(parts, "more"), parts, "ActivityFilter")]


def area(true: NDArray[Any], false: NDArray[Any]) -> float:
    """Under the curve through these shares, from (0, 0) to (1, 1)."""
    order = np.lexsort((true, false))
    x = np.concatenate([[0.0], false[order], [1.0]])
    y = np.concatenate([[0.0], true[order], [1.0]])
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def area_of_ages(ages: NDArray[np.int64], noise: NDArray[np.bool_]) -> float:
    """Over all windows. Events that nothing supports are never kept: the curve ends there."""
    order = np.argsort(ages, kind="stable")
    ages, noise = ages[order], noise[order]
    ends = np.flatnonzero(np.diff(ages, append=NEVER_US) != 0)
    false = np.cumsum(noise)[ends] / max(noise.sum(), 1)
    true = np.cumsum(~noise)[ends] / max((~noise).sum(), 1)
    return area(true, false)


def areas(events: Events, noise: NDArray[np.bool_]) -> dict[str, Spread]:
    """Of each denoiser the area under its ROC, the window changing."""
    found = {}
    for support in (1, 2, 3):
        ages = stcf_scores(events, support)
        assert len(Stcf(WINDOW_US, support)(events)) == (ages < WINDOW_US).sum()
        found[f"evstore Stcf, support {support}"] = exact(area_of_ages(ages, noise))
    ages = stcf_scores(events, 2, same_polarity=True)
    found["evstore Stcf, support 2, same polarity"] = exact(area_of_ages(ages, noise))
    contenders = [
        ("evstore ActivityFilter", lambda window: ActivityFilter(window)),
        ("evstore ActivityFilter, 4 neighbours", lambda window: ActivityFilter(window, 4)),
    ]
    for name, make in contenders:
        shares = [swept(events, noise, make(window)) for window in WINDOWS_US]
        found[name] = exact(area(*np.array(shares).T))
    for name, kept in peers.denoisers(events):
        shares = []
        for window in WINDOWS_US:
            keep = kept(window)
            shares.append((keep[~noise].mean(), keep[noise].mean()))
        found[name] = exact(area(*np.array(shares).T))
    return found


def swept(events: Events, noise: NDArray[np.bool_], filter: Transform) -> tuple[float, float]:
    kept = filter(events)
    keep = peers.among(events, kept.t, kept.x, kept.y, kept.p)
    return float(keep[~noise].mean()), float(keep[noise].mean())


def noisy(clean: Events) -> tuple[Events, NDArray[np.bool_]]:
    """With noise of every pixel, and which events are noise."""
    events, labels = BackgroundActivity(rate_hz=RATE_HZ, seed=2)(clean, labels=True, sample=0)
    return events, labels != 0


def denoising(settings: Settings) -> list[Bar]:
    """The table of areas under the curve: a synthetic scene, and real recordings."""
    count = QUICK_EVENTS if settings.quick else DENOISED
    missing = peers.absent()
    note = f"ROC over the window, noise of {RATE_HZ:g} Hz a pixel"
    note += f"; not installed: {', '.join(missing)}" if missing else ""
    clean = Events.concatenate(simulate(SIZE, 400_000, events_per_s=500_000, noise_hz=0, seed=3))[
        :count
    ]
    parts = areas(*noisy(Events.of(clean.t, clean.x, clean.y, clean.p, SIZE)))
    best = max((parts[f"evstore Stcf, support {n}"] for n in (1, 2, 3)), key=lambda s: s.median)
    bars = [Bar("STCF's AUC, a simulated scene", "", "more", AUC_MUST, None, best, parts, note)]
    if data_folder() is None or settings.quick:
        return bars
    for recording in recordings(settings, REAL):
        once = recording.once[:count]
        if int(once.resolution[0]) > 4096 or not len(once):
            continue
        parts = areas(*noisy(once[np.argsort(once.t, kind="stable")]))
        best = max((parts[f"evstore Stcf, support {n}"] for n in (1, 2, 3)), key=lambda s: s.median)
        title = f"STCF's AUC, {recording.name} with noise put in"
        bars.append(Bar(title, "", "more", None, None, best, parts, note))
    return bars


def measure(settings: Settings) -> list[Bar]:
    bars = []
    for package, compare in (
        ("eventcv", against_eventcv),
        ("tonic", against_tonic),
        ("dv_processing", against_dv),
    ):
        if find_spec(package) is not None:
            bars += compare(settings)
    return bars + denoising(settings)
