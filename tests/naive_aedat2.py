"""AEDAT 1.0 and 2.0, one record after the other, with dicts: slow, and easy to read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

Record = tuple[int, int]  # address, time
IMU = (
    *("accelerometer_x", "accelerometer_y", "accelerometer_z", "temperature"),
    *("gyroscope_x", "gyroscope_y", "gyroscope_z"),
)


def number(address: int, low: int, high: int) -> int:
    """Bits ``low`` to ``high`` of an address."""
    return address >> low & (1 << high - low + 1) - 1


def slow(
    records: list[Record],
    layout: str,
    size: tuple[int, int] = (0, 0),
    per_g: float = 8192,
    per_deg_s: float = 65.5,
) -> tuple[list[Any], list[Any], dict[str, dict[str, list[Any]]], dict[str, int]]:
    """Events, triggers, rows of other streams, and what is dropped."""
    events, triggers, dropped = [], [], Counter[str]()
    pixels, imu = [], []
    turns, before = 0, None
    for address, stored in records:
        if before is not None and before - stored > 1 << 31:
            turns += 1
        before = stored
        t = (turns << 32) + stored
        if layout == "DVS128":
            if number(address, 16, 31):
                dropped["addresses_above_16_bits"] += 1
            elif number(address, 15, 15):
                dropped["special_events"] += 1
            else:
                at = number(address, 1, 7), number(address, 8, 14)
                events.append((t, *at, 1 - number(address, 0, 0)))
        elif number(address, 31, 31):
            (imu if number(address, 10, 11) == 3 else pixels).append((address, t))
        elif number(address, 10, 10) == 0:
            at = number(address, 12, 21), number(address, 22, 30)
            events.append((t, *at, number(address, 11, 11)))
        elif number(address, 0, 2) in (2, 3):
            triggers.append((t, 0, number(address, 0, 2) - 2))
        else:
            dropped["special_events"] += 1
    side = {**images(pixels, size, dropped), **samples(imu, per_g, per_deg_s, dropped)}
    return events, triggers, side, {kind: count for kind, count in dropped.items() if count}


def images(
    words: list[Record], size: tuple[int, int], dropped: Counter[str]
) -> dict[str, dict[str, list[Any]]]:
    """Images that are whole."""
    width, height = size
    corners = {(x, y) for x in (0, width - 1) for y in (0, height - 1)}
    found: list[dict[str, Any]] = []
    octets: list[int] = []
    image: dict[str, Any] | None = None
    before: Any = "nothing"  # then the place of a signal, or None for a reset
    for address, t in words:
        kind, value = number(address, 10, 11), number(address, 0, 9)
        place = number(address, 12, 21), number(address, 22, 30)
        if kind == 2 or place[0] >= width or place[1] >= height:
            dropped["aps_words"] += 1
            continue
        opposite = width - 1 - place[0], height - 1 - place[1]
        last, before = before, place if kind else None
        if kind == 0:
            jumps = place in corners and last == opposite
            if image is None and (jumps or (place in corners and last == "nothing")):
                image = new(place, t)
            elif image is not None and (
                place == image["first"] or (jumps and len(image["resets"]) == len(image["signals"]))
            ):
                dropped["incomplete_images"] += 1
                image = new(place, t)
            if image is None:
                dropped["aps_words"] += 1
            elif place in image["resets"]:
                dropped["incomplete_images"] += 1
                image = None
            else:
                image["resets"][place] = value
                image["reset_end"] = t
                image["mixed"] |= bool(image["signals"])
        elif image is None:
            dropped["aps_words"] += 1
        elif place not in image["resets"] or place in image["signals"]:
            dropped["incomplete_images"] += 1
            image = None
        else:
            image["signal_start"] = image["signal_start"] if image["signals"] else t
            image["signals"][place] = value
            if len(image["signals"]) == width * height:
                found.append(row(image, t, size))
                octets += pixel_bytes(image, size)
                image = None
    dropped["incomplete_images"] += image is not None
    if not found:
        return {}
    columns = {name: [each[name] for each in found] for name in found[0]}
    return {"images": columns, "image_bytes": {"value": octets}}


def new(place: tuple[int, int], t: int) -> dict[str, Any]:
    about = {"start": t, "signal_start": t, "mixed": False}
    return {"first": place, "resets": {}, "signals": {}, **about}


def row(image: dict[str, Any], t: int, size: tuple[int, int]) -> dict[str, int]:
    return {
        "t": image["start"],
        "begin": image["start"],
        "end": t,
        "exposure_start": image["start"] if image["mixed"] else image["reset_end"],
        "exposure_end": image["signal_start"],
        **{"width": size[0], "height": size[1], "channels": 1, "bits": 16},
        "size": 2 * size[0] * size[1],
    }


def pixel_bytes(image: dict[str, Any], size: tuple[int, int]) -> list[int]:
    octets = []
    for y in reversed(range(size[1])):
        for x in range(size[0]):
            value = 64 * max(0, image["resets"][x, y] - image["signals"][x, y])
            octets += [value % 256, value // 256]
    return octets


def samples(
    words: list[Record], per_g: float, per_deg_s: float, dropped: Counter[str]
) -> dict[str, dict[str, list[Any]]]:
    """Samples of the IMU that are whole."""
    rows: list[list[Any]] = []
    held: list[Record] = []
    for address, t in words:
        code = number(address, 28, 30)
        if held and (code != len(held) or t != held[0][1]):
            dropped["imu_words"] += len(held)
            held = []
        if code != len(held):
            dropped["imu_words"] += 1
            continue
        held.append((address, t))
        if len(held) == 7:
            raw = [(number(word, 12, 27) ^ 0x8000) - 0x8000 for word, _ in held]
            scaled = [raw[0] / per_g, raw[1] / per_g, raw[2] / per_g, raw[3] / 340 + 35]
            scaled += [value / per_deg_s for value in raw[4:]]
            rows.append([t, *(float(np.float32(value)) for value in scaled)])
            held = []
    dropped["imu_words"] += len(held)
    if not rows:
        return {}
    return {"imu": {name: [each[k] for each in rows] for k, name in enumerate(("t", *IMU))}}
