#!/usr/bin/env python3
"""Make the vectors and bad files of formats/hdf5.

Writes with h5py alone and states the expected events by hand: nothing of evstore is imported,
so that an error in a reader cannot hide in its vectors. Run it from anywhere; with one release
of h5py the output is always the same.
"""

from __future__ import annotations

import json
import zlib
from fractions import Fraction
from typing import Any

import h5py
import numpy as np
import vector_files
from vector_files import FORMATS, Event

FOLDER = FORMATS / "hdf5"

TURN_24, TURN_31, TURN_32, TURN_34 = 1 << 24, 1 << 31, 1 << 32, 1 << 34


def new(kind: str, name: str) -> h5py.File:
    path = FOLDER / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return h5py.File(path, "w")


def say(name: str, events: list[Event], resolution: tuple[int, int] | None, **more: Any) -> None:
    vector_files.expect(FOLDER / "vectors" / name, events, resolution, **more)


def how(name: str, **given: Any) -> None:
    path = (FOLDER / "bad" / name).with_suffix(".json")
    path.write_text(json.dumps(given) + "\n", encoding="utf-8")


def column(events: list[Event], k: int, dtype: str) -> Any:
    return np.array([event[k] for event in events], dtype)


def plain(count: int, width: int, height: int) -> list[Event]:
    return [(7 * k, k * 37 % width, k * 91 % height, k % 3 % 2) for k in range(count)]


def put(group: Any, events: list[Event], names: str = "t x y p", **how: Any) -> None:
    """Columns as DSEC has them: u4, u2, u2, u1."""
    for k, (name, dtype) in enumerate(zip(names.split(), ("<u4", "<u2", "<u2", "u1"), strict=True)):
        group.create_dataset(name, data=column(events, k, dtype), **how)


# -------------------------------------------------------------------------------- vectors


def dsec() -> None:
    """Chunks, an offset near 1.7e15, a step back, both ends of uint32."""
    offset = 1_700_000_000_000_123
    relative = plain(300, 640, 480)
    relative[200] = (900, 639, 479, 1)
    relative += [(TURN_31 + 1, 5, 6, 0), (TURN_32 - 1, 7, 8, 1)]
    with new("vectors", "dsec.h5") as file:
        put(file.create_group("events"), relative, chunks=(64,), compression="gzip", shuffle=True)
        file["t_offset"] = np.int64(offset)
        file["ms_to_idx"] = np.array([0, 143, 300, 302], "<u8")
    say("dsec.h5", [(t + offset, x, y, p) for t, x, y, p in relative], None)


def seconds() -> None:
    """E2VID's columns: float64 seconds since 1970, bool polarity, and a size as (height, width)."""
    stored = [1.5e9, 1.5e9 + 0.000001, 1.5e9 + 0.25, 1.5e9 + 0.2, 1.5e9 + 7.9999996, 1.5e9 + 9.75]
    events = []
    for k, t in enumerate(stored):
        events.append((round(Fraction(t) * 1_000_000), 300 + k, k * 30, k % 2))
    with new("vectors", "columns_seconds.h5") as file:
        group = file.create_group("events")
        group["ts"] = np.array(stored, "<f8")
        group["xs"], group["ys"] = column(events, 1, "<i2"), column(events, 2, "<i2")
        group["ps"] = column(events, 3, "?")
        file.attrs["sensor_resolution"] = np.array([260, 346], "<i8")
        file["images/image000000000"] = np.zeros((2, 2), "u1")
        group["voxels"] = np.zeros(3, "<f4")
    say("columns_seconds.h5", events, (346, 260), dropped={"extra_datasets": 1})


def mvsec() -> None:
    """Two streams of (x, y, t, p) in float64 seconds, the polarity -1 or 1."""
    start = 1_506_117_900
    right = [(start * 1_000_000 + 125 * k, k, 259 - k, k % 2) for k in range(40)]
    with new("vectors", "mvsec.h5") as file:
        rows = [
            (x, y, start + Fraction(125 * k, 10**6), 2 * p - 1)
            for k, (_, x, y, p) in enumerate(right)
        ]
        file["davis/left/events"] = np.array([(1, 2, start, 1)], "<f8")
        file["davis/right/events"] = np.array([[float(v) for v in row] for row in rows], "<f8")
        file["davis/right/image_raw_ts"] = np.array([1.5e9], "<f8")
    more = {"options": {"stream": "davis/right/events"}, "dropped": {"extra_datasets": 1}}
    say("mvsec.h5", right, None, **more)


def per_sample() -> None:
    """One compound dataset a sample below its class, float32 seconds."""
    dtype = [("x", "<u2"), ("y", "<u2"), ("ts", "<f4"), ("p", "i1")]
    stored = [(k % 34, k % 33, np.float32(0.0030019 * k), k % 2) for k in range(100)]
    events = [(round(Fraction(float(t)) * 1_000_000), x, y, p) for x, y, t, p in stored]
    with new("vectors", "per_sample.h5") as file:
        for place in ("0/00004", "0/00011", "3/00002", "3/00008"):
            count = 100 if place == "3/00008" else 3
            data = np.array(stored[:count], dtype)
            file.create_dataset(place, data=data, chunks=(min(32, count),), compression="gzip")
    say("per_sample.h5", events, None, label="3", options={"stream": "3/00008"})


