"""Frames straight from chunks are those of the events decoded first, whatever is asked for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evstore.codec.chunk import blocks_of, encode_chunk
from evstore.codec.packed_decode_kernels import SCRATCH, decode
from evstore.codec.presets import PACKED
from evstore.datasets.access import Shards
from evstore.datasets.delivery import Delivery, deliver
from evstore.datasets.opening import open_source
from evstore.datasets.sample_events import Window
from evstore.errors import ArgumentError, CorruptError
from evstore.events import Events
from evstore.frames import Filler, Frames, straight
from evstore.frames import filler as filler_module
from evstore.frames.straight_kernels import OUTSIDE
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard
from evstore.shard.writer import ShardWriter
from streams import COORDINATES, TIMES, piece
from test_codec import mutate

CLOCKS = ("ordered", "bursts", "steps back", "wild")


def some_events(rng: np.random.Generator, count: int, clock: str, sides: tuple[int, int]) -> Events:
    """Events of one of CLOCKS, about 10 a time unit in bursts and one in 7 elsewhere."""
    t = np.sort(rng.integers(0, max(1, count * 7), count))
    if clock == "bursts":
        t = t // 70 * 70
    elif clock == "steps back":
        t -= (np.arange(count) // 300 % 3) * 400
    elif clock == "wild":
        rng.shuffle(t)
    x, y = (rng.integers(0, side, count) for side in sides)
    return Events(t - 1000, x, y, rng.integers(0, 2, count), sides)


def written(folder: Path, preset: str, chunk: int, parts: list[Events]) -> Shards:
    """The shards of a recording in parts, each in one of its own."""
    paths, first = [], 0
    for k, part in enumerate(parts):
        paths.append(folder / f"{k}.evs")
        with ShardWriter(
            paths[-1], preset=preset, chunk_events=chunk, flush_s=None, overwrite=True
        ) as shard:
            with shard.recording(
                "one", resolution=part.resolution, part=k, first_event=first
            ) as out:
                out.write(part)
            shard.close()
        first += len(part)
    source = open_source(paths)
    return Shards(source.folder, source.catalogue)


def frames_of(filler: Filler, events: Events) -> Any:
    filler.add(events.t, events.x, events.y, events.p)
    return filler.result()


def decoded_first(events: Events, window: Window | None, spec: Frames) -> Any:
    """What is to come: of the events of the window, chosen one by one."""
    sides = events.resolution
    assert sides is not None
    if window is None:
        span = int(events.t.min()), int(events.t.max()) + 1, len(events)
    elif window.by_time:
        events = events[(events.t >= window.start) & (events.t < window.stop)]
        span = window.start, window.stop + (not spec.partial), 0
    else:
        events = events[window.start : window.stop]
        span = 0, 0, window.stop - window.start
    return frames_of(Filler(spec, sides, *span), events)


@st.composite
def specs(draw: st.DrawFn, sides: tuple[int, int], by_time: bool) -> Frames:
    given: dict[str, Any] = {}
    if draw(st.booleans()):
        given["bins" if by_time else "event_bins"] = draw(st.integers(1, 40))
    else:
        given["duration" if by_time else "count"] = draw(st.integers(100, 20_000))
        given["stride"] = draw(st.none() | st.integers(100, 30_000))
        given["partial"] = draw(st.booleans())
    if by_time:
        given["start"] = draw(st.none() | st.integers(-5000, 5000))
        given["stop"] = draw(st.none() | st.integers(5001, 50_000))
    if draw(st.booleans()):
        x0, y0 = (draw(st.integers(0, side - 1)) for side in sides)
        given["crop"] = x0, y0, draw(st.integers(x0 + 1, sides[0])), sides[1]
        given["flip_x"] = draw(st.booleans())
    given["kind"] = draw(st.sampled_from(["on_off", "merged", "signed"]))
    given["binary"] = given["kind"] != "signed" and draw(st.booleans())
    given["dtype"] = draw(st.sampled_from(["int16", "float16"]))
    given["overflow"] = "saturate"
    return Frames(**given)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_they_are_those_of_the_events_decoded_first(
    data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    sides = draw(st.sampled_from([(1, 1), (34, 30), (300, 7)]))
    counts = draw(st.lists(st.integers(1, 6000), min_size=1, max_size=3))
    events = some_events(rng, sum(counts), draw(st.sampled_from(CLOCKS)), sides)
    cuts = np.cumsum([0, *counts]).tolist()
    parts = [events[a:b] for a, b in pairwise(cuts)]
    chunk = draw(st.sampled_from([97, 1024, 1500, 4096]))
    shards = written(tmp_path, draw(st.sampled_from(["fast", "balanced"])), chunk, parts)
    by_time = draw(st.booleans())
    spec = draw(specs(sides, by_time))
    # Few tests have 4 MiB of frames: these are to be staged as well.
    monkeypatch.setattr(filler_module, "STAGED_FROM", draw(st.sampled_from([0, 1 << 40])))
    low, high = (-2000, 7 * len(events)) if by_time else (0, len(events))
    start = draw(st.integers(low, high - 1))
    some = Window(start, draw(st.integers(start + 1, high)), by_time)
    for window in (None, some):
        made = deliver(shards, 0, window, Delivery("frames", frames=spec))
        assert np.array_equal(made, decoded_first(events, window, spec))
    # The path of the other codec, which takes any.
    monkeypatch.setattr(straight, "PACKED", -1)
    assert np.array_equal(made, deliver(shards, 0, some, Delivery("frames", frames=spec)))


def test_windows_at_the_ends_of_time(tmp_path: Path) -> None:
    ends = [-(1 << 63), -(1 << 63) + 1, 0, (1 << 63) - 2, (1 << 63) - 1]
    events = Events(ends, [0, 1, 0, 1, 0], [0] * 5, [0, 1, 0, 1, 1], (2, 1))
    shards = written(tmp_path, "fast", 2, [events])
    how = Delivery("frames", frames=Frames(duration=1 << 62, partial=True))
    window = Window(-(1 << 63), -(1 << 63) + 1, True)
    assert deliver(shards, 0, window, how).tolist() == [[[[1, 0]], [[0, 0]]]]
    how = Delivery("frames", frames=Frames(duration=1, start=(1 << 63) - 2, stop=(1 << 63) - 1))
    window = Window(-(1 << 70), 1 << 70, True)
    assert deliver(shards, 0, window, how)[0].tolist() == [[[0, 0]], [[0, 1]]]


def test_numbers_that_the_dtype_does_not_hold(tmp_path: Path) -> None:
    events = Events(np.arange(5000), [0] * 5000, [0] * 5000, [1] * 5000, (2, 1))
    shards = written(tmp_path, "fast", 1024, [events])
    how = Delivery("frames", frames=Frames(count=1000, dtype="uint8"))
    with pytest.raises(ArgumentError, match=r"pixel x 0, y 0, channel 1 of frame 0"):
        deliver(shards, 0, None, how)
    how = Delivery("frames", frames=Frames(count=1000, dtype="uint8", overflow="saturate"))
    assert deliver(shards, 0, None, how)[:, 1, 0, 0].tolist() == [255] * 5


# ---------------------------------------------------------------- what is wrong


def test_events_outside_the_sensor_are_named(tmp_path: Path) -> None:
    """As a Filler names them: of a smaller sensor than the recording's."""
    events = some_events(np.random.default_rng(1), 3000, "ordered", (9, 9))
    written(tmp_path, "fast", 1500, [events])
    with Shard(tmp_path / "0.evs") as shard:
        reader = RecordingReader(shard, shard.recordings[0])
        filler = Filler(Frames(bins=2), (9, 5), 0, 30_000, 3000)
        with pytest.raises(ArgumentError) as found:
            straight.add_numbers(filler, reader, 0, 3000)
        filler = Filler(Frames(bins=2), (9, 5), 0, 30_000, 3000)
        some = Events(**reader.read(0, 1500))
        with pytest.raises(ArgumentError) as wanted:
            frames_of(filler, some)
    assert str(found.value) == str(wanted.value)


