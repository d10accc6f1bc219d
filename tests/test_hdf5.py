"""HDF5 of many kinds against plain h5py, hostile chunks, and DSEC's layout as it is written."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vectors
from evstore.errors import (
    ArgumentError,
    CorruptError,
    EvstoreError,
    FormatError,
    MissingDependencyError,
    UnsupportedError,
)
from evstore.formats import hdf5, hdf5_data
from evstore.formats.reading import ReadOptions

h5py = pytest.importorskip("h5py")

FILES = vectors.FORMATS / "hdf5" / "vectors"


def made(fill: Any) -> bytes:
    """The bytes of a file that ``fill`` writes."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        fill(file)
    return content.getvalue()


def read(content: bytes, **options: Any) -> tuple[Any, list[Any]]:
    reading = hdf5.read(io.BytesIO(content), ReadOptions(**options))
    return reading, vectors.join(list(reading.batches)).columns


def lists(columns: list[Any]) -> list[list[int]]:
    return [column.tolist() for column in columns]


def simple(file: Any, count: int = 100, **how: Any) -> None:
    for name, dtype in zip("txyp", ("<i8", "<u2", "<u2", "u1"), strict=True):
        data = np.arange(count) % (2 if name == "p" else 60_000)
        file.create_dataset(f"events/{name}", data=data.astype(dtype), **how)


# ------------------------------------------------------------------------------- structure


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dsec.h5", ["events"]),
        ("mvsec.h5", ["davis/left/events", "davis/right/events"]),
        ("per_sample.h5", ["0/00004", "0/00011", "3/00002", "3/00008"]),
        ("root_columns.h5", ["/"]),
        ("two_cameras.h5", ["cameras/left", "cameras/right"]),
        ("rows.h5", ["events"]),
    ],
)
def test_streams(name: str, expected: list[str]) -> None:
    with (FILES / name).open("rb") as stream:
        assert hdf5.streams(stream, ReadOptions()) == expected


def test_every_stream_of_a_set_says_its_label() -> None:
    content = (FILES / "per_sample.h5").read_bytes()
    for name in ("0/00004", "3/00002"):
        reading, columns = read(content, stream=name)
        assert reading.label == name[0]
        assert columns[0].tolist() == [0, 3002, 6004]


def test_a_lone_compound_dataset_in_a_group_has_no_label() -> None:
    table = np.zeros(2, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])

    def fill(file: Any) -> None:
        file["events/data"] = table
        file["events/index"] = np.zeros(3, "<i8")
        file["imu/data"] = np.zeros(3, [("t", "<i8"), ("ax", "<f4")])

    assert read(made(fill))[0].label is None


def test_a_lone_sample_of_its_class_has_a_label() -> None:
    table = np.zeros(2, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])

    def fill(file: Any) -> None:
        file["cat/1"], file["dog/7"], file["dog/8"] = table, table, table
        file["ant"] = h5py.SoftLink("/nowhere")
        file["bee"] = h5py.ExternalLink("elsewhere.h5", "/cat")

    for name in ("cat/1", "dog/7"):
        assert read(made(fill), stream=name)[0].label == name[:3]


def test_a_sample_among_many_is_found_without_a_look_at_all() -> None:
    table = np.zeros(2, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])

    def fill(file: Any) -> None:
        for k in range(3000):
            file[f"9/{k:05}"] = table

    content = made(fill)
    stream = Counted(content)
    reading = hdf5.read(stream, ReadOptions(stream="9/02999"))
    assert (reading.label, len(list(reading.batches))) == ("9", 1)
    assert stream.total < len(content) // 20


def test_stream_that_is_not_there_or_holds_no_events() -> None:
    content = (FILES / "two_cameras.h5").read_bytes()
    with pytest.raises(ArgumentError, match="no group or dataset 'front'"):
        read(content, stream="front")
    for name in ("cameras/left/x", "cameras", "/"):
        with pytest.raises(FormatError, match="holds no events"):
            read(content, stream=name)
    assert read(content, stream="/cameras/left/")[1][0].size == 20


