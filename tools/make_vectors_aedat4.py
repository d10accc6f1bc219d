#!/usr/bin/env python3
"""Make the vectors and bad files of formats/aedat4.

Packs every byte with struct and states the expected events by hand, on its own: nothing of
evstore is imported, so that an error in a reader cannot hide in its vectors. Frames are packed by
lz4 and zstandard. Run it from anywhere.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import zstandard

FOLDER = Path(__file__).resolve().parent.parent / "formats" / "aedat4"
PROVENANCE = "made by tools/make_vectors_aedat4.py"
EPOCH = 1_700_000_000_000_000

Event = tuple[int, int, int, int]
Pack = Callable[[bytes], bytes]

NONE, LZ4, LZ4_HIGH, ZSTD, ZSTD_HIGH = 0, 1, 2, 3, 4


def as_lz4(octets: bytes) -> bytes:
    return lz4.frame.compress(octets, content_checksum=True, block_checksum=True)


def as_lz4_plain(octets: bytes) -> bytes:
    """As DV does: no checksum but the header's, no size."""
    return lz4.frame.compress(octets, store_size=False)


def as_zstd(octets: bytes) -> bytes:
    return zstandard.ZstdCompressor(3).compress(octets)


def as_zstd_unsized(octets: bytes) -> bytes:
    packed = zstandard.ZstdCompressor(3, write_content_size=False).compress(octets)
    assert zstandard.frame_content_size(packed) < 0
    return packed


# --------------------------------------------------------------------------- FlatBuffers


def sized(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body


def evts(events: list[tuple[int, int, int, int]], gap: int = 0, on: int = 1) -> bytes:
    """The table before what says where its fields are, unlike the layout of most writers."""
    vector = 24 + gap
    body = struct.pack("<I4s", 8, b"EVTS") + struct.pack("<iI", -8, vector - 12)
    body += struct.pack("<HHH2x", 6, 8, 4) + bytes(gap)
    body += struct.pack("<I", len(events))
    for t, x, y, p in events:
        body += struct.pack("<qhhB3x", t, x, y, on if p else 0)
    return sized(body)


def evts_left_out() -> bytes:
    """A packet whose vector is left out: no events."""
    return sized(struct.pack("<I4sHHi", 12, b"EVTS", 4, 4, 4))


def tables(kind: bytes, rows: list[list[tuple[int, str, Any]]], fields: int) -> bytes:
    """A vector of tables, each with fields of its own: (number, struct code, value)."""
    body = bytearray(struct.pack("<I4sHHH2xiI", 16, kind, 6, 8, 4, 8, 4))
    body += struct.pack("<I", len(rows))
    ways = len(body)
    body += bytes(4 * len(rows))
    for k, row in enumerate(rows):
        offsets, values = [0] * fields, b""
        for number, code, value in row:
            offsets[number] = 4 + len(values)
            values += struct.pack(f"<{code}", value)
        vtable = len(body)
        body += struct.pack(f"<{fields + 2}H", 4 + 2 * fields, 4 + len(values), *offsets)
        body += bytes(-len(body) % 4)
        struct.pack_into("<I", body, ways + 4 * k, len(body) - (ways + 4 * k))
        body += struct.pack("<i", len(body) - vtable) + values
        body += bytes(-len(body) % 4)
    return sized(bytes(body))


def imus(rows: list[tuple[float, ...]]) -> bytes:
    """Time and ten floats each; a 0 is left out, as the FlatBuffers compiler does."""
    listed = [[(k, "q" if k == 0 else "f", v) for k, v in enumerate(row) if v != 0] for row in rows]
    return tables(b"IMUS", listed, 11)


def trig(rows: list[tuple[int, int]]) -> bytes:
    return tables(b"TRIG", [[(0, "q", t), (1, "b", kind)] for t, kind in rows], 2)


def frme(t: int, kind: int, width: int, height: int, pixels: bytes, **more: int) -> bytes:
    numbers = {
        "begin": 1, "end": 2, "exposure_start": 3, "exposure_end": 4,
        "offset_x": 8, "offset_y": 9, "exposure": 11, "source": 12,
    }  # fmt: skip
    row = [(0, "q", t), (5, "b", kind), (6, "h", width), (7, "h", height)]
    for name, value in more.items():
        number = numbers[name]
        row.append((number, "h" if number in (8, 9) else "b" if number == 12 else "q", value))
    offsets, values = [0] * 13, b""
    for number, code, value in row:
        offsets[number] = 4 + len(values)
        values += struct.pack(f"<{code}", value)
    values += bytes(-len(values) % 4)
    offsets[10] = 4 + len(values)
    body = struct.pack("<I4s", 40, b"FRME")
    body += struct.pack("<15H", 30, 8 + len(values), *offsets) + b"\0\0"
    body += struct.pack("<i", 32) + values + struct.pack("<II", 4, len(pixels)) + pixels
    return sized(body)


def ftab() -> bytes:
    """A table of packets that lists none: it only has to be known as one."""
    return sized(struct.pack("<I4sHHHxxiII", 16, b"FTAB", 6, 8, 4, 8, 4, 0))


# --------------------------------------------------------------------------------- files


def node(number: int, kind: str, name: str = "", source: str = "cam", **info: Any) -> str:
    said = {"source": source, **info}
    inside = "".join(f'<attr key="{k}" type="string">{v}</attr>' for k, v in said.items() if v)
    named = f'<attr key="originalOutputName" type="string">{name}</attr>' if name else ""
    return (
        f'<node name="{number}"><attr key="typeIdentifier" type="string">{kind}</attr>{named}'
        f'<node name="info">{inside}</node></node>'
    )


def xml(*nodes: str) -> str:
    return f'<dv version="2.0"><node name="outInfo">{"".join(nodes)}</node></dv>'


def header(compression: int, text: str, table_at: int | None = -1) -> bytes:
    """``table_at`` None leaves the field out; so does compression 0."""
    encoded = text.encode("utf-8")
    offsets, values = [0, 0, 0], b""
    if compression:
        offsets[0], values = 4, struct.pack("<i", compression)
    if table_at is not None:
        offsets[1], values = 4 + len(values), values + struct.pack("<q", table_at)
    offsets[2] = 4 + len(values)
    body = struct.pack("<I4s5H2x", 20, b"IOHE", 10, 8 + len(values), *offsets)
    body += struct.pack("<i", 12) + values + struct.pack("<II", 4, len(encoded)) + encoded + b"\0"
    return b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(body)) + body


