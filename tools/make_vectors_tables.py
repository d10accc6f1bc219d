#!/usr/bin/env python3
"""Make the vectors and bad files of formats/{csv,rpg,npy,npz}.

Packs every byte with struct and states the expected events by hand, on its own: nothing of
evstore, numpy or zipfile is imported, so that an error in a reader cannot hide in its vectors.
Run it from anywhere; the output is always the same.
"""

# ruff: noqa: E501 (a bad file a line, as in the table it becomes)

from __future__ import annotations

import struct
import zlib
from typing import Any

from vector_files import Event, vector, write_bad

Size = tuple[int, int] | None

FEW: list[Event] = [(0, 0, 0, 0), (7, 1, 2, 1), (7, 1, 2, 1), (5, 345, 259, 0), (1000, 3, 4, 1)]
EXTREMES: list[Event] = [
    (-(2**63), 0, 65535, 1),
    (2**63 - 1, 65535, 0, 0),
    (-1, 12345, 54321, 1),
    (0, 9, 10, 0),
    (10**18, 99, 100, 1),
]


def many(count: int) -> list[Event]:
    """Events without a pattern that a wrong stride would keep."""
    found, value, t = [], 12345, 10_000
    for _ in range(count):
        value = (value * 1_103_515_245 + 12345) % 2**31
        t += value >> 9 & 31
        found.append((t, value >> 7 & 511, value >> 16 & 255, value >> 30 & 1))
    return found


def told(columns: str, unit: str) -> dict[str, Any]:
    return {"columns": columns.split(","), "time_unit": unit}


# ---------------------------------------------------------------------------------- CSV


def lines(events: list[Event], order: str = "txyp", delimiter: str = ",", end: str = "\n") -> str:
    place = {"t": 0, "x": 1, "y": 2, "p": 3}
    return "".join(delimiter.join(str(e[place[c]]) for c in order) + end for e in events)


def csv_vectors() -> None:
    def put(name: str, text: str, events: list[Event], size: Size = None, **more: Any) -> None:
        vector("csv", name, text.encode("utf-8"), events, size, **more)

    put("plain.csv", "t,x,y,p\n" + lines(many(400)), many(400))
    put("extremes.csv", "t,x,y,p\n" + lines(EXTREMES), EXTREMES)
    put("empty.csv", "t,x,y,p\n", [])
    put("faery.csv", "t,x@320,y@240,on\n" + lines(FEW), FEW, (320, 240))
    put("byte_order_mark.csv", "\ufefft,x,y,p\r\n" + lines(FEW, end="\r\n"), FEW)
    put("spaces.csv", "t x y p\n" + lines(FEW, delimiter="  \t "), FEW)
    put(
        "seconds.csv",
        "Polarity;Timestamp_s;X;Y\r\n1;0.0000005;1;2\r\n0;0.0000015;3;4\r\n-1;-0.0000015;5;6\r\n"
        "true;1.5e-05;7;8\r\nFALSE;0.00000050000000000000000001;9;10\r\n+1;12;65535;0",
        [
            (0, 1, 2, 1),
            (2, 3, 4, 0),
            (-2, 5, 6, 0),
            (15, 7, 8, 1),
            (1, 9, 10, 0),
            (12000000, 65535, 0, 1),
        ],
    )
    put(
        "nanoseconds.tsv",
        "time [ns]\tx\ty\tpol\n500\t1\t2\t1\n1500\t3\t4\t-1\n-2500\t5\t6\t0\n1606537493718345678\t7\t8\t1\n",
        [(0, 1, 2, 1), (2, 3, 4, 0), (-2, 5, 6, 0), (1606537493718346, 7, 8, 1)],
    )
    put(
        "milliseconds.csv",
        "t(ms),x,y,p\n0.0005,1,2,1\n1,3,4,0\n2.0015,5,6,1\n",
        [(0, 1, 2, 1), (1000, 3, 4, 0), (2002, 5, 6, 1)],
    )
    put(
        "comments.csv",
        "# a sensor\n\n# t_us,x,y,p\n 1.0e+01 , 2.0e+00 , 3 , 1.0e+00 \n\n   # within\n20,4,5,0\n\r\n#\n",
        [(10, 2, 3, 1), (20, 4, 5, 0)],
        dropped={"comment_lines": 2},
    )
    put(
        "extra_columns.csv",
        "id,t,x,,y,p,note\na,1,2,,3,1,some words\nb,4,5,6,6,0,\n",
        [(1, 2, 3, 1), (4, 5, 6, 0)],
        dropped={"extra_column_values": 6},
    )
    put(
        "no_header.csv",
        lines(many(50), "xypt").rstrip("\n"),
        many(50),
        options=told("x,y,p,t", "us"),
    )
    put(
        "told_columns.csv",
        "row;col;when;sign;confidence\n2;1;0.25;1;0.9\n4;3;0.5;0;0.8\n",
        [(250_000, 1, 2, 1), (500_000, 3, 4, 0)],
        options=told("y,x,t,p,_", "s"),
        dropped={"extra_column_values": 2},
    )