def test_columns_are_told_for_fields_without_names() -> None:
    data = np.array([(5, 6, 1, 70), (7, 8, 0, 90)], [(n, "<u4") for n in "abcd"])
    content = made(lambda file: file.create_dataset("data", data=data))
    with pytest.raises(FormatError, match="no events"):
        read(content)
    told = {"columns": ("x", "y", "p", "t"), "time_unit": "ms"}
    assert lists(read(content, stream="data", **told)[1]) == [
        [70_000, 90_000],
        [5, 7],
        [6, 8],
        [1, 0],
    ]
    with pytest.raises(ArgumentError, match="names its columns itself"):
        read((FILES / "dsec.h5").read_bytes(), **told)


def test_deep_groups_and_circles_end() -> None:
    def fill(file: Any) -> None:
        simple(file)
        group = file
        for _ in range(40):
            group = group.create_group("deeper")
            group["top"] = file["/"]
            group["own"] = group
        simple(group)

    content = made(fill)
    assert hdf5.streams(io.BytesIO(content), ReadOptions()) == ["events"]
    deep = "/".join(["deeper"] * 40)
    assert read(content, stream=f"{deep}/events")[1][0].size == 100


def test_vlen_and_text_fields_beside_events_are_not_read() -> None:
    dtype = np.dtype(
        [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1"), ("note", h5py.string_dtype())]
    )
    data = np.array([(k, k, k, k % 2, "n" * k) for k in range(50)], dtype)
    content = made(lambda file: file.create_dataset("events", data=data, chunks=(7,)))
    reading, columns = read(content, batch_events=13)
    assert columns[0].tolist() == list(range(50))
    assert reading.dropped == {"extra_column_values": 50}


def test_user_block() -> None:
    content = io.BytesIO()
    with h5py.File(content, "w", userblock_size=512) as file:
        simple(file, chunks=(10,), compression="gzip")
    assert not hdf5.probe(content.getvalue(), None)
    assert read(content.getvalue())[1][0].size == 100


def test_a_pipe_is_refused() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(UnsupportedError, match="pipe"):
        hdf5.read(Pipe(b""), ReadOptions())


# ------------------------------------------------------------------------------ unit, size


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        (np.array([0.0, 0.5, 1.0]), "s"),
        (np.array([1.5e9, 1.5e9 + 0.5]), "s"),
        (np.array([-0.25, 0.0], "<f4"), "s"),
        (np.array([0.25], "<f2"), "s"),
        (np.array([0.0, 0.0]), "s"),
        (np.array([1.5e15, 1.5e15 + 1]), "us"),
        (np.array([0, 2**56]), "us"),
        (np.array([1.0, 2.0]), None),
        (np.array([0.5, 1e6 + 1]), None),
        (np.array([1.5e12 + 0.5]), None),
        (np.array([1.5e18]), None),
        (np.array([10**17]), None),
        (np.array([2**63], "<u8"), None),
    ],
)
def test_unit_of_time(times: Any, unit: str | None) -> None:
    def fill(file: Any) -> None:
        simple(file, len(times))
        del file["events/t"]
        file["events/t"] = times

    if unit is None:
        with pytest.raises(FormatError, match=r"Say it with --time-unit"):
            read(made(fill))
    else:
        reading, columns = read(made(fill))
        assert reading.metadata["time_unit"] == unit
        factor = 1_000_000 if unit == "s" else 1
        assert columns[0].tolist() == [round(Fraction(t.item()) * factor) for t in times]
    if np.abs(times.astype("<f8")).max() < 1e9:
        assert read(made(fill), time_unit="ns")[0].metadata["time_unit_told_by"] == "--time-unit"


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e5, width=32), min_size=2), st.floats(0.125, 0.875, width=32))
def test_float32_seconds_are_rounded_exactly(times: list[float], fraction: float) -> None:
    stored = np.array([fraction, *times], "<f4")

    def fill(file: Any) -> None:
        simple(file, len(stored))
        del file["events/t"]
        file["events/t"] = stored

    expected = [round(Fraction(t.item()) * 1_000_000) for t in stored]
    assert read(made(fill))[1][0].tolist() == expected


