"""ROS bags: slow decoders beside the kernels, hostile containers, and where files are kept."""

from __future__ import annotations

import bz2
import io
import os
import sqlite3
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.errors import (
    ArgumentError,
    CorruptError,
    EvstoreError,
    FormatError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats import evt3, registry, rosbag, rosbag_source
from evstore.formats.reading import ReadOptions
from vectors import FORMATS, consume, join

VECTORS = FORMATS / "rosbag" / "vectors"
WORDS = st.integers(0, 0xFFFF)
BATCHES = st.sampled_from([1, 2, 7, 1000])


def read(content: bytes, **options: Any) -> Any:
    return rosbag.read(io.BytesIO(content), ReadOptions(**options))


def columns(reading: Any) -> list[tuple[int, ...]]:
    given = join(list(reading.batches)).columns
    return list(zip(*(column.tolist() for column in given), strict=True))


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


def mcap(bodies: list[bytes], kind: str, encoding: str = "ros1") -> bytes:
    def record(op: int, data: bytes) -> bytes:
        return bytes([op]) + struct.pack("<Q", len(data)) + data

    magic = b"\x89MCAP0\r\n"
    schema = record(3, b"\1\0" + text(kind) + text("") + text(""))
    channel = record(4, b"\2\0\1\0" + text("/events") + text(encoding) + bytes(4))
    messages = b"".join(record(5, b"\2\0" + bytes(20) + body) for body in bodies)
    return magic + schema + channel + messages + record(2, bytes(20)) + magic


def packet(encoding: str, octets: bytes, base: int = 0) -> bytes:
    head = bytes(12) + text("cam") + struct.pack("<IIQQ", 480, 640, 0, base)
    return head + text(encoding) + b"\0" + struct.pack("<I", len(octets)) + octets


def packets(encoding: str, payloads: list[bytes], base: int = 0) -> bytes:
    bodies = [packet(encoding, payload, base) for payload in payloads]
    return mcap(bodies, "event_camera_msgs/EventPacket")


# ---------------------------------------------------------------------------------- encodings


def slow_libcaer_cmp(parts: list[list[int]], base: int) -> tuple[list[Any], Counter[str]]:
    column = row = None
    polarity = 0
    events: list[Any] = []
    dropped: Counter[str] = Counter()
    for words in parts:
        high = low = 0
        for word in words:
            kind, value = word >> 12, word & 0x7FF
            rows: list[int | None] = []
            if kind == 0:
                high = word & 0xFFF
            elif kind == 1:
                low = word & 0xFFF
            elif kind == 2:
                column = value
            elif kind == 3:
                rows, side = [value], word >> 11 & 1
            elif kind == 4:
                row, polarity = value, word >> 11 & 1
            elif kind in (5, 6):
                width, side = (8 if kind == 5 else 12), polarity
                bits = [k for k in range(width) if word >> k & 1]
                rows = [None if row is None else row + k for k in bits]
                row = None if row is None else row + width
            else:
                dropped[f"reserved_0x{kind:x}_words"] += 1
            for y in rows:
                if y is None:
                    dropped["events_before_vect_base_y"] += 1
                elif column is None:
                    dropped["events_before_addr_x"] += 1
                else:
                    events.append((base // 1000 + high * 4096 + low, column, y, side))
    return events, dropped


@settings(max_examples=60)
@given(st.lists(st.lists(WORDS, max_size=40), max_size=4), st.integers(0, 2**61), BATCHES)
def test_libcaer_cmp_as_a_slow_decoder(parts: list[list[int]], base: int, batch: int) -> None:
    content = packets("libcaer_cmp", [struct.pack(f"<{len(p)}H", *p) for p in parts], base)
    reading = read(content, batch_events=batch)
    events, dropped = slow_libcaer_cmp(parts, base)
    assert columns(reading) == events
    assert reading.dropped == dropped


@settings(max_examples=60)
@given(st.lists(st.lists(WORDS, max_size=60), max_size=4), BATCHES)
def test_evt3_goes_on_over_packets(parts: list[list[int]], batch: int) -> None:
    octets = [struct.pack(f"<{len(p)}H", *p) for p in parts]
    whole = evt3.read(io.BytesIO(b"% evt 3.0\n% end\n" + b"".join(octets)), ReadOptions())
    reading = read(packets("evt3", octets, 2**60), batch_events=batch)
    expected, found = join(list(whole.batches)), join(list(reading.batches))
    for a, b in zip(
        expected.columns + expected.triggers, found.columns + found.triggers, strict=True
    ):
        assert a.tolist() == b.tolist()
    assert reading.dropped == whole.dropped


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1)), max_size=30),
    st.integers(0, 2**62),
    BATCHES,
)
def test_libcaer_as_a_slow_decoder(pairs: list[tuple[int, int]], base: int, batch: int) -> None:
    reading = read(
        packets("libcaer", [b"".join(struct.pack("<Ii", *pair) for pair in pairs)], base),
        batch_events=batch,
    )
    assert columns(reading) == [
        (base // 1000 + t, w >> 17, w >> 2 & 0x7FFF, w >> 1 & 1) for w, t in pairs if w & 1
    ]
    invalid = sum(1 - (w & 1) for w, _ in pairs)
    assert reading.dropped.get("invalid_events", 0) == invalid


def array(events: Sequence[tuple[int, ...]], cdr: bool, big: bool) -> bytes:
    """A message of dvs_msgs/EventArray; each number of CDR aligned on its own."""
    order = ">" if big else "<"
    out = bytearray()

    def put(code: str, value: int) -> None:
        if cdr:
            out.extend(bytes(-len(out) % struct.calcsize(code)))
        out.extend(struct.pack(order + code, value))

    for value in ([] if cdr else [1]) + [2, 3, 3]:
        put("I", value)
    out += b"ab\0"
    for value in (480, 640, len(events)):
        put("I", value)
    for seconds, nanoseconds, x, y, p in events:
        for code, value in zip("HHIIB", (x, y, seconds, nanoseconds, p), strict=True):
            put(code, value)
    return (b"\0\0\0\0" if big else b"\0\1\0\0") * cdr + bytes(out)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1),
            st.integers(0, 10**9 - 1),
            WORDS,
            WORDS,
            st.integers(0, 1),
        ),
        max_size=20,
    ),
    st.sampled_from([(False, False), (True, False), (True, True)]),
    BATCHES,
)
def test_arrays_as_a_slow_decoder(
    events: list[tuple[int, ...]], how: tuple[bool, bool], batch: int
) -> None:
    cdr, big = how
    kind = "dvs_msgs/msg/EventArray"
    content = mcap([array(events, cdr, big)], kind, "cdr" if cdr else "ros1")
    expected = []
    for seconds, nanoseconds, x, y, p in events:
        signed = seconds - 2**32 if cdr and seconds >= 2**31 else seconds
        expected.append((signed * 10**6 + nanoseconds // 1000, x, y, p))
    reading = read(content, batch_events=batch)
    assert reading.resolution == (640, 480)
    assert columns(reading) == expected


# ---------------------------------------------------------------------------------- containers


@pytest.mark.parametrize("name", ["dvs.bag", "evt3.bag", "dvs_cdr.mcap", "libcaer_rollover.db3"])
def test_a_cut_file_gives_whole_messages(name: str) -> None:
    content = (VECTORS / name).read_bytes()
    whole, most = columns(read(content)), 0
    for length in range(100, len(content)):
        try:
            reading = read(content[:length])
        except FormatError:
            continue
        batches, error = consume(reading.batches)
        events = list(zip(*(c.tolist() for c in join(batches).columns), strict=True))
        assert events == whole[: len(events)], length
        if isinstance(error, TruncatedError):
            assert error.safe_events == len(events), length
        elif not name.endswith(".bag"):  # which may end behind any record
            assert error is not None, length
        if not name.endswith(".db3"):  # whose pages stand in any order
            assert len(events) >= most, length
        most = max(most, len(events))
    assert most > 0 or name.endswith(".db3")


@pytest.mark.parametrize("name", ["evt3_packets.bag", "evt3_packets.db3"])
def test_half_of_a_real_bag(data_dir: Path, name: str) -> None:
    content = (data_dir / "ros" / name).read_bytes()
    whole = join(list(read(content).batches)).columns
    batches, error = consume(read(content[: len(content) // 2]).batches)
    found = join(batches).columns
    assert isinstance(error, TruncatedError)
    assert error.safe_events == found[0].size > whole[0].size // 3
    for column, other in zip(found, whole, strict=True):
        assert np.array_equal(column, other[: column.size])


def test_streams_are_topics() -> None:
    content = io.BytesIO((VECTORS / "two_topics.bag").read_bytes())
    assert rosbag.streams(content, ReadOptions()) == ["/left", "/right"]
    assert columns(read(content.getvalue(), stream="/left"))[1][1:] == (345, 259, 1)
    with pytest.raises(ArgumentError, match="/middle"):
        read(content.getvalue(), stream="/middle")


def test_what_else_is_in_a_bag_is_counted() -> None:
    reading = read((VECTORS / "dvs.bag").read_bytes())
    assert reading.metadata["messages"] == {"/dvs/events": 3, "/imu": 1}
    assert reading.metadata["container"] == "ROS 1 bag"
    reading = read((VECTORS / "mono.db3").read_bytes())
    assert reading.metadata["messages"] == {"/event_camera/events": 2, "/tf": 1}


def test_short_and_long_messages_go_to_the_same_kernels() -> None:
    from evstore.formats import rosbag_kernels as kernels

    events = [(k, k & 1) for k in range(6000)]
    octets = b"".join(struct.pack("<HHIIB", 1, 2, 0, 1000 * k, p) for k, p in events)
    head = bytes(12) + text("cam") + struct.pack("<II", 480, 640)
    bodies = [
        head + struct.pack("<I", len(part) // 13) + part for part in (octets[:13], octets[13:])
    ]
    assert len(bodies[1]) > rosbag_source.LARGE
    content = mcap(bodies, "dvs_msgs/EventArray")
    assert columns(read(content)) == [(k, 1, 2, p) for k, p in events]
    assert len(kernels.packed.signatures) == 1  # type: ignore[attr-defined]


def test_not_from_a_pipe() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(UnsupportedError, match="pipe"):
        rosbag.read(Pipe(b"#ROSBAG V2.0\n"), ReadOptions())


def test_sqlite_without_the_tables_is_named() -> None:
    content = (FORMATS / "rosbag" / "bad" / "no_bag.db3").read_bytes()
    with pytest.raises(UnsupportedError, match="SQLite"):
        registry.detect(content, len(content), ".db3")


# ---------------------------------------------------------------------------------- SQLite


def test_no_copy_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = (VECTORS / "mono.db3").read_bytes()
    columns(read(content))
    assert os.listdir(tmp_path) == []
    batches = read(content, batch_events=1).batches
    next(batches)
    assert len(os.listdir(tmp_path)) == 1
    batches.close()
    assert os.listdir(tmp_path) == []
    read(content)  # and not asked for events
    with pytest.raises(EvstoreError):
        read(content[:700])
    assert os.listdir(tmp_path) == []


def test_a_file_is_read_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a copy was made")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    path = tmp_path / "a bag?#%20.db3"
    path.write_bytes((VECTORS / "mono.db3").read_bytes())
    with path.open("rb") as stream:
        assert len(columns(rosbag.read(stream, ReadOptions()))) == 4
    assert os.listdir(tmp_path) == [path.name]


def test_a_bag_that_was_not_closed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open.db3"
    path.write_bytes((VECTORS / "mono.db3").read_bytes())
    with_log = sqlite3.connect(path)
    try:
        with_log.execute("PRAGMA journal_mode = WAL")
        with_log.execute("INSERT INTO messages SELECT id + 10, 2, timestamp, data FROM messages")
        with_log.commit()
        with path.open("rb") as stream, pytest.raises(UnsupportedError, match=r"open\.db3-wal"):
            rosbag.read(stream, ReadOptions())
    finally:
        with_log.close()
    with path.open("rb") as stream:
        assert len(columns(rosbag.read(stream, ReadOptions()))) == 4


def interior(path: Path) -> tuple[int, int, int]:
    """Where the root of the messages is, how many pages it leads to, and the pages' size."""
    with path.open("rb") as file:
        head = file.read(100)
    page = int.from_bytes(head[16:18], "big")
    database = sqlite3.connect(path)
    try:
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'")
    finally:
        database.close()
    content = path.read_bytes()
    start = (root[0] - 1) * page
    assert content[start] == 5, "no interior page"
    return start, int.from_bytes(content[start + 3 : start + 5], "big"), page


def test_pages_that_lead_to_each_other_end(tmp_path: Path) -> None:
    path = tmp_path / "circle.db3"
    path.write_bytes((VECTORS / "empty.db3").read_bytes())
    database = sqlite3.connect(path)
    body = packet("mono", bytes(8))
    rows = [(k, 1, 0, b"\0\1\0\0" + body) for k in range(1, 200)]
    database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    start, cells, _ = interior(path)
    content = bytearray(path.read_bytes())
    for k in range(cells):
        at = start + int.from_bytes(content[start + 12 + 2 * k : start + 14 + 2 * k], "big")
        content[at : at + 4] = content[start + 8 : start + 12]  # all lead to the last page
    began = time.process_time()
    with pytest.raises(CorruptError):
        columns(read(bytes(content)))
    assert time.process_time() - began < 5


# ---------------------------------------------------------------------------------- chunks


def bag(compression: str, stored: bytes, size: int) -> bytes:
    def record(data: bytes, *fields: bytes) -> bytes:
        head = b"".join(struct.pack("<I", len(field)) + field for field in fields)
        return struct.pack("<I", len(head)) + head + struct.pack("<I", len(data)) + data

    head = record(b"", b"op=\3", b"conn_count=" + bytes(4))
    fields = (b"op=\5", b"compression=" + compression.encode(), b"size=" + struct.pack("<I", size))
    return b"#ROSBAG V2.0\n" + head + record(stored, *fields)


def inside(body: bytes) -> bytes:
    def record(data: bytes, *fields: bytes) -> bytes:
        head = b"".join(struct.pack("<I", len(field)) + field for field in fields)
        return struct.pack("<I", len(head)) + head + struct.pack("<I", len(data)) + data

    kind = b"type=dvs_msgs/EventArray"
    about = struct.pack("<I", len(kind)) + kind
    connection = record(about, b"op=\7", b"conn=" + bytes(4), b"topic=/events")
    return connection + record(body, b"op=\2", b"conn=" + bytes(4))


EVENTS = [(1, 2000, 3, 4, 1), (1, 3999, 5, 6, 0)]
DECODED = [(1_000_002, 3, 4, 1), (1_000_003, 5, 6, 0)]


def test_bz2_chunks_and_what_is_wrong_with_them() -> None:
    plain = inside(array(EVENTS, False, False))
    packed = bz2.compress(plain)
    assert columns(read(bag("bz2", packed, len(plain)))) == DECODED
    plain += inside(array([], False, False))
    for size in (len(plain) - 100, len(plain) + 1):
        batches, error = consume(read(bag("bz2", bz2.compress(plain), size)).batches)
        assert (join(batches).columns[0].size, type(error)) == (2, CorruptError), size
    damaged = bytearray(bz2.compress(plain))
    damaged[-3] ^= 1  # in the checksum
    with pytest.raises(CorruptError, match="no bz2 data"):
        columns(read(bag("bz2", bytes(damaged), len(plain))))


def test_lz4_chunks() -> None:
    pytest.importorskip("lz4")
    plain = inside(array(EVENTS, False, False))
    # A frame by hand: version 1, blocks of 64 KiB that are not compressed, no checksums.
    frame = b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", 1 << 31 | len(plain)) + plain
    assert columns(read(bag("lz4", frame + bytes(4), len(plain)))) == DECODED


def test_a_message_that_inflates_beyond_the_file_is_refused() -> None:
    size = 20 << 20
    plain = inside(bytes(size))
    with pytest.raises(UnsupportedError, match=r"too long|too much"):
        columns(read(bag("bz2", bz2.compress(plain), len(plain))))


def test_a_type_that_is_defined_otherwise() -> None:
    from evstore.formats.rosbag_messages import require_definition

    same = "# first\nstd_msgs/Header header\nuint32 height\nuint32 width\nEvent[] events\n"
    require_definition("dvs_msgs/EventArray", same)
    require_definition("dvs_msgs/EventArray", "")
    for other in (same.replace("height", "rows"), same + "uint8 more\n"):
        with pytest.raises(UnsupportedError, match="in another way"):
            require_definition("dvs_msgs/EventArray", other)


def test_kernels_as_plain_python_stay_inside() -> None:
    """Every index checked: the vectors again, through the kernels without their compiler."""
    from evstore.formats import rosbag_kernels as kernels
    from pure import pure

    body = np.frombuffer(array(EVENTS, True, False), np.uint8)[32:]
    for limit in (0, 1, 2, 3):
        out = (
            np.empty(limit, np.int64),
            np.empty(limit, np.uint16),
            np.empty(limit, np.uint16),
            np.empty(limit, np.uint8),
        )
        state = np.zeros(kernels.STATE_SIZE, np.int64)
        _, filled = pure(kernels.aligned)(body, 0, *out, 0, state, False)
        assert filled == min(limit, 2)
        packed = np.frombuffer(array(EVENTS, False, False), np.uint8)[31:]
        _, filled = pure(kernels.packed)(packed, 0, *out, 0, state)
        assert filled == min(limit, 2)