def compound() -> None:
    """Big-endian, a field that is not kept, polarity -1 or 1, chunks with checksums."""
    dtype = [("timestamp", ">i8"), ("x", ">i4"), ("y", ">i4"), ("on", "i1"), ("weight", "<f4")]
    events = [(TURN_24 - 5 + k, 1279 - k, k, k % 2) for k in range(50)]
    data = np.array([(t, x, y, 2 * p - 1, 0.5) for t, x, y, p in events], dtype)
    with new("vectors", "compound.h5") as file:
        told = {"chunks": (16,), "compression": "lzf", "shuffle": True, "fletcher32": True}
        dataset = file.create_dataset("recording", data=data, maxshape=(None,), **told)
        dataset.attrs["width"], dataset.attrs["height"] = np.int32(1280), np.int32(720)
    say("compound.h5", events, [1280, 720], dropped={"extra_column_values": 50})


def root_columns() -> None:
    """Times over 2^24, 2^31, 2^32 and 2^34, before 0 and stepping back; a size that is wrong."""
    times = [-7, 0, TURN_24 - 1, TURN_24, TURN_31, TURN_32 + 1, TURN_34 - 1, TURN_34 + 5, 12, 13]
    events = [(t, 60_000 + k, 65_535 - k, k % 2) for k, t in enumerate(times)]
    with new("vectors", "root_columns.h5") as file:
        file["timestamp_us"], file["polarity"] = column(events, 0, "<i8"), column(events, 3, "u1")
        file["x"], file["y"] = column(events, 1, "<u2"), column(events, 2, "<u2")
        file.attrs["width"], file.attrs["height"] = 4, 3
    say("root_columns.h5", events, (4, 3))


def two_cameras() -> None:
    """Two groups of columns with a size of their own each."""
    left, right = plain(20, 128, 128), plain(30, 1280, 720)
    with new("vectors", "two_cameras.h5") as file:
        for name, events, size in (("left", left, (128, 128)), ("right", right, (1280, 720))):
            put(file.create_group(f"cameras/{name}"), events)
            file[f"cameras/{name}/width"] = np.int64(size[0])
            file[f"cameras/{name}/height"] = np.array([size[1]], "<i8")
    say("two_cameras.h5", right, [1280, 720], options={"stream": "cameras/right"})


