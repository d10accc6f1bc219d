"""Progress, told now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

from evstore.recording.base import Recording

Progress = Callable[[int, int], None]  # bytes of the source (by estimate) and events done
TELL_EVERY_S = 0.1


class Teller:
    """Tells progress, but not too often: (bytes of the source read, events done)."""

    def __init__(self, progress: Progress | None, recording: Recording) -> None:
        self._progress = progress
        self._recording = recording
        self._events = 0
        self._last = 0.0

    def add(self, events: int) -> None:
        """So many more events are done."""
        self._events += events
        if self._progress is not None and time.monotonic() - self._last > TELL_EVERY_S:
            self._last = time.monotonic()
            self._progress(self._recording.position, self._events)
