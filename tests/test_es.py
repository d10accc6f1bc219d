"""Event Stream, held against a slow reader of the specification, and against other software."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError, EvstoreError, TruncatedError, UnsupportedError
from evstore.formats import es, registry
from evstore.formats.es_writer import max_gap
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from vectors import Decoded, consume, join

Event = tuple[int, int, int, int]

BOTTOM = {"origin": "bottom-left"}
ATIS = {**BOTTOM, "stream_type": "atis"}


def header(kind: int, width: int = 640, height: int = 480) -> bytes:
    return b"Event Stream\x02\x00\x00" + struct.pack("<BHH", kind, width, height)


def slow(content: bytes) -> tuple[list[Event], list[Event], bool]:
    """Change events, exposure events, and whether the last one is cut: an event at a time.

    Equal overflows are added together: a long silence is a million of them.
    """
    bits = {1: 1, 2: 2}[content[15]]
    full = 255 >> bits
    now, at = 0, 20
    found: tuple[list[Event], list[Event]] = ([], [])
    while at < len(content):
        first = content[at]
        if first >> bits == full:
            same = re.compile(b"[\\x%02x]+" % first).match(content, at)
            assert same is not None
            now += full * (first & (1 << bits) - 1) * len(same[0])
            at = same.end()
            continue
        if at + 5 > len(content):
            return (*found, True)
        first, x, y = struct.unpack_from("<BHH", content, at)
        at += 5
        now += first >> bits
        crossing = first & 1 if bits == 2 else 0
        found[crossing].append((now, x, y, first >> (bits - 1) & 1))
    return (*found, False)


def rows(columns: Any) -> list[Event]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


def exposure_of(decoded: Decoded) -> list[Event]:
    side = decoded.side.get("exposure")
    return [] if side is None else rows(side[name] for name in "txyp")


def batch_of(columns: Any, exposure: Any = None, **more: Any) -> Batch:
    """A batch; ``exposure`` is four columns too."""
    t, x, y, p = columns
    side = None if exposure is None else {"exposure": dict(zip("txyp", exposure, strict=True))}
    return Batch(t, x, y, p, **{"side": side, **more})


def read(content: bytes, batch_events: int = 1000) -> Reading:
    return es.read(io.BytesIO(content), ReadOptions(batch_events=batch_events))


def decode(content: bytes, batch_events: int = 1000) -> Decoded:
    return join(list(read(content, batch_events).batches))


def expect_as_slow(content: bytes, batch_events: int) -> None:
    events, exposure, cut = slow(content)
    batches, error = consume(read(content, batch_events).batches)
    assert rows(join(batches).columns) == events
    assert exposure_of(join(batches)) == exposure
    assert all(batch.t.size <= batch_events for batch in batches)
    assert (error is not None) == cut
    if error is not None:
        assert isinstance(error, TruncatedError)
        assert error.safe_events == len(events)


# Mostly marks, times near them, and small numbers.
OCTETS = st.one_of(st.sampled_from([0, 1, 2, 3, *range(0xF8, 0x100)]), st.integers(0, 255))


@given(st.sampled_from([1, 2]), st.lists(OCTETS, max_size=200), st.sampled_from([1, 3, 1000]))
def test_any_bytes_read_as_the_specification_says(
    kind: int, payload: list[int], batch_events: int
) -> None:
    expect_as_slow(header(kind) + bytes(payload), batch_events)


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("marks", [0.0, 0.3])
def test_events_across_the_ends_of_buffers(kind: int, marks: float, seed: int) -> None:
    source = np.random.default_rng(seed)
    payload = source.integers(0, 256, 600_000, np.uint8)
    payload[source.random(payload.size) < marks] = 0xFF
    expect_as_slow(header(kind) + payload.tobytes(), 65_536)
    expect_as_slow(header(kind) + payload[:300_001].tobytes(), 777)


class Silence(io.RawIOBase):
    """A header, overflow bytes, then an event: never in memory as a whole."""

    def __init__(self, overflows: int, end: bytes) -> None:
        self._head = header(1)
        self._left = overflows
        self._end = end

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left)
        if self._head:
            size = len(self._head)
            buffer[:size] = self._head
            self._head = b""
        elif size:
            buffer[:size] = b"\xff" * size
            self._left -= size
        else:
            size = len(self._end)
            buffer[:size] = self._end
            self._end = b""
        return size


@pytest.mark.parametrize("power", [24, 27, 31, 32, 34])
def test_time_does_not_wrap(power: int) -> None:
    overflows, rest = divmod(2**power - 1, 127)
    event = struct.pack("<BHH", rest << 1 | 1, 2, 3)
    after = struct.pack("<BHH", 1 << 1, 4, 5)
    stream: Any = Silence(overflows, event + after)
    batches = list(es.read(stream, ReadOptions()).batches)
    assert rows(join(batches).columns) == [(2**power - 1, 2, 3, 1), (2**power, 4, 5, 0)]


def test_what_the_header_says() -> None:
    reading = read(header(2, 304, 240))
    assert reading.resolution == (304, 240)
    assert reading.metadata == {"version": "2.0.0", "stream_type": "atis", "origin": "bottom-left"}
    assert reading.header == header(2, 304, 240)
    with pytest.raises(ArgumentError):
        list(read(header(1), batch_events=0).batches)


@pytest.mark.parametrize("length", [0, 5, 12, 15, 16, 19])
def test_a_cut_header(length: int) -> None:
    with pytest.raises(EvstoreError):
        read(header(1)[:length])
    with pytest.raises(EvstoreError):
        registry.detect(header(1)[:length], length, ".es")


# --------------------------------------------------------------------------------- writing


def write(batches: list[list[Event]], metadata: Any = BOTTOM, **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = es.writer(stream, (640, 480), metadata, **options)
    for events in batches:
        writer.write(*(np.array([event[k] for event in events], np.int64) for k in range(4)))
    writer.close()
    return stream.getvalue()


@st.composite
def streams(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of events with silences of all kinds."""
    t = draw(st.sampled_from([0, 1, 62, 63, 126, 127, 2**24 - 1, 2**27 - 1]))
    steps = st.sampled_from([0, 0, 1, 62, 63, 64, 126, 127, 128, 189, 190, 254, 5000, 2**21])
    batches: list[list[Event]] = []
    for _ in range(draw(st.integers(0, 4))):
        events: list[Event] = []
        for _ in range(draw(st.integers(0, 12))):
            t += draw(steps)
            x, y = draw(st.sampled_from([0, 5, 254, 255, 256, 639])), draw(st.integers(0, 479))
            events.append((t, x, y, draw(st.integers(0, 1))))
        batches.append(events)
    return batches


