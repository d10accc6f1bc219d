"""RPG text: one event a line, ``t x y p``, t in seconds.

Layout: the Event Camera Dataset of RPG, https://rpg.ifi.uzh.ch/davis_data.html (``events.txt``);
ESIM's texts begin with a line ``width height``.
"""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from evstore.errors import ArgumentError, CorruptError, FormatError
from evstore.events import COLUMNS
from evstore.formats.columns import UNIT_PLACES, Layout, is_size
from evstore.formats.reading import Reading, ReadOptions
from evstore.formats.records import HEAD_BYTES, read_head
from evstore.formats.text_table import WHITESPACE, Table, batches, content_lines

NAME = "rpg"
TITLE = "RPG text (t x y p, seconds)"
SUFFIXES = (".txt",)
INPUT_FORMATS = (NAME,)
WRITES = False
SEEKS = False
KEEPS = ()
CHECKED = ("files",)
ASKS = ("--columns", "--time-unit")

#: Lines that a probe looks at.
PROBE_LINES = 32

_EVENT = re.compile(rb"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?[ \t]+\d+[ \t]+\d+[ \t]+[01]")
_SIZE = re.compile(rb"(\d{1,6})[ \t]+(\d{1,6})")


def probe(head: bytes, size: int | None) -> bool:
    """Whether the first lines are four numbers, some time has decimals and every p is 0 or 1."""
    decimals, events = False, 0
    for number, _, line in content_lines(head, len(head) < HEAD_BYTES):
        if events == 0 and _SIZE.fullmatch(line) and number == 1:
            continue
        event = _EVENT.fullmatch(line)
        if event is None:
            # The last line of a file that is cut is for `read` to tell.
            return events > 0 and decimals and head.endswith(line)
        decimals |= b"." in event[1] or event[2] is not None
        events += 1
        if events == PROBE_LINES:
            break
    return decimals


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The size line now if there is one, events lazily.

    Raises ArgumentError for ``--columns`` or ``--time-unit`` that say other than the format does.
    """
    if options.columns not in (None, COLUMNS) or options.time_unit not in (None, "s"):
        raise ArgumentError(
            "RPG text is t x y p in seconds: for other columns or units pass --input-format csv "
            "with --columns and --time-unit"
        )
    head = read_head(stream)
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    resolution, start, number = _header(head)
    dropped: dict[str, int] = {}
    metadata: dict[str, Any] = {"time_unit": "s"}
    table = Table(
        Layout(COLUMNS, COLUMNS),
        WHITESPACE,
        UNIT_PLACES["s"],
        first_line=number,
        dropped=dropped,
        metadata=metadata,
    )
    events = batches(stream, head[start:], start, table, options.batch_events)
    return Reading(NAME, resolution, events, metadata, head[:start], dropped)


def _header(head: bytes) -> tuple[tuple[int, int] | None, int, int]:
    """(resolution, where the events begin, the number of that line): comments and a size line."""
    resolution = None
    for number, at, line in content_lines(head, True):
        size = _SIZE.fullmatch(line)
        if size is None or resolution is not None:
            return resolution, at, number
        resolution = int(size[1]), int(size[2])
        if not is_size(resolution):
            raise CorruptError(
                "the size line cannot be a sensor's", offset=at, expected="1..65536", got=resolution
            )
    if resolution is None and len(head) >= HEAD_BYTES:
        raise FormatError("no event in the first 64 KiB: only comments and blank lines")
    end = head.rfind(b"\n") + 1 if len(head) >= HEAD_BYTES else len(head)
    return resolution, end, head.count(b"\n", 0, end) + 1
