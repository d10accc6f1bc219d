"""Events that come back with the period of a lamp, found by block of pixels and phase."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import inlined, kernel

PHASES = 8  # of a cycle
CYCLES = 8  # of a window
WINDOWS = 3  # that must agree
NEVER = np.int64(-(1 << 62))
TIMINGS = 4  # counts of how a side's events come
REGULAR, BURSTS = 1, 2  # pixels fire at phases of their own: once a cycle, or in bursts
FEW = 8  # cycles a pixel's events are apart where each pixel may have a phase of its own
FORGET, LOST = 16, 2  # cycles, events elsewhere, after which a pixel may have another phase


class Comb(NamedTuple):
    """What is known of a stream; flat arrays. A side is a block and a polarity."""

    counts: Any  # int32: WINDOWS windows and the one that is being counted, PHASES a side
    locked: Any  # uint8, PHASES a side: events there come back
    busy: Any  # uint8, of each side: so many events that its pixels may have phases of their own
    step: Any  # int64 us, of each side: how far apart the events of a pixel that flickers are
    due: Any  # int64 us, of each pixel and polarity: when the next one that flickers is expected
    own: Any  # int64 us, the same of pixels that fire once a cycle, each at its own phase
    missed: Any  # uint8, of each pixel and polarity: how many came at other phases since
    timing: Any  # int32, TIMINGS a side: at their pixel's phase, at others, more of both kinds
    regular: Any  # uint8, of each side: REGULAR, BURSTS, or 0 where it is not known to be so
    pixels: Any  # int64: how many the block of each side has: less at the sensor's edges
    window: Any  # int64: the number of the window that is being counted, one value


@inlined
def judge(comb: Comb, side: Any) -> None:
    """Whether its pixels fire at phases of their own."""
    timing = comb.timing[side * TIMINGS : (side + 1) * TIMINGS]
    hits = np.int64(timing[0])
    comb.regular[side] = 0
    if 2 * (np.int64(timing[1]) + timing[2]) < hits:
        comb.regular[side] = BURSTS if 8 * np.int64(timing[3]) > hits else REGULAR


@kernel
def judge_all(comb: Comb) -> None:
    """As at the end of a window, but that nothing is forgotten."""
    for side in range(comb.regular.size):
        judge(comb, side)


@inlined
def settle(comb: Comb, sides: Any, period_us: Any) -> None:
    """A window is over: what came back in all of them, and go on."""
    size = sides * PHASES
    for side in range(sides):
        base = side * PHASES
        # The two phases in which least comes: what does not depend on the phase.
        least = second = np.int64(1 << 40)
        for phase in range(PHASES):
            total = np.int64(0)
            for w in range(1, WINDOWS + 1):
                total += comb.counts[w * size + base + phase]
            if total < least:
                least, second = total, least
            elif total < second:
                second = total
        found = every = np.int64(0)
        for phase in range(PHASES):
            lowest = np.int64(1 << 40)
            total = np.int64(0)
            for w in range(1, WINDOWS + 1):
                count = np.int64(comb.counts[w * size + base + phase])
                lowest = min(lowest, count)
                total += count
            every += total
            back = lowest * WINDOWS > 2 * second + 9
            comb.locked[base + phase] = back
            if back:
                found += total - second
        comb.busy[side] = every * FEW >= comb.pixels[side] * CYCLES * WINDOWS
        # Events a cycle and pixel, and the root of that: a pixel may have so many.
        mean = np.divide(np.float64(found), np.float64(comb.pixels[side] * CYCLES * WINDOWS))
        share = np.floor(mean + np.sqrt(mean)) + 1.0
        comb.step[side] = np.int64(np.divide(np.float64(period_us), share))
        judge(comb, side)
        for i in range(side * TIMINGS, (side + 1) * TIMINGS):
            comb.timing[i] -= comb.timing[i] >> 2
    for i in range(size):
        comb.counts[i] = comb.counts[size + i]
        comb.counts[size + i] = comb.counts[2 * size + i]
        comb.counts[2 * size + i] = comb.counts[3 * size + i]
        comb.counts[3 * size + i] = 0


@inlined
def comes_as_before(
    comb: Comb, pixel: Any, side: Any, since: Any, period_us: Any, locked: Any
) -> Any:
    """Whether the event comes at the phase at which its pixel fires, once a cycle; and learn it.

    Where events come back (``locked``), those at other phases count twice against it, and the
    first one of a pixel is taken for flicker.
    """
    behind = since - comb.own[pixel]
    timing = comb.timing[side * TIMINGS : (side + 1) * TIMINGS]
    found = True
    against = 2 if locked else 1
    if behind > FORGET * period_us or comb.missed[pixel] >= LOST:
        comb.own[pixel] = since + period_us
        comb.missed[pixel] = 0
        timing[1] += against
        found = locked
    elif behind < -(period_us // 2):
        burst = abs(behind + period_us) * 12 <= period_us
        timing[3 if burst else 2] += 1 if burst else against
        found = burst and comb.regular[side] == BURSTS
    else:
        behind = (behind + period_us // 2) % period_us - period_us // 2
        if abs(behind) * 12 <= period_us:
            comb.own[pixel] = since - behind // 2 + period_us
            comb.missed[pixel] = 0
            timing[0] += 1
        else:
            comb.missed[pixel] += 1
            timing[1] += against
            found = False
    return found


@kernel
def pass_comb(
    t: Any, x: Any, y: Any, p: Any, start: int, frequency: float, width: int, block: int,
    across: int, sides: int, comb: Comb, keep: Any,
) -> None:  # fmt: skip
    """Which events to keep, 0 or 1; ``frequency`` in cycles a microsecond.

    Only products and sums of floats that round in one way, so that every machine keeps the same.
    """
    period_us = np.int64(np.divide(1.0, frequency))
    size = sides * PHASES
    slack = period_us // 8
    for i in range(t.size):
        since = t[i] - start
        phases = np.int64(np.float64(since) * frequency * PHASES)
        window = phases // (PHASES * CYCLES)
        turns = min(window - comb.window[0], WINDOWS + 1)
        for _ in range(turns):
            settle(comb, sides, period_us)
        comb.window[0] = window
        row, column = np.int64(y[i]), np.int64(x[i])
        on = np.int64(p[i])
        side = 2 * ((row // block) * across + column // block) + on
        at = side * PHASES + phases % PHASES
        comb.counts[WINDOWS * size + at] += 1
        keep[i] = 1
        locked = comb.locked[at] != 0
        if locked or comb.busy[side]:
            pixel = 2 * (row * width + column) + on
            step = comb.step[side]
            drop = comes_as_before(comb, pixel, side, since, period_us, locked)
            # As many events as flicker makes, evenly or all at once; what is beyond is a signal.
            early = comb.due[pixel] - since
            if not comb.regular[side]:
                drop = locked and early <= period_us - step + slack
            if drop:
                keep[i] = 0
                comb.due[pixel] = max(comb.due[pixel], since) + step