@given(streams(), st.sampled_from([BOTTOM, ATIS]))
def test_round_trip(batches: list[list[Event]], metadata: Any) -> None:
    content = write(batches, metadata)
    expected = [event for events in batches for event in events]
    assert slow(content) == (expected, [], False)
    assert rows(decode(content).columns) == expected


@given(streams(), streams(), st.booleans())
def test_round_trip_with_exposure(
    changes: list[list[Event]], crossings: list[list[Event]], rebase: bool
) -> None:
    events = [event for part in changes for event in part]
    exposure = [event for part in crossings for event in part]
    stream = io.BytesIO()
    writer: Any = es.writer(stream, (640, 480), ATIS, rebase=rebase)
    # Cut where no event of either is behind one of the other.
    times = sorted(event[0] for event in events + exposure)
    middle = times[len(times) // 2] if times else 0
    for start, stop in ((-1, middle), (middle, 2**62)):
        some = [
            [e for e in given_events if start <= e[0] < stop] for given_events in (events, exposure)
        ]
        columns = [[np.array([e[k] for e in part], np.int64) for k in range(4)] for part in some]
        writer.write_batch(batch_of(columns[0], columns[1] if some[1] else None))
    writer.close()
    first = times[0] if rebase and times else 0
    shifted = [[(t - first, *rest) for t, *rest in part] for part in (events, exposure)]
    assert slow(stream.getvalue()) == (*shifted, False)
    decoded = decode(stream.getvalue(), 3)
    assert (rows(decoded.columns), exposure_of(decoded)) == tuple(shifted)


def test_rows_are_turned_around_unless_they_count_upwards() -> None:
    events = [(1, 2, 0, 1), (2, 2, 479, 0)]
    assert slow(write([events]))[0] == events
    turned = [(1, 2, 479, 1), (2, 2, 0, 0)]
    for metadata in ({}, {"origin": "top-left"}):
        assert slow(write([events], metadata))[0] == turned


def test_a_silence_as_long_as_the_writer_takes() -> None:
    for metadata, bits in ((BOTTOM, 1), (ATIS, 2)):
        longest = max_gap(bits)
        content = write([[(longest, 1, 1, 1)]], metadata)
        assert len(content) == 20 + (64 << 20) + 5
        assert rows(decode(content).columns) == [(longest, 1, 1, 1)]
        with pytest.raises(UnsupportedError, match=rf"at most {longest} us after 0"):
            write([[(longest + 1, 1, 1, 1)]], metadata)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (
            [(1, 1, 1, 1), (2, 640, 1, 1)],
            r"event 1 \(t=2, x=640, y=1\), field 'x', expected 0..639",
        ),
        ([(1, 1, 1, 1), (2, 1, 480, 1)], r"event 1 \(t=2.*field 'y', expected 0..479, got 480"),
        ([(1, 1, 1, 1), (2, 65_535, 65_535, 1)], r"field 'x', expected 0..639, got 65535"),
        ([(-1, 1, 1, 1)], r"event 0 .*field 't', expected 0 or more, got -1"),
        ([(5, 1, 1, 1), (4, 1, 1, 1)], r"event 1 .*field 't', expected no step back from 5, got 4"),
        ([(5, 1, 1, 1), (10**12, 1, 1, 1)], r"field 't', expected at most 8522825728 us after 5"),
        ([(1_700_000_000_000_000, 1, 1, 1)], "with --rebase"),
        ([(2**63 - 1, 1, 1, 1)], "with --rebase"),
        ([(-(2**63), 1, 1, 1)], "with --rebase"),
    ],
)
@pytest.mark.parametrize("metadata", [BOTTOM, {}])
def test_what_cannot_be_held_is_named(events: list[Event], words: str, metadata: Any) -> None:
    with pytest.raises(UnsupportedError, match=words):
        write([events], metadata)
    with pytest.raises(UnsupportedError, match=words):
        write([events[:1], events[1:]], metadata)