def csv_bad() -> None:
    head = b"t,x,y,p\n1,2,3,1\n"
    none: dict[str, Any] = {}
    write_bad(
        "csv",
        [
            ("no_header.csv", b"1,2,1,4\n", "ArgumentError", "--columns x,y,p,t", "headerless is never guessed", none),
            ("unknown_names.csv", b"a,b,c,d\n1,2,3,1\n", "ArgumentError", "does not name t, x, y and p", "", none),
            ("no_unit.csv", b"timestamp,x,y,p\n1,2,3,1\n", "ArgumentError", "--time-unit", "a name other than t does not imply microseconds", none),
            ("decimals.csv", b"t,x,y,p\n0.5,2,3,1\n", "ArgumentError", "--time-unit", "decimals under t are no microseconds", none),
            ("late_decimals.csv", head + b"2.5,2,3,1\n", "CorruptError", "line 3 has a time that is not whole", "", none),
            ("contradiction.csv", b"t_us,x,y,p\n1,2,3,1\n", "ArgumentError", "contradicts", "--time-unit s for t_us", {"time_unit": "s"}),
            ("column_count.csv", b"1,2,3,1,5\n", "ArgumentError", "the table has 5", "four names for five columns", told("x,y,p,t", "us")),
            ("column_names.csv", b"1,2,3,1\n", "ArgumentError", "each of t, x, y, p once", "x is named twice", told("x,x,p,t", "us")),
            ("two_times.csv", b"t,timestamp,x,y,p\n1,1,2,3,1\n", "FormatError", "several columns could be 't'", "", none),
            ("quoted.csv", head + b'"1",2,3,1\n', "UnsupportedError", "line 3 has a quoted field", "", none),
            ("quoted_header.csv", b'"t","x","y","p"\n1,2,3,1\n', "UnsupportedError", "quoted", "", none),
            ("few.csv", head + b"1,2,3\n4,5,6,1\n", "CorruptError", "line 3 has too few columns", "", none),
            ("few_before_t.csv", b"x,y,p,n,t\n1,2,1,0\n", "CorruptError", "line 2 has too few columns", "the first line ends before its time", none),
            ("many.csv", head + b"1,2,3,1,\n", "CorruptError", "line 3 has too many columns", "", none),
            ("word.csv", head + b"1,2,abc,1\n", "CorruptError", "field 'y'", "", none),
            ("empty_field.csv", head + b"1,,3,1\n", "CorruptError", "field 'x'", "", none),
            ("two_points.csv", b"t_s,x,y,p\n1.2.3,2,3,1\n", "CorruptError", "line 2 has a field that is no number", "", none),
            ("nan.csv", b"t_s,x,y,p\nnan,2,3,1\n", "CorruptError", "line 2 has a field that is no number", "", none),
            ("late_nan.csv", b"t_s,x,y,p\n0.1,2,3,1\nnan,2,3,1\n", "CorruptError", "line 3 has a field that is no number", "", none),
            ("x_large.csv", head + b"1,65536,3,1\n", "CorruptError", "expected 0..65535", "beyond uint16", none),
            ("x_negative.csv", head + b"1,-1,3,1\n", "CorruptError", "expected 0..65535", "", none),
            ("x_fraction.csv", head + b"1,1.5,3,1\n", "CorruptError", "not whole", "", none),
            ("t_large.csv", head + b"9223372036854775808,1,3,1\n", "CorruptError", "out of range", "beyond int64", none),
            ("t_exponent.csv", b"t_s,x,y,p\n1e99999999999999999999,1,3,1\n", "CorruptError", "out of range", "the exponent must not be counted out", none),
            ("p_two.csv", head + b"1,2,3,2\n", "CorruptError", "0, 1, -1, true or false", "", none),
            ("long_line.csv", head + b"0" * 5000 + b"1,2,3,1\n", "CorruptError", "line 3 is too long", "", none),
            ("long_comment.csv", head + b"#" * 5000 + b"\n", "CorruptError", "line 3 is too long", "", none),
            ("cut.csv", head + b"2,3", "TruncatedError", "1 events are safe", "the last line has two columns", none),
            ("cut_word.csv", b"t,x,y,p\n1,2,3,true\n4,5,6,tru", "TruncatedError", "1 events are safe", "", none),
            ("carriage_return.csv", head + b"1,2,3,1\r2,3,4,0\n", "CorruptError", "line 3", "CR alone ends no line", none),
            ("binary.csv", b"\x00\x01\x02,\x03,\x04,\x05\n", "CorruptError", "control characters", "", none),
            ("empty.csv", b"", "FormatError", "empty", "", none),
            ("only_comments.csv", b"# t,x,y,p\n\n", "FormatError", "no line of a table", "", none),
            ("prose.csv", b"Dear reader, this is no table.\n", "FormatError", "no line of a table of events", "", none),
        ],
    )  # fmt: skip


