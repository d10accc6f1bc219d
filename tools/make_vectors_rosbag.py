#!/usr/bin/env python3
"""Make the vectors and bad files of formats/rosbag.

Packs every byte with struct (SQLite files with sqlite3, chunks with bz2 and zstandard) and states
the expected events by hand: nothing of evstore is imported, so that an error in the reader cannot
hide in its vectors. Run it from anywhere; the output is always the same.
"""

from __future__ import annotations

import bz2
import sqlite3
import struct
import tempfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import vector_files
import zstandard

EPOCH = 1_700_000_000  # seconds: times near 1.7e15 us

DVS, PROPHESEE = "dvs_msgs/EventArray", "prophesee_event_msgs/EventArray"
PACKET, OLD_PACKET = "event_camera_msgs/EventPacket", "event_array_msgs/EventArray"
ARRAY_TEXT = (
    "# An array\nHeader header\n\nuint32 height\nuint32 width\nEvent[] events\n\n"
    + "=" * 80
    + "\nMSG: dvs_msgs/Event\nuint16 x\nuint16 y # row\ntime ts\nbool polarity\n"
)
PACKET_TEXT = (
    "std_msgs/Header header\nuint32 height\nuint32 width\nuint64 seq\nuint64 time_base\n"
    "string encoding\nbool is_bigendian\nuint8[] events\n"
)


vector, bad = partial(vector_files.vector, "rosbag"), partial(vector_files.bad, "rosbag")


# ---------------------------------------------------------------------------------- messages


class Writer:
    """A message's fields in ROS 1's packing, or in CDR of either order, which aligns them."""

    def __init__(self, cdr: bool = False, big: bool = False) -> None:
        self.cdr = cdr
        self.order = ">" if big else "<"
        self.head = (b"\0\0\0\0" if big else b"\0\1\0\0") if cdr else b""
        self.body = b""

    def put(self, code: str, *values: int) -> Writer:
        for value in values:
            if self.cdr:
                self.body += b"\0" * (-len(self.body) % struct.calcsize(code))
            self.body += struct.pack(self.order + code, value)
        return self

    def text(self, text: str) -> Writer:
        octets = text.encode() + (b"\0" if self.cdr else b"")
        self.put("I", len(octets))
        self.body += octets
        return self

    def octets(self, octets: bytes) -> Writer:
        self.put("I", len(octets))
        self.body += octets
        return self

    def header(self) -> Writer:
        if not self.cdr:
            self.put("I", 7)
        return self.put("I", EPOCH, 5).text("cam")

    def whole(self) -> bytes:
        return self.head + self.body


# (seconds, nanoseconds, x, y, p)
Stamped = tuple[int, int, int, int, int]


def array(
    events: list[Stamped], size: tuple[int, int], cdr: bool = False, big: bool = False
) -> bytes:
    message = Writer(cdr, big).header().put("I", size[1], size[0], len(events))
    for seconds, nanoseconds, x, y, p in events:
        message.put("H", x, y).put("i" if cdr else "I", seconds).put("I", nanoseconds).put("B", p)
    return message.whole()


def packet(
    encoding: str,
    octets: bytes,
    size: tuple[int, int],
    base: int = 0,
    cdr: bool = False,
    big: bool = False,
    big_events: bool = False,
) -> bytes:
    message = Writer(cdr, big).header().put("I", size[1], size[0]).put("Q", 3, base)
    return message.text(encoding).put("B", big_events).octets(octets).whole()


# ---------------------------------------------------------------------------------- ROS 1 bag


def fields(**values: bytes) -> bytes:
    pairs = [name.encode() + b"=" + value for name, value in values.items()]
    return b"".join(struct.pack("<I", len(pair)) + pair for pair in pairs)


def record(op: int, data: bytes, **values: bytes) -> bytes:
    head = fields(op=bytes([op]), **values)
    return struct.pack("<I", len(head)) + head + struct.pack("<I", len(data)) + data


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def connection1(number: int, topic: str, kind: str, text: str) -> bytes:
    about = fields(
        topic=topic.encode(),
        type=kind.encode(),
        md5sum=b"0" * 32,
        message_definition=text.encode(),
    )
    return record(7, about, conn=u32(number), topic=topic.encode())