def test_what_came_before_is_whole() -> None:
    stream = io.BytesIO()
    writer = es.writer(stream, (640, 480), BOTTOM)
    with pytest.raises(UnsupportedError):
        writer.write([7, 7, 100_000], [1, 2, 640], [3, 4, 5], [1, 0, 1])
    assert slow(stream.getvalue()) == ([(7, 1, 3, 1), (7, 2, 4, 0)], [], False)


@pytest.mark.parametrize("first", [-(2**63), 2**63 - 1, 1_700_000_000_000_000])
def test_rebase_of_any_first_time(first: int) -> None:
    assert slow(write([[(first, 1, 1, 1)]], rebase=True))[0] == [(0, 1, 1, 1)]
    other = -1 if first > 0 else 0
    with pytest.raises(UnsupportedError):
        write([[(first, 1, 1, 1), (other, 1, 1, 1)]], rebase=True)


def test_what_a_stream_cannot_hold_beside_events() -> None:
    writer: Any = es.writer(io.BytesIO(), (640, 480), ATIS)
    one = [np.array([1], np.int64)] * 4
    edges = Triggers(one[0], np.array([1], np.uint8), np.array([1], np.uint8))
    with pytest.raises(UnsupportedError, match="imu and triggers"):
        writer.write_batch(batch_of(one, triggers=edges, side={"imu": {"t": one[0]}}))
    writer.write_batch(batch_of(one))
    early = [np.array([0, 0], np.int64), *(np.array([1, 1], np.int64) for _ in range(3))]
    with pytest.raises(UnsupportedError, match=r"exposure event 0 .*no step back from 1, got 0"):
        writer.write_batch(batch_of(one, early))
    # A stream of DVS events takes no side streams: its caller counts what is left out.
    assert not hasattr(es.writer(io.BytesIO(), (640, 480), BOTTOM), "write_batch")


@pytest.mark.parametrize(
    ("resolution", "error"),
    [((0, 5), ArgumentError), ((5, -1), ArgumentError), ((65_536, 5), UnsupportedError)],
)
def test_resolutions_that_cannot_be(resolution: tuple[int, int], error: Any) -> None:
    with pytest.raises(error):
        es.writer(io.BytesIO(), resolution, {})


# -------------------------------------------------------------------------- other software


