"""Quantisation-aware training against integers worked out on their own."""

from __future__ import annotations

import copy
import io
from fractions import Fraction
from typing import Any

import pytest

torch = pytest.importorskip("torch")
snn_layers = pytest.importorskip("sinabs.layers")
from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from evstore import snn  # noqa: E402
from evstore.errors import ArgumentError  # noqa: E402
from evstore.snn import models  # noqa: E402
from evstore.snn.pairs import pairs  # noqa: E402


def whole(value: Fraction) -> int:
    return round(value)  # half to even, as torch


def slow_scale(numbers: list[float], bits: int) -> Fraction | None:
    low, high = abs(min(map(Fraction, numbers))), abs(max(map(Fraction, numbers)))
    top = 2 ** (bits - 1)
    if low * (top - 1) <= high * top:
        return Fraction(top - 1) / high if high else None
    return Fraction(top) / low


def slow_integers(weights: Any, bias: Any, threshold: float, lower: float) -> tuple[Any, ...]:
    """Weights, biases, threshold and lower bound of a layer, in exact fractions."""
    scales = [
        slow_scale(weights.flatten().tolist(), 8),
        slow_scale(bias.tolist(), 8) if bias is not None else None,
        slow_scale([lower, threshold], 16),
    ]
    scale = min(s for s in scales if s is not None)
    return (
        [whole(Fraction(w) * scale) for w in weights.flatten().tolist()],
        None if bias is None else [whole(Fraction(b) * scale) for b in bias.tolist()],
        whole(Fraction(threshold) * scale),
        whole(Fraction(lower) * scale),
        scale,
    )


def network(bias: bool = True, **neuron: Any) -> Any:
    torch.manual_seed(0)
    options = {"batch_size": 1, "min_v_mem": -0.7, "spike_threshold": torch.tensor(0.3)} | neuron
    model = models.TimeSequential(
        nn.Conv2d(2, 3, 3, bias=bias), snn.IAFSqueeze(**options), nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 2, bias=bias), nn.Dropout(0.1), snn.IAFSqueeze(**options), nn.Flatten(),
        nn.Linear(16, 5, bias=bias), snn.IAFSqueeze(**options),
    )  # fmt: skip
    for layer in model:
        if bias and hasattr(layer, "bias"):
            layer.bias.data.mul_(0.2)  # else they would limit the scale
    return model


@pytest.mark.parametrize("bias", [True, False])
def test_integers_are_those_of_the_chip(bias: bool) -> None:
    model = network(bias)
    for found in pairs(model):
        layer, kept = found.weighted, snn.quantised_weights(model)[found.name]
        weights, biases, threshold, lower, scale = slow_integers(
            layer.weight.detach() / found.averaged, layer.bias if bias else None,
            float(torch.tensor(0.3)), float(torch.tensor(-0.7)),
        )  # fmt: skip
        assert kept.integers.flatten().tolist() == weights
        assert (kept.biases if biases is None else kept.biases.tolist()) == biases
        assert (kept.threshold, kept.lower) == (threshold, lower)
        assert kept.scale == pytest.approx(float(scale), rel=1e-6)
        assert kept.integers.shape == layer.weight.shape
        exact = layer.weight.detach().double().flatten() / found.averaged
        rounded = torch.tensor(weights, dtype=torch.float64) * float(torch.tensor(0.3)) / threshold
        error = ((rounded - exact).square().mean() / exact.square().mean()).sqrt()
        assert kept.error == pytest.approx(error.item(), rel=1e-3)
        assert 0 < kept.error < 0.02
    assert snn.quantised_weights(model)["3"].scale > snn.quantised_weights(model)["0"].scale


def integer_network(model: Any, frames: Any) -> Any:
    """The talk's layers with whole numbers alone: what the chip adds up, a step at a time."""
    held = snn.quantised_weights(model)
    values = frames.double().flatten(0, 1)
    for found in pairs(model):
        layer, kept = found.weighted, held[found.name]
        if isinstance(layer, nn.Conv2d):
            current = nn.functional.conv2d(values, kept.integers.double())
        else:
            current = values.flatten(1) @ kept.integers.double().T
        current = current.unflatten(0, frames.shape[:2])
        state, steps = torch.zeros_like(current[:, 0]), []
        for step in range(frames.shape[1]):
            state = state + current[:, step]
            spikes = torch.where(state > 0, (state / kept.threshold).trunc(), 0.0)
            state = (state - spikes * kept.threshold).clamp_min(kept.lower)
            steps.append(spikes)
        values = torch.stack(steps, 1).flatten(0, 1)
        if isinstance(layer, nn.Conv2d):
            values = 4 * nn.functional.avg_pool2d(values, 2)
    return values.unflatten(0, frames.shape[:2]).float()


