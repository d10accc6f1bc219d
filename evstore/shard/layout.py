"""The bytes of a shard: file header, records, footer. The tables are in formats/evs/SPEC.md.

Nothing here imports numpy or numba: `evstore info` opens a shard with this module alone.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

import xxhash

from evstore.errors import CorruptError, TruncatedError, UnsupportedError

MAGIC = b"\x89EVS\r\n\x1a\n"  # as PNG's: shows a transfer that mangled line ends or bit 7
END_MAGIC = b"\n\x1a\r\nSVE\x89"
MAJOR = 0
MINOR = 1

HEADER = struct.Struct("<8sBBH")  # magic, major, minor, zero; then a 4-byte check
HEADER_SIZE = HEADER.size + 4
FOOTER = struct.Struct("<QQBB6x")  # directory offset and length, major, minor; then check, magic
FOOTER_SIZE = FOOTER.size + 16

#: Kinds of records. Lower-case kinds may be skipped by a reader that does not know them.
BEGIN, CHUNK, END, PAGE, DIRECTORY, SIDE = b"B", b"C", b"E", b"P", b"D", b"S"
KINDS = (BEGIN, CHUNK, END, PAGE, DIRECTORY, SIDE)
#: A record that opens or closes a recording is short and a shard may hold millions of them.
CHECK_SIZE = {BEGIN: 4, END: 4}

MAX_RECORD = 1 << 28  # no writer makes a longer one: what says so is damaged
LONGEST_FRAME = 16  # kind, length and check of a record are shorter
MAX_EVENTS_IN_CHUNK = 1 << 20

_WRAP = 1 << 64
_HALF = 1 << 63


def signed(value: int) -> int:
    """The int64 that equals ``value`` modulo 2**64."""
    return ((value + _HALF) % _WRAP) - _HALF


def put_varint(out: bytearray, value: int) -> None:
    """Append an unsigned integer, 7 bits a byte, least significant first."""
    if 0x7F < value < 0x4000:  # a shortcut for most of what a chunk says
        out += bytes((value & 0x7F | 0x80, value >> 7))
        return
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def put_signed(out: bytearray, value: int) -> None:
    """Append an int64 as a zigzag varint: small magnitudes of either sign are short."""
    put_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)


class Cursor:
    """A place in a record's body; every read checks that the bytes are there."""

    def __init__(self, data: bytes | memoryview, offset: int = 0) -> None:
        self.data = memoryview(data)
        self.at = 0
        self.offset = offset  # of data[0] in the file, for messages

    def bytes(self, count: int, field_name: str) -> bytes:
        """The next ``count`` bytes."""
        if count > len(self.data) - self.at:
            raise CorruptError(
                "record is too short",
                offset=self.offset + self.at,
                field=field_name,
                expected=f"{count} bytes",
                got=len(self.data) - self.at,
            )
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def varint(self, field_name: str) -> int:
        """An unsigned integer below 2^64."""
        value = shift = 0
        while True:
            byte = self.bytes(1, field_name)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise CorruptError(
                    "integer is too long", offset=self.offset + self.at, field=field_name
                )
        if value >= _WRAP:
            raise CorruptError(
                "integer is too large", offset=self.offset + self.at, field=field_name
            )
        return value

    def signed(self, field_name: str) -> int:
        """A signed integer of 64 bits."""
        z = self.varint(field_name)
        return z >> 1 if not z & 1 else -((z + 1) >> 1)

    def json(self, field_name: str) -> dict[str, Any]:
        """A JSON object, its length before it."""
        raw = self.bytes(self.varint(field_name), field_name)
        return parse_json(raw, field_name, self.offset)


def parse_json(raw: bytes, field_name: str, offset: int) -> dict[str, Any]:
    """A JSON object, or {} where there are no bytes."""
    if not raw:
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CorruptError("metadata is not JSON", offset=offset, field=field_name) from error
    if not isinstance(value, dict):
        raise CorruptError("metadata is not a JSON object", offset=offset, field=field_name)
    return value


def json_bytes(value: dict[str, Any]) -> bytes:
    """Canonical JSON, or no bytes for {}. ASCII, since file names may hold what is not UTF-8."""
    if not value:
        return b""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def check_bytes(kind: bytes, framed: bytes | memoryview) -> bytes:
    """The checksum of a record: XXH3-64 of kind, length and body; its low half for short kinds."""
    return xxhash.xxh3_64_intdigest(framed).to_bytes(8, "little")[: CHECK_SIZE.get(kind, 8)]