def some_events(seed: int, count: int = 20_000) -> list[Any]:
    source = np.random.default_rng(seed)
    t = np.cumsum(source.choice([0, 1, 40, 126, 127, 1000], count))
    return [t, *(source.integers(0, high, count) for high in (640, 480, 2))]


def test_event_stream_reads_what_is_written(tmp_path: Path, seed: int) -> None:
    event_stream = pytest.importorskip("event_stream")
    columns = some_events(seed)
    exposure = some_events(seed + 1)
    for metadata in (BOTTOM, ATIS):
        stream = io.BytesIO()
        writer: Any = es.writer(stream, (640, 480), metadata)
        if metadata is ATIS:
            writer.write_batch(batch_of(columns, exposure))
        else:
            writer.write(*columns)
        path = tmp_path / f"{metadata.get('stream_type')}.es"
        path.write_bytes(stream.getvalue())
        with event_stream.Decoder(str(path)) as decoder:
            assert (decoder.width, decoder.height) == (640, 480)
            found = np.concatenate(list(decoder))
        if metadata is ATIS:
            crossings = found[found["exposure"]]
            for name, column in zip(("t", "x", "y", "polarity"), exposure, strict=True):
                assert np.array_equal(crossings[name], column), name
            found = found[~found["exposure"]]
        names = ("t", "x", "y", "polarity" if metadata is ATIS else "on")
        for name, column in zip(names, columns, strict=True):
            assert np.array_equal(found[name], column), name


def test_faery_reads_what_is_written_top_left_first(tmp_path: Path, seed: int) -> None:
    faery = pytest.importorskip("faery")
    columns = some_events(seed)
    stream = io.BytesIO()
    es.writer(stream, (640, 480), {}).write(*columns)
    path = tmp_path / "written.es"
    path.write_bytes(stream.getvalue())
    found = faery.events_stream_from_file(str(path)).to_array()
    for name, column in zip(("t", "x", "y", "on"), columns, strict=True):
        assert np.array_equal(found[name], column), name


@pytest.mark.parametrize("kind", ["dvs", "atis"])
def test_what_event_stream_writes_is_read_and_written_alike(
    kind: str, tmp_path: Path, seed: int
) -> None:
    event_stream = pytest.importorskip("event_stream")
    t, x, y, p = some_events(seed)
    source = np.random.default_rng(seed)
    array = np.zeros(t.size, getattr(event_stream, f"{kind}_dtype"))
    array["t"], array["x"], array["y"] = t, x, y
    array["on" if kind == "dvs" else "polarity"] = p
    crossing = source.random(t.size) < (0.6 if kind == "atis" else 0)
    if kind == "atis":
        array["exposure"] = crossing
    path = tmp_path / "theirs.es"
    with event_stream.Encoder(str(path), kind, 640, 480) as encoder:
        encoder.write(array)
    content = path.read_bytes()
    decoded = decode(content)
    assert rows(decoded.columns) == rows(column[~crossing] for column in (t, x, y, p))
    assert exposure_of(decoded) == rows(column[crossing] for column in (t, x, y, p))
    if kind == "dvs":
        assert write([rows(decoded.columns)]) == content


@pytest.mark.parametrize("name", ["dvs.es", "poker_trcl0.es", "atis.es"])
def test_real_recordings_are_written_as_they_were(name: str, data_dir: Path) -> None:
    content = (data_dir / "eventstream" / name).read_bytes()
    reading = read(content, 65_536)
    stream = io.BytesIO()
    assert reading.resolution is not None
    writer: Any = es.writer(stream, reading.resolution, reading.metadata)
    for batch in reading.batches:
        writer.write(*batch[:4]) if batch.side is None else writer.write_batch(batch)
    writer.close()
    events, exposure, _ = slow(content)
    if not exposure:  # else events of equal times come in another order
        assert stream.getvalue() == content
    again = decode(stream.getvalue())
    assert (rows(again.columns), exposure_of(again)) == (events, exposure)


@pytest.mark.parametrize(("name", "words"), [("color.es", "color"), ("generic.es", "generic")])
def test_real_recordings_of_other_types_are_refused(name: str, words: str, data_dir: Path) -> None:
    content = (data_dir / "eventstream" / name).read_bytes()
    with pytest.raises(UnsupportedError, match=words):
        registry.detect(content[:65_536], len(content), ".es")