# ---------------------------------------------------------------------------------- RPG text


def rpg_vectors() -> None:
    def put(name: str, text: str, events: list[Event], size: Size = None, **more: Any) -> None:
        vector("rpg", name, text.encode("ascii"), events, size, **more)

    seconds = "".join(f"{t // 10**6}.{t % 10**6:06d}000 {x} {y} {p}\n" for t, x, y, p in many(300))
    put("nine_decimals.txt", seconds, many(300))
    put(
        "float_tails.txt",
        "0.003820001 1 2 1\n0.6367649989999999 3 4 0\n13.582595999 5 6 1\n"
        "13.582596999000002 7 8 0\n2.09714 9 10 1\n",
        [
            (3820, 1, 2, 1),
            (636765, 3, 4, 0),
            (13582596, 5, 6, 1),
            (13582597, 7, 8, 0),
            (2097140, 9, 10, 1),
        ],
    )
    put(
        "ties.txt",
        "0.0000005 0 0 1\n0.0000015 1 0 1\n0.0000025 2 0 1\n0.00000250000000000000000000001 3 0 1\n"
        "0.00000249999999999999999999999 4 0 1\n1700000000.1234565 5 0 0\n1700000000.1234575 6 0 0\n",
        [
            (0, 0, 0, 1),
            (2, 1, 0, 1),
            (2, 2, 0, 1),
            (3, 3, 0, 1),
            (2, 4, 0, 1),
            (1700000000123456, 5, 0, 0),
            (1700000000123458, 6, 0, 0),
        ],
    )
    put(
        "exponents.txt",
        "1.5e-05 1 2 1\n1.5E-5 1 2 0\n5e-7 3 4 1\n1e0 5 6 0\n12 7 8 1\n0 9 10 0\n",
        [
            (15, 1, 2, 1),
            (15, 1, 2, 0),
            (0, 3, 4, 1),
            (1000000, 5, 6, 0),
            (12000000, 7, 8, 1),
            (0, 9, 10, 0),
        ],
    )
    put(
        "size_line.txt",
        "346 260\n0.5 345 259 1\n0.25 0 0 0\n",
        [(500_000, 345, 259, 1), (250_000, 0, 0, 0)],
        (346, 260),
    )
    put(
        "comments.txt",
        "# made by a simulator\n# t x y p\n\n0.1 1 2 1\n# pause\n\n-0.000001 3 4 0\n",
        [(100_000, 1, 2, 1), (-1, 3, 4, 0)],
        dropped={"comment_lines": 1},
    )
    put(
        "blanks.txt",
        "  0.1\t1 2   1  \r\n.25 3\t\t4 0\r\n7. 5 6 1",
        [(100_000, 1, 2, 1), (250_000, 3, 4, 0), (7_000_000, 5, 6, 1)],
    )


