#!/usr/bin/env python3
"""Make the vectors and bad files of formats/prophesee_hdf5.

h5py makes the container; every ECF block is packed here by hand, part by part, and the events are
stated by hand: nothing of evstore is imported, and the vendor's filter is not needed. The output
is the same for the same version of h5py (3.16 with HDF5 2.0).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import vector_files
from vector_files import FORMATS, Event

NAME = "prophesee_hdf5"

ECF = 0x8ECF
DEFLATE = 1

RECORD = np.dtype(
    {
        "names": ["x", "y", "p", "t"],
        "formats": ["<u2", "<u2", "<i2", "<i8"],
        "offsets": [0, 2, 4, 8],
        "itemsize": 16,
    }
)
TRIGGER = np.dtype(
    {
        "names": ["p", "t", "id"],
        "formats": ["<i2", "<i8", "<i2"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
INDEX = np.dtype([("id", "<u8"), ("ts", "<i8")])
GEOMETRY = {"version": "1.0", "format": "ECF", "geometry": "640x480"}


# ------------------------------------------------------------------------------- ECF blocks


def block(count: int, kind: int, t0: int, *parts: bytes) -> bytes:
    return struct.pack("<IQ", count << 2 | kind, t0 & 2**64 - 1) + b"".join(parts)


def step(dt: int, run: int) -> bytes:
    """A step of time; one of 15 and more as nibbles, the least first."""
    octets = b""
    if not 0 <= dt < 15:
        dt &= 2**64 - 1
        while dt:
            octets += bytes([0xF0 | dt & 15])
            dt >>= 4
    tail = bytes([dt << 4 | run]) if run < 15 else struct.pack("<BH", dt << 4 | 15, run)
    return octets + tail


def row(y: int, run: int) -> bytes:
    return struct.pack("<H", y << 5 | run) if run < 31 else struct.pack("<HH", y << 5 | 31, run)


def column(x: int, *following: int) -> bytes:
    return struct.pack("<H", x << 5 | sum(16 >> (k - x - 1) for k in following))


def polarity(p: int, run: int) -> bytes:
    return bytes([p << 7 | run]) if run < 127 else struct.pack("<BH", p << 7 | 127, run)


def packed(events: list[Event], padding: int = 0) -> bytes:
    """24 bits an event: 11 of y, 11 of x, one of polarity; ``padding`` behind the last."""
    values = [y << 12 | x << 1 | p for _, x, y, p in events]
    values += [padding] * (-len(values) % 4)
    octets = b""
    for a, b, c, d in zip(*(values[k::4] for k in range(4)), strict=True):
        octets += struct.pack(
            "<III", a << 8 | b & 0xFF, b >> 8 << 16 | c & 0xFFFF, c >> 16 << 24 | d
        )
    return octets


def packed_columns(events: list[Event], padding: int = 0) -> bytes:
    """12 bits an event: 11 of x, one of polarity."""
    values = [x << 1 | p for _, x, _, p in events]
    values += [padding] * (-len(values) % 4)
    octets = b""
    for a, b, c, d in zip(*(values[k::4] for k in range(4)), strict=True):
        octets += struct.pack("<HHH", a << 4 | b & 15, b >> 4 << 8 | c & 255, c >> 8 << 12 | d)
    return octets


def steps(events: list[Event]) -> bytes:
    """One step an event."""
    octets, now = b"", events[0][0]
    for t, *_ in events:
        octets += step(t - now, 1)
        now = t
    return octets


def packed_block(events: list[Event], behind: bytes = b"") -> bytes:
    return block(len(events), 2, events[0][0], steps(events), packed(events), behind)


# -------------------------------------------------------------------------------- containers


def dataset(
    file: Any,
    path: str,
    dtype: Any,
    rows: int,
    chunk: int | None,
    filters: tuple[int, ...] = (),
    chunks: tuple[tuple[int, bytes, int], ...] = (),
) -> None:
    """A dataset of ``rows`` whose chunks are written as they are: (first row, bytes, mask)."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_obj_track_times(False)
    if chunk is not None:
        plist.set_chunk((chunk,))
    for number in filters:
        values = (6,) if number == DEFLATE else ()
        plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
    space = h5py.h5s.create_simple((rows,), (h5py.h5s.UNLIMITED if chunk else rows,))
    parent, _, _ = path.rpartition("/")
    file.require_group(parent)
    made = h5py.h5d.create(file.id, path.encode(), h5py.h5t.py_create(dtype), space, plist)
    for first, octets, mask in chunks:
        made.write_direct_chunk((first,), octets, mask)


def values(file: Any, path: str, rows: Any, **how: Any) -> None:
    """A dataset of rows, written through h5py."""
    file.create_dataset(path, data=rows, track_times=False, **how)


