"""What the writers of DAT and of 40-bit .bin write is what was given, to all that read it."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError, UnsupportedError
from evstore.formats import bin40, dat, registry
from evstore.formats.reading import ReadOptions
from vectors import join

Event = tuple[int, int, int, int]

MODULES = {"dat": dat, "bin40": bin40}
DAT = st.tuples(
    st.sampled_from([0, 1, 2**31 - 1, 2**31]) | st.integers(2**31 - 5, 2**32 - 1),
    st.integers(0, 16_383),
    st.integers(0, 16_383),
    st.integers(0, 1),
)
BIN40 = st.tuples(
    st.sampled_from([0, 65_535, 65_536, 2**23 - 1]) | st.integers(0, 2**23 - 1),
    st.integers(0, 255),
    st.integers(0, 239),
    st.integers(0, 1),
)


def write(module: ModuleType, batches: list[list[Event]], **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = module.writer(stream, (304, 240), {"date": "2024-01-02 03:04:05"}, **options)
    for events in batches:
        writer.write(*(np.array([e[k] for e in events], np.int64) for k in range(4)))
    writer.close()
    assert writer.events == sum(map(len, batches))
    return stream.getvalue()


def read(module: ModuleType, content: bytes) -> list[Event]:
    if not content:
        return []
    decoded = join(list(module.read(io.BytesIO(content), ReadOptions()).batches))
    return list(zip(*(column.tolist() for column in decoded.columns), strict=True))


def dat_can_hold(events: list[Event]) -> bool:
    return all(a[0] - b[0] <= 2**31 for a, b in pairwise(events))


@given(st.lists(st.lists(DAT, max_size=10), max_size=3))
def test_dat_round_trip(batches: list[list[Event]]) -> None:
    events = [event for some in batches for event in some]
    if dat_can_hold(events):
        content = write(dat, batches)
        assert read(dat, content) == events
        assert registry.detect(content, len(content)) is dat
    else:
        with pytest.raises(UnsupportedError, match="before the last event"):
            write(dat, batches)


@given(st.lists(st.lists(BIN40, max_size=10), max_size=3))
def test_bin40_round_trip(batches: list[list[Event]]) -> None:
    events = [event for some in batches for event in some]
    assert read(bin40, write(bin40, batches)) == events


def test_bin40_is_recognised() -> None:
    content = write(bin40, [[(k * 1000, k % 34, k % 34, k % 2) for k in range(100)]])
    assert registry.detect(content, len(content), ".bin") is bin40


@pytest.mark.parametrize("name", MODULES)
def test_more_events_than_are_packed_at_once(name: str) -> None:
    module = MODULES[name]
    t = np.arange(150_000, dtype=np.int64) * 50
    columns = (t, t % 200, t % 240, t // 50 % 2)
    stream = io.BytesIO()
    module.writer(stream, (304, 240), {}).write(*columns)
    expected = list(zip(*(column.tolist() for column in columns), strict=True))
    assert read(module, stream.getvalue()) == expected


@pytest.mark.parametrize(
    ("name", "events", "words"),
    [
        ("dat", [(5, 1, 1, 1), (2**32, 1, 1, 1)], "event 1 (t 4294967296, x 1, y 1), field 't'"),
        ("dat", [(-1, 1, 1, 1)], "expected 0..4294967295, got -1. Count from the first event"),
        ("dat", [(1, 16_384, 1, 1)], "field 'x', expected 0..16383, got 16384"),
        ("dat", [(1, 1, 16_384, 1)], "field 'y', expected 0..16383, got 16384"),
        ("dat", [(2**31 + 1, 1, 1, 1), (0, 2, 3, 0)], "event 1 (t 0, x 2, y 3), field 't'"),
        ("dat", [(-(2**63), 1, 1, 1)], "event 0"),
        ("bin40", [(0, 1, 1, 1), (2**23, 1, 1, 1)], "event 1 (t 8388608, x 1, y 1), field 't'"),
        ("bin40", [(1_600_000_000_000_000, 1, 1, 1)], "with --rebase"),
        ("bin40", [(-1, 1, 1, 1)], "expected 0..8388607, got -1"),
        ("bin40", [(1, 256, 1, 1)], "field 'x', expected 0..255, got 256"),
        ("bin40", [(1, 1, 240, 1)], "field 'y', expected 0..239, got 240"),
    ],
)
def test_what_cannot_be_held_is_named(name: str, events: list[Event], words: str) -> None:
    for batches in ([events], [events[:1], events[1:]]):
        with pytest.raises(UnsupportedError) as caught:
            write(MODULES[name], batches)
        assert words in str(caught.value)


@pytest.mark.parametrize("name", MODULES)
def test_nothing_of_a_batch_that_cannot_be_held_is_written(name: str) -> None:
    stream = io.BytesIO()
    writer = MODULES[name].writer(stream, (304, 240), {})
    writer.write([1], [2], [3], [1])
    before = stream.getvalue()
    with pytest.raises(UnsupportedError, match="event 2"):
        writer.write([4, 2**62], [5, 5], [6, 6], [0, 0])
    assert stream.getvalue() == before
    writer.write([7], [5], [6], [0])
    assert read(MODULES[name], stream.getvalue()) == [(1, 2, 3, 1), (7, 5, 6, 0)]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("first", [-(2**63), 2**63 - 1, 1_600_000_000_000_000])
def test_rebase(name: str, first: int) -> None:
    batches = [[(first, 1, 1, 1)]]
    module = MODULES[name]
    assert read(module, write(module, batches, rebase=True)) == [(0, 1, 1, 1)]
    with pytest.raises(UnsupportedError):
        write(module, [*batches, [(-1 if first > 0 else 0, 1, 1, 1)]], rebase=True)


def test_header_of_dat() -> None:
    content = write(dat, [])
    reading = dat.read(io.BytesIO(content), ReadOptions())
    assert reading.resolution == (304, 240)
    assert reading.metadata["date"] == "2024-01-02 03:04:05"
    assert reading.metadata["version"] == "2"
    stream = io.BytesIO()
    dat.writer(stream, (304, 240), {"date": "2024\n% Width 5"})
    assert b"Date" not in stream.getvalue()
    with pytest.raises(ArgumentError):
        dat.writer(io.BytesIO(), (0, 240), {})


@pytest.mark.parametrize("name", ["expelliarmus", "faery", "eventcv"])
def test_others_read_dat(name: str, tmp_path: Path) -> None:
    package = pytest.importorskip(name)
    source = np.random.default_rng(3)
    t = np.sort(source.integers(0, 2**32, 5000))
    x, y, p = (source.integers(0, below, 5000) for below in (304, 240, 2))
    path = tmp_path / "written.dat"
    with path.open("wb") as stream:
        dat.writer(stream, (304, 240), {"date": "2024-01-02 03:04:05"}).write(t, x, y, p)
    if name == "expelliarmus":
        found = package.Wizard(encoding="dat").read(path)
        columns = [found[column] for column in "txyp"]
    elif name == "faery":
        found = np.concatenate(list(package.events_stream_from_file(str(path))))
        columns = [found[column] for column in ("t", "x", "y", found.dtype.names[3])]
    else:
        found = package.load(str(path), time_unit="us").numpy()
        columns = [found[:, k] for k in (2, 0, 1, 3)]
    for column, other in zip(columns, (t, x, y, p), strict=True):
        assert np.array_equal(column.astype(np.int64), other)


def test_tonic_reads_bin40(tmp_path: Path) -> None:
    package = pytest.importorskip("tonic")
    source = np.random.default_rng(4)
    t = np.sort(source.integers(0, 2**23, 5000))
    x, y, p = (source.integers(0, below, 5000) for below in (256, 240, 2))
    path = tmp_path / "written.bin"
    with path.open("wb") as stream:
        bin40.writer(stream, None, {}).write(t, x, y, p)
    dtype = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    found = package.io.read_mnist_file(str(path), dtype=dtype)
    for name, column in (("t", t), ("x", x), ("y", y), ("p", p)):
        assert np.array_equal(found[name].astype(np.int64), column), name


@given(st.lists(BIN40, max_size=20))
def test_bytes_of_bin40(events: list[Event]) -> None:
    content = write(bin40, [events])
    records = [content[k : k + 5] for k in range(0, len(content), 5)]
    found = [(int.from_bytes(r[2:], "big") & (1 << 23) - 1, r[0], r[1], r[2] >> 7) for r in records]
    assert found == events


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("dat", "prophesee/evk4_hd.dat"),
        ("bin40", "atis/ncaltech101_faces_easy_0001.bin"),
        ("bin40", "atis/nmnist_sample.bin"),
    ],
)
def test_real_recordings_come_back_byte_for_byte(name: str, file: str, data_dir: Path) -> None:
    module, content = MODULES[name], (data_dir / file).read_bytes()
    reading = module.read(io.BytesIO(content), ReadOptions())
    stream = io.BytesIO()
    writer = module.writer(stream, reading.resolution or (304, 240), reading.metadata)
    start = len(stream.getvalue())
    for batch in reading.batches:
        writer.write(*batch[:4])
    assert stream.getvalue()[start:] == content[len(reading.header) :]
