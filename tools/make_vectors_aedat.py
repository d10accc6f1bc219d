#!/usr/bin/env python3
"""Make the vectors and bad files of formats/{aedat2,aedat3}.

Packs every byte with struct and states the expected events by hand, on its own: nothing of
evstore is imported, so that an error in a reader cannot hide in its vectors. Run it from
anywhere; the output is always the same. All files are synthetic; of AEDAT 1.0 and 3.1, and of
images in 2.0, there was no recording to compare with.
"""

from __future__ import annotations

import struct
from typing import Any

from vector_files import Event, bad, vector


def header(*lines: str) -> bytes:
    return "".join(f"#{line}\r\n" for line in lines).encode("ascii")


# ------------------------------------------------------------------------- AEDAT 1.0 and 2.0


def dvs128(x: int, y: int, p: int) -> int:
    return y << 8 | x << 1 | (1 - p)


def davis(x: int, y: int, p: int) -> int:
    return y << 22 | x << 12 | p << 11


def pairs(*records: tuple[int, int]) -> bytes:
    return b"".join(struct.pack(">II", address, t & 0xFFFFFFFF) for address, t in records)


def pairs1(*records: tuple[int, int]) -> bytes:
    return b"".join(struct.pack(">HI", address, t & 0xFFFFFFFF) for address, t in records)


def of_dvs128(events: list[Event]) -> list[tuple[int, int]]:
    return [(dvs128(x, y, p), t) for t, x, y, p in events]


def of_davis(events: list[Event]) -> list[tuple[int, int]]:
    return [(davis(x, y, p), t) for t, x, y, p in events]


