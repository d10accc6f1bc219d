#!/usr/bin/env python3
"""Make the vectors and bad files of formats/{evt2,evt3,dat,bin40}.

Packs every byte with struct and states the expected events by hand, on its own: nothing of
evstore is imported, so that an error in a reader cannot hide in its vectors. Run it from
anywhere; the output is always the same.
"""

from __future__ import annotations

import struct
from typing import Any

from vector_files import Event, bad, vector


def header(*lines: str) -> bytes:
    return "".join(f"% {line}\n" for line in lines).encode("ascii")


# ---------------------------------------------------------------------------------- EVT2


def words2(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


def high2(t: int) -> int:
    return 0x8 << 28 | (t >> 6) & 0x0FFFFFFF


def cd2(t: int, x: int, y: int, p: int) -> int:
    return p << 28 | (t & 63) << 22 | x << 11 | y


def events2(events: list[Event]) -> bytes:
    """Events with a TIME_HIGH wherever it changes."""
    words: list[int] = []
    before = None
    for t, x, y, p in events:
        if t >> 6 != before:
            words.append(high2(t))
            before = t >> 6
        words.append(cd2(t, x, y, p))
    return words2(*words)


def make_evt2() -> None:
    head = header("date 2024-01-02 03:04:05", "evt 2.0", "geometry 640x480", "end")
    plain = [(1000 + 7 * k, (k * 37) % 640, (k * 91) % 480, k % 3 % 2) for k in range(300)]
    vector("evt2", "plain.raw", head + events2(plain), plain, (640, 480))
    vector("evt2", "empty.raw", head, [], (640, 480))
    corners = [(0, 0, 0, 0), (0, 2047, 2047, 1), (63, 2047, 0, 0), (64, 0, 2047, 1)]
    vector("evt2", "corners.raw", head + events2(corners), corners, (640, 480))

    old = header("Date 2020-09-14 09:03:25", "evt 2.0", "plugin_name hal_plugin_gen3_fx3")
    vector("evt2", "resolution_from_plugin.raw", old + events2(plain[:5]), plain[:5], (640, 480))
    by_id = header("system_ID 49", "evt 2.0", "integrator_name Prophesee", "end")
    vector("evt2", "resolution_from_system.raw", by_id + events2(plain[:5]), plain[:5], (1280, 720))
    other = header("system_ID 49", "evt 2.0", "integrator_name Somebody", "end")
    vector("evt2", "other_maker.raw", other + events2(plain[:5]), plain[:5], None)
    crlf = b"% evt 2.0\r\n% format EVT2;width=34;height=30\r\n% end\r\n"
    vector("evt2", "crlf.raw", crlf + events2(plain[:5]), plain[:5], (34, 30))

    turn = 1 << 34
    wrapped = [
        (turn - 100, 1, 2, 1),
        (turn - 1, 2, 3, 0),
        (turn + 5, 3, 4, 1),
        (2 * turn + 70, 5, 6, 0),
    ]
    words = [
        high2(turn - 100), cd2(turn - 100, 1, 2, 1), high2(turn - 1), cd2(turn - 1, 2, 3, 0),
        high2(5), cd2(5, 3, 4, 1), high2(turn - 64), high2(70), cd2(70, 5, 6, 0),
    ]  # fmt: skip
    vector("evt2", "wrap.raw", head + words2(*words), wrapped, (640, 480))
    back = [(10_000, 1, 1, 0), (9_000, 2, 2, 1), (9_001, 3, 3, 0), (20_000, 4, 4, 1)]
    vector("evt2", "time_steps_back.raw", head + events2(back), back, (640, 480))

    strange = [
        cd2(3, 9, 9, 1), 0xA << 28 | 2 << 8 | 1, high2(640),
        0x2 << 28, 0x9 << 28, 0x9 << 28, 0xB << 28, 0xC << 28, 0xD << 28, 0xE << 28,
        0xF << 28, 0xF << 28, 0xF << 28, cd2(641, 7, 8, 1),
    ]  # fmt: skip
    dropped = {
        "events_before_time_high": 1,
        "triggers_before_time_high": 1,
        "unknown_0x2_words": 1,
        "unknown_0x9_words": 2,
        "grey_level_words": 1,
        "optical_flow_words": 1,
        "imu_words": 1,
        "others_words": 1,
        "continued_words": 3,
    }
    vector(
        "evt2",
        "other_words.raw",
        head + words2(*strange),
        [(641, 7, 8, 1)],
        (640, 480),
        dropped=dropped,
    )
    edges = [(700, 0, 1), (710, 0, 0), (711, 31, 1)]
    words = [high2(700), cd2(700, 1, 1, 1)]
    words += [0xA << 28 | (t & 63) << 22 | c << 8 | p for t, c, p in edges[:1]]
    words += [high2(710)] + [0xA << 28 | (t & 63) << 22 | c << 8 | p for t, c, p in edges[1:]]
    vector("evt2", "triggers.raw", head + words2(*words), [(700, 1, 1, 1)], (640, 480), edges)

    body = events2(plain[:4])
    bad("evt2", "evt21.raw", header("evt 2.1", "format EVT21;height=720;width=1280", "end") + body)
    bad("evt2", "evt3.raw", header("evt 3.0", "end") + body)
    bad("evt2", "aer.raw", header("format AER", "end") + body)
    bad("evt2", "two_encodings.raw", header("evt 3.0", "format EVT2", "end") + body)
    bad("evt2", "no_encoding.raw", header("date 2020", "end") + body)
    bad("evt2", "no_header.raw", b"t x y p\n1 2 3 0\n")
    bad("evt2", "big_endian.raw", header("evt 2.0", "format EVT2;endianness=big", "end") + body)
    bad("evt2", "no_size.raw", header("evt 2.0", "geometry -5xhuge", "end") + body)
    bad("evt2", "huge_size.raw", header("evt 2.0", "geometry 99999x99999", "end") + body)
    bad("evt2", "cut_word.raw", head + body[:-1])
    bad("evt2", "cut_header.raw", head[:40])


# ---------------------------------------------------------------------------------- EVT3


def words3(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}H", *words)


def y3(y: int) -> int:
    return y


def x3(x: int, p: int) -> int:
    return 0x2000 | p << 11 | x


def base3(x: int, p: int) -> int:
    return 0x3000 | p << 11 | x


def low3(t: int) -> int:
    return 0x6000 | t & 4095


def high3(t: int) -> int:
    return 0x8000 | (t >> 12) & 4095


def time3(t: int) -> list[int]:
    return [high3(t), low3(t)]


def make_evt3() -> None:
    head = header("evt 3.0", "format EVT3;height=720;width=1280", "geometry 1280x720", "end")

    def save(name: str, words: list[int], events: list[Event], *rest: Any, **more: Any) -> None:
        vector("evt3", f"{name}.raw", head + words3(*words), events, (1280, 720), *rest, **more)

    events: list[Event] = []
    words: list[int] = []
    for k in range(200):
        t, y = 50_000 + 41 * k, (k * 13) % 720
        words += [*time3(t), y3(y)]
        for j in range(k % 4):
            events.append((t, (k * 7 + 100 * j) % 1280, y, j % 2))
            words.append(x3(*events[-1][1::2]))
    save("plain", words, events)
    save("empty", [], [])

    words = [*time3(5000), y3(11), base3(100, 1), 0x4801, 0x4FFF, 0x50F1]
    xs = [100, 111, *range(112, 124), 124, 128, 129, 130, 131]
    events = [(5000, x, 11, 1) for x in xs]
    words += [y3(12), base3(2040, 0), 0x4000, 0x5F01]  # bits 11..8 of VECT_8 mean nothing
    events.append((5000, 2052, 12, 0))
    words += [base3(5, 0), 0x4001, x3(900, 1), 0x4001]  # ADDR_X leaves the vector's base alone
    events += [(5000, 5, 12, 0), (5000, 900, 12, 1), (5000, 17, 12, 0)]
    save("vectors", words, events)
    dense = [*time3(77), y3(3), base3(0, 1), *[0x4FFF] * 100]
    save("dense_vectors", dense, [(77, x, 3, 1) for x in range(1200)])

    turn = 1 << 24
    words = [*time3(turn - 10), y3(1), x3(1, 1), *time3(5), x3(2, 0)]
    words += [*time3(turn // 2 - 1), *time3(turn - 1), x3(3, 1), high3(0), x3(4, 1)]
    events = [
        (turn - 10, 1, 1, 1),
        (turn + 5, 2, 1, 0),
        (2 * turn - 1, 3, 1, 1),
        (2 * turn, 4, 1, 1),
    ]
    save("wrap", words, events)
    words = [
        *time3(0x32B),
        y3(1),
        x3(1, 1),
        low3(0x320),
        x3(2, 1),
        low3(0xFFF),
        x3(3, 1),
        low3(1),
        x3(4, 0),
    ]
    save(
        "low_steps_back",
        words,
        [(0x32B, 1, 1, 1), (0x320, 2, 1, 1), (0xFFF, 3, 1, 1), (1, 4, 1, 0)],
    )
    words = [*time3(90_000), y3(1), x3(1, 1), *time3(80_000), x3(2, 1), *time3(90_001), x3(3, 1)]
    save("high_steps_back", words, [(90_000, 1, 1, 1), (80_000, 2, 1, 1), (90_001, 3, 1, 1)])
    words = [*time3(8192 + 9), y3(1), high3(8192), x3(1, 1), high3(12288), x3(2, 1)]
    save("high_repeats", words, [(8201, 1, 1, 1), (12288, 2, 1, 1)])

    words = [
        x3(1, 1),
        base3(0, 1),
        0x4003,
        0xA101,
        low3(7),
        high3(4096),
        x3(2, 1),
        0x4001,
        y3(9),
        x3(3, 0),
    ]
    dropped = {
        "events_before_time_high": 3,
        "triggers_before_time_high": 1,
        "events_before_addr_y": 2,
    }
    save("before_time_and_row", words, [(4096, 3, 9, 0)], dropped=dropped)
    words = [*time3(1), y3(1), 0x5003, base3(4, 0), 0x5001]
    save("before_base", words, [(1, 4, 1, 0)], dropped={"events_before_vect_base_x": 2})
    strange = [0x1000, 0x9000, 0x9001, 0xB000, 0xC000, 0xD000, 0xE014, 0xF000, 0xF001, 0x7002]
    words = [*time3(1), y3(1), *strange, x3(5, 1), 0x0802, x3(6, 1)]
    dropped = {
        "reserved_0x1_words": 1,
        "reserved_0x9_words": 2,
        "unused_0xb_words": 1,
        "unused_0xc_words": 1,
        "imu_words": 1,
        "others_words": 1,
        "continued_12_words": 2,
        "continued_4_words": 1,
        "slave_marks_of_addr_y": 1,
    }
    save("other_words", words, [(1, 5, 1, 1), (1, 6, 2, 1)], dropped=dropped)
    edges = [(20, 0, 1), (4096, 15, 0)]
    words = [*time3(20), 0xA001, y3(2), x3(1, 0), high3(4096), 0xAF00]
    save("triggers", words, [(20, 1, 2, 0)], edges)
    many = [(30, k % 16, k % 2) for k in range(2500)]
    words = [*time3(30), *(0xA000 | c << 8 | p for _, c, p in many)]
    save("many_triggers", words, [], many)

    # Without "% end" the payload may begin with the bytes of "% ": ADDR_X, x 37, polarity 0.
    old = header("evt 3.0", "plugin_name hal_plugin_gen41_evk3", "system_ID 48")
    words = [0x2025, 0x0A80, *time3(3), y3(4), x3(5, 1)]
    vector(
        "evt3", "payload_like_header.raw", old + words3(*words), [(3, 5, 4, 1)], (1280, 720),
        dropped={"events_before_time_high": 1, "slave_marks_of_addr_y": 1},
    )  # fmt: skip
    small = header("evt 3.0", "plugin_name hal_plugin_genx320", "end")
    vector(
        "evt3",
        "genx320.raw",
        small + words3(*time3(3), y3(4), x3(5, 1)),
        [(3, 5, 4, 1)],
        (320, 320),
    )

    body = words3(*time3(1), y3(1), x3(1, 1))
    bad("evt3", "evt2.raw", header("evt 2.0", "end") + body)
    bad("evt3", "evt4.raw", header("format EVT4;height=720;width=1280", "end") + body)
    bad("evt3", "evt21.raw", header("evt 2.1", "end") + body)
    bad("evt3", "histo3d.raw", header("format HISTO3D;height=320;width=320", "end") + body)
    bad(
        "evt3",
        "two_geometries.raw",
        header("format EVT3;height=4;width=5", "geometry 5x5", "end") + body,
    )
    bad("evt3", "no_header.raw", body)
    bad("evt3", "cut_word.raw", head + body + b"\x01")
    bad("evt3", "runaway_vector.raw", head + body + words3(base3(0, 1), *[0x4800] * 5600))


# ----------------------------------------------------------------------------------- DAT


def record2(t: int, x: int, y: int, p: int) -> bytes:
    return struct.pack("<II", t & 0xFFFFFFFF, p << 28 | y << 14 | x)


def record1(t: int, x: int, y: int, p: int) -> bytes:
    return struct.pack("<II", t, p << 17 | y << 9 | x)


def make_dat() -> None:
    head = header(
        "Data file containing CD events.", "Version 2", "Date 2024-01-02", "Width 304", "Height 240"
    )
    cd, two_d = b"\x0c\x08", b"\x00\x08"
    events = [(10 * k + k % 3, (k * 7) % 304, (k * 11) % 240, k % 2) for k in range(250)]
    body = b"".join(record2(*event) for event in events)
    vector("dat", "type_12.dat", head + cd + body, events, (304, 240))
    silent = header("Data file containing Event2d events.", "Version 2")
    vector("dat", "type_0.dat", silent + two_d + body, events, None)
    vector("dat", "empty.dat", head + cd, [], (304, 240))
    turn = 1 << 32
    wrapped = [
        (turn - 9, 1, 2, 0),
        (turn - 10, 2, 3, 1),
        (turn + 4, 16383, 16383, 1),
        (2 * turn + 1, 4, 5, 0),
    ]
    step = (turn + turn // 2 + 1, 9, 9, 1)  # so that the second wrap is a step back of over half
    wrapped.insert(3, (2 * turn - 1, 7, 7, 1))
    wrapped.insert(3, step)
    content = b"".join(record2(*event) for event in wrapped)
    vector("dat", "wrap.dat", head + cd + content, wrapped, (304, 240))
    back = [(5_000_000, 1, 1, 1), (4_000_000, 2, 2, 0), (4_000_001, 3, 3, 1)]
    content = b"".join(record2(*event) for event in back)
    vector("dat", "time_steps_back.dat", head + cd + content, back, (304, 240))
    v1 = [(k * 100, 511 - k, k * 2, k % 2) for k in range(120)]
    content = b"".join(record1(*event) for event in v1)
    vector("dat", "version_1.dat", content, v1, None, input_format="dat-v1")

    bad("dat", "triggers.dat", head + b"\x0e\x08" + body[:16])
    bad("dat", "type_unknown.dat", head + b"\x31\x08" + body[:16])
    bad("dat", "size_unknown.dat", head + b"\x0c\x10" + body[:16])
    bad("dat", "version_3.dat", header("Version 3") + cd + body[:16])
    bad("dat", "raw.dat", header("Version 2", "evt 3.0", "end") + body[:16])
    bad("dat", "headerless.dat", content)
    bad("dat", "cut_record.dat", head + cd + body[:27])
    bad("dat", "cut_header.dat", head[:30])
    bad("dat", "cut_type.dat", head + b"\x0c")
    high = record1(*v1[0]) + struct.pack("<II", 1, 1 << 18)
    bad("dat", "version_1_high_bits.dat", high, input_format="dat-v1")
    back_v1 = record1(*v1[1]) + record1(*v1[0])
    bad("dat", "version_1_steps_back.dat", back_v1, input_format="dat-v1")
    bad("dat", "version_1_cut.dat", content[:-3], input_format="dat-v1")


# --------------------------------------------------------------------------------- bin40


def record40(t: int, x: int, y: int, p: int) -> bytes:
    return bytes([x, y, p << 7 | t >> 16 & 127, t >> 8 & 255, t & 255])


def make_bin40() -> None:
    events = [(1000 * k + k % 7, (k * 5) % 34, (k * 3) % 34, k % 2) for k in range(300)]
    body = b"".join(record40(*event) for event in events)
    vector("bin40", "plain.bin", body, events, None)
    vector("bin40", "slayer.bs2", body[:50], events[:10], None)
    marker = record40(0, 0, 240, 0)
    over = record40(8000, 1, 2, 1) + marker + record40(10, 3, 4, 0) + marker + marker
    over += record40(20, 255, 239, 1)
    shifted = [(8000, 1, 2, 1), (8202, 3, 4, 0), (24_596, 255, 239, 1)]
    vector("bin40", "overflow.bin", over, shifted, None)
    corners = [(0, 0, 0, 0), ((1 << 23) - 1, 255, 239, 1)]
    vector("bin40", "corners.bin", b"".join(record40(*e) for e in corners), corners, None)
    bad("bin40", "cut_record.bin", body[:13])


if __name__ == "__main__":
    make_evt2()
    make_evt3()
    make_dat()
    make_bin40()
