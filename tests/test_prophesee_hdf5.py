"""Prophesee HDF5 beyond its vectors: the writer, the vendor's own blocks, damage."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.errors import ArgumentError, CorruptError, TruncatedError, UnsupportedError
from evstore.formats import prophesee_hdf5 as module
from evstore.formats.reading import Batch, ReadOptions, Triggers
from vectors import Decoded, consume, join

h5py = pytest.importorskip("h5py")

DAY = 24 * 3600 * 1_000_000
Event = tuple[int, int, int, int]


def write(batches: list[list[Event]], edges: Any = (), **said: Any) -> bytes:
    stream = io.BytesIO()
    with module.writer(stream, (1280, 720), {"date": "2024-01-02"}, **said) as writer:
        for events in batches:
            writer.write(*(np.array([e[k] for e in events], np.int64) for k in range(4)))
        if edges:
            writer.trigger(*zip(*edges, strict=True))
    return stream.getvalue()


def read(content: bytes, limit: int = 1000) -> Decoded:
    return join(list(module.read(io.BytesIO(content), ReadOptions(batch_events=limit)).batches))


def events_of(decoded: Decoded) -> list[Event]:
    return list(zip(*(column.tolist() for column in decoded.columns), strict=True))


@st.composite
def recordings(draw: st.DrawFn) -> list[Event]:
    """Rows, bursts, long silences, steps back: whatever makes the encoder choose."""
    t = draw(st.sampled_from([-7, 0, 2**31, 2**34, 1_700_000_000_000_000]))
    start, events = t, []
    for _ in range(draw(st.integers(0, 12))):
        t += draw(st.sampled_from([0, 1, 14, 15, 16, 255, 70_000, -3, -(2**31)]))
        t = min(t, start + 10**7)
        y = draw(st.sampled_from([0, 1, 2047]))
        p = draw(st.integers(0, 1))
        xs = draw(st.lists(st.integers(0, 2047), min_size=1, max_size=40))
        xs = sorted(xs) if draw(st.booleans()) else xs
        if draw(st.booleans()):
            xs = [min(2047, xs[0] + k) for k in range(draw(st.integers(1, 200)))]
        events += [(t, x, y, p) for x in xs]
    return events


@settings(deadline=None, max_examples=60)
@given(recordings(), st.integers(1, 300))
def test_round_trip(events: list[Event], size: int) -> None:
    content = write([events[k : k + size] for k in range(0, len(events), size)])
    assert events_of(read(content)) == events
    assert content == write([events])


def test_more_than_a_chunk_and_the_whole_tree() -> None:
    events = [(50 + k // 7, k % 1280, k // 30 % 720, k // 3 % 2) for k in range(40_000)]
    edges = [(60, 1, 1), (70, 255, 0)]
    content = write([events[:16_383], events[16_383:]], edges)
    assert events_of(read(content)) == events
    assert [c.tolist() for c in read(content).triggers] == [[60, 70], [1, 255], [1, 0]]
    with h5py.File(io.BytesIO(content)) as file:
        assert dict(file.attrs) == {
            "version": "1.0", "format": "ECF", "geometry": "1280x720", "date": "2024-01-02",
        }  # fmt: skip
        for path in ("CD/events", "CD/indexes", "EXT_TRIGGER/events", "EXT_TRIGGER/indexes"):
            assert (file[path].chunks, file[path].maxshape) == ((16_384,), (None,)), path
        plist = file["CD/events"].id.get_create_plist()
        assert plist.get_filter(0)[:3] == (0x8ECF, h5py.h5z.FLAG_OPTIONAL, ())
        assert file["CD/indexes"].attrs["offset"] == "-50"
        assert file["EXT_TRIGGER/events"].dtype.itemsize == 24


def index_of(times: list[int]) -> list[tuple[int, int]]:
    """The index, stated anew: entry k names the start of the last bin before k with events."""
    starts: dict[int, tuple[int, int]] = {}
    latest = 0
    for k, t in enumerate(times):
        if (t - times[0]) // 2000 > latest or k == 0:
            latest = (t - times[0]) // 2000
            starts[latest] = (k, t - times[0])
    rows = [(0, -1)]
    for k in range(1, latest + 1):
        rows.append(starts[max(b for b in starts if b < k)])
    return [*rows, starts[latest]]


@pytest.mark.parametrize("times", [[5], [0, 1999, 2000, 2001, 9000, 8000, 9999, 10_000, 50_001]])
def test_index(times: list[int]) -> None:
    content = write([[(t, 0, 0, 1)] for t in times])
    with h5py.File(io.BytesIO(content)) as file:
        assert [tuple(map(int, row)) for row in file["CD/indexes"]] == index_of(times)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([(1, 1, 1, 1), (2, 2048, 1, 1)], "event 1 (t 2, x 2048, y 1), field 'x'"),
        ([(1, 1, 1, 1), (2, 1, 2048, 1)], "event 1 (t 2, x 1, y 2048), field 'y'"),
        ([(0, 1, 1, 1), (DAY + 1, 1, 1, 1)], "at most a day after the first"),
        ([(2**63 - 1, 1, 1, 1)], "field 't'"),
        ([(-(2**63), 1, 1, 1)], "field 't'"),
    ],
)
def test_what_cannot_be_held(events: list[Event], words: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        write([events])
    assert words in str(caught.value)


def test_rebase_and_arguments() -> None:
    assert events_of(read(write([[(90, 1, 2, 1), (80, 1, 2, 0)]], rebase=True))) == [
        (0, 1, 2, 1), (-10, 1, 2, 0),
    ]  # fmt: skip
    with pytest.raises(ArgumentError):
        module.writer(io.BytesIO(), (0, 5), {})
    with pytest.raises(UnsupportedError):
        write([], [(1, 256, 0)])
    with pytest.raises(ArgumentError):
        module.read(io.BytesIO(write([])), ReadOptions(batch_events=0))


def test_batches_with_triggers_pass_through() -> None:
    stream = io.BytesIO()
    writer = module.writer(stream, (34, 34), {})
    t = np.arange(5, dtype=np.int64)
    x, p = np.arange(5, dtype=np.uint16), np.ones(5, np.uint8)
    edges = Triggers(t[:2], np.array([3, 4], np.uint8), p[:2])
    writer.write_batch(Batch(t, x, x, p, edges))
    writer.close()
    found = read(stream.getvalue(), 2)
    assert [c.tolist() for c in found.triggers] == [[0, 1], [3, 4], [1, 1]]


@pytest.mark.parametrize("name", ["gen41_hd_ecf", "evk4_hd_ecf"])
def test_blocks_are_the_vendors(name: str, data_dir: Path) -> None:
    """Encoded again, the events of a file that the vendor's codec wrote give its bytes."""
    content = (data_dir / "made" / f"{name}.hdf5").read_bytes()
    batches = list(module.read(io.BytesIO(content), ReadOptions()).batches)
    stream = io.BytesIO()
    writer = module.writer(stream, (1280, 720), {})
    for batch in batches:
        writer.write_batch(batch)
    writer.close()
    with h5py.File(io.BytesIO(content)) as old, h5py.File(io.BytesIO(stream.getvalue())) as new:
        theirs, ours = old["CD/events"], new["CD/events"]
        assert theirs.shape == ours.shape
        for first in range(0, theirs.shape[0] - 16_384, 16_384):
            pair = [d.id.read_direct_chunk((first,)) for d in (theirs, ours)]
            assert pair[0] == pair[1], first