def make_aedat2() -> None:
    silent = header("!AER-DAT2.0", " This is a raw AE data file - do not edit")
    chip = " AEChip: eu.seebetter.ini.chips.davis."
    davis240 = header(
        "!AER-DAT2.0",
        " Timestamps tick is 1 us",
        " created Thu Dec 03 14:47:00 CET 2015",
        " HardwareInterface: DAVIS FX2 02460013",
        chip + "DAVIS240C",
        "Start of Preferences for this AEChip",
        '<entry key="DAVIS240C.Exposure" value="1"/>',
        "End of Preferences for this AEChip",
    )
    plain = [(1000 + 9 * k, (k * 37) % 240, (k * 91) % 180, k % 3 % 2) for k in range(120)]
    imu = [(0x8002AC00 | k << 28, 1500) for k in range(7)]
    aps = [(0x80000000 | k << 22 | k << 12 | (k % 2) << 10 | 512 + k, 1600) for k in range(9)]
    edges = [(0x403, 1700), (0x402, 1750)]
    # A pulse; an edge of which old files say nothing more; noise that v2e marks, with its place.
    other = [(0x404, 1760), (0x400, 1761), (davis(5, 6, 1) | 0x400, 1762)]
    words = [*of_davis(plain[:60]), *imu, *aps, *edges, *other, *of_davis(plain[60:])]
    # The first pixel begins an image, the second gives it up: its reset read is missing.
    dropped = {"special_events": 3, "aps_words": 7, "incomplete_images": 1}
    sample = sample_row(1500, [42] * 7, 8192, 65.5)
    vector(
        "aedat2", "davis240.aedat", davis240 + pairs(*words), plain, (240, 180),
        [(1700, 0, 1), (1750, 0, 0)], side={"imu": imu_rows([sample])}, dropped=dropped,
    )  # fmt: skip
    make_aedat2_images(silent)
    make_aedat2_imu(chip)

    named = header("!AER-DAT2.0", " HardwareInterface: DVS128-V1", "End Of ASCII Header")
    corners = [(0, 0, 0, 0), (1, 127, 127, 1), (1, 127, 0, 0), (1, 0, 127, 1)]
    words = [*of_dvs128(corners[:2]), (0x8000, 1), (0xFFFF, 1), (0x10000, 1), (0x80000001, 1)]
    words += of_dvs128(corners[2:])
    dropped = {"special_events": 2, "addresses_above_16_bits": 2}
    vector("aedat2", "dvs128.aedat", named + pairs(*words), corners, (128, 128), dropped=dropped)
    small = [(70 + k, k % 128, (k * 5) % 128, k % 2) for k in range(40)]
    vector("aedat2", "silent.aedat", silent + pairs(*of_dvs128(small)), small, (128, 128))
    vector("aedat2", "empty.aedat", silent + header(chip + "Davis346red"), [], (346, 260))

    turn = 1 << 32
    clock = [
        *((1 << 24) - 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 31) - 5, turn - 2, turn - 7),
        *(turn + 3, turn + turn // 2 + 1, 2 * turn - 1, 2 * turn, 4 * turn - turn - 1, 3 * turn),
    ]
    clock.insert(11, 2 * turn + turn // 2)
    wrapped = [(t, 345 - k, 259 - k, k % 2) for k, t in enumerate(clock)]
    content = header("!AER-DAT2.0", chip + "Davis346red") + pairs(*of_davis(wrapped))
    vector("aedat2", "wrap.aedat", content, wrapped, (346, 260))
    wide = [(5, 345, 259, 1), (6, 1023, 511, 0)]
    vector(
        "aedat2", "sensor_is_given.aedat", silent + pairs(*of_davis(wide)), wide, (346, 260),
        options={"sensor": "DAVIS346"},
    )  # fmt: skip
    # The first record begins with the byte of "#", and there is a line feed further on.
    hashed = [(9, 512, 140, 0), (0x0A0A0A0A, 1, 143, 1)]
    content = header("!AER-DAT2.0", chip + "DAVIS240C") + pairs(*of_davis(hashed))
    vector("aedat2", "hash_in_record.aedat", content, hashed, (240, 180))
    records = pairs1(*of_dvs128(small[:20]), (0x8000, 95), *of_dvs128(small[20:]))
    one = header("!AER-DAT1.0", " AEChip: ch.unizh.ini.jaer.chip.retina.DVS128")
    vector(
        "aedat2", "version_1.aedat", one + records, small, (128, 128),
        dropped={"special_events": 1},
    )  # fmt: skip
    early = [(turn - 1, 17, 35, 1), (turn + 4, 4, 5, 0)]
    vector(
        "aedat2", "version_1_headerless.dat", pairs1(*of_dvs128(early)), early, (128, 128),
        input_format="aedat1",
    )  # fmt: skip

    some = pairs(*of_dvs128(small[:3]))
    cochlea = " AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c"
    stereo = " AEChip: ch.unizh.ini.jaer.chip.stereopsis.DVS128StereoPair"
    bad("aedat2", "cochlea.aedat", header("!AER-DAT2.0", cochlea) + some)
    bad("aedat2", "stereo.aedat", header("!AER-DAT2.0", stereo) + some)
    bad("aedat2", "unknown_chip.aedat", header("!AER-DAT2.0", " AEChip: a.b.Octopus") + some)
    two = header("!AER-DAT2.0", chip + "DAVIS240C", chip + "Davis346red")
    bad("aedat2", "two_sensors.aedat", two + some)
    bad("aedat2", "unknown_sensor.aedat", silent + some, options={"sensor": "eye"})
    bad("aedat2", "silent_davis.aedat", silent + some + pairs(*of_davis(plain[:3])))
    bad("aedat2", "cut_record.aedat", silent + some + b"\x00\x01\x02")
    bad("aedat2", "cut_header.aedat", davis240[:150])
    bad("aedat2", "no_header.aedat", some)
    bad("aedat2", "version_3.aedat", header("!AER-DAT3.1", "!END-HEADER"))
    bad("aedat2", "version_1_of_davis.aedat", header("!AER-DAT1.0", chip + "DAVIS240C") + records)
    bad("aedat2", "version_2_as_1.aedat", silent + some, input_format="aedat1")
    bad("aedat2", "version_1_cut.aedat", one + records[:-1])


RESET, SIGNAL = 0, 1


def aps(x: int, y: int, kind: int, value: int) -> int:
    return 1 << 31 | y << 22 | x << 12 | kind << 10 | value


def imu_words(values: list[int]) -> list[int]:
    return [0x80000C00 | code << 28 | (value & 0xFFFF) << 12 for code, value in enumerate(values)]


def as_float32(value: float) -> float:
    found: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return found


def sample_row(t: int, raw: list[int], per_g: float, per_deg_s: float) -> list[Any]:
    numbers = [raw[0] / per_g, raw[1] / per_g, raw[2] / per_g, raw[3] / 340 + 35]
    return [t, *(as_float32(value) for value in numbers + [k / per_deg_s for k in raw[4:]])]


def imu_rows(rows: list[list[Any]]) -> dict[str, list[Any]]:
    names = ["t", *(f"accelerometer_{axis}" for axis in "xyz"), "temperature"]
    names += [f"gyroscope_{axis}" for axis in "xyz"]
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def make_aedat2_images(silent: bytes) -> None:
    """Images of 3x2 pixels: columns from the left, each from the top, as a DAVIS240C reads them."""
    order = [(0, 1), (0, 0), (1, 1), (1, 0), (2, 1), (2, 0)]
    resets = {place: 600 + 10 * k for k, place in enumerate(order)}
    signals = {place: 500 - 90 * k for k, place in enumerate(order)}
    signals[(1, 0)] = 700  # above its reset read: 0
    reset = {place: aps(*place, RESET, value) for place, value in resets.items()}
    signal = {place: aps(*place, SIGNAL, value) for place, value in signals.items()}
    # The first row of the image is that of the greatest y; 10 bits become 16.
    rows = [[(0, 1), (1, 1), (2, 1)], [(0, 0), (1, 0), (2, 0)]]
    image = [max(0, resets[place] - signals[place]) << 6 for row in rows for place in row]
    assert image == [6400, 19200, 32000, 12800, 0, 38400]

    words = [(signal[place], 90 + k) for k, place in enumerate(order[4:])]  # began before the file
    words += [(reset[place], 100 + k) for k, place in enumerate(order)]
    words += [(davis(2, 1, 1), 110), (0x403, 111)]
    words += [(signal[place], 120 + k) for k, place in enumerate(order)]
    # A rolling shutter: each column's signal is read one column behind the reset reads.
    rolling = [*order[:2], *order[2:4], *order[:2], *order[4:], *order[2:4], *order[4:]]
    seen: set[tuple[int, int]] = set()
    for k, place in enumerate(rolling):
        words.append((signal[place] if place in seen else reset[place], 200 + k))
        seen.add(place)
    # One word is lost; then all have one time, as aedat4to2 writes them; then the file ends.
    words += [(reset[place], 300 + k) for k, place in enumerate(order) if k != 3]
    words += [(signal[place], 310 + k) for k, place in enumerate(order)]
    words += [(reset[place], 400) for place in order]
    words += [(aps(3, 0, RESET, 1), 401), (aps(0, 2, SIGNAL, 1), 401), (aps(0, 0, 2, 1), 401)]
    words += [(signal[place], 400) for place in order]
    words += [(davis(0, 0, 0), 500), *((reset[place], 501) for place in order[:4])]
    images = {
        "t": [100, 200, 400],
        "begin": [100, 200, 400],
        "end": [125, 211, 400],
        "exposure_start": [105, 200, 400],
        "exposure_end": [120, 204, 400],
        "width": [3] * 3,
        "height": [2] * 3,
        "channels": [1] * 3,
        "bits": [16] * 3,
        "size": [12] * 3,
    }
    octets = list(struct.pack("<6H", *image)) * 3
    vector(
        "aedat2", "images.aedat", silent + pairs(*words), [(110, 2, 1, 1), (500, 0, 0, 0)], None,
        [(111, 0, 1)],
        side={"images": images, "image_bytes": {"value": octets}},
        dropped={"aps_words": 2 + 2 + 3, "incomplete_images": 2},
        options={"sensor": "DAVIS", "resolution": [3, 2]},
    )  # fmt: skip
    bad(
        "aedat2", "cut_image.aedat", silent + pairs(*words[2:14])[:-1],
        options={"sensor": "DAVIS", "resolution": [3, 2]},
    )  # fmt: skip


def make_aedat2_imu(chip: str) -> None:
    """Samples whose scale is in jAER's preferences, and what is none."""
    head = header(
        "!AER-DAT2.0",
        chip + "DAVIS240C",
        '                <entry key="DAVIS240B.IMU.AccelScale" value="ImuAccelScaleG16"/>',
        '                <entry key="ImuAccelScale" value="ImuAccelScaleG2"/>',
        '                <entry key="DAVIS240C.IMU.AccelScale" value="ImuAccelScaleG8"/>',
        '                <entry key="ImuGyroScale" value="GyroFullScaleDegPerSec1000"/>',
        "End Of ASCII Header",
    )
    raw = [[50, -4133, -89, -1828, -115, -160, -10], [-32768, 32767, 0, 1, -1, 32767, -32768]]
    first, second = imu_words(raw[0]), imu_words(raw[1])
    event = (davis(7, 8, 1), 1004)
    words = [(word, 990) for word in first[4:]]  # began before the file
    words += [(word, 1000) for word in first]
    words += [*((word, 1003) for word in second[:3]), event, *((word, 1003) for word in second[3:])]
    words += [(word, 1010) for k, word in enumerate(first) if k != 2]  # one is lost
    words += [*((word, 1020) for word in first[:3]), *((word, 1021) for word in first[3:])]
    words += [(first[0], 1030), *((word, 1031) for word in first), (first[0] | 7 << 28, 1032)]
    words += [(word, 1040) for word in first[:5]]  # the file ends
    rows = [(1000, raw[0]), (1003, raw[1]), (1031, raw[0])]
    vector(
        "aedat2", "imu.aedat", head + pairs(*words), [(1004, 7, 8, 1)], (240, 180),
        side={"imu": imu_rows([sample_row(t, numbers, 4096, 32.8) for t, numbers in rows])},
        dropped={"imu_words": 3 + 6 + 7 + 1 + 1 + 5},
    )  # fmt: skip


# --------------------------------------------------------------------------------- AEDAT 3.1


def packet(
    kind: int,
    events: list[bytes],
    source: int = 1,
    overflow: int = 0,
    capacity: int | None = None,
    time_at: int = 4,
    size: int | None = None,
) -> bytes:
    size = size if size is not None else len(events[0]) if events else 8
    capacity = len(events) if capacity is None else capacity
    counts = (capacity, len(events), len(events))
    return struct.pack("<hhiiiiii", kind, source, size, time_at, overflow, *counts) + b"".join(
        events
    )


def pol(t: int, x: int, y: int, p: int, valid: int = 1) -> bytes:
    return struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t)


