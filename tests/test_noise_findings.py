"""What a review of evstore.noise found: each stays mended."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import run, some_events, write_raw
from evstore import noise
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import AntiFlicker, BackgroundActivity, Flicker, TimeJitter
from evstore.noise.measuring.measurement import MOST
from evstore.noise.steps import as_text, make_step, parse_step, said, steps_of
from evstore.shard.writer import ShardWriter

FIRST, LAST = -(1 << 63), (1 << 63) - 1


def test_files_of_a_folder_get_noise_of_their_own(tmp_path: Path) -> None:
    events = some_events()
    for name in ("in/1.raw", "in/a/1.raw", "again/1.raw"):
        write_raw(tmp_path / name, events)
    steps = ["background:rate_hz=500", "hot-pixels:count=5"]
    assert run("noise", "add", tmp_path / "in", tmp_path / "out", *steps).code == 0
    assert run("noise", "add", tmp_path / "again", tmp_path / "out2", *steps).code == 0
    made = []
    for name in ("out/1.evs", "out/a/1.evs", "out2/1.evs"):
        with evstore.open(tmp_path / name) as recording:
            made.append(recording[:])
    assert made[0] == made[2]  # whatever the folder is called
    keys = [set((one.t * 4096 + one.x * 64 + one.y).tolist()) for one in made]
    own = set((events.t * 4096 + events.x * 64 + events.y).tolist())
    assert len((keys[0] & keys[1]) - own) < 0.1 * len(keys[0] - own)


def test_flicker_is_left_out_at_the_edges_too() -> None:
    flicker = noise.Flicker(frequency_hz=100, events_per_cycle=3, seed=1)
    events = flicker(Events.empty((34, 34)), start=0, stop=1_500_000)
    left = noise.AntiFlicker(frequency_hz=100)(events)
    for x, y in ((32, 0), (32, 32), (0, 0)):  # blocks of 8: the last ones are cut
        shares = [
            int(((one.t > 500_000) & (one.x >= x) & (one.y >= y)).sum()) for one in (left, events)
        ]
        assert shares[0] < 0.1 * shares[1]


@pytest.mark.parametrize(
    "transform",
    [noise.BandwidthLimit(1000, buffer_events=4), noise.TimeJitter(1000.0), noise.Refractory(5),
     noise.TimestampQuantise(7), noise.MissingRows(0.0, duration_us=9)],
    ids=lambda t: type(t).__name__,
)  # fmt: skip
def test_times_at_the_limits_stay_in_order(transform: noise.Transform) -> None:
    t = np.array([FIRST, FIRST + 3, 0, LAST - 1, LAST])
    events = Events(t, [1, 2, 3, 4, 5], [1] * 5, [1] * 5, (8, 8))
    whole = transform(events, sample="a")
    assert (whole.t[1:] >= whole.t[:-1]).all()
    stream = transform.stream((8, 8), sample="a")
    parts = [stream.push(events[i : i + 1]) for i in range(5)] + [stream.end()]
    assert Events.concatenate(parts) == whole


def test_long_silence_is_given_in_pieces() -> None:
    transform = noise.BackgroundActivity(rate_hz=20)
    ends = [Events([0], [1], [1], [1], (64, 64)), Events([60_000_000], [1], [1], [1], (64, 64))]
    pieces = list(transform.batches(ends, sample="a"))
    assert max(map(len, pieces)) < 1_500_000
    assert len(pieces) > 3
    stream = transform.stream((64, 64))
    stream.push(ends[0])
    with pytest.raises(ArgumentError, match="is a time wrong"):
        stream.push(Events([1 << 60], [1], [1], [1], (64, 64)))
    stream.end()
    for again in (lambda: stream.push(ends[0]), stream.end):
        with pytest.raises(ArgumentError, match="has ended"):
            again()


def test_recorded_noise_says_how_much_it_adds(tmp_path: Path) -> None:
    path = tmp_path / "noise.evs"
    evstore.save(path, some_events())
    sensor = noise.Transform.least_sensor(noise.Leak())
    assert noise.RecordedNoise(path, rate=2.0).expected_hz(sensor) == pytest.approx(2e5, rel=0.01)


def test_what_is_measured_is_what_steps_take() -> None:
    t = np.zeros(100, np.int64)
    at_once = Events(t, t, t, t, (4, 4))
    slow = Events(np.arange(100) * 2_000_000_000, t, t, t, (4, 4))
    for events in (at_once, slow):
        for boxes in (False, True):
            steps_of(noise.measure(events).parameters(boxes))
    for (name, key), most in MOST.items():
        getattr(noise, name)(**{"high_hz" if key == "low_hz" else key: most} | (
            {"fraction": 0.1} if name == "HotPixels" else {}))  # fmt: skip


@pytest.mark.parametrize(
    "step",
    [
        {"step": "refractory", "period_us": 1234567},
        {"step": "hot-pixels", "count": 12345678, "low_hz": 123.456789},
        {"step": "flicker", "region": [[0, 0, 2, 2], [3, 3, 4, 4]], "waveform": "pwm"},
        {"step": "flicker", "region": [0, 0, 2, 2], "frequency_hz": 99.99939406},
        {"step": "leak", "rate_hz": 1e-05},
    ],
)
def test_steps_as_text_are_read_again(step: dict[str, Any]) -> None:
    made = make_step(step["step"], {k: v for k, v in step.items() if k != "step"})
    assert said(parse_step(as_text(step))) == said(made)


def test_filters_begin_where_they_are_told() -> None:
    events = some_events(20_000)
    limit = noise.PixelRateLimit(100)
    stream = limit.stream((64, 48), start=-5_000)
    parts = Events.concatenate([stream.push(events), stream.end()])
    assert limit(events, start=-5_000) == parts
    assert noise.Compose(limit)(events, start=-5_000) == parts
    with pytest.raises(ArgumentError, match="outside of the times"):
        noise.Refractory(1)(Events([10, 5], [1, 1], [1, 1], [1, 1], (8, 8)), start=0, stop=7)


def test_a_mask_alone_or_among_others() -> None:
    array = np.zeros(3, [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    mask = noise.HotPixelMask([(5, 6)])
    assert len(mask(array)) == len(noise.Compose(mask)(array)) == 3


@pytest.mark.parametrize(
    ("small", "plain"),
    [
        (lambda: noise.RateLimit(1000, burst=np.int32(5000)), lambda: noise.RateLimit(1000, 5000)),
        (
            lambda: noise.BandwidthLimit(999, buffer_events=np.int32(4096)),
            lambda: noise.BandwidthLimit(999, buffer_events=4096),
        ),
        (
            lambda: noise.Decimation(np.uint8(3), by="stream"),
            lambda: noise.Decimation(3, by="stream"),
        ),
        (lambda: noise.AntiFlicker(learn_us=np.int32(10**6)), lambda: noise.AntiFlicker()),
    ],
)
def test_integers_of_numpy(small: Callable[[], Any], plain: Callable[[], Any]) -> None:
    events = some_events()
    events = Events(events.t + (1 << 40), events.x, events.y, events.p, (64, 48))
    assert small() == plain()
    assert small()(events) == plain()(events)


@pytest.mark.parametrize(
    "make",
    [
        lambda: noise.Flicker(region=(0, 0, math.inf, 10)),  # type: ignore[arg-type]
        lambda: noise.Flicker(region="abcd"),  # type: ignore[arg-type]
        lambda: noise.Flicker(region=5),  # type: ignore[arg-type]
        lambda: noise.Flicker(region=(0, 0, 0.5, 0.5)),  # type: ignore[arg-type]
        lambda: noise.Flicker(mask=[[1], [1, 2]]),  # type: ignore[arg-type]
        lambda: noise.Flicker(mask="text"),  # type: ignore[arg-type]
        lambda: noise.BackgroundActivity(light=[[1], [1, 2]]),  # type: ignore[arg-type]
        lambda: noise.BackgroundActivity(rate_hz=10**400),
        lambda: noise.RecordedNoise("a\0b"),
        lambda: noise.TimeJitter()(some_events(), stop=2**70),
        lambda: noise.MissingRows()(some_events(), start=-(2**70)),
        lambda: noise.Leak()(Events.empty((4, 4)), start=math.nan),  # type: ignore[arg-type]
        lambda: noise.Leak().stream((4, 4), slack_us="a"),  # type: ignore[arg-type]
        lambda: noise.AntiFlicker(100)(Events([1], [1], [1], [1], (65_535, 65_535))),
        lambda: noise.BackgroundActivity()(Events.empty((65_535, 65_535)), start=0, stop=1),
        lambda: noise.Leak()(Events.empty((65_535, 65_535)), start=0, stop=1),
        lambda: noise.HotPixels()(Events.empty((65_535, 65_535)), start=0, stop=1),
        lambda: noise.measure(Events.empty((65_535, 65_535)), (65_535, 65_535)),
    ],
)
def test_mistakes_are_said(make: Callable[[], Any]) -> None:
    with pytest.raises(ArgumentError):
        make()


def test_mistakes_of_files_are_said(tmp_path: Path) -> None:
    file = tmp_path / "steps.json"
    evstore.save(tmp_path / "a.evs", some_events())
    for text in (
        '[{"step": "flicker", "region": [0, 0, 1e400, 4]}]',
        '[{"step": "recorded", "path": "a\\u0000b"}]',
        '[{"step": "flicker", "mask": "no"}]',
    ):
        json.loads(text)
        file.write_text(text)
        ran = run("noise", "add", tmp_path / "a.evs", tmp_path / "o.evs", "--params", file)
        assert ran.code == 2
        assert "fault of evstore" not in ran.err


def test_measuring_nothing() -> None:
    found = noise.measure(Events.empty(), (64, 48, 2))  # type: ignore[arg-type]
    assert (found.events, found.resolution) == (0, (64, 48))


@pytest.mark.parametrize(
    "transform",
    [
        noise.BackgroundActivity(light=np.full((48, 64), 0.5)), noise.HotPixels(count=3),
        noise.Leak(rate_hz=20), noise.Flicker(mask=np.ones((48, 64))), noise.TimeJitter(30.0),
        noise.HotPixelMask([(3, 4)]), noise.Stcf(3000), noise.BandwidthLimit(10_000),
        noise.Compose(noise.Leak(rate_hz=9), noise.Compose(noise.Refractory(9)), seed=2),
    ],
    ids=lambda t: type(t).__name__,
)  # fmt: skip
def test_pickles_are_the_same(transform: noise.Transform) -> None:
    events = some_events()
    again = pickle.loads(pickle.dumps(transform))
    assert again(events, sample=1) == transform(events, sample=1)
    assert repr(again) == repr(transform)


@pytest.mark.parametrize("start", [(1 << 62) - 4_000_000, 1 << 62, -(1 << 62) + 5])
def test_flicker_of_times_that_a_float_has_not(start: int) -> None:
    flicker = Flicker(1000, jitter_us=0, events_per_cycle=3.3)
    whole = flicker(Events.empty((12, 10)), start=start, stop=start + 40_000, sample="far")
    stream = flicker.stream((12, 10), start=start, sample="far")
    signal = Events(start + np.arange(0, 40_000, 700), *[[0] * 58] * 3, (12, 10))
    parts = []
    for at in range(0, 58, 7):
        parts.append(stream.push(signal[at : at + 7]))
    found = Events.concatenate([*parts, stream.end(start + 40_000)])
    assert np.all(np.diff(found.t) >= 0)
    both = flicker(signal, start=start, stop=start + 40_000, sample="far")
    assert found == both
    assert len(both) == len(whole) + 58


def test_arrays_may_be_used_again_between_pushes() -> None:
    rng = np.random.default_rng(3)
    t = np.empty(2000, np.int64)
    events = Events.of(t, *(np.zeros(2000, kind) for kind in ("u2", "u2", "u1")), (8, 8))
    for transform in (BackgroundActivity(5), AntiFlicker(), TimeJitter(1000)):
        given, expected = [], []
        for reused in (True, False):
            stream = transform.stream((8, 8), sample="s", start=0, slack_us=2_000_000)
            parts = given if reused else expected
            for first in (0, 1_000_000):
                t[:] = first + np.arange(2000) * 400
                own = Events.of(t.copy(), events.x, events.y, events.p, (8, 8))
                parts.append(stream.push(events if reused else own))
                t[:] = rng.integers(0, 9000, 2000)
            parts.append(stream.end(3_000_000))
        assert Events.concatenate(given) == Events.concatenate(expected)


def test_a_mask_of_another_geometry() -> None:
    mask = np.zeros((5, 5), np.bool_)
    mask[2, 3] = True
    events = Events([1, 2], [3, 4], [2, 2], [1, 1], (10, 10))
    with pytest.raises(ArgumentError, match="the mask is of a sensor of 5x5, and the events' has"):
        noise.HotPixelMask(mask)(events)
    small = Events([1, 2], [3, 4], [2, 2], [1, 1], (5, 5))
    for one in (noise.HotPixelMask(mask), pickle.loads(pickle.dumps(noise.HotPixelMask(mask)))):
        assert one(small).x.tolist() == [4]
        assert one(small.to_structured())["x"].tolist() == [4]
    assert noise.HotPixelMask([(3, 2)])(events).x.tolist() == [4]  # rows are of any sensor


def test_structured_arrays_where_events_are_asked_for() -> None:
    events = Events([10, 20, 30], [5, 7, 6], [7] * 3, [1] * 3, (34, 34))
    array: Any = events.to_structured()
    assert noise.stcf_scores(array).tolist() == noise.stcf_scores(events).tolist()
    for call in (
        lambda: noise.Refractory(5).stream((34, 34)).push(array),
        lambda: list(noise.Refractory(5).batches([array])),
    ):
        with pytest.raises(ArgumentError, match="a stream takes Events, got ndarray"):
            call()


def test_one_recording_of_a_shard_as_noise(tmp_path: Path) -> None:
    path = tmp_path / "dark.evs"
    t = np.arange(0, 100_000, 50)
    with ShardWriter(path) as shard:
        for k in range(2):
            with shard.recording(f"dark/{k}", resolution=(34, 34)) as out:
                out.write(Events(t, np.full(t.size, 10 + k), t % 34, t % 2, (34, 34)))
    empty = Events.empty((34, 34))
    for k in range(2):
        recorded = noise.RecordedNoise(f"{path}#dark/{k}")
        for sample in range(4):
            assert set(recorded(empty, start=0, stop=50_000, sample=sample).x) == {10 + k}
    with pytest.raises(ArgumentError, match="has no recording 'dark/2'"):
        noise.RecordedNoise(f"{path}#dark/2")(empty, start=0, stop=50_000)
    with pytest.raises(FileNotFoundError):
        noise.RecordedNoise(f"{tmp_path / 'none.evs'}#dark/2")
