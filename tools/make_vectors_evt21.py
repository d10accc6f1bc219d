#!/usr/bin/env python3
"""Make the vectors and bad files of formats/evt21.

Packs every byte with struct and states the expected events by hand, on its own: nothing of
evstore is imported, so that an error in the reader cannot hide in its vectors. Run it from
anywhere; the output is always the same.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "formats" / "evt21"
PROVENANCE = "made by tools/make_vectors_evt21.py"

Event = tuple[int, int, int, int]
Size = tuple[int, int] | None


def vector(name: str, content: bytes, events: list[Event], size: Size, **more: Any) -> None:
    path = FOLDER / "vectors" / f"{name}.raw"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    expected: dict[str, Any] = {
        "format": "evt21",
        "events": len(events),
        "resolution": list(size) if size else None,
    }
    for k, column in enumerate("txyp"):
        expected[column] = [event[k] for event in events]
    expected.update(more)
    expected["provenance"] = PROVENANCE
    path.with_suffix(".json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


def bad(name: str, content: bytes, **how: Any) -> None:
    path = FOLDER / "bad" / f"{name}.raw"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if how:
        path.with_suffix(".json").write_text(json.dumps(how) + "\n", encoding="utf-8")


def header(*lines: str) -> bytes:
    return "".join(f"% {line}\n" for line in lines).encode("ascii")


def high(t: int) -> int:
    return (0x8 << 28 | (t >> 6) & 0x0FFFFFFF) << 32


def group(t: int, x: int, y: int, p: int, mask: int) -> int:
    return (p << 28 | (t & 63) << 22 | x << 11 | y) << 32 | mask


def edge(t: int, channel: int, p: int) -> int:
    return (0xA << 28 | (t & 63) << 22 | channel << 8 | p) << 32


def other(kind: int, payload: int = 0) -> int:
    return kind << 60 | payload


def little(words: list[int]) -> bytes:
    """As GenX320 sends them: one little-endian number each."""
    return struct.pack(f"<{len(words)}Q", *words)


def legacy(words: list[int]) -> bytes:
    """As IMX636 sends them: the high half first, each half little-endian."""
    return b"".join(struct.pack("<II", word >> 32, word & 0xFFFFFFFF) for word in words)


def scene(count: int, columns: int) -> tuple[list[int], list[Event]]:
    """Groups of one to five pixels, a TIME_HIGH wherever it changes."""
    words: list[int] = []
    events: list[Event] = []
    before = None
    for k in range(count):
        t, x, y, p = 5000 + 23 * k, (k * 32) % (columns - 31), (k * 7) % 320, k % 3 % 2
        if t >> 6 != before:
            words.append(high(t))
            before = t >> 6
        places = sorted({(k * 5 + 9 * j) % 32 for j in range(1 + k % 5)})
        words.append(group(t, x, y, p, sum(1 << place for place in places)))
        events += [(t, x + place, y, p) for place in places]
    return words, events


def make_vectors() -> None:
    hd, small = (1280, 720), (320, 320)
    stated = header("evt 2.1", "format EVT21;height=720;width=1280;endianness=legacy", "end")
    words, events = scene(150, 1280)
    vector("legacy", stated + legacy(words), events, hd)
    genx = header("evt 2.1", "format EVT21;height=320;width=320", "endianness little", "end")
    few, some = scene(120, 320)
    vector("little", genx + little(few), some, small)
    vector("empty", stated, [], hd)

    # The order from the sensor, from the words, from the user.
    imx = header("evt 2.1", "plugin_name hal_plugin_imx636_evk4", "geometry 1280x720", "end")
    vector("order_of_imx636", imx + legacy(words[:9]), events_of(words[:9]), hd)
    by_id = header("evt 2.1", "system_ID 64", "integrator_name Prophesee", "end")
    vector("order_of_genx320", by_id + little(few[:9]), events_of(few[:9]), small)
    silent = header("evt 2.1", "geometry 1280x720", "end")
    vector("order_of_words", silent + legacy(words), events, hd)
    # The lowest pixel only: no mask looks like a TIME_HIGH.
    lowest = [high(64), group(64, 3, 4, 1, 1), group(65, 5, 6, 0, 1)]
    vector("order_of_time", silent + little(lowest), [(64, 3, 4, 1), (65, 5, 6, 0)], hd)
    unclear = [high(64), group(64, 3, 4, 1, 1 << 31), group(65, 5, 6, 0, 1 << 31)]
    named = {"input_format": "evt21-legacy"}
    vector("order_named", silent + legacy(unclear), events_of(unclear), hd, **named)

    # 32 events a word, and x beyond what 11 bits hold; a mask of none.
    words = [high(77), group(77, 0, 1, 1, 0)]
    words += [group(77, x, y, y % 2, 0xFFFFFFFF) for y, x in enumerate((0, 32, 2047))]
    events = [(77, x + k, y, y % 2) for y, x in enumerate((0, 32, 2047)) for k in range(32)]
    vector("full_words", stated + legacy(words), events, hd)

    turn = 1 << 34
    words = [
        group(3, 9, 9, 1, 7), edge(3, 1, 1), high(1 << 27), group(5, 1, 1, 1, 1),
        high(1 << 32), group(1, 2, 2, 0, 1), high(turn - 1), group(63, 3, 3, 1, 1), edge(63, 31, 0),
        high(64), group(0, 4, 4, 0, 2), high(0), group(9, 5, 5, 1, 1), edge(10, 0, 1),
        high(turn - 64), high(0), group(6, 6, 6, 1, 1),
    ]  # fmt: skip
    events = [
        ((1 << 27) + 5, 1, 1, 1),
        ((1 << 32) + 1, 2, 2, 0),
        (turn - 1, 3, 3, 1),
        (turn + 64, 5, 4, 0),
        (turn + 9, 5, 5, 1),  # a step back that is no wrap
        (2 * turn + 6, 6, 6, 1),
    ]
    triggers = {"t": [turn - 1, turn + 10], "id": [31, 0], "p": [0, 1]}
    before = {"events_before_time_high": 3, "triggers_before_time_high": 1}
    content = stated + legacy(words)
    vector("time", content, events, hd, triggers=triggers, dropped=before)

    strange = [high(640), other(0x2), other(0x9), other(0x9, 5), other(0xD), other(0xE, 0x14 << 32)]
    strange += [other(0xF), other(0xF), group(641, 7, 8, 1, 1)]
    dropped = {
        "unknown_0x2_words": 1,
        "unknown_0x9_words": 2,
        "unknown_0xd_words": 1,
        "others_words": 1,
        "continued_words": 2,
    }
    vector("other_words", genx + little(strange), [(641, 7, 8, 1)], small, dropped=dropped)


def events_of(words: list[int]) -> list[Event]:
    """Plainly: for short lists without wraps."""
    events: list[Event] = []
    now = 0
    for word in words:
        kind, control, mask = word >> 60, word >> 32, word & 0xFFFFFFFF
        if kind == 8:
            now = (control & 0x0FFFFFFF) << 6
        else:
            t, x, y = now + (control >> 22 & 63), control >> 11 & 2047, control & 2047
            events += [(t, x + k, y, kind) for k in range(32) if mask >> k & 1]
    return events


def make_bad() -> None:
    stated = header("evt 2.1", "format EVT21;height=720;width=1280;endianness=legacy", "end")
    silent = header("evt 2.1", "geometry 1280x720", "end")
    words, _ = scene(40, 1280)
    unclear = [high(64), group(64, 3, 4, 1, 1 << 31), group(65, 5, 6, 0, 1 << 31)]
    bad("order_unclear", silent + legacy(unclear))
    bad("order_unknown", silent + little([other(0x2, 0x2 << 28)]))
    bad("order_contradicted", stated + little(words))
    imx = header("evt 2.1", "plugin_name hal_plugin_imx636_evk4", "end")
    bad("order_not_of_the_sensor", imx + little(words))
    two = header("format EVT21;height=720;width=1280;endianness=legacy", "endianness little", "end")
    bad("two_orders", two + legacy(words))
    bad("big_endian", header("evt 2.1", "format EVT21;endianness=big", "end") + legacy(words))
    bad("evt2", header("evt 2.0", "end") + legacy(words))
    bad("two_encodings", header("evt 2.1", "format EVT2", "end") + legacy(words))
    bad("no_header", legacy(words))
    bad("cut_word", stated + legacy([high(64), group(64, 3, 4, 1, 0x80000001)]) + bytes(7))
    bad("cut_header", stated[:40])


if __name__ == "__main__":
    make_vectors()
    make_bad()