def attributes(node: Any, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        node.attrs.create(name, value, dtype=h5py.string_dtype("ascii"))


def start(path: Path, fields: dict[str, str] | None = None) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = h5py.File(path, "w", libver="earliest")
    file.create_group("CD")
    file.create_group("EXT_TRIGGER")
    attributes(file, GEOMETRY if fields is None else fields)
    return file


def ecf(file: Any, rows: int, chunk: int, blocks: list[bytes]) -> None:
    placed = tuple((k * chunk, octets, 0) for k, octets in enumerate(blocks))
    dataset(file, "CD/events", RECORD, rows, chunk, (ECF,), placed)


def records(events: list[Event]) -> Any:
    rows = np.zeros(len(events), RECORD)  # the gap before t too
    for k, name in enumerate("txyp"):
        rows[name] = [event[k] for event in events]
    return rows


def expect(
    name: str,
    events: list[Event],
    resolution: tuple[int, int] | None = (640, 480),
    triggers: list[tuple[int, int, int]] | None = None,
    **more: Any,
) -> None:
    vector_files.expect(vector(name), events, resolution, triggers, **more)


def vector(name: str) -> Path:
    return FORMATS / NAME / "vectors" / f"{name}.hdf5"


def bad(name: str) -> Path:
    return FORMATS / NAME / "bad" / f"{name}.hdf5"


def long_heap(path: Path) -> None:
    """A heap of more than the 4096 bytes that libhdf5 reads first; the fault is behind them."""
    with start(path, {**GEOMETRY, "note": "x" * 5000}) as file:
        values(file, "CD/events", np.zeros(0, RECORD))
    heap = bytearray(path.read_bytes())
    text = heap.index(b"x" * 5000)
    struct.pack_into("<Q", heap, text - 8, 4800)
    struct.pack_into("<HHIQ", heap, text + 4800, 0, 0, 0, 0)
    path.write_bytes(heap)


# ----------------------------------------------------------------------------------- vectors


def make_blocks() -> None:
    """Each of the three ways in which x, y and polarity are held."""
    first = [(100, (k * 37) % 640, 7, k % 2) for k in range(40)]
    first += [(100 + (k > 5), 600 + k, 479, 1) for k in range(10)]
    second = [(116, 5, 7, 0), (130, 6, 8, 1), (130, 2047, 2047, 1)]
    blocks = [
        block(50, 1, 100, step(0, 46), step(1, 4), row(7, 40), row(479, 10), packed_columns(first)),
        # The last chunk as the vendor writes it: its own count, and junk behind its last event.
        block(3, 1, 116, step(0, 1), step(14, 2), row(7, 1), row(8, 1), row(2047, 1),
              packed_columns(second, padding=0xABC)),
    ]  # fmt: skip
    with start(vector("packed_columns")) as file:
        ecf(file, 53, 50, blocks)
        index = np.array([(0, -1), (0, 0)], INDEX)
        values(file, "CD/indexes", index, chunks=(16,), maxshape=(None,))
        attributes(file["CD/indexes"], {"offset": "-100"})
        dataset(file, "EXT_TRIGGER/events", TRIGGER, 0, 16)
        dataset(file, "EXT_TRIGGER/indexes", INDEX, 0, 16)
    expect("packed_columns", first + second)

    epoch = 1_700_000_000_000_000
    events = [(epoch + k * 3, (k * 91) % 640, (k * 53) % 480, k % 3 % 2) for k in range(21)]
    # The last chunk as HDF5 hands it to a filter: filled up with zeros to its whole length.
    rest = events[16:]
    times = [step(0, 1), *[step(3, 1)] * 4, step(-rest[-1][0], 11)]
    last = block(16, 2, rest[0][0], *times, packed([*rest, *[(0, 0, 0, 0)] * 11]))
    with start(vector("packed")) as file:
        ecf(file, 21, 16, [packed_block(events[:16]), last])
    expect("packed", events)

    events = [(9, x, 3, 1) for x in (10, 11, 12, 15, 16, 300, 9, 13)]
    events += [(9, x, 4, 0) for x in (2047, 2042, 2043, 2044, 2045, 2046, 2047)]
    events += [(9 + k // 100, k % 640, 5, k // 130 % 2) for k in range(260)]
    parts = [
        step(0, 115), step(1, 100), step(1, 60),
        row(3, 8), row(4, 7), row(5, 260),
        column(10, 11, 12, 15), column(16), column(300), column(9, 13),
        column(2047), column(2042, 2043, 2044, 2045, 2046, 2047),
    ]  # fmt: skip
    parts += [column(x, *range(x + 1, x + 6)) for x in range(0, 258, 6)]
    # Bits for columns behind the last event, as the vendor's encoder leaves them.
    parts += [column(258, 259, 260, 263)]
    parts += [polarity(1, 8), polarity(0, 7), polarity(0, 130), polarity(1, 130)]
    with start(vector("masked")) as file:
        ecf(file, 275, 300, [block(275, 0, 9, *parts)])
    expect("masked", events)


def make_times() -> None:
    times = [-5, 0, 14, 29, 44, 2**24 - 1, 2**24, 2**27, 2**31 - 1, 2**31, 2**32, 2**34 + 1]
    times += [2**34 - 7, 1_700_000_000_000_000, 1_700_000_000_000_001, 3, 2**62]
    events = [(t, k, 2 * k, k % 2) for k, t in enumerate(times)]
    later = [(t, 9, 9, 1) for t in (50, 49, 49, 60)]
    # A step for no event counts; so does one in more nibbles than it needs.
    odd = [step(0, 1), step(-1, 2), step(3, 0), bytes([0xF5, 0xF0, 0xF0, 0x31])]
    blocks = [packed_block(events), block(4, 2, 50, *odd, packed(later))]
    with start(vector("times"), {**GEOMETRY, "time_shift": "12"}) as file:
        ecf(file, len(events) + 4, len(events), blocks)
    expect("times", events + later)


def make_containers() -> None:
    """Chunks that are not ECF, triggers, no events, and what is dropped."""
    events = [(1000 + k, k, 479 - k, k % 2) for k in range(20)]
    with start(vector("uncompressed_chunk"), {"version": "1.0"}) as file:
        middle = records(events[8:16]).tobytes()
        placed = (
            (0, packed_block(events[:8]), 0),
            (8, middle, 1),
            (16, packed_block(events[16:]), 0),
        )
        dataset(file, "CD/events", RECORD, 20, 8, (ECF,), placed)
    expect("uncompressed_chunk", events, None)

    # Big-endian, signed and boolean fields in another order; gzip; the size from the sensor's name.
    dtype = np.dtype([("t", ">u8"), ("p", "?"), ("y", "<i4"), ("x", ">i2")])
    rows = np.array([(t, p, y, x) for t, x, y, p in events], dtype)
    with start(vector("gzip"), {"version": "1.0", "system_ID": "49"}) as file:
        values(file, "CD/events", rows, chunks=(8,), compression="gzip", shuffle=True)
    expect("gzip", events, (1280, 720))

    edges = [(999, 0, 1), (1003, 255, 0), (1002, 1, 1), (5000, 7, 0)]
    table = np.zeros(5, TRIGGER)  # the gaps between the fields too
    table["t"] = [999, 1003, 1003, 1002, 5000]
    table["id"] = [0, 255, 256, 1, 7]
    table["p"] = [1, 0, 1, 1, 0]
    with start(vector("triggers")) as file:
        ecf(file, 20, 8, [packed_block(events[k : k + 8]) for k in (0, 8, 16)])
        values(file, "EXT_TRIGGER/events", table, chunks=(2,), maxshape=(None,))
    expect("triggers", events, triggers=edges, dropped={"triggers_of_ids_over_255": 1})

    with start(vector("empty")) as file:
        dataset(file, "CD/events", RECORD, 0, 16_384, (ECF,))
        dataset(file, "CD/indexes", INDEX, 0, 16_384)
        table = np.array([(1, 77, 3)], [("p", "<i2"), ("t", "<i8"), ("id", "<i2")])
        values(file, "EXT_TRIGGER/events", table)
    expect("empty", [], triggers=[(77, 3, 1)])

    with start(vector("more_than_events")) as file:
        ecf(file, 20, 10, [packed_block(events[:10], b"abc"), packed_block(events[10:], b"de")])
        values(file, "NOTES", np.arange(3))
    dropped = {"bytes_behind_ecf_blocks": 5, "extra_members": 1}
    expect("more_than_events", events, dropped=dropped)


# ---------------------------------------------------------------------------------- bad files


def make_bad_blocks() -> None:
    good = [(1000 + k, k, 479 - k, k % 2) for k in range(16)]
    whole = packed_block(good[:8])
    rest = packed_block(good[8:])
    y, xp = row(1, 8), packed_columns(good[:8])
    blocks = {
        "block_cut": rest[:-1],
        "block_of_a_header": rest[:12],
        "block_of_nothing": b"\x20",
        "block_without_rows": block(8, 1, 0, step(0, 8)),
        "block_without_columns": block(8, 0, 0, step(0, 8), y, column(1)),
        "block_without_polarity": block(8, 0, 0, step(0, 8), y, column(1) * 8),
        "long_run_of_times": block(8, 1, 0, step(0, 9), y, xp),
        "long_run_of_rows": block(8, 1, 0, step(0, 8), row(1, 65_535), xp),
        "long_run_of_polarity": block(8, 0, 0, step(0, 8), y, column(1) * 8, polarity(1, 300)),
        "long_step": block(8, 2, 0, b"\xf1" * 17, step(0, 8), packed(good[8:])),
        "many_events": packed_block([*good[8:], (2000, 0, 0, 0)]),
        "few_events": packed_block(good[9:]),
        "billion_events": block(2**30 - 1, 2, 0, step(0, 8), packed(good[8:])),
        "long_block": rest + bytes(300),
    }
    for name, octets in blocks.items():
        with start(bad(name)) as file:
            ecf(file, 16, 8, [whole, octets])
    with start(bad("uncompressed_cut")) as file:
        dataset(
            file, "CD/events", RECORD, 8, 8, (ECF,), ((0, records(good[:8]).tobytes()[:-1], 1),)
        )
    with start(bad("polarity_2")) as file:
        rows = records([*good[:8], (1, 1, 1, 2)])
        values(file, "CD/events", rows, chunks=(8,))
    with start(bad("x_negative")) as file:
        rows = np.array([(-1, 0, 0, 0)], [("x", "<i2"), ("y", "<u2"), ("p", "?"), ("t", "<i8")])
        values(file, "CD/events", rows)
    with start(bad("trigger_polarity")) as file:
        ecf(file, 8, 8, [whole])
        table = np.zeros(1, TRIGGER)
        table["p"] = -1
        values(file, "EXT_TRIGGER/events", table)


def make_bad_containers() -> None:
    events = [(1000 + k, k, 479 - k, k % 2) for k in range(16)]
    blocks = [packed_block(events[:8]), packed_block(events[8:])]
    with start(bad("chunk_missing")) as file:
        ecf(file, 24, 8, blocks)
    with start(bad("huge")) as file:
        ecf(file, 2**60, 8, blocks)
    with start(bad("huge_uncompressed")) as file:
        dataset(file, "CD/events", RECORD, 2**50, None)
    with start(bad("huge_gzip_chunk")) as file:
        dataset(file, "CD/events", RECORD, 2**26, 2**26, (DEFLATE,))
    with start(bad("ecf_and_gzip")) as file:
        dataset(file, "CD/events", RECORD, 16, 8, (ECF, DEFLATE))
    with start(bad("long_chunk")) as file:
        dataset(file, "CD/events", RECORD, 16, 65_536, (ECF,))
    with start(bad("other_records")) as file:
        dtype = [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]
        dataset(file, "CD/events", np.dtype(dtype), 16, 8, (ECF,))
    with start(bad("float_times")) as file:
        values(
            file, "CD/events", np.zeros(3, [("x", "<u2"), ("y", "<u2"), ("p", "?"), ("t", "<f8")])
        )
    with start(bad("two_dimensions")) as file:
        values(file, "CD/events", np.zeros((2, 2), RECORD))
    with start(bad("no_fields")) as file:
        values(file, "CD/events", np.zeros(4, "<i8"))
    with start(bad("no_events")) as file:
        values(file, "CD/other", np.zeros(4, "<i8"))
    with start(bad("linked")) as file:
        file["CD/events"] = h5py.ExternalLink("/etc/passwd", "/events")
    with start(bad("soft_link")) as file:
        values(file, "elsewhere", records(events))
        file["CD/events"] = h5py.SoftLink("/elsewhere")
    with start(bad("external")) as file:
        file.create_dataset(
            "CD/events", (16,), RECORD, external=[("/etc/passwd", 0, 256)], track_times=False
        )
    for name, fields in {
        "version_2": {**GEOMETRY, "version": "2.0"},
        "no_size": {**GEOMETRY, "geometry": "640by480"},
        "two_sizes": {**GEOMETRY, "format": "ECF;width=4;height=4"},
    }.items():
        with start(bad(name), fields) as file:
            ecf(file, 16, 8, blocks)
    whole = vector("triggers").read_bytes()
    bad("cut").write_bytes(whole[:-1])
    bad("cut_early").write_bytes(whole[:1000])
    bad("cut_superblock").write_bytes(whole[:40])
    heap = bytearray(whole)
    struct.pack_into("<HHIQ", heap, whole.index(b"GCOL") + 16, 0, 0, 0, 0)
    bad("endless_heap").write_bytes(heap)
    long_heap(bad("endless_long_heap"))
    bad("only_a_signature").write_bytes(whole[:8] + b"EXT_TRIGGER CD" + bytes(100))
    bad("empty_file").write_bytes(b"")


if __name__ == "__main__":
    make_blocks()
    make_times()
    make_containers()
    make_bad_blocks()
    make_bad_containers()
