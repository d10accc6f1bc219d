#!/usr/bin/env python3
"""Make the vectors and bad files of formats/{arrow,parquet}.

pyarrow writes them; the expected events are stated by hand, and nothing of evstore is imported.
"""

# ruff: noqa: E501 (a bad file a line, as in the table it becomes)

from __future__ import annotations

import io
import struct
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import vector_files
from vector_files import Event, write_bad

FEW: list[Event] = [(0, 0, 0, 0), (7, 1, 2, 1), (7, 1, 2, 1), (5, 345, 259, 0), (1000, 3, 4, 1)]
EXTREMES: list[Event] = [
    (-(2**63), 0, 65535, 1),
    (2**24, 65535, 0, 0),
    (2**31, 1, 2, 1),
    (2**32 - 1, 7, 8, 1),
    (2**34, 9, 10, 0),
    (1_700_000_000_000_001, 12345, 54321, 1),
    (1_600_000_000_000_000, 5, 5, 0),
    (2**63 - 1, 2, 3, 1),
]
OWN = {"t": pa.int64(), "x": pa.uint16(), "y": pa.uint16(), "p": pa.uint8()}
SIZE = {"width": "346", "height": "260", "time_unit": "us"}


def many(count: int) -> list[Event]:
    """Events without a pattern that a wrong stride would keep."""
    found, value, t = [], 12345, 10_000
    for _ in range(count):
        value = (value * 1_103_515_245 + 12345) % 2**31
        t += value >> 9 & 31
        found.append((t, value >> 7 & 511, value >> 16 & 255, value >> 30 & 1))
    return found


def table(events: list[Event], about: dict[str, str] | None = None, **types: Any) -> pa.Table:
    of = {**OWN, **types}
    columns = {n: pa.array([e[k] for e in events], of[n]) for k, n in enumerate("txyp")}
    return pa.table(columns).replace_schema_metadata(about)


def ipc(made: pa.Table, rows: int | None = None, stream: bool = False, **how: Any) -> bytes:
    out = io.BytesIO()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(out, made.schema, options=pa.ipc.IpcWriteOptions(**how)) as writer:
        writer.write_table(made, rows)
    return out.getvalue()


