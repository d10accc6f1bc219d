"""Real noise: recordings of a sensor that saw nothing, laid over the events."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import recorded_kernels as kernels
from evstore.noise.batch import Batch, Sensor, Stage, joined
from evstore.noise.changes.keep import flags, kept
from evstore.noise.changes.share import UNIT, share_of
from evstore.noise.key import Key
from evstore.noise.labels import RECORDED
from evstore.noise.limits import check_choice, check_number
from evstore.noise.random_kernels import random_words
from evstore.noise.recorded_loop import SHORTEST_US, Loop, period
from evstore.noise.recorded_shards import NoiseRecording, NoiseShards
from evstore.noise.sources.adding import Adder
from evstore.noise.transform import Transform
from evstore.shard.address import split_address
from evstore.shard.reader import RecordingReader

NONE, RANDOM, CENTRE = "none", "random", "centre"
HIGHEST_RATE = 100
MOST_AT_ONCE = 1 << 31  # events
# Which random number is for what.
_RECORDING, _FLIP_X, _FLIP_Y, _LEFT, _TOP, _PHASES = range(6)


@dataclass(frozen=True)
class RecordedNoise(Transform):
    """Lays noise over the events that a real sensor gave, from shards of evstore.

    ``path``: a shard, one recording of it (``shard.evs#id``), a folder of shards, or several of
    them. Each sample gets one of their recordings, from a random time on, again from its beginning
    where it ends before the sample does; so long ones that saw nothing but noise are best. Those
    that have fewer than two events, or last less than a millisecond, say not how much noise there
    is, and are passed over.

    ``rate``: how many times as much noise, in 0..100: below 1 a random share of it, above 1 the
    recording that many times, each from another time on. ``crop``: where a recording's sensor is
    larger than that of the events, the part of it that is taken: ``"random"`` or ``"centre"``;
    ``"none"``, both must be equal. ``flip_x``, ``flip_y``: mirror every second sample, by chance.

    Of a recording only the chunks are read that hold what is needed.

    Raises ArgumentError for a parameter out of range, for recordings that are none, too short or
    of a sensor that does not fit; FileNotFoundError where there is no such path.

    >>> from evstore.noise import RecordedNoise
    >>> noise = RecordedNoise("dark/", rate=0.5, crop="random")        # doctest: +SKIP
    >>> noisy = noise(events, sample="train/3/00123")                  # doctest: +SKIP
    """

    path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    rate: float = 1.0
    crop: str | None = NONE
    flip_x: bool = False
    flip_y: bool = False
    _shards: NoiseShards = field(init=False, repr=False, compare=False)

    makes_events = True

    def check(self) -> None:
        """Raises as the class says, but for what is in the recordings."""
        check_number("rate", self.rate, 0, HIGHEST_RATE)
        if self.crop is None:  # as a command line may read the word
            object.__setattr__(self, "crop", NONE)
        check_choice("crop", self.crop, (NONE, RANDOM, CENTRE))
        for name in ("flip_x", "flip_y"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(f"{name} must be True or False, got {getattr(self, name)!r}")
        paths = _paths(self.path)
        object.__setattr__(self, "path", paths[0] if len(paths) == 1 else paths)
        object.__setattr__(self, "_shards", NoiseShards(paths))

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """Raises ArgumentError where a recording's sensor does not fit."""
        recordings = self._shards.recordings()
        if sensor not in self._shards.fitting:
            for recording in recordings:
                self._check_fits(recording, sensor)
            self._shards.fitting.add(sensor)
        copies = math.ceil(self.rate)
        words = np.empty(_PHASES + copies, np.uint64)
        random_words(key.number(self.seed, "RecordedNoise"), 0, words)
        drawn = words.tolist()
        recording, reader, least, length = self._chosen(recordings, drawn[_RECORDING])
        left, top = self._corner(recording, sensor, drawn)
        flips = self.flip_x and drawn[_FLIP_X] & 1 == 1, self.flip_y and drawn[_FLIP_Y] & 1 == 1
        view = _View(left, top, sensor, *flips)
        stages = []
        for k in range(copies):
            loop = Loop(reader, least, length, _below(length, drawn[_PHASES + k]), start)
            seed = key.number(self.seed, f"RecordedNoise {k}")
            stages.append(_Copy(loop, view, seed, min(UNIT, share_of(self.rate - k))))
        return _Overlay(stages)

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that it adds, about: as many as the busiest of some recordings has."""
        return self.rate * self._shards.greatest_hz()

    def _check_fits(self, recording: NoiseRecording, sensor: Sensor) -> None:
        size = recording.resolution
        own = f"{sensor.width}x{sensor.height}"
        if size is None:
            raise ArgumentError(
                f"{recording.name} does not say its resolution: nobody knows whether it fits the "
                f"sensor of {own}"
            )
        if self.crop == NONE and size != tuple(sensor):
            hint = ": give crop='random' or 'centre'" if _holds(size, sensor) else ""
            raise ArgumentError(
                f"{recording.name} is of a sensor of {size[0]}x{size[1]}, and the events are of "
                f"one of {own}{hint}"
            )
        if not _holds(size, sensor):
            raise ArgumentError(
                f"{recording.name} is of a sensor of {size[0]}x{size[1]}, which is too small to "
                f"crop {own} from"
            )

    def _chosen(
        self, recordings: list[NoiseRecording], word: int
    ) -> tuple[NoiseRecording, RecordingReader, int, int]:
        """A random one, or the next one that is long enough; its least time and its period."""
        first = _below(len(recordings), word)
        for recording in recordings[first:] + recordings[:first]:
            reader = self._shards.reader(recording)
            found = period(reader)
            if found is not None:
                return recording, reader, *found
        raise ArgumentError(
            f"no recording in {', '.join(self._shards.paths)} lasts {SHORTEST_US} us or more: "
            "how much noise there is cannot be told of shorter ones"
        )

    def _corner(
        self, recording: NoiseRecording, sensor: Sensor, drawn: list[int]
    ) -> tuple[int, int]:
        assert recording.resolution is not None
        free_x, free_y = (a - b for a, b in zip(recording.resolution, sensor, strict=True))
        if self.crop == CENTRE:
            return free_x // 2, free_y // 2
        return _below(free_x + 1, drawn[_LEFT]), _below(free_y + 1, drawn[_TOP])


class _View:
    """Part of a recording's sensor, as it is laid over the events'."""

    def __init__(self, left: int, top: int, sensor: Sensor, flip_x: bool, flip_y: bool) -> None:
        self.size = sensor
        along_x = (left + sensor.width - 1, -1) if flip_x else (-left, 1)
        along_y = (top + sensor.height - 1, -1) if flip_y else (-top, 1)
        self.corner = np.array([*along_x, *along_y], np.int64)


class _Copy:
    """The noise once: all of it, or a share."""

    def __init__(self, loop: Loop, view: _View, seed: int, share: int) -> None:
        self.loop = loop
        self.view = view
        self.seed = seed
        self.share = share
        self.seen = 0

    def before(self, until: int, last: bool) -> Batch:
        """What comes before that time."""
        return joined([self._laid(piece) for piece in self.loop.pieces(until, last)])

    def _laid(self, noise: Events) -> Batch:
        keep = flags(len(noise))
        x, y = np.empty_like(noise.x), np.empty_like(noise.y)
        which = (self.seed, self.seen, self.share)
        view = self.view
        kernels.overlay(noise.x, noise.y, view.corner, *view.size, *which, x, y, keep)
        self.seen += len(noise)
        label = np.full(len(noise), RECORDED, np.uint8)
        return kept(Batch(noise.t, x, y, noise.p, label), keep)


class _Overlay(Adder):
    def __init__(self, copies: list[_Copy]) -> None:
        self.copies = copies

    def made(self, until: int, last: bool) -> list[Batch]:
        about = sum(copy.loop.expected(until) * copy.share // UNIT for copy in self.copies)
        if about > MOST_AT_ONCE:
            raise ArgumentError(
                f"about {about:,} noise events would come until {until} us: at most "
                f"{MOST_AT_ONCE:,} at once. Use stream(), or give start and stop that are nearer"
            )
        return [copy.before(until, last) for copy in self.copies]


def _holds(size: tuple[int, int], sensor: Sensor) -> bool:
    return size[0] >= sensor.width and size[1] >= sensor.height


def _below(count: int, word: int) -> int:
    """A random number in 0 .. count - 1 of 64 bits."""
    return count * word >> 64


def _paths(path: object) -> tuple[str, ...]:
    """Those given, as text; each exists."""
    if isinstance(path, (str, os.PathLike)):
        path = [path]
    try:
        several = iter(path)  # type: ignore[call-overload]
    except TypeError:  # an array of no dimension says that it can be iterated over
        raise ArgumentError(
            f"path must be a shard, a folder of shards or several, got {path!r}"
        ) from None
    found = []
    for one in several:
        if not isinstance(one, (str, os.PathLike)):
            raise ArgumentError(f"path must be a shard, a folder or several, got {one!r} in it")
        found.append(os.fsdecode(one))
        if "\0" in found[-1]:
            raise ArgumentError(f"path must name a file or folder, got {found[-1]!r}")
        os.stat(split_address(found[-1])[0])
    if not found:
        raise ArgumentError("path must name at least one shard or folder of shards, got none")
    return tuple(found)
