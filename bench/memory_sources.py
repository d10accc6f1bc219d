"""Large files of every format, for `bench.memory_formats`: the same events again and again.

Formats that evstore writes are written by it; of the others, and of layouts that its writers
never make (one batch, one row group, one chunk for everything), the bytes are packed here.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import evstore
from evstore import Events
from evstore.formats import registry
from evstore.formats.reading import Batch, Triggers

RESOLUTION = (240, 180)  # what every format can say, 40-bit .bin too
BLOCK = 1_000_000  # events that are repeated
BLOCK_US = 100_000  # the time they take: 80 blocks stay below 2^23 us
PIXELS = RESOLUTION[0] * RESOLUTION[1]
IMAGES = 300  # of a block, in files with images

Make = Callable[[Path, int], None]  # a file of so many blocks


class Source(NamedTuple):
    """A kind of large file: how it is made, and what must be said to read it."""

    name: str
    suffix: str
    make: Make
    said: dict[str, Any] = {}  # noqa: RUF012 - never changed
    back: str | None = None  # the format it is converted back to


@cache
def block() -> Events:
    simulated = evstore.simulate(RESOLUTION, 2 * BLOCK_US, events_per_s=12e6, seed=4)
    events = Events.concatenate(simulated)[:BLOCK]
    assert len(events) == BLOCK
    t = (events.t - events.t[0]) * BLOCK_US // (int(events.t[-1] - events.t[0]) + 1)
    return Events(t, events.x, events.y, events.p, RESOLUTION)


def blocks(count: int) -> Iterator[Events]:
    """The block, each time a tenth of a second later."""
    events = block()
    for k in range(count):
        yield Events.of(events.t + k * BLOCK_US, events.x, events.y, events.p, RESOLUTION)


def column(name: str, count: int) -> NDArray[Any]:
    """One column of all events."""
    return np.concatenate([getattr(events, name) for events in blocks(count)])


# --------------------------------------------------------------------- by evstore's own writers


def written(
    kind: str, path: Path, count: int, beside: Callable[[Events], Any] = lambda _: ()
) -> None:
    """By the format's writer; ``beside`` gives triggers and side streams of a block."""
    metadata = {"stream_type": "atis", "origin": "bottom-left"} if beside is exposures else {}
    with open(path, "wb") as file:
        writer = registry.by_name(kind).writer(file, RESOLUTION, metadata)
        for events in blocks(count):
            columns = (events.t, events.x, events.y, events.p)
            if more := beside(events):
                writer.write_batch(Batch(*columns, *more))
            else:
                writer.write(*columns)
        writer.close()


def triggers(events: Events) -> tuple[Triggers]:
    """An edge for every twentieth event."""
    t = events.t[::20]
    return (Triggers(t, np.zeros(t.size, np.uint8), (np.arange(t.size) & 1).astype(np.uint8)),)


def exposures(events: Events) -> tuple[None, dict[str, Any]]:
    """One exposure event for each event."""
    table = {name: getattr(events, name) for name in "txyp"}
    return None, {"exposure": table}


def images(events: Events) -> tuple[None, dict[str, Any]]:
    """Pictures, and ten samples of the inertial sensor for each."""
    t = np.linspace(events.t[0], events.t[-1], IMAGES).astype(np.int64)
    number = np.full(IMAGES, 1, np.uint8)
    table: dict[str, Any] = {
        **dict.fromkeys(("t", "begin", "end", "exposure_start", "exposure_end"), t),
        "exposure": np.zeros(IMAGES, np.int64),
        "width": np.full(IMAGES, RESOLUTION[0], np.uint16),
        "height": np.full(IMAGES, RESOLUTION[1], np.uint16),
        **dict.fromkeys(("offset_x", "offset_y"), np.zeros(IMAGES, np.int16)),
        "channels": number,
        "bits": number * 8,
        **dict.fromkeys(("format", "source"), np.zeros(IMAGES, np.int8)),
        "size": np.full(IMAGES, PIXELS, np.int64),
    }
    pixels = np.random.default_rng(4).integers(0, 256, IMAGES * PIXELS, np.uint8)
    samples = np.repeat(t, 10)
    imu = {"t": samples, "gyroscope_x": np.zeros(samples.size, np.float32)}
    return None, {"images": table, "image_bytes": {"value": pixels}, "imu": imu}


# ----------------------------------------------------------------------------- packed here: bytes


def evt21(path: Path, count: int) -> None:
    with open(path, "wb") as file:
        file.write(b"% evt 2.1\n% format EVT21;height=180;width=240;endianness=little\n% end\n")
        for events in blocks(count):
            t, x, y, p = (getattr(events, name).astype(np.uint64) for name in "txyp")
            words = p << 60 | (t & 63) << 54 | (x & ~np.uint64(31)) << 43 | y << 32
            words |= np.uint64(1) << (x & 31)
            new = np.flatnonzero(np.diff(t >> 6, prepend=-1))
            np.insert(words, new, 8 << 60 | t[new] >> 6 << 32).astype("<u8").tofile(file)


