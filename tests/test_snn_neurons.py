"""Neurons against sinabs, step by step: the same spikes, and the gradient that autograd finds."""

from __future__ import annotations

import copy
import io
import itertools
import math
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import sinabs
import sinabs.activation as sa
import sinabs.hooks
import sinabs.layers as sl
import torch
from torch import nn

from evstore import snn
from evstore.snn import scan, scan_cpu

SPIKES = [sa.MultiSpike, sa.SingleSpike, sa.MaxSpike(2)]
RESETS = [
    sa.MembraneSubtract(),
    sa.MembraneSubtract(0.7),
    sa.MembraneReset(),
    sa.MembraneReset(0.1),
]
SURROGATES: list[Callable[..., Any]] = [
    sa.SingleExponential(), sa.SingleExponential(0.3, 2.0), sa.PeriodicExponential(),
    sa.Heaviside(0.6), sa.Gaussian(), sa.MultiGaussian(),
    lambda v, theta: 1 / (1 + (v - theta) ** 2),
]  # fmt: skip
KINDS: dict[str, Callable[..., list[Any]]] = {
    "iaf": lambda **k: [sl.IAF(**k), snn.IAF(**k)],
    "iaf, synapses": lambda **k: [c(tau_syn=3.0, **k) for c in (sl.IAF, snn.IAF)],
    "lif": lambda **k: [c(tau_mem=6.0, **k) for c in (sl.LIF, snn.LIF)],
    "lif, alphas": lambda **k: [
        c(tau_mem=6.0, tau_syn=2.0, train_alphas=True, **k) for c in (sl.LIF, snn.LIF)
    ],
    "lif, plain input, a tau each": lambda **k: [
        c(tau_mem=torch.linspace(2, 9, 20).view(5, 4), norm_input=False, **k)
        for c in (sl.LIF, snn.LIF)
    ],
    "lif, synapses": lambda **k: [c(tau_mem=8.0, tau_syn=4.0, **k) for c in (sl.LIF, snn.LIF)],
}
THRESHOLDS = {
    "one": torch.tensor(0.9),
    "each": torch.linspace(0.5, 1.5, 20).view(5, 4),
    "by row": torch.linspace(0.5, 1.5, 5).view(5, 1),
}


