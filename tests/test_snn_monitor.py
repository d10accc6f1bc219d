"""`Monitor` in a training loop: what it writes and when, and that the model stays as it was."""

from __future__ import annotations

import copy
import gc
import io
import json
import pickle
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sinabs.layers as sl
import torch
from torch import nn
from torch.nn.modules import module as global_hooks

from evstore.errors import ArgumentError
from evstore.snn import IAF, HardwareLosses, IAFSqueeze, JsonLines, Monitor, models
from evstore.snn.monitor.seconds import PHASES, Clock, bottleneck
from evstore.snn.monitor.weights import described
from looping import Looping

Records = list[dict[str, Any]]


def hooks_of(model: nn.Module) -> int:
    """All that torch would call, in the model and everywhere."""
    inside = sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
        for m in model.modules()
    )
    everywhere = global_hooks._global_forward_hooks, global_hooks._global_forward_pre_hooks
    return inside + sum(map(len, everywhere))


def small(**options: Any) -> Any:
    torch.manual_seed(0)
    model = models.talk(classes=3, resolution=(12, 12), **options)
    with torch.no_grad():
        for layer in model:
            if hasattr(layer, "weight"):
                layer.weight *= 3
    return model


def some_frames(*shape: int) -> Any:
    return torch.poisson(torch.ones(shape or (2, 6, 2, 12, 12)))


def train(model: Any, monitor: Monitor, batches: int = 1, epoch: int = 0) -> None:
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)
    for frames in monitor.reading(some_frames() for _ in range(batches)):
        optimiser.zero_grad()
        with monitor.phase("forward"):
            loss = model(frames).square().mean()
        with monitor.phase("backward"):
            loss.backward()
        with monitor.phase("optimiser"):
            optimiser.step()
        monitor.step(loss=loss, terms={"square": loss}, lr=1e-3, epoch=epoch)


def test_records(tmp_path: Path) -> None:
    path, model = tmp_path / "run" / "metrics.jsonl", small()
    with Monitor(model, every=3, dt_us=500, writers=[JsonLines(path)]) as monitor:
        train(model, monitor, 5)
        monitor.write({"kind": "epoch", "epoch": 0, "split": "train", "accuracy": 0.5})
        share = monitor.bottleneck()
        monitor.end_epoch(0)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = [record["kind"] for record in records]
    assert kinds == ["step", "layers", "step", "step", "step", "layers", "step", "epoch"]
    steps = [record for record in records if record["kind"] == "step"]
    assert [step["step"] for step in steps] == [0, 1, 2, 3, 4]
    assert [step["sampled"] for step in steps] == [True, False, False, True, False]
    assert set(steps[1]["seconds"]) == set(PHASES)
    assert steps[0]["terms"] == {"square": steps[0]["loss"]}
    assert steps[0]["grad_norm"] > 0
    assert "grad_norm" not in steps[1]
    layers = records[1]["layers"]
    assert list(layers) == ["0", "1", "3", "4", "7", "8"]
    assert layers["0"]["gradient_norm"] > 0
    assert layers["0"]["weight_to_threshold"] == pytest.approx(
        max(abs(layers["0"]["weights"]["min"]), layers["0"]["weights"]["max"])
    )
    assert layers["1"]["min_v_mem"] == -1
    assert -1 <= layers["1"]["v_mem_min"] < layers["1"]["v_mem_mean"] < layers["1"]["v_mem_max"]
    assert layers["1"]["rate_hz"] == pytest.approx(layers["1"]["rate_per_step"] / 500e-6)
    assert sum(layers["1"]["spikes_per_step"]) == 2 * 6 * 8 * 10 * 10
    assert records[5]["layers"]["1"]["window_samples"] == 4
    assert share is not None
    assert 0 < share[1] <= 1


def test_gradients_are_those_of_backward() -> None:
    model = small()
    records: Records = []
    monitor = Monitor(model, writers=[records.append])
    with monitor.phase("forward"):
        loss = model(some_frames()).square().mean()
    with monitor.phase("backward"):
        loss.backward()
    wanted = {n: float(p.grad.norm()) for n, p in model.named_parameters() if p.grad is not None}
    with monitor.phase("optimiser"):
        model.zero_grad()
    monitor.step()
    layers = records[1]["layers"]
    for name in ("0", "3", "7"):
        assert layers[name]["gradient_norm"] == pytest.approx(wanted[f"{name}.weight"], rel=1e-5)
    total = sum(norm**2 for norm in wanted.values()) ** 0.5
    assert records[0]["grad_norm"] == pytest.approx(total, rel=1e-5)
    monitor.close()


