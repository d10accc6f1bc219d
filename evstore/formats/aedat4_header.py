"""The header of an AEDAT 4 file: how packets are compressed, and which streams there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats import flatbuffer
from evstore.formats.columns import is_size
from evstore.formats.records import fill

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAGIC = b"#!AER-DAT4.0\r\n"
HEADER_ID = b"IOHE"

#: Where the header's FlatBuffer begins: behind the magic and the four bytes of its length.
HEADER_AT = 18

#: The most a header may take. One of a camera has 3,000 bytes.
MAX_HEADER_BYTES = 262_144

#: Of an event: i64 t, i16 x, i16 y, bool on, 3 bytes of nothing.
EVENT_BYTES = 16

EVENTS, FRAMES, IMU, TRIGGERS = "EVTS", "FRME", "IMUS", "TRIG"

_KINDS = {TRIGGERS: "triggers", IMU: "imu", FRAMES: "images"}
_CALLED = {FRAMES: "frames", IMU: "IMU samples", TRIGGERS: "triggers"}
_SHOWN = 10


class Stream(NamedTuple):
    """What the header says about one stream."""

    id: int
    kind: str  # EVTS, FRME, IMUS, TRIG or another type
    name: str  # what the recorder called its output; "" where it did not say
    source: str  # the camera
    resolution: tuple[int, int] | None
    ts_offset: int | None


class Header(NamedTuple):
    """``table_at`` is where the table of packets begins, -1 where the recorder wrote none."""

    raw: bytes
    compression: int
    table_at: int
    streams: tuple[Stream, ...]


def read(stream: BinaryIO, head: bytes) -> tuple[Header, bytes]:
    """The header, and what of ``head``, the file's first bytes, lies behind it.

    Raises FormatError where the magic is another, CorruptError for a header that cannot be,
    TruncatedError where the file ends inside it.
    """
    if not head.startswith(MAGIC):
        raise FormatError("not an AEDAT 4 file", offset=0, expected=MAGIC, got=head[: len(MAGIC)])
    if len(head) < HEADER_AT:
        raise _cut(len(head))
    length = int.from_bytes(head[len(MAGIC) : HEADER_AT], "little")
    if length > MAX_HEADER_BYTES:
        raise CorruptError(
            "the header is too long",
            offset=len(MAGIC),
            expected=f"at most {MAX_HEADER_BYTES} bytes",
            got=length,
        )
    end = HEADER_AT + length
    if len(head) < end:
        rest = bytearray(end - len(head))
        head += bytes(rest[: fill(stream, memoryview(rest))])
        if len(head) < end:
            raise _cut(len(head))
    try:
        return _parsed(head[:end]), head[end:]
    except FormatError as error:
        error.offset = HEADER_AT
        raise


def _parsed(raw: bytes) -> Header:
    table = flatbuffer.root(raw, HEADER_ID, HEADER_AT)
    xml = table.octets(2)
    compression, table_at = table.number(0, "<i"), table.number(1, "<q", -1)
    return Header(raw, compression, table_at, streams(bytes(xml or b"")))


def streams(xml: bytes) -> tuple[Stream, ...]:
    """The streams that the header's XML lists, in its order."""
    from xml.etree import ElementTree

    text = xml.decode("utf-8", "replace")
    if "<!DOCTYPE" in text:
        raise UnsupportedError("the header's XML declares a document type, which no recorder does")
    try:
        listed = ElementTree.fromstring(text).find("node[@name='outInfo']")
    except (ElementTree.ParseError, ValueError) as error:
        raise CorruptError(f"the header's XML is damaged: {error}") from None
    if listed is None:
        raise CorruptError("the header's XML lists no streams", field="outInfo")
    found = tuple(_stream(node) for node in listed.findall("node"))
    ids = [stream.id for stream in found]
    if len(set(ids)) != len(ids):
        raise CorruptError("the header's XML lists two streams of one number", got=ids[:_SHOWN])
    return found


def event_names(header: Header) -> dict[str, Stream]:
    """The event streams by their names: the recorder's own where no two share one, else the ids.

    Raises UnsupportedError where there is none.
    """
    found = [stream for stream in header.streams if stream.kind == EVENTS]
    if not found:
        others = [
            f"{_CALLED.get(stream.kind, stream.kind)} (stream {stream.id})"
            for stream in header.streams[:_SHOWN]
        ]
        raise UnsupportedError(
            f"the file has no event stream: it holds {' and '.join(others) or 'no stream at all'}"
        )
    names = [stream.name for stream in found]
    unique = all(names) and len(set(names)) == len(names)
    return {stream.name if unique else str(stream.id): stream for stream in found}


def beside(header: Header, events: Stream) -> Sequence[Stream]:
    """The streams that belong to one event stream: all of its camera's, and those of no other's.

    A recorder of two cameras writes an IMU for each, and says of which camera it is.
    """
    others = {s.source for s in header.streams if s.kind == EVENTS} - {events.source}
    return [s for s in header.streams if s.kind != EVENTS and s.source not in others]


def stated(header: Header, events: Stream) -> dict[str, int | None]:
    """The kinds of streams that go with one event stream; the header counts none of them."""
    kinds = {stream.kind for stream in beside(header, events)}
    return {"events": None, **{_KINDS[kind]: None for kind in _KINDS if kind in kinds}}


def _stream(node: Element) -> Stream:
    number = node.get("name", "")
    if not re.fullmatch(r"[0-9]{1,9}", number):
        raise CorruptError("a stream's number is not one", field="name", got=f"{number!r:.40}")
    says, info = _attributes(node), _attributes(node.find("node[@name='info']"))
    kind = says.get("typeIdentifier", "")
    if not re.fullmatch(r"[A-Za-z0-9_]{4}", kind):
        raise CorruptError(
            f"the type of stream {number} is not one",
            field="typeIdentifier",
            expected="4 letters",
            got=f"{kind!r:.40}",
        )
    name, source = says.get("originalOutputName", ""), info.get("source", "")
    return Stream(int(number), kind, name, source, _resolution(info), _integer(info, "tsOffset"))


def _attributes(node: Element | None) -> dict[str, str]:
    if node is None:
        return {}
    return {attr.get("key", ""): (attr.text or "").strip() for attr in node.findall("attr")}


def _resolution(info: dict[str, str]) -> tuple[int, int] | None:
    width, height = _integer(info, "sizeX"), _integer(info, "sizeY")
    if width is None or height is None:
        return None
    if not is_size((width, height)):
        raise CorruptError(
            "sizeX and sizeY cannot be a sensor's", expected="1..65536", got=(width, height)
        )
    return width, height


def _integer(info: dict[str, str], key: str) -> int | None:
    value = info.get(key)
    if value is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise CorruptError("not an integer in the header's XML", field=key, got=f"{value!r:.40}")
    return int(value)


def _cut(length: int) -> TruncatedError:
    return TruncatedError("the file ends inside its header", safe_events=0, offset=length)