@pytest.fixture(params=["numba", "triton"])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where neurons run: the Numba kernels, and those of Triton, interpreted without a GPU."""
    if request.param == "numba":
        yield "cpu"
        return
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed: pip install triton, and the same tests run on it")
    if torch.cuda.is_available():
        yield "cuda"
        return
    from evstore.snn import scan_cuda

    monkeypatch.setattr(scan, "_backend", lambda x: scan_cuda)
    yield "cpu"


class Outcome:
    """What two calls of a layer give: spikes, states, and the gradients of all of it."""

    def __init__(self, layer: Any, x: torch.Tensor, weights: torch.Tensor) -> None:
        x = x.clone().requires_grad_()
        layer.reset_states()
        spikes = torch.cat([layer(x), layer(x.flip(1))])
        loss = (spikes * weights).sum() + (layer.v_mem**2).sum()
        if layer.i_syn is not None:
            loss = loss + layer.i_syn.sin().sum()
        loss.backward()
        self.spikes, self.v = spikes.detach(), layer.v_mem.detach()
        assert x.grad is not None
        self.gradient = x.grad
        self.parameters = {
            name: torch.zeros(()) if p.grad is None else p.grad
            for name, p in layer.named_parameters()
            if p.requires_grad
        }


def largest(difference: torch.Tensor, of: torch.Tensor) -> float:
    return float(difference.abs().max() / of.abs().max().clamp_min(1e-6))


def agree(
    plain: Any, ours: Any, x: torch.Tensor, weights: torch.Tensor, within: float = 1e-5
) -> None:
    for layer in (plain, ours):
        layer.zero_grad()
    a, b = Outcome(plain, x, weights), Outcome(ours, x, weights)
    assert torch.equal(a.spikes, b.spikes)
    assert torch.equal(a.v, b.v)
    assert largest(a.gradient - b.gradient, a.gradient) < within
    assert set(a.parameters) == set(b.parameters)
    for name, gradient in a.parameters.items():
        # Sums over time of float32, in another order: against what they are sums of.
        scale = gradient.abs().max() + a.gradient.abs().sum() / gradient.numel()
        assert (gradient - b.parameters[name]).abs().max() < within * scale, name


@pytest.mark.parametrize("floor", [None, -0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_as_sinabs(kind: str, floor: float | None, device: str, seed: int) -> None:
    torch.manual_seed(seed)
    ways = list(itertools.product(SPIKES, RESETS, SURROGATES, THRESHOLDS))
    quick = device == "cpu" and scan._backend(torch.empty(0)) is scan_cpu
    for spike, reset, surrogate, threshold in ways[:: 5 if quick else 61]:
        x = torch.randn(2, 9 if quick else 4, 5, 4) * 0.8
        weights = torch.randn(4, *x.shape[1:]).to(device)
        layers = KINDS[kind](
            spike_fn=spike, reset_fn=reset, surrogate_grad_fn=surrogate, min_v_mem=floor,
            spike_threshold=THRESHOLDS[threshold],
        )  # fmt: skip
        for layer in layers:
            layer.spike_threshold.requires_grad_()
            layer.to(device)
        # So steep a surrogate multiplies what is rounded, here and there, at each step.
        steep = surrogate == sa.SingleExponential(0.3, 2.0)
        agree(*layers, x.to(device), weights, 1e-3 if steep else 1e-5)


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 7, 2), (3, 1, 2, 2), (2, 5), (1, 1, 1), (2, 3, 4, 5, 6)], ids=str
)
def test_shapes(shape: tuple[int, ...], device: str, seed: int) -> None:
    torch.manual_seed(seed)
    x, weights = torch.randn(shape), torch.randn(2 * shape[0], *shape[1:])
    layers = KINDS["lif"](min_v_mem=-0.3)
    for layer in layers:
        layer.to(device)
    agree(*layers, x.to(device), weights.to(device))


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3), (2, 5, 0)], ids=str)
def test_nothing(shape: tuple[int, ...]) -> None:
    layer = snn.LIF(tau_mem=5.0, tau_syn=2.0)
    x = torch.zeros(shape, requires_grad=True)
    spikes = layer(x)
    spikes.sum().backward()
    assert spikes.shape == x.shape
    assert x.grad is not None
    assert x.grad.shape == x.shape
    assert layer.v_mem.shape == (shape[0], *shape[2:])


def test_any_strides(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(6, 3, 5, 8)[:, :, :, ::2].transpose(0, 1)  # (3, 6, 5, 4)
    assert not x.is_contiguous()
    agree(*KINDS["iaf"](), x, torch.randn(5, 4, 6, 6).permute(2, 3, 0, 1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types(dtype: torch.dtype, seed: int) -> None:
    torch.manual_seed(seed)
    plain, ours = KINDS["lif"]()
    x = torch.randn(2, 9, 5).to(dtype)
    given = [x.clone().requires_grad_() for _ in range(2)]
    spikes = [layer(one) for layer, one in zip((plain, ours), given, strict=True)]
    assert spikes[0].dtype == spikes[1].dtype == torch.float32
    assert torch.equal(*spikes)
    for one in spikes:
        one.sum().backward()
    assert given[1].grad is not None
    assert given[1].grad.dtype == dtype
    torch.testing.assert_close(given[0].grad, given[1].grad, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.bool])
def test_counts(dtype: torch.dtype) -> None:
    x = torch.tensor([[1, 0, 1, 1]], dtype=dtype).view(1, 4, 1)
    assert torch.equal(sl.IAF()(x), snn.IAF()(x))


def test_impossible_numbers_come_through() -> None:
    x = torch.tensor([0.5, math.nan, 1.0, math.inf, -math.inf, 3.0]).view(1, 6, 1)
    for kind, reset, floor in itertools.product(["iaf", "lif"], RESETS, [None, -1.0]):
        plain, ours = KINDS[kind](reset_fn=reset, min_v_mem=floor)
        for start in range(6):
            assert torch.equal(
                torch.nan_to_num(plain(x[:, start:]), nan=-7.0),
                torch.nan_to_num(ours(x[:, start:]), nan=-7.0),
            )
            for layer in (plain, ours):
                layer.reset_states()


def test_parameters_of_each_sample(seed: int) -> None:
    torch.manual_seed(seed)
    plain, ours = KINDS["iaf"](spike_threshold=torch.rand(2, 5, 4) + 0.5)
    for layer in (plain, ours):
        layer.spike_threshold.requires_grad_()
    agree(plain, ours, torch.randn(2, 9, 5, 4), torch.randn(4, 9, 5, 4))


# ------------------------------------------------------------------ gradients by themselves


def differences(call: Callable[[torch.Tensor], float], at: torch.Tensor) -> torch.Tensor:
    """Finite differences; NaN where two widths do not agree: a spike or the floor lies between."""
    found = torch.zeros(2, at.numel())
    for row, half in zip(found, (2.0**-9, 2.0**-11), strict=True):
        for k in range(at.numel()):
            for sign in (1, -1):
                moved = at.clone()
                moved.view(-1)[k] += sign * half
                row[k] += sign * call(moved) / (2 * half)
    wide, narrow = found
    agreed = (wide - narrow).abs() < 0.02 + 0.01 * narrow.abs()
    return torch.where(agreed, narrow, torch.nan).view(at.shape)


@pytest.mark.parametrize("floor", [None, -0.25])
@pytest.mark.parametrize("kind", ["iaf", "lif", "lif, synapses", "iaf, synapses"])
def test_finite_differences(kind: str, floor: float | None) -> None:
    """Of the last potentials, without a surrogate: what spikes take away, but not whether."""
    rng = np.random.default_rng(7)  # fixed: how many jumps there are depends on it
    silent = sa.SingleExponential(grad_scale=0.0)
    ours = KINDS[kind](surrogate_grad_fn=silent, min_v_mem=floor)[1]
    ours.spike_threshold.requires_grad_()
    x = torch.from_numpy(rng.normal(0.3, 1.0, (2, 6, 3))).float().requires_grad_()

    def last(x: torch.Tensor) -> torch.Tensor:
        ours.reset_states()
        ours(x)
        total: torch.Tensor = (ours.v_mem * torch.tensor([1.0, -2.0, 0.5])).sum()
        return total

    last(x).backward()
    compared = {"x": (x.grad, differences(lambda moved: last(moved).item(), x.detach()))}
    for name, parameter in ours.named_parameters():
        if not parameter.requires_grad:
            continue
        start = parameter.detach().clone()

        def moved_parameter(value: torch.Tensor, parameter: Any = parameter) -> float:
            parameter.data.copy_(value)
            return last(x.detach()).item()

        compared[name] = (parameter.grad, differences(moved_parameter, start))
        parameter.data.copy_(start)
    assert len(compared) == {"iaf": 2, "lif": 3, "iaf, synapses": 3, "lif, synapses": 4}[kind]
    smooth = 0
    for name, (gradient, found) in compared.items():
        assert gradient is not None
        there = ~torch.isnan(found)
        smooth += int(there.sum())
        torch.testing.assert_close(gradient[there], found[there], atol=0.03, rtol=0.02, msg=name)
    assert smooth > 30


class _WithThreshold(torch.autograd.Function):
    """MultiSpike whose gradient reaches the threshold: the more, the fewer spikes."""

    @staticmethod
    def forward(ctx: Any, v: Any, threshold: Any, surrogate: Any) -> Any:
        ctx.save_for_backward(v, threshold)
        ctx.surrogate = surrogate
        return (v > 0) * torch.div(v, threshold, rounding_mode="trunc")

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        v, threshold = ctx.saved_tensors
        through = g * ctx.surrogate(v, threshold)
        return through, -through.sum(), None


def test_thresholds_that_learn(device: str, seed: int) -> None:
    torch.manual_seed(seed)
    x, weights = torch.randn(2, 9, 5).to(device), torch.randn(2, 9, 5).to(device)
    ours = snn.IAF(train_threshold=True, min_v_mem=-0.5).to(device)
    assert ours.spike_threshold.requires_grad
    (ours(x) * weights).sum().backward()

    threshold = torch.tensor(1.0, device=device, requires_grad=True)
    v, total = torch.zeros(2, 5, device=device), torch.zeros((), device=device)
    for t in range(9):
        v = v + x[:, t]
        spikes = _WithThreshold.apply(v, threshold, sa.SingleExponential())
        v = torch.relu(v - spikes * threshold + 0.5) - 0.5
        total = total + (spikes * weights[:, t]).sum()
    total.backward()
    assert threshold.grad is not None
    torch.testing.assert_close(ours.spike_threshold.grad, threshold.grad, rtol=1e-4, atol=1e-4)


def test_no_gradient_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = scan_cpu.empty
    monkeypatch.setattr(scan_cpu, "empty", lambda shape: made.append(shape) or real(shape))
    layer = snn.LIF(tau_mem=5.0, tau_syn=3.0)
    with torch.no_grad():
        spikes = layer(torch.ones(2, 9, 5))
    assert made == [(2, 9, 5)]  # the spikes
    assert not spikes.requires_grad
    assert not layer.v_mem.requires_grad


# ------------------------------------------------------------------ states


def test_a_stream_in_pieces_is_the_stream(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(2, 12, 5)
    whole, pieces = (snn.LIF(tau_mem=4.0, tau_syn=2.0) for _ in range(2))
    expected = whole(x)
    given = torch.cat([pieces(one) for one in x.split([1, 4, 7], 1)], 1)
    assert torch.equal(expected, given)
    assert torch.equal(whole.v_mem, pieces.v_mem)
    for spikes in (expected, given):
        spikes.sum().backward()
    torch.testing.assert_close(whole.tau_mem.grad, pieces.tau_mem.grad)


def test_states_of_inference_mode() -> None:
    layer = snn.IAF()
    with torch.inference_mode():
        layer(torch.ones(1, 2, 3))
    snn.reset_states(layer)
    layer(torch.ones(1, 2, 3, requires_grad=True)).sum().backward()


def test_layers_have_thresholds_of_their_own() -> None:
    """sinabs' default is one tensor for all layers that were ever made."""
    first, second = snn.IAF(), snn.IAF()
    with torch.no_grad():
        first.spike_threshold.mul_(2)
    assert second.spike_threshold == 1
    assert snn.IAF().spike_threshold == 1