def test_payloads_that_do_not_decode_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is that of who decodes first; the checksum fits, as of a forged shard."""
    events = some_events(np.random.default_rng(1), 6000, "ordered", (9, 9))
    written(tmp_path, "fast", 1500, [events])
    load = RecordingReader.load

    def forged(self: RecordingReader, group: Any, to: int = 0) -> Any:
        words, pieces = load(self, group, to)
        words[pieces[2, 0] + 4] = 0xFFFF  # the form of times of the third chunk
        return words, pieces

    monkeypatch.setattr(RecordingReader, "load", forged)
    with Shard(tmp_path / "0.evs") as shard:
        reader = RecordingReader(shard, shard.recordings[0])
        filler = Filler(Frames(bins=2), (9, 9), 0, 30_000, 6000)
        with pytest.raises(CorruptError) as found:
            straight.add_numbers(filler, reader, 0, 6000)
        with pytest.raises(CorruptError) as wanted:
            reader.read(0, 6000)
        assert found.value.offset == reader.covering(3000, 3001)[0].offset
    assert str(found.value) == str(wanted.value)
    assert "a form, width or count that cannot be" in str(found.value)


def test_hostile_payloads_stay_in_bounds(seed: int) -> None:
    """And are refused where decoding refuses them; the index may lie too."""
    rng = np.random.default_rng(seed)
    spec = Frames(bins=5, start=0, stop=5000, size=(4, 4), overflow="saturate")
    sides = 1 << 16, 1 << 16
    taken = 0
    for k in range(300):
        n = int(rng.choice([1, 64, 70, 1024, 1100]))
        kinds = [str(rng.choice(sorted(table))) for table in (TIMES, COORDINATES, COORDINATES)]
        words = mutate(encode_chunk(piece(n, *kinds, "any", seed + k)), blocks_of(n), rng)
        pieces = np.array([0, len(words), n, 0, blocks_of(n), 0])
        scratch = straight._memory.scratch
        for ordered in (0, 1):
            about = np.array([0, ordered, rng.integers(-1000, 10_000)])
            memory = np.full(3 * 5 * 2 * 16, 165, np.int16)
            out = memory[160:320].reshape(5, 2, 4, 4)
            filler = Filler(spec, sides, 0, 5000, n, out)
            why = filler.add_packed(words, pieces, about, scratch)
            filler.result()
            assert (memory[:160] == 165).all()
            assert (memory[320:] == 165).all()
            if ordered:
                continue
            back = Events.empty(sides, n)
            to = back.t, back.x, back.y, back.p
            assert why == decode(words, pieces, *to, False, np.empty(SCRATCH, np.uint16))
            if not why:
                taken += 1
                assert np.array_equal(out, frames_of(Filler(spec, sides, 0, 5000, n), back))
    assert 0 < taken < 300


def test_chunks_that_cannot_be_are_refused() -> None:
    words = encode_chunk(Events([1, 2], [1, 2], [3, 3], [1, 1]), PACKED)
    scratch = straight._memory.scratch
    about = np.array([0, 1, 2])
    for place, stop, count in (
        (-1, len(words), 2), (0, len(words) + 1, 2), (5, 4, 2), (0, len(words), 0),
        (0, len(words), -1), (0, len(words), 1 << 62),
    ):  # fmt: skip
        filler = Filler(Frames(bins=1), (9, 9), 0, 3, 2)
        assert filler.add_packed(words, np.array([place, stop, count, 0, 1, 0]), about, scratch)
    assert not filler.add_packed(words, np.array([0, len(words), 2, 0, 1, 0]), about, scratch)
    filler = Filler(Frames(bins=1), (9, 3), 0, 3, 2)
    pieces = np.array([0, len(words), 2, 0, 1, 0])
    assert filler.add_packed(words, pieces, about, scratch) == OUTSIDE