def rpg_bad() -> None:
    none: dict[str, Any] = {}
    write_bad(
        "rpg",
        [
            ("cut.txt", b"0.1 1 2 1\n0.2 3", "TruncatedError", "1 events are safe", "the last line has two columns", none),
            ("cut_exponent.txt", b"0.1 1 2 1\n1e-", "TruncatedError", "1 events are safe", "", none),
            ("few.txt", b"0.1 1 2 1\n0.2 3 1\n0.3 1 2 1\n", "CorruptError", "line 2 has too few columns", "", none),
            ("many.txt", b"0.1 1 2 1 5\n", "CorruptError", "line 1 has too many columns", "", none),
            ("word.txt", b"0.1 one 2 1\n", "CorruptError", "field 'x'", "", none),
            ("infinity.txt", b"inf 1 2 1\n", "CorruptError", "no number", "", none),
            ("t_large.txt", b"9223372036854.775808 1 2 1\n", "CorruptError", "out of range", "one more than int64 holds", none),
            ("commas.txt", b"0.1,1,2,1\n", "CorruptError", "no number", "CSV", none),
            ("size_zero.txt", b"0 260\n0.1 1 2 1\n", "CorruptError", "cannot be a sensor's", "", none),
            ("size_huge.txt", b"999999 260\n0.1 1 2 1\n", "CorruptError", "cannot be a sensor's", "", none),
            ("two_sizes.txt", b"346 260\n346 260\n0.1 1 2 1\n", "CorruptError", "line 2 has too few columns", "", none),
            ("unit.txt", b"0.1 1 2 1\n", "ArgumentError", "seconds", "--time-unit us for a format in seconds", {"time_unit": "us"}),
            ("columns.txt", b"1 2 1 0.1\n", "ArgumentError", "--input-format csv", "--columns x,y,p,t", {"columns": ["x", "y", "p", "t"]}),
            ("empty.txt", b"", "FormatError", "empty", "", none),
        ],
    )  # fmt: skip


# ---------------------------------------------------------------------------------- NPY