def test_truncated_gradients(seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), snn.IAF())
    for piece in torch.randn(5, 2, 6, 3):
        model(piece).sum().backward()
        snn.detach_states(model)
    assert model[1].v_mem.any()
    snn.reset_states(model)
    model[1](torch.zeros(3, 1, 4))
    assert not model[1].v_mem.any()  # of another batch size, and nothing is left


def test_without_detaching_it_is_the_first_piece_again() -> None:
    layer = snn.IAF()
    x = torch.ones(1, 2, 3, requires_grad=True)
    layer(x).sum().backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        layer(x).sum().backward()


def test_other_batch_sizes_and_shapes() -> None:
    layer = snn.IAF()
    layer(torch.full((3, 1, 4), 0.25))
    assert layer(torch.zeros(5, 1, 4)).shape == (5, 1, 4)
    assert torch.equal(layer.v_mem, torch.full((5, 4), 0.25))  # drawn from those there were
    layer(torch.zeros(5, 1, 2))
    assert not layer.v_mem.any()


def test_threads_do_not_matter(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(3, 40, 4000)
    found = []
    threads = torch.get_num_threads()
    try:
        for number, batch in itertools.product((1, 2, 5), (3, 1)):
            torch.set_num_threads(number)
            layer = snn.LIF(tau_mem=5.0, min_v_mem=-0.5)
            given = x[:batch].clone().requires_grad_()
            layer(given).sum().backward()
            found.append((batch, given.grad, layer.v_mem.detach()))
    finally:
        torch.set_num_threads(threads)
    for batch, gradient, v in found:
        assert torch.equal(gradient, found[0][1][:batch])
        assert torch.equal(v, found[0][2][:batch])


# ------------------------------------------------------------------ the plain way, and sinabs


def test_the_plain_way() -> None:
    x = torch.rand(2, 6, 3)
    layer = snn.LIF(tau_mem=5.0)
    layer.fused = False
    assert torch.equal(layer(x), sl.LIF(tau_mem=5.0)(x))
    wide = snn.IAF()(x.double())
    assert torch.equal(wide, sl.IAF()(x.double()))
    recorded = snn.IAF(record_states=True)
    recorded(x)
    assert recorded.recordings["v_mem"].shape == x.shape


class _Always(sa.SingleSpike):
    """A spike function of somebody else."""

    @staticmethod
    def forward(ctx: Any, v: Any, threshold: Any, surrogate: Any) -> Any:
        sa.SingleSpike.forward(ctx, v, threshold, surrogate)
        return torch.ones_like(v)


def test_functions_of_somebody_else() -> None:
    assert snn.IAF(spike_fn=_Always)(torch.zeros(1, 3, 2)).all()
    assert torch.equal(snn.IAF(spike_fn=None)(torch.ones(1, 3, 1)).flatten(), torch.arange(1.0, 4))


def test_firing_rate_as_sinabs_has_it() -> None:
    rates = []
    for kind in (sl.IAFSqueeze, snn.IAFSqueeze):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(3, 4), kind(batch_size=2), nn.Linear(4, 2))
        model(torch.rand(16, 3) * 5)
        rate = model[1].firing_rate
        (gradient,) = torch.autograd.grad(rate, model[0].weight)
        rates.append((rate.detach(), gradient))
    assert rates[0][0] > 0
    assert torch.equal(rates[0][0], rates[1][0])
    torch.testing.assert_close(rates[0][1], rates[1][1])


