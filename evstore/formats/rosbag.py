"""ROS bags: ROS 1, ROS 2 by SQLite, and MCAP; each event topic is a stream.

http://wiki.ros.org/Bags/Format/2.0, https://github.com/ros2/rosbag2, https://mcap.dev/spec
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats import evt3, rosbag_mcap, rosbag_sqlite, rosbag_v1
from evstore.formats.decoding import batches
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.records import HEAD_BYTES
from evstore.formats.rosbag_messages import (
    ARRAY,
    CDR_EVENT_BYTES,
    EVENT_BYTES,
    TYPES,
    Packet,
    parse,
    plain_type,
    require_definition,
)
from evstore.formats.rosbag_source import (
    INFLATION,
    MESSAGE_BYTES,
    Connection,
    Message,
    Survey,
)
from evstore.formats.streams import choose

# The constants that SPEC.md names are found here.
__all__ = [
    "CDR_EVENT_BYTES",
    "EVENT_BYTES",
    "INFLATION",
    "MESSAGE_BYTES",
    "probe",
    "read",
    "refusal",
    "streams",
]

NAME = "rosbag"
TITLE = "ROS bag (ROS 1, ROS 2 SQLite, MCAP)"
SUFFIXES = (".bag", ".db3", ".mcap")
INPUT_FORMATS = (NAME,)
WRITES = False
SEEKS = True
KEEPS = ("triggers",)
CHECKED = ("files", "rosbags")

ROS1_MAGIC = b"#ROSBAG V"

#: Names of topics that an error lists.
SHOWN = 10

#: A packet's time: what is added to it must stay in 63 bits.
TIME_LIMIT = (1 << 63) - (1 << 33)

_DROPPED = {
    **{kind: f"reserved_0x{kind:x}_words" for kind in range(7, 16)},
    16: "invalid_events",
    17: "events_before_addr_x",
    18: "events_before_vect_base_y",
}


def probe(head: bytes, size: int | None) -> bool:
    """Whether it is a bag; of an SQLite file, whether it has the tables of one."""
    if head.startswith(rosbag_sqlite.MAGIC):
        return rosbag_sqlite.is_bag(head)
    return head.startswith((ROS1_MAGIC, rosbag_mcap.MAGIC))


def refusal(head: bytes) -> FormatError | None:
    """Why an SQLite file is of no format evstore reads; the registry asks."""
    if head.startswith(rosbag_sqlite.MAGIC):
        return UnsupportedError("an SQLite file without the tables of a ROS 2 bag")
    return None


def streams(stream: BinaryIO, options: ReadOptions) -> list[str]:
    """The topics that carry events, in the file's order."""
    return _event_topics(_container(stream).survey(stream))


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The first message now, events lazily.

    Raises ArgumentError for a topic that the bag does not have, or where it has several and none
    is named; FormatError where it has no event topic.
    """
    container = _container(stream)
    survey = container.survey(stream)
    topic = choose(_event_topics(survey), options.stream)
    publishers = {c.id: c for c in survey.connections.values() if _carries(c, topic)}
    for publisher in publishers.values():
        require_definition(publisher.type, publisher.definition)
    messages = _messages(container, stream, publishers)
    message, first = _first(messages, publishers)
    if message is None:  # there is none, or something is wrong with it, which `batches` will tell
        messages = _messages(container, stream, publishers)
    dropped: dict[str, int] = {}
    packets = _Packets(chain(() if message is None else (message,), messages), publishers)
    return Reading(
        NAME,
        first.geometry if first is not None and all(first.geometry) else None,
        _batches(packets, options.batch_events, dropped),
        metadata=_metadata(container, survey, topic, first),
        dropped=dropped,
    )


def _container(stream: BinaryIO) -> ModuleType:
    if not stream.seekable():
        raise UnsupportedError("a bag cannot be read from a pipe", hint="read it from a file")
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    for module in (rosbag_v1, rosbag_mcap, rosbag_sqlite):
        if head.startswith(module.MAGIC):
            return module
    if head.startswith(ROS1_MAGIC):
        return rosbag_v1
    raise FormatError("no ROS bag", offset=0, got=head[:16])


def _event_topics(survey: Survey) -> list[str]:
    known = survey.connections.values()
    topics = list(dict.fromkeys(c.topic for c in known if plain_type(c.type) in TYPES))
    if topics:
        return topics
    if survey.error is not None:
        raise survey.error
    others = sorted({f"{c.topic} ({c.type})" for c in known})
    raise FormatError(
        "the bag has no event topic",
        expected=" or ".join(TYPES),
        got=", ".join(others[:SHOWN]) or "no topics",
    )


def _carries(connection: Connection, topic: str) -> bool:
    return connection.topic == topic and plain_type(connection.type) in TYPES


def _messages(
    container: ModuleType, stream: BinaryIO, publishers: dict[int, Connection]
) -> Iterator[Message]:
    found: Iterator[Message] = container.messages(stream, publishers.__contains__)
    return found


def _first(
    messages: Iterator[Message], publishers: dict[int, Connection]
) -> tuple[Message, Packet] | tuple[None, None]:
    """The first message as it is and parsed; None where there is none that can be."""
    try:
        for message in messages:
            return message, _parse(message, publishers)
    except FormatError:
        pass
    return None, None


def _parse(message: Message, publishers: dict[int, Connection]) -> Packet:
    publisher = publishers[message.connection]
    if publisher.serialization not in ("cdr", "ros1"):
        raise UnsupportedError(
            f"messages serialised as {publisher.serialization!r:.40}", expected="cdr or ros1"
        )
    assert message.body is not None
    kind = TYPES[plain_type(publisher.type)]
    return parse(message.body, kind, publisher.serialization == "cdr", message.offset)


def _metadata(
    container: ModuleType, survey: Survey, topic: str, first: Packet | None
) -> dict[str, Any]:
    counts: dict[str, int] = {}
    types = {}
    for c in survey.connections.values():
        counts[c.topic] = counts.get(c.topic, 0) + survey.counts.get(c.id, 0)
        if _carries(c, topic):
            types["message_type"] = plain_type(c.type)
    found = {"container": container.TITLE, "topic": topic, **types, "messages": counts}
    if first is not None:
        found |= {"encoding": first.encoding, "frame_id": first.frame_id}
    return found


def _batches(packets: _Packets, limit: int, dropped: dict[str, int]) -> Iterator[Batch]:
    events = 0
    for batch in batches(packets, _Decoder(packets), limit, dropped):
        events += batch.t.size
        yield batch
    if packets.error is not None:
        if isinstance(packets.error, TruncatedError):
            packets.error.safe_events = events
        raise packets.error


class _Packets:
    """The events of one message after the other, checked to go together.

    An error is kept until what came before it has been given.
    """

    offset = 0
    tail = 0

    def __init__(self, messages: Iterator[Message], publishers: dict[int, Connection]) -> None:
        self.packet: Packet | None = None
        self.error: FormatError | None = None
        self.triggers = 0
        self.at: int | None = None
        self._messages = messages
        self._publishers = publishers
        self._geometry: tuple[int, int] | None = None

    def read(self) -> NDArray[Any]:
        """The events of the next message that has any, empty at the end."""
        try:
            for message in self._messages:
                self.at = message.offset
                packet = _parse(message, self._publishers)
                self._require_same(packet)
                if packet.encoding == "trigger":
                    self.triggers += 1
                elif packet.words.size:
                    self.packet = packet
                    return packet.words
        except FormatError as error:
            self.error = error
        return np.empty(0, np.uint8)

    def _require_same(self, packet: Packet) -> None:
        if self._geometry is None:
            self._geometry = packet.geometry
        before = self._geometry
        if packet.geometry != before:
            raise UnsupportedError(
                "the geometry changes from one message to the next",
                offset=self.at,
                expected=f"{before[0]}x{before[1]}",
                got=f"{packet.geometry[0]}x{packet.geometry[1]}",
            )
        if packet.time_base > TIME_LIMIT:
            raise CorruptError(
                "a time that cannot be", offset=self.at, field="time_base", got=packet.time_base
            )
        if self.packet is not None and packet.encoding not in ("trigger", self.packet.encoding):
            raise UnsupportedError(
                "the encoding changes from one message to the next",
                offset=self.at,
                expected=self.packet.encoding,
                got=packet.encoding,
            )


class _Decoder:
    def __init__(self, packets: _Packets) -> None:
        from evstore.formats import rosbag_kernels as kernels

        self._packets = packets
        self._kernels = kernels
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[[kernels.X, kernels.ROW]] = -1
        self._counts = np.zeros(kernels.COUNTS_SIZE, np.int64)
        self._evt3: evt3.Decoder | None = None  # made for the first packet of its kind

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        packet = self._packets.packet
        assert packet is not None
        if packet.encoding == "evt3":
            if self._evt3 is None:
                self._evt3 = evt3.Decoder(self._packets)
            try:
                return self._evt3.decode(words, position, into, filled)
            except CorruptError as error:
                error.offset = self._packets.at  # of the message: its words are a copy
                raise
        position, filled = self._own(packet, words, position, into, filled)
        if self._state[self._kernels.FAULT]:
            raise self._fault()
        return int(position), int(filled)

    def _own(
        self, packet: Packet, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        kernels, state = self._kernels, self._state
        given = (words, position, *into[:4], filled, state)
        if packet.encoding == ARRAY:
            found = kernels.aligned(*given, packet.big) if packet.cdr else kernels.packed(*given)
        elif packet.encoding == "mono":
            state[kernels.BASE] = packet.time_base
            found = kernels.mono(*given)
        else:
            state[kernels.BASE] = packet.time_base // 1000
            if packet.encoding == "libcaer":
                found = kernels.libcaer(*given, self._counts)
            else:
                if position == 0:
                    state[[kernels.HIGH, kernels.LOW]] = 0
                found = kernels.libcaer_cmp(*given, self._counts)
        at, events = found
        return at, events

    def _fault(self) -> CorruptError:
        kernels = self._kernels
        field, expected = {
            kernels.BAD_TIME: ("nsec", "less than a second"),
            kernels.BAD_POLARITY: ("polarity", "0 or 1"),
            kernels.BAD_ROW: ("y", "0..65535"),
        }[int(self._state[kernels.FAULT])]
        return CorruptError(
            "an event that cannot be", offset=self._packets.at, field=field, expected=expected
        )

    def take_triggers(self) -> Triggers | None:
        return None if self._evt3 is None else self._evt3.take_triggers()

    def dropped(self) -> dict[str, int]:
        found = {} if self._evt3 is None else self._evt3.dropped()
        found |= {name: int(self._counts[k]) for k, name in _DROPPED.items() if self._counts[k]}
        if self._packets.triggers:
            found["trigger_packets"] = self._packets.triggers
        return found
