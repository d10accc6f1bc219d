"""The EVT3 kernel against a slow decoder that takes one word at a time."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evstore.formats import evt3
from evstore.formats.reading import ReadOptions
from vectors import join

HEADER = b"% evt 3.0\n% end\n"
COUNTED = {
    1: "reserved_0x1_words",
    7: "continued_4_words",
    9: "reserved_0x9_words",
    11: "unused_0xb_words",
    12: "unused_0xc_words",
    13: "imu_words",
    14: "others_words",
    15: "continued_12_words",
}


def slow(words: list[int]) -> tuple[list[Any], list[Any], Counter[str]]:
    high = low = loop = 0
    timed = False
    row = base = polarity = None
    events, triggers, dropped = [], [], Counter()
    for word in words:
        kind, value = word >> 12, word & 0xFFF
        found: list[tuple[int, int]] = []
        if kind == 0:
            row = value & 0x7FF
            dropped["slave_marks_of_addr_y"] += value >> 11
        elif kind == 2:
            found = [(value & 0x7FF, value >> 11)]
        elif kind == 3:
            base, polarity = value & 0x7FF, value >> 11
        elif kind in (4, 5):
            width = 12 if kind == 4 else 8
            places = [k for k in range(width) if value >> k & 1]
            if timed and row is not None and base is None:
                dropped["events_before_vect_base_x"] += len(places)
            else:
                found = [((base or 0) + k, polarity or 0) for k in places]
            base = None if base is None else base + width
        elif kind == 6:
            low = value
        elif kind == 8:
            if timed and value != high:
                loop += high - value > 2048
                low = 0
            elif not timed:
                low = 0
            high, timed = value, True
        elif kind == 10:
            if timed:
                triggers.append((loop << 24 | high << 12 | low, value >> 8, value & 1))
            else:
                dropped["triggers_before_time_high"] += 1
        else:
            dropped[COUNTED[kind]] += 1
        for x, p in found:
            if not timed:
                dropped["events_before_time_high"] += 1
            elif row is None:
                dropped["events_before_addr_y"] += 1
            else:
                events.append((loop << 24 | high << 12 | low, x, row, p))
    return events, triggers, +dropped


# Any word; and what sensors send, so that most of the words do something.
USUAL = st.tuples(st.sampled_from([0, 2, 2, 2, 3, 4, 5, 6, 8, 10]), st.integers(0, 4095))
WORDS = st.lists(st.integers(0, 65_535) | USUAL.map(lambda w: w[0] << 12 | w[1]), max_size=400)


@given(WORDS, st.sampled_from([1, 5, 40, 65_536]), st.booleans())
def test_kernel_agrees_with_the_slow_decoder(words: list[int], limit: int, begun: bool) -> None:
    if begun:
        words = [0x8001, 0x6002, 0x0003, 0x3004, *words]
    content = HEADER + np.array(words, "<u2").tobytes()
    reading = evt3.read(io.BytesIO(content), ReadOptions(batch_events=limit))
    decoded = join(list(reading.batches))
    events, triggers, dropped = slow(words)
    given_events = list(zip(*(column.tolist() for column in decoded.columns), strict=True))
    assert given_events == events
    assert list(zip(*(column.tolist() for column in decoded.triggers), strict=True)) == triggers
    assert reading.dropped == dropped
