"""Kernels of the simulated sensor: texture, thresholds, level crossings, row readout.

Integers only, so that a seed gives the same events on every machine. Pixels are numbered row by
row; log intensities are int16 in 1/2048 of a factor e. A crossing is one number,
``fraction << 33 | y << 17 | x << 1 | p`` with the fraction of the step in 16 bits, so that
sorting crossings sorts them by time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

TILE = 1024  # the scene repeats after so many pixels
CROSSINGS_A_STEP = 8  # of one pixel; the rest of a larger change comes in the next step
BINS = 4096
LARGEST = 8192  # threshold: the scene and two of them fit int16
NEVER = -(1 << 62)
WAITING = 1 << 62

# Indices into the readout's state: the clock in ns, the next crossing to admit, the row read
# last, the arbiter's direction, how many rows wait, rows read so far.
NOW, NEXT, ROW, UPWARD, ROWS_WAITING, ROWS_READ = range(6)
READOUT_STATE = 6

_ONE = np.uint64(1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S58 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(58)

# The place of the only bit in a word: the top six bits of its product with a de Bruijn sequence.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_OF = np.argsort([((0x03F79D71B4CB0A89 << n) & (2**64 - 1)) >> 58 for n in range(64)])


@kernel
def random_bits(seed: int, number: int) -> Any:
    """31 random bits, the ``number``-th of a seed (SplitMix64)."""
    z = np.uint64(seed) + _GOLDEN * np.uint64(number + 1)
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    z = z ^ (z >> _S31)
    return np.int64(z >> np.uint64(33))


@kernel
def add_octave(out: Any, seed: int, cell: int, amplitude: int) -> None:
    """Add smooth noise of one scale to ``TILE * TILE`` int32 values; periodic, zero mean."""
    side = TILE // cell
    for y in range(TILE):
        row = out[y * TILE : (y + 1) * TILE]
        top = (y // cell) * side
        bottom = ((y // cell + 1) % side) * side
        v = (y % cell) * 256 // cell
        v = (v * v * (768 - 2 * v)) >> 16  # smoothstep in 1/256
        for x in range(TILE):
            left = x // cell
            right = (left + 1) % side
            u = (x % cell) * 256 // cell
            u = (u * u * (768 - 2 * u)) >> 16
            a = random_bits(seed, top + left) & 1023
            b = random_bits(seed, top + right) & 1023
            c = random_bits(seed, bottom + left) & 1023
            d = random_bits(seed, bottom + right) & 1023
            mean = (a * (256 - u) + b * u) * (256 - v) + (c * (256 - u) + d * u) * v
            row[x] += ((mean >> 16) - 511) * amplitude >> 9


@kernel
def clip_into_tile(values: Any, limit: int, tile: Any, stride: int) -> None:
    """Clip the noise to plateaus with edges between; repeat columns up to ``stride`` a row."""
    for y in range(TILE):
        row = values[y * TILE : (y + 1) * TILE]
        out = tile[y * stride : (y + 1) * stride]
        for x in range(stride):
            out[x] = min(max(row[x % TILE], -limit), limit)


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
def look(tile: Any, stride: int, x: int, y: int, mixed: Any, top: Any, out: Any) -> None:
    """The log intensities of the sensor's row whose left end sees (x, y), in 1/65536 pixel.

    One operation a loop, each into an array of the width it needs: so LLVM vectorises them.
    """
    fx = (x >> 8) & 255
    fy = (y >> 8) & 255
    column = (x >> 16) & (TILE - 1)
    first = ((y >> 16) & (TILE - 1)) * stride + column
    second = (((y >> 16) + 1) & (TILE - 1)) * stride + column
    a = tile[first : first + top.size]
    b = tile[second : second + top.size]
    for i in range(top.size):
        top[i] = a[i] * (256 - fy) + b[i] * fy
    right = top[1:]
    for i in range(mixed.size):
        mixed[i] = top[i] * (256 - fx) + right[i] * fx
    for i in range(out.size):
        out[i] = mixed[i] >> 16


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
    size: Any,
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

    ``before`` is what each pixel saw last, ``now`` becomes what it sees. A pixel fires at ``upper``
    and at ``lower``, which both then move by its threshold. What does not fit is lost.
    """
    width, height = size[0], size[1]
    count = 0
    for row in range(height):
        i, j = row * width, (row + 1) * width
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
            row << 17,
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
                crossings[count] = (fraction << 33) | address | (x << 1) | p
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


@kernel
def lowest_bit(word: Any) -> Any:
    """The place of the lowest set bit of a word that is not zero."""
    return _BIT_OF[((word & (~word + _ONE)) * _DE_BRUIJN) >> _S58]


