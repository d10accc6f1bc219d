#!/usr/bin/env python3
"""Make the vectors and bad files of formats/es.

Packs every byte with struct and states the expected events by hand, on its own: nothing of
evstore is imported, so that an error in a reader cannot hide in its vectors. Run it from
anywhere; the output is always the same.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "formats" / "es"

Event = tuple[int, int, int, int]


def vector(
    name: str,
    content: bytes,
    events: list[Event],
    resolution: tuple[int, int],
    exposure: list[Event] | None = None,
) -> None:
    path = FOLDER / "vectors" / f"{name}.es"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    expected: dict[str, Any] = {
        "format": "es",
        "events": len(events),
        "resolution": list(resolution),
    }
    expected.update(columns(events))
    if exposure:
        expected["side"] = {"exposure": columns(exposure)}
    expected["provenance"] = "made by tools/make_vectors_es.py"
    path.with_suffix(".json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


def columns(events: list[Event]) -> dict[str, list[int]]:
    return {name: [event[k] for event in events] for k, name in enumerate("txyp")}


def bad(name: str, content: bytes) -> None:
    path = FOLDER / "bad" / f"{name}.es"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def header(kind: int, *size: int, version: tuple[int, int, int] = (2, 0, 0)) -> bytes:
    return b"Event Stream" + bytes((*version, kind)) + struct.pack(f"<{len(size)}H", *size)


def dvs(delta: int, x: int, y: int, p: int) -> bytes:
    """One event; its time from the one before in overflow bytes and 7 bits."""
    return b"\xff" * (delta // 127) + struct.pack("<BHH", delta % 127 << 1 | p, x, y)


def atis(delta: int, x: int, y: int, p: int, exposure: int = 0) -> bytes:
    """One event; its time from the one before in overflows, three a byte, and 6 bits."""
    overflows, rest = divmod(delta, 63)
    marks = b"\xff" * (overflows // 3)
    if overflows % 3:
        marks += bytes([0xFC | overflows % 3])
    return marks + struct.pack("<BHH", rest << 2 | p << 1 | exposure, x, y)


def all_dvs(events: list[Event]) -> bytes:
    body, now = b"", 0
    for t, x, y, p in events:
        body += dvs(t - now, x, y, p)
        now = t
    return body


def make_dvs() -> None:
    size = (640, 480)
    head = header(1, *size)
    plain = [(11 * k + k * k // 7, (k * 37) % 640, (k * 91) % 480, k % 3 % 2) for k in range(300)]
    vector("dvs", head + all_dvs(plain), plain, size)
    vector("dvs_empty", head, [], size)
    later = header(1, *size, version=(2, 9, 4))
    vector("dvs_later_minor", later + all_dvs(plain[:5]), plain[:5], size)

    # 126 fits in an event, 127 is one overflow; resets mean nothing, in front, between and behind.
    body = b"\xfe" * 5 + dvs(126, 1, 2, 1) + dvs(127, 3, 4, 0) + b"\xfe" * 5 + dvs(128, 5, 6, 1)
    body += b"\xff\xfe\xff" + dvs(0, 7, 8, 0) + dvs(65 * 127 + 3, 9, 9, 1) + b"\xff" * 7 + b"\xfe"
    times = (126, 253, 381, 635, 635 + 65 * 127 + 3)
    events = [
        (t, *rest)
        for t, rest in zip(
            times, ((1, 2, 1), (3, 4, 0), (5, 6, 1), (7, 8, 0), (9, 9, 1)), strict=True
        )
    ]
    vector("dvs_overflows_and_resets", head + body, events, size)

    # Coordinates whose bytes look like marks, and lie outside the size that the header states.
    outside = [(3, 0xFEFF, 0xFFFE, 1), (4, 0xFFFF, 0xFEFE, 0), (131, 10, 9, 1), (131, 9, 10, 0)]
    vector("dvs_outside", header(1, 10, 10) + all_dvs(outside), outside, (10, 10))

    # An event lost its last byte: the first of five resets takes its place, then all is well.
    lost = dvs(5, 1, 1, 1) + dvs(5, 2, 0x00AB, 0)[:-1] + b"\xfe" * 5 + dvs(6, 3, 3, 1)
    vector("dvs_resets_mend", head + lost, [(5, 1, 1, 1), (10, 2, 0xFEAB, 0), (16, 3, 3, 1)], size)


def make_atis() -> None:
    size = (304, 240)
    head = header(2, *size)
    body, now = b"", 0
    events: list[Event] = []
    exposure: list[Event] = []
    for k in range(200):
        x, y = (k * 7) % 304, (k * 11) % 240
        for delta, p, crossing in ((k % 62, k % 2, 0), (62, 0, 1), (k % 5, 1, 1)):
            now += delta
            body += atis(delta, x, y, p, crossing)
            (exposure if crossing else events).append((now, x, y, p))
    vector("atis", head + body, events, size, exposure)

    body = b"\xfc" * 5 + atis(62, 1, 2, 1) + atis(63, 3, 4, 0, 1) + atis(126, 5, 6, 1) + b"\xfc"
    body += atis(189, 7, 8, 1, 1) + b"\xfd\xfc\xfe\xff" + atis(1, 9, 9, 0) + b"\xff\xfc\xfd"
    events = [(62, 1, 2, 1), (251, 5, 6, 1), (819, 9, 9, 0)]
    exposure = [(125, 3, 4, 0), (440, 7, 8, 1)]
    vector("atis_overflows_and_resets", head + body, events, size, exposure)

    exposure = [(k, k % 304, 0xFCFF, k % 2) for k in range(1, 700)]
    body = b"".join(atis(1, x, y, p, 1) for _, x, y, p in exposure) + atis(0, 0xFFFC, 5, 1)
    vector("atis_mostly_exposure", head + body, [(699, 0xFFFC, 5, 1)], size, exposure)


def make_bad() -> None:
    body = dvs(1, 2, 3, 1) * 4
    bad("generic", header(0) + b"\x00\x0aLorem" + b"\xff\xfe")
    bad("amd", header(3) + b"\x01\x02\x03\x04")
    bad("color", header(4, 320, 240) + struct.pack("<BHHBBB", 1, 2, 3, 4, 5, 6))
    bad("type_unknown", header(5, 320, 240) + body)
    bad("version_1", header(1, 320, 240, version=(1, 0, 0)) + body)
    bad("version_3", header(1, 320, 240, version=(3, 1, 4)) + body)
    bad("no_width", header(1, 0, 240) + body)
    bad("no_header", b"Event stream" + header(1, 320, 240)[12:] + body)
    bad("cut_magic", b"Event Str")
    bad("cut_version", b"Event Stream\x02\x00")
    bad("cut_size", header(1, 320))
    bad("cut_event", header(1, 320, 240) + body[:-1])
    bad("cut_event_atis", header(2, 320, 240) + atis(1, 2, 3, 1) + atis(70, 2, 3, 1, 1)[:2])


if __name__ == "__main__":
    make_dvs()
    make_atis()
    make_bad()
