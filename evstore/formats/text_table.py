"""Lines of text to batches of events, through one reused buffer of whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import (
    ArgumentError,
    CorruptError,
    FormatError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats.columns import Layout
from evstore.formats.fresh import fresh
from evstore.formats.reading import Batch
from evstore.formats.records import BUFFER_BYTES, fill
from evstore.memory import room

#: Bytes a line may have. Real ones have some 30; what is longer is not a table of events.
LINE_LIMIT = 4096

#: In a table of this delimiter, any run of spaces and tabs parts two fields.
WHITESPACE = b" "

_BLANK = b" \t\r"


@dataclass
class Table:
    """How to read the lines, and what is counted on the way.

    ``places`` are the decimal places from the file's unit of time to microseconds;
    ``whole_times`` refuses a time with a decimal point (where the unit is assumed).
    ``first_line`` is the number of the first line that is not header.
    """

    layout: Layout
    delimiter: bytes
    places: int
    whole_times: bool = False
    first_line: int = 1
    dropped: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def content_lines(head: bytes, whole: bool) -> Iterator[tuple[int, int, bytes]]:
    """(line number from 1, where it begins, the line) of each line that is not blank or comment.

    The last piece counts only where it ends in LF, or where ``whole`` says that ``head`` is all
    of the file.
    """
    at, number = 0, 1
    while at < len(head):
        end = head.find(b"\n", at)
        if end < 0:
            if not whole:
                return
            end = len(head)
        line = head[at:end].strip(_BLANK)
        if line and not line.startswith(b"#"):
            yield number, at, line
        at, number = end + 1, number + 1


def split(line: bytes, delimiter: bytes) -> list[str]:
    """The fields of a line, without the blanks around them."""
    fields = line.split() if delimiter == WHITESPACE else line.split(delimiter)
    return [f.strip(_BLANK).decode("utf-8", "replace") for f in fields]


def batches(
    stream: BinaryIO, start: bytes, offset: int, table: Table, limit: int
) -> Iterator[Batch]:
    """Batches of at most ``limit`` events; ``start`` are bytes read already, at ``offset``.

    Raises CorruptError with the line's number for a line that is no event, TruncatedError where
    that is the last one and ends early; both after the whole events before it.
    """
    if limit < 1:
        raise ArgumentError(f"batch_events must be at least 1, got {limit}")
    lines, parser = _Lines(stream, start, offset), _Parser(table, limit)
    while (data := lines.next()).size:
        done = 0
        while done < data.size:
            rest = data[done:]
            done += parser.parse(rest)
            if parser.full or parser.failed:
                yield from parser.take()
            if parser.failed:
                raise parser.error(data, done, lines)
    yield from parser.take()
    if lines.unended:
        table.metadata["final_newline"] = False


class _Lines:
    """Whole lines of a stream; ``offset`` is where the last piece given begins in the file."""

    def __init__(self, stream: BinaryIO, start: bytes, offset: int) -> None:
        self.offset = offset
        self.unended = False
        self._stream = stream
        self._array = room(max(BUFFER_BYTES, len(start)) + 1)
        self._view = self._array.data
        self._view[: len(start)] = start
        self._filled = len(start)
        self._used = 0
        self._ended = False

    def next(self) -> NDArray[np.uint8]:
        """The next whole lines, a view that the next call overwrites; empty at the end.

        A last line without LF gets one, and sets ``unended``.
        """
        if self._ended:
            return self._array[:0]
        self.offset += self._used
        kept = self._filled - self._used
        self._view[:kept] = bytes(self._view[self._used : self._filled])
        most = self._array.size - 1  # one byte is for the LF that may be missing
        self._filled = kept + fill(self._stream, self._view[kept:most])
        self._used = self._last_end()
        if self._filled < most:
            self._ended = True
            self.unended = self._used < self._filled
            if self.unended:
                self._view[self._filled] = ord("\n")
                self._used = self._filled + 1
        elif self._used == 0:
            raise CorruptError(
                f"a line is longer than {LINE_LIMIT} bytes",
                offset=self.offset,
                hint="it is no table of events",
            )
        return self._array[: self._used]

    def _last_end(self) -> int:
        """Where the last whole line ends, 0 where none does."""
        for start in (max(0, self._filled - LINE_LIMIT), 0):
            at = bytes(self._view[start : self._filled]).rfind(b"\n")
            if at >= 0:
                return start + at + 1
        return 0


class _Parser:
    """The kernel, its arrays, and its state from one call to the next."""

    def __init__(self, table: Table, limit: int) -> None:
        from evstore.formats import text_kernels as kernels

        by_role = {
            "": kernels.ROLE_SKIP,
            "t": kernels.ROLE_T,
            "x": kernels.ROLE_X,
            "y": kernels.ROLE_Y,
            "p": kernels.ROLE_P,
        }
        self._kernels = kernels
        self._table = table
        self._roles = np.array([by_role[role] for role in table.layout.roles], np.int64)
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._limit = limit
        self._events = 0
        self._into = fresh(limit)

    @property
    def full(self) -> bool:
        return bool(self._state[self._kernels.FILLED] == self._limit)

    @property
    def failed(self) -> bool:
        return bool(self._state[self._kernels.ERROR])

    def parse(self, data: NDArray[np.uint8]) -> int:
        """Parse lines until the batch is full; returns the bytes consumed."""
        table, into = self._table, self._into
        self._kernels.parse_lines(
            data,
            self._roles,
            table.delimiter[0],
            table.places,
            table.whole_times,
            LINE_LIMIT,
            into.t,
            into.x,
            into.y,
            into.p,
            self._state,
        )
        return int(self._state[self._kernels.CONSUMED])

    def take(self) -> Iterator[Batch]:
        """What has been parsed, as one batch or none; brings the counts up to date."""
        filled = int(self._state[self._kernels.FILLED])
        self._events += filled
        self._count()
        if filled:
            into = self._into
            yield Batch(into.t[:filled], into.x[:filled], into.y[:filled], into.p[:filled])
            self._into = fresh(self._limit)
            self._state[self._kernels.FILLED] = 0

    def _count(self) -> None:
        table, extra = self._table, len(self._table.layout.extra)
        if comments := int(self._state[self._kernels.COMMENTS]):
            table.dropped["comment_lines"] = comments
        if extra and self._events:
            table.dropped["extra_column_values"] = extra * self._events
        if blank := int(self._state[self._kernels.BLANK]):
            table.metadata["blank_lines"] = blank

    def error(self, data: NDArray[np.uint8], line_at: int, lines: _Lines) -> FormatError:
        """What the kernel found wrong with the line at ``line_at`` of ``data``."""
        k, state, table = self._kernels, self._state, self._table
        wrong, column = int(state[k.ERROR]), int(state[k.ERROR_COLUMN])
        at = line_at + int(state[k.ERROR_AT] - state[k.CONSUMED])
        number = table.first_line + int(state[k.LINES])
        text = bytes(data[line_at : line_at + 80]).split(b"\n")[0].decode("ascii", "replace")
        offset = lines.offset + at
        if lines.unended and not bytes(data[at:]).strip(_BLANK + b"\n"):
            return TruncatedError(
                f"the file ends inside line {number}", safe_events=self._events, offset=offset
            )
        name = table.layout.names[column]
        count = len(table.layout.names)
        what, expected, hint = {
            k.FEW_COLUMNS: ("has too few columns", f"{count} columns", None),
            k.MANY_COLUMNS: ("has too many columns", f"{count} columns", None),
            k.BAD_NUMBER: ("has a field that is no number", "a number", None),
            k.TOO_LARGE: ("has a number out of range", _range_of(table, column), None),
            k.NOT_WHOLE: ("has a coordinate that is not whole", "a whole number", None),
            k.BAD_POLARITY: ("has a polarity of its own", "0, 1, -1, true or false", None),
            k.QUOTED: ("has a quoted field", "fields without quotes", "remove the quotes"),
            k.LONG_LINE: ("is too long", f"at most {LINE_LIMIT} bytes", None),
            k.TIME_NOT_WHOLE: (
                "has a time that is not whole",
                "whole microseconds, since the header gives no unit",
                "say the unit with --time-unit",
            ),
        }[wrong]
        kind = UnsupportedError if wrong == k.QUOTED else CorruptError
        return kind(
            f"line {number} {what}",
            offset=offset,
            field=name,
            expected=expected,
            got=repr(text),
            hint=hint,
        )


def _range_of(table: Table, column: int) -> str:
    return "an int64 in us" if table.layout.roles[column] == "t" else "0..65535"
