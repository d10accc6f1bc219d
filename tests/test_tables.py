"""CSV, RPG text, NPY and NPZ: against slow references, in any pieces, back from what is written."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

import naive_text
from evstore.errors import (
    ArgumentError,
    CorruptError,
    EvstoreError,
    FormatError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats import (
    csv,
    decimal_kernels,
    npy,
    npz,
    octet_kernels,
    registry,
    rpg,
    text_kernels,
    text_short_kernels,
    vector_marks,
)
from evstore.formats.columns import role_of
from evstore.formats.conformance import Trickle
from evstore.formats.reading import ReadOptions
from vectors import consume, join

Event = tuple[int, int, int, int]
INT64 = st.integers(-(2**63), 2**63 - 1)
EVENT = st.tuples(INT64, st.integers(0, 65_535), st.integers(0, 65_535), st.integers(0, 1))
DIGITS = st.text("0123456789", max_size=30)


@st.composite
def decimals(draw: st.DrawFn) -> str:
    """Decimal numbers, whole or not, long or short, and near ties."""
    whole, fraction = draw(DIGITS), draw(DIGITS)
    tail = draw(st.sampled_from(["", "5", "50", "500000", "4999999", "50000001"]))
    text = draw(st.sampled_from(["", "-", "+"])) + whole
    if draw(st.booleans()) or not whole:
        text += "." + draw(st.sampled_from([fraction, fraction[:6] + tail]))
        text += "" if whole else "0"
    if draw(st.integers(0, 3)) == 0:
        text += draw(st.sampled_from("eE")) + str(draw(st.integers(-40, 25)))
    return text


NOISE = st.text("0123456789.-+eE tfrue", max_size=8)


def read_all(
    module: ModuleType, content: bytes, **options: Any
) -> tuple[list[Event], BaseException | None]:
    return read_stream(module, io.BytesIO(content), **options)


def read_stream(
    module: ModuleType, stream: Any, **options: Any
) -> tuple[list[Event], BaseException | None]:
    reading = module.read(stream, ReadOptions(**options))
    batches, error = consume(reading.batches)
    columns = (column.tolist() for column in join(batches).columns)
    return [tuple(map(int, event)) for event in zip(*columns, strict=True)], error  # type: ignore[misc]


def as_bytes(text: str) -> Any:
    return np.frombuffer(text.encode("ascii") + b"\n", np.uint8)


# ------------------------------------------------------------------------------ numbers


@given(text=decimals() | NOISE, unit=st.sampled_from(["s", "ms", "us", "ns"]))
@example("0.0000005", "s").via("a tie, to even")
@example("-0.0000015", "s").via("a tie below zero")
@example("0.00000050000000000000000000000001", "s").via("a digit far behind a tie")
@example("9223372036854775807", "us").via("the greatest")
@example("9223372036854775807.5", "us").via("rounds beyond int64")
@example("-9223372036854775808", "us").via("the least")
@example("-9223372036854775808.5", "us").via("a tie back into int64")
@example("-9223372036854775809", "us").via("beyond the least")
@example("1e-9999999999999999999999", "s").via("an exponent that must not be counted out")
@example("0e9999999999999999999999", "s").via("zero, whatever the exponent")
def test_time_is_the_exact_decimal(text: str, unit: str) -> None:
    places = naive_text.PLACES[unit]
    data = as_bytes(text)
    fast = text_kernels.parse_time(data, 0, places, False)
    assert tuple(fast) == tuple(text_kernels.parse_time.py_func(data, 0, places, False))
    value, end, wrong = fast
    try:
        expected = naive_text.time(text, unit) if len(text) < 500 else 0
    except (ValueError, ArithmeticError):
        whole = end == len(text)
        assert wrong or not whole or "e" in text.lower()
        return
    if "99999999" not in text.lower().partition("e")[2]:
        assert (value, end, wrong) == (expected, len(text), 0)


@given(text=decimals() | NOISE | st.integers(-10, 70_000).map(str))
def test_coordinate_is_whole_and_in_range(text: str) -> None:
    value, end, wrong = text_kernels.parse_coordinate(as_bytes(text), 0)
    if wrong or end < len(text):
        with pytest.raises((ValueError, ArithmeticError)):
            naive_text.coordinate(text)
    else:
        assert value == naive_text.coordinate(text)


@pytest.mark.parametrize(
    "text", ["0", "1", "-1", "+1", "-0", "1.0", "1e0", "10e-1", "TRUE", "False"]
)
def test_polarity(text: str) -> None:
    value, end, wrong = text_kernels.parse_polarity(as_bytes(text), 0)
    assert (value, end, wrong) == (naive_text.polarity(text), len(text), 0)


@pytest.mark.parametrize("text", ["2", "-2", "0.5", "1e1", "99999999999999999999"])
def test_polarity_of_its_own(text: str) -> None:
    assert text_kernels.parse_polarity(as_bytes(text), 0)[2] == text_kernels.BAD_POLARITY


def test_exact_decimal_says_whether_it_was_whole() -> None:
    assert decimal_kernels.exact_decimal(as_bytes("1.50"), 0, 0)[2] is False
    assert decimal_kernels.exact_decimal(as_bytes("1.50"), 0, 1)[2] is True


# ------------------------------------------------------------------------------ lines

MICROSECONDS = st.integers(0, 10**9)
FIELD_XY = st.sampled_from(["0", "1279", "65535", "65536", "00012", "7.0", "-1", ""])
ODD_FIELDS = {
    "t": decimals() | st.integers(-5, 10**7).map(str),
    "x": FIELD_XY,
    "y": FIELD_XY,
    "p": st.sampled_from(["0", "1", "1", "0", "-1", "true", "False", "2", "1.0"]),
    "_": st.sampled_from(["7", "a"]),
}
PLAIN_FIELDS = {
    "t": MICROSECONDS.map(lambda t: str(t / 1e6)) | MICROSECONDS.map(str),
    "x": st.integers(0, 1300).map(str),
    "y": st.integers(0, 1300).map(str),
    "p": st.sampled_from(["0", "1", "-1"]),
    "_": st.just("0.5"),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, str, str]:
    """(text, columns, delimiter): mostly right, with every kind of line in between."""
    columns = "".join(draw(st.permutations("txyp" + "_" * draw(st.integers(0, 2)))))
    delimiter = draw(st.sampled_from([",", ";", "\t", " "]))
    gaps = st.sampled_from(["", "", "", " "]) if delimiter != " " else st.just("")
    text = ""
    for _ in range(draw(st.integers(0, 12))):
        chosen = ODD_FIELDS if draw(st.integers(0, 4)) == 0 else PLAIN_FIELDS
        fields = [draw(gaps) + draw(chosen[c]) + draw(gaps) for c in columns]
        kind = draw(st.integers(0, 20))
        if kind == 0:
            fields = fields[:-1]
        line = delimiter.join(fields)
        line = {1: "", 2: "  # a comment", 3: " \t"}.get(kind, line)
        text += line + draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return text, columns, delimiter


def run(kernel: Any, text: str, columns: str, delimiter: str, unit: str) -> tuple[Any, ...]:
    roles = np.array(["_txyp".index(c) for c in columns], np.int64)
    out = [np.zeros(20, d) for d in (np.int64, np.uint16, np.uint16, np.uint8)]
    state = np.zeros(text_kernels.STATE_SIZE, np.int64)
    data = np.frombuffer(text.encode("ascii"), np.uint8)
    places = naive_text.PLACES[unit]
    kernel(data, roles, ord(delimiter), places, False, 4096, *out, state)
    filled = int(state[text_kernels.FILLED])
    events = list(zip(*(column[:filled].tolist() for column in out), strict=True))
    return events, int(state[text_kernels.ERROR]), state.tolist()


@given(tables(), st.sampled_from(["s", "us", "ns"]))
@settings(max_examples=400)
def test_lines_are_what_the_reference_reads(table: tuple[str, str, str], unit: str) -> None:
    text, columns, delimiter = table
    events, error, _ = run(text_kernels.parse_lines, text, columns, delimiter, unit)
    # Padding lets the last lines be plain too; one error stops both at the same line.
    padded = text + "#" * 60 + "\n"
    assert run(text_kernels.parse_lines, padded, columns, delimiter, unit)[:2] == (events, error)
    assert events == naive_text.table(text, columns, delimiter, unit)


@given(tables())
@settings(max_examples=40)
def test_kernels_are_the_same_as_python(table: tuple[str, str, str]) -> None:
    text, columns, delimiter = table
    padded = text + "#" * 60 + "\n"
    compiled = run(text_kernels.parse_lines, padded, columns, delimiter, "s")
    modules = (text_kernels, text_short_kernels, octet_kernels, decimal_kernels)
    with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore"):
        for module in modules:
            for name, value in vars(module).items():
                if hasattr(value, "py_func"):
                    patch.setattr(module, name, value.py_func)
        assert run(text_kernels.parse_lines, padded, columns, delimiter, "s") == compiled


DIGITS = st.text("0123456789", min_size=1, max_size=17)
TIES = st.sampled_from(["0000005", "0000015", "00000050000000000", "0000005000000001", "9999995"])


@st.composite
def short_lines(draw: st.DrawFn) -> tuple[list[str], str, bool]:
    """(lines, delimiter, in seconds?): nearly all of the shape, or just beyond it."""
    delimiter, seconds = draw(st.sampled_from(",;\t ")), draw(st.booleans())
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        fields = [draw(DIGITS), draw(FIELD_XY | DIGITS), draw(FIELD_XY | DIGITS)]
        fields.append(draw(st.sampled_from("00001111234") | st.sampled_from(["-1", "01", "a"])))
        if seconds and draw(st.integers(0, 9)):
            fields[0] += "." + draw(DIGITS | TIES)
        end = draw(st.sampled_from(["\n"] * 9 + ["\r\n", " \n", "\x8b\n"]))
        lines.append(delimiter.join(fields) + end)
    return lines, delimiter, seconds


@given(short_lines())
@example((["1.0000005 1 2 0\n", "999999999999.9999995 9999 0 1\n"], " ", True))
@example((["1.1234565000000000 1 2 0\n", "1.1234565000000001 1 2 0\n"], " ", True))
@example((["9999999999999999,9999,9999,1\n", "1,00001,2,0\n"], ",", False))
@example((["1.5 12345678 2 0\n"], " ", True))
@settings(max_examples=500)
def test_short_lines_are_what_any_line_gives(table: tuple[list[str], str, bool]) -> None:
    lines, delimiter, seconds = table
    data = np.frombuffer(("".join(lines) + "#" * 60 + "\n").encode("latin-1"), np.uint8)
    out = [np.zeros(9, d) for d in (np.int64, np.uint16, np.uint16, np.uint8)]
    parse = text_short_kernels.parse_seconds if seconds else text_short_kernels.parse_whole
    end, count = parse(data, 0, ord(delimiter), 4096, *out, 0)
    assert end == len("".join(lines[:count]))
    found = list(zip(*(column[:count].tolist() for column in out), strict=True))
    unit = "s" if seconds else "us"
    assert found == naive_text.table("".join(lines[:count]), "txyp", delimiter, unit)
    shape = r"\d{1,12}\.\d{1,16}" if seconds else r"\d{1,16}"
    gap = re.escape(delimiter)
    for line in lines[: count + 1]:
        short = re.fullmatch(rf"{shape}{gap}\d{{1,4}}{gap}\d{{1,4}}{gap}[01]\n", line, re.A)
        assert (line in lines[:count]) == bool(short and len(line) <= 32)


@pytest.mark.parametrize("at", range(3))
def test_marks_are_those_of_a_loop(at: int, seed: int) -> None:
    @njit
    def fast(data: Any, at: Any, character: Any) -> Any:
        return vector_marks.no_digits(data, at), vector_marks.equal_to(data, at, character)

    random = np.random.default_rng(seed)
    for data in (random.integers(0, 256, 40, np.uint8), random.integers(44, 62, 40, np.uint8)):
        for character in (*data[:5], np.uint8(255)):
            slow = (
                vector_marks.no_digits(data, np.uint64(at)),
                vector_marks.equal_to(data, np.uint64(at), character),
            )
            assert fast(data, np.uint64(at), character) == slow


# ------------------------------------------------------------------------------ in pieces


@given(
    st.lists(EVENT, max_size=60),
    st.integers(1, 70),
    st.sampled_from(["csv", "npz", "npy"]),
)
@settings(max_examples=60)
def test_any_pieces_give_the_same(events: list[Event], batch_events: int, name: str) -> None:
    content = written(name, events)
    module = registry.by_name(name)
    assert read_all(module, content, batch_events=batch_events) == (events, None)
    if not module.SEEKS:
        stream = Trickle(content)
        assert read_stream(module, stream, batch_events=batch_events) == (events, None)


def written(name: str, events: list[Event]) -> bytes:
    columns = [[event[k] for event in events] for k in range(4)]
    dtypes = (np.int64, np.uint16, np.uint16, np.uint8)
    arrays = [np.array(c, d) for c, d in zip(columns, dtypes, strict=True)]
    stream = io.BytesIO()
    if name == "npy":
        dtype = [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")]
        np.save(stream, np.array(events, dtype))
        return stream.getvalue()
    writer = registry.by_name(name).writer(stream, (65_536, 65_536), {})
    half = len(events) // 2
    writer.write(*(array[:half] for array in arrays))
    writer.write(*(array[half:] for array in arrays))
    writer.close()
    return stream.getvalue()


def test_lines_across_many_buffers() -> None:
    count = 60_000
    text = "".join(f"{k}.{k % 1000:03d}5 {k % 640} {k % 480} {k & 1}\n" for k in range(count))
    events, error = read_stream(rpg, Trickle(text.encode()), batch_events=1013)
    assert error is None
    assert events == naive_text.table(text, "txyp", " ", "s")


def test_memory_does_not_grow_with_the_file() -> None:
    class Endless(io.RawIOBase):
        at, size = 0, 39_999_990

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            line, count = b"1.000001 5 6 1\n", min(len(buffer), self.size - self.at)
            start = self.at % len(line)
            buffer[:count] = (line * (count // len(line) + 2))[start : start + count]
            self.at += count
            return count

    list(rpg.read(io.BytesIO(b"0.5 1 2 1\n"), ReadOptions()).batches)
    tracemalloc.start()
    try:
        stream: Any = Endless()
        total = sum(len(batch.t) for batch in rpg.read(stream, ReadOptions()).batches)
        assert total > 2_000_000
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


# ------------------------------------------------------------------------------ real files


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("text/rpg_boxes_rotation.txt", {}),
        ("text/rpg_shapes_rotation.txt", {}),
        ("text/xypt_no_header.csv", {"columns": ("x", "y", "p", "t"), "time_unit": "us"}),
        ("made/davis240_boxes_60k.npz", {}),
    ],
)
def test_real_file(data_dir: Path, name: str, options: dict[str, Any]) -> None:
    path = data_dir / name
    expected = json.loads((data_dir / "EXPECTED.json").read_text(encoding="utf-8"))[name]
    with path.open("rb") as stream:
        module = registry.detect(stream.read(65_536), path.stat().st_size, path.suffix)
        stream.seek(0)
        columns = join(list(module.read(stream, ReadOptions(**options)).batches)).columns
    digests = [hashlib.sha256(column.tobytes()).hexdigest() for column in columns]
    assert columns[0].size == expected["events"]
    assert digests == list(expected["sha256"].values())


# ------------------------------------------------------------------------------ probing


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\n\n# only a comment\n",
        b"Dear reader,\nthis is no table, or is it, perhaps?\n",
        b"city,population,area,country\nParis,2100000,105,France\n",
        b"% Date 2020-01-01, 10:00:00\n% evt 3.0\n\x00\x80",
        b"#!AER-DAT2.0\r\n# a header, of text\r\n\x00\x01\x02\x03\x04",
        b"1 2 3 1\n4 5 6 0\n",  # whole times in no unit
        b"0.1 2 3\n0.2 3 4\n",
        b"0.1 2 3 7\n",  # no polarity
        b"0.1 2.5 3 1\n",
        bytes(range(256)),
        b"0.1 2 3 1\n" * 5 + b"\x00\xff\n",
        b"{\n  'a': 1, 'b': 2, 'c': 3, 'd': 4\n}\n",
    ],
)
def test_no_table(head: bytes) -> None:
    assert not csv.probe(head, len(head))
    assert not rpg.probe(head, len(head))


@pytest.mark.parametrize("delimiter", [" ", "\t", "   "])
def test_rpg_text_is_no_csv(delimiter: str) -> None:
    head = delimiter.join(["0.25", "1", "2", "1"]).encode() + b"\n"
    assert rpg.probe(head, len(head))
    assert not csv.probe(head, len(head))


def test_cut_at_64_kib_the_head_still_tells() -> None:
    head = (b"0.000001 100 100 1\n" * 4000)[:65_536]
    assert rpg.probe(head, None)
    assert csv.probe((b"t,x,y,p\n" + b"100,100,100,1\n" * 8000)[:65_536], None)


# ------------------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("t", ("t", None)),
        ("ts", ("t", None)),
        ("T_US", ("t", "us")),
        ("timestamp [ns]", ("t", "ns")),
        ("time(s)", ("t", "s")),
        ("x@640", ("x", None)),
        ("Polarity", ("p", None)),
        ("tx", ("", None)),
        ("", ("", None)),
    ],
)
def test_names(name: str, role: tuple[str, str | None]) -> None:
    assert role_of(name) == role


def test_own_csv_reads_back_without_flags() -> None:
    stream = io.BytesIO()
    writer = csv.writer(stream, (640, 480), {})
    writer.write([-5, 7], [1, 2], [3, 4], [1, 0])
    writer.close()
    assert stream.getvalue() == b"t,x,y,p\n-5,1,3,1\n7,2,4,0\n"
    assert read_all(csv, stream.getvalue()) == ([(-5, 1, 3, 1), (7, 2, 4, 0)], None)


@pytest.mark.parametrize("t", [-(2**63), -(2**63) + 1, -10, -9, -1, 0, 9, 10, 99, 100, 2**63 - 1])
def test_csv_writes_every_time(t: int) -> None:
    assert written("csv", [(t, 65_535, 0, 1)]) == f"t,x,y,p\n{t},65535,0,1\n".encode()


def test_missing_flags_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"--columns .* and --time-unit"):
        csv.read(io.BytesIO(b"1,2,1,5\n"), ReadOptions())
    with pytest.raises(ArgumentError, match="pass --time-unit"):
        csv.read(io.BytesIO(b"1,2,1,5\n"), ReadOptions(columns=("x", "y", "p", "t")))
    with pytest.raises(ArgumentError, match="pass --columns"):
        csv.read(io.BytesIO(b"1,2,1,5\n"), ReadOptions(time_unit="us"))
    with pytest.raises(ArgumentError, match="must be one of s, ms, us, ns"):
        csv.read(io.BytesIO(b"t,x,y,p\n1,2,1,0\n"), ReadOptions(time_unit="min"))
    with pytest.raises(ArgumentError, match="batch_events"):
        list(csv.read(io.BytesIO(b"t,x,y,p\n1,2,1,0\n"), ReadOptions(batch_events=0)).batches)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_error_names_line_field_and_byte(end: bytes) -> None:
    lines = [b"t,x,y,p", b"# one", b"1,2,3,1", b"", b"2,3,four,0", b"3,4,5,1", b""]
    events, error = read_all(csv, end.join(lines))
    assert events == [(1, 2, 3, 1)]
    assert isinstance(error, CorruptError)
    assert "line 5" in str(error)
    assert error.field == "y"
    assert error.offset == end.join(lines).index(b"four")


@given(st.integers(0, 60))
def test_cut_text_gives_whole_events(length: int) -> None:
    content = b"0.1 100 200 1\n0.2 101 201 0\r\n0.3 102 202 1\n"
    try:
        events, error = read_all(rpg, content[:length])
    except FormatError:
        assert length == 0
        return
    assert (
        events
        == [(100_000, 100, 200, 1), (200_000, 101, 201, 0), (300_000, 102, 202, 1)][: len(events)]
    )
    if error is not None:
        assert isinstance(error, TruncatedError)
        assert error.safe_events == len(events)


def test_unended_last_line_is_said() -> None:
    reading = rpg.read(io.BytesIO(b"0.1 1 2 1"), ReadOptions())
    assert len(next(iter(reading.batches)).t) == 1
    assert list(reading.batches) == []
    assert reading.metadata["final_newline"] is False


# ------------------------------------------------------------------------------ arrays

KINDS = st.sampled_from(["<i4", ">i4", "<u4", "<i8", ">u8", "<f4", "<f8", ">f8"])


@given(st.lists(EVENT, min_size=1, max_size=20), KINDS, st.booleans(), st.integers(1, 25))
def test_rows_in_any_order_and_dtype(
    events: list[Event], kind: str, fortran: bool, batch_events: int
) -> None:
    events = [(t % 65_536, x % 4096, y % 4096, p) for t, x, y, p in events]
    rows = np.array([(x, y, p, t) for t, x, y, p in events], kind, order="F" if fortran else "C")
    options = {"columns": ("x", "y", "p", "t"), "time_unit": "ms", "batch_events": batch_events}
    expected = [(t * 1000, x, y, p) for t, x, y, p in events]
    stream = io.BytesIO()
    np.save(stream, rows)
    assert read_all(npy, stream.getvalue(), **options) == (expected, None)
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, rows)
        assert read_all(npz, stream.getvalue(), **options) == (expected, None)


def test_fortran_order_from_a_pipe_is_refused() -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 4), order="F"))
    options = ReadOptions(columns=("x", "y", "p", "t"), time_unit="s")
    pipe: Any = Trickle(stream.getvalue())
    with pytest.raises(UnsupportedError, match="Fortran order"):
        npy.read(pipe, options)


def test_fortran_order_cut_gives_what_every_column_has() -> None:
    stream = io.BytesIO()
    rows = np.arange(40).reshape(10, 4)
    rows[:, 3] = 1
    np.save(stream, np.asfortranarray(rows))
    events, error = read_all(
        npy, stream.getvalue()[:-17], columns=("t", "x", "y", "p"), time_unit="us"
    )
    assert len(events) == 7
    assert isinstance(error, TruncatedError)
    assert error.safe_events == 7


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_of_a_fortran_array_in_an_npz_is_found(save: Any) -> None:
    """By the zip's checksum, though each column is read from another place."""
    stream = io.BytesIO()
    rows = np.random.default_rng(3).integers(0, 2, (3000, 4))
    save(stream, np.asfortranarray(rows))
    data, options = stream.getvalue(), {"columns": ("t", "x", "y", "p"), "time_unit": "us"}
    assert len(read_all(npz, data, **options)[0]) == 3000
    for at in range(300, len(data) - 300, len(data) // 40):
        damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        _, error = read_all(npz, damaged, **options)
        assert isinstance(error, (CorruptError, TruncatedError))


@given(st.integers(0, 2**64 - 1), st.sampled_from(["s", "ms", "us", "ns"]))
@example(2500, "ns")
@example(2**63, "us")
def test_integer_times_are_exact(value: int, unit: str) -> None:
    dtypes = [np.dtype(np.uint64)] + ([np.dtype(np.int64)] if value < 2**63 else [])
    for dtype in dtypes:
        stream = io.BytesIO()
        np.savez(stream, t=np.array([value], dtype), x=np.array([1]), y=[2], p=[True])
        events, error = read_all(npz, stream.getvalue(), time_unit=unit)
        try:
            assert events == [(naive_text.time(str(value), unit), 1, 2, 1)]
        except ValueError:
            assert isinstance(error, CorruptError)


@given(st.lists(EVENT, max_size=30))
def test_numpy_reads_what_is_written(events: list[Event]) -> None:
    with np.load(io.BytesIO(written("npz", events))) as archive:
        assert int(archive["width"]) == 65_536
        columns = [archive[name].tolist() for name in "txyp"]
    assert list(zip(*columns, strict=True)) == events


def test_npz_writer_spools_to_files_and_discards_after_an_error() -> None:
    stream = io.BytesIO()
    count = 1_500_000
    ones = np.ones(count, np.uint16)
    with npz.writer(stream, None, {}) as writer:
        writer.write(np.arange(count), ones, ones, ones.astype(np.uint8))
    reading = npz.read(stream, ReadOptions())
    assert reading.resolution is None
    assert sum(int(batch.t.sum()) for batch in reading.batches) == count * (count - 1) // 2
    empty = io.BytesIO()
    with pytest.raises(ZeroDivisionError), npz.writer(empty, (2, 2), {}) as writer:
        raise ZeroDivisionError
    assert empty.getvalue() == b""


def test_npz_is_the_same_bytes_each_time() -> None:
    events: list[Event] = [(1, 2, 3, 1), (4, 5, 6, 0)]
    assert written("npz", events) == written("npz", events)


def test_npz_writes_to_a_pipe() -> None:
    class Pipe(io.RawIOBase):
        got = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.got += bytes(data)
            return len(data)

    pipe = Pipe()
    writer = npz.writer(pipe, (3, 3), {})  # type: ignore[arg-type]
    writer.write([5], [1], [2], [1])
    writer.close()
    assert read_all(npz, pipe.got) == ([(5, 1, 2, 1)], None)


def test_npz_from_a_pipe_is_refused() -> None:
    pipe: Any = Trickle(written("npz", [(1, 1, 1, 1)]))
    with pytest.raises(UnsupportedError, match="pipe"):
        npz.read(pipe, ReadOptions())


@pytest.mark.parametrize("module", [csv, npz])
def test_writers_refuse_what_is_no_event(module: ModuleType) -> None:
    writer = module.writer(io.BytesIO(), (10, 10), {})
    with pytest.raises(EvstoreError):
        writer.write([1], [70_000], [1], [1])
    with pytest.raises(EvstoreError):
        writer.write([1], [1], [1], [2])
    writer.close()