def test_computes_what_integers_give() -> None:
    torch.manual_seed(1)
    model = models.talk(resolution=(14, 14))
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):  # a scale of 256: sums of floats are exact
            layer.weight.data.mul_(127 / 256 / layer.weight.abs().max()).flatten()[3] = 127 / 256
    frames = torch.poisson(torch.full((2, 12, 2, 14, 14), 0.5))
    full = model(frames)
    slow = integer_network(model, frames)
    snn.fake_quantise(model)
    assert torch.equal(model(frames), slow)
    assert slow.sum() > 10
    assert snn.quantised_weights(model)["0"].scale == 256
    assert not torch.equal(full, slow)  # 8 bits do show
    snn.remove_quantise(model)
    assert torch.equal(model(frames), slow)


def test_baked_weights_stay_on_their_grid() -> None:
    model = network()
    before = snn.quantised_weights(model)
    snn.remove_quantise(snn.fake_quantise(model))
    after = snn.quantised_weights(model)
    for name, kept in after.items():
        assert torch.equal(kept.integers, before[name].integers)
        assert torch.equal(kept.biases, before[name].biases)
        assert (kept.threshold, kept.lower) == (before[name].threshold, before[name].lower)
        assert kept.error < 1e-6
    assert model[1].min_v_mem.item() == pytest.approx(
        after["0"].lower * 0.3 / after["0"].threshold, rel=1e-6
    )
    assert [type(layer) for layer in model] == [type(layer) for layer in network()]


def test_dropped_quantisation_leaves_the_full_weights() -> None:
    model, plain = network(), network()
    snn.remove_quantise(snn.fake_quantise(model), bake=False)
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True)
    )
    assert "chip" not in vars(model[0])
    assert snn.remove_quantise(model) is model  # plain already


def test_gradients_go_straight_through() -> None:
    torch.manual_seed(2)
    layer = nn.Linear(6, 3)
    model = nn.Sequential(layer, snn.IAF(min_v_mem=-1.0))
    snn.fake_quantise(model)
    values = torch.randn(4, 6)
    layer(values).square().sum().backward()
    weight, bias = layer.quantised()
    assert not torch.equal(weight, layer.weight)
    reference = nn.functional.linear(values, weight.detach().requires_grad_(), bias)
    slow = torch.autograd.grad(reference.square().sum(), reference)[0]
    assert torch.allclose(layer.weight.grad, slow.T @ values, rtol=1e-5)
    assert torch.allclose(layer.bias.grad, slow.sum(0), rtol=1e-5)


def test_trains() -> None:
    torch.manual_seed(3)
    model = snn.fake_quantise(models.mlp(8, 2, 12, 1), weight_bits=4)
    frames, labels = torch.poisson(torch.rand(16, 6, 8)), torch.arange(16) % 2
    frames[labels == 0, :, :4] += 2
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(frames).sum(1), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert len(model[0].quantised()[0].unique()) <= 16
    assert len(model[0].weight.unique()) > 16


