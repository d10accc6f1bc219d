"""Events to tensors, against tonic's transforms: the same structured array, equal results."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from bench.bars import Bar, Settings, worst
from bench.timing import Spread, times_faster
from evstore.events import Events
from evstore.frames import to_frames, to_time_surface, to_voxel_grid
from evstore.synth import simulate

Make = Callable[[], Any]

FRAME_US = 10_000
BINS = 10
TAU = 30_000.0
ROUNDS = 15
MUST, AIM = 12, 20
#: tonic's dtype; of polarities that are bool, its ToVoxelGrid loses the sign.
TONIC = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
SIGNED = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "i1")])


class Recording(NamedTuple):
    """What is simulated: a gesture of a second, and the fifth of a second of a large sensor."""

    resolution: tuple[int, int]
    events: int
    duration_us: int

    @property
    def name(self) -> str:
        return f"{self.resolution[0]} x {self.resolution[1]}, {self.events:,} events"

    def made(self) -> Events:
        rate = self.events / self.duration_us * 1e6
        parts, count = [], 0
        for batch in simulate(self.resolution, 2 * self.duration_us, events_per_s=rate):
            parts.append(batch)
            count += len(batch)
            if count >= self.events:
                break
        return Events.concatenate(parts)[: self.events]


RECORDINGS = (
    Recording((128, 128), 300_000, 1_000_000),
    Recording((1280, 720), 2_000_000, 200_000),
)
QUICK = (Recording((128, 128), 20_000, 100_000),)


def frames(recording: Recording, events: Events) -> dict[str, tuple[Make, Make]]:
    from tonic.transforms import ToFrame

    array = events.to_structured(TONIC)
    theirs = ToFrame(sensor_size=(*recording.resolution, 2), time_window=FRAME_US)
    return {
        "int16": (
            lambda: to_frames(array, duration=FRAME_US, resolution=recording.resolution),
            lambda: theirs(array),
        ),
    }


def voxel_grids(recording: Recording, events: Events) -> dict[str, tuple[Make, Make]]:
    from tonic.transforms import ToVoxelGrid

    array = events.to_structured(SIGNED)
    theirs = ToVoxelGrid(sensor_size=(*recording.resolution, 2), n_time_bins=BINS)

    def ours(dtype: str) -> Make:
        return lambda: to_voxel_grid(array, BINS, resolution=recording.resolution, dtype=dtype)

    return {dtype: (ours(dtype), lambda: theirs(array)) for dtype in ("float32", "float64")}


def surfaces(recording: Recording, events: Events) -> dict[str, tuple[Make, Make]]:
    from tonic.transforms import ToTimesurface

    array = events.to_structured(TONIC)
    theirs = ToTimesurface(sensor_size=(*recording.resolution, 2), dt=FRAME_US, tau=TAU)

    def ours(dtype: str) -> Make:
        return lambda: to_time_surface(
            array, FRAME_US, TAU, resolution=recording.resolution, dtype=dtype
        )

    return {dtype: (ours(dtype), lambda: theirs(array)) for dtype in ("float32", "float64")}


def check(ours: Any, theirs: Any) -> None:
    """Equal to the last digit of integers, and of floats to what the smaller dtype holds."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    if ours.dtype.kind == "i":
        assert np.array_equal(ours, theirs)
    else:
        assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-4)


def compare(
    title: str,
    ways: Callable[[Recording, Events], dict[str, tuple[Make, Make]]],
    settings: Settings,
) -> Bar:
    parts: dict[str, Spread] = {}
    for recording in QUICK if settings.quick else RECORDINGS:
        for dtype, (ours, theirs) in ways(recording, recording.made()).items():
            check(ours(), theirs())
            rounds = settings.rounds if settings.quick else max(settings.rounds, ROUNDS)
            parts[f"{recording.name}, {dtype}"] = times_faster(rounds, ours, theirs)
    note = "the recording and the dtype of ours where evstore does worst; one core"
    return Bar(title, "x", "more", MUST, AIM, worst(parts, "more"), parts, note)


def measure(settings: Settings) -> list[Bar]:
    if find_spec("tonic") is None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tonic.transforms  # noqa: F401
    return [
        compare("frames of events, against tonic's ToFrame", frames, settings),
        compare("voxel grids, against tonic's ToVoxelGrid", voxel_grids, settings),
        compare("time surfaces, against tonic's ToTimesurface", surfaces, settings),
    ]