def npy(descr: str, shape: str, values: bytes, fortran: bool = False, version: int = 1) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"
    length_bytes = 2 if version == 1 else 4
    room = 8 + length_bytes
    text += " " * (-(room + len(text) + 1) % 64) + "\n"
    length = len(text).to_bytes(length_bytes, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("ascii") + values


def records(codes: str, events: list[Event], order: str = "txyp") -> bytes:
    place = {"t": 0, "x": 1, "y": 2, "p": 3}
    return b"".join(struct.pack(codes, *(e[place[c]] for c in order)) for e in events)


PACKED = "[('t', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')]"


def npy_vectors() -> None:
    def put(name: str, content: bytes, events: list[Event], **more: Any) -> None:
        vector("npy", name, content, events, None, **more)

    put("packed.npy", npy(PACKED, "(400,)", records("<qHHB", many(400))), many(400))
    put("extremes.npy", npy(PACKED, "(5,)", records("<qHHB", EXTREMES)), EXTREMES)
    put("empty.npy", npy(PACKED, "(0,)", b""), [])
    # numpy.save writes padding as unnamed fields.
    padded = "[('t', '<i8'), ('x', '<i2'), ('y', '<i2'), ('p', '|u1'), ('', '|V3')]"
    put("aligned.npy", npy(padded, "(5,)", records("<qhhB3x", FEW)), FEW)
    big = "[('x', '>u4'), ('y', '>i8'), ('p', '|b1'), ('t', '>u4')]"
    put("big_endian.npy", npy(big, "(5,)", records(">Iq?I", FEW, "xypt")), FEW)
    alias = "[('timestamp', '<i8'), ('x', '<i2'), ('y', '<i2'), ('polarity', '|i1')]"
    signed = [(t, x, y, p or -1) for t, x, y, p in FEW]
    put("aliases.npy", npy(alias, "(5,)", records("<qhhb", signed), version=2), FEW)
    extra = "[('t_ns', '<u8'), ('x', '<u2'), ('camera', '|S4'), ('y', '<u2'), ('p', '|u1')]"
    values = b"".join(
        struct.pack("<QH4sHB", t * 1000 + 500, x, b"left", y, p) for t, x, y, p in FEW
    )
    halves = [(t + t % 2, x, y, p) for t, x, y, p in FEW]  # half to even
    put(
        "extra_field.npy",
        npy(extra, "(5,)", values, version=3),
        halves,
        dropped={"extra_column_values": 5},
    )
    rows = records("<qqqq", FEW, "xypt")
    put("rows.npy", npy("'<i8'", "(5, 4)", rows), FEW, options=told("x,y,p,t", "us"))
    columns = b"".join(struct.pack("<5i", *(e[k] for e in FEW)) for k in (1, 2, 3, 0))
    by_column = npy("'<i4'", "(5, 4)", columns, fortran=True)
    floats = b"".join(struct.pack("<4d", x, y, p, t / 1e6) for t, x, y, p in FEW)
    put("rows_float_seconds.npy", npy("'<f8'", "(5, 4)", floats), FEW, options=told("x,y,p,t", "s"))
    put("told_fields.npy", npy("[('a', '<f4'), ('b', '<u2'), ('c', '|u1'), ('d', '|u1')]", "(2,)",
        struct.pack("<fHBBfHBB", 0.5, 1, 2, 1, 2.0, 3, 4, 0)),
        [(500, 1, 2, 1), (2000, 3, 4, 0)], options=told("t,x,y,p", "ms"))  # fmt: skip
    vector("npz", "rows_fortran.npz", archive([("arr_0.npy", by_column)]), FEW, None,
           options=told("x,y,p,t", "us"))  # fmt: skip


def npy_bad() -> None:
    none: dict[str, Any] = {}
    good = npy(PACKED, "(2,)", records("<qHHB", FEW[:2]))
    deep = "[" * 90 + "]" * 90
    write_bad(
        "npy",
        [
            ("objects.npy", npy("'|O'", "(1,)", b"\x80\x04N."), "UnsupportedError", "unpickle", "never unpickled", none),
            ("object_field.npy", npy("[('t', '<i8'), ('x', '|O'), ('y', '<i8'), ('p', '|u1')]", "(1,)", b"\x80\x04N." * 8), "UnsupportedError", "unpickle", "", none),
            ("rows.npy", npy("'<i8'", "(1, 4)", bytes(32)), "ArgumentError", "--columns", "(N, 4) is never guessed", none),
            ("rows_no_unit.npy", npy("'<i8'", "(1, 4)", bytes(32)), "ArgumentError", "--time-unit", "", {"columns": ["x", "y", "p", "t"]}),
            ("rows_of_five.npy", npy("'<i8'", "(1, 5)", bytes(40)), "UnsupportedError", "no table of events", "", none),
            ("image.npy", npy("'|u1'", "(2, 2, 3)", bytes(12)), "UnsupportedError", "no table of events", "", none),
            ("float_time.npy", npy("[('t', '<f8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')]", "(1,)", bytes(13)), "ArgumentError", "--time-unit", "", none),
            ("no_unit.npy", npy("[('ts', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')]", "(1,)", bytes(13)), "ArgumentError", "--time-unit", "ts may be anything", none),
            ("no_polarity.npy", npy("[('t', '<i8'), ('x', '<u2'), ('y', '<u2')]", "(1,)", bytes(12)), "ArgumentError", "do not name t, x, y and p", "", none),
            ("text_field.npy", npy("[('t', '<i8'), ('x', '|S2'), ('y', '<u2'), ('p', '|u1')]", "(1,)", bytes(13)), "UnsupportedError", "no plain numbers", "", none),
            ("derived.npy", npy("'<f4'", "(1, 4)", struct.pack("<4f", 1.5, 2, 1, 0.1)), "CorruptError", "a whole number", "undistorted coordinates are no raw events", told("x,y,p,t", "s")),
            ("nan.npy", npy("'<f4'", "(1, 4)", struct.pack("<4f", 1, 2, 1, float("nan"))), "CorruptError", "event 0 has a value that cannot be", "", told("x,y,p,t", "s")),
            ("x_negative.npy", npy("[('t', '<i8'), ('x', '<i2'), ('y', '<i2'), ('p', '|u1')]", "(1,)", struct.pack("<qhhB", 1, -1, 2, 1)), "CorruptError", "field 'x'", "", none),
            ("x_large.npy", npy("'<i8'", "(1, 4)", struct.pack("<4q", 65536, 2, 1, 5)), "CorruptError", "0..65535", "", told("x,y,p,t", "us")),
            ("t_large.npy", npy("[('t', '<u8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')]", "(1,)", b"\xff" * 8 + bytes(5)), "CorruptError", "an int64 in us", "", none),
            ("p_two.npy", npy(PACKED, "(1,)", struct.pack("<qHHB", 1, 1, 1, 2)), "CorruptError", "0, 1 or -1", "", none),
            ("cut.npy", good[:-1], "TruncatedError", "1 events are safe", "", none),
            ("cut_header.npy", good[:40], "TruncatedError", "inside the NPY header", "", none),
            ("huge_shape.npy", npy(PACKED, "(1000000000000,)", bytes(26)), "TruncatedError", "2 events are safe", "the shape must not be allocated", none),
            ("vast_shape.npy", npy(PACKED, "(10000000000000000000000,)", b""), "CorruptError", "no disk holds", "", none),
            ("negative_shape.npy", npy(PACKED, "(-1,)", b""), "CorruptError", "dictionary", "", none),
            ("second_array.npy", good + good, "CorruptError", "goes on behind its array", "numpy.save appends to open files", none),
            ("code.npy", npy("__import__('os')", "(1,)", b""), "CorruptError", "dictionary", "the header is data, not code", none),
            ("nested.npy", npy(deep, "(1,)", b""), "CorruptError", "dtype", "", none),
            ("dtype_unknown.npy", npy("'<z9'", "(1,)", b""), "CorruptError", "dtype", "", none),
            ("large_record.npy", npy("[('t', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1'), ('v', '|V999999999')]", "(1,)", b""), "UnsupportedError", "this size", "one record must not fill the memory", none),
            ("long_header.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "CorruptError", "too long", "the length must not be allocated", none),
            ("version.npy", b"\x93NUMPY\x09\x00" + bytes(60), "UnsupportedError", "version", "", none),
        ],
    )  # fmt: skip


# ---------------------------------------------------------------------------------- NPZ

STORED, DEFLATED = 0, 8


def huffman(data: bytes) -> bytes:
    """A deflate stream of literals in the fixed Huffman code: the same from every zlib."""
    bits: list[int] = [1, 0b01 & 1, 0b01 >> 1]
    for octet in (*data, 256):
        if octet == 256:
            code, length = 0, 7
        elif octet < 144:
            code, length = 0x30 + octet, 8
        else:
            code, length = 0x190 + octet - 144, 9
        bits += [code >> k & 1 for k in reversed(range(length))]
    bits += [0] * (-len(bits) % 8)
    return bytes(sum(bits[i + k] << k for k in range(8)) for i in range(0, len(bits), 8))


def archive(members: list[tuple[str, bytes]], method: int = STORED, **lies: int) -> bytes:
    """A zip; ``lies`` replace fields of its entries: lie_flags, lie_method, lie_crc, lie_size ..."""
    body, directory = b"", b""
    for name, content in members:
        packed = huffman(content) if method == DEFLATED else content
        entry = {"flags": 0, "method": method, "crc": zlib.crc32(content)}
        entry |= {"packed": len(packed), "size": len(content), "at": len(body)}
        shown = {**entry, **{key.removeprefix("lie_"): value for key, value in lies.items()}}
        raw = name.encode("ascii")
        fields = (20, shown["flags"], shown["method"], 0, 33)
        sizes = (shown["crc"], shown["packed"], shown["size"])
        directory += (
            struct.pack(
                "<4sH5H3I5H2I",
                b"PK\x01\x02",
                20,
                *fields,
                *sizes,
                len(raw),
                0,
                0,
                0,
                0,
                0,
                shown["at"],
            )
            + raw
        )
        body += struct.pack("<4s5H3I2H", b"PK\x03\x04", *fields, *sizes, len(raw), 0) + raw + packed
    count = len(members)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def column(descr: str, code: str, values: list[int]) -> bytes:
    return npy(f"'{descr}'", f"({len(values)},)", struct.pack(f"<{len(values)}{code}", *values))


def columns(events: list[Event]) -> list[tuple[str, bytes]]:
    return [
        ("t.npy", column("<i8", "q", [e[0] for e in events])),
        ("x.npy", column("<u2", "H", [e[1] for e in events])),
        ("y.npy", column("<u2", "H", [e[2] for e in events])),
        ("p.npy", column("|u1", "B", [e[3] for e in events])),
    ]


def size_members(width: int, height: int, shape: str = "()") -> list[tuple[str, bytes]]:
    return [
        ("width.npy", npy("'<i8'", shape, struct.pack("<q", width))),
        ("height.npy", npy("'<i8'", shape, struct.pack("<q", height))),
    ]


def npz_vectors() -> None:
    def put(name: str, content: bytes, events: list[Event], size: Size = None, **more: Any) -> None:
        vector("npz", name, content, events, size, **more)

    put("columns.npz", archive(columns(many(200)) + size_members(512, 256)), many(200), (512, 256))
    put("extremes.npz", archive(columns(EXTREMES)), EXTREMES)
    put("empty.npz", archive(columns([])), [])
    put("one_event.npz", archive(columns(FEW[1:2])), FEW[1:2])
    deflated = archive(columns(many(100)) + size_members(512, 256), DEFLATED)
    put("deflated.npz", deflated, many(100), (512, 256))
    scale = [("timestamp_scale_ms.npy", npy("'<f8'", "(1,)", struct.pack("<d", 0.001)))]
    put(
        "eventcv.npz",
        archive(columns(FEW) + size_members(346, 260, "(1,)") + scale),
        FEW,
        (346, 260),
    )
    renamed = [("ts.npy", column("<u4", "I", [e[0] for e in FEW])), *columns(FEW)[1:3]]
    renamed.append(("polarity.npy", column("|i1", "b", [e[3] or -1 for e in FEW])))
    in_ms = [(t * 1000, x, y, p) for t, x, y, p in FEW]
    put("aliases.npz", archive(renamed), in_ms, options={"time_unit": "ms"})
    labels = [("labels.npy", npy("'|O'", "(1,)", b"\x80\x04N.")), ("notes.txt", b"words")]
    put("extra_members.npz", archive(columns(FEW) + labels), FEW, dropped={"extra_members": 2})
    one = npy(PACKED, "(5,)", records("<qHHB", FEW))
    put("one_array.npz", archive([("events.npy", one), *size_members(346, 260)]), FEW, (346, 260))


def npz_bad() -> None:
    none: dict[str, Any] = {}
    good = columns(FEW)
    short = [*good[:3], ("p.npy", column("|u1", "B", [1, 0]))]
    claims = npy("'<i8'", "(1000000,)", struct.pack("<5q", 1, 2, 3, 4, 5))
    bomb = [("t.npy", claims), *good[1:]]
    two = [("a.npy", good[0][1]), ("b.npy", good[1][1])]
    half_scale = [("timestamp_scale_ms.npy", npy("'<f8'", "()", struct.pack("<d", 0.5)))]
    write_bad(
        "npz",
        [
            ("cut.npz", archive(good)[:-30], "TruncatedError", "before its directory", "a zip is readable only when whole", none),
            ("checksum.npz", archive(good, lie_crc=1), "CorruptError", "damaged", "", none),
            ("lengths.npz", archive(short), "CorruptError", "different lengths", "", none),
            ("claims.npz", archive(bomb), "CorruptError", "does not fill its member", "a header that promises a million events", none),
            ("bomb.npz", archive(good, DEFLATED, lie_size=2**31), "CorruptError", "more bytes than the archive can hold", "no deflate stream grows so much", none),
            ("outside.npz", archive(good, lie_at=2**31), "CorruptError", "damaged", "a member behind the end of the file", none),
            ("encrypted.npz", archive(good, lie_flags=1), "UnsupportedError", "encrypted", "", none),
            ("bzip2.npz", archive(good, lie_method=12), "UnsupportedError", "stored or deflated", "", none),
            ("twice.npz", archive([*good, good[0]]), "CorruptError", "several members of one name", "", none),
            ("names.npz", archive(two), "ArgumentError", "do not name t, x, y and p", "", none),
            ("rows.npz", archive([("arr_0.npy", npy("'<i8'", "(1, 4)", bytes(32)))]), "ArgumentError", "--columns", "(N, 4) is never guessed", none),
            ("objects.npz", archive([("t.npy", npy("'|O'", "(1,)", b"\x80\x04N.")), *good[1:]]), "UnsupportedError", "unpickle", "", none),
            ("dimensions.npz", archive([("t.npy", npy("'<i8'", "(5, 1)", bytes(40))), *good[1:]]), "UnsupportedError", "more than one dimension", "", none),
            ("size_zero.npz", archive(good + size_members(0, 260)), "CorruptError", "cannot be a sensor's", "", none),
            ("scale.npz", archive(good + half_scale), "UnsupportedError", "unit of time", "", none),
            ("told.npz", archive(good), "ArgumentError", "leave --columns out", "columns that have names", told("x,y,p,t", "us")),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    csv_vectors()
    csv_bad()
    rpg_vectors()
    rpg_bad()
    npy_vectors()
    npy_bad()
    npz_vectors()
    npz_bad()
