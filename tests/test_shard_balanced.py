"""Shards of preset `balanced`: each chunk in the smaller of both codecs, read as any other."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from evstore.codec.chunk import MODELLED, PACKED, decode_chunk, encode_chunk, measure
from evstore.codec.model_format import FORM, MOST_EVENTS, P_AT, P_TOKENS
from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from evstore.shard.chunks import parse_chunk
from evstore.shard.encoding import encode, room
from evstore.shard.layout import parse_record
from evstore.shard.reader import RecordingReader
from evstore.shard.recover import recover_shard
from evstore.shard.root import LEAF_EVENTS, leaf_hash
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter
from guards import expect_guards, guarded
from modelled import walk
from shards import camera, payload_of, read_events, read_whole, records, small_shard
from streams import COORDINATES, MAX_T, MIN_T, TIMES, piece


def save(path: Path, events: Events, **options: Any) -> None:
    with (
        ShardWriter(path, preset="balanced", flush_s=None, overwrite=True, **options) as shard,
        shard.recording("") as out,
    ):
        out.write(events)


def codecs(path: Path) -> list[int]:
    """Of each chunk, as its record says."""
    data = path.read_bytes()
    return [
        parse_chunk(parse_record(data, raw.offset))[0].codec
        for raw in records(data)
        if raw.kind == b"C"
    ]


def expect_back(path: Path, events: Events, **options: Any) -> list[int]:
    """The codecs of the chunks that they came back from."""
    save(path, events, **options)
    assert read_events(path) == events
    assert verify_shard(path).events == len(events)
    return codecs(path)


# ---------------------------------------------------------------------------- what is written


def test_the_small_shard_of_other_tests_is_of_codec_2(tmp_path: Path) -> None:
    small_shard(tmp_path / "a.evs", "balanced")
    assert codecs(tmp_path / "a.evs") == [MODELLED] * 5


@pytest.mark.parametrize("step", [64, 1000, 16_384, 65_536])
def test_chunks_leaves_and_measures(step: int, seed: int) -> None:
    """As the plain way makes them, each chunk in a form of its own."""
    events = Events.concatenate([walk(LEAF_EVENTS, seed), camera(LEAF_EVENTS, seed, "jitter")])
    made = encode(events, step, 3, MODELLED, 70, room(step, 2, MODELLED))
    cuts = [k for leaf in (0, LEAF_EVENTS) for k in range(leaf, leaf + LEAF_EVENTS, step)]
    assert len(made.records) == len(made.rows) == len(cuts)
    at = 0
    for k, (start, stop) in enumerate(zip(cuts, [*cuts[1:], len(events)], strict=True)):
        chunk, record = events[start:stop], bytes(made.records[k])
        info, _ = parse_chunk(parse_record(record, 0))
        of = measure(chunk)
        assert made.rows[k].tolist() == [3, info.codec, *map(int, (of.ordered, 70 + start)),
                                         *map(int, of[1:]), at, len(record)]  # fmt: skip
        raw = next(records(bytes(16) + record + evstore_end()))
        words = payload_of(raw).copy()
        assert decode_chunk(words, len(chunk), info.codec) == chunk
        assert len(words) <= len(encode_chunk(chunk, PACKED))
        if info.codec == MODELLED:
            assert words.tolist() == encode_chunk(chunk, MODELLED).tolist()
        at += len(record)
    leaves = [events[:LEAF_EVENTS], events[LEAF_EVENTS:]]
    assert made.leaves == [leaf_hash(e.t, e.x, e.y, e.p) for e in leaves]


def evstore_end() -> bytes:
    """A record that ends a file, as `records` looks for one."""
    from evstore.shard.layout import DIRECTORY, frame

    return frame(DIRECTORY, b"")


@pytest.mark.parametrize("kind", sorted(TIMES))
def test_every_kind_of_times(tmp_path: Path, kind: str, seed: int) -> None:
    for n, chunk_events in ((1, 16_384), (150, 1), (5000, 777), (20_000, 16_384)):
        events = piece(n, kind, "sensor", "runs", "any", seed)
        expect_back(tmp_path / "a.evs", events, chunk_events=chunk_events)


@pytest.mark.parametrize("kind", sorted(COORDINATES))
def test_every_kind_of_coordinates(tmp_path: Path, kind: str, seed: int) -> None:
    for other in COORDINATES:
        events = piece(3000, "dense", kind, other, "any", seed)
        expect_back(tmp_path / "a.evs", events, chunk_events=1000)


def test_extremes(tmp_path: Path) -> None:
    n = 500
    t = np.array([MIN_T, MAX_T, 0, -1, 1] * (n // 5), np.int64)
    x = np.array([0, 65_535, 1, 65_534, 0x8000] * (n // 5))
    for chunk_events in (1, 3, 499, 500, 65_536):
        expect_back(tmp_path / "a.evs", Events(t, x, x[::-1], x & 1), chunk_events=chunk_events)


@pytest.mark.parametrize("n", [1, 2, 31, 33, 1000, 70_000, 140_000])
def test_identical_events(tmp_path: Path, n: int) -> None:
    """More than a payload of so few words may hold are left to codec 1."""
    events = Events([MAX_T] * n, [65_535] * n, [0] * n, [1] * n)
    for chunk_events in (10, 10_000, 65_536):
        if n // chunk_events < 2000:
            expect_back(tmp_path / "a.evs", events, chunk_events=chunk_events)


@pytest.mark.parametrize("chunk_events", [MOST_EVENTS - 1, MOST_EVENTS, MOST_EVENTS + 1])
def test_chunks_around_the_longest(tmp_path: Path, chunk_events: int) -> None:
    found = expect_back(tmp_path / "a.evs", walk(150_000), chunk_events=chunk_events)
    assert found[0] == (MODELLED if chunk_events <= MOST_EVENTS else PACKED)
    assert found[-1] == MODELLED


@pytest.mark.parametrize("kinds", [("two", "sensor"), ("sensor", "two"), ("any", "any")])
def test_long_chunks_of_places_far_apart(tmp_path: Path, kinds: tuple[str, str]) -> None:
    """More leaves than a table has, too: such a chunk is left to codec 1."""
    events = piece(MOST_EVENTS, "dense", *kinds, "any", 3)
    expect_back(tmp_path / "a.evs", events, chunk_events=MOST_EVENTS)


def test_chunks_of_a_leaf_that_are_unlike_each_other(tmp_path: Path, seed: int) -> None:
    """Whole leaves and single chunks: the file does not depend on how events came."""
    rng = np.random.default_rng(seed)
    parts = [walk(1000, int(rng.integers(1 << 30)))]
    for kind in COORDINATES:
        parts.append(piece(1000, "jitter", kind, "rows", "any", seed))
        for p in ("off", "on", "one on"):
            parts.append(piece(1000, "dense", "sensor", kind, p, seed))
    k = np.arange(1000)
    # Rows one after the other, far apart in them, the polarity as the event before: p in tokens.
    striped = Events(3 * k, rng.integers(0, 640, 1000), k // 20, k // 100 & 1)
    assert encode_chunk(striped, MODELLED)[FORM] >> P_AT == P_TOKENS
    parts += [Events(3 * k, striped.x, k // 20, k == at) for at in (0, 500, 999)]
    for first in (striped, *parts[:3]):
        others = rng.integers(0, len(parts), LEAF_EVENTS // 1000)
        events = Events.concatenate([first, *parts[-3:], *(parts[i] for i in others)])
        assert MODELLED in expect_back(tmp_path / "a.evs", events, chunk_events=1000)
        with (
            ShardWriter(
                tmp_path / "b.evs",
                preset="balanced",
                flush_s=None,
                overwrite=True,
                chunk_events=1000,
            ) as shard,
            shard.recording("") as out,
        ):
            for at in range(0, len(events), 777):
                out.write(events[at : at + 777])
        assert (tmp_path / "b.evs").read_bytes() == (tmp_path / "a.evs").read_bytes()


# ------------------------------------------------------------------------------- what is read


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Events]:
    """Of both codecs, and so long that its columns are written past the cache."""
    path = tmp_path_factory.mktemp("long") / "a.evs"
    still = Events([5_000_000] * 100_000, [7] * 100_000, [65_535] * 100_000, [0] * 100_000)
    events = Events.concatenate([walk(700_003, 5), still, camera(400_000, 9, "jitter")])
    save(path, events)
    assert set(codecs(path)) == {PACKED, MODELLED}
    return path, events


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("columns", [COLUMNS, *((c,) for c in COLUMNS), ("p", "t")])
def test_columns_whole_and_in_part(
    long: tuple[Path, Events], threads: int, columns: tuple[str, ...], seed: int
) -> None:
    path, events = long
    rng = np.random.default_rng(seed)
    with Shard(path) as shard:
        reader = RecordingReader(shard, shard.find(None))
        ranges = [(0, len(events)), *np.sort(rng.integers(0, len(events), (4, 2))).tolist()]
        for start, stop in ranges:
            n = stop - start
            found = reader.read(start, stop, columns, threads=threads)
            whole, views = guarded(n)
            out = {c: views[c] for c in columns}
            into = reader.read(start, stop, out=out, threads=threads)
            expect_guards(whole, n)
            assert list(found) == list(columns)
            for name in columns:
                expected = getattr(events, name)[start:stop]
                assert np.array_equal(found[name], expected)
                assert np.array_equal(into[name], expected)
                assert into[name].dtype == COLUMN_DTYPES[name]


def test_slices_windows_and_batches(long: tuple[Path, Events], seed: int) -> None:
    path, events = long
    rng = np.random.default_rng(seed)
    n = len(events)
    with evstore.open(path) as rec:
        for a, b in [(0, 0), (0, 1), (n - 1, n), *np.sort(rng.integers(0, n, (8, 2))).tolist()]:
            assert rec[a:b] == events[a:b]
        assert rec[n - 1 : n].t.tolist() == events.t[-1:].tolist()
        for start in rng.choice(events.t, 8).tolist():
            stop = start + int(rng.integers(0, 50_000))
            inside = (events.t >= start) & (events.t < stop)
            assert rec.between(start, stop) == events[inside]
        parts = list(rec.windows(count=90_000, partial=True))
        assert Events.concatenate(parts) == events
        assert Events.concatenate(list(rec.batches())) == events


def test_threads_share_a_reader(long: tuple[Path, Events]) -> None:
    path, events = long
    wrong: list[Any] = []
    with Shard(path) as shard:
        reader = RecordingReader(shard, shard.find(None))

        def work(seed: int) -> None:
            rng = np.random.default_rng(seed)
            buffers = Events.empty(length=65_536)
            try:
                for _ in range(25):
                    start = int(rng.integers(0, len(events)))
                    stop = min(len(events), start + int(rng.integers(0, 60_000)))
                    if Events(**reader.read(start, stop)) != events[start:stop]:
                        wrong.append((start, stop))
                at = 0
                for chunks, found in reader.batches(buffers):
                    stop = at + sum(chunk.count for chunk in chunks)
                    if found != events[at:stop]:
                        wrong.append(at)
                    at = stop
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_recordings_of_either_preset_beside_each_other(tmp_path: Path) -> None:
    given = {f"r{k}": walk(3000 + k, k) for k in range(4)}
    for preset in ("fast", "balanced"):
        path = tmp_path / f"{preset}.evs"
        with ShardWriter(path, preset=preset, chunk_events=900, flush_s=None) as shard:
            outs = {id: shard.recording(id) for id in given}
            for start in range(0, 3004, 250):
                for id, out in outs.items():
                    out.write(given[id][start : start + 250])
            for out in outs.values():
                out.close()
        assert {id: whole.events for id, whole in read_whole(path).items()} == given
    sizes = [(tmp_path / f"{preset}.evs").stat().st_size for preset in ("fast", "balanced")]
    assert sizes[1] < 0.8 * sizes[0]
    with Shard(tmp_path / "fast.evs") as a, Shard(tmp_path / "balanced.evs") as b:
        assert [r.root for r in a.recordings] == [r.root for r in b.recordings]


def test_what_was_written_is_recovered(tmp_path: Path, seed: int) -> None:
    path, out = tmp_path / "a.evs", tmp_path / "b.evs"
    events = walk(60_000, seed)
    save(path, events, chunk_events=5000)
    data = path.read_bytes()
    ends = [r.offset + r.size for r in records(data) if r.kind == b"C"]
    for k in (0, 1, 7, 11):
        path.write_bytes(data[: ends[k] + 3])
        report = recover_shard(path, out, overwrite=True)
        assert (report.complete, report.events) == (False, 5000 * (k + 1))
        assert read_events(out) == events[: report.events]
        assert verify_shard(out).events == report.events


def test_public_names_take_the_preset(tmp_path: Path) -> None:
    events = walk(20_000)
    evstore.save(tmp_path / "a.evs", events, preset="balanced")
    with evstore.create(tmp_path / "b.evs", preset="balanced", flush_s=None) as out:
        for start in range(0, 20_000, 3000):
            out.write(events[start : start + 3000])
    for name in ("a.evs", "b.evs"):
        with evstore.open(tmp_path / name) as rec:
            assert rec[:] == events
        assert set(codecs(tmp_path / name)) == {MODELLED}
    with pytest.raises(evstore.ArgumentError, match="preset must be one of fast, balanced"):
        evstore.save(tmp_path / "c.evs", events, preset="best")


@pytest.mark.parametrize("used", ["fast", "balanced"])
def test_a_recovered_shard_keeps_its_preset(used: str, tmp_path: Path, seed: int) -> None:
    path, out = tmp_path / "a.evs", tmp_path / "b.evs"
    with ShardWriter(path, preset=used, flush_s=None) as shard, shard.recording("") as one:
        one.write(walk(40_000, seed))
    recover_shard(path, out)
    assert codecs(out) == codecs(path)


def test_a_polarity_written_into_events_is_refused(preset: str, tmp_path: Path) -> None:
    events = walk(3000)
    events.p[7] = 2
    with ShardWriter(tmp_path / "a.evs", preset=preset, flush_s=None) as shard:
        out = shard.recording("")
        with pytest.raises(evstore.ArgumentError, match="must hold 0"):
            out.write(events)
    with pytest.raises(evstore.ArgumentError, match="must hold 0"):
        encode_chunk(events, MODELLED)
