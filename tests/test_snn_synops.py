"""Synaptic operations, against a layer of ones that a single spike is put through."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")

import torch
from torch import nn

import evstore.snn as snn
from evstore.errors import ArgumentError
from evstore.snn.training.evaluation import evaluate


def naive_fan_out(layer: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """What a spike at each place adds to all outputs together, if every weight is one."""
    if isinstance(layer, nn.Conv1d) and layer.kernel_size[0] > shape[-1] + 2 * layer.padding[0]:
        return torch.zeros(shape, dtype=torch.float64)  # no output, no operation
    layer = layer.double()
    nn.init.ones_(layer.weight)
    layer.bias = None
    found = torch.zeros(shape, dtype=torch.float64)
    for place in itertools.product(*(range(side) for side in shape)):
        spike = torch.zeros(shape, dtype=torch.float64)
        spike[place] = 1
        found[place] = layer(spike[None]).sum().item()
    return found


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 3, 3), (2, 6, 5)),
        (nn.Conv2d(2, 3, 3, padding=1), (2, 6, 5)),
        (nn.Conv2d(1, 4, 3, stride=2), (1, 6, 7)),
        (nn.Conv2d(1, 4, 2, stride=3), (1, 7, 7)),
        (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(2, 0), groups=2), (4, 6, 5)),
        (nn.Conv2d(2, 2, 3, dilation=2, padding=1), (2, 7, 6)),
        (nn.Conv2d(2, 2, (5, 3), dilation=2, padding="same"), (2, 5, 5)),
        (nn.Conv2d(2, 2, 3, padding="valid"), (2, 5, 5)),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), (2, 4, 5)),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), (2, 4, 5)),
        (nn.Conv2d(2, 2, 3, padding=2, padding_mode="replicate"), (2, 4, 5)),
        (nn.Conv1d(3, 5, 4, stride=2, padding=3), (3, 9)),
        (nn.Conv3d(1, 2, 2, stride=2, padding=1), (1, 3, 4, 5)),
        (nn.Conv2d(4, 6, (3, 2), dilation=2, padding=3), (4, 9, 7)),
        (nn.Conv2d(4, 6, (3, 2), groups=2, stride=4), (4, 9, 7)),
        (nn.Conv1d(1, 1, 5), (1, 3)),
        (nn.Linear(7, 3), (7,)),
        (nn.Linear(7, 3), (2, 7)),
    ],
    ids=str,
)
def test_fan_out(layer: nn.Module, shape: tuple[int, ...]) -> None:
    with torch.no_grad():
        assert torch.equal(snn.fan_out(layer, shape), naive_fan_out(layer, shape))


def test_fan_outs_that_are_kept_serve_anyone() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")
    with torch.inference_mode():
        snn.fan_out(layer, (1, 4, 4)).zero_()
    spikes = torch.ones(1, 4, 4, dtype=torch.float64, requires_grad=True)
    (spikes * snn.fan_out(layer, (1, 4, 4))).sum().backward()
    assert torch.equal(spikes.grad, torch.full((1, 4, 4), 9.0, dtype=torch.float64))


def test_what_has_no_fan_out() -> None:
    with pytest.raises(ArgumentError, match="ReLU is not known"):
        snn.fan_out(nn.ReLU(), (3,))
    with pytest.raises(ArgumentError, match="takes 2 channels, got"):
        snn.fan_out(nn.Conv2d(2, 1, 3), (3, 5, 5))
    with pytest.raises(ArgumentError, match="takes 2 channels, got"):
        snn.fan_out(nn.Conv2d(2, 1, 3), (2, 2, 5, 5))
    with pytest.raises(ArgumentError, match="takes 4 features, got"):
        snn.fan_out(nn.Linear(4, 1), (3,))


def test_the_counter_of_a_network() -> None:
    """Layer by layer, from what went into each."""
    torch.manual_seed(3)
    model = snn.models.talk()
    with torch.no_grad():
        for layer in model:
            if hasattr(layer, "weight"):
                layer.weight.mul_(4)
    frames = torch.poisson(torch.full((3, 5, 2, 30, 30), 0.3))
    seen: dict[str, torch.Tensor] = {}
    for name in ("0", "3", "7"):
        model[int(name)].register_forward_hook(
            lambda layer, given, out, name=name: seen.update({name: given[0].clone()})
        )
    with torch.no_grad(), snn.SynopsCounter(model) as counter:
        model(frames)
        model(frames)
    expected = {}
    for name, spikes in seen.items():
        ones = nn.Linear(1, 1)
        ones = type(model[int(name)])(*_arguments(model[int(name)]), bias=False).double()
        with torch.no_grad():
            nn.init.ones_(ones.weight)
            expected[name] = 2 * ones(spikes.double()).sum().item()
    assert expected["3"] > 0
    assert counter.layers == pytest.approx(expected, rel=1e-12)
    assert counter.total == pytest.approx(sum(expected.values()), rel=1e-12)
    model(frames)
    assert counter.layers == pytest.approx(expected, rel=1e-12)  # hooks are gone


def _arguments(layer: Any) -> tuple[int, ...]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels, layer.kernel_size[0]


def pooled() -> Any:
    """Average pools of all kinds: before weights, at the end, and between neurons."""
    torch.manual_seed(4)
    return snn.models.TimeSequential(
        nn.AvgPool2d(2), nn.Conv2d(2, 4, 3), snn.IAFSqueeze(batch_size=1),
        nn.AvgPool2d((2, 1)), nn.AvgPool2d(2, divisor_override=3), nn.Dropout(0.0),
        nn.Conv2d(4, 6, 3), snn.IAFSqueeze(batch_size=1),
        nn.AdaptiveAvgPool2d((1, 2)), nn.ReLU(), nn.Flatten(),
        nn.Linear(12, 5), snn.IAFSqueeze(batch_size=1), nn.AvgPool1d(5),
    )  # fmt: skip


def test_counter_monitor_and_losses_agree() -> None:
    """Each with the sums that a chip takes where an average pool takes means."""
    model = pooled()
    for layer in model:
        if hasattr(layer, "weight"):
            layer.weight.data.mul_(6)
    frames = torch.poisson(torch.full((3, 7, 2, 42, 28), 0.6))
    times = {"1": 4.0, "6": 2.0 * 3.0, "11": 2.0 * 4 / 2}
    seen: dict[str, torch.Tensor] = {}
    for name in times:
        model[int(name)].register_forward_hook(
            lambda layer, given, out, name=name: seen.update({name: given[0].detach().double()})
        )
    records: list[dict[str, Any]] = []
    monitor = snn.Monitor(model, writers=[records.append])
    losses = snn.HardwareLosses(model, synops=1.0)
    with snn.SynopsCounter(model) as counter, losses, monitor, monitor.phase("forward"):
        for _ in range(2):  # the second does not count what pools the first ended with
            model(frames)
        losses.terms()
        monitor.step()
    entered = {}
    for name, each in times.items():
        ones = type(model[int(name)])(*_arguments(model[int(name)]))
        met = naive_fan_out(ones, tuple(seen[name].shape[1:]))
        entered[name] = each * float((seen[name] * met).sum())
    assert min(entered.values()) > 0
    assert counter.layers == pytest.approx({n: 2 * each for n, each in entered.items()}, rel=1e-6)
    (layers,) = [record["layers"] for record in records if record["kind"] == "layers"]
    for name, each in entered.items():
        assert layers[name]["synops_per_sample"] == pytest.approx(each / 3, rel=1e-6)
        assert losses.measured[f"synops.{name}"].item() == pytest.approx(each / 3, rel=1e-5)


def test_nothing_at_all_and_input_by_name() -> None:
    layer = nn.Conv2d(1, 1, 3)
    with snn.SynopsCounter(layer) as counter:
        layer(torch.zeros(0, 1, 4, 4))
        assert counter.total == 0
        layer(input=-torch.ones(1, 3, 3))
    assert counter.total == 9


def test_evaluation_does_not_depend_on_batches() -> None:
    torch.manual_seed(1)
    model = snn.models.mlp(6, 3, 8, 1)
    frames = torch.poisson(torch.ones(10, 4, 6))
    targets = torch.arange(10) % 3
    model.train()
    found = [
        evaluate(model, zip(frames.split(size), targets.split(size), strict=True))
        for size in (10, 3, 1)
    ]
    assert model.training
    with torch.no_grad():
        scores = model(frames).sum(1)
    assert found[0].accuracy == (scores.argmax(1) == targets).double().mean().item()
    loss = nn.functional.cross_entropy(scores, targets).item()
    for one in found:
        assert one[:1] == found[0][:1]
        assert one.loss == pytest.approx(loss, rel=1e-5)
        assert one.synops_per_sample == found[0].synops_per_sample
        assert one.samples == 10
    with pytest.raises(ArgumentError, match="no sample"):
        evaluate(model, [])
