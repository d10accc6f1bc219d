"""Frames that are filled batch by batch: of a chunk's events as soon as they are decoded."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMN_DTYPES
from evstore.frames.columns import piece
from evstore.frames.faults import full, wrong_events
from evstore.frames.output import output
from evstore.frames.spec import Frames, check_resolution
from evstore.memory import room

DTYPES = list(COLUMN_DTYPES.values())
FIRST_TIME = -(1 << 63)
STAGED_FROM = 4 << 20  # bytes of frames
PIECE = 65_536  # values converted at once: they stay in the cache


class Filler:
    """Frames as ``spec`` says, of events that come in batches.

    ``resolution`` is the sensor's (width, height); ``t_start`` the least time of all events that
    will come, ``t_stop`` the greatest plus one and ``n_events`` their number, as a Recording has
    them. ``out`` is what to fill, a C-contiguous array of the spec's dtype and of the shape
    (frames, channels, height, width); what is in it does not matter. How events are cut into
    batches does not change the result.

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
    ) -> None:
        from evstore.frames import histogram_kernels as kernels

        self.spec = spec
        self.resolution = check_resolution(resolution)
        starts, stops = spec.edges(t_start, t_stop, n_events)
        shape = spec.shape(self.resolution, len(starts))
        self._frames = output(shape, np.dtype(spec.dtype), out)
        self._next = 0
        self._finished = False
        self._kernels = kernels
        self._plan = self._planned(starts, stops)

    def _planned(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Any:
        kernels, spec, frames = self._kernels, self.spec, self._frames
        content = kernels.BINARY if spec.binary else kernels.COUNTED
        content = kernels.SIGNED if spec.kind == "signed" else content
        map_x, map_y, keeps_places = _layout(spec, self.resolution)
        _, channels, height, width = frames.shape
        size = channels * height * width
        staged = content == kernels.COUNTED and _pays_to_stage(spec, frames, starts, stops)
        stage = room(size if staged else 0)
        stage.fill(0)
        wide = np.empty(kernels.WIDE, spec.holds.counted)
        bits = f"i{frames.itemsize}"
        return kernels.Plan(
            cells=frames.reshape(-1).view(spec.holds.counted),
            bits=frames.reshape(-1).view(bits),
            stage=stage,
            wide=wide,
            wide_bits=wide.view(bits),
            starts=starts,
            stops=stops,
            map_x=map_x,
            map_y=map_y,
            state=np.array([0, -1, FIRST_TIME, 0, staged, -1, -1], np.int64),
            by_time=int(spec.by_time),
            mapped=int(not keeps_places),
            content=content,
            width=self.resolution[0],
            height=self.resolution[1],
            row=width,
            size=size,
            plane=height * width if channels == 2 else 0,
            least=spec.holds.least,
            greatest=spec.holds.greatest,
        )

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
            wrong = self._kernels.fill(t, x, y, p, first, self._plan)
        else:
            wrong = self._kernels.fill_apart(t, x, y, p, first, self._plan, piece())
        if wrong:
            raise wrong_events(x, y, p, self.resolution)
        self._next = first + t.size
        self._check_full()

    @property
    def stepped_back(self) -> bool:
        """Whether a time was before the one in front of it; known of frames of time only."""
        return bool(self._plan.state[self._kernels.BACK])

    def result(self) -> NDArray[Any]:
        """The frames: (frames, channels, height, width). No event can be added after it.

        Raises ArgumentError for a number that the dtype does not hold.
        """
        if not self._finished:
            self._kernels.finish(self._plan)
            self._check_full()
            if self.spec.holds.counted != self.spec.dtype:
                self._convert()
            self._finished = True
        return self._frames

    def _check_full(self) -> None:
        cell = int(self._plan.state[self._kernels.OVERFLOW])
        if cell >= 0 and self.spec.overflow == "raise":
            raise full(self.spec, self._frames.shape, cell)

    def _convert(self) -> None:
        """What was counted as integers becomes the dtype wanted, where it lies."""
        counted, made = self._plan.cells, self._frames.reshape(-1)
        for start in range(0, counted.size, PIECE):
            some = counted[start : start + PIECE]
            made[start : start + some.size] = some.astype(made.dtype)


@lru_cache(maxsize=64)
def _layout(
    spec: Frames, resolution: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.int32], bool]:
    """Once for all recordings of a dataset: of short ones it would take most of the time."""
    return *spec.maps(resolution), spec.keeps_places(resolution)


def _pays_to_stage(
    spec: Frames, frames: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> bool:
    """Whether to count in a byte each, in the cache, and to write whole frames past it.

    That is for frames which are many, so that they would not stay there, and follow each other.
    """
    if len(starts) < 2 or frames.nbytes < STAGED_FROM or frames.itemsize == 1:
        return False
    return bool(stops[0] <= starts[1])
