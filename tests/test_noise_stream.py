"""What streams refuse, and how they go on."""

from __future__ import annotations

import pytest

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.noise import BackgroundActivity, Compose, HotPixelMask, Leak, Refractory, Stcf

SIZE = (34, 34)


def at(*t: int) -> Events:
    return Events([*t], [5] * len(t), [7] * len(t), [1] * len(t), SIZE)


def test_a_refused_batch_is_as_if_it_had_not_come() -> None:
    noise, plain = (BackgroundActivity(5).stream(SIZE) for _ in range(2))
    parts = [noise.push(at(0))]
    with pytest.raises(ArgumentError, match="is a time wrong"):
        noise.push(at(10**13))
    parts += [noise.push(at(10)), noise.push(at(500_000)), noise.end()]
    expected = [plain.push(at(0)), plain.push(at(10)), plain.push(at(500_000)), plain.end()]
    assert Events.concatenate(parts) == Events.concatenate(expected)


def test_what_cannot_begin_says_so_each_time() -> None:
    stream = HotPixelMask([(100, 100)]).stream(SIZE)
    for _ in range(2):
        with pytest.raises(ArgumentError, match="outside of the sensor"):
            stream.push(at(1))


@pytest.mark.parametrize("noise", [BackgroundActivity(5), Compose(Refractory(5), Leak(10))])
def test_noise_of_no_events_has_to_know_both_times(noise: BackgroundActivity) -> None:
    for one in ("start", "stop"):
        with pytest.raises(ArgumentError, match="both start and stop"):
            noise(Events.empty(SIZE), **{one: 10**6})
    with pytest.raises(ArgumentError, match="stream\\(start="):
        noise.stream(SIZE).end(10**6)
    assert len(noise(Events.empty(SIZE))) == 0
    assert len(noise(Events.empty(SIZE), start=0, stop=10**6)) > 0
    assert len(noise.stream(SIZE, start=0).end(10**6)) > 0
    assert len(Stcf(5)(Events.empty(SIZE), stop=10**6)) == 0
    assert len(Stcf(5).stream(SIZE).end(10**6)) == 0


def test_transforms_in_a_list() -> None:
    """As tonic's Compose has them."""
    with pytest.raises(ArgumentError, match=r"one by one, Compose\(a, b\): got them in a list"):
        Compose([Stcf(5), Refractory(5)])  # type: ignore[arg-type]
