"""Losses for hardware against slow twins, finite differences and sinabs; and what hooks leave."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
sinabs = pytest.importorskip("sinabs")
from torch import nn  # noqa: E402

from evstore import snn  # noqa: E402
from evstore.errors import ArgumentError  # noqa: E402
from evstore.snn import losses, models  # noqa: E402
from looping import Looping  # noqa: E402


def slow_fan_out(layer: Any, height: int, width: int) -> Any:
    """Output neurons that each input of a convolution reaches, one by one."""
    reached = torch.zeros(layer.in_channels, height, width)
    kernel, stride, padding, dilation = (
        layer.kernel_size, layer.stride, layer.padding, layer.dilation,
    )  # fmt: skip
    sizes = (height, width)
    out = [
        (sizes[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1
        for a in (0, 1)
    ]
    for row in range(out[0]):
        for column in range(out[1]):
            for i in range(kernel[0]):
                for j in range(kernel[1]):
                    y = row * stride[0] - padding[0] + i * dilation[0]
                    x = column * stride[1] - padding[1] + j * dilation[1]
                    if 0 <= y < height and 0 <= x < width:
                        reached[:, y, x] += layer.out_channels // layer.groups
    return reached


def test_synops_count_every_spike_once() -> None:
    reached = torch.tensor([1.0, 10.0])
    assert losses.synops(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), reached).item() == 42
    assert losses.synops(torch.tensor([[-1.0, 1.0]]), reached).item() == 11  # signed frames
    assert losses.synops(torch.tensor([[0.25, 0.0]]), reached, averaged=4.0).item() == 1
    many = torch.ones(5000, 1, dtype=torch.float16)
    assert losses.synops(many, torch.ones(1)).item() == 5000  # float16 ends at 2048
    silent = torch.zeros(2, requires_grad=True)
    losses.synops(silent, reached).backward()
    assert silent.grad.tolist() == [1.0, 10.0]


def one_layer(field: Any) -> Any:
    layer = nn.Conv2d(2, 3, 3, padding=1).double()
    return losses.receptive_field(layer, field, layer(field))


@pytest.mark.parametrize(
    "term",
    [
        lambda x: losses.rate_excess(x.mean(), highest=0.1, lowest=0.05),
        lambda x: losses.rate_excess(x.mean(), lowest=5.0),
        lambda x: losses.synops_excess(x.sum(), 3.0),
        lambda x: losses.spread(x, 0.4),
        lambda x: losses.weight_excess(x, 0.3),
        lambda x: losses.weight_excess(x, 0.3, 1.2, per_channel=True),
        lambda x: losses.synops(x, torch.rand(2, 4, 4, dtype=torch.float64)),
    ],
)
def test_gradients_are_those_of_finite_differences(term: Callable[[Any], Any]) -> None:
    torch.manual_seed(1)
    values = torch.rand(3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    state = torch.get_rng_state()

    def same(x: Any) -> Any:
        torch.set_rng_state(state)
        return term(x)

    assert torch.autograd.gradcheck(same, (values,))
    assert torch.autograd.grad(same(values), values)[0].any()


def test_receptive_field_gradients_and_sinabs() -> None:
    torch.manual_seed(2)
    from sinabs.hooks import input_diff_hook

    spikes = torch.rand(3, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    spikes = spikes[:1].detach().requires_grad_()
    for layer in (nn.Conv2d(2, 3, 3, 2, 1), nn.Conv2d(2, 4, 2, bias=False, groups=2)):
        layer.double()
        weights = layer.weight

        def term(x: Any, weight: Any, layer: Any = layer) -> Any:
            output = layer._conv_forward(x, weight, layer.bias)
            return losses.receptive_field(layer, x, output, weight)

        assert torch.autograd.gradcheck(term, (spikes, weights))
        output = layer(spikes)
        input_diff_hook(layer, [spikes], output)
        assert torch.allclose(
            losses.receptive_field(layer, spikes, output),
            layer.hook_data["diff_output"].mean(),
            rtol=1e-12,
        )
    linear = nn.Linear(5, 3)
    field = torch.rand(4, 5)
    input_diff_hook(linear, [field], linear(field))
    assert losses.receptive_field(linear, field, linear(field)).item() == pytest.approx(
        linear.hook_data["diff_output"].mean().item(), rel=1e-6
    )


def test_what_bounds_say() -> None:
    rate = torch.tensor(0.3)
    assert losses.rate_excess(rate, highest=0.5, lowest=0.1).item() == 0
    assert losses.rate_excess(rate, 0.15, 0.15).item() == pytest.approx(1.0)
    assert losses.rate_excess(rate, lowest=0.6).item() == pytest.approx(0.5)
    assert losses.rate_hz(rate, 1000).item() == pytest.approx(300)
    assert losses.synops_excess(torch.tensor(1.0), 2.0).item() == 0
    assert losses.weight_excess(torch.tensor([0.9, -1.0]), 1.0).item() == 0
    assert losses.weight_excess(torch.tensor([[3.0], [1.0]]), 1.0, per_channel=True).item() == 1
    assert losses.weight_excess(torch.tensor([3.0]), torch.tensor([4.0, 1.5])).item() == 1


def network() -> Any:
    torch.manual_seed(3)
    first = snn.IAFSqueeze(batch_size=1, spike_threshold=torch.tensor(0.3))
    second = snn.IAFSqueeze(batch_size=1, min_v_mem=-1.0, spike_threshold=torch.tensor(0.2))
    return models.TimeSequential(
        nn.Conv2d(2, 3, 3, padding=1), first, nn.AvgPool2d(2),
        nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Dropout(0.0), nn.Flatten(), second),
        nn.Linear(4 * 4, 5),
    )  # fmt: skip


def test_terms_of_a_network_against_slow_ones() -> None:
    model = network()
    frames = torch.poisson(torch.full((2, 6, 2, 8, 8), 0.4))
    gather = snn.HardwareLosses(
        model, synops=100.0, rate=0.01, weight_ratio=0.1, spread=0.5, receptive=0.0,
        weights={"spread": 3.0},
    )  # fmt: skip
    with gather:
        out = model(frames)
    terms = gather.terms()
    assert list(terms) == ["rate", "synops", "weight_ratio", "spread", "receptive"]
    gradients = torch.autograd.grad(sum(terms.values()), list(model.parameters())[:2])

    # The same once more, layer by layer.
    model.reset = True
    snn.reset_states(model)
    flat = frames.flatten(0, 1)
    conv1 = model[0](flat)
    spikes1 = model[1](conv1)
    pooled = model[2](spikes1)
    conv2 = model[3][0](pooled)
    spikes2 = model[3][3](conv2.flatten(1))
    rates = [spikes1.mean(), spikes2.mean()]
    rate = sum((r - 0.01) / 0.01 for r in rates) / 2
    operations = (
        (flat * slow_fan_out(model[0], 8, 8)).sum(),
        4 * (pooled * slow_fan_out(model[3][0], 4, 4)).sum(),
        5 * spikes2.sum(),
    )
    synops = (sum(operations) / 2 - 100) / 100
    largest = [
        model[0].weight.abs().max() / 0.3, model[3][0].weight.abs().max() / 4 / 0.2,
    ]  # fmt: skip
    ratio = sum(torch.relu(v / 0.1 - 1) for v in largest) / 2
    spread = 3 * sum(torch.relu(s - 0.5).mean() for s in (spikes1, spikes2)) / 2
    conv = nn.functional.conv2d
    field = (
        (conv(flat, model[0].weight.abs(), padding=1) - conv1.abs()).mean() / 0.3
        + (conv(pooled, model[3][0].weight.abs()) - conv2.abs()).mean() / 0.2
    ) / 2
    for name, value in zip(terms, (rate, synops, ratio, spread, field), strict=True):
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-5), name
        assert value.item() > 0, name
    slow = torch.autograd.grad(rate + synops + ratio + spread + field, list(model.parameters())[:2])
    for ours, theirs in zip(gradients, slow, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6 * theirs.abs().max().item())
    assert gather.measured["synops.3.0"].item() == pytest.approx(operations[1].item() / 2, rel=1e-5)
    assert gather.measured["rate.1"].item() == pytest.approx(rates[0].item(), rel=1e-5)
    assert not any(value.requires_grad for value in gather.measured.values())
    assert out.shape == (2, 6, 5)


def test_units_of_time() -> None:
    model = models.TimeSequential(nn.Linear(4, 3, bias=False), snn.IAFSqueeze(batch_size=1))
    nn.init.constant_(model[0].weight, 0.25)
    gather = snn.HardwareLosses(model, synops={"0": 1.0}, rate=(None, 1.0), dt_us=2000)
    with gather:
        model(torch.ones(3, 10, 4))
    gather.terms()
    assert gather.measured["rate.1"].item() == pytest.approx(500)  # one spike each 2 ms
    assert gather.measured["synops.0"].item() == pytest.approx(12 / 2e-3)


def test_squeezed_and_unsqueezed_layers_agree() -> None:
    torch.manual_seed(4)
    squeezed = models.mlp(6, 3, 5, 1)
    unsqueezed = nn.Sequential(squeezed[0], snn.IAF(min_v_mem=-1.0), squeezed[2], snn.IAF())
    frames = torch.poisson(torch.full((2, 7, 6), 1.0))
    found = []
    for model in (squeezed, unsqueezed):
        gather = snn.HardwareLosses(model, synops=1.0, rate=1e-3, spread=0.1, receptive=0.0)
        with gather:
            model(frames)
        found.append({name: term.item() for name, term in gather.terms().items()})
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert all(found[0].values())


def test_a_layer_used_twice_and_a_call_in_pieces() -> None:
    neurons, weights = snn.IAFSqueeze(batch_size=1), nn.Linear(4, 4, bias=False)
    nn.init.eye_(weights.weight)
    model = models.TimeSequential(weights, neurons, weights, neurons)
    gather = snn.HardwareLosses(model, synops=1.0, rate=0.5)
    with gather:
        model(torch.ones(2, 3, 4))
    gather.terms()
    assert gather.measured["synops.0"].item() == 2 * 3 * 4 * 4  # both uses, a sample
    with gather:
        model(torch.ones(2, 3, 4))
        model(torch.ones(2, 3, 4))
    gather.terms()
    assert gather.measured["synops.0"].item() == 2 * 3 * 4 * 4  # four samples


def let_go(model: Any) -> None:
    """What sinabs' layers themselves keep of the last call."""
    snn.detach_states(model)
    for layer in (model[1], model[3][3]):
        layer.firing_rate = None
    gc.collect()