def even_start(kind: bytes, head: bytes, rest: int) -> bytes:
    """Kind, length of the body and ``head``, and a zero where that makes the bytes even.

    The body is ``head``, the padding and ``rest`` more bytes. Records of even sizes keep every
    payload of 16-bit words aligned; a parser takes the fields it knows and skips what follows.
    Where the zero would lengthen the length by a byte, the length is a byte longer instead.
    """
    length = len(head) + rest
    start = bytearray(kind)
    put_varint(start, length)
    if (len(start) + len(head)) & 1 == 0:
        return bytes(start) + head
    padded = bytearray(kind)
    put_varint(padded, length + 1)
    if len(padded) == len(start):
        return bytes(padded) + head + b"\0"
    start[-1] |= 0x80
    return bytes(start) + b"\0" + head


def frame(kind: bytes, body: bytes) -> bytes:
    """A whole record: kind, length, body, check."""
    start = even_start(kind, body, 0)
    return start + check_bytes(kind, start)


def frame_payload(
    kind: bytes, head: bytes, payload: bytes | memoryview
) -> list[bytes | memoryview]:
    """A record with a payload of an even size, in parts: the plain path of record_kernels."""
    start = even_start(kind, head, len(payload))
    hasher = xxhash.xxh3_64(start)
    hasher.update(payload)
    return [start, payload, hasher.intdigest().to_bytes(8, "little")]


@dataclass(frozen=True)
class Record:
    """A record whose check has been found right."""

    kind: bytes
    offset: int
    body: memoryview
    size: int  # of the whole record
    body_offset: int  # in the file