def test_what_comes_after_may_change_outputs_in_place() -> None:
    for layer in (snn.IAF(), snn.IAFSqueeze(batch_size=1), snn.SumPool2d(1)):
        x = torch.rand(1, 6, 4, 4, requires_grad=True)
        given = x[0][:, None] if isinstance(layer, snn.IAFSqueeze) else x
        nn.functional.dropout(layer(given), 0.5, inplace=True).mul_(2).sum().backward()
        assert x.grad is not None


def test_inputs_are_not_kept() -> None:
    x = torch.rand(1, 6, 4, requires_grad=True) * 1
    kept = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        spikes = snn.IAF()(x)
    assert x.untyped_storage().data_ptr() not in kept
    x.mul_(2)  # nobody minds
    spikes.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_surrogates_of_any_shape_and_dtype(dtype: torch.dtype, device: str) -> None:
    x = torch.rand(3, 40, 6).to(device)
    gradients = []
    for kind in (sl.IAF, snn.IAF):
        layer = kind(surrogate_grad_fn=lambda v, theta: (0.5 / theta).to(dtype)).to(device)
        given = x.clone().requires_grad_()
        layer(given).sum().backward()
        gradients.append(given.grad)
    torch.testing.assert_close(*gradients)


def test_training_goes_on_from_states_of_inference_mode() -> None:
    for layer in (snn.IAF(), snn.LIF(tau_mem=3.0, tau_syn=2.0)):
        with torch.inference_mode():
            layer(torch.ones(1, 3, 4))
        layer(torch.ones(1, 3, 4, requires_grad=True)).sum().backward()


