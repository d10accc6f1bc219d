"""MAT v4, v5 and v7.3: against scipy, cut anywhere, in bounded memory; what numbers may tell."""

from __future__ import annotations

import io
import os
import struct
import sys
import tempfile
import tracemalloc
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from evstore.errors import ArgumentError, CorruptError, TruncatedError, UnsupportedError
from evstore.formats import conformance, mat, mat73, mat_inference, mat_spool, registry
from evstore.formats.reading import ReadOptions
from vectors import case, consume, join

Event = tuple[int, int, int, int]
SMALL = st.tuples(
    st.integers(0, 2**31 - 1), st.integers(0, 303), st.integers(0, 239), st.integers(0, 1)
)


def read_all(
    content: bytes, module: ModuleType = mat, **options: Any
) -> tuple[list[Event], BaseException | None]:
    batches, error = consume(module.read(io.BytesIO(content), ReadOptions(**options)).batches)
    columns = (column.tolist() for column in join(batches).columns)
    return list(zip(*columns, strict=True)), error  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ a small writer


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<2I", kind, len(data)) + data + bytes(-len(data) % 8)


def array(name: str, values: Any, shape: tuple[int, ...], kind: int, storage: int) -> bytes:
    body = element(6, struct.pack("<2I", kind, 0))
    body += element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name.encode())
    return element(14, body + element(storage, values.tobytes()))


def struct_of(name: str, **fields: Any) -> bytes:
    """A struct of int32 vectors."""
    body = element(6, struct.pack("<2I", 2, 0)) + element(5, struct.pack("<2i", 1, 1))
    names = b"".join(field.encode().ljust(8, b"\x00") for field in fields)
    body += element(1, name.encode()) + element(5, struct.pack("<i", 8)) + element(1, names)
    for values in fields.values():
        body += array("", np.asarray(values, "<i4"), (len(values), 1), 12, 5)
    return element(14, body)


def file_of(*elements: bytes, compress: bool = False) -> bytes:
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for each in elements:
        packed = zlib.compress(each)
        content += struct.pack("<2I", 15, len(packed)) + packed if compress else each
    return content


def events_of(count: int) -> list[Event]:
    return [(70_000 + 3 * k, k * 7 % 304, k * 5 % 240, k & 1) for k in range(count)]


def rows_of(events: list[Event], order: str = "xypt") -> bytes:
    columns = dict(zip("txyp", zip(*events, strict=True), strict=True))
    values = np.array([columns[c] for c in order], "<i4")
    return array("events", values, (len(events), 4), 12, 5)


def td_of(events: list[Event]) -> bytes:
    t, x, y, p = (np.array(c) for c in zip(*events, strict=True))
    return struct_of("TD", x=x + 1, y=y + 1, p=p, ts=t)


# ------------------------------------------------------------------------------ against scipy


@given(
    st.lists(SMALL, min_size=1, max_size=40),
    st.sampled_from(["struct", "vectors", "rows"]),
    st.sampled_from(["i4", "u4", "i8", "u8", "f8"]),
    st.booleans(),
    st.integers(1, 50),
)
@settings(max_examples=150)
def test_what_scipy_writes(
    events: list[Event], form: str, code: str, compress: bool, batch_events: int
) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    columns = {n: np.array([e[k] for e in events], code) for k, n in enumerate("txyp")}
    options: dict[str, Any] = {"batch_events": batch_events}
    content: dict[str, Any] = columns
    if form == "struct":
        content = {"recording": columns, "K": np.eye(3)}
    if form == "rows":
        content = {"data": np.stack([columns[c] for c in "yxpt"], axis=1)}
        options |= {"columns": ("y", "x", "p", "t"), "time_unit": "us"}
    stream = io.BytesIO()
    scipy_io.savemat(stream, content, do_compression=compress)
    assert read_all(stream.getvalue(), **options) == (events, None)
    assert registry.detect(stream.getvalue()[:65_536], None) is mat