def test_neurons_of_an_epoch_are_saved(tmp_path: Path) -> None:
    model = small()
    monitor = Monitor(model, every=1, writers=[JsonLines(tmp_path / "metrics.jsonl")])
    train(model, monitor, 3)
    held = monitor.neurons()
    monitor.end_epoch(7)
    assert monitor.neurons() == {}
    with np.load(tmp_path / "neurons.npz") as saved:
        assert int(saved["epoch"]) == 7
        assert int(saved["1/samples"]) == 6
        assert int(saved["1/steps"]) == 36
        assert saved["1/rate_per_step"].shape == (8, 10, 10)
        for layer, arrays in held.items():
            for what, array in arrays.items():
                np.testing.assert_array_equal(saved[f"{layer}/{what}"], array)
        np.testing.assert_array_equal(saved["1/dead"], saved["1/spikes"] == 0)
    before = (tmp_path / "neurons.npz").read_bytes()
    monitor.end_epoch(8)  # nothing was looked at: the file stays
    monitor.close()
    assert (tmp_path / "neurons.npz").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["metrics.jsonl", "neurons.npz"]


def test_the_model_is_not_touched() -> None:
    watched, alone = small(), small()
    clean = hooks_of(watched)
    names = list(watched.state_dict())
    monitor = Monitor(watched, every=1)  # no phases: hooks are there from now on
    assert hooks_of(watched) > clean
    frames = some_frames()
    torch.testing.assert_close(watched(frames), alone(frames), rtol=0, atol=0)
    assert list(watched.state_dict()) == names
    copied = copy.deepcopy(nn.Sequential(watched[0], watched[2]))
    kept = pickle.loads(pickle.dumps(nn.Sequential(watched[0], watched[2])))
    for one in (copied, kept):
        assert not one[0]._forward_hooks
    torch.save(watched.state_dict(), io.BytesIO())
    for one, other in zip(watched.modules(), alone.modules(), strict=True):
        assert set(vars(one)) == set(vars(other))
    monitor.step()
    monitor.close()
    assert hooks_of(watched) == clean


def test_hooks_only_where_a_forward_is_looked_at() -> None:
    model = small()
    clean, seen = hooks_of(model), []
    monitor = Monitor(model, every=2)
    for frames in monitor.reading(some_frames() for _ in range(4)):
        with monitor.phase("forward"):
            seen.append(hooks_of(model) - clean)
            model(frames)
        assert hooks_of(model) == clean
        monitor.step()
    assert seen == [2, 0, 2, 0]
    assert hooks_of(model) == clean


def test_nothing_is_kept_alive() -> None:
    model = nn.Sequential(nn.Linear(4, 5), IAF(), nn.Linear(5, 2), sl.LIF(10.0))
    alive: list[Any] = []

    def remember(module: Any, entering: Any, leaving: Any) -> None:
        alive.extend(weakref.ref(tensor) for tensor in (*entering, leaving))

    for layer in model:
        layer.register_forward_hook(remember)
    monitor = Monitor(model, every=1, writers=[lambda record: None])
    loss = model(torch.rand(3, 7, 4)).sum()
    loss.backward()
    alive.append(weakref.ref(loss))
    monitor.step(loss=loss, terms={"sum": loss})
    del loss
    sl_states = [layer.v_mem for layer in (model[1], model[3])]  # what sinabs itself keeps
    model[1].reset_states()
    model[3].reset_states()
    del sl_states
    gc.collect()
    kept = [ref() for ref in alive if ref() is not None]
    assert kept == []
    monitor.close()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["phase", "batch"])
def test_a_loop_that_ends_early(tmp_path: Path, error: type[BaseException], where: str) -> None:
    model, path = small(), tmp_path / "metrics.jsonl"
    clean = hooks_of(model)
    monitor = Monitor(model, every=1, writers=[JsonLines(path)])

    def cut_short() -> None:
        train(model, monitor, 2)
        for frames in monitor.reading([some_frames()]):
            if where == "batch":
                raise error
            with monitor.phase("forward"):
                model(frames)
                raise error

    with pytest.raises(error), monitor:
        cut_short()
    gc.collect()
    assert hooks_of(model) == clean
    assert len(path.read_text().splitlines()) == 4
    with np.load(tmp_path / "neurons.npz") as saved:  # no epoch had ended: they are saved as it is
        assert int(saved["epoch"]) == -1
        assert int(saved["1/samples"]) == 4
    with pytest.raises(ArgumentError, match="closed"):
        monitor.step()
    monitor.close()  # once more: nothing