def parse_record(data: bytes | memoryview, at: int, base: int = 0) -> Record:
    """The record at ``data[at]``; ``base`` is the file offset of ``data[0]``.

    Raises TruncatedError where ``data`` ends within it, CorruptError where its check is wrong.
    """
    view = memoryview(data)
    start = at
    length = shift = 0
    at += 1
    while True:
        if at >= len(view):
            raise TruncatedError("ends within a record", offset=base + start)
        byte = view[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 28:
            raise CorruptError("record length cannot be", offset=base + start, field="length")
    kind = bytes(view[start : start + 1])
    check = CHECK_SIZE.get(kind, 8)
    if length > MAX_RECORD:
        raise CorruptError(
            "record length cannot be",
            offset=base + start,
            field="length",
            expected=f"at most {MAX_RECORD}",
            got=length,
        )
    if at + length + check > len(view):
        raise TruncatedError("ends within a record", offset=base + start)
    wanted = check_bytes(kind, view[start : at + length])
    found = bytes(view[at + length : at + length + check])
    if wanted != found:
        raise CorruptError(
            "checksum does not fit",
            offset=base + start,
            field="check",
            expected=found.hex(),
            got=wanted.hex(),
        )
    size = at + length + check - start
    return Record(kind, base + start, view[at : at + length], size, base + at)


def header_bytes() -> bytes:
    """The first 16 bytes of a shard."""
    head = HEADER.pack(MAGIC, MAJOR, MINOR, 0)
    return head + xxhash.xxh3_64_intdigest(head).to_bytes(8, "little")[:4]


def check_version(major: int, minor: int) -> None:
    """Raise UnsupportedError for a shard of another major version."""
    if major != MAJOR:
        raise UnsupportedError(
            f"is an evstore shard of version {major}.{minor}; this evstore reads version {MAJOR}.x",
            field="major version",
            expected=MAJOR,
            got=major,
            hint="update evstore to read it",
        )


def check_header(data: bytes | memoryview) -> None:
    """Raise unless ``data`` starts with a whole, right file header."""
    if bytes(data[:8]) != MAGIC[: len(data[:8])]:
        raise CorruptError("is not an evstore shard", offset=0, field="magic", expected=MAGIC)
    if len(data) < HEADER_SIZE:
        raise TruncatedError("ends within the file header", safe_events=0, offset=len(data))
    head = bytes(data[: HEADER.size])
    check = xxhash.xxh3_64_intdigest(head).to_bytes(8, "little")[:4]
    if check != bytes(data[HEADER.size : HEADER_SIZE]):
        raise CorruptError("checksum of the file header does not fit", offset=0, field="check")
    _, major, minor, _ = HEADER.unpack(head)
    check_version(major, minor)


def footer_bytes(offset: int, length: int) -> bytes:
    """The last FOOTER_SIZE bytes of a finished shard."""
    foot = FOOTER.pack(offset, length, MAJOR, MINOR)
    return foot + xxhash.xxh3_64_intdigest(foot).to_bytes(8, "little") + END_MAGIC


def parse_footer(data: bytes | memoryview, size: int) -> tuple[int, int]:
    """(offset, length) of the directory record, from a file's last FOOTER_SIZE bytes."""
    if bytes(data[-8:]) != END_MAGIC:
        raise TruncatedError("has no footer: it was cut, or its writer did not finish", offset=size)
    foot = bytes(data[: FOOTER.size])
    check = xxhash.xxh3_64_intdigest(foot).to_bytes(8, "little")
    if check != bytes(data[FOOTER.size : FOOTER.size + 8]):
        raise CorruptError(
            "checksum of the footer does not fit", offset=size - FOOTER_SIZE, field="check"
        )
    offset, length, major, minor = FOOTER.unpack(foot)
    check_version(major, minor)
    if offset + length != size - FOOTER_SIZE or length > MAX_RECORD + LONGEST_FRAME:
        raise CorruptError(
            "directory does not end at the footer",
            offset=size - FOOTER_SIZE,
            field="directory",
            expected=size - FOOTER_SIZE,
            got=offset + length,
        )
    return int(offset), int(length)


@dataclass(frozen=True)
class Begin:
    """Opens a recording: its number in the shard, its id and what is known of it."""

    recording: int
    id: str
    resolution: tuple[int, int] | None
    first_event: int = 0  # of this part of a recording that is split over shards
    part: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)

    def record(self) -> bytes:
        """The whole BEGIN record."""
        out = bytearray()
        put_varint(out, self.recording)
        flags = int(self.resolution is not None) | int(self.part > 0) << 1
        flags |= int(bool(self.metadata)) << 2
        put_varint(out, flags)
        if self.resolution is not None:
            put_varint(out, self.resolution[0])
            put_varint(out, self.resolution[1])
        if self.part:
            put_varint(out, self.part)
            put_varint(out, self.first_event)
        name = self.id.encode()
        put_varint(out, len(name))
        out += name
        if self.metadata:
            meta = json_bytes(self.metadata)
            put_varint(out, len(meta))
            out += meta
        return frame(BEGIN, bytes(out))

    @classmethod
    def parse(cls, record: Record) -> Begin:
        """What a BEGIN record says."""
        c = Cursor(record.body, record.body_offset)
        recording = c.varint("recording")
        flags = c.varint("flags")
        resolution = (c.varint("width"), c.varint("height")) if flags & 1 else None
        part, first = (c.varint("part"), c.varint("first event")) if flags & 2 else (0, 0)
        name = parse_text(c.bytes(c.varint("id length"), "id"), c.offset)
        return cls(
            recording, name, resolution, first, part, c.json("metadata") if flags & 4 else {}
        )


@dataclass(frozen=True)
class End:
    """Closes a recording: how many events it has, its root, and what became known."""

    recording: int
    n_events: int
    root: bytes
    resolution: tuple[int, int] | None
    metadata: dict[str, Any] = field(default_factory=dict)

    def record(self) -> bytes:
        """The whole END record."""
        out = bytearray()
        put_varint(out, self.recording)
        put_varint(out, self.n_events)
        out += self.root
        put_varint(out, int(self.resolution is not None) | int(bool(self.metadata)) << 1)
        if self.resolution is not None:
            put_varint(out, self.resolution[0])
            put_varint(out, self.resolution[1])
        if self.metadata:
            meta = json_bytes(self.metadata)
            put_varint(out, len(meta))
            out += meta
        return frame(END, bytes(out))

    @classmethod
    def parse(cls, record: Record) -> End:
        """What an END record says."""
        c = Cursor(record.body, record.body_offset)
        recording = c.varint("recording")
        n_events = c.varint("events")
        root = c.bytes(32, "root")
        flags = c.varint("flags")
        resolution = (c.varint("width"), c.varint("height")) if flags & 1 else None
        return cls(recording, n_events, root, resolution, c.json("metadata") if flags & 2 else {})


def parse_text(raw: bytes, offset: int) -> str:
    """UTF-8 text; raises CorruptError where it is not."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CorruptError("text is not UTF-8", offset=offset) from error
