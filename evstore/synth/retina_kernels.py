"""Pixels: thresholds, level crossings, noise, and the delay of each.

Pixels are numbered row by row. A crossing is one number, ``fraction << 33 | y << 17 | x << 1 | p``
with the fraction of the step in 16 bits, so that sorting crossings sorts them by time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.noise.random_kernels import bits
from evstore.synth.scene_kernels import look, random_bits

CROSSINGS_A_STEP = 8  # of one pixel; the rest of a larger change comes in the next step
BINS = 4096
_ADDRESS = (1 << 33) - 1
_LOW16 = np.uint64(0xFFFF)
_S16, _S32, _S48 = np.uint64(16), np.uint64(32), np.uint64(48)
LARGEST = 8192  # threshold: the scene and two of them fit int16


@kernel
def draw_thresholds(on: Any, off: Any, seed: int, threshold: int, mismatch: int) -> None:
    """Thresholds around ``threshold``, near to normal with the deviation ``mismatch``."""
    least = max(threshold // 4, 1)
    for i in range(on.size):
        for j in range(2):
            total = 0
            for k in range(4):
                total += random_bits(seed, 8 * i + 4 * j + k) & 0xFFFF
            # The sum of four has the deviation 65536 / sqrt(3) = 37837.
            value = max(threshold + (total - 131070) * mismatch // 37837, least)
            if j == 0:
                on[i] = min(value, LARGEST)
            else:
                off[i] = min(value, LARGEST)


@kernel
def settle(seen: Any, upper: Any, lower: Any, on: Any, off: Any, seed: int) -> None:
    """Put what each pixel sees anywhere between its thresholds, as after a long time of motion."""
    for i in range(seen.size):
        band = np.int64(on[i]) + off[i]
        upper[i] = seen[i] + 1 + random_bits(seed, i) % (band - 1)
        lower[i] = upper[i] - band


@kernel
def mark(now: Any, upper: Any, lower: Any, marks: Any) -> None:
    """Mark the pixels that have left the band between their thresholds."""
    for i in range(now.size):
        marks[i] = (now[i] >= upper[i]) | (now[i] <= lower[i])


@kernel
def gather(marks: Any, marks_by_8: Any, hits: Any) -> Any:
    """The places of the marked pixels of a row, and how many; ``marks`` seen as words too."""
    count = 0
    for w in range(marks_by_8.size):
        if marks_by_8[w] != 0:
            for i in range(8 * w, 8 * w + 8):
                hits[count] = i
                count += marks[i]
    return count


@kernel
def scan(
    tile: Any,
    stride: int,
    x: int,
    y: int,
    region: Any,
    upper: Any,
    lower: Any,
    on: Any,
    off: Any,
    before: Any,
    now: Any,
    mixed: Any,
    top: Any,
    marks: Any,
    marks_by_8: Any,
    hits: Any,
    crossings: Any,
) -> Any:
    """Move the scene to (x, y); write the crossings row by row and return how many.

    ``region`` is the sensor's width, and from which column to which, and from which row to which,
    the scene is seen. ``before`` is what each pixel saw last, ``now`` becomes what it sees. A
    pixel fires at ``upper`` and at ``lower``, which both then move by its threshold. What does not
    fit is lost.
    """
    width, left, right, first, end = region
    count = 0
    for row in range(first, end):
        i, j = row * width + left, row * width + right
        look(tile, stride, x, y + (row << 16), mixed, top, now[i:j])
        mark(now[i:j], upper[i:j], lower[i:j], marks)
        found = gather(marks, marks_by_8, hits)
        count = cross(
            before[i:j],
            now[i:j],
            upper[i:j],
            lower[i:j],
            on[i:j],
            off[i:j],
            hits[:found],
            (row << 17) + (left << 1),
            crossings,
            count,
        )
    return count


@kernel
def cross(
    before: Any,
    now: Any,
    upper: Any,
    lower: Any,
    on: Any,
    off: Any,
    hits: Any,
    address: int,
    crossings: Any,
    count: int,
) -> Any:
    """The crossings of a row's pixels, timed on the straight line from ``before`` to ``now``."""
    for k in range(hits.size):
        x = np.int64(hits[k])
        for _ in range(CROSSINGS_A_STEP):
            if now[x] >= upper[x]:
                part, slope, p = upper[x] - before[x], now[x] - before[x], 1
                upper[x] += on[x]
                lower[x] += on[x]
            elif now[x] <= lower[x]:
                part, slope, p = before[x] - lower[x], before[x] - now[x], 0
                upper[x] -= off[x]
                lower[x] -= off[x]
            else:
                break
            fraction = 0  # a change left over from the step before
            if part > 0:
                fraction = min(part * 65536 // max(slope, 1), 65535)
            if count < crossings.size:
                crossings[count] = (fraction << 33) + address + (x << 1) + p
                count += 1
    return count


@kernel
def add_noise(
    crossings: Any, count: int, seed: int, number: int, amount: int, width: int, height: int
) -> Any:
    """Add ``amount`` crossings of random pixel, polarity and time; the new count."""
    for k in range(amount):
        if count == crossings.size:
            break
        bits = random_bits(seed, 2 * (number + k))
        pixel = random_bits(seed, 2 * (number + k) + 1) % (width * height)
        y = pixel // width
        x = pixel - y * width
        crossings[count] = ((bits & 0xFFFF) << 33) | (y << 17) | (x << 1) | ((bits >> 16) & 1)
        count += 1
    return count


@kernel
def delay(
    crossings: Any,
    count: int,
    begin: int,
    duration: int,
    jitter_ns: int,
    seed: int,
    number: int,
    held: Any,
    times: Any,
    codes: Any,
) -> Any:
    """Delay each crossing by up to 7 times ``jitter_ns``, their deviation; how many are left.

    Those of later than this step wait: ``held[0]`` of them in ``times`` and ``codes``. What does
    not fit is lost.
    """
    end = begin + duration
    before = waiting = held[0]
    kept = 0
    for k in range(count):
        word = bits(seed, number + k)
        total = (word & _LOW16) + ((word >> _S16) & _LOW16)
        total += ((word >> _S32) & _LOW16) + (word >> _S48)
        time = begin + ((duration * (crossings[k] >> 33)) >> 16)
        time += np.int64(total) * jitter_ns // 37837  # their deviation, as in draw_thresholds
        if time < end:
            fraction = ((time - begin) << 16) // duration
            crossings[kept] = (fraction << 33) | (crossings[k] & _ADDRESS)
            kept += 1
        elif waiting < times.size:
            times[waiting] = time
            codes[waiting] = crossings[k] & _ADDRESS
            waiting += 1
    left = 0
    for k in range(waiting):
        if k < before and times[k] < end:
            if kept < crossings.size:
                fraction = ((max(times[k], begin) - begin) << 16) // duration
                crossings[kept] = (fraction << 33) | codes[k]
                kept += 1
        else:
            times[left], codes[left] = times[k], codes[k]
            left += 1
    held[0] = left
    return kept


@kernel
def crossings_of(
    t: Any, x: Any, y: Any, p: Any, begin: int, duration: int, seed: int, number: int, out: Any
) -> None:
    """Events of a step as crossings, each at any time of its microsecond; late ones at once."""
    for k in range(out.size):
        time = t[k] * 1000 + random_bits(seed, number + k) % 1000
        fraction = min(((max(time, begin) - begin) << 16) // duration, 65535)
        address = (np.int64(y[k]) << 17) | (np.int64(x[k]) << 1) | np.int64(p[k])
        out[k] = (fraction << 33) | address


@kernel
def sort_crossings(crossings: Any, starts: Any, out: Any) -> None:
    """Sort by time: into bins, then by insertion, since a bin holds a few."""
    starts[:] = 0
    for k in range(crossings.size):
        starts[(crossings[k] >> 37) + 1] += 1
    for b in range(BINS):
        starts[b + 1] += starts[b]
    for k in range(crossings.size):
        b = crossings[k] >> 37
        out[starts[b]] = crossings[k]
        starts[b] += 1
    for k in range(1, crossings.size):
        value = out[k]
        j = k
        while j > 0 and out[j - 1] > value:
            out[j] = out[j - 1]
            j -= 1
        out[j] = value