def test_copies_saves_and_loads() -> None:
    model = snn.fake_quantise(network().eval())
    plain = network()
    assert list(model.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(model.state_dict())
    frames = torch.poisson(torch.full((2, 5, 2, 8, 8), 0.5))
    want = model(frames)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for other in (copy.deepcopy(model), torch.load(file, weights_only=False)):
        assert torch.equal(other(frames), want)
        assert other[0].chip.neurons[0] is other[1]
        assert other[1] is not model[1]
        other[1].spike_threshold.data.fill_(3.0)
        assert not torch.equal(other[0].quantised()[0], model[0].quantised()[0])
    assert torch.equal(model(frames), want)


def test_half_types() -> None:
    model = snn.fake_quantise(network(bias=False).to(torch.bfloat16))
    weight, _ = model[0].quantised()
    assert weight.dtype == torch.bfloat16
    assert not torch.isnan(weight).any()
    # Beside integers, of which bfloat16 has eight bits of precision, and a sign.
    assert snn.quantised_weights(model)["0"].integers.abs().max() >= 126


def test_no_floor_is_refused() -> None:
    model = network(min_v_mem=None)
    with pytest.raises(ArgumentError, match=r"layer '1' has no min_v_mem.*min_v_mem=-1.0"):
        snn.fake_quantise(model)
    dead = snn.quantised_weights(model)["0"]
    assert (dead.zeros, dead.scale, dead.limited_by) == (1.0, 1.0, "min_v_mem")
    assert not dead.integers.any()
    assert dead.lower == -32768


def test_floors_and_biases_that_limit_the_scale() -> None:
    with pytest.raises(ArgumentError, match=r"min_v_mem limit the scale.*all weights become 0"):
        snn.fake_quantise(network(min_v_mem=-30000.0))
    one = nn.Sequential(nn.Linear(4, 4), snn.IAF(min_v_mem=-300.0))
    with pytest.warns(UserWarning, match="layer '0': its min_v_mem limit the scale"):
        snn.fake_quantise(one)
    model = network()
    model[0].bias.data[0] = 3.0
    with pytest.warns(UserWarning, match="its biases limit the scale"):
        snn.fake_quantise(model)
    model = network()
    model[7].weight.data[0] = 1e6
    with pytest.raises(ArgumentError, match=r"layer '7'.*the threshold becomes 0"):
        snn.fake_quantise(model)
    assert type(model[0]) is nn.Conv2d  # refused as a whole
    model[7].weight.data[0] = torch.nan
    with pytest.raises(ArgumentError, match=r"layer '7'.*not a number"):
        snn.fake_quantise(model)
    model[7].weight.data.zero_()
    model[7].bias.data.zero_()
    with pytest.raises(ArgumentError, match="all weights become 0"):
        snn.fake_quantise(model)


def test_what_a_chip_does_not_have() -> None:
    neurons, weights = snn.IAF(min_v_mem=-1.0), nn.Linear(4, 4)
    for model, message in (
        (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), neurons), "merge the batch norm"),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.AvgPool2d(2), neurons), "average pool stands"),
        (nn.Sequential(weights, neurons, nn.Linear(4, 4), neurons), "shared"),
        (nn.Sequential(weights, neurons, weights, snn.IAF(min_v_mem=-1.0)), "shared"),
        (nn.Sequential(neurons), "no Conv1d"),
        (nn.Sequential(weights, snn.IAF(min_v_mem=-1.0, spike_threshold=torch.rand(4))), "differs"),
        (nn.Sequential(weights, snn.IAF(min_v_mem=-1.0, spike_threshold=-1.0)), "above 0"),
    ):
        with pytest.raises(ArgumentError, match=message):
            snn.fake_quantise(model)
    for bits in (1, 25, 8.0, True):
        with pytest.raises(ArgumentError, match="weight_bits"):
            snn.fake_quantise(nn.Sequential(weights, neurons), weight_bits=bits)

    class Own(nn.Linear):
        pass

    with pytest.raises(ArgumentError, match="is a Own"):
        snn.fake_quantise(nn.Sequential(Own(2, 2), neurons))


def test_layers_without_neurons_and_quantised_twice() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    snn.fake_quantise(model)
    kept = snn.quantised_weights(model)["0"]
    assert (kept.threshold, kept.lower) == (None, None)
    assert torch.allclose(model[0].quantised()[0] * kept.scale, kept.integers.float(), atol=1e-3)
    snn.fake_quantise(model, weight_bits=3)
    assert (
        model[0].quantised()[0].mul(snn.quantised_weights(model, 3)["0"].scale).abs().max() < 4.01
    )
    snn.remove_quantise(model)
    assert type(model[0]) is nn.Linear


def test_neurons_that_no_weights_would_be_paired_with() -> None:
    neurons = {"spike_threshold": torch.tensor(0.7)}
    apart = nn.Sequential(
        snn_layers.FlattenTime(), nn.Linear(4, 3), snn_layers.UnflattenTime(2), snn.IAF(**neurons)
    )
    with pytest.raises(ArgumentError, match="'3' has no min_v_mem"):
        snn.fake_quantise(apart)
    normed = nn.Sequential(nn.Linear(4, 4), nn.GroupNorm(2, 4), snn.IAF(min_v_mem=-1.0))
    with pytest.raises(ArgumentError, match="layer '1' stands between weights, '0', and neurons"):
        snn.fake_quantise(normed)


def test_weights_that_are_computed_anew_are_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 3), snn.IAF(min_v_mem=-1.0))
    prune.l1_unstructured(model[0], "weight", 0.5)
    with pytest.raises(ArgumentError, match="layer '0': its weight is computed anew"):
        snn.fake_quantise(model)
    prune.remove(model[0], "weight")
    snn.remove_quantise(snn.fake_quantise(model))
    kept = model[0].weight.detach().clone()
    model(torch.ones(1, 2, 4))
    assert torch.equal(model[0].weight, kept)


def test_a_floor_that_was_given_as_a_whole_number_is_baked() -> None:
    def model(floor: Any) -> Any:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(20, 30), snn.IAF(spike_threshold=torch.tensor(0.7), min_v_mem=floor)
        )

    frames = 3 * torch.rand(2, 20, 20, generator=torch.Generator().manual_seed(1))
    baked = [snn.remove_quantise(snn.fake_quantise(model(floor))) for floor in (-1, -1.0)]
    floors = [float(one[1].min_v_mem) for one in baked]
    assert floors[0] == floors[1] != 0.0
    assert torch.equal(baked[0](frames), baked[1](frames))