def aedat2(path: Path, count: int) -> None:
    with open(path, "wb") as file:
        file.write(b"#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n")
        for events in blocks(count):
            pairs = np.empty((BLOCK, 2), ">u4")
            x, y, p = (getattr(events, name).astype(np.uint32) for name in "xyp")
            pairs[:, 0] = y << 22 | x << 12 | p << 11
            pairs[:, 1] = events.t
            pairs.tofile(file)


def aedat3(path: Path, count: int, size: int = 8192) -> None:
    with open(path, "wb") as file:
        file.write(b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS240C\r\n")
        file.write(b"#Start-Time: 2020-01-01 00:00:00 (TZ+0000)\r\n#!END-HEADER\r\n")
        for events in blocks(count):
            pairs = np.empty((BLOCK, 2), "<u4")
            x, y, p = (getattr(events, name).astype(np.uint32) for name in "xyp")
            pairs[:, 0] = x << 17 | y << 2 | p << 1 | 1
            pairs[:, 1] = events.t
            for at in range(0, BLOCK, size):
                part = pairs[at : at + size]
                file.write(struct.pack("<hh6i", 1, 1, 8, 4, 0, *[len(part)] * 3))
                part.tofile(file)


def rpg(path: Path, count: int) -> None:
    events = block()
    columns = zip(*(getattr(events, name).tolist() for name in "txyp"), strict=True)
    text = "".join(f"{t / 1e6:.6f} {x} {y} {p}\n" for t, x, y, p in columns).encode()
    with open(path, "wb") as file:  # its time steps back each time
        for _ in range(count):
            file.write(text)


def npy(path: Path, count: int) -> None:
    dtype = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
    array = np.lib.format.open_memmap(path, "w+", dtype, (count * BLOCK,))
    for k, events in enumerate(blocks(count)):
        for name in "txyp":
            array[name][k * BLOCK : (k + 1) * BLOCK] = getattr(events, name)


def npz_deflated(path: Path, count: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in "txyp":
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, column(name, count))  # type: ignore[arg-type]


def mat5(path: Path, count: int) -> None:
    """One compressed array of N x 4, all x before all y, p and t."""
    tag, align = struct.Struct("<II"), 8
    values = 16 * count * BLOCK
    body = tag.pack(6, 8) + struct.pack("<II", 13, 0)  # flags: the class uint32
    body += tag.pack(5, 8) + struct.pack("<ii", count * BLOCK, 4)
    body += tag.pack(1, 6) + b"events".ljust(align, b"\0") + tag.pack(6, values)
    deflate = zlib.compressobj(1)
    with open(path, "wb") as file:
        file.write(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x100, b"IM"))
        file.write(tag.pack(15, 0))
        file.write(deflate.compress(tag.pack(14, len(body) + values) + body))
        for name in "xypt":
            file.write(deflate.compress(column(name, count).astype("<u4").tobytes()))
        file.write(deflate.flush())
        size = file.tell() - 136
        file.seek(128)
        file.write(tag.pack(15, size))


# ------------------------------------------------------------------------- packed here: containers


def hdf5(path: Path, count: int, user_block: int = 0, **how: Any) -> None:
    """Columns; ``how`` says how each is kept."""
    import h5py

    with h5py.File(path, "w", userblock_size=user_block) as file:
        for name in "txyp":
            whole = column(name, count)
            if how.get("chunks") == "one":
                file.create_dataset(name, data=whole, **{**how, "chunks": whole.shape})
            else:
                file.create_dataset(name, data=whole, **how)
            if user_block:
                file[name].attrs["MATLAB_class"] = np.bytes_(whole.dtype.name)
    if user_block:
        with open(path, "r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H2s", 0x200, b"IM"))


def table(count: int) -> Any:
    import pyarrow as pa

    return pa.table({name: column(name, count) for name in "txyp"}, metadata={"time_unit": "us"})


def arrow_at_once(path: Path, count: int) -> None:
    """One record batch, as `write_table` makes of a table of plain arrays."""
    import pyarrow as pa

    whole = table(count)
    with pa.ipc.new_file(path, whole.schema) as writer:
        writer.write_table(whole)


def parquet_at_once(path: Path, count: int) -> None:
    """One row group."""
    import pyarrow.parquet as pq

    pq.write_table(table(count), path, row_group_size=count * BLOCK)