@pytest.mark.parametrize(
    ("pair", "corner", "expected", "told"),
    [
        ((260, 346), (345, 0), (346, 260), "the first coordinates"),
        ((346, 260), (345, 0), (346, 260), "the first coordinates"),
        ((260, 346), (0, 345), (260, 346), "the first coordinates"),
        ((260, 346), (10, 10), (346, 260), "the larger side is the width"),
        ((260, 346), (900, 900), (346, 260), "the first coordinates"),
        ((34, 34), (33, 33), (34, 34), "the larger side is the width"),
    ],
)
def test_sides_of_sensor_resolution(
    pair: tuple[int, int], corner: tuple[int, int], expected: tuple[int, int], told: str
) -> None:
    def fill(file: Any) -> None:
        for name, value in zip("txyp", (5, *corner, 1), strict=True):
            file[name] = np.array([value])
        file.attrs["sensor_resolution"] = pair

    reading, columns = read(made(fill))
    assert reading.resolution == expected
    assert reading.metadata["sensor_resolution_order"] == told
    assert lists(columns) == [[5], [corner[0]], [corner[1]], [1]]


# --------------------------------------------------------------------------- any dtype at all

INTEGERS = ["<u2", ">u2", "<i2", "<i4", ">i8", "<u8", "<f4", ">f8"]
PACKINGS: list[dict[str, Any]] = [
    {},
    {"compression": "gzip"},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
    {"compression": "lzf", "shuffle": True},
]


@settings(max_examples=60)
@given(st.data())
def test_any_columns(data: Any) -> None:
    """Columns of any dtype, chunk and filter, compound or apart, in batches of any size."""
    count = data.draw(st.integers(0, 80))
    numbers = st.lists(st.integers(0, 2047), min_size=count, max_size=count)
    values = {name: data.draw(numbers) for name in "txy"}
    signs = st.lists(st.sampled_from([-1, 0, 1]), min_size=count, max_size=count)
    values["p"] = data.draw(signs)
    dtypes = {name: data.draw(st.sampled_from(INTEGERS)) for name in "xy"}
    dtypes["t"] = data.draw(st.sampled_from(["<i4", ">i8", "<u2"]))
    dtypes["p"] = data.draw(st.sampled_from(["i1", ">i2", "<f4"]))
    how = dict(data.draw(st.sampled_from(PACKINGS)))
    if how or data.draw(st.booleans()):
        how |= {"chunks": (data.draw(st.integers(1, 90)),), "maxshape": (None,)}

    def apart(file: Any) -> None:
        for name, column in values.items():
            file.create_dataset(name, data=np.array(column, dtypes[name]), **how)

    def compound(file: Any) -> None:
        table = np.zeros(count, [(name, dtypes[name]) for name in "pytx"])
        for name, column in values.items():
            table[name] = column
        file.create_dataset("table", data=table, **how)

    content = made(data.draw(st.sampled_from([apart, compound])))
    columns = read(content, batch_events=data.draw(st.integers(1, 100)))[1]
    expected = [values["t"], values["x"], values["y"], [int(p > 0) for p in values["p"]]]
    assert lists(columns) == expected


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    total = 0

    def readinto(self, buffer: Any) -> int:
        got = super().readinto(buffer)
        self.total += got
        return got

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


def test_a_chunk_is_unpacked_once_however_small_the_batches() -> None:
    noise = np.random.default_rng(3).integers(0, 1 << 30, 50_000)

    def fill(file: Any) -> None:
        simple(file, 50_000, chunks=(50_000,), compression="gzip")
        del file["events/t"]
        file.create_dataset("events/t", data=noise, chunks=(50_000,), compression="gzip")

    content = made(fill)
    stream = Counted(content)
    batches = list(hdf5.read(stream, ReadOptions(batch_events=500)).batches)
    assert np.array_equal(np.concatenate([batch.t for batch in batches]), noise)
    assert stream.total < 2 * len(content)


# ---------------------------------------------------------------------------------- hostile


def packed(code: int) -> Any:
    """What h5py needs to make a dataset with a filter of hdf5plugin."""
    plugins = pytest.importorskip("hdf5plugin")
    return {
        32001: plugins.Blosc(cname="zstd", clevel=5, shuffle=1),
        32004: plugins.LZ4(),
        32008: plugins.Bitshuffle(cname="lz4"),
        32015: plugins.Zstd(),
    }[code]


@pytest.mark.parametrize("code", [32001, 32004, 32008, 32015])
def test_filters_of_hdf5plugin(code: int) -> None:
    content = made(lambda file: simple(file, 5000, chunks=(700,), **packed(code)))
    columns = read(content, batch_events=999)[1]
    assert columns[1].tolist() == list(range(5000))


