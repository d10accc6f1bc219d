"""Prophesee DAT: 8-byte records behind a ``%`` header (version 2), or behind none (version 1).

https://docs.prophesee.ai/stable/data/file_formats/dat.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats import prophesee_header
from evstore.formats.decoding import batches
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.records import Records, length_of, read_head

if TYPE_CHECKING:
    from evstore.formats.records_writer import Writer

NAME = "dat"
TITLE = "Prophesee DAT"
SUFFIXES = (".dat",)
VERSION_1 = "dat-v1"
INPUT_FORMATS = (NAME, VERSION_1)
WRITES = True
ORIGIN = "top-left"  # of what `writer` writes
SEEKS = False
KEEPS = ()
CHECKED = ("files", "expelliarmus", "faery", "eventcv")

RECORD_BYTES = 8
TIME_BITS = 32
VERSION = 2
EVENT_2D, EVENT_CD, EXT_TRIGGER = 0x00, 0x0C, 0x0E


def probe(head: bytes, size: int | None) -> bool:
    """Whether a version 2 header is there, and behind it a type of change events."""
    kind = _kind(head)
    return kind is not None and kind in ((EVENT_2D, RECORD_BYTES), (EVENT_CD, RECORD_BYTES))


def refusal(head: bytes) -> UnsupportedError | None:
    """Why a file with a DAT header is not read: its type of event; None where it is no DAT file."""
    kind = _kind(head)
    return None if kind is None or probe(head, None) else _unsupported(*kind)


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, events lazily; ``input_format`` is `dat` or `dat-v1`.

    Raises UnsupportedError for other versions and event types, FormatError where there is no
    header; a `dat-v1` file raises CorruptError at the first record that cannot be one.
    """
    head = read_head(stream)
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    if input_format == VERSION_1:
        return _read_v1(stream, head, options)
    if not head.startswith(b"% "):
        raise FormatError(
            "no DAT header",
            offset=0,
            expected="lines that begin with '% '",
            got=head[:16],
            hint=f"if the file is a headerless one of version 1, say --input-format {VERSION_1}",
        )
    header = prophesee_header.read(head)
    _check_version(header)
    start = len(header.raw)
    if len(head) < start + 2:
        raise TruncatedError("the file ends inside its header", safe_events=0, offset=len(head))
    if head[start] not in (EVENT_2D, EVENT_CD) or head[start + 1] != RECORD_BYTES:
        raise _unsupported(head[start], head[start + 1])
    size, key = prophesee_header.resolution(header)
    stated = {} if (n := length_of(stream)) is None else {"events": (n - start - 2) // RECORD_BYTES}
    records = Records(stream, "<u8", RECORD_BYTES, head[start + 2 :], offset=start + 2)
    return Reading(
        NAME,
        size,
        batches(records, _Decoder(records, version_1=False), options.batch_events, {}),
        metadata=prophesee_header.metadata(header, key),
        header=head[: start + 2],
        stated=stated,
    )


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int],
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer:
    """Write the header and give back what takes events; ``rebase`` makes the first time 0.

    Raises ArgumentError for a resolution that is no size.
    """
    from evstore.formats import dat_writer

    return dat_writer.writer(stream, resolution, metadata, rebase)


def _read_v1(stream: BinaryIO, head: bytes, options: ReadOptions) -> Reading:
    records = Records(stream, "<u8", RECORD_BYTES, head)
    decoder = _Decoder(records, version_1=True)
    return Reading(NAME, None, batches(records, decoder, options.batch_events, {}))


def _kind(head: bytes) -> tuple[int, int] | None:
    """Event type and size of a DAT file; None where the head is not that of one."""
    header = prophesee_header.parse(head)
    if header is None or not header.whole or header.fields.get("version") != str(VERSION):
        return None
    if "evt" in header.fields or "format" in header.fields or len(head) < len(header.raw) + 2:
        return None
    return head[len(header.raw)], head[len(header.raw) + 1]


def _check_version(header: prophesee_header.Header) -> None:
    found = prophesee_header.encoding(header)
    if found is not None:
        raise UnsupportedError(f"the file is a RAW file of encoding {found}", expected="DAT")
    version = header.fields.get("version")
    if version != str(VERSION):
        raise UnsupportedError(
            f"DAT version {version}", field="Version", expected=VERSION, got=version
        )


def _unsupported(kind: int, record_bytes: int) -> UnsupportedError:
    what = f"DAT event type 0x{kind:02X} of {record_bytes} bytes"
    if kind == EXT_TRIGGER:
        what = f"DAT file of external triggers (event type 0x{EXT_TRIGGER:02X}): no change events"
    return UnsupportedError(what, expected="type 0x00 or 0x0C of 8 bytes")


class _Decoder:
    def __init__(self, records: Records, version_1: bool) -> None:
        from evstore.formats import dat_kernels as kernels

        self._records = records
        self._kernels = kernels
        self._decode = kernels.decode_v1 if version_1 else kernels.decode
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[kernels.LAST] = -1

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        position, filled = self._decode(words, position, *into[:4], filled, self._state)
        fault = int(self._state[self._kernels.FAULT])
        if fault:
            stored, word = int(words[position]) & 0xFFFFFFFF, int(words[position]) >> 32
            raise CorruptError(
                "not a headerless DAT file of version 1",
                offset=self._records.offset + position * RECORD_BYTES,
                field="word" if fault == 1 else "t",
                expected="bits 18 to 31 zero" if fault == 1 else "no step back",
                got=hex(word) if fault == 1 else stored,
            )
        return position, filled

    def take_triggers(self) -> Triggers | None:
        return None

    def dropped(self) -> dict[str, int]:
        return {}
