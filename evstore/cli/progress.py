"""A line on stderr that shows how far a conversion is, where stderr is a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time

from evstore.cli.printing import clock, rate
from evstore.conversion.job import Job, Receipt

WIDTH = 24
REDRAW_S = 0.1


class Progress:
    """Counts bytes and events of all jobs; draws nothing where nobody would see it."""

    def __init__(self, jobs: list[Job]) -> None:
        self._sizes = {job.source: _size(job.source) for job in jobs}
        self._total = sum(self._sizes.values())
        self._jobs = len(jobs)
        self._done_bytes = self._done_events = self._done_jobs = 0
        self._started = time.monotonic()
        self._drawn = 0.0
        self._shown = False
        self.visible = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def tell(self, job: Job, done_bytes: int, events: int) -> None:
        """So much of a job is done; ``done_bytes`` is -1 where the reader cannot say."""
        now = time.monotonic()
        if self.visible and now - self._drawn >= REDRAW_S:
            self._drawn = now
            whole = min(max(done_bytes, 0), self._sizes.get(job.source, 0))
            self._draw(self._done_bytes + whole, self._done_events + events, job.source)

    def finish(self, receipt: Receipt) -> None:
        """A job has ended."""
        self._done_jobs += 1
        self._done_bytes += self._sizes.get(receipt.source, 0)
        self._done_events += receipt.events

    def clear(self) -> None:
        """Take the line away, so that something else may be printed."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

    def _draw(self, done: int, events: int, source: str) -> None:
        seconds = max(time.monotonic() - self._started, 1e-9)
        text = rate(events / seconds)
        part = done / self._total if self._total else 0.0
        if part > 0:
            filled = int(part * WIDTH)
            bar = "#" * filled + "." * (WIDTH - filled)
            left = clock(seconds / part - seconds)
            text = f"[{bar}] {part:4.0%}  {text}  {left} left"
        else:
            text = f"{events:,} events  {text}  {clock(seconds)}"
        if self._jobs > 1:
            text += f"  {self._done_jobs}/{self._jobs} files"
        text += f"  {os.path.basename(source)}"
        columns = shutil.get_terminal_size().columns
        sys.stderr.write("\r" + text[: columns - 1] + "\x1b[K")
        sys.stderr.flush()
        self._shown = True


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