@pytest.mark.parametrize(
    ("code", "at", "claim"),
    [
        (32001, 4, (1 << 31) - 1),
        (32004, 0, 1 << 62),
        (32008, 0, 1 << 62),
        (32015, 0, 0),
    ],
)
def test_a_chunk_that_claims_too_much(code: int, at: int, claim: int) -> None:
    def fill(file: Any) -> None:
        simple(file, 5000, chunks=(5000,), **packed(code))
        mask, chunk = file["events/t"].id.read_direct_chunk((0,))
        damaged = bytearray(chunk)
        if code == 32001:
            damaged[at : at + 4] = claim.to_bytes(4, "little")
        elif code == 32015:  # a frame whose content size is 8 bytes: 2^40
            damaged = bytearray(b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little"))
        else:
            damaged[at : at + 8] = claim.to_bytes(8, "big")
        file["events/t"].id.write_direct_chunk((0,), bytes(damaged), mask)

    with pytest.raises(CorruptError, match="claims more bytes"):
        read(made(fill))


def test_every_chunk_is_looked_at_before_it_is_unpacked() -> None:
    """The last time is read before the others, which must not hide a chunk in between."""

    def fill(file: Any) -> None:
        simple(file, 300, chunks=(100,), **packed(32001))
        mask, chunk = file["events/t"].id.read_direct_chunk((100,))
        damaged = chunk[:4] + b"\xff\xff\xff\x7f" + chunk[8:]
        file["events/t"].id.write_direct_chunk((100,), damaged, mask)

    with pytest.raises(CorruptError, match="claims more bytes"):
        read(made(fill), batch_events=50)


def test_many_chunks_of_rows_apart_by_column() -> None:
    data = np.arange(2000, dtype="<u4").reshape(500, 4)
    data[:, 3] %= 2
    content = made(
        lambda f: f.create_dataset("events", data=data, chunks=(7, 1), compression="lzf")
    )
    columns = read(content, columns=("x", "y", "t", "p"), time_unit="us", batch_events=33)[1]
    assert lists(columns) == [data[:, k].tolist() for k in (2, 0, 1, 3)]


def test_lzf_that_claims_too_much() -> None:
    def fill(file: Any) -> None:
        simple(file, 300, chunks=(300,))
        del file["events/t"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((300,))
        plist.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((300,))
        events = file["events"].id
        dataset = h5py.Dataset(h5py.h5d.create(events, b"t", h5py.h5t.STD_I64LE, space, plist))
        dataset[:] = np.zeros(300)

    content = made(fill)
    sizes = (2400).to_bytes(4, "little")
    assert content.count(sizes) >= 1
    read(content)
    with pytest.raises(CorruptError, match=r"claims more bytes|damaged"):
        read(content.replace(sizes, b"\xff\xff\xff\x7f"))


def test_a_chunk_past_the_end_and_rows_without_bytes() -> None:
    def fill(file: Any) -> None:
        simple(file, 100, chunks=(50,))
        del file["events/x"]
        file.create_dataset("events/x", (100,), "<u2", chunks=(50,))[:50] = 1

    with pytest.raises(CorruptError, match="never written"):
        read(made(fill))

    def unset(file: Any) -> None:
        simple(file, 100)
        del file["events/x"]
        file.create_dataset("events/x", (100,), "<u2")

    with pytest.raises(CorruptError, match="not in the file"):
        read(made(unset))


# ------------------------------------------------------------------------------ dependencies


def test_without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"evstore\[hdf5\]"):
        read((FILES / "dsec.h5").read_bytes())
    with pytest.raises(MissingDependencyError, match=r"evstore\[hdf5\]"):
        hdf5.writer(io.BytesIO(), None, {})


def test_without_hdf5plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    content = made(lambda file: simple(file, 50, chunks=(50,), compression="gzip"))
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(MissingDependencyError, match=r"gzip.*evstore\[hdf5\]"):
        read(content)
    with pytest.raises(MissingDependencyError, match=r"hdf5plugin.*evstore\[hdf5\]"):
        hdf5.writer(io.BytesIO(), None, {})


# ----------------------------------------------------------------------------------- writing


def write(columns: Any, size: int = 1000, **said: Any) -> bytes:
    pytest.importorskip("hdf5plugin")
    stream = io.BytesIO()
    writer = hdf5.writer(stream, (640, 480), {}, **said)
    for start in range(0, len(columns[0]), size):
        writer.write(*(np.asarray(column[start : start + size]) for column in columns))
    writer.close()
    return stream.getvalue()


def slow_index(times: list[int]) -> list[int]:
    """For each millisecond up to one past the end, the first event that is not before it."""
    found = []
    for ms in range(max(times) // 1000 + 2):
        later = [k for k, t in enumerate(times) if t >= 1000 * ms]
        found.append(later[0] if later else len(times))
    return found


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 9000), st.integers(0, 65535), st.integers(0, 65535), st.booleans()
        ),
        max_size=60,
    ),
    st.sampled_from([0, -5, 1_700_000_000_000_000, -(2**63), 2**63 - 1 - 2**33]),
    st.integers(1, 70),
)
def test_written_and_read_again(rows: Any, start: int, size: int) -> None:
    rows = [(0, 1, 2, True), *rows] if rows else []
    columns = [[row[k] for row in rows] for k in range(4)]
    columns[0] = [t + start for t in columns[0]]
    columns[3] = [int(p) for p in columns[3]]
    content = write([np.array(columns[0], np.int64), *columns[1:]], size)
    reading, again = read(content)
    assert lists(again) == columns
    assert reading.resolution == (640, 480)
    with h5py.File(io.BytesIO(content)) as file:
        assert [file[f"events/{n}"].dtype.str for n in "txyp"] == ["<u4", "<u2", "<u2", "|u1"]
        relative = [t - start for t in columns[0]]
        assert file["ms_to_idx"][:].tolist() == (slow_index(relative) if rows else [0])
        assert file["t_offset"][()] == (start if rows else 0)
        code = file["events/t"].id.get_create_plist().get_filter(0)[0]
        assert code == 32001