def test_an_evaluation_between_two_steps_is_not_counted() -> None:
    model = small()
    records: Records = []
    monitor = Monitor(model, every=1, writers=[records.append])
    train(model, monitor, 1)
    with torch.no_grad():
        model(some_frames(5, 4, 2, 12, 12))
    assert monitor.neurons()["1"]["active_steps"].max() <= 12
    train(model, monitor, 1)
    assert records[-1]["layers"]["1"]["window_samples"] == 4
    monitor.close()


def test_without_phases_the_last_forward_counts() -> None:
    model = small()
    records: Records = []
    with Monitor(model, every=1, writers=[records.append]) as monitor:
        for samples in (5, 2):
            with torch.no_grad():
                model(some_frames(samples, 4, 2, 12, 12))
        monitor.step()
        with torch.no_grad():
            model(some_frames())
        monitor.step(epoch=1, extra=3)
    layers = [record["layers"]["1"] for record in records if record["kind"] == "layers"]
    assert [layer["window_samples"] for layer in layers] == [2, 4]
    assert records[2]["extra"] == 3
    assert layers[0]["silent"] >= layers[0]["dead"]
    assert records[1]["layers"]["0"]["gradient_norm"] is None


def test_a_step_that_saw_no_forward_is_made_up_for() -> None:
    model = small()
    records: Records = []
    with Monitor(model, every=10, writers=[records.append]) as monitor:
        monitor.step(step=40)
        train(model, monitor, 3)
    assert [r["step"] for r in records if r["kind"] == "step"] == [40, 41, 42, 43]
    assert [r["step"] for r in records if r["kind"] == "layers"] == [41]


def test_no_layers_at_all() -> None:
    model = small()
    records: Records = []
    with Monitor(model, every=0, writers=[records.append]) as monitor:
        train(model, monitor, 3)
        assert hooks_of(model) == hooks_of(small())
        monitor.end_epoch(0)
    assert [record["kind"] for record in records] == ["step"] * 3
    assert not any(record["sampled"] for record in records)


