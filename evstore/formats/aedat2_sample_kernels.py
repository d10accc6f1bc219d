"""AEDAT 2.0: words that are samples of a DAVIS, its pixels or its IMU, to images and IMU rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import kernel

# Indices into `state`.
FRAME = 0  # number of the image in the making: what `reads` holds of others is void
OPEN = 1  # 1 while an image is in the making
FIRST = 2  # the pixel that it began with
BEFORE = 3  # the pixel of the last word of pixels where that was a signal; else one of those below
SIGNALS = 4  # signal reads so far
START = 5  # time of the first reset read
RESET_END = 6  # time of the last reset read
SIGNAL_START = 7  # time of the first signal read
SIGNAL_END = 8  # time of the last signal read
MIXED = 9  # 1 where a signal read came before a reset read
WHOLE = 10  # 1 where `pixels` are an image that is to be taken
INCOMPLETE = 11  # images that were given up
APS_WORDS = 12  # words of pixels that belong to no image
IMU_ROWS = 13  # whole samples in the buffer
IMU_NEXT = 14  # what the next word of a sample must be, 0..6
IMU_WORDS = 15  # words of samples that are not whole
RESETS = 16  # reset reads so far
STATE_SIZE = 17

# What BEFORE is where it is no pixel.
NOTHING = -2  # there was no word of pixels yet
RESET = -1

#: Words of a sample: acceleration x, y, z, temperature, rotation x, y, z.
IMU_CODES = 7

# What `reads` holds of a pixel: FRAME << 11 | whether its signal was read << 10 | its reset read.
FRAME_SHIFT = 11
SIGNAL_SHIFT = 10

#: The ADC has 10 bits, pixels 16.
PIXEL_SHIFT = 6


@kernel
def assemble(
    words: Any,
    times: Any,
    position: Any,
    stop: Any,
    width: Any,
    height: Any,
    reads: Any,
    pixels: Any,
    imu_t: Any,
    imu_values: Any,
    state: Any,
) -> Any:
    """Take ``words[position:stop]`` until they end, an image is whole or the rows of ``imu_t`` are
    full. Returns the new position. ``width`` is 0 where no images are made.
    """
    i = position
    while i < stop and state[WHOLE] == 0 and state[IMU_ROWS] < imu_t.size:
        word = np.int64(words[i])
        time = times[i]
        i += 1
        kind = word >> 10 & 3
        x = word >> 12 & 1023
        y = word >> 22 & 511
        if kind == 3:
            imu(word, time, imu_t, imu_values, state)
        elif kind == 2 or x >= width or y >= height:
            state[APS_WORDS] += 1
        else:
            # Rows from the top: y counts from the bottom.
            pixel = (height - 1 - y) * width + x
            if kind == 0:
                reset_read(word & 1023, time, pixel, width, reads, state)
            else:
                signal_read(word & 1023, time, pixel, reads, pixels, state)
    return i


@kernel
def imu(word: Any, time: Any, imu_t: Any, imu_values: Any, state: Any) -> Any:
    """One word of a sample; it counts only where all seven come in order, at one time."""
    code = word >> 28 & 7
    row = state[IMU_ROWS]
    if code != state[IMU_NEXT] or (code > 0 and time != imu_t[row]):
        state[IMU_WORDS] += state[IMU_NEXT]
        state[IMU_NEXT] = 0
        if code > 0:
            state[IMU_WORDS] += 1
            return
    imu_t[row] = time
    value = word >> 12 & 0xFFFF
    imu_values[row * IMU_CODES + code] = value - 0x10000 if value > 0x7FFF else value
    state[IMU_NEXT] += 1
    if state[IMU_NEXT] == IMU_CODES:
        state[IMU_NEXT] = 0
        state[IMU_ROWS] += 1


@kernel
def reset_read(value: Any, time: Any, pixel: Any, width: Any, reads: Any, state: Any) -> Any:
    """The level of a pixel before its exposure: the first one begins an image."""
    last = reads.size - 1
    before = state[BEFORE]
    state[BEFORE] = RESET
    # The readout goes from one corner to the opposite one, whichever those are. Inside an image a
    # rolling shutter may do that too, from the end of its first column to the start of its last,
    # but then signals are fewer than resets. Where they are not, the image is no image: the file
    # began with its last column.
    corner = pixel in (0, width - 1, last - (width - 1), last)
    begins = corner and before == last - pixel
    if state[OPEN]:
        begins = pixel == state[FIRST] or (begins and state[SIGNALS] == state[RESETS])
    else:
        begins = begins or (corner and before == NOTHING)
    if begins:
        state[INCOMPLETE] += state[OPEN]
        state[FRAME] += 1
        state[OPEN] = 1
        state[FIRST] = pixel
        state[RESETS] = 0
        state[SIGNALS] = 0
        state[MIXED] = 0
        state[START] = time
    elif state[OPEN] == 0:
        state[APS_WORDS] += 1
        return
    elif reads[pixel] >> FRAME_SHIFT == state[FRAME]:
        # Of another image: words between are lost. The next one begins where it begins.
        state[INCOMPLETE] += 1
        state[OPEN] = 0
        return
    if state[SIGNALS]:
        state[MIXED] = 1
    reads[pixel] = state[FRAME] << FRAME_SHIFT | value
    state[RESETS] += 1
    state[RESET_END] = time


@kernel
def signal_read(value: Any, time: Any, pixel: Any, reads: Any, pixels: Any, state: Any) -> Any:
    """The level of a pixel after its exposure: it has fallen by what is the pixel's value."""
    state[BEFORE] = pixel
    if state[OPEN] == 0:
        state[APS_WORDS] += 1
        return
    if reads[pixel] >> SIGNAL_SHIFT != state[FRAME] << 1:
        # Without a reset read, or twice: words are lost.
        state[INCOMPLETE] += 1
        state[OPEN] = 0
        return
    fallen = (reads[pixel] & 1023) - value
    pixels[pixel] = (fallen if fallen > 0 else 0) << PIXEL_SHIFT
    reads[pixel] |= 1 << SIGNAL_SHIFT
    if state[SIGNALS] == 0:
        state[SIGNAL_START] = time
    state[SIGNALS] += 1
    state[SIGNAL_END] = time
    if state[SIGNALS] == reads.size:
        state[OPEN] = 0
        state[WHOLE] = 1
