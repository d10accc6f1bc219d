"""Frames that are filled batch by batch: of a chunk's events as soon as they are decoded."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMN_DTYPES
from evstore.frames.columns import piece
from evstore.frames.faults import full, wrong_events
from evstore.frames.output import output
from evstore.frames.spec import FIRST_TIME, LAST_TIME, Frames, check_resolution
from evstore.memory import room

DTYPES = list(COLUMN_DTYPES.values())
STAGED_FROM = 4 << 20  # bytes of frames
PIECE = 65_536  # values converted at once: they stay in the cache


class Filler:
    """Frames as ``spec`` says, of events that come in batches.

    ``resolution`` is the sensor's (width, height); ``t_start`` the least time of all events that
    will come, ``t_stop`` the greatest plus one and ``n_events`` their number, as a Recording has
    them. ``out`` is what to fill, a C-contiguous array of the spec's dtype and of the shape
    (frames, channels, height, width); what is in it does not matter. ``within``: frames of time
    take only events with ``within[0] <= t < within[1]``. How events are cut into batches does not
    change the result.

    Raises ArgumentError for an ``out`` that does not fit, and whatever `Frames.edges` does.

    >>> from evstore.events import Events
    >>> events = Events([0, 5, 12, 20], [0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 1])
    >>> filler = Filler(Frames(duration=10), (2, 1), t_start=0, t_stop=21, n_events=4)
    >>> for part in (events[:1], events[1:]):
    ...     filler.add(part.t, part.x, part.y, part.p)
    >>> filler.result().tolist()
    [[[[0, 0]], [[1, 1]]], [[[0, 1]], [[0, 0]]]]
    """

    __slots__ = (
        "_finished",
        "_frames",
        "_kernels",
        "_next",
        "_plan",
        "resolution",
        "spec",
    )

    def __init__(
        self,
        spec: Frames,
        resolution: tuple[int, int],
        t_start: int,
        t_stop: int,
        n_events: int,
        out: NDArray[Any] | None = None,
        within: tuple[int, int] | None = None,
    ) -> None:
        from evstore.frames import histogram_kernels as kernels

        self.spec = spec
        self.resolution = check_resolution(resolution)
        starts, stops = spec.edges(t_start, t_stop, n_events)
        if within is not None and spec.by_time:
            least, most = (min(max(t, FIRST_TIME), LAST_TIME) for t in within)
            starts, stops = starts.clip(least, most), stops.clip(least, most)
        shape = spec.shape(self.resolution, len(starts))
        self._frames = output(shape, np.dtype(spec.dtype), out)
        self._next = 0
        self._finished = False
        self._kernels = kernels
        self._plan = plan_of(spec, self.resolution, self._frames, starts, stops)

    def add(
        self,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        first_event: int | None = None,
    ) -> None:
        """Add consecutive events: columns of one length, with the dtypes of Events.

        ``first_event`` is the number of the first one, counted from the first of all; None: they
        follow those added before. Raises ArgumentError for an event outside the resolution, a
        polarity other than 0 and 1, and a number that the dtype does not hold; the frames are then
        of no use.
        """
        columns = t, x, y, p
        if not t.size == x.size == y.size == p.size:
            raise ArgumentError(f"columns must be of equal length, got {[a.size for a in columns]}")
        if [column.dtype for column in columns] != DTYPES:
            raise ArgumentError(
                f"columns must be int64, uint16, uint16, uint8, got {[a.dtype for a in columns]}"
            )
        if self._finished:
            raise ArgumentError("the result has been taken: make a new Filler")
        first = self._next if first_event is None else first_event
        if all(column.flags.c_contiguous for column in columns):
            self.add_decoded(t, x, y, p, first)
            return
        if self._kernels.fill_apart(t, x, y, p, first, self._plan, piece()):
            raise wrong_events(x, y, p, self.resolution)
        self._next = first + t.size
        self._check_full()

    def add_decoded(
        self,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        first_event: int,
    ) -> None:
        """As `add`, of columns that are known to be right: contiguous, of these dtypes, as long."""
        if self._kernels.fill(t, x, y, p, first_event, self._plan):
            raise wrong_events(x, y, p, self.resolution)
        self._next = first_event + t.size
        self._check_full()

    def add_packed(
        self,
        words: NDArray[np.uint16],
        pieces: NDArray[np.int64],
        about: NDArray[np.int64],
        scratch: Any,
    ) -> int:
        """Add chunks of the codec `packed`; what is wrong with one: see `fill_packed`.

        Raises ArgumentError for a number that the dtype does not hold.
        """
        from evstore.frames.straight_kernels import fill_packed

        why = int(fill_packed(words, pieces, about, self._plan, scratch))
        self._check_full()
        return why

    @property
    def stepped_back(self) -> bool:
        """Whether a time was before the one in front of it; known of frames of time only."""
        return bool(self._plan.state[self._kernels.BACK])

    def result(self) -> NDArray[Any]:
        """The frames: (frames, channels, height, width). No event can be added after it.

        Raises ArgumentError for a number that the dtype does not hold.
        """
        if not self._finished:
            state = self._plan.state
            staged = state[self._kernels.FRAME] >= 0
            if staged or state[self._kernels.CLEARED] < len(self._frames):
                self._kernels.finish(self._plan)
                self._check_full()
            convert(self.spec, self._frames)
            self._finished = True
        return self._frames

    def _check_full(self) -> None:
        cell = int(self._plan.state[self._kernels.OVERFLOW])
        if cell >= 0 and self.spec.overflow == "raise":
            raise full(self.spec, self._frames.shape, cell)


def plan_of(
    spec: Frames,
    resolution: tuple[int, int],
    frames: NDArray[Any],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> Any:
    """What kernels are told of the frames to fill, to which nothing was added yet."""
    from evstore.frames import histogram_kernels as kernels

    layout = _layout(spec, resolution)
    staged = layout.counts and _pays_to_stage(frames, starts, stops)
    stage = layout.no_stage
    if staged:
        stage = room(frames[0].size)
        stage.fill(0)
    cells = frames.reshape(-1).view(spec.holds.counted)
    state = np.array(kernels.EMPTY, np.int64)
    state[kernels.STAGED] = staged
    return kernels.Plan(
        cells, stage, starts, stops, state, *layout.rest,
    )  # fmt: skip


def convert(spec: Frames, frames: NDArray[Any]) -> None:
    """What was counted as integers becomes the dtype wanted, where it lies."""
    if spec.holds.counted == spec.dtype:
        return
    made = frames.reshape(-1)
    counted = made.view(spec.holds.counted)
    for start in range(0, counted.size, PIECE):
        some = counted[start : start + PIECE]
        made[start : start + some.size] = some.astype(made.dtype)


class _Layout(NamedTuple):
    """What a Plan of a sensor's recordings has in common."""

    counts: bool  # whether cells count events, which may be staged
    no_stage: NDArray[np.uint8]  # where nothing is staged
    rest: tuple[Any, ...]  # the Plan's fields from map_x on


@lru_cache(maxsize=64)
def _layout(spec: Frames, resolution: tuple[int, int]) -> _Layout:
    """Once for all recordings of a dataset: of short ones it would take most of the time."""
    from evstore.frames import histogram_kernels as kernels

    content = kernels.BINARY if spec.binary else kernels.COUNTED
    content = kernels.SIGNED if spec.kind == "signed" else content
    _, channels, height, width = spec.shape(resolution, 1)
    mapped = int(not spec.keeps_places(resolution))
    plane = height * width if channels == 2 else 0
    return _Layout(
        content == kernels.COUNTED,
        np.empty(0, np.uint8),
        (
            *spec.maps(resolution), int(spec.by_time), mapped, content, *resolution,
            width, channels * height * width, plane, spec.holds.least, spec.holds.greatest,
        ),
    )  # fmt: skip


def _pays_to_stage(
    frames: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> bool:
    """Whether to count in a byte each, in the cache, and to write whole frames past it.

    That is for frames which are many, so that they would not stay there, and follow each other.
    """
    if len(starts) < 2 or frames.nbytes < STAGED_FROM or frames.itemsize == 1:
        return False
    return bool(stops[0] <= starts[1])