def parquet(made: pa.Table, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(made, out, **how)
    return out.getvalue()


def own(made: pa.Table, rows: int = 1_048_576) -> bytes:
    """As evstore writes it."""
    return parquet(made, row_group_size=rows, compression="zstd", use_dictionary=["x", "y", "p"], column_encoding={"t": "DELTA_BINARY_PACKED"}, write_page_checksum=True)  # fmt: skip


def vector(
    folder: str,
    name: str,
    content: bytes,
    events: list[Event],
    resolution: tuple[int, int] | None = None,
    **more: Any,
) -> None:
    vector_files.vector(folder, name, content, events, resolution, **more)


def other_table() -> tuple[pa.Table, list[Event]]:
    """Other names and types: times with a unit, signed coordinates, polarity as bool."""
    made = pa.table(
        {
            "polarity": pa.array([bool(e[3]) for e in FEW], pa.bool_()),
            "timestamp": pa.array(
                [1_700_000_000_000_000_500 + e[0] * 1000 for e in FEW], pa.timestamp("ns", "UTC")
            ),
            "y": pa.array([e[2] for e in FEW], pa.int16()),
            "x": pa.array([e[1] for e in FEW], pa.int32()),
            "label": pa.array(["a", "b", None, "c", "d"]),
        }
    )
    # Half a microsecond goes to the even one.
    base = 1_700_000_000_000_000
    return made, [(base + t + (t % 2), x, y, p) for t, x, y, p in FEW]


def milliseconds() -> tuple[pa.Table, list[Event]]:
    made = table([(e[0], e[1], e[2], e[3] or -1) for e in FEW], t=pa.duration("ms"), p=pa.int8())
    return made, [(t * 1000, x, y, p) for t, x, y, p in FEW]


def seconds() -> tuple[pa.Table, list[Event]]:
    made = table(FEW, t=pa.float64())
    times = pa.array([1.7e9, 1.7e9 + 0.25, 1_700_000_000.123457, 0.0000015, 0.3])
    exact = [1_700_000_000_000_000, 1_700_000_000_250_000, 1_700_000_000_123_457, 2, 300_000]
    return made.set_column(0, "t", times), [(t, *e[1:]) for t, e in zip(exact, FEW, strict=True)]


def both_vectors(folder: str, write: Any) -> None:
    """What a table may be, in either container."""
    made, events = other_table()
    vector(folder, f"other_types.{folder}", write(made), events, dropped={"extra_column_values": 5})
    made, events = milliseconds()
    vector(folder, f"milliseconds.{folder}", write(made), events)
    made, events = seconds()
    vector(folder, f"seconds.{folder}", write(made), events, options={"time_unit": "s"})
    vector(folder, f"extremes.{folder}", write(table(EXTREMES)), EXTREMES)
    vector(folder, f"empty.{folder}", write(table([], SIZE)), [], resolution=(346, 260))
    told = {"columns": ["t", "x", "y", "p"], "time_unit": "us"}
    made = table(FEW).rename_columns(["a", "b", "c", "d"])
    vector(folder, f"told.{folder}", write(made), FEW, options=told)


def arrow_vectors() -> None:
    put = many(150)
    vector("arrow", "own.arrow", ipc(table(put, SIZE), 64), put, resolution=(346, 260))
    vector("arrow", "stream.arrow", ipc(table(put), 64, stream=True), put)
    vector("arrow", "lz4.arrow", ipc(table(put), 64, compression="lz4"), put)
    vector("arrow", "zstd_stream.arrow", ipc(table(put), 64, stream=True, compression="zstd"), put)
    both_vectors("arrow", ipc)


def parquet_vectors() -> None:
    put = many(150)
    vector("parquet", "own.parquet", own(table(put, SIZE), 64), put, resolution=(346, 260))
    vector("parquet", "snappy.parquet", parquet(table(put), data_page_version="2.0"), put)
    both_vectors("parquet", parquet)


Rows = list[tuple[str, bytes, str, str, str, dict[str, Any]]]


def both_bad(folder: str, write: Any) -> Rows:
    """Tables that are no events, in either container."""
    none: dict[str, Any] = {}
    nulls = table(FEW).set_column(1, "x", pa.array([1, None, 3, 4, 5], pa.uint16()))
    text = table(FEW).set_column(0, "t", pa.array(["0", "1", "2", "3", "4"]))
    large = table(FEW).set_column(1, "x", pa.array([1, 2, 65_536, 4, 5]))
    twice = table(FEW).append_column("timestamp", pa.array([1, 2, 3, 4, 5]))
    two = table(FEW).set_column(3, "p", pa.array([0, 1, 2, 0, 1], pa.uint8()))
    zero = {"width": "0", "height": "260"}
    made, _ = milliseconds()
    return [
        (f"nulls.{folder}", write(nulls), "CorruptError", "a column with nulls", "an event without x", none),
        (f"text.{folder}", write(text), "UnsupportedError", "no plain numbers", "", none),
        (f"x_large.{folder}", write(large), "CorruptError", "0..65535", "", none),
        (f"p_two.{folder}", write(two), "CorruptError", "0, 1 or -1", "", none),
        (f"two_times.{folder}", write(twice), "FormatError", "several columns could be 't'", "", none),
        (f"names.{folder}", write(table(FEW).rename_columns(list("abcd"))), "ArgumentError", "--columns", "", none),
        (f"unit_open.{folder}", write(seconds()[0]), "ArgumentError", "--time-unit", "floats are in no unit", none),
        (f"contradiction.{folder}", write(made), "ArgumentError", "contradicts", "--time-unit s for a duration[ms]", {"time_unit": "s"}),
        (f"size_zero.{folder}", write(table(FEW, zero)), "CorruptError", "cannot be a sensor's", "", none),
        (f"empty_file.{folder}", b"", "FormatError", "empty", "", none),
    ]  # fmt: skip


def arrow_bad() -> None:
    none: dict[str, Any] = {}
    put = many(150)
    whole, stream = ipc(table(put), 64), ipc(table(put), 64, stream=True)
    coded = table(FEW).set_column(3, "p", pa.array([0, 1, 1, 0, 1]).dictionary_encode())
    bomb = bytearray(ipc(table([(1, 2, 3, 1)] * 500), stream=True, compression="zstd"))
    at = bomb.index(struct.pack("<q", 500 * 8), 300)
    bomb[at : at + 8] = struct.pack("<q", 2**40)
    long_metadata = stream[:4] + struct.pack("<I", 2**31 - 8) + stream[8:]
    rows: Rows = [
        ("cut_batch.arrow", whole[: whole.rindex(b"ARROW1") // 2], "TruncatedError", "64 events are safe", "", none),
        ("cut_footer.arrow", whole[:-3], "TruncatedError", "150 events are safe", "", none),
        ("cut_stream.arrow", stream[:-200], "TruncatedError", "128 events are safe", "", none),
        ("cut_schema.arrow", stream[:100], "TruncatedError", "0 events are safe", "", none),
        ("two_streams.arrow", stream + stream, "CorruptError", "goes on behind its table", "", none),
        ("metadata_length.arrow", long_metadata, "CorruptError", "metadata is too long", "", none),
        ("metadata_ones.arrow", stream[:8] + b"\xff" * 40 + stream[48:], "CorruptError", "damaged", "", none),
        ("bomb.arrow", bytes(bomb), "UnsupportedError", "too large once decompressed", "2^40 bytes in a few", none),
        ("dictionary.arrow", ipc(coded), "UnsupportedError", "coded by a dictionary", "", none),
        ("no_arrow.arrow", b"This is a note, not a recording.\n", "FormatError", "no Arrow IPC", "", none),
        ("no_schema.arrow", stream[stream.index(b"\xff\xff\xff\xff", 8) :], "CorruptError", "first message is no schema", "", none),
    ]  # fmt: skip
    write_bad("arrow", rows + both_bad("arrow", ipc))


def parquet_bad() -> None:
    none: dict[str, Any] = {}
    whole = own(table(many(150)), 64)
    length = int.from_bytes(whole[-8:-4], "little")
    damaged = bytearray(whole)
    damaged[60] ^= 1
    bomb = bytearray(parquet(table([(1, 2, 3, 1)] * 100), compression="zstd", use_dictionary=False))
    # The first page's header: type 0 (15 00), its size once decompressed (15, a varint).
    assert bomb[4:7] == b"\x15\x00\x15"
    assert bomb[7] >= 128 > bomb[8]
    huge = bytes(bomb[:7]) + b"\xfe\xff\xff\xff\x0f" + bytes(bomb[9:])
    rows: Rows = [
        ("cut.parquet", whole[:-50], "TruncatedError", "before its footer", "", none),
        ("footer_length.parquet", whole[:-8] + struct.pack("<I", 2**31) + b"PAR1", "CorruptError", "longer than the file", "", none),
        ("footer_zeros.parquet", whole[: -8 - length] + bytes(length) + whole[-8:], "CorruptError", "do not hold the table's rows", "", none),
        ("footer_ones.parquet", whole[: -8 - length] + b"\xff" * length + whole[-8:], "CorruptError", "the footer is damaged", "", none),
        ("checksum.parquet", bytes(damaged), "CorruptError", "damaged", "a bit of a page, found by its checksum", none),
        ("page_size.parquet", huge, "UnsupportedError", "too large once decompressed", "a page that claims 2 GiB", none),
        ("encrypted.parquet", b"PARE" + bytes(20) + b"PARE", "UnsupportedError", "encrypted", "", none),
        ("no_parquet.parquet", b"This is a note, not a recording.\n", "FormatError", "no Parquet file", "", none),
        ("nested.parquet", parquet(table(FEW).set_column(1, "x", pa.array([[1], [2], [3], [4], [5]]))), "UnsupportedError", "no plain numbers", "", none),
    ]  # fmt: skip
    write_bad("parquet", rows + both_bad("parquet", parquet))


if __name__ == "__main__":
    arrow_vectors()
    arrow_bad()
    parquet_vectors()
    parquet_bad()
