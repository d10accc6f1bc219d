"""Which frames are wanted: where each begins and ends, and what a pixel of it holds."""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evstore.errors import ArgumentError

MAX_FRAMES = 1 << 24
FIRST_TIME, LAST_TIME = -(1 << 63), (1 << 63) - 1
SIDE = 1 << 16  # coordinates are uint16

CHANNELS = {"on_off": 2, "merged": 1, "signed": 1}


class Holds(NamedTuple):
    """What a dtype holds exactly, and the dtype of its size that kernels count in."""

    least: int
    greatest: int
    counted: str


class Division(NamedTuple):
    """Where the first frame begins, their length, their stride, and how many there are.

    In microseconds, or in events.
    """

    first: int
    length: int
    stride: int
    n_frames: int


DTYPES = {
    "uint8": Holds(0, 255, "uint8"),
    "int8": Holds(-128, 127, "int8"),
    "int16": Holds(-(1 << 15), (1 << 15) - 1, "int16"),
    "int32": Holds(-(1 << 31), (1 << 31) - 1, "int32"),
    "float16": Holds(-(1 << 11), 1 << 11, "int16"),
    "float32": Holds(-(1 << 24), 1 << 24, "float32"),
}


@dataclass(frozen=True)
class Frames:
    """Which frames to make of events; times in microseconds.

    Exactly one says how events are divided, as tonic's ToFrame divides them:

    - ``duration``: so many microseconds a frame, the next one ``stride`` later.
    - ``bins``: so many frames of equal duration, a whole number of microseconds.
    - ``count``: so many events a frame, the next one ``stride`` events later.
    - ``event_bins``: so many frames of equal numbers of events.

    Frames begin with the first event, or at ``start``. An incomplete last one is left out unless
    ``partial``; one ends complete if it ends by ``stop``, or, where that is not given, by the time
    of the last event, whose own microsecond is then in no complete frame. There is never less than
    one frame: of less than that, the one is incomplete. An event is in each frame with
    ``start <= t < stop``, wherever it stands.

    What a pixel holds: ``kind`` "on_off" counts OFF events in channel 0 and ON events in channel
    1, "merged" all in one, "signed" is ON minus OFF events; ``binary`` is 1 for any number of
    events. ``crop=(x0, y0, x1, y1)`` keeps these pixels, ``size=(width, height)`` then sums them
    into so many (``x_out = (x - x0) * width // (x1 - x0)``), ``flip_x`` and ``flip_y`` mirror that.
    A number that ``dtype`` cannot hold (float16 up to 2,048, float32 up to 2**24) is an error, or
    stays at the limit with ``overflow="saturate"``; of signed frames that is so after each event.

    Raises ArgumentError for values that make no sense.

    >>> starts, stops = Frames(duration=10).edges(t_start=5, t_stop=36, n_events=4)
    >>> starts.tolist(), stops.tolist()
    ([5, 15, 25], [15, 25, 35])
    >>> Frames(bins=4, kind="signed").shape((34, 34), 4)
    (4, 1, 34, 34)
    """

    duration: int | None = None
    bins: int | None = None
    count: int | None = None
    event_bins: int | None = None
    stride: int | None = None
    partial: bool = False
    start: int | None = None
    stop: int | None = None
    kind: str = "on_off"
    binary: bool = False
    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    flip_x: bool = False
    flip_y: bool = False
    dtype: DTypeLike = "int16"
    overflow: str = "raise"

    def __post_init__(self) -> None:
        for name in ("duration", "bins", "count", "event_bins", "stride", "start", "stop"):
            if getattr(self, name) is not None:
                least = None if name in ("start", "stop") else 1
                object.__setattr__(self, name, _integer(name, getattr(self, name), least))
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
        self._check_division()
        self._check_pixels()
        if self.crop is not None:
            object.__setattr__(self, "crop", _crop(self.crop))
        if self.size is not None:
            object.__setattr__(self, "size", _size(self.size))

    def _check_division(self) -> None:
        ways = ("duration", "bins", "count", "event_bins")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) != 1:
            raise ArgumentError(f"give exactly one of {', '.join(ways)}, got {given or 'none'}")
        if self.bins is not None or self.event_bins is not None:
            if self.stride is not None or self.partial:
                raise ArgumentError(f"stride and partial go with duration or count, not {given[0]}")
            _few_enough(self.bins or self.event_bins or 1)
        if not self.by_time and (self.start is not None or self.stop is not None):
            raise ArgumentError(f"start and stop are times: they do not go with {given[0]}")
        if self.start is not None and self.stop is not None and self.start >= self.stop:
            raise ArgumentError(f"start must be before stop, got {self.start} and {self.stop}")

    def _check_pixels(self) -> None:
        _one_of("kind", self.kind, CHANNELS)
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("overflow", self.overflow, ("raise", "saturate"))
        if self.kind == "signed" and self.binary:
            raise ArgumentError("binary frames have no sign: take kind on_off or merged")
        if self.kind == "signed" and self.holds.least == 0:
            raise ArgumentError(f"signed frames may be negative, which {self.dtype} cannot hold")

    @property
    def by_time(self) -> bool:
        """Whether frames are divided by time, not by the number of events."""
        return self.duration is not None or self.bins is not None

    @property
    def holds(self) -> Holds:
        """What the dtype can hold."""
        return DTYPES[str(self.dtype)]

    def edges(
        self, t_start: int, t_stop: int, n_events: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where frames begin and where they end (outside): int64 times, or numbers of events.

        ``t_start`` is the least time of the events and ``t_stop`` the greatest plus one, both 0
        where there are none: as a Recording has them. Raises ArgumentError for more than 2**24
        frames, and where one ends after the last time that an int64 holds.
        """
        starts, stops = _steps(*self.division(t_start, t_stop, n_events))
        return starts, stops if self.by_time else np.minimum(stops, max(n_events, 0))

    def division(self, t_start: int, t_stop: int, n_events: int) -> Division:
        """`edges` in four numbers, of frames by count but for the events that there are not."""
        made = self._time_edges(t_start, t_stop) if self.by_time else self._number_edges(n_events)
        _few_enough(made.n_frames)
        if self.by_time:
            last_stop = made.first + (made.n_frames - 1) * made.stride + made.length
            if last_stop > LAST_TIME or made.first < FIRST_TIME:
                raise ArgumentError(
                    f"frames must lie in the times of an int64, got {made.first:,} to "
                    f"{last_stop:,}: choose start, stop, or partial=False"
                )
        return made

    def _time_edges(self, t_start: int, t_stop: int) -> Division:
        first = t_start if self.start is None else self.start
        if self.bins is not None:
            end = t_stop - 1 if self.stop is None else self.stop
            length = max(1, (end - first) // self.bins)
            return Division(first, length, length, self.bins)
        assert self.duration is not None
        # A frame up to the last event may be complete; with `partial`, that event is in one too.
        end = self.stop if self.stop is not None else t_stop if self.partial else t_stop - 1
        stride = self.stride or self.duration
        n_frames = self._how_many(end - first, self.duration, stride)
        return Division(first, self.duration, stride, n_frames)

    def _number_edges(self, n_events: int) -> Division:
        if self.event_bins is not None:
            length = max(1, n_events // self.event_bins)
            return Division(0, length, length, self.event_bins)
        assert self.count is not None
        length = min(self.count, max(1, n_events))
        stride = self.stride or self.count
        return Division(0, length, stride, self._how_many(n_events, length, stride))

    def _how_many(self, span: int, length: int, stride: int) -> int:
        if not self.partial:
            return max(1, (span - length) // stride + 1)
        # All that begin before the end, but none after the first that reaches it.
        return max(1, min(-((length - span) // stride) + 1, -(-span // stride)))

    def shape(self, resolution: tuple[int, int], n_frames: int) -> tuple[int, int, int, int]:
        """(frames, channels, height, width) of the result for a sensor's (width, height)."""
        width, height = self.size or _extent(self._crop_of(resolution))
        return n_frames, CHANNELS[self.kind], height, width

    def maps(self, resolution: tuple[int, int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The result's column for each x of the sensor, and its row for each y; -1 outside crop.

        >>> Frames(bins=1, crop=(1, 0, 5, 1), size=(2, 1)).maps((6, 1))[0].tolist()
        [-1, 0, 0, 1, 1, -1]
        """
        x0, y0, x1, y1 = crop = self._crop_of(resolution)
        width, height = self.size or _extent(crop)
        return (
            _map(resolution[0], x0, x1, width, self.flip_x),
            _map(resolution[1], y0, y1, height, self.flip_y),
        )

    def keeps_places(self, resolution: tuple[int, int]) -> bool:
        """Whether each event lies in the result where it lies on the sensor."""
        whole = self._crop_of(resolution) == (0, 0, *resolution)
        return whole and self.size in (None, resolution) and not (self.flip_x or self.flip_y)

    def _crop_of(self, resolution: tuple[int, int]) -> tuple[int, int, int, int]:
        width, height = resolution
        crop = self.crop or (0, 0, width, height)
        if crop[2] > width or crop[3] > height:
            raise ArgumentError(
                f"crop must lie within the sensor's {width} x {height} pixels, got {crop}"
            )
        if self.size is not None:
            within = _extent(crop)
            if self.size[0] > within[0] or self.size[1] > within[1]:
                raise ArgumentError(
                    f"size must be at most the crop's {within[0]} x {within[1]} pixels, "
                    f"got {self.size}"
                )
        return crop


#: Names of a spec's fields: what `to_frames` takes by name.
FIELDS = tuple(field.name for field in fields(Frames))


def check_resolution(resolution: Any) -> tuple[int, int]:
    """(width, height) of a sensor; raises ArgumentError for anything else."""
    if resolution is None:
        raise ArgumentError("the events do not say their sensor's size: give resolution=(w, h)")
    return _sides("resolution", resolution)


def _map(sensor: int, low: int, high: int, side: int, flip: bool) -> NDArray[np.int32]:
    places = np.full(sensor, -1, np.int32)
    inside = np.arange(high - low, dtype=np.int64) * side // (high - low)
    places[low:high] = side - 1 - inside if flip else inside
    return places


def _steps(
    first: int, length: int, stride: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``count`` starts, ``stride`` apart, and what is ``length`` behind each."""
    after = first + count * stride
    if min(first, length) >= FIRST_TIME and max(after, length) <= LAST_TIME:
        starts = np.arange(first, after, stride, dtype=np.int64)
        return starts, starts + length
    # Of int64 that wrap: each edge fits, but what lies between two may not.
    starts = np.arange(count, dtype=np.int64) * _wrapped(stride) + first
    return starts, starts + _wrapped(length)


def _wrapped(value: int) -> np.int64:
    return np.int64((value - LAST_TIME - 1) % (2 * LAST_TIME + 2) - LAST_TIME - 1)


def _extent(crop: tuple[int, int, int, int]) -> tuple[int, int]:
    return crop[2] - crop[0], crop[3] - crop[1]


def _crop(crop: Any) -> tuple[int, int, int, int]:
    made = _integers("crop", crop, 4)
    x0, y0, x1, y1 = made
    if not (0 <= x0 < x1 <= SIDE and 0 <= y0 < y1 <= SIDE):
        raise ArgumentError(f"crop must be (x0, y0, x1, y1) with x0 < x1 and y0 < y1, got {crop}")
    return x0, y0, x1, y1


def _size(size: Any) -> tuple[int, int]:
    return _sides("size", size)


def _sides(name: str, sides: Any) -> tuple[int, int]:
    width, height = _integers(name, sides, 2)
    if not (1 <= width <= SIDE and 1 <= height <= SIDE):
        raise ArgumentError(f"{name} must be (width, height) in 1..{SIDE}, got {sides}")
    return width, height


def _integers(name: str, values: Any, how_many: int) -> list[int]:
    try:
        made = [operator.index(value) for value in values]
    except TypeError:
        made = []
    if len(made) != how_many:
        raise ArgumentError(f"{name} must be {how_many} integers, got {values!r}")
    return made


def _integer(name: str, value: Any, least: int | None) -> int:
    try:
        made = operator.index(value)
    except TypeError:
        raise ArgumentError(f"{name} must be an integer, got {value!r}") from None
    if isinstance(value, bool) or (least is not None and made < least):
        raise ArgumentError(f"{name} must be {least} or more, got {value}")
    return made


def _one_of(name: str, value: Any, known: Any) -> None:
    if value not in known:
        raise ArgumentError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def _few_enough(n_frames: int) -> int:
    if n_frames > MAX_FRAMES:
        raise ArgumentError(
            f"that would be {n_frames:,} frames, of at most {MAX_FRAMES:,}: choose longer ones"
        )
    return n_frames