def message1(number: int, body: bytes) -> bytes:
    return record(2, body, conn=u32(number), time=struct.pack("<II", EPOCH, 0))


def chunk1(inside: bytes, compression: str = "none", stated: int | None = None) -> bytes:
    stored = bz2.compress(inside) if compression == "bz2" else inside
    size = len(inside) if stated is None else stated
    return record(5, stored, compression=compression.encode(), size=u32(size))


def bag1(
    connections: list[bytes],
    chunks: list[bytes],
    counts: dict[int, int] | None = None,
    **header: bytes,
) -> bytes:
    """With an index where there are ``counts``."""
    magic = b"#ROSBAG V2.0\n"
    number = len(connections) if counts is not None else 0
    places: list[int] = []
    body = b""
    head_bytes = len(magic) + 4 + 69 + 4 + 100
    for chunk in chunks:
        places.append(head_bytes + len(body))
        body += chunk + record(4, b"", ver=u32(1), conn=u32(0), count=u32(0))
    index = head_bytes + len(body) if counts is not None else 0
    head = record(
        3,
        b" " * 100,
        index_pos=struct.pack("<Q", index),
        conn_count=u32(number),
        chunk_count=u32(len(chunks) if counts is not None else 0),
        **header,
    )
    if counts is not None:
        body += b"".join(connections)
        stamp = struct.pack("<II", EPOCH, 0)
        pairs = b"".join(struct.pack("<II", *pair) for pair in counts.items())
        body += record(
            6,
            pairs,
            ver=u32(1),
            chunk_pos=struct.pack("<Q", places[0] if places else 0),
            start_time=stamp,
            end_time=stamp,
            count=u32(len(counts)),
        )
    return magic + head + body


# ---------------------------------------------------------------------------------- SQLite


