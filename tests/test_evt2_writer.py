"""What the EVT2 writer writes is what was given, to this reader and to independent ones."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError, UnsupportedError
from evstore.formats import evt2
from evstore.formats.reading import Batch, ReadOptions, Triggers
from vectors import Decoded, join

Event = tuple[int, int, int, int]

TURN = 1 << 34
EDGES = [0, 63, 64, 2**24, 2**27 - 38, 2**31 - 1, 2**32, TURN - 1, TURN, 3 * TURN + 5]


def write(batches: list[list[Event]], **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = evt2.writer(stream, (1280, 720), {}, **options)
    for events in batches:
        writer.write(*(np.array([e[k] for e in events], np.int64) for k in range(4)))
    writer.close()
    return stream.getvalue()


def read(content: bytes) -> Decoded:
    return join(list(evt2.read(io.BytesIO(content), ReadOptions(batch_events=1000)).batches))


def events_of(decoded: Decoded) -> list[Event]:
    return list(zip(*(column.tolist() for column in decoded.columns), strict=True))


def payload(content: bytes) -> list[int]:
    return np.frombuffer(content[content.index(b"% end\n") + 6 :], "<u4").tolist()


@st.composite
def streams(draw: st.DrawFn, least_step: int = -(2**33) + 1) -> list[list[Event]]:
    """Batches of events with bursts, long silences and steps back within a turn."""
    t = draw(st.sampled_from(EDGES))
    steps = st.sampled_from([0, 0, 1, 63, 64, 2**31, 2**33, TURN - 1, 2**39, -1, -70, least_step])
    places = st.sampled_from([0, 1, 639, 2047])
    batches: list[list[Event]] = []
    for _ in range(draw(st.integers(0, 4))):
        events: list[Event] = []
        for _ in range(draw(st.integers(0, 12))):
            later = t + max(draw(steps), least_step)
            # Back only within one turn of the clock, which is what the format can say.
            t = later if later >= t or later >> 34 == t >> 34 else t
            events.append((t, draw(places), draw(places), draw(st.integers(0, 1))))
        batches.append(events)
    return batches


@given(streams())
def test_round_trip(batches: list[list[Event]]) -> None:
    assert events_of(read(write(batches))) == [e for events in batches for e in events]


@given(streams())
def test_rebase_starts_at_zero(batches: list[list[Event]]) -> None:
    given_events = [event for events in batches for event in events]
    first = given_events[0][0] if given_events else 0
    # Counting from elsewhere moves the turns of the clock, over which no step back may go.
    times = [event[0] - first for event in given_events]
    if any(t < 0 for t in times) or any(b < a and b >> 34 != a >> 34 for a, b in pairwise(times)):
        return
    found = events_of(read(write(batches, rebase=True)))
    assert found == [(t - first, x, y, p) for t, x, y, p in given_events]


def test_words_are_those_of_a_sensor() -> None:
    words = payload(write([[(10, 3, 4, 0), (63, 3, 4, 1), (64, 5, 6, 1)], [(65, 7, 8, 0)]]))
    assert words == [
        0x80000000,
        10 << 22 | 3 << 11 | 4,
        1 << 28 | 63 << 22 | 3 << 11 | 4,
        0x80000001,
        1 << 28 | 5 << 11 | 6,
        1 << 22 | 7 << 11 | 8,
    ]


def test_every_wrap_is_written_as_one() -> None:
    words = payload(write([[(2 * TURN, 1, 1, 1), (3 * TURN + 70, 1, 1, 1)]]))
    wrap = [0x8FFFFFFF, 0x80000000]
    assert [word for word in words if word >> 28 == 8] == [*wrap * 3, 0x80000001]


def test_more_events_than_the_buffer_holds() -> None:
    t = np.arange(200_000, dtype=np.int64) * 40
    columns = (t, t % 1280, t % 720, t // 40 % 2)
    stream = io.BytesIO()
    writer = evt2.writer(stream, (1280, 720), {})
    writer.write(*columns)
    assert writer.events == t.size
    for column, other in zip(read(stream.getvalue()).columns, columns, strict=True):
        assert np.array_equal(column, other)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([(1, 1, 1, 1), (2, 2048, 1, 1)], "event 1, field 'x', expected 0..2047, got 2048"),
        ([(1, 1, 1, 1), (2, 1, 65_535, 1)], "event 1, field 'y', expected 0..2047, got 65535"),
        ([(-1, 1, 1, 1)], "event 0, field 't', expected 0 or more, got -1"),
        ([(TURN, 1, 1, 1), (TURN - 1, 1, 1, 1)], "event 1, field 't', expected no such step"),
        ([(2**33 + 64, 1, 1, 1), (0, 1, 1, 1)], "event 1, field 't', expected no such step"),
        ([(1_600_000_000_000_000, 1, 1, 1)], "with --rebase"),
        ([(2**63 - 1, 1, 1, 1)], "with --rebase"),
        ([(-(2**63), 1, 1, 1)], "with --rebase"),
    ],
)
def test_what_cannot_be_held_is_named(events: list[Event], words: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        write([events[:1], events[1:]])
    assert words in str(caught.value)


@pytest.mark.parametrize("first", [-(2**63), 2**63 - 1, 1_600_000_000_000_000])
def test_rebase_of_any_first_time(first: int) -> None:
    content = write([[(first, 1, 1, 1)]], rebase=True)
    assert events_of(read(content)) == [(0, 1, 1, 1)]


def test_triggers_stand_between_events_by_their_time() -> None:
    stream = io.BytesIO()
    writer = evt2.writer(stream, (34, 34), {})
    t = np.arange(100, dtype=np.int64) * TURN // 2
    ones = np.ones(100, np.uint16)
    edges = Triggers(
        np.array([5, 30 * TURN + 1, 49 * TURN + 5], np.int64),
        np.array([0, 3, 31], np.uint8),
        np.array([1, 0, 1], np.uint8),
    )
    writer.write_batch(Batch(t, ones, ones, np.ones(100, np.uint8), edges))
    writer.write_batch(Batch(t[:0], ones[:0], ones[:0], np.ones(0, np.uint8)))
    none = Triggers(*(column[:0] for column in edges))
    writer.write_batch(Batch(t[:0], ones[:0], ones[:0], np.ones(0, np.uint8), none))
    with pytest.raises(UnsupportedError, match="id"):
        writer.trigger(50 * TURN, 32, 1)
    with pytest.raises(UnsupportedError, match="the trigger"):
        writer.trigger(-1, 1, 1)
    decoded = read(stream.getvalue())
    assert decoded.columns[0].tolist() == t.tolist()
    assert [column.tolist() for column in decoded.triggers] == [a.tolist() for a in edges]


def test_header_keeps_the_metadata_that_fits() -> None:
    stream = io.BytesIO()
    metadata = {"date": "2020-01-02", "serial_number": "00\n% evt 3.0", "plugin_name": "ü", "a": 1}
    evt2.writer(stream, (34, 30), metadata).close()
    reading = evt2.read(io.BytesIO(stream.getvalue()), ReadOptions())
    assert reading.resolution == (34, 30)
    assert set(reading.metadata) == {"date", "evt", "format", "geometry", "resolution_from"}
    with pytest.raises(ArgumentError):
        evt2.writer(io.BytesIO(), (0, 30), {})


@given(streams())
def test_expelliarmus_reads_it(tmp_path_factory: Any, batches: list[list[Event]]) -> None:
    """It knows no wrap: what it gives is the time within a turn."""
    package = pytest.importorskip("expelliarmus")
    given_events = [event for events in batches for event in events]
    if not given_events:
        return
    path: Path = tmp_path_factory.getbasetemp() / "written.raw"
    path.write_bytes(write(batches))
    found = package.Wizard(encoding="evt2").read(path)
    values = zip(*(found[name].astype(np.int64).tolist() for name in "txyp"), strict=True)
    assert list(values) == [(t % TURN, x, y, p) for t, x, y, p in given_events]


@given(streams(least_step=0))
def test_faery_reads_it(tmp_path_factory: Any, batches: list[list[Event]]) -> None:
    """It takes every step back for a wrap."""
    package = pytest.importorskip("faery")
    given_events = [event for events in batches for event in events]
    if any(max(event[1:3]) >= 640 for event in given_events):
        given_events = [(t, x % 640, y % 640, p) for t, x, y, p in given_events]
    path: Path = tmp_path_factory.getbasetemp() / "written.raw"
    path.write_bytes(write([given_events]))
    pieces = list(package.events_stream_from_file(str(path)))
    found = [tuple(int(v) for v in row) for piece in pieces for row in piece.tolist()]
    assert found == given_events


def test_eventcv_reads_it(tmp_path: Path) -> None:
    package = pytest.importorskip("eventcv")
    source = np.random.default_rng(6)
    t = np.sort(source.integers(0, TURN, 5000))
    columns = (t, *(source.integers(0, below, t.size) for below in (640, 480, 2)))
    path = tmp_path / "written.raw"
    with path.open("wb") as stream:
        evt2.writer(stream, (640, 480), {}).write(*columns)
    found = package.load(str(path), time_unit="us").numpy()
    for k, column in zip((2, 0, 1, 3), columns, strict=True):
        assert np.array_equal(found[:, k].astype(np.int64), column)


@pytest.mark.parametrize("file", ["gen3_vga_a_evt2.raw", "gen3_vga_b_evt2.raw"])
def test_real_recordings_come_back(file: str, data_dir: Path) -> None:
    """Not a TIME_HIGH more than the sensor sent, and the same events and triggers."""
    content = (data_dir / "prophesee" / file).read_bytes()
    reading = evt2.read(io.BytesIO(content), ReadOptions())
    stream = io.BytesIO()
    writer = evt2.writer(stream, reading.resolution or (640, 480), reading.metadata)
    for batch in reading.batches:
        writer.write_batch(batch)
    before, after = read(content), read(stream.getvalue())
    for column, other in zip(
        before.columns + before.triggers, after.columns + after.triggers, strict=True
    ):
        assert np.array_equal(column, other)
    assert len(payload(stream.getvalue())) * 4 <= len(content) - len(reading.header)