@given(
    st.lists(SMALL, min_size=1, max_size=40),
    st.sampled_from(["vectors", "rows"]),
    st.sampled_from(["i4", "f8", ">f8", "<i4"]),
    st.integers(1, 50),
)
@settings(max_examples=100)
def test_what_scipy_writes_as_v4(
    events: list[Event], form: str, code: str, batch_events: int
) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    columns = {n: np.array([e[k] for e in events], code) for k, n in enumerate("txyp")}
    options: dict[str, Any] = {"batch_events": batch_events}
    content: dict[str, Any] = {"about": "text", **columns}
    if form == "rows":
        content = {"data": np.stack([columns[c] for c in "yxpt"], axis=1)}
        options |= {"columns": ("y", "x", "p", "t"), "time_unit": "us"}
    stream = io.BytesIO()
    scipy_io.savemat(stream, content, format="4")
    assert read_all(stream.getvalue(), **options) == (events, None)
    assert registry.detect(stream.getvalue()[:65_536], None) is mat


@pytest.mark.parametrize("name", ["mat/dvs128_stripes.mat", "mat/atis_td_em.mat"])
def test_real_file_is_what_scipy_reads(data_dir: Path, name: str) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    found = scipy_io.loadmat(data_dir / name)
    if "events" in found:
        x, y, p, t = found["events"].T
        columns = {"t": t, "x": x, "y": y, "p": p > 0}
    else:
        td = found["TD"][0, 0]
        columns = {"t": td["ts"], "x": td["x"] - 1, "y": td["y"] - 1, "p": td["p"]}
    with (data_dir / name).open("rb") as stream:
        decoded = join(list(mat.read(stream, ReadOptions()).batches))
    for k, n in enumerate("txyp"):
        assert np.array_equal(decoded.columns[k], columns[n].ravel()), n
    if "EM" in found:
        em = found["EM"][0, 0]
        assert np.array_equal(decoded.side["exposure"]["x"], em["x"].ravel() - 1)
        assert np.array_equal(decoded.side["exposure"]["p"], em["p"].ravel())


# ------------------------------------------------------------------------------ cut files


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("form", [rows_of, td_of])
def test_cut_anywhere_gives_whole_events(form: Any, compress: bool) -> None:
    events = events_of(40)
    content = file_of(form(events), compress=compress)
    most = 0
    # With a few events, an array's columns could be more than one thing.
    refusals = (TruncatedError, ArgumentError) if form is rows_of else (TruncatedError,)
    for length in {*range(1, len(content))} - {128}:  # where a whole file could end
        try:
            found, error = read_all(content[:length])
        except refusals:
            continue
        assert found == events[: len(found)], length
        assert isinstance(error, TruncatedError), length
        assert error.safe_events == len(found)
        most = max(most, len(found))
    assert most >= 39 - compress * 8


@pytest.mark.parametrize("name", ["v4_rows", "v4_vectors", "v4_big_endian"])
def test_v4_cut_anywhere_gives_whole_events(name: str) -> None:
    # What columns are is told by their values: of a cut array, perhaps not.
    path = ROOT / "formats/mat/vectors" / f"{name}.mat"
    conformance.check_prefixes(case(path), records=name != "v4_rows")


def test_v4_is_known_by_its_name() -> None:
    whole = (ROOT / "formats/mat/vectors/v4_vectors.mat").read_bytes()
    assert mat.probe(whole, len(whole))
    for at, value in ((0, 6), (0, 3), (1, 3), (16, 0), (16, 200), (20, 0x31), (22, 0x41), (13, 1)):
        assert not mat.probe(whole[:at] + bytes([value]) + whole[at + 1 :], len(whole)), at


def test_file_cut_behind_the_events_gives_all() -> None:
    events = events_of(10)
    content = file_of(td_of(events), array("K", np.eye(3), (3, 3), 6, 9))
    found, error = read_all(content[:-4])
    assert found == events
    assert isinstance(error, TruncatedError)
    assert error.safe_events == 10


# ------------------------------------------------------------------------------ memory and files


def test_large_variables_are_spooled_and_the_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(mat_spool, "SPOOL_BYTES", 4096)
    events = events_of(20_000)
    content = file_of(td_of(events), compress=True)
    reading = mat.read(io.BytesIO(content), ReadOptions(batch_events=999))
    assert next(reading.batches).t.size == 999
    open_files = _open_files()
    del reading  # half-read
    if open_files is not None:
        assert _open_files() == open_files - 1
    assert read_all(content) == (events, None)
    damaged = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(CorruptError, match="damaged"):
        read_all(damaged)
    assert list(tmp_path.iterdir()) == []


