"""The distinct recordings that codecs are compared on, each checked against EXPECTED.json.

Of formats that evstore does not read yet, a few lines read just what is needed here.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import evstore
from bench.recordings import data_folder
from evstore import Events


class Entry(NamedTuple):
    """A recording: its file, its sensor, and what reads it."""

    path: str
    sensor: str
    resolution: tuple[int, int]
    read: Callable[[Path], Events]


def by_evstore(path: Path, **said: Any) -> Events:
    """All events of a file that evstore reads."""
    with evstore.open(path, **said) as rec:
        return Events.concatenate(list(rec.batches()))


def csv_without_header(path: Path) -> Events:
    return by_evstore(path, columns=("x", "y", "p", "t"), time_unit="us")


def aedat4(path: Path) -> Events:
    import aedat

    packets = [packet["events"] for packet in aedat.Decoder(str(path)) if "events" in packet]
    events = np.concatenate(packets)
    return Events(*(np.ascontiguousarray(events[name]) for name in ("t", "x", "y", "on")))


def aedat2_davis(path: Path) -> Events:
    """DAVIS words, after lines of `#`: bit 31 says image or IMU, bit 10 special."""
    content = path.read_bytes()
    at = 0
    while content[at : at + 1] == b"#":
        at = content.index(b"\n", at) + 1
    words = np.frombuffer(content[at : at + (len(content) - at) // 8 * 8], ">u4").reshape(-1, 2)
    words = words[(words[:, 0] & (1 << 31 | 1 << 10)) == 0]
    address, t = words.T.astype(np.int64)
    return of_columns(t, address >> 12 & 1023, address >> 22 & 511, address >> 11 & 1)


def mat_rows(path: Path) -> Events:
    """Rows of x, y, p, t with p in {-1, 1}."""
    from scipy.io import loadmat

    x, y, p, t = loadmat(path)["events"].T
    return of_columns(t, x, y, p > 0)


def mat_td(path: Path) -> Events:
    """A struct TD whose x and y count from 1."""
    from scipy.io import loadmat

    td = loadmat(path, simplify_cells=True)["TD"]
    return of_columns(td["ts"], td["x"] - 1, td["y"] - 1, td["p"])


def ros_evt3(path: Path) -> Events:
    """Messages event_camera_msgs/EventPacket of a ROS 2 sqlite bag: EVT3 words in pieces."""
    with sqlite3.connect(path) as base:
        messages = [data for (data,) in base.execute("select data from messages order by id")]
    (height, width), words = (0, 0), []
    for data in messages:
        body = data[4:]  # CDR: behind the encapsulation, everything is aligned to its own size
        at = 8
        (size,) = struct.unpack_from("<I", body, at)
        at = (at + 4 + size + 3) & -4
        height, width = struct.unpack_from("<II", body, at)
        at = ((at + 8 + 7) & -8) + 16
        (size,) = struct.unpack_from("<I", body, at)
        assert body[at + 4 : at + 4 + size] == b"evt3\0"
        at = (at + 4 + size + 1 + 3) & -4
        (size,) = struct.unpack_from("<I", body, at)
        words.append(body[at + 4 : at + 4 + size])
    header = f"% evt 3.0\n% geometry {width}x{height}\n% end\n".encode()
    with tempfile.TemporaryDirectory(prefix="evstore-bench-") as folder:
        raw = Path(folder) / "words.raw"
        raw.write_bytes(header + b"".join(words))
        return by_evstore(raw)


def of_columns(t: NDArray[Any], x: NDArray[Any], y: NDArray[Any], p: NDArray[Any]) -> Events:
    return Events(t.astype(np.int64), x.astype(np.uint16), y.astype(np.uint16), p.astype(np.uint8))


CORPUS = {
    "evk4_hd_evt3": Entry("prophesee/evk4_hd_evt3.raw", "IMX636", (1280, 720), by_evstore),
    "gen3_vga_a": Entry("prophesee/gen3_vga_a_evt2.raw", "Gen3", (640, 480), by_evstore),
    "gen3_vga_b": Entry("prophesee/gen3_vga_b_evt2.raw", "Gen3", (640, 480), by_evstore),
    "gen41_hd_burst": Entry("prophesee/gen41_hd_burst_evt3.raw", "Gen4.1", (1280, 720), by_evstore),
    "ncaltech101": Entry("atis/ncaltech101_faces_easy_0001.bin", "ATIS", (240, 180), by_evstore),
    "dvxplorer": Entry("inivation/dvxplorer_lz4.aedat4", "DVXplorer", (320, 240), aedat4),
    "davis240_boxes": Entry(
        "inivation/davis240_boxes.aedat2.aedat", "DAVIS240C", (240, 180), aedat2_davis
    ),
    "rpg_boxes": Entry("text/rpg_boxes_rotation.txt", "DAVIS240C", (240, 180), by_evstore),
    "rpg_shapes": Entry("text/rpg_shapes_rotation.txt", "DAVIS240C", (240, 180), by_evstore),
    "xypt_no_header": Entry("text/xypt_no_header.csv", "EVK", (640, 480), csv_without_header),
    "dvs128_stripes": Entry("mat/dvs128_stripes.mat", "DVS128", (128, 128), mat_rows),
    "atis_td_em": Entry("mat/atis_td_em.mat", "ATIS", (304, 240), mat_td),
    "evt3_packets": Entry("ros/evt3_packets.db3", "Gen3.1", (640, 480), ros_evt3),
    "evt3_triggers": Entry("ros/evt3_triggers.db3", "HD", (1280, 720), ros_evt3),
}


def corpus(names: Collection[str] = CORPUS) -> Iterator[tuple[str, str, Events]]:
    """(name, sensor, events) of each recording, once they are as EXPECTED.json says."""
    folder = data_folder()
    if folder is None:
        return
    expected = json.loads((folder / "EXPECTED.json").read_text(encoding="utf-8"))
    for name in names:
        entry = CORPUS[name]
        events = entry.read(folder / entry.path)
        found = {
            key: hashlib.sha256(getattr(events, key[0]).tobytes()).hexdigest()
            for key in ("t_i8", "x_u2", "y_u2", "p_u1")
        }
        if found != expected[entry.path]["sha256"]:
            raise AssertionError(f"{name}: read wrongly")
        yield name, entry.sensor, Events(events.t, events.x, events.y, events.p, entry.resolution)
