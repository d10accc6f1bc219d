"""A readout of frames: requests are held, then all columns are gone through, from the right."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel
from evstore.synth.arbiter_kernels import NEXT, NOW, ROW, ROWS_WAITING
from evstore.synth.bit_kernels import highest_bit
from evstore.synth.row_kernels import WAITING

_ONE = np.uint64(1)


@kernel
def admit(
    crossings: Any,
    begin: int,
    duration: int,
    until: int,
    width: int,
    words: int,
    state: Any,
    free_at: Any,
    requests: Any,
    polarities: Any,
) -> None:
    """Pixels ask to be read, up to ``until``; one that waits or is blind loses the crossing."""
    taken = state[NEXT]
    while taken < crossings.size:
        crossing = crossings[taken]
        time = begin + ((duration * (crossing >> 33)) >> 16)
        if time > until:
            break
        taken += 1
        y = (crossing >> 17) & 0xFFFF
        x = (crossing >> 1) & 0xFFFF
        if time >= free_at[y * width + x]:
            free_at[y * width + x] = WAITING
            w = x * words + (y >> 6)
            bit = _ONE << np.uint64(y & 63)
            requests[w] |= bit
            polarities[w] &= ~bit
            polarities[w] |= np.uint64(crossing & 1) << np.uint64(y & 63)
            state[ROWS_WAITING] += 1
    state[NEXT] = taken


@kernel
def read_out_columns(
    crossings: Any,
    begin: int,
    duration: int,
    width: int,
    height: int,
    column_ns: int,
    frame_ns: int,
    refractory: int,
    state: Any,
    free_at: Any,
    requests: Any,
    polarities: Any,
    count: int,
    enough: int,
    out_t: Any,
    out_x: Any,
    out_y: Any,
    out_p: Any,
) -> Any:
    """Read frames until the step ends or ``enough`` events are out; the new count, as `read_out`.

    ``state``: in NOW when the frame began, in ROW the columns read of it, in ROWS_WAITING how
    many pixels wait.
    """
    words = (height + 63) >> 6
    end = begin + duration
    while count < enough:
        if state[ROW] == 0:
            until = min(state[NOW], end)  # what comes after the last frame waits for the next one
            admit(
                crossings,
                begin,
                duration,
                until,
                width,
                words,
                state,
                free_at,
                requests,
                polarities,
            )
            if state[NOW] >= end:
                break
            if state[ROWS_WAITING] == 0:  # then frames are empty up to the next that asks
                time = end
                if state[NEXT] < crossings.size:
                    time = begin + ((duration * (crossings[state[NEXT]] >> 33)) >> 16)
                state[NOW] += (max(time - state[NOW], 1) + frame_ns - 1) // frame_ns * frame_ns
                continue
        x = width - 1 - state[ROW]
        t = (state[NOW] + state[ROW] * column_ns) // 1000
        for w in range((x + 1) * words - 1, x * words - 1, -1):
            word = requests[w]
            requests[w] = 0
            while word != 0:
                place = highest_bit(word)
                word ^= _ONE << np.uint64(place)
                y = ((w - x * words) << 6) + place
                free_at[y * width + x] = t * 1000 + refractory
                out_t[count] = t
                out_x[count] = x
                out_y[count] = y
                out_p[count] = (polarities[w] >> np.uint64(place)) & _ONE
                count += 1
                state[ROWS_WAITING] -= 1
        state[ROW] += 1
        if state[ROW] == width:
            state[ROW] = 0
            state[NOW] += frame_ns
    return count
