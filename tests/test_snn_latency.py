"""Accuracy against time since onset, beside a loop that asks after every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sinabs")
from torch import nn  # noqa: E402

import evstore  # noqa: E402
from evstore import snn  # noqa: E402
from evstore.datasets.loading.collate import pad_collate  # noqa: E402
from evstore.errors import ArgumentError  # noqa: E402

CLASSES = 3


class Kept(nn.Module):
    """Gives the frames' own numbers as spikes, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, ...]] = []
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, frames: Any) -> Any:
        self.asked.append(tuple(frames.shape))
        self.modes.append((self.training, torch.is_grad_enabled()))
        return frames


def samples(seed: int, count: int = 40) -> list[tuple[Any, int]]:
    """Sparse spikes (T, classes) of 1 to 9 steps, many of them ties or silent."""
    rng = np.random.default_rng(seed)
    return [
        (rng.poisson(0.25, (int(rng.integers(1, 10)), CLASSES)).astype(np.int16), int(label))
        for label in rng.integers(0, CLASSES, count)
    ]


def batches(given: list[tuple[Any, int]], size: int = 7) -> list[Any]:
    return [pad_collate(given[at : at + size]) for at in range(0, len(given), size)]


def naive_answer(totals: list[float]) -> int | None:
    best = max(totals)
    return None if totals.count(best) > 1 else totals.index(best)


def naive(given: list[tuple[Any, int]], whole: bool = False) -> tuple[list[float], list[float]]:
    """Sample by sample and step by step; a sample that has ended stays as it is."""
    right, answered = [], []
    for step in range(max(len(frames) for frames, _ in given)):
        found = [
            None if whole and step + 1 < len(frames)
            else naive_answer(frames[: step + 1].sum(0).tolist())
            for frames, _ in given
        ]  # fmt: skip
        labels = [label for _, label in given]
        right.append(sum(a == b for a, b in zip(found, labels, strict=True)) / len(given))
        answered.append(sum(a is not None for a in found) / len(given))
    return right, answered


def test_spikes_against_the_loop(seed: int) -> None:
    given = samples(seed)
    found = snn.latency(Kept(), batches(given), dt_us=1000)
    right, answered = naive(given)
    assert np.allclose(found.accuracy, right)
    assert np.allclose(found.answered, answered)
    assert found.samples == len(given)
    assert found.times.tolist() == [1000.0 * (k + 1) for k in range(len(right))]


@pytest.mark.parametrize("whole", [False, True])
def test_frames_against_the_loop(seed: int, whole: bool) -> None:
    given = samples(seed)
    found = snn.frame_latency(Kept(), batches(given), whole=whole)
    right, answered = naive(given, whole)
    assert np.allclose(found.accuracy, right)
    assert np.allclose(found.answered, answered)
    assert found.times[0] == 1.0


def test_what_comes_behind_a_sample_does_not_count() -> None:
    """A network may go on spiking in the padding; the sample's time is over."""
    batch = pad_collate([(np.ones((2, 2), np.float32), 0), (np.ones((5, 2), np.float32), 0)])

    class Late(nn.Module):
        def forward(self, frames: Any) -> Any:
            out = torch.zeros_like(frames)
            out[:, 3:, 0] = 1.0
            return out

    found = snn.latency(Late(), [batch])
    assert found.answered.tolist() == found.accuracy.tolist() == [0, 0, 0, 0.5, 0.5]


def test_time_may_be_longer_in_one_batch_than_in_another() -> None:
    short, long = torch.eye(2)[None], torch.ones(1, 4, 2)
    found = snn.latency(Kept(), [(short, [0]), (long, [1])])
    assert found.accuracy.tolist() == [0.5, 0, 0, 0]
    assert found.answered.tolist() == [0.5, 0, 0, 0]


def test_modes_states_and_gradients_stay() -> None:
    model = nn.Sequential(Kept(), nn.Linear(CLASSES, CLASSES), snn.IAF(), nn.Dropout(0.9))
    model[3].eval()
    frames = torch.rand(4, 6, CLASSES) * 5
    with torch.no_grad():
        first = snn.latency(model, [(frames, [0, 1, 2, 0])])
        again = snn.latency(model, [(frames[:3], [0, 1, 2]), (frames[3:], [0])])
    assert np.allclose(first.accuracy, again.accuracy)
    assert model[0].modes == [(False, False)] * 3
    assert (model[0].training, model[3].training) == (True, False)
    assert torch.is_grad_enabled()
    assert not model[2].is_state_initialised()


def test_not_a_number_is_no_answer() -> None:
    frames = torch.tensor([[[1.0, 0.0], [torch.nan, 0.0], [0.0, 5.0]]])
    found = snn.latency(Kept(), [(frames, [0])])
    assert found.answered.tolist() == found.accuracy.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("accuracy", "settled"),
    [([0.5, 0.9, 0.9], 2), ([0.9, 0.5, 0.9], 3), ([0.95, 0.92, 0.9], 1), ([0.879, 0.88, 0.9], 2),
     ([0.3], 1)],
)  # fmt: skip
def test_settled(accuracy: list[float], settled: int) -> None:
    made = snn.Latency(np.array(accuracy), np.ones(len(accuracy)), 10)
    assert made.settled() == settled
    assert made.settled(100) == 1


def test_mistakes_are_named() -> None:
    frames = torch.ones(2, 3, CLASSES)
    with pytest.raises(ArgumentError, match="no samples"):
        snn.latency(Kept(), [])
    with pytest.raises(ArgumentError, match="one class a sample"):
        snn.latency(Kept(), [(frames, [0.5, 1.5])])
    with pytest.raises(ArgumentError, match="one class a sample"):
        snn.latency(Kept(), [(frames, [0, 1, 2])])
    with pytest.raises(ArgumentError, match=r"\(B, T, classes\)"):
        snn.latency(nn.Flatten(), [(frames, [0, 1])])
    with pytest.raises(ArgumentError, match=r"\(B, classes\)"):
        snn.frame_latency(nn.Unflatten(1, (CLASSES, 1)), [(frames, [0, 1])])
    with pytest.raises(ArgumentError, match="dt_us"):
        snn.latency(Kept(), [(frames, [0, 1])], dt_us=0)
    with pytest.raises(ArgumentError, match="axes"):
        snn.latency(Kept(), [(torch.ones(2, 0, 3), [0, 1])])


def test_a_loader_that_is_tested_stands_where_it_stood() -> None:
    samples = [(np.full((3, 2), i % 2, np.float32), i % 2) for i in range(12)]
    loader = evstore.Loader(samples, batch_size=5, seed=3, pad=True)
    order = []
    for _ in range(2):
        order.append([batch.targets.tolist() for batch in loader])
        for tested in (snn.latency(snn.IAF(), loader), snn.evaluate(snn.IAF(), loader)):
            assert tested.samples == 12
    assert loader.epoch == 2
    same = evstore.Loader(samples, batch_size=5, seed=3, pad=True)
    assert order == [[batch.targets.tolist() for batch in same] for _ in range(2)]


def test_events_where_frames_are_wanted_are_told() -> None:
    events = np.zeros(3, [("t", "i8"), ("x", "u2"), ("y", "u2"), ("p", "i1")])
    loader = evstore.Loader([(events, 0), (events, 1)], batch_size=2)
    model = snn.models.mlp(4, 2, 4, 1)
    for asked in (snn.latency, snn.evaluate):
        with pytest.raises(ArgumentError, match="takes frames, and this loader gives events"):
            asked(model, loader)
    with pytest.raises(ArgumentError, match="takes frames, as tensors"):
        model(next(iter(loader)).data)
