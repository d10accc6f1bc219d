"""Codec 2: events come back from every form there is, and from the one that is chosen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from evstore.codec.chunk import MODELLED, decode_chunk, encode_chunk
from evstore.codec.model_format import LANES
from evstore.codec.rans_kernels import lane_start
from evstore.events import Events
from modelled import FORMS, decoded, encode_as, walk

U = np.uint64


def lane_ends(n: int) -> list[int]:
    """The last event of each lane that has one."""
    starts = [int(lane_start(U(lane), U(n))) for lane in range(LANES + 1)]
    return sorted({stop - 1 for start, stop in pairwise(starts) if stop > start})


@pytest.mark.parametrize("n", [2, 31, 33, 500])
def test_on_events_that_none_follows(n: int) -> None:
    """The table of what follows an ON event is one of nothing."""
    events, ends = walk(n), lane_ends(n)
    for some in (ends, ends[-1:], ends[:-1]):
        p = np.zeros(n, np.uint8)
        p[some] = 1
        given = Events(events.t, events.x, events.y, p)
        assert decode_chunk(encode_chunk(given, MODELLED), n, MODELLED) == given
        for form in FORMS.values():
            assert decoded(encode_as(form, given), n) == (0, given)
