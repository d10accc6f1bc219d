"""Spiking layers and a whole training step on the CPU: against sinabs, SpikingJelly and ReLU."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, NamedTuple

from bench.bars import Bar, Settings, worst
from bench.timing import Spread, rounds_of

Run = Callable[[], Any]


class Sizes(NamedTuple):
    """Of the layer (batch, steps, neurons), of the network's frames (side) and its batches."""

    layer: tuple[int, int, tuple[int, ...]]
    side: int
    batches: tuple[tuple[int, int], ...]  # samples and steps


SIZES = Sizes((8, 100, (8, 28, 28)), 30, ((8, 100), (16, 20)))
QUICK = Sizes((2, 20, (4, 8, 8)), 18, ((2, 20), (4, 5)))
WITHIN = 1e-5  # of the greatest gradient
EVENTS = 0.16  # a pixel and step of the frames, as `evstore.snn.initial` has them


def measure(settings: Settings) -> list[Bar]:
    if find_spec("torch") is None or find_spec("sinabs") is None:
        return []
    rounds, sizes = settings.rounds, QUICK if settings.quick else SIZES
    return [
        *layers(rounds, sizes),
        *against_spikingjelly(rounds, sizes),
        *steps(rounds, sizes),
    ]


def about() -> str:
    import torch

    return f"CPU, {torch.get_num_threads()} threads of torch"


# ---------------------------------------------------------------------- one layer


def layers(rounds: int, sizes: Sizes) -> list[Bar]:
    import sinabs.layers as sl

    import evstore.snn as snn

    cases = {
        "IAF, min_v_mem -1": (snn.IAF, sl.IAF, {"min_v_mem": -1.0}),
        "IAF, no min_v_mem": (snn.IAF, sl.IAF, {}),
        "LIF, tau_mem 20": (snn.LIF, sl.LIF, {"tau_mem": 20.0, "norm_input": False}),
    }
    x, g = given(sizes.layer)
    found: dict[str, Spread] = {}
    spoken: list[str] = []
    for name, (own, other, options) in cases.items():
        ours, theirs = layer_pass(own(**options), x, g), layer_pass(other(**options), x, g)
        check_equal(ours(), theirs(), name)
        taken = rounds_of(rounds, ours, theirs)
        found[name] = Spread.of(b / a for a, b in taken)
        spoken.append(f"{name}: {milliseconds(a for a, _ in taken)} ms")
    iaf = {name: one for name, one in found.items() if name.startswith("IAF")}
    note = (
        f"{about()}; spikes identical, gradient within {WITHIN} of its maximum; "
        f"the IAF layer that does worst; ours takes {', '.join(spoken)}"
    )
    return [bar(f"CPU: IAF layer, forward and backward, {said(sizes.layer)}, against sinabs",
                "more", 8, 12, worst(iaf, "more"), found, note)]  # fmt: skip


def given(size: tuple[int, int, tuple[int, ...]]) -> tuple[Any, Any]:
    """Inputs of which neurons spike, some several times a step, and gradients of the spikes."""
    import torch

    batch, steps, neurons = size
    random = torch.Generator().manual_seed(1)
    x = torch.randn(batch, steps, *neurons, generator=random) * 0.8 + 0.1
    return x, torch.randn(x.shape, generator=random)


def layer_pass(layer: Any, x: Any, g: Any, reset: Run | None = None) -> Run:
    """Forward and backward from a state of zero: (spikes, gradient of the input)."""
    import evstore.snn as snn

    leaf = x.clone().requires_grad_(True)

    def run() -> tuple[Any, Any]:
        leaf.grad = None
        if reset is None:
            snn.reset_states(layer)
        else:
            reset()
        spikes = layer(leaf)
        spikes.backward(g)
        return spikes.detach(), leaf.grad

    return run


def check_equal(ours: tuple[Any, Any], theirs: tuple[Any, Any], name: str) -> None:
    import torch

    assert torch.equal(ours[0], theirs[0]), f"{name}: spikes differ"
    assert ours[0].any(), f"{name}: no spikes"
    error = (ours[1] - theirs[1]).abs().max() / theirs[1].abs().max()
    assert error <= WITHIN, f"{name}: gradients differ by {error:.2g} of their maximum"