def test_rebase() -> None:
    content = write([[500, 700], [1, 2], [3, 4], [0, 1]], rebase=True)
    assert read(content)[1][0].tolist() == [0, 200]
    writer = hdf5.writer(io.BytesIO(), None, {}, rebase=True)
    assert writer.origin is None
    writer.write([500], [1], [1], [1])
    assert writer.origin == 500
    writer.discard()
    writer.discard()


def test_what_the_layout_cannot_hold_is_named() -> None:
    pytest.importorskip("hdf5plugin")
    writer = hdf5.writer(io.BytesIO(), None, {})
    writer.write([100, 100 + 2**32 - 1], [1, 2], [3, 4], [0, 1])
    with pytest.raises(UnsupportedError, match=r"event 3 \(t 99, x 6, y 7\)"):
        writer.write([200, 99], [5, 6], [6, 7], [1, 1])
    with pytest.raises(UnsupportedError, match=r"event 2 \(t 4294967396, "):
        writer.write([100 + 2**32], [5], [6], [1])
    writer.discard()
    with pytest.raises(ArgumentError, match="resolution"):
        hdf5.writer(io.BytesIO(), (0, 4), {})


def test_a_long_silence_is_indexed_in_bounded_memory() -> None:
    content = write([[0, 3_000_000_000], [1, 2], [3, 4], [0, 1]])
    assert len(content) < 1 << 20
    with h5py.File(io.BytesIO(content)) as file:
        index = file["ms_to_idx"]
        assert index.shape == (3_000_002,)
        assert index[0] == 0
        assert (index[1:-1] == 1).all()
        assert index[-1] == 2


# -------------------------------------------------------------------------- real recordings


def test_dsec_recording(data_dir: Path) -> None:
    pytest.importorskip("hdf5plugin")
    name = "made/gen3_vga_b_dsec.h5"
    entry = json.loads((data_dir / "EXPECTED.json").read_text(encoding="utf-8"))[name]
    columns = read((data_dir / name).read_bytes())[1]
    for column, digest in zip(columns, entry["sha256"].values(), strict=True):
        assert hashlib.sha256(column.tobytes()).hexdigest() == digest
    with h5py.File(io.BytesIO(write(columns, 65_536))) as ours, h5py.File(data_dir / name) as made:
        for path in ("events/t", "events/x", "events/y", "events/p", "ms_to_idx"):
            assert np.array_equal(ours[path][:], made[path][:]), path
        assert ours["t_offset"][()] == made["t_offset"][()]


