"""Write records of fixed size, each of which stands for itself: DAT and the 40-bit ``.bin``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

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
    pack: Callable[[Events], NDArray[Any]]


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
            self._stream.write(self._layout.pack(events[at : at + SLICE_EVENTS]).data)
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
        least, most = int(events.t.min()), int(events.t.max())
        latest = most if self._latest is None else max(most, self._latest)
        if (
            least >= 0
            and most < layout.t_below
            and int(events.x.max()) < layout.x_below
            and int(events.y.max()) < layout.y_below
            and (layout.step_back is None or latest - least <= layout.step_back)
        ):
            return
        found = [fault for fault in self._faults(events) if fault is not None]
        if found:
            first, field, expected, hint = min(found, key=lambda fault: fault[0])
            raise UnsupportedError(
                f"{layout.name} cannot hold event {self.events + first:,} "
                f"(t {events.t[first]}, x {events.x[first]}, y {events.y[first]})",
                field=field,
                expected=expected,
                got=int(getattr(events, field)[first]),
                hint=hint,
            )

    def _faults(self, events: Events) -> list[_Fault | None]:
        layout, t = self._layout, events.t
        limits = (("t", layout.t_below), ("x", layout.x_below), ("y", layout.y_below))
        found = [
            _first(
                (getattr(events, field) < 0) | (getattr(events, field) >= below),
                field,
                f"0..{below - 1}",
                self._clock.hint if field == "t" else None,
            )
            for field, below in limits
        ]
        if layout.step_back is not None:
            before = np.concatenate(([t[0] if self._latest is None else self._latest], t[:-1]))
            # In unsigned arithmetic, so that no difference of times can overflow.
            far = before.astype(np.uint64) - t.astype(np.uint64) > layout.step_back
            expected = f"at most {layout.step_back} us before the last event's time"
            found.append(_first((t < before) & far, "t", expected, None))
        return found


_Fault = tuple[int, str, str, str | None]


def _first(mask: NDArray[np.bool_], field: str, expected: str, hint: str | None) -> _Fault | None:
    """What is wrong with the first event of the mask, None where there is none."""
    return (int(np.argmax(mask)), field, expected, hint) if mask.any() else None