def rows() -> None:
    """(N, 4) whole numbers: only the user knows which column is which."""
    events = plain(25, 346, 260)
    with new("vectors", "rows.h5") as file:
        data = np.array([(t // 7, x, y, p) for t, x, y, p in events], "<u4")
        file.create_dataset("events", data=data, chunks=(8, 3), compression="gzip")
    told = {"columns": ["t", "x", "y", "p"], "time_unit": "ms"}
    say("rows.h5", [(t // 7 * 1000, x, y, p) for t, x, y, p in events], None, options=told)


def whole_floats() -> None:
    """Float times that are whole numbers: only the user knows their unit."""
    events = plain(12, 34, 34)
    with new("vectors", "whole_floats.h5") as file:
        group = file.create_group("raw_events")
        put(group, events)
        del group["t"]
        group["t"] = column(events, 0, "<f4")
    say("whole_floats.h5", events, None, options={"time_unit": "us"})


def empty() -> None:
    with new("vectors", "empty.h5") as file:
        put(file.create_group("events"), [], chunks=(64,), maxshape=(None,), compression="gzip")
        file.attrs["width"], file.attrs["height"] = 240, 180
        file.attrs["timestamp_scale_ms"] = 0.001
    say("empty.h5", [], (240, 180))


# ------------------------------------------------------------------------------------ bad


def unfound() -> None:
    with new("bad", "no_events.h5") as file:
        file["spikes/times"], file["spikes/units"] = np.zeros(3), np.zeros(3, "<u2")
        file["events"] = h5py.ExternalLink("elsewhere.h5", "/events")
        file["again"] = h5py.SoftLink("/spikes")
        file["spikes/up"] = file["/"]
    with new("bad", "two_streams.h5") as file:
        put(file.create_group("left"), plain(3, 9, 9))
        put(file.create_group("right"), plain(3, 9, 9))
    with new("bad", "rows.h5") as file:
        file["events"] = np.zeros((5, 4), "<u4")
    with new("bad", "soft_link.h5") as file:
        put(file.create_group("events"), plain(3, 9, 9))
        file["again"] = h5py.SoftLink("/events")
    how("soft_link.h5", options={"stream": "again"})
    with new("bad", "two_times.h5") as file:
        put(file.create_group("events"), plain(3, 9, 9), "ts x y p")
        file["events/timestamps"] = np.zeros(3, "<i8")


def untold() -> None:
    for name, times in (
        ("whole_floats.h5", [1.0, 2.0, 3.0]),
        ("long_seconds.h5", [0.5, 1e6, 2e6 + 0.5]),
        ("float_milliseconds.h5", [1.5e12, 1.5e12 + 0.5, 1.5e12 + 1]),
    ):
        with new("bad", name) as file:
            put(file, plain(3, 9, 9), "unused x y p")
            file["t"] = np.array(times, "<f8")
    with new("bad", "nanoseconds.h5") as file:
        put(file, plain(3, 9, 9), "unused x y p")
        file["t"] = np.array([17 * 10**17, 17 * 10**17 + 5, 17 * 10**17 + 6], "<i8")
    with new("bad", "other_scale.h5") as file:
        put(file, plain(3, 9, 9))
        file.attrs["timestamp_scale_ms"] = 0.5


def wrong_values() -> None:
    with new("bad", "polarity_2.h5") as file:
        put(file, [*plain(3, 9, 9), (9, 9, 9, 2)])
    for name, times in (("nan.h5", [0.25, float("nan"), 0.5]), ("endless.h5", [0.25, 0.5, np.inf])):
        with new("bad", name) as file:
            put(file, plain(3, 9, 9), "unused x y p")
            file["t"] = np.array(times, "<f8")
    for name, x in (("negative_x.h5", [1, -1, 2]), ("undistorted.h5", [1.0, 2.5, 3.0])):
        with new("bad", name) as file:
            put(file, plain(3, 9, 9), "t unused y p")
            file["x"] = np.array(x)
    with new("bad", "text.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        file["p"] = ["on", "off", "on"]
    with new("bad", "lengths.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        file["p"] = np.zeros(4, "u1")
    with new("bad", "wide.h5") as file:
        put(file, plain(3, 9, 9))
        file.attrs["width"], file.attrs["height"] = 70_000, 480
    with new("bad", "offset.h5") as file:
        put(file.create_group("events"), plain(3, 9, 9), "unused x y p")
        file["events/t"] = np.array([0, 1, 2**63 - 5], "<i8")
        file["t_offset"] = np.int64(10)
    how("offset.h5", options={"time_unit": "us"})
    with new("bad", "offset_half.h5") as file:
        put(file.create_group("events"), plain(3, 9, 9))
        file["t_offset"] = 0.5


def hostile() -> None:
    with new("bad", "never_written.h5") as file:
        for name, dtype in zip("txyp", ("<u4", "<u2", "<u2", "u1"), strict=True):
            file.create_dataset(f"events/{name}", (1 << 40,), dtype, chunks=(1 << 16,))
    with new("bad", "huge_chunk.h5") as file:
        put(
            file.create_group("events"),
            plain(3, 9, 9),
            chunks=(1 << 22,),
            maxshape=(None,),
            compression="gzip",
        )
    with new("bad", "gzip_bomb.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        p = file.create_dataset("p", (3,), "u1", chunks=(3,), compression="gzip")
        p.id.write_direct_chunk((0,), zlib.compress(bytes(36 << 20), 9))
    with new("bad", "gzip_damaged.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        p = file.create_dataset("p", (3,), "u1", chunks=(3,), compression="gzip")
        p.id.write_direct_chunk((0,), b"no deflate stream")
    with new("bad", "checksum.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        p = file.create_dataset("p", (3,), "u1", chunks=(3,), fletcher32=True)
        p.id.write_direct_chunk((0,), bytes(3) + b"\x01\x02\x03\x04")
    with new("bad", "scaleoffset.h5") as file:
        put(file, plain(3, 9, 9), chunks=(3,), scaleoffset=0)
    with new("bad", "packed_twice.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((3,))
        plist.set_deflate(1)
        plist.set_deflate(1)
        space = h5py.h5s.create_simple((3,))
        made = h5py.h5d.create(file.id, b"p", h5py.h5t.STD_U8LE, space, plist)
        h5py.Dataset(made)[:] = [0, 1, 0]
    with new("bad", "external_storage.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        file.create_dataset("p", (3,), "u1", external=[("/etc/hostname", 0, 3)])
    with new("bad", "virtual.h5") as file:
        put(file, plain(3, 9, 9), "t x y unused")
        layout = h5py.VirtualLayout((3,), "u1")
        layout[:] = h5py.VirtualSource("elsewhere.h5", "p", (3,))
        file.create_virtual_dataset("p", layout)
    whole = (FOLDER / "vectors" / "dsec.h5").read_bytes()
    (FOLDER / "bad" / "cut.h5").write_bytes(whole[:-100])
    (FOLDER / "bad" / "not_hdf5.h5").write_bytes(b"\x89HDF\r\n\x1a\x0a" + bytes(200))


if __name__ == "__main__":
    for make in (dsec, seconds, mvsec, per_sample, compound, root_columns, two_cameras):
        make()
    for make in (rows, whole_floats, empty, unfound, untold, wrong_values, hostile):
        make()
