"""The FlatBuffers and the XML of an AEDAT 4 file, in the one layout that evstore writes."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.formats.aedat4_header import HEADER_ID, MAGIC
from evstore.formats.aedat4_packets import TABLE_ID
from evstore.formats.aedat4_sides import FRAME_FIELDS, IMU_FIELDS, PIXELS

EVENT = np.dtype(
    {
        "names": ["t", "x", "y", "p"],
        "formats": ["<i8", "<u2", "<u2", "u1"],
        "offsets": [0, 8, 10, 12],
        "itemsize": 16,
    }
)

#: Where the items of a packet begin: a size, the root's offset, an identifier, its fields, itself.
ITEMS_AT = 32

_STREAMS = (
    (0, "events", "EVTS", "Array of events (polarity ON/OFF)."),
    (1, "frames", "FRME", "Standard frame (8-bit image)."),
    (2, "imu", "IMUS", "Inertial Measurement Unit data samples."),
    (3, "triggers", "TRIG", "External triggers and special signals."),
)


class Header(NamedTuple):
    """The bytes before the first packet; the place of the table goes to ``table_at``."""

    octets: bytes
    table_at: int


def xml(resolution: tuple[int, int], metadata: dict[str, Any], compression: str) -> bytes:
    """What streams there are. Of the metadata, source and ts_offset are carried over."""
    from xml.sax.saxutils import escape

    source = escape(_printable(str(metadata.get("source", ""))) or "evstore")
    offset = metadata.get("ts_offset")
    lines = ['<dv version="2.0">', '    <node name="outInfo" path="/mainloop/Recorder/outInfo/">']
    for number, name, kind, description in _STREAMS:
        path = f"/mainloop/Recorder/outInfo/{number}/"
        sized = kind in ("EVTS", "FRME")
        lines += [
            f'        <node name="{number}" path="{path}">',
            _attribute(12, "compression", "string", compression),
            _attribute(12, "originalModuleName", "string", "evstore"),
            _attribute(12, "originalOutputName", "string", name),
            _attribute(12, "typeDescription", "string", description),
            _attribute(12, "typeIdentifier", "string", kind),
            f'            <node name="info" path="{path}info/">',
            *(
                _attribute(16, key, "int", str(side))
                for key, side in zip(("sizeX", "sizeY"), resolution, strict=True)
                if sized
            ),
            _attribute(16, "source", "string", source),
            _attribute(16, "tsOffset", "long", str(offset if type(offset) is int else 0)),
            "            </node>",
            "        </node>",
        ]
    return "\n".join([*lines, "    </node>", "</dv>", ""]).encode("utf-8")


def header(compression: int, text: bytes) -> Header:
    """Magic, length, and the FlatBuffer that says the compression and holds the XML."""
    fields, table, string = 8, 20, 40
    body = struct.pack("<I4s", table, HEADER_ID)
    body += struct.pack("<HHHHH2x", 10, string - table, 12, 4, 16)
    body += struct.pack("<iqiI", table - fields, -1, compression, 4)
    body += struct.pack("<I", len(text)) + text + b"\0"
    body += bytes(-len(body) % 8)
    start = MAGIC + len(body).to_bytes(4, "little")
    return Header(start + body, len(start) + table + 4)


def events(rows: NDArray[Any]) -> bytes:
    """A packet of events, of `EVENT`."""
    return _sized(_root(b"EVTS", ITEMS_AT - 4) + struct.pack("<I", len(rows)) + rows.tobytes())


def triggers(t: ArrayLike, types: ArrayLike) -> bytes:
    """A packet of triggers."""
    return _rows(b"TRIG", _TRIGGER, ("t", "type"), {"t": t, "type": types})


def imu(columns: dict[str, NDArray[Any]]) -> bytes:
    """A packet of IMU samples."""
    return _rows(b"IMUS", _IMU, ("t", *IMU_FIELDS), columns)


def table(packets: list[tuple[int, int, int, int, int, int]]) -> bytes:
    """The table of packets: where their contents begin, stream, bytes, items, times from and to."""
    values = np.array(packets, np.int64).reshape(-1, len(_TABLE_COLUMNS)).T
    columns = dict(zip(_TABLE_COLUMNS, values, strict=True))
    return _rows(TABLE_ID, _TABLE, ("offset", "stream", "items", "first", "last"), columns)


def frame(said: dict[str, int], pixels: NDArray[np.uint8]) -> bytes:
    """A packet with an image."""
    fields, at = 12, 44
    place, offsets, values = 4, [0] * (len(FRAME_FIELDS) + 1), b""
    for name, number, code in sorted(FRAME_FIELDS, key=lambda f: -struct.calcsize(f[2])):
        offsets[number] = place
        values += struct.pack(code, said.get(name, 0))
        place += struct.calcsize(code)
    values += bytes(-place % 4)
    place += -place % 4
    offsets[PIXELS] = place
    body = struct.pack("<I4s", at - 4, b"FRME")
    vtable = struct.pack(f"<{2 + len(offsets)}H", 4 + 2 * len(offsets), place + 4, *offsets)
    body += vtable + bytes(at - fields - len(vtable)) + struct.pack("<i", at - fields)
    return _sized(body + values + struct.pack("<II", 4, len(pixels)) + pixels.tobytes())


# Tables of a vector, each as one record: first the way back to what says where its fields are.
_BACK = ("back", "<i4")
_TRIGGER = np.dtype([_BACK, ("type", "i1"), ("", "V3"), ("t", "<i8")])
_IMU = np.dtype(
    [_BACK, ("temperature", "<f4"), ("t", "<i8"), *((n, "<f4") for n in IMU_FIELDS[1:]), ("", "V4")]
)
_TABLE = np.dtype(
    [_BACK, ("stream", "<i4"), ("size", "<i4"), ("", "V4")]
    + [(name, "<i8") for name in ("offset", "items", "first", "last")]
)
_TABLE_COLUMNS = ("offset", "stream", "size", "items", "first", "last")


def _rows(
    identifier: bytes, dtype: np.dtype[Any], fields: tuple[str, ...], columns: dict[str, Any]
) -> bytes:
    """A packet with a vector of tables; ``fields`` are in the order of the schema."""
    count = len(columns[fields[0]])
    at = 28  # of the fields of a row: behind the root
    places = [dtype.fields[name][1] for name in fields]  # type: ignore[index]
    vtable = struct.pack(f"<{2 + len(places)}H", 4 + 2 * len(places), dtype.itemsize, *places)
    vtable += bytes(-len(vtable) % 4)
    vector = at + len(vtable)
    start = vector + 4 + 4 * count
    start += -start % 8
    tables = np.zeros(count, dtype)
    for name, column in columns.items():
        tables[name] = column
    begins = start + dtype.itemsize * np.arange(count, dtype=np.int64)
    tables["back"] = begins - at
    ways = (begins - (vector + 4 + 4 * np.arange(count, dtype=np.int64))).astype("<u4")
    body = _root(identifier, vector) + vtable + struct.pack("<I", count) + ways.tobytes()
    return _sized(body + bytes(start - 4 - len(body)) + tables.tobytes())


def _root(identifier: bytes, vector: int) -> bytes:
    """A root table at 20 whose only field is the vector at ``vector``, up to byte 28."""
    fields = struct.pack("<HHH2x", 6, 8, 4)
    return struct.pack("<I4s", 16, identifier) + fields + struct.pack("<iI", 8, vector - 24)


def _sized(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body


def _attribute(indent: int, key: str, kind: str, value: str) -> str:
    return f'{" " * indent}<attr key="{key}" type="{kind}">{value}</attr>'


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