def spec(t: int, kind: int, valid: int = 1) -> bytes:
    return struct.pack("<Ii", 0xABCDEF << 8 | kind << 1 | valid, t)


def frame(
    times: tuple[int, int, int, int],
    place: tuple[int, int, int, int],
    channels: int,
    pixels: list[int],
    padding: int = 0,
    info: int = 1,
) -> bytes:
    head = struct.pack("<I4i4i", info | channels << 1, *times, *place)
    return head + struct.pack(f"<{len(pixels)}H", *pixels) + bytes(padding)


def head3(*sources: str, format_name: str = "RAW") -> bytes:
    start = "Start-Time: 2016-09-14 12:00:00 (TZ+0200)"
    return header("!AER-DAT3.1", f"Format: {format_name}", *sources, start, "!END-HEADER")


def make_aedat3() -> None:
    head = head3("Source 1: DVS128", "-Source 0: DAVIS240C")
    plain = [(100 + 3 * k, (k * 37) % 128, (k * 91) % 128, k % 3 % 2) for k in range(90)]
    body = packet(1, [pol(*event) for event in plain[:50]], capacity=128)
    body += packet(1, [])
    middle = [pol(*event) for event in plain[50:70]] + [pol(7, 5, 5, 1, valid=0)] * 2
    body += packet(1, middle) + packet(1, [pol(*event) for event in plain[70:]])
    vector("aedat3", "plain.aedat", head + body, plain, (128, 128), dropped={"invalid_events": 2})
    vector("aedat3", "empty.aedat", head, [], (128, 128))

    make_aedat3_davis()

    turn = 1 << 31
    late = 791_625  # of 2^31 us each: 1.7e15 us, as since 1970
    times = [
        *((0, (1 << 24) - 1), (0, 1 << 24), (0, turn - 1), (1, 0), (1, turn - 1), (2, 5), (2, 4)),
        *((7, turn - 1), (8, 0), (late, 1), (late, 0), (1, 3)),
    ]
    events = [(over * turn + t, k, 2 * k, k % 2) for k, (over, t) in enumerate(times)]
    body = b"".join(
        packet(1, [pol(t, *event[1:])], overflow=over)
        for (over, t), event in zip(times, events, strict=True)
    )
    body += packet(0, [spec(turn - 1, 0), spec(0, 1), spec(9, 2)], overflow=1)
    vector(
        "aedat3", "overflow.aedat", head + body, events, (128, 128), [(turn + 9, 0, 1)],
        dropped={"timestamp_resets": 1},
    )  # fmt: skip

    # The header says 128x128; both axes have 15 bits. Who reads it compares.
    liar = [(1, 32767, 0, 1), (2, 0, 32767, 0), (3, 200, 5, 1)]
    body = packet(1, [pol(*event) for event in liar])
    vector("aedat3", "geometry_lies.aedat", head + body, liar, (128, 128))
    unknown = head3("Source 0: DYNAPSE") + packet(1, [pol(1, 2, 3, 1)], source=3)
    vector("aedat3", "unknown_device.aedat", unknown, [(1, 2, 3, 1)], None)

    two = head3("Source 0: DVS128", "Source 1: DAVIS240C")
    left, right = [(5, 1, 2, 1), (9, 3, 4, 0)], [(5, 239, 179, 0), (8, 7, 7, 1)]
    both = two + packet(1, [pol(*left[0])], source=0) + packet(1, [pol(*right[0])], source=1)
    both += packet(0, [spec(6, 2)], source=0) + packet(0, [spec(7, 3)], source=1)
    both += packet(1, [pol(*left[1])], source=0) + packet(1, [pol(*right[1])], source=1)
    vector(
        "aedat3", "two_sources.aedat", both, right, (240, 180), [(7, 0, 0)],
        options={"stream": "source1"}, dropped={"packets_of_other_sources": 3},
    )  # fmt: skip

    whole = packet(1, [pol(*event) for event in plain[:5]])
    bad("aedat3", "two_sources.aedat", both)
    bad("aedat3", "no_such_source.aedat", both, options={"stream": "source2"})
    bad("aedat3", "no_end.aedat", header("!AER-DAT3.1", "Format: RAW", "Source 1: DVS128") + whole)
    bad("aedat3", "serialized.aedat", head3("Source 1: DVS128", format_name="SerializedTS") + whole)
    bad("aedat3", "version_3_0.aedat", header("!AER-DAT3.0", "!END-HEADER") + whole)
    bad("aedat3", "no_header.aedat", whole)
    bad("aedat3", "cut_header.aedat", head[:40])
    bad("aedat3", "cut_packet_header.aedat", head + whole + whole[:20])
    bad("aedat3", "cut_event.aedat", head + whole + whole[:-3])
    bad("aedat3", "cut_packet.aedat", head + whole + whole[:28])
    bad("aedat3", "written_full.aedat", head + packet(1, [pol(1, 2, 3, 1)], capacity=4) + bytes(24)
        + b"\xff" * 28)  # fmt: skip
    wild = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 1 << 30, (1 << 30) + 1, 0)
    bad("aedat3", "more_than_capacity.aedat", head + whole + wild)
    huge = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 0x7FFFFFFF, 0x7FFFFFFF, 0)
    bad("aedat3", "huge_number.aedat", head + huge + whole[28:])
    skipped = struct.pack("<hhiiiiii", 99, 1, 0x7FFFFFFF, 4, 0, 0x7FFFFFFF, 0x7FFFFFFF, 0)
    bad("aedat3", "huge_unknown.aedat", head + whole + skipped + whole)
    bad("aedat3", "event_size.aedat", head + packet(1, [bytes(12)]))
    bad("aedat3", "negative_time.aedat", head + whole + packet(1, [pol(-5, 1, 1, 1)]))
    vast = frame((1, 2, 3, 4), (65535, 65535, 0, 0), 1, [0] * 8)
    bad("aedat3", "frame_too_large.aedat", head + whole + packet(2, [vast]))
    bad("aedat3", "frame_too_small.aedat", head + whole + packet(2, [bytes(20)]))
    cut = packet(2, [frame((1, 2, 3, 4), (100, 100, 0, 0), 1, [0] * 10_000)])
    bad("aedat3", "cut_frame.aedat", head + whole + cut[:5000])


