"""Chunks and leaves made by kernels, and by helpers, against the plain way to make them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evstore.codec.chunk import Measures, encode_chunk, measure
from evstore.codec.packed_encode_kernels import MEASURES, STEPS
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard import recording_writer
from evstore.shard.chunks import ChunkInfo, chunk_head
from evstore.shard.encoding import encode, room
from evstore.shard.index_records import page_record
from evstore.shard.layout import CHUNK, frame_payload
from evstore.shard.record_kernels import HEAD_ROOM, put_head
from evstore.shard.root import LEAF_EVENTS, leaf_hash
from evstore.shard.root_kernels import used_bits
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter
from shards import camera, read_events
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
    assert bit_length(measures[STEPS].astype(np.uint64)) == t_bits
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


# ------------------------------------------------------------------------------- helpers


def written(path: Path, parts: list[Events], pool: Any, step: int) -> bytes:
    with ShardWriter(path, flush_s=None, pool=pool, chunk_events=step) as shard:
        out = shard.recording("r")
        taken = [0, *accumulate(map(len, parts))]
        for k, events in enumerate(parts):
            assert out.taken == taken[k]
            out.write(events)
        assert out.taken == taken[-1]
    verify_shard(path)
    return path.read_bytes()


@pytest.mark.parametrize("helpers", [1, 3])
@pytest.mark.parametrize("step", [16_384, 10_000])
def test_helpers_write_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helpers: int, step: int, seed: int
) -> None:
    """However long each takes, and however the events come."""
    rng = np.random.default_rng(seed)
    whole = camera(900_000)
    cuts = [0, *sorted(rng.integers(0, 900_000, 3).tolist()), 900_000]
    parts = [whole[a:b] for a, b in pairwise(cuts)]
    alone = written(tmp_path / "a.evs", [whole], None, step)
    quick = recording_writer.encode

    def slow(*args: Any) -> Any:
        time.sleep(rng.random() / 50)
        return quick(*args)

    monkeypatch.setattr(recording_writer, "encode", slow)
    with ThreadPoolExecutor(helpers) as pool:
        assert written(tmp_path / "b.evs", [whole], pool, step) == alone
        assert written(tmp_path / "c.evs", parts, pool, step) == alone
    assert read_events(tmp_path / "a.evs") == whole


def test_helpers_of_two_recordings_and_a_flush(tmp_path: Path) -> None:
    one, two = camera(600_000), camera(500_000)
    with (
        ThreadPoolExecutor(2) as pool,
        ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool) as shard,
    ):
        first, second = shard.recording("first"), shard.recording("second")
        for at in range(0, 600_000, 100_000):
            first.write(one[at : at + 100_000])
            second.write(two[at : at + 100_000])
            if at == 300_000:
                first.flush()
    verify_shard(tmp_path / "a.evs")
    assert read_events(tmp_path / "a.evs", "first") == one
    assert read_events(tmp_path / "a.evs", "second") == two


def test_giving_up_while_helpers_are_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they do afterwards reaches no file."""
    quick = recording_writer.encode

    def slow(*args: Any) -> Any:
        time.sleep(0.1)
        return quick(*args)

    monkeypatch.setattr(recording_writer, "encode", slow)
    with ThreadPoolExecutor(2) as pool:
        shard = ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool)
        out = shard.recording("r")
        out.write(camera(600_000))
        shard.abort()
        with pytest.raises(ArgumentError, match="is closed"):
            out._waiting[0].result()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("after_s", [0, 0.1])
def test_an_error_of_one_helper_lets_the_others_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_s: float
) -> None:
    quick = recording_writer.encode

    def failing(events: Events, step: int, number: int, codec: int, first: int, *rest: Any) -> Any:
        if first == 0:
            time.sleep(after_s)
            raise MemoryError("no memory")
        return quick(events, step, number, codec, first, *rest)

    monkeypatch.setattr(recording_writer, "encode", failing)
    with ThreadPoolExecutor(3) as pool:
        shard = ShardWriter(tmp_path / "a.evs", flush_s=None, pool=pool)
        out = shard.recording("r")
        with pytest.raises(MemoryError, match="no memory"):
            for _ in range(100):  # whenever it is seen, it is this that is said
                out.write(camera(262_144))
                time.sleep(0.02)
        with pytest.raises(ArgumentError, match="lacks what could not be written"):
            shard.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.evs.part"]
