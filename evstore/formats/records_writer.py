"""Write records of fixed size, each of which stands for itself: DAT and the 40-bit ``.bin``."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import UnsupportedError
from evstore.events import Events
from evstore.formats.rebasing import Clock

#: Events packed at once.
SLICE_EVENTS = 65_536


class Layout(NamedTuple):
    """What a record can hold: each of t, x and y from 0 to below its limit.

    ``step_back`` is how far time may step back and still be read as it was written, None where it
    does not matter; ``pack`` makes the bytes of events that fit.
    """

    name: str
    t_below: int
    x_below: int
    y_below: int
    step_back: int | None
    pack: Callable[[Events], NDArray[np.uint8]]


class Writer:
    """Takes batches of events in order; the stream stays open, for its owner to close.

    Raises UnsupportedError naming the first event that a record cannot hold; nothing of its
    batch is written.
    """

    def __init__(self, stream: BinaryIO, layout: Layout, rebase: bool) -> None:
        self.events = 0
        self._stream = stream
        self._layout = layout
        self._clock = Clock(rebase)
        self._latest: int | None = None

    def write(self, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> None:
        """Append events: t in microseconds (int64), x, y (uint16), p (0 or 1), of equal length."""
        events = Events(t, x, y, p)
        if len(events) == 0:
            return
        events.t = self._clock.shifted(events.t)
        self._check(events)
        for at in range(0, len(events), SLICE_EVENTS):
            self._stream.write(self._layout.pack(events[at : at + SLICE_EVENTS]).tobytes())
        self._latest = int(events.t[-1])
        self.events += len(events)

    @property
    def origin(self) -> int | None:
        """What is taken from every time; None before the first where it is to become 0."""
        return self._clock.origin

    def close(self) -> None:
        """Flush; the stream stays open, it is the caller's."""
        self._stream.flush()

    def _check(self, events: Events) -> None:
        layout = self._layout
        faults = [
            (events.x >= layout.x_below, "x", f"0..{layout.x_below - 1}", None),
            (events.y >= layout.y_below, "y", f"0..{layout.y_below - 1}", None),
            (
                (events.t < 0) | (events.t >= layout.t_below),
                "t",
                f"0..{layout.t_below - 1}",
                self._clock.hint,
            ),
        ]
        if layout.step_back is not None:
            before = np.empty_like(events.t)
            before[0] = events.t[0] if self._latest is None else self._latest
            before[1:] = events.t[:-1]
            # In unsigned arithmetic, so that no difference of times can overflow.
            far = before.astype(np.uint64) - events.t.astype(np.uint64) > layout.step_back
            expected = f"at most {layout.step_back} us before the last event's time"
            faults.append(((events.t < before) & far, "t", expected, None))
        found = [(int(np.argmax(mask)), k) for k, (mask, *_) in enumerate(faults) if mask.any()]
        if not found:
            return
        first, kind = min(found)
        _, field, expected, hint = faults[kind]
        raise UnsupportedError(
            f"{layout.name} cannot hold event {self.events + first:,} "
            f"(t {events.t[first]}, x {events.x[first]}, y {events.y[first]})",
            field=field,
            expected=expected,
            got=int(getattr(events, field)[first]),
            hint=hint,
        )
