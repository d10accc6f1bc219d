"""A way to keep events: what `evstore bench` asks of each."""

from __future__ import annotations

import abc
import os
from importlib.util import find_spec
from typing import Any

from evstore.events import Events


class Contender(abc.ABC):
    """Writes events into a folder, reads them back, and perhaps windows of them.

    `write` is timed; `open` prepares what is prepared once; then the reads are timed.
    """

    name: str
    package: str | None = None  # what must be installed
    has_reuse = False
    has_windows = False

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "events")

    @classmethod
    def installed(cls) -> bool:
        """Whether its package is there."""
        return cls.package is None or find_spec(cls.package) is not None

    @abc.abstractmethod
    def write(self, events: Events) -> None:
        """Write all events; replaces what was written before.

        Raises what it likes where it cannot hold them.
        """

    def open(self) -> None:  # noqa: B027 - most need nothing
        """Prepare for reading."""

    @abc.abstractmethod
    def read(self) -> Any:
        """All events, in fresh arrays, as whatever this way gives."""

    def reuse(self) -> Any:
        """All events again, in the buffers of the call before."""
        raise NotImplementedError

    def window(self, start: int, stop: int) -> Any:
        """Events with ``start <= t < stop``, copied, as whatever this way gives."""
        raise NotImplementedError

    def events_of(self, found: Any) -> Events:
        """What was read, as Events; this is not timed."""
        assert isinstance(found, Events)
        return found

    def close(self) -> None:  # noqa: B027 - most need nothing
        """Let go of files."""

    def size(self) -> int:
        """Bytes of all its files."""
        names = os.listdir(self.folder)
        return sum(os.path.getsize(os.path.join(self.folder, name)) for name in names)


class OfColumns(Contender):
    """A contender that gives a list of the columns t, x, y, p."""

    def events_of(self, found: Any) -> Events:
        """What was read, as Events; this is not timed."""
        t, x, y, p = found
        return Events(t, x, y, p)