def test_hooks_leave_nothing() -> None:
    model = network()
    hooks = [dict(m._forward_hooks) | dict(m._forward_pre_hooks) for m in model.modules()]
    gather = snn.HardwareLosses(model, synops=1.0, rate=0.1, spread=1.0, receptive=0.0)
    kept: list[Any] = []

    def watch(module: Any, inputs: Any, output: Any) -> None:
        kept.append(weakref.ref(output))

    handle = model[1].register_forward_hook(watch)
    with gather:
        model(torch.ones(1, 4, 2, 8, 8))
    terms = gather.terms()
    del terms
    let_go(model)
    assert kept[0]() is None
    with pytest.raises(ArgumentError, match="nothing was gathered"):
        gather.terms()
    wrong = nn.Sequential(model, nn.Linear(3, 3))  # it fails once the model itself is through
    with pytest.raises(RuntimeError), gather:
        wrong(torch.ones(1, 4, 2, 8, 8))
    let_go(model)
    assert [ref() for ref in kept] == [None, None]
    handle.remove()
    assert hooks == [dict(m._forward_hooks) | dict(m._forward_pre_hooks) for m in model.modules()]
    assert not any(hasattr(m, "hook_data") for m in model.modules())


def test_says_what_is_wrong() -> None:
    model = network()
    for options, message in (
        ({"synops": 0.0}, "synops must be above 0"),
        ({"synops": {"1": 5.0}}, "no layer .'1'.; layers with weights are 0, 3.0, 4"),
        ({"rate": {"0": 1.0}}, "spiking layers are 1, 3.3"),
        ({"rate": (0.3, 0.1)}, "lowest, highest"),
        ({"rate": math.nan}, "rate must be above 0"),
        ({"weights": {"rates": 1.0}}, "terms are rate, synops"),
    ):
        with pytest.raises(ArgumentError, match=message):
            snn.HardwareLosses(model, **options)
    with pytest.raises(ArgumentError, match="no spiking layer behind weights"):
        snn.HardwareLosses(nn.Linear(2, 2), weight_ratio=1.0)
    gather = snn.HardwareLosses(nn.Linear(2, 2), synops=1.0)
    with gather:
        gather.model(torch.ones(1, 2))
    with pytest.raises(ArgumentError, match="no spiking layer"):
        gather.terms()
    with gather, pytest.raises(ArgumentError, match="one with-block"), gather:
        pass