def test_a_cut_file_gives_its_chunks() -> None:
    events = [(k, k * 7 % 1280, k * 11 % 720, k % 2) for k in range(50_000)]
    content = write([events])
    for length in (len(content) - 1, len(content) * 2 // 3, len(content) // 2):
        reading = module.read(io.BytesIO(content[:length]), ReadOptions())
        batches, error = consume(reading.batches)
        found = events_of(join(batches))
        assert isinstance(error, TruncatedError)
        assert error.safe_events == len(found)
        assert found == events[: len(found)]


def test_other_files_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "virtual.hdf5"
    with h5py.File(path, "w") as file:
        dtype = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
        layout = h5py.VirtualLayout((4,), dtype)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.hdf5"), "events", (4,))
        file.create_virtual_dataset("CD/events", layout)
    with path.open("rb") as stream, pytest.raises(UnsupportedError, match="in other files"):
        module.read(stream, ReadOptions())


def test_a_user_block_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "user.hdf5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        dtype = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
        rows = np.array([(1, 2, 1, 3), (4, 5, 0, 6)], dtype)
        file.create_dataset("CD/events", data=rows, chunks=(1,))
    assert events_of(read(path.read_bytes())) == [(3, 1, 2, 1), (6, 4, 5, 0)]


def test_damage_leaves_the_chunks_before_it() -> None:
    events = [(k, k * 7 % 1280, k * 11 % 720, k % 2) for k in range(40_000)]
    content = bytearray(write([events]))
    with h5py.File(io.BytesIO(content)) as file:
        place = file["CD/events"].id.get_chunk_info(1).byte_offset
    content[place + 12 : place + 40] = b"\xf1" * 28
    batches, error = consume(module.read(io.BytesIO(content), ReadOptions()).batches)
    assert isinstance(error, CorruptError)
    assert events_of(join(batches)) == events[:16_384]
