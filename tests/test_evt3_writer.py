"""What the EVT3 writer writes is what was given, to this reader and to an independent one."""

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
from evstore.formats import evt3
from evstore.formats.reading import Batch, ReadOptions, Triggers
from vectors import Decoded, join

Event = tuple[int, int, int, int]


def write(batches: list[list[Event]], **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = evt3.writer(stream, (1280, 720), {}, **options)
    for events in batches:
        writer.write(*(np.array([e[k] for e in events], np.int64) for k in range(4)))
    writer.close()
    return stream.getvalue()


def read(content: bytes) -> Decoded:
    return join(list(evt3.read(io.BytesIO(content), ReadOptions(batch_events=1000)).batches))


def events_of(decoded: Decoded) -> list[Event]:
    return list(zip(*(column.tolist() for column in decoded.columns), strict=True))


def payload(content: bytes) -> list[int]:
    return np.frombuffer(content[content.index(b"% end\n") + 6 :], "<u2").tolist()


@st.composite
def streams(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of events with rows, bursts, long silences and small steps back."""
    t = draw(st.sampled_from([0, 1, 4095, 4096, 2**24 - 1, 2**24, 2**27 - 1, 2**34 + 5]))
    batches: list[list[Event]] = []
    steps = st.sampled_from([0, 0, 0, 1, 40, 4096, 2**23, 2**24 - 1, 2**24, 2**25 + 3, -1, -3000])
    for _ in range(draw(st.integers(0, 4))):
        events: list[Event] = []
        for _ in range(draw(st.integers(0, 12))):
            later = t + draw(steps)
            # Back only within one turn of the clock, which is what the format can say.
            t = later if later >= t or later >> 24 == t >> 24 else t
            y, p = draw(st.sampled_from([0, 5, 2047])), draw(st.integers(0, 1))
            row = draw(st.lists(st.integers(0, 60), max_size=40, unique=draw(st.booleans())))
            base = draw(st.sampled_from([0, 700, 1987]))
            order = sorted(row) if draw(st.booleans()) else row
            events += [(t, base + x, y, p) for x in order]
        batches.append(events)
    return batches


@given(streams())
def test_round_trip(batches: list[list[Event]]) -> None:
    given_events = [event for events in batches for event in events]
    assert events_of(read(write(batches))) == given_events


@given(streams())
def test_rebase_starts_at_zero(batches: list[list[Event]]) -> None:
    given_events = [event for events in batches for event in events]
    first = given_events[0][0] if given_events else 0
    if any(event[0] < first for event in given_events):
        return
    # Counting from elsewhere moves the turns of the clock, over which no step back may go.
    times = [event[0] - first for event in given_events]
    if any(b < a and b >> 24 != a >> 24 for a, b in pairwise(times)):
        return
    found = events_of(read(write(batches, rebase=True)))
    assert found == [(t - first, x, y, p) for t, x, y, p in given_events]


def test_words_are_those_of_a_sensor() -> None:
    row = [(5000, x, 7, 1) for x in (100, 101, 113, 130)]
    words = payload(write([[*row, (5000, 3, 7, 0), (5003, 3, 8, 0)]]))
    time = [0x8001, 0x6000 | 5000 - 4096]
    vectors = [0x3000 | 1 << 11 | 100, 0x4003, 0x4002, 0x5000 | 1 << 6]
    expected = [*time, 7, *[0x2800 | x for x in (100, 101, 113, 130)], 0x2003]
    assert words == [*expected, 0x6000 | 5003 - 4096, 8, 0x2003]
    row += [(5000, 131, 7, 1)]
    assert payload(write([row])) == [*time, 7, *vectors[:3], 0x5000 | 3 << 6]


def test_time_high_is_repeated() -> None:
    words = payload(write([[(k % 4000, 1, k % 2, 1) for k in range(4000)]]))
    places = [k for k, word in enumerate(words) if word >> 12 == 8]
    assert len(places) > 5
    assert all(words[k + 1] >> 12 == 6 for k in places)
    assert max(np.diff(places)) < 1100


def test_every_wrap_is_written_as_one() -> None:
    words = payload(write([[(3 << 24, 1, 1, 1)], [(5 << 24 | 12 << 12, 2, 1, 1)]]))
    highs = [word & 4095 for word in words if word >> 12 == 8]
    assert highs == [4095, 0, 4095, 0, 4095, 0, 0, 4095, 0, 4095, 0, 12]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([(1, 1, 1, 1), (2, 2048, 1, 1)], "event 1, field 'x', expected 0..2047, got 2048"),
        ([(1, 1, 1, 1), (2, 1, 65_535, 1)], "event 1, field 'y', expected 0..2047, got 65535"),
        ([(-1, 1, 1, 1)], "event 0, field 't', expected 0 or more, got -1"),
        ([(2**24, 1, 1, 1), (2**24 - 1, 1, 1, 1)], "event 1, field 't', expected no such step"),
        ([(2**23 + 5, 1, 1, 1), (0, 1, 1, 1)], "event 1, field 't', expected no such step"),
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
    other = -1 if first > 0 else 0
    with pytest.raises(UnsupportedError):
        write([[(first, 1, 1, 1), (other, 1, 1, 1)]], rebase=True)


def test_a_silence_that_needs_more_words_than_the_buffer() -> None:
    events = [(0, 1, 1, 1), (2**40, 2, 1, 0), (2**41, 3, 1, 0)]
    assert events_of(read(write([events]))) == events


def test_triggers_stand_between_events_by_their_time() -> None:
    stream = io.BytesIO()
    writer = evt3.writer(stream, (34, 34), {})
    # A batch that spans more than the clock can step back by.
    t = np.arange(100, dtype=np.int64) * 1_000_000
    ones = np.ones(100, np.uint16)
    edges = Triggers(
        np.array([5, 30_000_001, 99_000_005], np.int64),
        np.array([0, 3, 15], np.uint8),
        np.array([1, 0, 1], np.uint8),
    )
    writer.write_batch(Batch(t, ones, ones, np.ones(100, np.uint8), edges))
    writer.write_batch(Batch(t[:0], ones[:0], ones[:0], np.ones(0, np.uint8)))
    with pytest.raises(UnsupportedError, match="id"):
        writer.trigger(99_000_006, 16, 1)
    decoded = read(stream.getvalue())
    assert decoded.columns[0].tolist() == t.tolist()
    assert [column.tolist() for column in decoded.triggers] == [a.tolist() for a in edges]


def test_header_keeps_the_metadata_that_fits() -> None:
    stream = io.BytesIO()
    metadata = {"date": "2020-01-02", "serial_number": "00\n% evt 2.0", "plugin_name": "ü", "a": 1}
    evt3.writer(stream, (34, 30), metadata).close()
    reading = evt3.read(io.BytesIO(stream.getvalue()), ReadOptions())
    assert reading.resolution == (34, 30)
    assert set(reading.metadata) == {"date", "evt", "format", "geometry", "resolution_from"}
    with pytest.raises(ArgumentError):
        evt3.writer(io.BytesIO(), (0, 30), {})


@given(streams())
def test_the_evt3_package_reads_it(tmp_path_factory: Any, batches: list[list[Event]]) -> None:
    package = pytest.importorskip("evt3")
    path: Path = tmp_path_factory.getbasetemp() / "written.raw"
    path.write_bytes(write(batches))
    given_events = [event for events in batches for event in events]
    found = package.decode_file(str(path))
    columns = (found.t, found.x, found.y, found.p)
    values = (np.asarray(column).astype(np.int64).tolist() for column in columns)
    assert list(zip(*values, strict=True)) == given_events