def _open_files() -> int | None:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else None


@pytest.mark.parametrize("count", [2_000_000])
def test_memory_is_bounded(count: int) -> None:
    """48 MB of one event in a file of 50 kB."""
    values = np.ones(count, "<i4")
    content = file_of(struct_of("TD", x=values, y=values, p=values, ts=values), compress=True)
    list(mat.read(io.BytesIO(file_of(td_of(events_of(3)))), ReadOptions()).batches)
    tracemalloc.start()
    try:
        reading = mat.read(io.BytesIO(content), ReadOptions())
        assert sum(len(batch.t) for batch in reading.batches) == count
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_a_field_of_a_gigabyte_that_is_not_there() -> None:
    values = np.ones(10, "<i4")
    whole = bytearray(array("events", values, (2**28, 4), 12, 5))
    with pytest.raises(CorruptError, match="does not fill"):
        read_all(file_of(bytes(whole)))


# ------------------------------------------------------------------------------ what numbers tell


class Numbers:
    """A column in memory."""

    def __init__(self, values: Any, dtype: Any = None) -> None:
        self._all = np.asarray(values, dtype)
        self.dtype = self._all.dtype
        self.count = self._all.size

    def values(self, start: int, count: int) -> Any:
        return self._all[start : start + count]


@pytest.mark.parametrize(
    ("values", "dtype", "unit"),
    [
        ([1, 2, 3], "i4", "us"),
        ([1.0, 5e15, -3.0], "f8", "us"),
        ([0.000001, 0.5], "f8", "s"),
        ([1.7e9, 1_700_000_000.123457], "f8", "s"),
        ([0.003820001, 0.6367649999999999], "f8", "s"),
        ([0.0000019999999], "f8", "s"),
        ([0.25, 0.5], "f8", None),  # s or ms
        ([1.5, 2.001], "f8", None),
        ([0.0000005], "f8", None),  # finer than microseconds
        ([123456.789123456], "f8", None),
        ([float("nan"), 0.5], "f8", None),
        ([float("inf")], "f8", "us"),
        ([1e12 + 0.5], "f8", None),
        ([0.123457], "f4", "s"),
        ([], "f8", "us"),
    ],
)
def test_unit_of_time(values: Any, dtype: str, unit: str | None) -> None:
    assert mat_inference.time_unit(Numbers(values, dtype)) == unit


@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=20))
def test_seconds_are_told_and_exact(micros: list[int]) -> None:
    column = Numbers([t / 1e6 for t in micros], "f8")
    expected = None if all(t % 1000 == 0 for t in micros) else "s"
    if all(t % 10**6 == 0 for t in micros):
        expected = "us"
    assert mat_inference.time_unit(column) == expected


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        ([[1, 5, 3], [4, 2, 2], [1, 0, 1], [7, 7, 8]], "xypt"),
        ([[1, 5, 3], [4, 2, 2], [-1, -1, 1], [70_000, 6, 8]], "xypt"),  # t steps back
        ([[70_000, 6, 8], [1, -1, 1], [1, 2, 3], [4, 5, 6]], "tpxy"),
        ([[1, 5, 3], [-1, 1, 1], [0.5, 0.25, 8], [4, 2, 2]], "xpty"),
        ([[1, 2, 3], [4, 5, 6], [1, 0, 1], [7, 7, 8]], None),  # three could be t
        ([[1, 0, 1], [4, 2, 6], [1, 0, 1], [7, 7, 8]], None),  # two could be p
        ([[1, 5, 3], [4, 2, 2], [2, 0, 1], [7, 7, 8]], None),  # none could be p
        ([[1.5, 5, 3], [4.5, 2, 2], [1, 0, 1], [7, 7, 8]], None),  # two are no coordinates
        ([[], [], [], []], "xypt"),
    ],
)
def test_roles(columns: Any, roles: str | None) -> None:
    found = mat_inference.roles([Numbers(column, "f8") for column in columns])
    assert (None if found is None else "".join(found)) == roles