def against_spikingjelly(rounds: int, sizes: Sizes) -> list[Bar]:
    """Single spikes and soft reset on both sides, each in its own order of axes."""
    import sinabs.activation as sa
    import torch

    import evstore.snn as snn
    from bench.snn_peers import if_node, spikingjelly

    jelly = spikingjelly()
    if jelly is None:
        return []
    x, g = given(sizes.layer)
    turned = (x.transpose(0, 1).contiguous(), g.transpose(0, 1).contiguous())
    node = if_node(jelly, "torch")
    theirs = layer_pass(node, *turned, lambda: jelly.functional.reset_net(node))
    spikes = theirs()[0].transpose(0, 1)
    found = {}
    for name, floor in (("min_v_mem -1", -1.0), ("no min_v_mem", None)):
        ours = layer_pass(snn.IAF(spike_fn=sa.SingleSpike, min_v_mem=floor), x, g)
        assert floor is not None or torch.equal(ours()[0], spikes), "spikes differ"
        found[name] = Spread.of(b / a for a, b in rounds_of(rounds, ours, theirs))
    note = f"{about()}; no min_v_mem, as SpikingJelly has none; the same spikes"
    return [bar("CPU: the same with single spikes, against SpikingJelly's multi-step torch back "
                "end", "more", 1.5, 2.5, found["no min_v_mem"], found, note)]  # fmt: skip


# ---------------------------------------------------------------------- a whole step


def steps(rounds: int, sizes: Sizes) -> list[Bar]:
    """Forward, cross entropy of summed spikes, backward, AdamW."""
    import evstore.snn as snn
    from bench.snn_peers import in_sinabs

    sinabs: dict[str, Spread] = {}
    relu: dict[str, Spread] = {}
    spoken: list[str] = []
    for batch, n_steps in sizes.batches:
        ours = talk(sizes.side)
        frames, labels = frames_of(batch, n_steps, sizes.side)
        theirs = in_sinabs(ours)
        swapped = snn.accelerate(copy.deepcopy(theirs))
        check_twins(ours, theirs, frames)
        models = [ours, theirs, swapped, snn.models.relu_twin(ours)]
        taken = rounds_of(rounds, *(training_step(one, frames, labels) for one in models))
        name = f"batch {batch}, T {n_steps}"
        sinabs[name] = Spread.of(b / a for a, b, _, _ in taken)
        sinabs[f"{name}, accelerate(sinabs' network)"] = Spread.of(b / c for _, b, c, _ in taken)
        relu[name] = Spread.of(a / d for a, _, _, d in taken)
        spoken.append(f"{milliseconds(a for a, *_ in taken)} ms of {name}")
    first = next(iter(relu))
    size = f"2x{sizes.side}x{sizes.side}, {first}"
    note = f"{about()}; the first of the parts, same spikes; a step of ours: {', '.join(spoken)}"
    return [
        bar(f"CPU: training step of the talk's network, {size}, against sinabs",
            "more", 6, 8, sinabs[first], sinabs, note),
        bar("CPU: the same, time over that of the network with ReLU",
            "less", 1.7, 1.3, relu[first], relu, note),
    ]  # fmt: skip


def talk(side: int) -> Any:
    """The talk's network, with weights of which neurons of each layer spike."""
    import torch

    import evstore.snn as snn
    from evstore.snn.initial import balance

    torch.manual_seed(1)
    return balance(snn.models.talk(resolution=(side, side)), (2, side, side))


def frames_of(batch: int, n_steps: int, side: int, classes: int = 10) -> tuple[Any, Any]:
    """Poisson noise, float32 as the network computes, and labels."""
    import torch

    random = torch.Generator().manual_seed(2)
    rates = torch.full((batch, n_steps, 2, side, side), EVENTS)
    labels = torch.randint(0, classes, (batch,), generator=random)
    return torch.poisson(rates, generator=random), labels


def training_step(model: Any, frames: Any, labels: Any) -> Run:
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def run() -> float:
        optimiser.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(frames).sum(1), labels)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return run


def check_twins(ours: Any, theirs: Any, frames: Any) -> None:
    """The very same spikes, and some of them."""
    import torch

    with torch.no_grad():
        spikes = ours(frames)
        assert torch.equal(spikes, theirs(frames)), "the networks' spikes differ"
    assert spikes.any(), "the network does not spike"


def milliseconds(seconds: Iterable[float]) -> str:
    return f"{1000 * Spread.of(seconds).median:.3g}"


def said(size: tuple[int, int, tuple[int, ...]]) -> str:
    batch, n_steps, neurons = size
    return f"batch {batch}, T {n_steps}, {'x'.join(map(str, neurons))}"


def bar(
    name: str,
    better: str,
    must: float | None,
    aim: float | None,
    measured: Spread,
    parts: dict[str, Spread],
    note: str,
) -> Bar:
    return Bar(name, "x", better, must, aim, measured, parts, note)
