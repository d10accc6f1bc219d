"""A line on stderr that shows how far a conversion is, where stderr is a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

from evstore.cli.printing import clock, rate
from evstore.conversion.job import Job, Receipt

if TYPE_CHECKING:
    from evstore.datasets.packing.job import PackReceipt

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
        self.visible = _is_terminal()

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
        self._shown = self._shown and _clear()

    def _draw(self, done: int, events: int, source: str) -> None:
        seconds = max(time.monotonic() - self._started, 1e-9)
        text = rate(events / seconds)
        part = done / self._total if self._total else 0.0
        if part > 0:
            text = f"{_bar(part)} {part:4.0%}  {text}  {clock(seconds / part - seconds)} left"
        else:
            text = f"{events:,} events  {text}  {clock(seconds)}"
        if self._jobs > 1:
            text += f"  {self._done_jobs}/{self._jobs} files"
        text += f"  {os.path.basename(source)}"
        self._shown = _show(text)


class ShardProgress:
    """Counts the shards of a dataset as they are packed, and keeps their receipts."""

    def __init__(self) -> None:
        self.receipts: list[PackReceipt] = []
        self.total = 0
        self._started = time.monotonic()
        self._shown = False
        self.visible = _is_terminal()

    def receipt(self, receipt: PackReceipt, total: int) -> None:
        """A shard has ended, one of ``total``."""
        self.receipts.append(receipt)
        self.total = total
        if not self.visible:
            return
        seconds = max(time.monotonic() - self._started, 1e-9)
        made = [one for one in self.receipts if one.status != "skipped"]
        done = len(self.receipts)
        text = f"{_bar(done / total)}  {done:,}/{total:,} shards"
        if made:
            text += f"  {rate(sum(one.events for one in made) / seconds)}"
            text += f"  {clock(seconds / len(made) * (total - done))} left"
        self._shown = _show(text)

    def clear(self) -> None:
        """Take the line away, so that something else may be printed."""
        self._shown = self._shown and _clear()


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _bar(part: float) -> str:
    filled = int(part * WIDTH)
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}]"


def _show(text: str) -> bool:
    """Draw the line; True."""
    columns = shutil.get_terminal_size().columns
    sys.stderr.write("\r" + text[: columns - 1] + "\x1b[K")
    sys.stderr.flush()
    return True


def _clear() -> bool:
    """Take the line away; False."""
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
    return False


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
