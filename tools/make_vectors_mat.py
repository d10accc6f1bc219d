#!/usr/bin/env python3
"""Make the vectors and bad files of formats/{mat,mat73}.

MAT v5 is packed with struct, its compressed elements as deflate's stored blocks, so the output is
always the same; MAT v7.3 is written by h5py. The expected events are stated by hand: nothing of
evstore is imported, so that an error in a reader cannot hide in its vectors.
"""

# ruff: noqa: E501 (a bad file a line, as in the table it becomes)

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import h5py
import make_vectors_mat4
import numpy as np
import vector_files
from vector_files import Event, write_bad

FEW: list[Event] = [(0, 0, 0, 0), (7, 1, 2, 1), (7, 1, 2, 1), (5, 303, 239, 0), (1000, 3, 4, 1)]
EXTREMES: list[Event] = [
    (-(2**63), 0, 65535, 1),
    (2**24 - 1, 65535, 0, 0),
    (2**24, 1, 1, 1),
    (2**31 - 1, 1, 2, 1),
    (2**31, 1, 2, 0),
    (2**32 + 5, 7, 8, 1),
    (2**34, 9, 10, 0),
    (1_700_000_000_000_001, 12345, 54321, 1),
    (1_600_000_000_000_000, 5, 5, 0),
    (2**63 - 1, 2, 3, 1),
]

#: Storage types by numpy's codes, and array classes.
TYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12, "u8": 13}
CODES = {
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "f4": "f",
    "f8": "d",
    "i8": "q",
    "u8": "Q",
}
CLASSES = {
    "f8": 6,
    "f4": 7,
    "i1": 8,
    "u1": 9,
    "i2": 10,
    "u2": 11,
    "i4": 12,
    "u4": 13,
    "i8": 14,
    "u8": 15,
}
DOUBLE, CELL, CHAR = 6, 1, 4
COMPLEX = 0x08


def many(count: int) -> list[Event]:
    """Events without a pattern that a wrong stride would keep."""
    found, value, t = [], 12345, 70_000
    for _ in range(count):
        value = (value * 1_103_515_245 + 12345) % 2**31
        t += value >> 9 & 31
        found.append((t, value >> 7 & 511, value >> 16 & 255, value >> 30 & 1))
    return found


# ---------------------------------------------------------------------------------- MAT v5


def header(order: str = "<", version: int = 0x0100) -> bytes:
    text = b"MATLAB 5.0 MAT-file, made by hand".ljust(116)
    mark = b"IM" if order == "<" else b"MI"
    return text + bytes(8) + struct.pack(f"{order}H", version) + mark


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    """A data element, in the small form where it fits."""
    if 0 < len(data) <= 4 and kind != 14:
        return struct.pack(f"{order}I", len(data) << 16 | kind) + data.ljust(4, b"\x00")
    return struct.pack(f"{order}2I", kind, len(data)) + data + bytes(-len(data) % 8)


def start(name: str, kind: int, shape: tuple[int, ...], order: str, flags: int = 0) -> bytes:
    return (
        element(6, struct.pack(f"{order}2I", flags << 8 | kind, 0), order)
        + element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
        + element(1, name.encode("ascii"), order)
    )


def numbers(
    name: str,
    code: str,
    values: list[Any],
    shape: tuple[int, ...] | None = None,
    order: str = "<",
    kind: int | None = None,
    flags: int = 0,
) -> bytes:
    """A numeric array, a column of ``values`` unless ``shape`` says else."""
    data = struct.pack(f"{order}{len(values)}{CODES[code]}", *values)
    body = start(name, kind or CLASSES[code], shape or (len(values), 1), order, flags)
    return element(14, body + element(TYPES[code], data, order), order)


def structure(
    name: str, fields: list[tuple[str, bytes]], order: str = "<", count: int = 1
) -> bytes:
    """A struct of arrays that were packed without a name."""
    names = b"".join(field.encode("ascii").ljust(8, b"\x00") for field, _ in fields)
    body = start(name, 2, (count, 1), order) + element(5, struct.pack(f"{order}i", 8), order)
    body += element(1, names, order) + b"".join(array for _, array in fields)
    return element(14, body, order)