def packet(stream: int, octets: bytes) -> bytes:
    return struct.pack("<ii", stream, len(octets)) + octets


def with_table(compression: int, text: str, body: bytes, table: bytes, off: int = 0) -> bytes:
    """A file whose header says where the table is, or ``off`` bytes beside it."""
    at = len(header(compression, text, 0)) + len(body) + off
    return header(compression, text, at) + body + table


def vector(
    name: str, content: bytes, events: list[Event], resolution: list[int] | None, **more: Any
) -> None:
    expected: dict[str, Any] = {
        "format": "aedat4",
        "events": len(events),
        "resolution": resolution,
        **{column: [event[k] for event in events] for k, column in enumerate("txyp")},
        **more,
        "provenance": PROVENANCE,
    }
    path = FOLDER / "vectors" / f"{name}.aedat4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


def bad(name: str, content: bytes, **how: Any) -> None:
    path = FOLDER / "bad" / f"{name}.aedat4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if how:
        path.with_suffix(".json").write_text(json.dumps(how) + "\n", encoding="utf-8")


IMU_NAMES = ["t", "temperature"] + [
    f"{what}_{axis}" for what in ("accelerometer", "gyroscope", "magnetometer") for axis in "xyz"
]
SIZE = {"sizeX": 64, "sizeY": 48, "tsOffset": EPOCH}
PLAIN: list[Event] = [(EPOCH + 7 * k, k * 5 % 64, k * 11 % 48, k % 3 % 2) for k in range(120)]


def imu_side(rows: list[tuple[float, ...]], **more: Any) -> dict[str, Any]:
    return {name: [row[k] for row in rows] for k, name in enumerate(IMU_NAMES)} | more


def image_side(*images: dict[str, int], **more: Any) -> dict[str, Any]:
    names = (
        "t", "begin", "end", "exposure_start", "exposure_end", "exposure", "width", "height",
        "offset_x", "offset_y", "channels", "bits", "format", "source", "size",
    )  # fmt: skip
    return {name: [image.get(name, 0) for image in images] for name in names} | more