def database(statements: list[tuple[str, tuple[Any, ...]]]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.db3"
        made = sqlite3.connect(path)
        made.execute("PRAGMA page_size = 512")
        for statement, values in statements:
            made.execute(statement, values)
        made.commit()
        made.close()
        octets = bytearray(path.read_bytes())
    octets[24:28] = octets[92:96] = struct.pack(">I", 1)  # how often it was changed
    octets[96:100] = struct.pack(">I", 3_040_001)  # the version that wrote it
    return bytes(octets)


TABLES = (
    "CREATE TABLE topics(id INTEGER PRIMARY KEY,name TEXT NOT NULL,type TEXT NOT NULL,"
    "serialization_format TEXT NOT NULL,offered_qos_profiles TEXT NOT NULL)",
    "CREATE TABLE messages(id INTEGER PRIMARY KEY,topic_id INTEGER NOT NULL,"
    "timestamp INTEGER NOT NULL, data BLOB NOT NULL)",
)


def bag2(
    topics: list[tuple[int, str, str]],
    messages: list[tuple[int, Any]],
    tables: tuple[str, ...] = TABLES,
    serialization: str = "cdr",
) -> bytes:
    statements: list[tuple[str, tuple[Any, ...]]] = [(table, ()) for table in tables]
    for number, name, kind in topics:
        row = (number, name, kind.replace("/", "/msg/"), serialization, "")
        statements.append(("INSERT INTO topics VALUES (?, ?, ?, ?, ?)", row))
    for k, (topic, body) in enumerate(messages):
        statements.append(
            ("INSERT INTO messages VALUES (?, ?, ?, ?)", (k + 1, topic, EPOCH * 10**9 + k, body))
        )
    return database(statements)


# ---------------------------------------------------------------------------------- MCAP


def string(text: str) -> bytes:
    return u32(len(text.encode())) + text.encode()


def mcap(op: int, data: bytes) -> bytes:
    return bytes([op]) + struct.pack("<Q", len(data)) + data


def schema(number: int, name: str, text: str = "", kind: str = "ros2msg") -> bytes:
    return mcap(3, struct.pack("<H", number) + string(name) + string(kind) + string(text))


def channel(number: int, schema_number: int, topic: str, encoding: str = "cdr") -> bytes:
    head = struct.pack("<HH", number, schema_number)
    return mcap(4, head + string(topic) + string(encoding) + u32(0))


def message(number: int, body: bytes) -> bytes:
    return mcap(5, struct.pack("<HIQQ", number, 0, EPOCH * 10**9, EPOCH * 10**9) + body)


def chunk(inside: bytes, compression: str = "", crc: int | None = None) -> bytes:
    stored = zstandard.compress(inside) if compression == "zstd" else inside
    crc = zlib.crc32(inside) if crc is None else crc
    head = struct.pack("<QQQI", 0, 0, len(inside), crc)
    return mcap(6, head + string(compression) + struct.pack("<Q", len(stored)) + stored)


def statistics(channels: dict[int, int]) -> bytes:
    counts = b"".join(struct.pack("<HQ", *pair) for pair in channels.items())
    head = struct.pack("<QHIIIIQQ", sum(channels.values()), 1, len(channels), 0, 0, 1, 0, 0)
    return mcap(0x0B, head + u32(len(counts)) + counts)


def mcap_file(records: bytes, summary: bytes = b"") -> bytes:
    magic = b"\x89MCAP0\r\n"
    body = magic + mcap(1, string("ros2") + string("by hand")) + records + mcap(15, u32(0))
    footer = mcap(2, struct.pack("<QQI", len(body) if summary else 0, 0, 0))
    return body + summary + footer + magic


# ---------------------------------------------------------------------------------- vectors


def make_ros1() -> None:
    size = (346, 260)
    one: list[Stamped] = [
        (EPOCH, 1_999, 0, 0, 0),  # whole microseconds: what is below is cut off
        (EPOCH, 2_000, 345, 259, 1),
        (EPOCH + 1, 999_999_999, 7, 8, 1),
    ]
    two: list[Stamped] = [(EPOCH, 500_000_000, 1, 2, 0), (4294967295, 0, 3, 4, 1)]
    events = [
        (1_700_000_000_000_001, 0, 0, 0),
        (1_700_000_000_000_002, 345, 259, 1),
        (1_700_000_001_999_999, 7, 8, 1),
        (1_700_000_000_500_000, 1, 2, 0),  # time steps back
        (4_294_967_295_000_000, 3, 4, 1),
    ]
    dvs, imu = (
        connection1(0, "/dvs/events", DVS, ARRAY_TEXT),
        connection1(1, "/imu", "sensor_msgs/Imu", "Header header\n"),
    )
    chunks = [
        chunk1(dvs + imu + message1(1, b"nothing of ours") + message1(0, array(one, size))),
        chunk1(message1(0, array([], size)) + message1(0, array(two, size))),
    ]
    plain = bag1([dvs, imu], chunks, {0: 3, 1: 1})
    vector("dvs.bag", plain, events, size)
    bad("cut.bag", plain[: plain.index(array(two, size)) + 50])
    bad("cut_in_header.bag", plain[:40])

    # No index, compressed, behind another topic.
    edges = [2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**34 - 1, 2**34]
    stamped = [(t // 10**6, t % 10**6 * 1000, k, 2 * k, k % 2) for k, t in enumerate(edges)]
    prophesee = connection1(5, "/cd", PROPHESEE, ARRAY_TEXT.replace("dvs", "prophesee_event"))
    inside = imu + message1(1, b"") + prophesee + message1(5, array(stamped, (640, 480)))
    vector(
        "prophesee_bz2_no_index.bag",
        bag1([], [chunk1(inside, "bz2")]),
        [(t, k, 2 * k, k % 2) for k, t in enumerate(edges)],
        (640, 480),
    )
    bad("bomb.bag", bag1([], [chunk1(inside, "bz2", stated=0xFFFFFFFF)]))
    bad("bz2_damaged.bag", bag1([], [chunk1(inside, "bz2").replace(b"BZh9", b"BZh0")]))

    left, right = connection1(0, "/left", DVS, ""), connection1(1, "/right", DVS, "")
    inside = left + message1(0, array(one, size)) + right + message1(1, array(two[:1], (240, 180)))
    both = bag1([left, right], [chunk1(inside)], {0: 1, 1: 1})
    vector("two_topics.bag", both, [events[3]], (240, 180), options={"stream": "/right"})
    bad("two_topics.bag", both)
    make_ros1_bad(size, one, dvs, imu, plain)


def make_ros1_bad(
    size: tuple[int, int], one: list[Stamped], dvs: bytes, imu: bytes, plain: bytes
) -> None:
    def with_bodies(*bodies: bytes, connection: bytes = dvs) -> bytes:
        inside = connection + b"".join(message1(0, body) for body in bodies)
        return bag1([connection], [chunk1(inside)], {0: len(bodies)})

    bad("geometry_changes.bag", with_bodies(array(one, size), array(one, (240, 180))))
    bad("polarity_2.bag", with_bodies(array([(1, 2, 3, 4, 2)], size)))
    bad("nanoseconds.bag", with_bodies(array([(1, 10**9, 3, 4, 1)], size)))
    bad("message_short.bag", with_bodies(array(one, size)[:-1]))
    bad("message_long.bag", with_bodies(array(one, size) + b"\0"))
    bad("message_head_cut.bag", with_bodies(array(one, size)[:20]))
    other = ARRAY_TEXT.replace("time ts\n", "uint64 ts\n")
    wrong = connection1(0, "/dvs/events", DVS, other)
    bad("definition_differs.bag", with_bodies(array(one, size), connection=wrong))
    bad("no_event_topic.bag", bag1([imu], [chunk1(imu + message1(1, b""))], {1: 1}))
    bad("version_1.2.bag", plain.replace(b"V2.0", b"V1.2"))
    bad("encrypted.bag", bag1([dvs], [chunk1(dvs)], {0: 0}, encryptor=b"rosbag/AesCbc"))
    bad("chunk_in_chunk.bag", bag1([], [chunk1(dvs + chunk1(message1(0, array(one, size))))]))
    bad("compression_unknown.bag", bag1([], [chunk1(dvs, "zip")]))


def words3(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}H", *words)


def make_evt3() -> None:
    size = (1280, 720)
    # TIME_HIGH, TIME_LOW and ADDR_Y of the first packet hold in the second; time_base says nothing.
    first = words3(0x8FFF, 0x6FFE, 0x0010, 0x2805, 0xA301)
    second = words3(0x2006, 0x6FFF, 0x3820, 0x5081, 0x8000, 0x6001, 0x2FFF & 0x27FF, 0x9000)
    top = 0xFFF << 12
    events = [
        (top | 0xFFE, 5, 16, 1),
        (top | 0xFFE, 6, 16, 0),
        (top | 0xFFF, 32, 16, 1),
        (top | 0xFFF, 39, 16, 1),
        (2**24 + 1, 2047, 16, 0),
    ]
    connection = connection1(0, "/event_camera/events", PACKET, PACKET_TEXT)
    bodies = [packet("evt3", octets, size, EPOCH * 10**9) for octets in (first, b"", second)]
    inside = connection + b"".join(message1(0, body) for body in bodies)
    vector(
        "evt3.bag",
        bag1([connection], [chunk1(inside)], {0: 3}),
        events,
        size,
        [(top | 0xFFE, 3, 1)],
        dropped={"reserved_0x9_words": 1},
    )
    odd = connection + message1(0, packet("evt3", b"abc", size))
    bad("evt3_odd.bag", bag1([connection], [chunk1(odd)], {0: 1}))


def mono(dt: int, x: int, y: int, p: int) -> int:
    return p << 63 | y << 48 | x << 32 | dt


def make_ros2() -> None:
    size = (640, 480)
    topics = [(1, "/event_camera/events", OLD_PACKET), (2, "/tf", "tf2_msgs/TFMessage")]
    base = EPOCH * 10**9 + 7_500
    little = struct.pack("<2Q", mono(0, 0, 0, 0), mono(500, 639, 479, 1))
    large = struct.pack(">2Q", mono(2**32 - 1, 65535, 32767, 1), mono(999, 1, 2, 0))
    bodies = [
        packet("mono", little, size, base, cdr=True),
        packet("mono", large, size, base, cdr=True, big=True, big_events=True),
    ]
    start = 1_700_000_000_000_000
    events = [
        (start + 7, 0, 0, 0),
        (start + 8, 639, 479, 1),
        (start + (7_500 + 2**32 - 1) // 1000, 65535, 32767, 1),
        (start + 8, 1, 2, 0),
    ]
    content = bag2(topics, [(1, bodies[0]), (2, b"\0\1\0\0"), (1, bodies[1])])
    vector("mono.db3", content, events, size)
    bad("cut.db3", content[:-512])
    vector("empty.db3", bag2(topics, []), [], None)

    def caer(t: int, x: int, y: int, p: int, valid: int = 1) -> bytes:
        return struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t)

    before, after = EPOCH * 10**9 + 123, EPOCH * 10**9 + 2**31 * 1000 + 123
    one = caer(2**31 - 2, 1, 2, 1) + caer(2**31 - 1, 32767, 32767, 0) + caer(5, 1, 1, 1, valid=0)
    two = caer(3, 4, 5, 1)
    vector(
        "libcaer_rollover.db3",
        bag2(
            topics[:1],
            [
                (1, packet("libcaer", one, size, before, cdr=True)),
                (1, packet("trigger", b"\1\2\3", size, before, cdr=True)),
                (1, packet("libcaer", two, size, after, cdr=True)),
            ],
        ),
        [
            (start + 2**31 - 2, 1, 2, 1),
            (start + 2**31 - 1, 32767, 32767, 0),
            (start + 2**31 + 3, 4, 5, 1),
        ],
        size,
        dropped={"invalid_events": 1, "trigger_packets": 1},
    )
    make_ros2_bad(topics, bodies[0], size)


def make_ros2_bad(topics: list[tuple[int, str, str]], body: bytes, size: tuple[int, int]) -> None:
    two = packet("libcaer", b"\0" * 8, size, cdr=True)
    bad("encoding_changes.db3", bag2(topics, [(1, body), (1, two)]))
    bad("no_bag.db3", database([("CREATE TABLE cats(name TEXT)", ())]))
    endless = (
        "CREATE VIEW messages AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS id, 1 AS topic_id, 0 AS timestamp, zeroblob(9) AS data FROM n"
    )
    bad("messages_is_a_view.db3", bag2(topics, [], (TABLES[0], endless)))
    computed = (
        "CREATE TABLE messages(id INTEGER PRIMARY KEY,topic_id INTEGER NOT NULL,"
        "timestamp INTEGER NOT NULL, data BLOB AS (zeroblob(999999999)))"
    )
    bad("messages_are_computed.db3", bag2(topics, [], (TABLES[0], computed)))
    packed = zstandard.compress(body)
    bad("messages_compressed.db3", bag2(topics, [(1, packed)]))
    bad("message_is_text.db3", bag2(topics, [(1, "text")]))
    bad("serialization_unknown.db3", bag2(topics, [(1, body)], serialization="protobuf"))


def make_mcap() -> None:
    size = (346, 260)
    base = EPOCH * 10**9 + 1_999
    start = 1_700_000_000_000_001
    one = words3(
        0x3001, 0x5001,              # before any x, and before any base
        0x0001, 0x1002, 0x2007, 0x3801, 0x3002,
        0x4803, 0x5081, 0x6801,      # rows 3 and 10, then 11 and 22
        0x7000, 0xF000, 0xF001,
    )  # fmt: skip
    two = words3(0x3004, 0x1005, 0x5001)  # x and row go on, the time starts anew
    events = [
        (start + 0x1002, 7, 1, 1),
        (start + 0x1002, 7, 2, 0),
        (start + 0x1002, 7, 3, 1),
        (start + 0x1002, 7, 10, 1),
        (start + 0x1002, 7, 11, 1),
        (start + 0x1002, 7, 22, 1),
        (start, 7, 4, 0),
        (start + 5, 7, 23, 1),
    ]
    head = schema(1, "event_camera_msgs/msg/EventPacket", PACKET_TEXT) + channel(3, 1, "/events")
    bodies = [packet("libcaer_cmp", octets, size, base, cdr=True) for octets in (one, two)]
    inside = head + message(3, bodies[0]) + message(3, bodies[1])
    whole = mcap_file(chunk(inside, "zstd"), head + statistics({3: 2}))
    dropped = {
        "reserved_0x7_words": 1,
        "reserved_0xf_words": 2,
        "events_before_addr_x": 1,
        "events_before_vect_base_y": 1,
    }
    vector("libcaer_cmp_zstd.mcap", whole, events, size, dropped=dropped)

    many: list[Stamped] = [(-1, 999_999_000, 1, 2, 1), (5, 0, 65535, 32769, 0), (5, 1_000, 3, 4, 1)]
    described = ARRAY_TEXT.replace("Header header", "std_msgs/Header header")
    described = described.replace("time ts", "builtin_interfaces/Time ts")
    head2 = schema(1, "dvs_msgs/msg/EventArray", described) + channel(0, 1, "/dvs")
    arrays = [array(many, size, cdr=True), array(many[:2], size, cdr=True, big=True) + b"\0\0\0"]
    expected = [(-1, 1, 2, 1), (5_000_000, 65535, 32769, 0), (5_000_001, 3, 4, 1)]
    content = mcap_file(head2 + b"".join(message(0, body) for body in arrays))
    vector("dvs_cdr.mcap", content, expected + expected[:2], size)
    bad("cut.mcap", content[: content.index(arrays[1]) + 50])

    head1 = schema(2, PROPHESEE, "", "ros1msg") + channel(9, 2, "/cd", "ros1")
    ros1 = message(9, array([(1, 2_000, 3, 4, 1)], size))
    vector(
        "ros1_in_mcap.mcap",
        mcap_file(head1 + chunk(ros1, crc=0) + mcap(0x0A, b"?")),
        [(1_000_002, 3, 4, 1)],
        size,
    )
    make_mcap_bad(head, inside, bodies[0])


def make_mcap_bad(head: bytes, inside: bytes, body: bytes) -> None:
    size = (640, 480)

    def with_body(body: bytes) -> bytes:
        return mcap_file(head + message(3, body))

    bad("checksum.mcap", mcap_file(chunk(inside, crc=12345)))
    bad("compression_unknown.mcap", mcap_file(chunk(inside, "brotli")))
    bad("chunk_in_chunk.mcap", mcap_file(chunk(head + chunk(inside))))
    bad("encoding_unknown.mcap", with_body(packet("evt9", b"\0\0", size, cdr=True)))
    bad("cdr_2.mcap", with_body(b"\0\7\0\0" + body[4:]))
    bad("time_base.mcap", with_body(packet("mono", b"\0" * 8, size, 2**63 - 1, cdr=True)))
    row = words3(0x2001, 0x47FF, *[0x6000] * 5400, 0x6FFF)
    bad("row_beyond.mcap", with_body(packet("libcaer_cmp", row, size, cdr=True)))
    bad("closing_cut.mcap", with_body(body)[:-3])
    bad("behind_the_end.mcap", with_body(body) + b"more")
    bad("version_1.mcap", b"\x89MCAP1\r\n" + with_body(body)[8:])


if __name__ == "__main__":
    make_ros1()
    make_evt3()
    make_ros2()
    make_mcap()
