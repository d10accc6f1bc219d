"""Real recordings give the digests of independent decoders, in any size of batch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.errors import FormatError
from evstore.formats import registry
from evstore.formats.reading import ReadOptions
from vectors import DIGESTS, join

# What EXPECTED.json calls the formats read here, the name to read them by where the content
# does not say it, and what such a file cannot say itself.
FORMATS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "EVT2": (None, {}),
    "EVT3": (None, {}),
    "DAT v2": (None, {}),
    "DAT v2, type 0": (None, {}),
    "DAT v2, type 12": (None, {}),
    "DAT v1, no header": ("dat-v1", {}),
    "40-bit .bin": (None, {}),
    ".es v2 atis": (None, {}),
    ".es v2 dvs": (None, {}),
    "AEDAT4 LZ4": (None, {}),
    "AEDAT4 ZSTD": (None, {}),
    "AEDAT4 uncompressed": (None, {}),
    "AEDAT 2.0 (DAVIS layout)": (None, {}),
    "AEDAT 2.0 (DVS128 layout)": (None, {}),
    "NPZ columns": (None, {}),
    "HDF5 columns, gzip": (None, {}),
    "Prophesee HDF5, ECF filter 0x8ECF": (None, {}),
    "RPG text, seconds": (None, {}),
    "ROS1 bag, event_camera_msgs evt3": (None, {}),
    "ROS2 sqlite bag of the same": (None, {}),
    "ROS2 sqlite bag, evt3 + external triggers": (None, {}),
    "ROS2 sqlite bag, event_array_msgs mono": (None, {}),
    "ROS1 bag, dvs_msgs/EventArray": (None, {}),
    "MAT v5, Nx4 x y p t, p in {-1,1}": (None, {}),
    "MAT struct TD, 1-based x and y": (None, {}),
    "CSV x,y,p,t no header": ("csv", {"columns": ("x", "y", "p", "t"), "time_unit": "us"}),
}


def read(path: Path, input_format: str | None, options: dict[str, Any]) -> tuple[Any, Any]:
    """The reading, and its events joined."""
    with path.open("rb") as stream:
        if input_format is None:
            head = stream.read(65_536)
            stream.seek(0)
            module = registry.detect(head, path.stat().st_size, path.suffix)
            input_format = module.NAME
        else:
            module = registry.by_name(input_format)
        reading = module.read(stream, ReadOptions(**options), input_format)
        return reading, join(list(reading.batches))


@pytest.mark.parametrize("kind", FORMATS)
def test_digests(kind: str, data_dir: Path) -> None:
    input_format, options = FORMATS[kind]
    listed = json.loads((data_dir / "EXPECTED.json").read_text(encoding="utf-8"))
    chosen = {name: entry for name, entry in listed.items() if entry["format"] == kind}
    assert chosen, f"EXPECTED.json lists no file of format {kind!r}"
    for name, entry in chosen.items():
        sizes = (65_536, 997) if entry["events"] < 300_000 else (65_536,)
        for batch_events in sizes:
            given = {**options, "batch_events": batch_events}
            reading, decoded = read(data_dir / name, input_format, given)
            for k, column in enumerate("txyp"):
                digest = hashlib.sha256(decoded.columns[k].tobytes()).hexdigest()
                assert digest == entry["sha256"][DIGESTS[column]], (name, column)
            if reading.resolution is not None:
                assert reading.resolution == (entry["width"], entry["height"]), name


def test_headerless_dat_is_not_guessed(data_dir: Path) -> None:
    path = data_dir / "prophesee" / "poker_di_17_headerless_v1.dat"
    content = path.read_bytes()
    with pytest.raises(FormatError, match="dat-v1"):
        registry.detect(content[:65_536], len(content), path.suffix)


def test_all_of_nmnist_small(data_dir: Path) -> None:
    """Each digit as plain numpy gives it, and all of them as the catalogue counts them."""
    paths = sorted((data_dir / "nmnist_small").rglob("*.bin"))
    events = 0
    for path in paths:
        _, decoded = read(path, None, {})
        octets = np.fromfile(path, np.uint8).reshape(-1, 5).astype(np.int64)
        assert octets[:, 1].max() < 240
        t = (octets[:, 2] & 127) << 16 | octets[:, 3] << 8 | octets[:, 4]
        expected = (t, octets[:, 0], octets[:, 1], octets[:, 2] >> 7)
        for column, other in zip(decoded.columns, expected, strict=True):
            assert np.array_equal(column, other), path
        events += t.size
    assert (len(paths), events) == (1100, 4_518_827)