def make_vectors() -> None:
    camera = xml(
        node(0, "EVTS", "events", **SIZE), node(1, "FRME", "frames", **SIZE),
        node(2, "IMUS", "imu"), node(3, "TRIG", "triggers"),
    )  # fmt: skip
    samples = [
        (EPOCH + 5, 38.5, 0.25, -1.0, 0.0, 1.5, 2.5, -3.5, 0.0, 0.0, 0.0),
        (EPOCH + 6, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 10.0, 20.0, -30.0),
    ]
    kinds = [(EPOCH + k, k) for k in range(10)]
    when = {
        "begin": EPOCH, "end": EPOCH + 9, "exposure_start": EPOCH + 1, "exposure_end": EPOCH + 7
    }  # fmt: skip
    body = b"".join(
        packet(number, as_lz4_plain(octets))
        for number, octets in (
            (0, evts(PLAIN[:70])), (3, trig(kinds)), (2, imus(samples)),
            (1, frme(EPOCH + 4, 0, 3, 2, b"\1\2\3\4\5\xff", **when)),
            (0, evts_left_out()), (0, evts(PLAIN[70:])),
        )
    )  # fmt: skip
    image = {"t": EPOCH + 4, "width": 3, "height": 2, "channels": 1, "bits": 8, "size": 6, **when}
    rising = [0, 1, 0, 1, 1, 0, 1, 0, 1, 0]
    vector(
        "lz4", with_table(LZ4, camera, body, as_lz4_plain(ftab())), PLAIN, [64, 48],
        triggers={"t": [t for t, _ in kinds], "id": list(range(10)), "p": rising},
        side={
            "imu": imu_side(samples), "images": image_side(image),
            "image_bytes": {"value": [1, 2, 3, 4, 5, 255]},
        },
    )  # fmt: skip

    alone = xml(node(0, "EVTS", "events", **SIZE))
    back: list[Event] = [(EPOCH, 1, 2, 1), (EPOCH - 50, 63, 47, 0), (EPOCH + 1, 0, 0, 1)]
    turns: list[Event] = [
        (edge + step, edge % 64, 3, step % 2)
        for edge in (0, 1 << 24, 1 << 31, 1 << 32, 1 << 34, (1 << 62) + 7)
        for step in (-1, 0)
    ]
    body = packet(0, evts(back)) + packet(0, evts(turns, gap=1, on=2))
    vector("none_without_table", header(NONE, alone, None) + body, back + turns, [64, 48])
    body += ftab()
    vector("none_with_unsaid_table", header(NONE, alone) + body, back + turns, [64, 48])

    silent = xml(node(7, "EVTS", source=""))
    lies = xml(node(0, "EVTS", "events", sizeX=4, sizeY=4))
    far: list[Event] = [(1, 32767, 32767, 1), (1, 0, 0, 0)]
    body = packet(7, as_zstd_unsized(evts(PLAIN))) + packet(7, as_zstd(evts(far)))
    damaged = with_table(ZSTD, silent, body, as_zstd(ftab()), off=-40)
    vector("zstd_with_damaged_table_position", damaged, PLAIN + far, None)
    body = packet(0, as_zstd(evts(far)))
    lying = with_table(ZSTD_HIGH, lies, body, as_zstd(ftab()) + b"and more")
    vector("geometry_lies", lying, far, [4, 4])
    vector("empty", header(LZ4_HIGH, alone, None), [], [64, 48])

    pair = xml(
        node(0, "EVTS", "events", "left", sizeX=64, sizeY=48),
        node(1, "EVTS", "events", "right", sizeX=20, sizeY=10),
        node(2, "IMUS", "imu", "left"), node(3, "IMUS", "imu", "right"),
        node(4, "TRIG", "triggers", "clock"),
    )  # fmt: skip
    right: list[Event] = [(30, 19, 9, 1), (20, 0, 9, 0)]
    body = b"".join(
        packet(number, as_lz4(octets))
        for number, octets in (
            (0, evts(PLAIN)), (1, evts(right[:1])), (2, imus(samples[:1])),
            (3, imus(samples[1:])), (4, trig([(5, 1)])), (1, evts(right[1:])),
        )
    )  # fmt: skip
    vector(
        "second_of_two_cameras", with_table(LZ4_HIGH, pair, body, as_lz4(ftab())), right, [20, 10],
        options={"stream": "1"}, triggers={"t": [5], "id": [1], "p": [1]},
        side={"imu": imu_side(samples[1:])},
    )  # fmt: skip
    bad("two_cameras", with_table(LZ4_HIGH, pair, body, as_lz4(ftab())))

    odd = xml(
        node(0, "EVTS", "events", **SIZE), node(1, "FRME", "frames"), node(2, "FRME", "small"),
        node(3, "IMUS"), node(4, "IMUS"), node(5, "BBOX", "boxes"),
    )  # fmt: skip
    wide = {"offset_x": -3, "offset_y": 4, "exposure": 900, "source": 2}
    body = b"".join(
        packet(number, octets)
        for number, octets in (
            (1, frme(9, 2, 2, 1, b"\1\0\xff\3", **wide)), (2, frme(8, 16, 1, 1, b"bgr")),
            (2, frme(8, 5, 1, 1, b"\0\0\x80\x3f")), (1, frme(7, 0, 0, 0, b"")),
            (0, evts(back)), (3, imus(samples)), (4, imus(samples[1:])),
            (5, b"not looked at"), (6, b""), (-2, b"\0"),
        )
    )  # fmt: skip
    vector(
        "other_streams", header(NONE, odd) + body, back, [64, 48],
        dropped={
            "images_of_format_5": 1, "packets_of_type_BBOX": 1, "packets_of_unlisted_streams": 2
        },
        side={
            "images": image_side(
                {"t": 9, "format": 2, "width": 2, "height": 1, "channels": 1, "bits": 16,
                 "size": 4, **wide},
                {"t": 8, "format": 16, "width": 1, "height": 1, "channels": 3, "bits": 8,
                 "size": 3},
                {"t": 7, "channels": 1, "bits": 8},
                stream=[1, 2, 1],
            ),
            "image_bytes": {"value": [1, 0, 255, 3, 98, 103, 114]},
            "imu": imu_side([*samples, samples[1]], stream=[3, 3, 4]),
        },
    )  # fmt: skip


