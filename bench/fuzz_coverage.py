"""What a copy made a parser do that none did before: lines it ran, and what came of it.

Kernels are compiled, so their lines are not seen; what they give is (`behaviour`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable, Iterator
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from evstore.formats.conformance_damage import Judged

FIRST_WORDS = 4  # of a message: those behind may be the file's own
TRUSTED_CALLS = 4096  # calls of a function without a new line, after which
SAMPLED = 8  # one call in so many is watched
TOOL = 3  # a number of sys.monitoring that no known tool has


class Lines:
    """The lines of the modules in a folder that were run while it was on."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._counted = 0
        self.seen: set[tuple[str, int]] = set()
        self._left: dict[CodeType, set[int]] = {}  # lines that were not run yet
        self._calls: dict[CodeType, int] = {}  # since a line was new

    def watches(self, code: CodeType) -> bool:
        folder, _, file = code.co_filename.rpartition("/")
        return folder == self._folder and not file.startswith("conformance")

    def took_new(self) -> bool:
        """Whether any line is new since this was asked last."""
        before, self._counted = self._counted, len(self.seen)
        return self._counted > before

    def start(self) -> None:
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is None:
            sys.settrace(self._called)
            return
        monitoring.use_tool_id(TOOL, "evstore fuzz")
        monitoring.register_callback(TOOL, monitoring.events.LINE, self._ran)
        monitoring.set_events(TOOL, monitoring.events.LINE)

    def stop(self) -> None:
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is None:
            sys.settrace(None)
        else:
            monitoring.set_events(TOOL, 0)
            monitoring.free_tool_id(TOOL)

    def _ran(self, code: CodeType, line: int) -> object:
        """Each place calls this once: what is disabled costs nothing."""
        if self.watches(code):
            self.seen.add((code.co_filename, line))
        return sys.monitoring.DISABLE  # type: ignore[attr-defined]  # from 3.12 on

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        """The way of 3.10 and 3.11: dear, so only functions with lines that were not run yet."""
        code = frame.f_code
        left = self._left.get(code)
        if left is None:
            left = self._left[code] = set(_lines(code)) if self.watches(code) else set()
            self._calls[code] = 0
        if not left:
            return None
        calls = self._calls[code] = self._calls[code] + 1
        return self._stepped if calls < TRUSTED_CALLS or calls % SAMPLED == 0 else None

    def _stepped(self, frame: FrameType, event: str, argument: object) -> Any:
        code, line = frame.f_code, frame.f_lineno
        if event == "line" and line in self._left[code]:
            self._left[code].discard(line)
            self._calls[code] = 0
            self.seen.add((code.co_filename, line))
        return self._stepped


def _lines(code: CodeType) -> Iterator[int]:
    return (line for _, _, line in code.co_lines() if line and line != code.co_firstlineno)


def behaviour(judged: Judged) -> Iterator[tuple[Hashable, Hashable]]:
    """What a reading came to, coarsely, as (kind, value): a new one is worth keeping a copy for."""
    yield "events", sum(batch.t.size for batch in judged.batches).bit_length()
    for batch in judged.batches[:4]:
        if batch.t.size:
            yield "x", int(batch.x.max()).bit_length()
            yield "y", int(batch.y.max()).bit_length()
            yield ("t", bool(batch.t[0] < 0)), int(batch.t[0]).bit_length()
            yield "span", (int(batch.t.max()) - int(batch.t.min())).bit_length()
        if batch.triggers is not None:
            yield "triggers", len(batch.triggers.t).bit_length()
        for name, columns in (batch.side or {}).items():
            for column, values in columns.items():
                yield "side", (words(name), words(column), len(values).bit_length())
    if judged.reading is not None:
        for kind, count in judged.reading.dropped.items():
            yield ("dropped", words(kind)), int(count).bit_length()
    error = judged.error
    if error is not None:
        # One line may raise what a kernel found, in as many words as there are statuses.
        yield ("error", type(error).__name__, *sites(error.__traceback__)), words(str(error))


def words(message: str) -> str:
    """How a message begins, up to what is the file's own: it is quoted; numbers are left out.

    >>> words("row 7 of 'a topic' at byte 12, expected 3")
    'row # of'
    """
    own = re.split("['\"]", message)[0]
    return " ".join(re.sub(r"-?\d+(\.\d+)?", "#", own).split()[:FIRST_WORDS])


def sites(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    """(file, line) of the calls that led to an error, but for those of this package."""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        file = name.rpartition("/")[2]
        if "/bench/" not in name and not file.startswith("conformance"):
            yield file, trace.tb_lineno
        trace = trace.tb_next
