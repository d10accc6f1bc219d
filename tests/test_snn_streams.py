"""Long streams: what is written, how it is cut, and what carries from sample to sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sinabs")
import sinabs.layers as sl  # noqa: E402
from torch import nn  # noqa: E402

import evstore  # noqa: E402
from evstore import snn  # noqa: E402
from evstore.errors import ArgumentError  # noqa: E402
from evstore.snn.models import TimeSequential  # noqa: E402

SIDE, CLASSES, DT_US = 6, 3, 1000


def sample(rng: Any, label: int, duration_us: int = 9_000) -> evstore.Events:
    """Events in the third of the sensor that is the label's, from any time on."""
    count = int(rng.integers(20, 60))
    t = np.sort(rng.integers(0, duration_us, count)) + int(rng.integers(-5000, 5000))
    x = rng.integers(0, 2, count) + 2 * label
    return evstore.Events(t, x, rng.integers(0, SIDE, count), rng.integers(0, 2, count),
                          (SIDE, SIDE))  # fmt: skip


def some_samples(seed: int, count: int = 12) -> list[tuple[evstore.Events, int]]:
    rng = np.random.default_rng(seed)
    return [(sample(rng, k % CLASSES), k % CLASSES) for k in range(count)]


def network(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    model = TimeSequential(
        nn.Conv2d(2, 4, 3, bias=False), snn.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
        nn.Flatten(), nn.Linear(4 * 16, CLASSES, bias=False), snn.IAFSqueeze(batch_size=1),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in (model[0].weight, model[3].weight):
            parameter.add_(0.05).mul_(3.0)  # of silence nothing could be told
    return model


@pytest.fixture
def stream(seed: int, tmp_path: Path) -> Iterator[tuple[Any, list[tuple[evstore.Events, int]]]]:
    given = some_samples(seed)
    assert snn.write_stream(tmp_path / "s.evs", given, gap_us=700) == len(given)
    with evstore.open(tmp_path / "s.evs") as recording:
        yield recording, given


def test_samples_lie_one_behind_another(stream: Any) -> None:
    recording, given = stream
    labels = recording.labels
    at = 0
    for k, (events, label) in enumerate(given):
        start, stop = int(labels["t_start"][k]), int(labels["t_stop"][k])
        assert (start, stop) == (at, at + int(events.t[-1] - events.t[0]) + 1)
        assert labels["class_id"][k] == label
        own = recording.between(start, stop)
        assert np.array_equal(own.t - start, events.t - events.t[0])
        for name in "xyp":
            assert np.array_equal(getattr(own, name), getattr(events, name))
        at = stop + 700
    assert len(recording) == sum(len(events) for events, _ in given)


@pytest.mark.parametrize("steps", [1, 7, 10_000])
def test_frames_in_pieces_are_the_frames(stream: Any, steps: int) -> None:
    recording, _ = stream
    pieces = list(snn.stream_frames(recording, DT_US, steps=steps))
    assert all(len(piece) == steps for piece in pieces[:-1])
    whole = evstore.to_frames(recording[:], duration=DT_US, start=0, stop=recording.t_stop)
    assert np.array_equal(torch.cat(pieces).numpy(), whole)


@pytest.mark.parametrize("steps", [1, 5, 1000])
def test_pieces_give_what_the_whole_gives(seed: int, steps: int) -> None:
    model = network(seed)
    frames = torch.poisson(torch.full((40, 2, SIDE, SIDE), 0.5))
    with torch.no_grad():
        whole = model(frames[None])[0]
    assert whole.any()
    assert torch.equal(torch.cat([*snn.follow_stream(model, frames.split(steps))]), whole)
    assert model.reset
    resets = [0, 3, 17, 39, 40, 41]
    parts = [frames[a:b] for a, b in zip([0, 3, 17, 39], [3, 17, 39, 40], strict=True)]
    with torch.no_grad():
        anew = torch.cat([model(part[None])[0] for part in parts])
    found = torch.cat([*snn.follow_stream(model, frames.split(steps), resets)])
    assert torch.equal(found, anew)
    assert not torch.equal(anew, whole)


def test_a_stream_that_is_left_early_leaves_the_model_as_it_was() -> None:
    model = network()
    pieces = snn.follow_stream(model, torch.ones(10, 2, SIDE, SIDE).split(2))
    next(pieces)
    assert torch.is_grad_enabled()
    assert not model.reset
    pieces.close()
    assert model.reset
    assert not model[1].is_state_initialised()


def naive_answers(outputs: Any, spans: Any) -> list[int]:
    found = []
    for first, last in spans:
        totals = [0.0] * outputs.shape[1]
        for step in range(max(first, 0), min(last, len(outputs))):
            totals = [a + b for a, b in zip(totals, outputs[step].tolist(), strict=True)]
        found.append(-1 if totals.count(max(totals)) > 1 else totals.index(max(totals)))
    return found


@pytest.mark.parametrize("steps", [1, 4, 100])
def test_intervals_against_the_loop(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    outputs = torch.from_numpy(rng.poisson(0.4, (60, CLASSES)).astype(np.float32))
    first = rng.integers(-3, 64, 50)
    spans = np.stack([first, first + rng.integers(0, 12, 50)], 1)
    found = snn.answer_intervals(outputs.split(steps), spans)
    assert found.tolist() == naive_answers(outputs, spans)
    assert -1 in found
    assert len(set(found.tolist())) == CLASSES + 1


def by_hand(model: Any, recording: Any, resets: list[int]) -> list[int]:
    """All frames at once, one step after another; a step is of the label at its middle."""
    frames = evstore.to_frames(recording[:], duration=DT_US, start=0, stop=recording.t_stop)
    outputs = []
    model.reset = False
    snn.reset_states(model)
    for step, frame in enumerate(frames):
        if step in resets:
            snn.reset_states(model)
        with torch.no_grad():
            outputs.append(model(torch.from_numpy(frame)[None, None].float())[0, 0])
    snn.reset_states(model)
    model.reset = True
    middles = np.arange(len(frames)) * DT_US + DT_US / 2
    spans = []
    for start, stop in zip(recording.labels["t_start"], recording.labels["t_stop"], strict=True):
        own = np.flatnonzero((middles >= start) & (middles < stop))
        spans.append((own[0], own[-1] + 1))
    return naive_answers(torch.stack(outputs), spans)


def test_resets(stream: Any, seed: int) -> None:
    recording, given = stream
    model = network(seed)
    firsts = [-(-(2 * int(t) - DT_US) // (2 * DT_US)) for t in recording.labels["t_start"]]
    steps = int(recording.t_stop) // DT_US
    every = {0.0137: [-(-k * 13_700 // DT_US) for k in range(1, steps)]}
    cases: list[tuple[Any, list[int]]] = [("never", []), ("samples", firsts), *every.items()]
    for reset, resets in cases:
        for pieces in (3, 50):
            found = snn.answer_stream(model, recording, DT_US, reset=reset, steps=pieces)
            assert found.answers.tolist() == by_hand(model, recording, resets), reset
        assert found.targets.tolist() == [label for _, label in given]
        assert 0 <= found.accuracy <= found.answered <= 1
        assert np.isclose(np.mean(found.in_parts(4)), found.accuracy)  # parts of equal length


def test_inhibition_is_never_forgotten_but_by_a_leak_or_a_floor() -> None:
    """What silences a neuron silences it for good: the talk's warning, in one neuron."""
    minus, plus = torch.full((100, 1), -1.0), torch.full((20, 1), 0.5)
    pieces = [minus, plus]
    for layer, spikes in (
        (snn.IAF(), 0),
        (snn.IAF(min_v_mem=-1.0), 9),
        (snn.leaky(snn.IAF(), 5.0), 4),
    ):
        outputs = list(snn.follow_stream(layer, pieces))
        assert not outputs[0].any()
        assert (outputs[1].sum() > 0) == (spikes > 0)
    reset = list(snn.follow_stream(snn.IAF(), pieces, resets=[100]))
    assert reset[-1].sum() == 10


@pytest.mark.parametrize("squeezed", [False, True])
def test_a_very_slow_leak_is_none(seed: int, squeezed: bool) -> None:
    torch.manual_seed(seed)
    options: dict[str, Any] = {"spike_threshold": torch.tensor(1.5), "min_v_mem": -0.5}
    layer = snn.IAFSqueeze(batch_size=2, **options) if squeezed else snn.IAF(**options)
    shape = (20, 4) if squeezed else (2, 10, 4)
    given = torch.randint(-4, 8, shape) / 4
    slow = snn.leaky(layer, 1e12)
    assert torch.equal(slow(given), layer(given))
    assert isinstance(slow, sl.LIFSqueeze if squeezed else sl.LIF)
    assert not isinstance(slow, sl.IAF)
    assert slow.spike_threshold is not layer.spike_threshold
    plain = sl.LIF(tau_mem=3.0, norm_input=False, **options)
    steps = given.unflatten(0, (2, 10)) if squeezed else given
    found = snn.leaky(layer, 3.0)(given)
    assert torch.equal(found.reshape(steps.shape), plain(steps))


def test_leaky_copies_the_rest() -> None:
    model = network()
    model(torch.rand(2, 3, 2, SIDE, SIDE)).sum()  # states with a history
    shared = nn.Sequential(model[1], nn.Sequential(model[1]))
    leaking = snn.leaky(model, 4.0)
    assert type(leaking) is TimeSequential
    assert torch.equal(leaking[0].weight, model[0].weight)
    assert leaking[0].weight is not model[0].weight
    assert leaking[1].min_v_mem == -1.0
    assert leaking[4].min_v_mem is None
    assert isinstance(model[1], sl.IAF)
    assert model[1].is_state_initialised()
    twice = snn.leaky(shared, 4.0)
    assert twice[0] is twice[1][0]
    with pytest.raises(ArgumentError, match="tau_mem"):
        snn.leaky(model, 0.0)
    with pytest.raises(ArgumentError, match="no IAF layer"):
        snn.leaky(leaking, 4.0)


def test_mistakes_are_named(stream: Any, tmp_path: Path) -> None:
    recording, given = stream
    model, path = network(), tmp_path / "other.evs"
    for parts in (0, 3):
        with pytest.raises(ArgumentError, match="2 samples do not make"):
            snn.StreamAnswers(np.array([1, 2]), np.array([1, 2])).in_parts(parts)
    for wrong in ("sometimes", True, 0.0, 1e-4, float("nan"), float("inf")):
        with pytest.raises(ArgumentError, match="reset is"):
            snn.answer_stream(model, recording, DT_US, reset=wrong)
    with pytest.raises(ArgumentError, match="at least 1"):
        snn.answer_stream(model, recording, DT_US, steps=0)
    with pytest.raises(ArgumentError, match="shorter than one"):
        snn.answer_stream(model, recording, 10**9)
    empty = evstore.Events.empty((SIDE, SIDE))
    larger = evstore.Events([1], [1], [1], [1], (9, 9))
    for samples, words in (
        ([], "at least one"),
        ([given[0], (empty, 1)], "sample 1 has no events"),
        ([given[0], (larger, 1)], r"\(9, 9\) for sample 1"),
        ([(given[0][0], -1)], "integers from 0 on"),
    ):
        with pytest.raises(ArgumentError, match=words):
            snn.write_stream(path, samples)
        assert list(tmp_path.glob("other*")) == []
    with pytest.raises(ArgumentError, match="gap_us"):
        snn.write_stream(path, given, gap_us=-1)
    evstore.save(path, given[0][0])
    with evstore.open(path) as plain, pytest.raises(ArgumentError, match="no labelled times"):
        snn.answer_stream(model, plain, DT_US)


def test_what_is_no_stream_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"evstore.open\('own.evs'\)"):
        snn.answer_stream(snn.IAF(), "own.evs", 1000)
    with pytest.raises(ArgumentError, match="output='events'"):
        snn.write_stream(tmp_path / "own.evs", [(np.zeros((2, 2)), 1)])
    assert not list(tmp_path.iterdir())