def messages(count: int, cdr: bool, events_each: int = 1000) -> Iterator[tuple[int, bytes]]:
    """(nanoseconds, a dvs_msgs/EventArray)."""
    place, stamp = [("x", "<u2"), ("y", "<u2")], [("s", "<u4"), ("ns", "<u4"), ("p", "u1")]
    # CDR aligns the time, and the next event's x; the first event's are where they should be.
    dtype = np.dtype([*place, ("_", "V2"), *stamp, ("__", "V1")] if cdr else [*place, *stamp])
    for k, events in enumerate(blocks(count)):
        packed = np.zeros(BLOCK, dtype)
        packed["x"], packed["y"], packed["p"] = events.x, events.y, events.p
        packed["s"], packed["ns"] = events.t // 1_000_000, events.t % 1_000_000 * 1000
        for at in range(0, BLOCK, events_each):
            head = b"\0\1\0\0" if cdr else struct.pack("<I", k)
            head += struct.pack("<III4s", 0, 0, 4, b"cam\0")
            head += struct.pack("<III", RESOLUTION[1], RESOLUTION[0], events_each)
            body = packed[at : at + events_each].tobytes()
            yield int(events.t[at]) * 1000, head + (body[:4] + body[6:-1] if cdr else body)


def bag(path: Path, count: int, storage: str) -> None:
    """By the package rosbags: ROS 1, or what ROS 2 stores in SQLite or MCAP."""
    from rosbags import rosbag1, rosbag2
    from rosbags.rosbag2.enums import StoragePlugin
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    types = get_typestore(Stores.ROS1_NOETIC if storage == "1" else Stores.ROS2_HUMBLE)
    time, kind = "time" if storage == "1" else "builtin_interfaces/Time", "dvs_msgs/msg/EventArray"
    event = f"uint16 x\nuint16 y\n{time} ts\nbool polarity\n"
    types.register(get_types_from_msg(event, "dvs_msgs/msg/Event"))
    array = "std_msgs/Header header\nuint32 height\nuint32 width\ndvs_msgs/Event[] events\n"
    types.register(get_types_from_msg(array, kind))
    folder = path.with_suffix(".folder")
    writer: Any
    if storage == "1":
        writer = rosbag1.Writer(path)
    else:
        writer = rosbag2.Writer(folder, version=9, storage_plugin=StoragePlugin[storage])
    with writer:
        connection = writer.add_connection("/events", kind, typestore=types)
        for t, message in messages(count, cdr=storage != "1"):
            writer.write(connection, t, message)
    if storage != "1":
        (made,) = (file for file in folder.iterdir() if file.name != "metadata.yaml")
        made.replace(path)
        (folder / "metadata.yaml").unlink()
        folder.rmdir()


def _own(kind: str, suffix: str, **said: Any) -> Source:
    return Source(kind, suffix, partial(written, kind), said, kind)


GZIP = {"compression": "gzip", "compression_opts": 1, "shuffle": True}

SOURCES = (
    _own("evt2", ".raw"),
    Source("evt2, triggers", ".raw", partial(written, "evt2", beside=triggers), {}, "evt2"),
    Source("evt21", ".raw", evt21),
    _own("evt3", ".raw"),
    _own("dat", ".dat"),
    _own("prophesee_hdf5", ".hdf5"),
    Source("aedat2", ".aedat", aedat2),
    Source("aedat3", ".aedat", aedat3),
    _own("aedat4", ".aedat4"),
    Source(
        "aedat4, images and imu", ".aedat4", partial(written, "aedat4", beside=images), {}, "aedat4"
    ),
    _own("es", ".es"),
    Source("es, exposure", ".es", partial(written, "es", beside=exposures), {}, "es"),
    _own("hdf5", ".h5"),
    Source("hdf5, not chunked", ".h5", hdf5),
    Source("hdf5, one chunk", ".h5", partial(hdf5, chunks="one", **GZIP)),
    Source("rosbag, ROS 1", ".bag", partial(bag, storage="1")),
    Source("rosbag, SQLite", ".db3", partial(bag, storage="SQLITE3")),
    Source("rosbag, MCAP", ".mcap", partial(bag, storage="MCAP")),
    Source("mat", ".mat", mat5, {"columns": ("x", "y", "p", "t"), "time_unit": "us"}),
    Source("mat73", ".mat", partial(hdf5, user_block=512, **GZIP)),
    _own("npz", ".npz"),
    Source("npz, deflated", ".npz", npz_deflated),
    Source("npy", ".npy", npy),
    _own("csv", ".csv"),
    Source("rpg", ".txt", rpg),
    _own("bin40", ".bin"),
    _own("arrow", ".arrow"),
    Source("arrow, one batch", ".arrow", arrow_at_once),
    _own("parquet", ".parquet"),
    Source("parquet, one row group", ".parquet", parquet_at_once),
)
