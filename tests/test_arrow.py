"""Arrow IPC and Parquet: against pyarrow's own readers, back from what is written."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.errors import (
    ArgumentError,
    CorruptError,
    EvstoreError,
    TruncatedError,
)
from evstore.events import Events
from evstore.formats import arrow, arrow_messages, arrow_writer, conformance, parquet, registry
from evstore.formats.conformance import Trickle
from evstore.formats.parquet_thrift import Compact
from evstore.formats.reading import ReadOptions
from vectors import FORMATS, consume, join

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

VECTORS = conformance.files(FORMATS / "arrow", "vectors")
Event = tuple[int, int, int, int]
INT64 = st.integers(-(2**63), 2**63 - 1)
EVENT = st.tuples(INT64, st.integers(0, 65_535), st.integers(0, 65_535), st.integers(0, 1))
BOTH = pytest.mark.parametrize("module", [arrow, parquet], ids=lambda module: module.NAME)
DTYPES = (np.int64, np.uint16, np.uint16, np.uint8)


def columns_of(events: list[Event]) -> list[Any]:
    return [np.array([e[k] for e in events], d) for k, d in enumerate(DTYPES)]


def written(
    module: ModuleType, events: list[Event], pieces: int = 1, size: Any = (346, 260)
) -> bytes:
    stream = io.BytesIO()
    writer = module.writer(stream, size, {})
    columns = columns_of(events)
    for part in np.array_split(np.arange(len(events)), pieces):
        writer.write(*(column[part] for column in columns))
    writer.close()
    return stream.getvalue()


def read_all(
    module: ModuleType, content: Any, **options: Any
) -> tuple[list[Event], BaseException | None]:
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    batches, error = consume(module.read(stream, ReadOptions(**options)).batches)
    columns = (column.tolist() for column in join(batches).columns)
    return list(zip(*columns, strict=True)), error  # type: ignore[arg-type]


@BOTH
@given(st.lists(EVENT, max_size=60), st.integers(1, 7), st.integers(1, 70))
@settings(max_examples=60)
def test_written_reads_back(
    module: ModuleType, events: list[Event], pieces: int, batch_events: int
) -> None:
    content = written(module, events, pieces)
    assert content == written(module, events)  # however it came
    assert read_all(module, content, batch_events=batch_events) == (events, None)
    assert module.read(io.BytesIO(content), ReadOptions()).resolution == (346, 260)
    assert registry.detect(content, len(content)) is module


@given(st.lists(EVENT, max_size=40))
@settings(max_examples=40)
def test_pyarrow_reads_what_is_written(events: list[Event]) -> None:
    whole = pa.ipc.open_file(io.BytesIO(written(arrow, events))).read_all()
    other = pq.read_table(io.BytesIO(written(parquet, events)))
    for table in (whole, other):
        table.validate(full=True)
        assert [c.to_pylist() for c in table.columns] == [c.tolist() for c in columns_of(events)]
        assert table.schema.types == [pa.int64(), pa.uint16(), pa.uint16(), pa.uint8()]
        assert table.schema.metadata[b"width"] == b"346"


def test_large_files_have_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_writer, "BATCH_ROWS", 1000)
    monkeypatch.setattr(arrow_writer, "GROUP_ROWS", 1000)
    events = [(k * k, k % 346, k % 260, k & 1) for k in range(4500)]
    assert pq.ParquetFile(io.BytesIO(written(parquet, events, 3))).metadata.num_row_groups == 5
    assert pa.ipc.open_file(io.BytesIO(written(arrow, events, 3))).num_record_batches == 5
    for module in (arrow, parquet):
        assert read_all(module, written(module, events, 3), batch_events=777) == (events, None)


def test_parquet_is_written_as_said() -> None:
    events = [(k * 3, k % 346, k % 260, k & 1) for k in range(5000)]
    group = pq.ParquetFile(io.BytesIO(written(parquet, events))).metadata.row_group(0)
    columns = {c.path_in_schema: c for c in map(group.column, range(4))}
    assert {c.compression for c in columns.values()} == {"ZSTD"}
    assert "DELTA_BINARY_PACKED" in columns["t"].encodings
    assert "RLE_DICTIONARY" in columns["x"].encodings


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_cut_ipc_gives_every_whole_batch(stream: bool, compression: str | None) -> None:
    events = [(k * k, k % 346, k % 260, k & 1) for k in range(50)]
    table = pa.table(dict(zip("txyp", columns_of(events), strict=True)))
    out = io.BytesIO()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    ends = [0]
    with new(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for batch in table.to_batches(10):
            writer.write_batch(batch)
            ends.append(out.tell())
    content = out.getvalue()
    start = 0 if stream else 8
    ends[0] = start + 8 + int.from_bytes(content[start + 4 : start + 8], "little")
    near = {end + k for end in [*ends, len(content)] for k in range(-9, 10)}
    lengths = near | set(range(ends[0], len(content), 29))
    for length in sorted(k for k in lengths if ends[0] <= k < len(content)):
        for source in (content[:length], Trickle(content[:length])):
            found, error = read_all(arrow, source)
            whole = sum(end <= length for end in ends[1:]) * 10
            assert found == events[:whole], length
            # A stream may just end, behind a message or behind all but its mark.
            silent = stream and (length in ends)
            assert (error is None) is silent, length
            if error is not None:
                assert isinstance(error, TruncatedError)
                assert error.safe_events == whole


def test_legacy_streams_without_continuation() -> None:
    events = [(5, 1, 2, 1), (6, 3, 4, 0)]
    table = pa.table(dict(zip("txyp", columns_of(events), strict=True)))
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(use_legacy_format=True)
    with pa.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table)
    content = out.getvalue()
    assert content[:4] != b"\xff\xff\xff\xff"
    assert registry.detect(content, len(content)) is arrow
    assert read_all(arrow, content) == (events, None)


def test_a_message_of_metadata_that_points_anywhere() -> None:
    """Every offset of a FlatBuffer is checked: no struct.error, no endless walk."""
    random = np.random.default_rng(5)
    for _ in range(3000):
        data = random.integers(0, 40, 64, np.uint8).tobytes()
        try:
            arrow_messages.kind_of(data)
            table = arrow_messages.FlatTable.root(data).table(2)
            if table is not None:
                table.structs(2, "<qq")
        except EvstoreError:
            pass
        arrow_messages.begins_with_schema(struct.pack("<II", 0xFFFFFFFF, 56) + data[:56])


@given(st.binary(max_size=80))
def test_thrift_of_any_bytes(data: bytes) -> None:
    try:
        found = Compact(data).struct({1: True, 2: {1: True}, 3: True})
    except IndexError:
        return
    assert set(found) <= {1, 2, 3}


@BOTH
def test_discarded_writer_writes_no_end(module: ModuleType) -> None:
    stream = io.BytesIO()
    writer = module.writer(stream, None, {})
    before = stream.getvalue()
    writer.write([1], [2], [3], [1])
    writer.discard()
    assert stream.getvalue() == before
    assert not stream.closed


@BOTH
def test_writer_refuses_what_is_no_event(module: ModuleType) -> None:
    stream = io.BytesIO()
    writer = module.writer(stream, None, {})
    with pytest.raises(ArgumentError):
        writer.write([1], [70_000], [1], [1])
    with pytest.raises(ArgumentError):
        writer.write([1], [1], [1], [2])
    writer.close()
    assert read_all(module, stream.getvalue()) == ([], None)
    assert not stream.closed
    with pytest.raises(ArgumentError, match="resolution"):
        module.writer(io.BytesIO(), (0, 5), {})


@BOTH
def test_writes_to_a_pipe(module: ModuleType) -> None:
    class Pipe(io.RawIOBase):
        got = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.got += bytes(data)
            return len(data)

    pipe = Pipe()
    writer = module.writer(pipe, (9, 9), {})
    writer.write([5], [1], [2], [1])
    writer.close()
    assert read_all(module, pipe.got) == ([(5, 1, 2, 1)], None)


@BOTH
@pytest.mark.parametrize("code", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_any_type_that_holds_the_values(module: ModuleType, code: str) -> None:
    events = [(3, 1, 2, 1), (2, 5, 7, 0)]
    made = [np.array([e[k] for e in events], code) for k in range(4)]
    table = pa.table(dict(zip("txyp", made, strict=True)))
    out = io.BytesIO()
    if module is parquet:
        pq.write_table(table, out)
    else:
        with pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
    assert read_all(module, out.getvalue(), time_unit="us") == (events, None)


def test_duckdb_queries_the_parquet(tmp_path: Any) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "events.parquet"
    path.write_bytes(written(parquet, [(k, k % 10, 5, k & 1) for k in range(1000)]))
    query = f"select count(*), sum(t), max(x), sum(p) from '{path}' where t < 500"
    assert duckdb.sql(query).fetchall() == [(500, 124_750, 9, 250)]


@BOTH
def test_polars_reads_it(module: ModuleType, tmp_path: Any) -> None:
    polars = pytest.importorskip("polars")
    events = [(k, k % 10, 5, k & 1) for k in range(1000)]
    path = tmp_path / f"events.{module.NAME}"
    path.write_bytes(written(module, events))
    frame = polars.read_parquet(path) if module is parquet else polars.read_ipc(path)
    assert frame.rows() == events
    for ending in ("parquet", "arrow"):
        other = tmp_path / f"polars.{ending}"
        frame.write_parquet(other) if ending == "parquet" else frame.write_ipc(other)
        assert read_all(registry.by_name(ending), other.read_bytes()) == (events, None)


# ------------------------------------------------------------------------------ Events


def test_events_to_arrow_and_back_without_a_copy() -> None:
    events = Events([-5, 7], [1, 65_535], [3, 4], [1, 0], resolution=(346, 260))
    table = events.to_arrow()
    back = Events.from_arrow(table)
    assert back == events
    assert back.resolution == (346, 260)
    for name in ("t", "x", "y", "p"):
        assert np.shares_memory(getattr(back, name), getattr(events, name))
    assert Events.from_arrow(table.to_batches()[0]) == events
    assert Events.from_arrow(pa.concat_tables([table, table])) == Events.concatenate([events] * 2)
    assert len(Events.from_arrow(table.slice(0, 0))) == 0
    assert Events([1], [1], [1], [1]).to_arrow().schema.metadata is None


def test_events_from_other_tables() -> None:
    table = pa.table(
        {
            "p": pa.array([True, False]),
            "t": pa.array([5, 6], pa.timestamp("us")),
            "y": pa.array([1, 2], pa.int8()),
            "x": pa.array([3, 4], pa.int64()),
        }
    )
    events = Events.from_arrow(table)
    assert events == Events([5, 6], [3, 4], [1, 2], [1, 0])
    assert events.resolution is None
    with pytest.raises(ArgumentError, match=r"missing \['x'\]"):
        Events.from_arrow(table.drop_columns(["x"]))
    nulls = table.set_column(3, "x", pa.array([1, None]))
    with pytest.raises(ArgumentError, match="nulls"):
        Events.from_arrow(nulls)
    other_unit = table.set_column(1, "t", pa.array([5, 6], pa.timestamp("ns")))
    with pytest.raises(ArgumentError, match="datetime64"):
        Events.from_arrow(other_unit)


# ------------------------------------------------------------------ batches that are not read whole


@pytest.mark.parametrize(
    "path", conformance.files(FORMATS / "arrow", "vectors"), ids=lambda path: path.name
)
@pytest.mark.parametrize("batch_events", [1, 7, 65_536])
def test_rows_of_a_long_batch(path: Any, batch_events: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(arrow_messages, "WHOLE_BYTES", 0)
    conformance.check_vector(conformance.case(path), batch_events)


@pytest.mark.parametrize("container", ["file", "stream"])
def test_a_long_batch_among_others(container: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(arrow_messages, "WHOLE_BYTES", 1000)
    table = pa.table(
        {
            "p": pa.array([k % 3 == 0 for k in range(1003)]),
            "t": pa.array(range(1003), pa.int64()),
            "x": pa.array([k % 7 for k in range(1003)], pa.uint16()),
            "y": pa.array([k % 5 for k in range(1003)], pa.uint8()),
        }
    )
    out = io.BytesIO()
    new = pa.ipc.new_file if container == "file" else pa.ipc.new_stream
    with new(out, table.schema) as writer:
        for start, count in ((0, 3), (3, 900), (903, 10), (913, 90)):
            writer.write_table(table.slice(start, count))
    found, _ = read_all(arrow, out.getvalue(), time_unit="us")
    assert found == [(k, k % 7, k % 5, int(k % 3 == 0)) for k in range(1003)]
    nulls = table.set_column(1, "t", pa.array([None, *range(1, 1003)], pa.int64()))
    out = io.BytesIO()
    with new(out, table.schema) as writer:
        writer.write_table(nulls)
    _, error = read_all(arrow, out.getvalue(), time_unit="us")
    assert isinstance(error, CorruptError)


@pytest.mark.parametrize("container", ["file", "stream"])
def test_a_long_batch_whose_columns_have_other_buffers(container: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(arrow_messages, "WHOLE_BYTES", 0)
    events = {
        "t": pa.array(range(100), pa.int64()),
        "x": pa.array([k % 7 for k in range(100)], pa.uint16()),
        "y": pa.array([k % 5 for k in range(100)], pa.uint16()),
        "p": pa.array([k % 2 for k in range(100)], pa.uint8()),
    }
    texts = pa.array([f"{k}" for k in range(100)])
    others = {
        # Three buffers each and none: two for each column, but not where they are looked for.
        "texts": {"a": texts, **events, "b": texts, "c": pa.nulls(100)},
        "lists": {"a": pa.array([[k] for k in range(100)]), **events},
        "octets": {"a": pa.array([b"abc"] * 100, pa.binary(3)), **events},
    }
    new = pa.ipc.new_file if container == "file" else pa.ipc.new_stream
    for columns in others.values():
        out, table = io.BytesIO(), pa.table(columns)
        with new(out, table.schema) as writer:
            writer.write_table(table)
        found, error = read_all(arrow, out.getvalue(), time_unit="us")
        assert error is None
        assert found == [(k, k % 7, k % 5, k % 2) for k in range(100)]


@pytest.fixture
def traced_throughout(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """tracemalloc ends once, when Arrow's threads are done with what was read.

    Older Pythons, 3.11 among them, crash where another thread asks for memory as it ends
    (python/cpython#128679), and Arrow's let go of what they read a little later.
    """
    tracemalloc.start()
    with monkeypatch.context() as patch:
        patch.setattr(tracemalloc, "stop", lambda: None)
        yield
    time.sleep(0.3)
    tracemalloc.stop()


@pytest.mark.usefixtures("traced_throughout")
def test_damage_of_long_batches(monkeypatch: Any, seed: int) -> None:
    monkeypatch.setattr(arrow_messages, "WHOLE_BYTES", 0)
    for path in VECTORS:
        conformance.check_damaged(conformance.case(path), seed, 100)