def test_a_nan_that_signals_is_an_error_like_any_other() -> None:
    path = ROOT / "formats/mat/vectors/v4_rows.mat"
    nan = struct.pack("<Q", 0x7FF0000000000001)
    with pytest.raises(ArgumentError, match="--time-unit"):
        read_all(path.read_bytes()[:-8] + nan)


def test_step_back_between_two_pieces_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mat_inference, "READ_AT_ONCE", 2)
    columns = [[1, 2, 1, 2], [5, 9, 8, 9], [1, 0, 0, 1], [1, 2, 3, 4]]
    assert mat_inference.roles([Numbers(c) for c in columns]) == ("x", "y", "p", "t")


# ------------------------------------------------------------------------------ said in words


def test_several_streams() -> None:
    left, right = events_of(5), events_of(9)
    vectors = [
        array(n, np.array([e[k] for e in left], "<i4"), (5, 1), 12, 5) for k, n in enumerate("txyp")
    ]
    data = file_of(struct_of("right", **_fields(right)), rows_of(right), *vectors)
    options = ReadOptions()
    assert mat.streams(io.BytesIO(data), options) == ["right", "events", "t,x,y,p"]
    assert read_all(data, stream="t,x,y,p") == (left, None)
    assert read_all(data, stream="right") == (right, None)
    with pytest.raises(ArgumentError, match="3 event streams: right, events, t,x,y,p"):
        read_all(data)


def _fields(events: list[Event]) -> dict[str, list[int]]:
    return {n: [e[k] for e in events] for k, n in enumerate("txyp")}


def test_one_based_is_said_of_td_only() -> None:
    data = file_of(struct_of("TD", x=[1], y=[1], p=[1], ts=[5]))
    reading = mat.read(io.BytesIO(data), ReadOptions())
    assert reading.metadata["coordinates_from"] == "1-based"
    assert join(list(reading.batches)).columns[1].tolist() == [0]
    other = mat.read(io.BytesIO(data.replace(b"TD", b"DV")), ReadOptions())
    assert "coordinates_from" not in other.metadata
    assert join(list(other.batches)).columns[1].tolist() == [1]


@pytest.mark.parametrize("module", [mat, mat73], ids=lambda module: module.NAME)
def test_a_pipe_is_refused(module: ModuleType) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(UnsupportedError, match="pipe"):
        module.read(Pipe(b"MATLAB"), ReadOptions())


# ------------------------------------------------------------------------------ v7.3


@given(
    st.lists(SMALL, min_size=1, max_size=50),
    st.booleans(),
    st.integers(1, 20),
    st.sampled_from([None, "gzip"]),
    st.integers(1, 60),
)
@settings(max_examples=40)
def test_v73_of_any_chunks(
    events: list[Event], rows: bool, chunk: int, compression: str | None, batch_events: int
) -> None:
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    how: dict[str, Any] = {"compression": compression}
    chunk = min(chunk, len(events))
    with h5py.File(stream, "w", userblock_size=512) as file:
        columns = {n: np.array([[e[k] for e in events]]) for k, n in enumerate("txyp")}
        if rows:
            data = np.concatenate([columns[n] for n in "ptyx"])
            file.create_dataset("a", data=data, chunks=(2, chunk), **how)
        else:
            for n, column in columns.items():
                file.create_dataset(f"s/{n}", data=column, chunks=(1, chunk), **how)
            file["s"].attrs["MATLAB_class"] = np.bytes_("struct")
    content = b"MATLAB 7.3 MAT-file".ljust(512, b"\x00") + stream.getvalue()[512:]
    told = {"columns": ("p", "t", "y", "x"), "time_unit": "us"} if rows else {}
    assert read_all(content, mat73, batch_events=batch_events, **told) == (events, None)
    assert registry.detect(content[:65_536], len(content)) is mat73


def test_v73_with_a_chunk_that_was_never_written() -> None:
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        for n in "txyp":
            column = file.create_dataset(f"s/{n}", (1, 100), "<u2", chunks=(1, 10))
            column[0, :50] = 1
        file["s"].attrs["MATLAB_class"] = np.bytes_("struct")
    content = b"MATLAB 7.3 MAT-file".ljust(512, b"\x00") + stream.getvalue()[512:]
    with pytest.raises(CorruptError, match="not in the file"):
        read_all(content, mat73)