@kernel
def highest_bit(word: Any) -> Any:
    """The place of the highest set bit of a word that is not zero."""
    for shift in (1, 2, 4, 8, 16, 32):
        word |= word >> np.uint64(shift)
    return _BIT_OF[((word ^ (word >> _ONE)) * _DE_BRUIJN) >> _S58]


@kernel
def row_above(waiting: Any, row: int) -> Any:
    """The nearest waiting row after ``row``, or -1."""
    w = (row + 1) >> 6
    if w >= waiting.size:
        return -1
    word = waiting[w] >> np.uint64((row + 1) & 63) << np.uint64((row + 1) & 63)
    while word == 0:
        w += 1
        if w == waiting.size:
            return -1
        word = waiting[w]
    return (w << 6) + lowest_bit(word)


@kernel
def row_below(waiting: Any, row: int) -> Any:
    """The nearest waiting row before ``row``, or -1."""
    w = row >> 6
    word = waiting[w] & ((_ONE << np.uint64(row & 63)) - _ONE)
    while word == 0:
        w -= 1
        if w < 0:
            return -1
        word = waiting[w]
    return (w << 6) + highest_bit(word)


@kernel
def next_row(waiting: Any, state: Any, seed: int) -> Any:
    """Which waiting row the arbiter reads: the nearest one onward, turning round now and then."""
    state[ROWS_READ] += 1
    if random_bits(seed, state[ROWS_READ]) & 31 == 0:
        state[UPWARD] ^= 1
    row = state[ROW]
    for _ in range(2):
        found = row_above(waiting, row) if state[UPWARD] else row_below(waiting, row)
        if found >= 0:
            return found
        state[UPWARD] ^= 1
    return row


@kernel
def read_out(
    crossings: Any,
    begin: int,
    duration: int,
    width: int,
    row_ns: int,
    refractory: int,
    seed: int,
    state: Any,
    free_at: Any,
    requests: Any,
    polarities: Any,
    waiting: Any,
    leftmost: Any,
    rightmost: Any,
    count: int,
    enough: int,
    out_t: Any,
    out_x: Any,
    out_y: Any,
    out_p: Any,
) -> Any:
    """Read rows one after the other until the step ends or ``enough`` events are out.

    Times are ns, what is written to ``out_t`` is us. The new count of events: below ``enough``,
    the step is over, and what still waits stays for the next one. One long loop, since a call
    with this many arrays costs as much as the rest.
    """
    words = (width + 63) >> 6
    now, taken, rows = state[NOW], state[NEXT], state[ROWS_WAITING]
    while count < enough:
        # Pixels ask to be read up to now, or, where none waits, up to the next that asks. One
        # that waits already, or is refractory, loses the crossing.
        while taken < crossings.size:
            crossing = crossings[taken]
            time = begin + ((duration * (crossing >> 33)) >> 16)
            if time > now and rows:
                break
            now = max(now, time)
            taken += 1
            y = (crossing >> 17) & 0xFFFF
            x = (crossing >> 1) & 0xFFFF
            if time >= free_at[y * width + x]:
                free_at[y * width + x] = WAITING
                w = y * words + (x >> 6)
                leftmost[y] = min(leftmost[y], w)
                rightmost[y] = max(rightmost[y], w)
                bit = _ONE << np.uint64(x & 63)
                requests[w] |= bit
                polarities[w] &= ~bit
                polarities[w] |= np.uint64(crossing & 1) << np.uint64(x & 63)
                bit = _ONE << np.uint64(y & 63)
                rows += (waiting[y >> 6] & bit) == 0
                waiting[y >> 6] |= bit
        if rows == 0 or now >= begin + duration:
            break
        y = next_row(waiting, state, seed)
        # All of the row's pixels that ask are read, from left to right, at one time.
        state[ROW] = y
        rows -= 1
        waiting[y >> 6] &= ~(_ONE << np.uint64(y & 63))
        t = now // 1000
        last = rightmost[y]
        for w in range(leftmost[y], last + 1):
            word = requests[w]
            requests[w] = 0
            while word != 0:
                place = lowest_bit(word)
                word &= word - _ONE
                x = ((w - y * words) << 6) + place
                free_at[y * width + x] = t * 1000 + refractory
                out_t[count] = t
                out_x[count] = x
                out_y[count] = y
                out_p[count] = (polarities[w] >> np.uint64(place)) & _ONE
                count += 1
        leftmost[y], rightmost[y] = requests.size, -1
        now += row_ns
    state[NOW], state[NEXT], state[ROWS_WAITING] = now, taken, rows
    return count