def make_bad() -> None:
    alone = xml(node(0, "EVTS", "events", **SIZE))
    five = packet(0, evts(PLAIN[:5]))
    head = header(NONE, alone)
    bad("frame_only", header(NONE, xml(node(0, "FRME", "frames"))))
    bad("no_streams", header(NONE, '<dv version="2.0"></dv>'))
    bad("xml_damaged", header(NONE, alone[:-3]))
    entity = '<!DOCTYPE dv [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    bad("document_type", header(NONE, entity + alone) + five)
    twice = xml(node(0, "EVTS", "a"), node(0, "EVTS", "b"))
    bad("one_number_twice", header(NONE, twice) + five)
    bad("size_too_large", header(NONE, xml(node(0, "EVTS", sizeX=70000, sizeY=1))) + five)
    bad("size_no_number", header(NONE, xml(node(0, "EVTS", sizeX="1e3", sizeY=1))) + five)
    bad("stream_no_number", header(NONE, alone.replace('name="0"', 'name="zero"')) + five)
    bad("no_type", header(NONE, alone.replace("EVTS", "")) + five)
    bad("compression_unknown", header(9, alone) + five)
    bad("header_too_long", head[:14] + b"\xff\xff\xff\x7f" + head[18:])
    bad("header_of_another_kind", head.replace(b"IOHE", b"IOHX") + five)
    bad("header_points_outside", head[:18] + b"\xf0\xff\xff\xff" + head[22:])
    bad("cut_header", head[:100])
    bad("cut_packet", head + five + five[:-1])
    bad("cut_packet_header", head + five + five[:7])
    bad("cut_before_table", header(NONE, alone, len(head) + 1000) + five)
    bad("packet_size_negative", head + five + struct.pack("<ii", 0, -5))
    bad("packet_of_another_kind", head + five + packet(0, trig([(1, 1)])))
    bad("packet_too_short", head + five + packet(0, b"\3\0\0\0abc"))
    bad("packet_size_prefix", head + packet(0, b"\1" + evts(PLAIN[:5])[1:]))
    outside = bytearray(evts(PLAIN[:5]))
    outside[28:32] = struct.pack("<I", 6)
    bad("more_events_than_bytes", head + packet(0, bytes(outside)))
    outside = bytearray(evts(PLAIN[:5]))
    outside[12:16] = struct.pack("<i", 1 << 20)
    bad("table_outside", head + packet(0, bytes(outside)))
    negative: list[Event] = [*PLAIN[:2], (1, 5, -1, 1), *PLAIN[2:5]]
    bad("negative_coordinate", head + five + packet(0, evts(negative)))
    frames = xml(node(0, "EVTS"), node(1, "FRME"), node(2, "IMUS"))
    bad("image_of_other_size", header(NONE, frames) + packet(1, frme(1, 0, 4, 4, bytes(15))))
    row = bytearray(imus([(5, *range(1, 11))]))
    row[32:36] = struct.pack("<I", 4000)
    bad("row_outside", header(NONE, frames) + five + packet(2, bytes(row)))
    for name, compression, pack in (("lz4", LZ4, as_lz4), ("zstd", ZSTD, as_zstd)):
        start = header(compression, alone) + packet(0, pack(evts(PLAIN[:5])))
        broken = bytearray(pack(evts(PLAIN)))
        broken[20:24] = b"\xff\xff\xff\xff"
        bad(f"{name}_damaged", start + packet(0, bytes(broken)))
        bad(f"{name}_cut", start + packet(0, pack(evts(PLAIN))[:-9]))
        bad(f"{name}_more", start + packet(0, pack(evts(PLAIN)) + b"more"))
    bomb = zstandard.ZstdCompressor(19).compress(bytes(1 << 28))
    bad("zstd_bomb", header(ZSTD, alone) + packet(0, bomb))


if __name__ == "__main__":
    make_vectors()
    make_bad()