def test_one_dataset_a_sample(data_dir: Path) -> None:
    content = (data_dir / "hdf5" / "nmnist_per_sample.h5").read_bytes()
    names = hdf5.streams(io.BytesIO(content), ReadOptions())
    assert len(names) == 40
    with h5py.File(io.BytesIO(content)) as file:
        for name in names:
            reading, columns = read(content, stream=name)
            table = file[name][:]
            times = [round(Fraction(t.item()) * 1_000_000) for t in table["ts"]]
            expected = [times, *(table[n].tolist() for n in ("x", "y", "p"))]
            assert lists(columns) == expected
            assert reading.label == name.partition("/")[0]


def test_prophesee_files_go_to_their_own_module(data_dir: Path) -> None:
    module = pytest.importorskip("evstore.formats.prophesee_hdf5")
    content = (data_dir / "made" / "gen41_hd_ecf.hdf5").read_bytes()
    assert hdf5.streams(io.BytesIO(content), ReadOptions()) == ["CD/events"]
    own = vectors.join(list(module.read(io.BytesIO(content), ReadOptions()).batches)).columns
    reading, columns = read(content)
    assert reading.format == module.NAME
    assert all(np.array_equal(a, b) for a, b in zip(columns, own, strict=True))


def test_damaged_attributes_are_no_crash(seed: int) -> None:
    """Bytes of the object headers alone, where most of what is parsed stands."""
    content = (FILES / "two_cameras.h5").read_bytes()
    source = np.random.default_rng(seed)
    for _ in range(200):
        octets = bytearray(content)
        octets[int(source.integers(0, len(octets)))] ^= 1 << int(source.integers(0, 8))
        try:
            read(bytes(octets), stream="cameras/right")
        except EvstoreError:
            continue


# --------------------------------------------------------------------- one chunk for everything


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("resizable", [False, True])
def test_one_large_gzip_chunk(
    shuffle: bool, resizable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5_data, "CHUNK_ROOM", 0)
    t = np.arange(1000, dtype=">i8") * 300
    columns = {
        "t": t,
        "x": np.arange(1000, dtype=np.uint16),
        "y": t.astype(np.uint16) % 7,
        "p": t % 2,
    }
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for name, column in columns.items():
            more = {"chunks": (1100,), "maxshape": (None,)} if resizable else {"chunks": (1000,)}
            file.create_dataset(name, data=column, compression="gzip", shuffle=shuffle, **more)
            places = file[name].id.get_chunk_info(0)
    content = out.getvalue()
    for size in (1, 100, 65_536):
        reading = hdf5.read(io.BytesIO(content), ReadOptions(time_unit="us", batch_events=size))
        found = vectors.join(list(reading.batches)).columns
        for column, wanted in zip(found, columns.values(), strict=True):
            assert np.array_equal(column.astype(np.int64), wanted.astype(np.int64))
    damaged = bytearray(content)
    damaged[places.byte_offset + 5] ^= 0x55
    with pytest.raises(CorruptError):
        list(hdf5.read(io.BytesIO(bytes(damaged)), ReadOptions(time_unit="us")).batches)


@pytest.mark.parametrize("shuffles", [0, 1, 2])
@pytest.mark.parametrize("packed", [False, True])
def test_one_large_chunk_of_other_filters(
    shuffles: int, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shuffled twice, or left as it was by all filters: libhdf5 knows."""
    monkeypatch.setattr(hdf5_data, "CHUNK_ROOM", 9000)  # a column is longer, but not the file
    t = np.arange(2000) * 300
    columns = {"t": t, "x": t % 7, "y": t % 5, "p": t % 2}

    def fill(file: Any) -> None:
        for name, column in columns.items():
            create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            create.set_chunk(column.shape)
            for _ in range(shuffles):
                create.set_shuffle()
            create.set_deflate(4)
            space = h5py.h5s.create_simple(column.shape)
            made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_I64LE, space, create)
            if packed:
                made.write(h5py.h5s.ALL, h5py.h5s.ALL, column)
            else:
                every = (2 << shuffles) - 1
                made.write_direct_chunk((0,), column.astype("<i8").tobytes(), every)
        file.create_dataset("more", data=np.zeros(60_000, np.uint8))

    _, found = read(made(fill), time_unit="us")
    assert lists(found) == [column.tolist() for column in columns.values()]
