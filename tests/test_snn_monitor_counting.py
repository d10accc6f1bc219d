"""What the monitor counts of spikes, synapses and weights, against slow twins and sinabs' hooks."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sinabs.hooks as peers
import sinabs.layers as sl
import torch
from torch import nn

import naive_monitor
from evstore.snn import IAFSqueeze, Monitor
from evstore.snn.monitor.counting import by_torch, counted
from evstore.snn.monitor.neurons import INTERVAL_BINS, PER_STEP, Counts
from evstore.snn.monitor.weights import described
from evstore.snn.synops import synops

NAMES = ("spikes", "active", "most", "interval_sum", "interval_count", "per_step", "intervals")


def some_spikes(seed: int, *shape: int, rate: float = 0.3, dtype: Any = torch.float32) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.poisson(torch.full(shape, rate), generator=generator).to(dtype)


def layers_of(model: Any, frames: Any, **options: Any) -> dict[str, Any]:
    records: list[dict[str, Any]] = []
    with Monitor(model, writers=[records.append], **options) as monitor:
        with monitor.phase("forward"), torch.no_grad():
            model(frames)
        monitor.step()
    (found,) = [record for record in records if record["kind"] == "layers"]
    return dict(found["layers"])


@pytest.mark.parametrize("way", ["kernel", "torch"])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.6, 6.0])
@pytest.mark.parametrize("shape", [(3, 70, 5), (1, 1, 4), (4, 1, 1), (2, 9, 0), (0, 5, 3)])
def test_counts(seed: int, way: str, rate: float, shape: tuple[int, int, int]) -> None:
    spikes = some_spikes(seed, *shape, rate=rate)
    found = Counts(shape[2:], shape[0], shape[0] * shape[1])
    if way == "kernel":
        found = counted(spikes)
    elif spikes.numel():
        by_torch(spikes, found)
    slow = naive_monitor.count(spikes.numpy(), PER_STEP, INTERVAL_BINS)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(found, name), slow[name], err_msg=name)
    assert found.samples == shape[0]
    assert found.steps == shape[0] * shape[1]


def test_long_intervals_and_several_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    spikes = torch.zeros(2, 70_000, 1)
    spikes[0, [0, 1, 3, 40_000, 69_999]] = 1
    spikes[1, [5, 69_000]] = 1
    piecewise = Counts((1,), 2, 140_000)
    monkeypatch.setattr("evstore.snn.monitor.counting.AT_ONCE", 70_000)
    by_torch(spikes, piecewise)
    for found in (counted(spikes), piecewise):
        assert found.intervals.tolist() == [1, 1, *[0] * 12, 1, 2]
        assert found.interval_sum.tolist() == [69_999 + 68_995]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.uint8])
def test_other_dtypes_and_strides(seed: int, dtype: Any) -> None:
    spikes = some_spikes(seed, 3, 4, 20, 2, dtype=dtype).permute(0, 2, 3, 1)
    assert not spikes.is_contiguous()
    slow = naive_monitor.count(spikes.float().numpy().reshape(3, 20, 8), PER_STEP, INTERVAL_BINS)
    by_both = [counted(spikes), Counts(tuple(spikes.shape[2:]), 3, 60)]
    by_torch(spikes, by_both[1])
    for name in NAMES:
        for found in by_both:
            np.testing.assert_array_equal(getattr(found, name), slow[name], err_msg=name)


def test_what_is_no_number_is_no_spike() -> None:
    values = torch.tensor([[[float("nan"), 1.0], [float("inf"), -1.0]]])
    by_both = [counted(values), Counts((2,), 1, 2)]
    by_torch(values, by_both[1])
    for counts in by_both:
        assert counts.active.tolist() == [1, 1]
        assert counts.per_step.tolist() == [2, 1, 0, 0, 1]


def test_dead_and_saturated() -> None:
    spikes = torch.zeros(2, 10, 3)
    spikes[:, :9, 1] = 1  # in 90 % of steps: the threshold
    spikes[:, :8, 2] = 5  # many spikes, in fewer steps
    counts = counted(spikes)
    assert counts.dead.tolist() == [True, False, False]
    assert counts.saturated.tolist() == [False, True, False]
    assert counts.by_neuron()["max_spikes_per_step"].tolist() == [0, 1, 5]
    np.testing.assert_array_equal(counts.by_neuron()["mean_interval_steps"], [np.nan, 1, 1])


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": (2, 5), "stride": (2, 3), "padding": (1, 2)},
        {"kernel_size": 3, "dilation": 2, "padding": 1, "groups": 2},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": 2, "stride": 4, "padding": "valid"},
        {"kernel_size": 1, "stride": 2, "padding": 2},
    ],
)
def test_synops_of_a_convolution(seed: int, options: dict[str, Any]) -> None:
    layer = nn.Conv2d(4, 6, bias=False, **options)
    entering = some_spikes(seed, 5, 4, 9, 11)
    found = float(synops(layer, entering))
    assert found == naive_monitor.convolution_synops(layer, entering)
    if not isinstance(options.get("padding"), str):  # sinabs cannot
        leaving = layer(entering)
        fan_outs = peers.conv_connection_map(layer, entering.shape[1:], leaving.shape[1:])
        if fan_outs.shape[1:] == entering.shape[1:] and options.get("groups", 1) == 1:
            assert found == pytest.approx(float((entering * fan_outs).sum()), rel=1e-6)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_synops_where_the_border_is_repeated(seed: int, mode: str) -> None:
    layer = nn.Conv2d(2, 3, 3, padding=(2, 1), stride=2, padding_mode=mode, bias=False)
    plain = nn.Conv2d(2, 3, 3, stride=2, bias=False)
    entering = some_spikes(seed, 2, 2, 7, 8)
    around = layer._reversed_padding_repeated_twice
    surrounded = nn.functional.pad(entering, around, mode=mode)
    assert float(synops(layer, entering)) == naive_monitor.convolution_synops(plain, surrounded)


def test_synops_of_other_layers(seed: int) -> None:
    entering = some_spikes(seed, 2, 3, 7)
    assert float(synops(nn.Linear(7, 5), entering)) == float(entering.sum()) * 5
    line = nn.Conv1d(3, 4, 3, stride=2, padding=1)
    image = nn.Conv2d(3, 4, (1, 3), stride=(1, 2), padding=(0, 1))
    slow = naive_monitor.convolution_synops(image, entering[:, :, None])
    assert float(synops(line, entering)) == slow
    assert float(synops(nn.Linear(7, 5), -entering)) == float(entering.sum()) * 5  # signed frames


def talk(batch: int, pool: Any) -> Any:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2), sl.IAFSqueeze(batch_size=batch), pool(2),
        nn.Conv2d(4, 6, 3), sl.IAFSqueeze(batch_size=batch), nn.Flatten(),
        nn.Linear(6 * 3 * 2, 5), IAFSqueeze(batch_size=batch),
    )  # fmt: skip
    for index in (0, 3, 6):
        model[index].weight.data *= 4
    return model


@pytest.mark.parametrize("pool", [nn.AvgPool2d, sl.SumPool2d])
def test_as_sinabs_counts(seed: int, pool: Any) -> None:
    batch, steps = 3, 12
    model, frames = talk(batch, pool), some_spikes(seed, batch * steps, 2, 20, 16, rate=1.0)
    found = layers_of(model, frames, dt_us=2000)
    for layer in model:
        if isinstance(layer, sl.StatefulLayer):
            layer.reset_states()
            layer.register_forward_hook(peers.firing_rate_hook)
            layer.register_forward_hook(peers.firing_rate_per_neuron_hook)
    peers.register_synops_hooks(model, dt=2e-3)
    with torch.no_grad():
        model(frames)
    per_second = model.hook_data["synops_per_second"]
    for index, rate in model.hook_data["synops_per_timestep"].items():
        mine = found[str(index)]
        assert mine["synops_per_step"] == pytest.approx(float(rate), rel=1e-5)
        assert mine["synops_per_sample"] == pytest.approx(float(rate) * steps, rel=1e-5)
        assert mine["synops_per_s"] == pytest.approx(float(per_second[index]), rel=1e-5)
    for index in (1, 4, 7):
        hooks = model[index].hook_data
        mine = found[str(index)]
        assert mine["rate_per_step"] == pytest.approx(float(hooks["firing_rate"]), rel=1e-5)
        assert mine["rate_hz"] == pytest.approx(float(hooks["firing_rate"]) / 2e-3, rel=1e-5)
        assert mine["rate_per_step"] > 0
    assert list(found) == ["0", "1", "3", "4", "6", "7"]


def test_rates_of_neurons_as_sinabs_counts(seed: int) -> None:
    model = nn.Sequential(nn.Linear(6, 9), sl.LIF(tau_mem=10.0, norm_input=False))
    frames = some_spikes(seed, 4, 15, 6, rate=2.0)
    monitor = Monitor(model)
    with monitor.phase("forward"):
        model(frames)
    monitor.step()
    model[1].reset_states()
    model[1].register_forward_hook(peers.firing_rate_per_neuron_hook)
    model(frames)
    rates = model[1].hook_data["firing_rate_per_neuron"].detach().numpy()
    np.testing.assert_allclose(monitor.neurons()["1"]["rate_per_step"], rates, rtol=1e-6)
    assert rates.any()
    monitor.close()


def test_weights_and_what_eight_bits_leave(seed: int) -> None:
    weights = torch.randn(50, 40, generator=torch.Generator().manual_seed(seed))
    weights[:5] = 0
    found = described(weights)
    scale = float(weights.abs().max()) / 127
    rounded = torch.round(weights / scale) * scale
    error = float((weights - rounded).square().mean().sqrt() / weights.square().mean().sqrt())
    assert found["quantised"]["relative_error"] == pytest.approx(error, rel=1e-4)
    assert found["quantised"]["zeros"] == pytest.approx(float((rounded == 0).float().mean()))
    assert found["zeros"] == pytest.approx(0.1)
    assert sum(found["histogram"]["counts"]) == 2000
    assert found["std"] == pytest.approx(float(weights.std(unbiased=False)), rel=1e-5)
    assert described(torch.zeros(3))["quantised"] == {"relative_error": 0.0, "zeros": 1.0}
    assert described(torch.tensor([1.0, float("nan"), float("inf")])) == {"not_finite": 2}
    assert described(torch.zeros(0)) == {"not_finite": 0}


def test_numbers_are_plain(seed: int, tmp_path: Path) -> None:
    found = layers_of(talk(2, sl.SumPool2d), some_spikes(seed, 10, 2, 20, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert json.loads(json.dumps(found, allow_nan=False)) == found