@pytest.mark.parametrize("train_threshold", [False, True])
def test_copies(train_threshold: bool) -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), snn.IAFSqueeze(batch_size=2, train_threshold=train_threshold),
        nn.Flatten(), nn.Linear(27, 4), snn.LIFSqueeze(tau_mem=3.0, num_timesteps=6),
    )  # fmt: skip
    x = torch.rand(12, 2, 5, 5)
    sinabs.reset_states(model)
    expected = model(x)
    kept = io.BytesIO()
    torch.save(model, kept)
    kept.seek(0)
    for other in (copy.deepcopy(model), torch.load(kept, weights_only=False)):
        snn.reset_states(other)
        assert type(other[1]) is snn.IAFSqueeze
        assert other[1].train_threshold is train_threshold
        assert other[1].spike_threshold.requires_grad is train_threshold
        assert torch.equal(other(x), expected)


def plain_network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), sl.IAFSqueeze(batch_size=2, min_v_mem=-1.0),
        sl.SumPool2d(2), nn.Conv2d(4, 3, 3, bias=False),
        nn.Sequential(sl.LIFSqueeze(tau_mem=4.0, batch_size=2)),
        nn.Flatten(), nn.Linear(75, 5, bias=False), sl.IAFSqueeze(batch_size=2, min_v_mem=-1.0),
    )  # fmt: skip