def packed(array: bytes, order: str = "<", **lies: int) -> bytes:
    """A compressed element: zlib, in blocks that are stored."""
    data, at = b"\x78\x01", 0
    while at < len(array) or at == 0:
        block = array[at : at + 65_535]
        at += len(block) or 1
        last = at >= len(array)
        data += struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block
    data += struct.pack(">I", lies.get("checksum", zlib.adler32(array)))
    return struct.pack(f"{order}2I", 15, len(data)) + data


def table(
    events: list[Event], codes: str = "u4 u2 u2 u1", names: str = "ts x y p", base: int = 0
) -> list[tuple[str, bytes]]:
    """Arrays of t, x, y and p without names, and what their fields are called."""
    t, x, y, p = ([e[k] for e in events] for k in range(4))
    columns = (t, [v + base for v in x], [v + base for v in y], p)
    arrays = (numbers("", c, v) for c, v in zip(codes.split(), columns, strict=True))
    return list(zip(names.split(), arrays, strict=True))


def rows(events: list[Event], order: str = "xypt", off: int = -1) -> list[int]:
    """The values of an N x 4 array, column by column."""
    place = {"t": 0, "x": 1, "y": 2, "p": 3}
    return [
        (e[3] or off) if column == "p" else e[place[column]] for column in order for e in events
    ]


def vector(
    folder: str,
    name: str,
    content: bytes,
    events: list[Event],
    resolution: tuple[int, int] | None = None,
    **more: Any,
) -> None:
    vector_files.vector(folder, name, content, events, resolution, **more)


def side(events: list[Event]) -> dict[str, Any]:
    return {"exposure": {n: [e[k] for e in events] for k, n in enumerate("txyp")}}


def told(columns: str, unit: str) -> dict[str, Any]:
    return {"columns": columns.split(","), "time_unit": unit}


def mat_vectors() -> None:
    def put(name: str, content: bytes, events: list[Event], **more: Any) -> None:
        order = more.pop("order", "<")
        vector("mat", name, header(order) + content, events, **more)

    exposure = [(t + 3, y, x, p) for t, x, y, p in [*FEW, *FEW]]
    td, em = structure("TD", table(FEW, base=1)), structure("EM", table(exposure, base=1))
    put("td_and_em.mat", packed(em) + packed(td), FEW, side=side(exposure))
    signed = many(200)
    put("rows.mat", numbers("events", "i4", rows(signed), (200, 4), kind=DOUBLE), signed)
    seconds = [v / 1e6 if k >= 15 else float(v) for k, v in enumerate(rows(FEW, "yxpt", 0))]
    big = numbers("data", "f8", seconds, (5, 4), ">")
    put("big_endian.mat", packed(big, ">"), FEW, order=">", options=told("y,x,p,t", "s"))
    small = [("ts", "u4"), ("x", "u1"), ("y", "u1"), ("pol", "u1")]
    few = [(t, x % 256, y, p) for t, x, y, p in many(40)]
    content = b"".join(
        packed(numbers(n, c, [e[k] for e in few], (1, 40))) for k, (n, c) in enumerate(small)
    )
    content += (
        numbers("width", "f8", [346.0])
        + numbers("height", "u2", [260])
        + numbers("K", "f8", [0.0] * 9, (3, 3))
    )
    put("vectors.mat", content, few, resolution=(346, 260), dropped={"extra_variables": 1})
    times = [1.7e9, 1.7e9 + 0.25, 1_700_000_000.123457, 1_700_000_000.000001]
    exact = [
        1_700_000_000_000_000,
        1_700_000_000_250_000,
        1_700_000_000_123_457,
        1_700_000_000_000_001,
    ]
    epoch = [(t, 10 * k, k, k & 1) for k, t in enumerate(exact)]
    fields = [("t", numbers("", "f8", times, (1, 4))), *table(epoch, "i8 u2 u2 u1")[1:]]
    put("epoch_seconds.mat", structure("dvs", fields), epoch)
    put(
        "extremes.mat",
        packed(structure("events", table(EXTREMES, "i8 u2 u2 u1", "t x y pol"))),
        EXTREMES,
    )
    nothing = [
        (n, element(14, start("", DOUBLE, (0, 0), "<") + element(9, b"")))
        for n in ("x", "y", "p", "ts")
    ]
    put("empty.mat", structure("TD", nothing), [])
    put(
        "one_event.mat",
        b"".join(numbers(n, "u1", [v]) for n, v in zip("txyp", FEW[1], strict=True)),
        FEW[1:2],
    )
    two = structure("left", table(FEW)) + packed(structure("right", table(many(20))))
    put(
        "two_streams.mat",
        two,
        many(20),
        options={"stream": "right"},
        dropped={"extra_variables": 1},
    )


