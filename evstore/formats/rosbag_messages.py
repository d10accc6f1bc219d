"""Event messages: what stands before their events, in both serialisations."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, UnsupportedError
from evstore.formats.rosbag_source import Octets

ARRAY, PACKET = "array", "packet"

#: How events are given, by the type of message (ROS 2 puts /msg/ in the middle).
TYPES = {
    "dvs_msgs/EventArray": ARRAY,
    "prophesee_event_msgs/EventArray": ARRAY,
    "event_camera_msgs/EventPacket": PACKET,
    "event_array_msgs/EventArray": PACKET,
}

#: Bytes of one of the events of an array: packed (ROS 1), and with the gaps of CDR.
EVENT_BYTES = 13
CDR_EVENT_BYTES = 16

#: The words of each encoding of a packet.
WORDS = {"evt3": "u2", "libcaer": "u4", "libcaer_cmp": "u2", "mono": "u8", "trigger": "u1"}
#: Bytes that belong together.
UNITS = {"evt3": 2, "libcaer": 8, "libcaer_cmp": 2, "mono": 8, "trigger": 1}

#: CDR may fill the last four bytes of a message.
CDR_FILL = 3

_HEADER = ("header", "header")
_FIELDS = {
    ARRAY: [_HEADER, ("uint32", "height"), ("uint32", "width"), ("event[]", "events")],
    PACKET: [
        _HEADER,
        ("uint32", "height"),
        ("uint32", "width"),
        ("uint64", "seq"),
        ("uint64", "time_base"),
        ("string", "encoding"),
        ("bool", "is_bigendian"),
        ("uint8[]", "events"),
    ],
}
_EVENT = [("uint16", "x"), ("uint16", "y"), ("time", "ts"), ("bool", "polarity")]


class Packet(NamedTuple):
    """The events of a message: ``words`` of native order, except of an array (octets)."""

    geometry: tuple[int, int]
    frame_id: str
    encoding: str  # "array", or what the packet says
    time_base: int
    cdr: bool
    big: bool
    words: NDArray[Any]


def plain_type(name: str) -> str:
    """A type's name without the /msg/ of ROS 2.

    >>> plain_type("dvs_msgs/msg/EventArray")
    'dvs_msgs/EventArray'
    """
    return name.replace("/msg/", "/")


def require_definition(type_name: str, definition: str) -> None:
    """Raises UnsupportedError where the bag defines the type other than it is read here."""
    kind = TYPES[plain_type(type_name)]
    main, *others = definition.split("\n====")
    found = {type_name: (main, _FIELDS[kind])}
    for other in others:
        head, _, text = other.partition("MSG: ")[2].partition("\n")
        if kind == ARRAY and head.strip().endswith("/Event"):
            found[head.strip()] = (text, _EVENT)
    for name, (text, expected) in found.items():
        fields = _fields(text)
        if fields and fields != expected:
            raise UnsupportedError(
                f"the bag defines {name} in another way",
                expected="; ".join(" ".join(pair) for pair in expected),
                got=f"{'; '.join(' '.join(pair) for pair in fields):.400}",
            )


def _fields(text: str) -> list[tuple[str, str]]:
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    # A constant has a value behind its name.
    pairs = (words for words in lines if len(words) == 2 and "=" not in words[1])
    return [(kind.rpartition("/")[2].lower(), name) for kind, name in pairs]


def parse(body: Octets, kind: str, cdr: bool, offset: int | None) -> Packet:
    """A message's geometry and events; ``offset`` is where it stands in the file.

    Raises CorruptError where a length does not fit, UnsupportedError for unknown encodings.
    """
    fields = _Fields(body, cdr, offset)
    if not cdr:
        fields.number(4)  # the header's own number
    fields.number(4)
    fields.number(4)  # when it was sent
    frame_id = fields.text()
    height, width = fields.number(4), fields.number(4)
    about = ((width, height), frame_id)
    if kind == ARRAY:
        return Packet(*about, ARRAY, 0, cdr, fields.big, _array(fields, cdr))
    fields.number(8)  # the packet's number
    time_base = fields.number(8)
    encoding = fields.text()
    big = fields.number(1) != 0
    if encoding not in WORDS:
        raise UnsupportedError(
            f"events in the encoding {encoding!r:.40}", offset=offset, expected=" or ".join(WORDS)
        )
    size = fields.number(4)
    octets = fields.octets(size)
    if size % UNITS[encoding]:
        raise fields.wrong(f"the events of a {encoding} packet end inside one", f"{size} bytes")
    # Copied: in the message they stand anywhere, and kernels want words where words belong.
    words = octets.view(f"{'>' if big else '<'}{WORDS[encoding]}").astype(WORDS[encoding])
    return Packet(*about, encoding, time_base, cdr, big, words)


def _array(fields: _Fields, cdr: bool) -> NDArray[Any]:
    count = fields.number(4)
    size = EVENT_BYTES * count
    if cdr and count:
        size = CDR_EVENT_BYTES * count - (CDR_EVENT_BYTES - EVENT_BYTES)
    return fields.octets(size)


class _Fields:
    """A message's fields, one after the other."""

    def __init__(self, body: Octets, cdr: bool, offset: int | None) -> None:
        self._body = body
        self._offset = offset
        self._cdr = cdr
        self._at = 0
        self.big = False
        self._order: Literal["big", "little"] = "little"
        if cdr:
            head = body[:4]
            if len(head) < 4 or head[0] != 0 or head[1] > 1:
                raise UnsupportedError(
                    "a message that is no plain CDR",
                    offset=offset,
                    expected="00 00 or 00 01",
                    got=bytes(head).hex(" "),
                )
            if head[1] == 0:
                self.big, self._order = True, "big"
            self._at = 4

    def number(self, size: int) -> int:
        """An unsigned integer; CDR aligns it to its size, from behind its own four bytes."""
        if self._cdr:
            self._at += -(self._at - 4) % size
        return int.from_bytes(self._take(size), self._order)

    def text(self) -> str:
        """A string; in CDR a zero ends it."""
        octets = bytes(self._take(self.number(4)))
        return octets.removesuffix(b"\0").decode("utf-8", "replace")

    def octets(self, size: int) -> NDArray[Any]:
        """The last ``size`` bytes: behind them is nothing but what fills up CDR."""
        left = len(self._body) - self._at
        if size > left or left - size > (CDR_FILL if self._cdr else 0):
            raise self.wrong("the events do not fill their message", f"{left} bytes", size)
        octets = np.frombuffer(self._body, np.uint8, size, self._at)
        octets.flags.writeable = False  # as of bytes: kernels are compiled for one kind of array
        return octets

    def wrong(self, what: str, got: str, expected: int | None = None) -> CorruptError:
        """The error for this message."""
        wanted = None if expected is None else f"{expected} bytes"
        return CorruptError(what, offset=self._offset, expected=wanted, got=got)

    def _take(self, size: int) -> Octets:
        if size > len(self._body) - self._at:
            raise self.wrong("a message ends before its events", f"{len(self._body)} bytes")
        self._at += size
        return self._body[self._at - size : self._at]