class Twice(nn.Module):
    """A shared linear layer and shared neurons, called twice; the time in an axis of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleDict({"weights": nn.Linear(4, 4), "neurons": IAF()})

    def forward(self, frames: Any) -> Any:
        for _ in range(2):
            frames = self.inner["neurons"](self.inner["weights"](frames))
        return frames


def test_nested_and_shared_layers() -> None:
    model, frames = Twice(), torch.poisson(torch.ones(3, 8, 4))
    nn.init.constant_(model.inner["weights"].weight, 0.5)
    records: Records = []
    with Monitor(model, every=1, writers=[records.append]) as monitor:
        model(frames)
        monitor.step()
    layers = records[1]["layers"]
    assert list(layers) == ["inner.weights", "inner.neurons"]
    model.inner["neurons"].reset_states()
    with torch.no_grad():
        first = model.inner["neurons"](model.inner["weights"](frames))
        second = model.inner["neurons"](model.inner["weights"](first))
    rate = float((first.sum() + second.sum()) / (2 * first.numel()))
    assert layers["inner.neurons"]["rate_per_step"] == pytest.approx(rate)
    assert rate > 0
    operations = 4 * float(frames.sum() + first.sum())
    assert layers["inner.weights"]["synops_per_sample"] == pytest.approx(operations / 3)
    assert layers["inner.weights"]["synops_per_step"] == pytest.approx(operations / 48)


def test_a_recurrent_layer_and_one_without_spikes() -> None:
    model = nn.Sequential(
        nn.Linear(3, 4), sl.IAFRecurrent(nn.Linear(4, 4)), sl.ExpLeak(tau_mem=5.0), nn.Linear(4, 2)
    )
    records: Records = []
    with Monitor(model, every=1, writers=[records.append]) as monitor, torch.no_grad():
        model(torch.rand(2, 5, 3))
        monitor.step()
    layers = records[1]["layers"]
    assert sorted(layers) == ["0", "1", "1.rec_connect", "3"]
    assert "weight_to_threshold" in layers["0"]
    assert "weight_to_threshold" not in layers["3"]


def test_a_layer_alone() -> None:
    for layer, shape in ((IAF(), (2, 3, 4)), (IAFSqueeze(batch_size=2), (6, 4))):
        records: Records = []
        with Monitor(layer, every=1, writers=[records.append]) as monitor:
            layer(torch.ones(shape))
            monitor.step()
        assert records[1]["layers"]["model"]["rate_per_step"] == 1
        assert records[1]["layers"]["model"]["window_samples"] == 2


def test_frames_of_another_size_begin_anew() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3), IAFSqueeze(batch_size=1))
    with Monitor(model, every=1) as monitor, torch.no_grad():
        for size in (8, 8, 9):
            model(torch.ones(4, 1, size, size))
            monitor.step()
        assert monitor.neurons()["1"]["spikes"].shape == (1, 7, 7)


def test_a_broken_network_is_written_down(tmp_path: Path) -> None:
    model = small()
    with torch.no_grad():
        model[0].weight[0] = float("nan")
    path = tmp_path / "metrics.jsonl"
    with Monitor(model, every=1, writers=[JsonLines(path)]) as monitor:
        train(model, monitor, 1)
    step, layers = [json.loads(line) for line in path.read_text().splitlines()]
    assert layers["layers"]["0"]["weights"] == {"not_finite": 144}  # after the step: all
    assert layers["layers"]["1"]["v_mem_max"] is None
    assert step["grad_norm"] is None


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_compiled_model() -> None:
    model = nn.Sequential(nn.Linear(3, 4), IAF())
    compiled = torch.compile(model, backend="eager")
    records: Records = []
    with Monitor(model, every=2, writers=[records.append]) as monitor, torch.no_grad():
        for _ in range(3):
            with monitor.phase("forward"):
                compiled(torch.ones(2, 5, 3))
            monitor.step()
    layers = [list(record["layers"]) for record in records if record["kind"] == "layers"]
    assert layers == [["0", "1"], ["0", "1"]]


@pytest.mark.parametrize("wrong", [{"every": -1}, {"dt_us": 0}, {"dt_us": float("nan")}])
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        Monitor(small(), **wrong)


def test_time_by_phase() -> None:
    records: Records = []

    def slow() -> Any:
        for _ in range(2):
            time.sleep(0.03)
            yield None

    monitor = Monitor(nn.Linear(1, 1), writers=[records.append])
    for _ in monitor.reading(slow()):
        with monitor.phase("forward"):
            time.sleep(0.01)
        with monitor.phase("forward"):
            time.sleep(0.01)
        time.sleep(0.01)
        monitor.step()
    for record in records:
        seconds = record["seconds"]
        assert seconds["data"] >= 0.03
        assert seconds["forward"] >= 0.02
        assert seconds["other"] >= 0.01
        assert "backward" not in seconds
    found = monitor.bottleneck()
    monitor.close()
    assert found is not None
    assert bottleneck({}) is None
    clock = Clock()
    time.sleep(0.02)
    clock.pause_ends()
    assert clock.take()["other"] < 0.02


def test_weights_that_are_nearly_equal_have_a_histogram() -> None:
    found = described(torch.tensor([1.0, 1.0000001]))
    assert sum(found["histogram"]["counts"]) == 2


def test_a_model_that_loops_over_time_by_keyword_counts_as_one_that_does_not() -> None:
    looping = Looping()
    whole = nn.Sequential(looping.linear, IAF())
    found = []
    for model in (looping, whole):
        records: Records = []
        with Monitor(model, every=1, dt_us=1000, writers=[records.append]) as monitor:
            loss = model(torch.ones(2, 10, 3)).sum()
            monitor.step(loss=loss)
        layers = next(record for record in records if record["kind"] == "layers")["layers"]
        found.append({k: v for k, v in next(iter(layers.values())).items() if k != "weights"})
    assert found[0] == found[1]
    assert found[0]["synops_per_step"] == 12.0


def test_weights_to_threshold_behind_an_average_pool_are_those_of_the_loss() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), IAFSqueeze(batch_size=1), nn.AvgPool2d(2), nn.Conv2d(2, 2, 3),
        IAFSqueeze(batch_size=1),
    )  # fmt: skip
    records: Records = []
    losses = HardwareLosses(model, weight_ratio=1.0)
    with Monitor(model, every=1, writers=[records.append]) as monitor, losses:
        monitor.step(loss=model(torch.ones(4, 1, 12, 12)).sum())
    losses.terms()
    layers = next(record for record in records if record["kind"] == "layers")["layers"]
    for name in ("0", "3"):
        said = float(losses.measured[f"weight_ratio.{name}"])
        assert layers[name]["weight_to_threshold"] == pytest.approx(said)