def test_accelerate() -> None:
    model = plain_network()
    seen: list[Any] = []
    other = copy.deepcopy(model)
    for one in (model, other):
        one[1].register_forward_hook(sinabs.hooks.firing_rate_hook)
    model[1].register_forward_hook(lambda *_: seen.append(1))
    parameters = list(model.parameters())
    given = torch.rand(8, 2, 16, 16)
    assert snn.accelerate(model) is model
    assert [type(model[k]) for k in (1, 7)] == [snn.IAFSqueeze] * 2
    assert type(model[4][0]) is snn.LIFSqueeze
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    outputs = []
    for one in (model, other):
        out = one(given)
        out.sum().backward()
        outputs.append(out)
    assert torch.equal(*outputs)
    assert seen == [1]
    assert model[1].hook_data["firing_rate"] == other[1].hook_data["firing_rate"]
    for (name, a), (_, b) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        if a.grad is not None:
            assert largest(a.grad - b.grad, b.grad) < 1e-5, name
    own = snn.accelerate(nn.Sequential(snn.IAF(train_threshold=True)))
    assert own[0].train_threshold  # of ours nothing changes


class Own(sl.IAF):
    """A layer of somebody else, which may compute otherwise."""


def test_accelerate_leaves_others_alone() -> None:
    model = nn.Sequential(Own(), sl.IAFRecurrent(nn.Identity()), sl.ExpLeak(tau_mem=2.0), nn.ReLU())
    kinds = [type(layer) for layer in model]
    snn.accelerate(model)
    assert [type(layer) for layer in model] == kinds
    assert type(snn.accelerate(sl.IAF())) is snn.IAF  # the model itself


@pytest.mark.filterwarnings("ignore:.*nirtorch:DeprecationWarning")  # of sinabs' own
def test_sinabs_takes_them_for_its_own() -> None:
    import sinabs.nir

    model = snn.models.talk()
    x = torch.rand(3, 2, 30, 30)
    sinabs.set_batch_size(model, 3)
    model(x)
    graph = sinabs.nir.to_nir(model, x)
    assert sum(type(node).__name__ == "IF" for node in graph.nodes.values()) == 3
    assert type(model[1]) in {sl.IAFSqueeze: "as DynapcnnNetwork looks it up"}
    assert type(model[1]) is not sl.IAFSqueeze
    assert issubclass(snn.IAF, sl.IAF)
    assert not issubclass(sl.IAF, snn.IAF)


def test_sum_pools(seed: int) -> None:
    torch.manual_seed(seed)
    for shape, size in [((2, 3, 28, 28), 2), ((4, 17, 19), 3), ((1, 2, 9, 9), 2), ((3, 8, 8), 8)]:
        x = torch.poisson(torch.rand(shape)).requires_grad_()
        made = snn.SumPool2d(size)(x)
        plain = nn.functional.avg_pool2d(x, size, divisor_override=1)
        assert torch.equal(made, plain)
        torch.testing.assert_close(made, sl.SumPool2d(size)(x))
        g = torch.randn_like(made)
        assert torch.equal(*(torch.autograd.grad(one, x, g)[0] for one in (made, plain)))
    x = torch.rand(2, 7, 7)
    for options in ({"stride": 1}, {"stride": 3}, {"ceil_mode": True}):
        torch.testing.assert_close(snn.SumPool2d(2, **options)(x), sl.SumPool2d(2, **options)(x))
    assert torch.equal(snn.SumPool2d((2, 4))(x), nn.functional.avg_pool2d(x, (2, 4)) * 8)
    with pytest.raises(ValueError, match="does not fit"):
        snn.SumPool2d(8)(x)


def test_silence_learns() -> None:
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    snn.SumPool2d(2)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.all()  # where sinabs' own gives none