def mat_bad() -> None:
    none: dict[str, Any] = {}
    good = structure("s", table(FEW))
    zero = structure("TD", table(FEW, base=0))
    lengths = structure("s", [*table(FEW)[:3], ("p", numbers("", "u1", [1, 0]))])
    complex_t = [("ts", numbers("", "f8", [0.0, 1.0], flags=COMPLEX)), *table(FEW[:2])[1:]]
    text_t = [
        ("ts", element(14, start("", CHAR, (1, 5), "<") + element(4, bytes(10)))),
        *table(FEW)[1:],
    ]
    millis = [("t", numbers("", "f8", [0.5, 1.25])), *table(FEW[:2])[1:]]
    fraction = [table(FEW[:2])[0], ("x", numbers("", "f8", [0.5, 1.25])), *table(FEW[:2])[2:]]
    nan = [("t", numbers("", "f8", [0.0, float("nan")])), *table(FEW[:2])[1:]]
    two_p = [*table(FEW)[:3], ("p", numbers("", "u1", [0, 1, 2, 0, 1]))]
    wide = [table(FEW)[0], ("x", numbers("", "i4", [0, 1, 65_536, 3, 4])), *table(FEW)[2:]]
    claims = numbers("events", "i4", rows(FEW), (2**30, 4))
    bomb = bytearray(packed(good))
    bomb[8 + 7 + 4 : 8 + 7 + 8] = struct.pack("<I", 2**30)
    bomb[-4:] = struct.pack(">I", zlib.adler32(bytes(bomb[15:-4])))
    short = bytearray(packed(good))
    short[8 + 7 + 4 : 8 + 7 + 8] = struct.pack("<I", len(good) + 8)
    short[-4:] = struct.pack(">I", zlib.adler32(bytes(short[15:-4])))
    long_tag = bytearray(good)
    long_tag[-16:-8] = struct.pack("<2I", 2, 2**31)
    cases: list[tuple[str, bytes, str, str, str, dict[str, Any]]] = [
        ("cut_header.mat", header()[:100], "TruncatedError", "inside its header", "", none),
        ("cut_tag.mat", header() + good[:4], "TruncatedError", "before its events do", "", none),
        ("cut_rows.mat", header() + numbers("events", "i4", rows(many(50)), (50, 4))[:-80], "TruncatedError", "30 events are safe", "t comes last: what is there of it is kept", none),
        ("cut_compressed.mat", header() + packed(numbers("events", "i4", rows(many(50)), (50, 4)))[:-84], "TruncatedError", "30 events are safe", "what can be inflated is kept", none),
        ("cut_struct.mat", header() + good[:150], "TruncatedError", "before its columns do", "", none),
        ("cut_behind.mat", header() + good + numbers("K", "f8", [1.0] * 9, (3, 3))[:-8], "TruncatedError", "5 events are safe", "the variable behind the events is cut", none),
        ("version_2.mat", header(version=0x0200) + good, "FormatError", "no MAT v5 header", "", none),
        ("type_unknown.mat", header() + struct.pack("<2I", 99, 8) + bytes(8), "CorruptError", "no data element has this type", "", none),
        ("no_array.mat", header() + element(9, bytes(16)), "CorruptError", "no variable", "numbers without an array around them", none),
        ("small_too_long.mat", header() + struct.pack("<2I", 7 << 16 | 9, 0), "CorruptError", "more than 4 bytes", "", none),
        ("longer_than_parent.mat", header() + bytes(long_tag), "CorruptError", "longer than what holds it", "", none),
        ("claims.mat", header() + claims, "CorruptError", "does not fill its data element", "2^32 values in 80 bytes", none),
        ("bomb.mat", header() + bytes(bomb), "CorruptError", "more bytes than it can hold", "no deflate stream grows so much", none),
        ("ends_early.mat", header() + bytes(short), "CorruptError", "does not end where it says", "", none),
        ("checksum.mat", header() + packed(good, checksum=1), "CorruptError", "compressed element is damaged", "", none),
        ("twice.mat", header() + good + good, "CorruptError", "several variables of one name", "", none),
        ("zero_of_one_based.mat", header() + zero, "CorruptError", "counts from 1", "TD counts from 1", none),
        ("lengths.mat", header() + lengths, "CorruptError", "different lengths", "", none),
        ("complex.mat", header() + structure("s", complex_t), "UnsupportedError", "no vector of real numbers", "", none),
        ("text.mat", header() + structure("s", text_t), "UnsupportedError", "no vector of real numbers", "characters", none),
        ("no_events.mat", header() + numbers("K", "f8", [1.0] * 9, (3, 3)), "UnsupportedError", "no variable of events", "", none),
        ("only_exposure.mat", header() + structure("EM", table(FEW, base=1)), "UnsupportedError", "no variable of events", "exposure events are no change events", none),
        ("array_of_structs.mat", header() + structure("s", table(FEW) + table(FEW), count=2), "UnsupportedError", "no variable of events", "", none),
        ("two_streams.mat", header() + structure("left", table(FEW)) + structure("right", table(FEW)), "ArgumentError", "2 event streams: left, right", "", none),
        ("stream_unknown.mat", header() + good, "ArgumentError", "no event stream 'up'", "", {"stream": "up"}),
        ("order_open.mat", header() + numbers("a", "i4", [1, 2, 3, 1, 1, 1, 5, 6, 7, 7, 8, 9], (3, 4)), "ArgumentError", "--columns", "three columns could be t", none),
        ("unit_open.mat", header() + structure("s", millis), "ArgumentError", "--time-unit", "0.5 and 1.25 are seconds or milliseconds", none),
        ("told.mat", header() + good, "ArgumentError", "leave --columns out", "columns that have names", told("x,y,p,t", "us")),
        ("fraction.mat", header() + structure("s", fraction), "CorruptError", "a whole number", "undistorted coordinates are no raw events", none),
        ("nan.mat", header() + structure("s", nan), "ArgumentError", "--time-unit", "NaN is in no unit", none),
        ("p_two.mat", header() + structure("s", two_p), "CorruptError", "0, 1 or -1", "", none),
        ("x_large.mat", header() + structure("s", wide), "CorruptError", "0..65535", "", none),
        ("size_zero.mat", header() + good + numbers("width", "u1", [0]) + numbers("height", "u1", [9]), "CorruptError", "cannot be a sensor's", "", none),
        ("empty.mat", b"", "FormatError", "empty", "", none),
    ]  # fmt: skip
    write_bad("mat", cases + make_vectors_mat4.bad_rows())


