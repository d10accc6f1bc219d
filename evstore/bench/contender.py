"""A way to keep events: what a benchmark asks of each."""

from __future__ import annotations

import abc
import os
from importlib.util import find_spec
from typing import Any, ClassVar, TypeVar

import numpy as np

from evstore.events import Events

#: Names of a package to pip, where they are not those to Python.
PIP_NAMES = {"dv_processing": "dv-processing", "event_stream": "event-stream"}


class Contender(abc.ABC):
    """Writes events into a folder, reads them back, and perhaps windows of them.

    One object serves one folder. What is not timed: `take`, `events_of`, `buffers`, `close`.
    """

    name: ClassVar[str]
    family: ClassVar[str]  # of the chart: its colour
    packages: ClassVar[tuple[str, ...]] = ()  # that must be installed, by the names Python knows
    ours = False
    note = ""  # what a reader of its row should know
    writes = True  # False: another's package writes its files, so encoding is not measured
    tiles = True  # False: it would find a tiled recording's repeats
    most_events: int | None = None  # of a tiled recording, where its writer is too slow for more
    first_reads = 1  # fresh processes that read for the first time
    has_open = False
    has_reuse = False
    has_windows = False
    has_recover = False

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "events")

    @classmethod
    def missing(cls) -> str | None:
        """How to get what it needs and is not there, None where all is there."""
        absent = [name for name in cls.packages if find_spec(name) is None]
        names = " ".join(PIP_NAMES.get(name, name) for name in absent)
        return f"pip install {names}" if absent else None

    def take(self, events: Events) -> Any:
        """The events as this way wants them in memory."""
        return events

    @abc.abstractmethod
    def write(self, taken: Any) -> None:
        """Write all events; replaces what was written before.

        Raises what it likes where it cannot hold them.
        """

    def keep(self) -> None:  # noqa: B027 - most have done so
        """Put into files what `write` left in memory: another process reads it."""

    @abc.abstractmethod
    def read(self) -> Any:
        """All events from the files, in fresh arrays, as whatever this way gives."""

    def events_of(self, found: Any) -> Events:
        """What was read, as Events."""
        assert isinstance(found, Events)
        return found

    def open(self) -> None:  # noqa: B027 - most need nothing
        """Open the files and read what says where events are, but no events."""

    def window(self, start: int, stop: int) -> Any:
        """Events with ``start <= t < stop``, copied, through what `open` opened."""
        raise NotImplementedError

    def buffers(self) -> None:  # noqa: B027 - most need nothing
        """Make the arrays that `reuse` decodes into."""

    def reuse(self) -> Any:
        """All events from the files, in the arrays of `buffers`."""
        raise NotImplementedError

    def close(self) -> None:  # noqa: B027 - most need nothing
        """Let go of files."""

    def recover(self) -> Events:
        """What can be saved of a damaged file, with what the package has for it."""
        raise NotImplementedError

    def files(self) -> list[str]:
        """Its files, in an order that is always the same."""
        found = (os.path.join(at, n) for at, _, names in os.walk(self.folder) for n in names)
        return sorted(found)

    def size(self) -> int:
        """Bytes of all its files."""
        return sum(map(os.path.getsize, self.files()))


class OfColumns(Contender):
    """A contender that gives a list of the columns t, x, y, p."""

    def events_of(self, found: Any) -> Events:
        """What was read, as Events."""
        t, x, y, p = found
        return Events(t, x, y, p)


class OfRecords(Contender):
    """A contender that gives a structured array, or a table of rows, with these columns."""

    fields: ClassVar[tuple[Any, Any, Any, Any]] = ("t", "x", "y", "p")

    def events_of(self, found: Any) -> Events:
        """What was read, as Events. Negative and too large values stay wrong, but are no error."""
        t, x, y, p = (found[field] for field in self.fields)
        return Events(t.astype(np.int64), x.astype(np.uint16), y.astype(np.uint16), p > 0)


Way = TypeVar("Way", bound=type[Contender])


def variant(base: Way, name: str, **settings: Any) -> Way:
    """A contender as ``base``, but for its name and these settings."""
    body = {"name": name, "__module__": base.__module__, **settings}
    return type(name, (base,), body)  # type: ignore[return-value]


def resolution_of(events: Events) -> tuple[int, int]:
    """The sensor's, or the least that holds all events."""
    return events.resolution or (int(events.x.max()) + 1, int(events.y.max()) + 1)


def check_fits(events: Events, what: str, t_bits: int, xy_bits: int) -> None:
    """Raise ValueError where a format cannot hold the times or places of the events."""
    low, high = int(events.t.min()), int(events.t.max())
    if low < 0 or high >> t_bits:
        raise ValueError(f"{what} holds times of 0 to 2^{t_bits} us, these are {low} to {high}")
    widest = max(int(events.x.max()), int(events.y.max()))
    if widest >> xy_bits:
        raise ValueError(f"{what} holds x and y below {1 << xy_bits}, these go to {widest}")