def make_aedat3_davis() -> None:
    """Every kind of packet that is kept, and some that are not."""
    head = head3("Source 1: DAVIS240C")
    events = [(1000 + k, 239 - k, 179 - k, k % 2) for k in range(20)]
    pixels = [1000 * k for k in range(6)]
    colours = [7 * k for k in range(12)]
    frames = [
        frame((1001, 1009, 1002, 1008), (3, 2, 10, 20), 1, pixels, padding=12),
        frame((2001, 2009, 2002, 2008), (2, 2, 0, 0), 3, colours, info=1 | 3 << 4 | 5 << 8),
        frame((3001, 3009, 3002, 3008), (2, 2, 0, 0), 3, colours, info=0),
    ]
    accelerations = [
        (0.5, -1.0, 0.25, 10.0, -20.5, 0.125, 36.5),
        (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0),
    ]
    sixes = [struct.pack("<Ii7f", 1, 1010 + k, *row) for k, row in enumerate(accelerations)]
    nine = struct.pack("<Ii10f", 1, 1020, *range(10))
    specials = [
        *(spec(1011, 2), spec(1012, 3), spec(1013, 6), spec(1014, 7), spec(1015, 9)),
        *(spec(1016, 10), spec(1017, 4), spec(1018, 5), spec(1019, 12), spec(1020, 14)),
        *(spec(1021, 99), spec(1022, 2, valid=0), spec(1023, 0)),
    ]
    body = packet(1, [pol(*event) for event in events[:10]])
    body += packet(0, specials)
    body += packet(3, [*sixes, struct.pack("<Ii7f", 0, 1013, *accelerations[0])])
    body += packet(2, frames, time_at=8)
    body += packet(4, [nine]) + packet(5, [bytes(8)] * 3) + packet(12, [bytes(8)] * 2)
    body += packet(999, [bytes(20)] * 4, time_at=16)
    body += packet(1, [pol(*event) for event in events[10:]])
    images = {
        "t": [1001, 2001],
        "width": [3, 2],
        "height": [2, 2],
        "channels": [1, 3],
        "bits": [16, 16],
        "size": [12, 24],
        "frame_end": [1009, 2009],
        "exposure_start": [1002, 2002],
        "exposure_end": [1008, 2008],
        "offset_x": [10, 0],
        "offset_y": [20, 0],
        "color_filter": [0, 3],
        "roi": [0, 5],
    }
    names = ("accelerometer_x", "accelerometer_y", "accelerometer_z", "gyroscope_x")
    names += ("gyroscope_y", "gyroscope_z", "temperature")
    imu: dict[str, list[Any]] = {"t": [1010, 1011]}
    imu |= {name: [row[k] for row in accelerations] for k, name in enumerate(names)}
    octets = struct.pack("<18H", *pixels, *colours)
    vector(
        "aedat3",
        "davis.aedat",
        head + body,
        events,
        (240, 180),
        [(1011, 0, 1), (1012, 0, 0), (1013, 1, 1), (1014, 1, 0), (1015, 2, 1), (1016, 2, 0)],
        side={"imu": imu, "images": images, "image_bytes": {"value": list(octets)}},
        dropped={
            "invalid_special_events": 1,
            "external_pulses": 1,
            "row_only_events": 1,
            "generator_edges": 1,
            "frame_marks": 1,
            "unknown_special_events": 1,
            "invalid_imu_samples": 1,
            "invalid_frames": 1,
            "imu_samples_of_other_axes": 1,
            "sample_events": 3,
            "spike_events": 2,
            "unknown_events": 4,
        },
    )
    names += ("magnetometer_x", "magnetometer_y", "magnetometer_z")
    imu = {"t": [1020], **{name: [float(k)] for k, name in enumerate(names)}}
    vector("aedat3", "imu9.aedat", head + packet(4, [nine]), [], (240, 180), side={"imu": imu})


if __name__ == "__main__":
    make_aedat2()
    make_aedat3()