def trained(limit: float | None) -> tuple[float, float]:
    """SynOps a sample and accuracy of a small network after a short training."""
    torch.manual_seed(5)
    model = models.mlp(20, 2, 16, 1)
    labels = torch.arange(32) % 2
    rates = torch.where(labels[:, None] == 0, torch.linspace(1, 0, 20), torch.linspace(0, 1, 20))
    frames = torch.poisson(rates[:, None].expand(32, 10, 20).contiguous())
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    gather = snn.HardwareLosses(model, synops={"2": limit or 1.0}, weights={"synops": 0.5})
    for _ in range(40):
        optimiser.zero_grad()
        with gather:
            out = model(frames).sum(1)
        loss = nn.functional.cross_entropy(out, labels)
        terms = gather.terms()
        (loss if limit is None else loss + terms["synops"]).backward()
        optimiser.step()
    accuracy = (out.argmax(1) == labels).double().mean().item()
    return gather.measured["synops.2"].item(), accuracy


def test_training_with_the_loss_lowers_synops() -> None:
    before, accuracy = trained(None)
    assert accuracy == 1
    after, accuracy = trained(before / 3)
    assert after < 0.5 * before
    assert accuracy == 1


def test_a_model_that_loops_over_time_counts_the_same() -> None:
    looping = Looping()
    whole = nn.Sequential(looping.linear, snn.IAF())
    terms = []
    for model in (looping, whole):
        gathered = losses.HardwareLosses(model, synops=10.0, dt_us=1000)
        with gathered:
            model(torch.ones(2, 10, 3))
        terms.append(gathered.terms()["synops"])
    assert terms[0] == terms[1]


def test_synops_of_a_layer_that_was_not_called() -> None:
    model = nn.ModuleDict({"used": nn.Linear(2, 2), "not": nn.Linear(2, 2), "neurons": snn.IAF()})
    model.forward = lambda frames: model["neurons"](model["used"](frames))
    gathered = losses.HardwareLosses(model, synops={"not": 1.0})
    with gathered:
        model(torch.ones(1, 2, 2))
    with pytest.raises(ArgumentError, match="synops: none of the layers"):
        gathered.terms()


def test_what_terms_says_where_nothing_is_left() -> None:
    model = nn.Sequential(nn.Linear(2, 2), snn.IAF())
    gathered = losses.HardwareLosses(model, rate=[0.1, 0.2])
    with pytest.raises(ArgumentError, match="call the model in"):
        gathered.terms()
    with gathered:
        model(torch.ones(1, 2, 2))
    gathered.terms()
    with pytest.raises(ArgumentError, match="was asked since: keep what it gives"):
        gathered.terms()
    with pytest.raises(ArgumentError, match="rate: there are no spiking layers"):
        losses.HardwareLosses(nn.Linear(2, 2), rate=0.1)
