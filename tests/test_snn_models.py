"""Sizes of networks: within a chip, alive from the start, and their twins with ReLU."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
sinabs = pytest.importorskip("sinabs")
import sinabs.layers as sl  # noqa: E402
from sinabs.activation import SingleExponential  # noqa: E402
from torch import nn  # noqa: E402

from evstore import snn  # noqa: E402
from evstore.errors import ArgumentError  # noqa: E402
from evstore.snn import models  # noqa: E402
from evstore.snn.initial import balance  # noqa: E402
from evstore.snn.pairs import layers, pairs, spikes  # noqa: E402

SIZES = [(models.digits, 10, 34), (models.gestures, 11, 128)]
#: Of each core of the chip, in Ki.
NEURONS = [64, 64, 64, 32, 32, 16, 16, 16, 16]
KERNELS = [16, 16, 16, 32, 32, 64, 64, 16, 16]


def power(count: int) -> int:
    return 2 ** math.ceil(math.log2(count))


def needs(layer: Any, entry: tuple[int, ...], out: tuple[int, ...]) -> tuple[float, float]:
    """Ki of neurons and of kernels; a linear layer is a convolution over all that is left."""
    if isinstance(layer, nn.Linear):
        channels, rows, columns = entry
        return 1 / 1024 * layer.out_features, (
            channels * power(rows * columns) * power(layer.out_features) / 1024
        )
    assert layer.kernel_size[0] == layer.kernel_size[1] <= 16
    assert layer.stride[0] in (1, 2, 4, 8)
    assert 0 <= layer.padding[0] <= 7
    assert layer.bias is None
    assert max(out[1:]) <= 64
    channels, rows, columns = out
    assert channels <= 1024
    kernel = power(layer.kernel_size[0] ** 2) * power(layer.out_channels) * layer.in_channels
    return channels * power(rows) * power(columns) / 1024, kernel / 1024


@pytest.mark.parametrize(("make", "classes", "side"), SIZES)
def test_fits_a_speck(make: Any, classes: int, side: int) -> None:
    values, wanted, entry = torch.zeros(1, 2, side, side), [], (2, side, side)
    for _, layer in layers(make()):
        before, values = values, layer(values)
        if before.dim() == 4:
            entry = tuple(before.shape[1:])
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            wanted.append(needs(layer, entry, tuple(values.shape[1:])))
        if isinstance(layer, nn.LPPool2d):
            assert layer.kernel_size in (1, 2, 4)
    assert len(wanted) == 4
    assert any(
        all(NEURONS[c] >= n and KERNELS[c] >= k for c, (n, k) in zip(cores, wanted, strict=True))
        for cores in itertools.permutations(range(9), len(wanted))
    ), wanted


@pytest.mark.parametrize(("make", "classes", "side"), SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_layer_spikes_from_the_start(make: Any, classes: int, side: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = make()
    rates: list[float] = []
    for layer in model:
        if spikes(layer):
            layer.register_forward_hook(lambda m, i, o: rates.append(o.detach().mean().item()))
    with torch.no_grad():
        for events in (0.05, 0.16, 0.5):
            model(torch.poisson(torch.full((1, 50, 2, side, side), events)))
    assert len(rates) == 12
    # At 0.05 events a pixel least, but not silent: more at first costs SynOps and learns later.
    assert all(0.003 < rate < 0.3 for rate in rates), rates
    for found in pairs(model):
        assert found.weighted.weight.abs().max() < 2.0


def test_a_model_is_its_seed_and_leaves_no_states() -> None:
    made = []
    for _ in range(2):
        torch.manual_seed(7)
        made.append((models.digits(), torch.rand(1).item()))
    assert torch.equal(made[0][0][0].weight, made[1][0][0].weight)
    torch.manual_seed(7)
    plain = [nn.Conv2d(2, 16, 3, bias=False), nn.Conv2d(16, 32, 3, bias=False),
             nn.Conv2d(32, 64, 3, bias=False), nn.Linear(1600, 10, bias=False)]  # fmt: skip
    assert torch.rand(1).item() == made[0][1]  # balancing took no random number
    ratio = made[0][0][0].weight / plain[0].weight
    assert torch.allclose(ratio, ratio.flatten()[0], rtol=1e-4)
    assert not any(layer.is_state_initialised() for layer in made[0][0] if spikes(layer))


@pytest.mark.parametrize(("make", "classes", "side"), SIZES)
def test_shapes_and_options(make: Any, classes: int, side: int) -> None:
    wide = make(classes=3, resolution=(side + 6, side), width=0.25, dropout=0.5,
                spike_threshold=torch.tensor(2.0), min_v_mem=-3.0)  # fmt: skip
    out = wide(torch.poisson(torch.full((2, 3, 2, side, side + 6), 0.3)))
    assert out.shape == (2, 3, 3)
    assert wide[-1].min_v_mem.item() == -3
    assert next(layer for layer in wide if isinstance(layer, nn.Conv2d)).out_channels == 4
    assert next(layer for layer in wide if isinstance(layer, nn.Dropout)).p == 0.5
    assert all(parameter.requires_grad for parameter in wide.parameters() if parameter.dim() > 1)
    least = {34: 18, 128: 30}[side]
    make(resolution=(least, least))
    with pytest.raises(ArgumentError, match="too small"):
        make(resolution=(least, least - 1))
    for width in (0.0, -1.0, math.nan):
        with pytest.raises(ArgumentError, match="width"):
            make(width=width)


@pytest.mark.parametrize("seed", [28, 40])
def test_weights_are_found_from_any_seed(seed: int) -> None:
    """Of these, steps in proportion lead to none: the neurons of classes spike twice, or not."""
    torch.manual_seed(seed)
    models.digits(width=0.25)


@pytest.mark.parametrize("make", [models.talk, models.digits, models.gestures, models.mlp])
def test_what_is_far_above_the_threshold_still_learns(make: Any) -> None:
    usual = make(surrogate_grad_fn=SingleExponential()) if make is not models.mlp else None
    for model, learns in ((make(), True), (usual, False)):
        for layer in model or ():
            if spikes(layer):
                entering = torch.full((1, 8), 40.3, requires_grad=True)
                layer(entering).sum().backward()
                assert (entering.grad.min() > 0.1) == learns


def test_neurons_out_of_reach_are_said_to_be() -> None:
    with pytest.raises(ArgumentError, match="threshold in reach"):
        models.digits(spike_threshold=torch.tensor(1e9))
    held_back = nn.Sequential(nn.Linear(8, 32), snn.IAFSqueeze(batch_size=1))
    nn.init.constant_(held_back[0].weight, -1.0)
    with pytest.raises(ArgumentError, match="threshold in reach"):
        balance(held_back, (8,))


@pytest.mark.parametrize("make", [models.talk, models.digits, models.mlp])
def test_twin_with_relu(make: Any) -> None:
    model = make()
    twin = models.relu_twin(model)
    assert type(twin) is type(model)
    assert not any(spikes(layer) for layer in twin.modules())
    assert any(spikes(layer) for layer in model.modules())
    side = 34 if make is models.digits else 30
    shape = (2, 3, 100) if make is models.mlp else (2, 3, 2, side, side)
    frames = torch.rand(shape)
    values = frames.flatten(0, 1)
    for layer in model:
        values = values.relu() if spikes(layer) else layer(values)
    assert torch.equal(twin(frames), values.unflatten(0, (2, 3)))
    with torch.no_grad():
        next(twin.parameters()).zero_()
    assert next(model.parameters()).any()
    nested = models.relu_twin(nn.Sequential(nn.Sequential(snn.IAF()), snn.LIF(tau_mem=2.0)))
    assert str(nested[0][0]) == str(nested[1]) == "ReLU()"
    assert isinstance(models.relu_twin(snn.IAF()), nn.ReLU)


def test_frames_of_any_layers_and_dtypes() -> None:
    neurons = {"batch_size": 1}
    rows = [
        (
            models.TimeSequential(nn.Flatten(), nn.Linear(32, 3), snn.IAFSqueeze(**neurons)),
            (2, 4, 4),
        ),
        (models.TimeSequential(nn.Flatten(), nn.Linear(32, 3), snn.IAFSqueeze(**neurons)), (32,)),
        (models.TimeSequential(snn.SumPool2d(2), nn.Flatten(), nn.Linear(8, 3)), (2, 4, 4)),
        (models.TimeSequential(nn.Conv1d(2, 3, 3), snn.IAFSqueeze(**neurons)), (2, 9)),
    ]
    for model, shape in rows:
        frames = torch.rand(2, 5, *shape)
        found = model(frames)
        assert found.shape[:2] == (2, 5)
        sinabs.set_batch_size(model, 1)
        snn.reset_states(model)
        assert torch.equal(model(frames[0]), found[0])
        for dtype in (torch.float64, torch.float16, torch.uint8, torch.bool):
            assert torch.equal(model(torch.ones(1, 5, *shape, dtype=dtype)),
                               model(torch.ones(1, 5, *shape)))  # fmt: skip


def test_sums_of_windows_over_the_edge_are_those_of_sinabs() -> None:
    for kernel, stride, side in itertools.product((2, 3), (1, 2, 3), (4, 5, 6, 7)):
        frames = torch.rand(1, 2, side, side + 1)
        ours = snn.SumPool2d(kernel, stride=stride, ceil_mode=True)(frames)
        theirs = sl.SumPool2d(kernel, stride=stride, ceil_mode=True)(frames)
        assert torch.allclose(ours, theirs, atol=1e-5), (kernel, stride, side)
