"""What bench noise_reality measures: its own noise is found to be like itself, others are not."""

from __future__ import annotations

import numpy as np

from bench import noise_reality as reality
from bench.bars import Bar
from evstore.events import Events
from evstore.noise import BackgroundActivity

SIZE = (160, 128)


def noise(rate_hz: float, stop: int) -> Events:
    made: Events = BackgroundActivity(
        rate_hz=rate_hz, spread_decades=0.3, bursts=0.6, burst_delay_us=3000, burst_flip=0.9
    )(Events.empty(SIZE), start=0, stop=stop, sample=0)
    return made


def test_bursts_are_told_from_other_models() -> None:
    bar = reality.compared("some", noise(0.05, 8_000_000), SIZE)
    assert not bar.note
    far = {who: [bar.parts[f"{who}|{what}"].median for what in reality.WHAT] for who in reality.WHO}
    # Of all recordings that are stationary the first half is the like of the second.
    assert max(far[reality.FIRST]) < 0.1
    assert max(far[reality.EVSTORE]) < 0.1
    for who in (reality.V2E, reality.POISSON):
        assert far[who][2] > 0.3
        assert max(far[who]) > 3 * max(far[reality.EVSTORE])
    rows = reality.distances_table([Bar.from_json(bar.to_json())]).splitlines()
    assert len(rows) == 2 + len(reality.WHO)
    assert rows[2].startswith("| some: ")


def test_too_little_is_said_so() -> None:
    bar = reality.compared("few", noise(0.01, 1_000_000), SIZE)
    assert bar.note
    assert "| few: " in reality.distances_table([bar])
    assert "too few" in reality.distances_table([bar])


def test_what_pixels_did() -> None:
    events = Events([0, 5, 7, 20], [1, 2, 1, 2], [0, 0, 0, 0], [1, 0, 1, 0], (4, 1))
    found = reality.seen(events, 4, np.array([True, False, True, True]))
    assert found.counts.tolist() == [0, 2, 0]
    assert found.intervals.tolist() == [15]