# ---------------------------------------------------------------------------------- MAT v7.3

MATLAB = {"i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32", "i8": "int64", "f4": "single", "f8": "double"}  # fmt: skip


class Hdf5:
    """An HDF5 file behind a user block with MATLAB's text."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.file = h5py.File(self.stream, "w", userblock_size=512, libver=("earliest", "v108"))

    def array(self, path: str, code: str, values: Any, **how: Any) -> h5py.Dataset:
        data = np.array(values, f"<{code}")
        made = self.file.create_dataset(path, data=data, track_times=False, **how)
        made.attrs["MATLAB_class"] = np.bytes_(MATLAB[code])
        return made

    def struct(self, name: str, events: list[Event], base: int = 0, **how: Any) -> None:
        codes = {"ts": ("u4", 0, 0), "x": ("u2", 1, base), "y": ("u2", 2, base), "p": ("u1", 3, 0)}
        for field, (code, k, plus) in codes.items():
            self.array(f"{name}/{field}", code, [[e[k] + plus for e in events]], **how)
        self.file[name].attrs["MATLAB_class"] = np.bytes_("struct")

    def content(self) -> bytes:
        self.file.close()
        text = b"MATLAB 7.3 MAT-file, Platform: made by hand, HDF5 schema 1.00 .".ljust(116)
        return text + bytes(8) + b"\x00\x02IM" + self.stream.getvalue()[128:]


def mat73_vectors() -> None:
    made = Hdf5()
    exposure = [(t + 3, y, x, p) for t, x, y, p in [*FEW, *FEW]]
    made.struct("TD", FEW, 1, chunks=(1, 3), compression="gzip")
    made.struct("EM", exposure, 1)
    vector("mat73", "td_and_em.mat", made.content(), FEW, side=side(exposure))
    made = Hdf5()
    table_of = [
        [e[1] for e in many(100)],
        [e[2] for e in many(100)],
        [e[3] or -1 for e in many(100)],
        [e[0] for e in many(100)],
    ]
    made.array("events", "f8", table_of, chunks=(4, 32), compression="gzip", shuffle=True)
    vector("mat73", "rows.mat", made.content(), many(100))
    made = Hdf5()
    for k, (name, code) in enumerate((("t", "i8"), ("x", "u2"), ("y", "u2"), ("pol", "u1"))):
        made.array(name, code, [[e[k]] for e in EXTREMES], fletcher32=k == 0)
    made.array("width", "f8", [[65_536.0]])
    made.array("height", "f8", [[65_536.0]])
    vector("mat73", "vectors.mat", made.content(), EXTREMES, resolution=(65_536, 65_536))
    made = Hdf5()
    for name in ("t", "x", "y", "p"):
        made.array(name, "i8", [0, 0]).attrs["MATLAB_empty"] = np.uint8(1)
    vector("mat73", "empty.mat", made.content(), [])
    made = Hdf5()
    made.struct("left", FEW)
    made.struct("right", many(30))
    vector(
        "mat73",
        "two_streams.mat",
        made.content(),
        FEW,
        options={"stream": "left"},
        dropped={"extra_variables": 1},
    )


def mat73_bad() -> None:
    none: dict[str, Any] = {}
    cases: list[tuple[str, bytes, str, str, str, dict[str, Any]]] = []

    def add(name: str, made: Hdf5 | bytes, error: str, words: str, why: str = "") -> None:
        content = made if isinstance(made, bytes) else made.content()
        cases.append((name, content, error, words, why, none))

    made = Hdf5()
    made.struct("TD", FEW)
    add("zero_of_one_based.mat", made, "CorruptError", "counts from 1")
    made = Hdf5()
    made.struct("s", FEW)
    whole = made.content()
    add(
        "cut.mat",
        whole[:-100],
        "TruncatedError",
        "ends early",
        "HDF5 finds nothing in a cut file",
    )
    add("cut_header.mat", whole[:200], "FormatError", "no MAT v7.3 header")
    add(
        "version_5.mat",
        header() + structure("s", table(FEW)),
        "FormatError",
        "no MAT v7.3 header",
        "MAT v5 under the wrong name",
    )
    add(
        "damaged.mat",
        whole[:520] + bytes(90) + whole[610:],
        "CorruptError",
        "not a readable HDF5 file",
    )
    made = Hdf5()
    made.array("K", "f8", np.eye(3))
    add("no_events.mat", made, "UnsupportedError", "no variable of events")
    made = Hdf5()
    made.struct("s", FEW, chunks=(1, 5), compression="lzf")
    add("lzf.mat", made, "UnsupportedError", "filter that MATLAB does not use")
    made = Hdf5()
    for name in ("t", "x", "y", "p"):
        made.file[name] = h5py.ExternalLink("/etc/hostname", "/")
    add(
        "other_file.mat",
        made,
        "UnsupportedError",
        "no variable of events",
        "links to other files are not followed",
    )
    made = Hdf5()
    for name in ("t", "x", "y", "p"):
        made.file.create_dataset(
            name, (1, 2), "<u2", external=[("/etc/hostname", 0, 4)], track_times=False
        )
    add(
        "external.mat",
        made,
        "UnsupportedError",
        "lie in another file",
        "values in other files are not read",
    )
    made = Hdf5()
    for name in ("t", "x", "y", "p"):
        made.file.create_dataset(name, (1, 2**40), "<u2", chunks=(1, 1024), track_times=False)
    add(
        "claims.mat",
        made,
        "CorruptError",
        "values are not in the file",
        "2^40 values that were never written",
    )
    made = Hdf5()
    for name in ("t", "x", "y", "p"):
        made.file.create_dataset(name, (1, 2**25), "<u2", chunks=(1, 2**24), track_times=False)
    add("chunks.mat", made, "UnsupportedError", "too large chunks")
    add("empty.mat", b"", "FormatError", "empty")
    write_bad("mat73", cases)


if __name__ == "__main__":
    mat_vectors()
    mat_bad()
    mat73_vectors()
    mat73_bad()
