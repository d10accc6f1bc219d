"""Chunks and leaves made by kernels, and by helpers, against the plain way to make them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evstore.codec.chunk import Measures, encode_chunk, measure
from evstore.codec.packed_encode_kernels import MEASURED_STEPS, MEASURES
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard.chunks import ChunkInfo, chunk_head
from evstore.shard.encoding import encode, room
from evstore.shard.index_records import page_record
from evstore.shard.layout import CHUNK, frame_payload
from evstore.shard.record_kernels import HEAD_ROOM, put_head
from evstore.shard.root import LEAF_EVENTS, leaf_hash
from evstore.shard.root_kernels import used_bits
from shards import camera
from streams import MAX_T, MIN_T, TIMES, piece, streams

INT64 = st.integers(MIN_T, MAX_T)


def plain_record(number: int, codec: int, first: int, of: Measures, payload: bytes) -> bytes:
    info = ChunkInfo(number, codec, of.ordered, first, *of[1:])
    return b"".join(frame_payload(CHUNK, chunk_head(info), payload))


def expect_plain_head(number: int, codec: int, first: int, of: Measures, size: int) -> None:
    out = np.full(HEAD_ROOM + 40 + size, 165, np.uint8)
    payload = HEAD_ROOM + 20
    row = np.array([*map(int, of), 0], np.int64)
    start = put_head(out, payload, size, number, codec, first, row)
    expected = plain_record(number, codec, first, of, bytes(size))[: payload - start]
    assert out[start:payload].tobytes() == expected
    assert (out[:20] == 165).all()
    assert (out[payload:] == 165).all()


@given(
    st.tuples(st.integers(0, 1 << 31), st.integers(1, 9), st.integers(0, MAX_T - (1 << 20))),
    st.integers(1, 1 << 20),
    st.lists(INT64, min_size=4, max_size=4).map(sorted),
    st.sampled_from(["in order", "first to last", "last to first"]),
    st.tuples(*[st.integers(0, 65_535)] * 4),
    st.integers(0, 9000),
)
@settings(max_examples=300)
def test_heads_are_the_plain_path_s(
    told: tuple[int, int, int],
    count: int,
    times: list[int],
    order: str,
    box: tuple[int, int, int, int],
    words: int,
) -> None:
    t_min, t_first, t_last, t_max = times
    if order == "in order":
        t_min, t_max = t_first, t_last
    elif order == "last to first":
        t_first, t_last = t_last, t_first
    (x0, x1), (y0, y1) = sorted(box[:2]), sorted(box[2:])
    corners = (x0, y0, x1 + 1, y1 + 1)
    of = Measures(order == "in order", count, t_first, t_last, t_min, t_max, *corners, count // 2)
    expect_plain_head(*told, of, 2 * words)


def test_heads_where_the_length_grows_by_a_byte() -> None:
    """Around 128 and 16,384 bytes, with heads of even and odd lengths."""
    for size in (*range(60, 200, 2), *range(16_300, 16_400, 2)):
        for t in (0, 1000, 1 << 40):
            for first in (0, 200, 1 << 20):
                of = Measures(True, 5, t, t + 3, t, t + 3, 0, 0, 300, 9, 2)
                expect_plain_head(0, 1, first, of, size)


def columns(events: Events) -> tuple[NDArray[Any], ...]:
    return events.t, events.x, events.y, events.p


def expect_plain_chunks(events: Events, step: int, hashed: bool) -> None:
    using = room(step, max(1, -(-len(events) // LEAF_EVENTS)))
    made = encode(events, step, 3, 1, 70, using, hashed)
    expected, at, infos = [], 0, []
    for leaf in range(0, len(events), LEAF_EVENTS):
        stop = min(leaf + LEAF_EVENTS, len(events))
        for start in range(leaf, stop, step):
            chunk = events[start : min(start + step, stop)]
            of = measure(chunk)
            record = plain_record(3, 1, 70 + start, of, encode_chunk(chunk).tobytes())
            expected.append(record)
            infos.append(ChunkInfo(3, 1, of.ordered, 70 + start, *of[1:], at, len(record)))
            at += len(record)
    assert [*map(bytes, made.records)] == expected
    assert made.rows.tolist() == [[*map(int, info)] for info in infos]
    leaves = [events[k : k + LEAF_EVENTS] for k in range(0, len(events), LEAF_EVENTS)]
    assert made.leaves == ([leaf_hash(*columns(leaf)) for leaf in leaves] if hashed else [])


@given(streams(5000))
@settings(max_examples=60)
def test_chunks_within_a_leaf(events: Events) -> None:
    for step in (1, 700, 1024, 16_384):
        if len(events) // step < 300:
            expect_plain_chunks(events, step, False)


@pytest.mark.parametrize("t", sorted(TIMES))
@pytest.mark.parametrize("step", [1000, 16_384, 65_536])
def test_leaves_of_every_kind_of_times(t: str, step: int, seed: int) -> None:
    expect_plain_chunks(piece(2 * LEAF_EVENTS, t, "sensor", "runs", "any", seed), step, True)


@pytest.mark.parametrize("at", [1, 1000, 1024, 16_384, 30_000, 60_000])
def test_a_long_step_anywhere_widens_the_leaf_s_times(at: int) -> None:
    """Between two events of a block, two blocks or two chunks."""
    t = np.zeros(LEAF_EVENTS, np.int64)
    t[at:] = 1 << 50
    zeros = np.zeros(LEAF_EVENTS, np.uint8)
    for step in (10_000, 16_384):
        expect_plain_chunks(Events(t, zeros, zeros, zeros), step, True)


@pytest.mark.parametrize(
    "t",
    [
        [MAX_T, MIN_T],  # one step forward, modulo 2**64
        [MAX_T - 1, MAX_T, MIN_T, MIN_T + 1],
        [0, MAX_T, -2, 1],  # twice around
        [5, 5 + (1 << 48), 6 + (1 << 48)],
        [MIN_T, MAX_T],
    ],
)
def test_times_that_begin_again_are_not_in_order(t: list[int]) -> None:
    zeros = np.zeros(len(t), np.uint8)
    expect_plain_chunks(Events(np.array(t, np.int64), zeros, zeros, zeros), 16_384, False)


@given(streams(3000))
@settings(max_examples=60)
def test_bits_of_time_steps(events: Events) -> None:
    from evstore.codec.chunk import scratch
    from evstore.codec.packed_encode_kernels import bit_length, encode, worst_words

    measures = np.zeros(MEASURES, np.int64)
    encode(*columns(events), np.empty(worst_words(len(events)), np.uint16), *scratch(), measures)
    t_bits, x_bits, y_bits = used_bits(events.t, events.x, events.y)
    assert bit_length(measures[MEASURED_STEPS].astype(np.uint64)) == t_bits
    assert [int(measures[8] - 1).bit_length(), int(measures[9] - 1).bit_length()] == [
        x_bits,
        y_bits,
    ]


def test_an_index_of_awkward_rows() -> None:
    """What arrays do modulo 2**64 is what the reader undoes."""
    from evstore.shard.index import parse_page
    from evstore.shard.layout import parse_record

    of = (MAX_T, MIN_T, MIN_T, MAX_T, 0, 0, 65_536, 1, 5)
    rows = [ChunkInfo(k, 1, False, 10 * k, 10, *of, 100 * k, 90) for k in range(5)]
    assert parse_page(parse_record(page_record(rows), 0)) == rows


def test_more_events_than_there_is_room_for() -> None:
    events = camera(2 * LEAF_EVENTS)
    with pytest.raises(ArgumentError, match="no room for 8 chunks"):
        encode(events, 16_384, 0, 1, 0, room(16_384))
