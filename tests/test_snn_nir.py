"""NIR there and back: the same spikes, sinabs' files, and files that are not what they seem."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sinabs")
nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
import sinabs.activation as sa  # noqa: E402
import sinabs.layers as sl  # noqa: E402
from torch import nn  # noqa: E402

from evstore import snn  # noqa: E402
from evstore.errors import (  # noqa: E402
    ArgumentError,
    CorruptError,
    FormatError,
    UnsupportedError,
)
from evstore.snn import models  # noqa: E402
from evstore.snn.initial import balance  # noqa: E402


def averaging() -> Any:
    neuron = {"batch_size": 1, "min_v_mem": -0.5, "spike_threshold": torch.tensor(0.25)}
    return models.TimeSequential(
        nn.AvgPool2d(2), nn.Conv2d(2, 4, 3, padding=1), snn.IAFSqueeze(**neuron),
        nn.AvgPool2d(2), nn.Dropout(0.5),
        nn.Sequential(nn.Conv2d(4, 6, (3, 2), stride=(1, 2), dilation=(2, 1), groups=2),
                      nn.Identity(), snn.IAFSqueeze(**neuron, spike_fn=sa.SingleSpike)),
        nn.AvgPool2d(2, 1), nn.Flatten(), nn.Linear(6 * 2 * 2, 5, bias=False),
        snn.IAFSqueeze(**neuron, reset_fn=sa.MembraneReset(0.05), spike_fn=sa.MaxSpike(2)),
        reset=False,
    ).eval()  # fmt: skip


def leaky() -> Any:
    return models.TimeSequential(
        nn.Linear(12, 9), snn.LIFSqueeze(tau_mem=7.3, batch_size=1, norm_input=False,
                                         spike_threshold=torch.tensor(0.7)),
        nn.Linear(9, 8), snn.LIFSqueeze(tau_mem=torch.linspace(2, 30, 8), batch_size=1,
                                        min_v_mem=-0.3, spike_threshold=torch.tensor(0.02)),
        nn.Linear(8, 4), snn.LIFSqueeze(tau_mem=5.0, batch_size=1, train_alphas=True,
                                        spike_threshold=torch.linspace(0.02, 0.1, 4),
                                        surrogate_grad_fn=sa.PeriodicExponential(0.4, 2.0)),
    )  # fmt: skip


MODELS = {
    "talk": (models.talk, (2, 30, 30)),
    "digits": (lambda: models.digits(resolution=(20, 18)), (2, 18, 20)),
    "averaging": (averaging, (2, 28, 26)),
    "leaky": (leaky, (12,)),
    "mlp": (lambda: balance(models.mlp(12, 4, 9, 2), (12,)), (12,)),
}


def pair(name: str) -> tuple[Any, tuple[int, ...]]:
    torch.manual_seed(11)
    make, shape = MODELS[name]
    return make(), shape


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_spikes_before_and_after(name: str, batch: int, tmp_path: Path) -> None:
    model, shape = pair(name)
    frames = torch.poisson(torch.full((batch, 9, *shape), 0.8))
    path = tmp_path / "model.nir"
    graph = snn.to_nir(model, path, sample_shape=shape)
    assert os.listdir(tmp_path) == ["model.nir"]
    want = model(frames)
    assert want.sum() > 3
    for source in (graph, path, str(path)):
        again = snn.from_nir(source)
        assert isinstance(again, models.TimeSequential)
        assert again.reset == model.reset
        assert torch.equal(again(frames), want)
    # States carry in both, or in none.
    assert torch.equal(again(frames), model(frames))
    for layer in again.modules():
        assert type(layer).__module__.startswith(("torch.nn", "evstore.snn", "sinabs.layers.pool"))


def test_what_nir_has_no_word_for_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.nir"
    snn.to_nir(averaging(), path, sample_shape=(2, 28, 26))
    again = snn.from_nir(path)
    neurons = [layer for layer in again if isinstance(layer, snn.IAFSqueeze)]
    assert [layer.min_v_mem.item() for layer in neurons] == [-0.5, -0.5, -0.5]
    assert [neurons[0].spike_fn, neurons[1].spike_fn] == [sa.MultiSpike, sa.SingleSpike]
    assert neurons[2].spike_fn == sa.MaxSpike(2)
    assert neurons[2].reset_fn == sa.MembraneReset(0.05)
    assert [again[1].bias is None, again[8].bias is None] == [False, True]
    snn.to_nir(leaky(), path)
    first, second, third = (layer for layer in snn.from_nir(path) if isinstance(layer, sl.LIF))
    assert (first.norm_input, second.norm_input) == (False, True)
    assert torch.equal(second.tau_mem, torch.linspace(2, 30, 8))
    assert torch.equal(third.alpha_mem, leaky()[5].alpha_mem)
    assert third.surrogate_grad_fn == sa.PeriodicExponential(0.4, 2.0)
    assert torch.equal(third.spike_threshold, torch.linspace(0.02, 0.1, 4))


def test_sums_and_filled_fields(tmp_path: Path) -> None:
    model, shape = pair("averaging")
    path = tmp_path / "model.nir"
    snn.to_nir(model, path, sample_shape=shape)
    nodes = nir.read(path).nodes
    assert isinstance(nodes["0"], nir.SumPool2d)
    assert np.array_equal(nodes["1"].weight, model[1].weight.detach() / 4)
    assert nodes["1"].input_shape.tolist() == [14, 13]
    assert nodes["7"].input_type["input"].tolist() == [6, 2, 2]
    assert np.array_equal(nodes["8"].weight, model[8].weight.detach() / 4)
    assert nodes["2"].v_threshold.shape == (4, 14, 13)
    assert "4" not in nodes  # dropout


def test_sinabs_reads_what_we_write(tmp_path: Path) -> None:
    import sinabs.nir

    model, shape = pair("talk")
    path = tmp_path / "model.nir"
    snn.to_nir(model, path, sample_shape=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sinabs.nir.from_nir(nir.read(path), batch_size=2)
        frames = torch.poisson(torch.full((2, 7, 2, 30, 30), 0.8))
        out, _ = theirs(frames.flatten(0, 1))
    assert torch.equal(out, model(frames).flatten(0, 1))
    assert out.sum() > 0


@pytest.mark.parametrize("written", [False, True])
def test_we_read_what_sinabs_writes(written: bool, tmp_path: Path) -> None:
    import sinabs.nir

    torch.manual_seed(12)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), sl.IAFSqueeze(batch_size=2, min_v_mem=-1.0),
        sl.SumPool2d(2), nn.Flatten(), nn.Linear(64, 8), sl.LIFSqueeze(tau_mem=8.0, batch_size=2),
        nn.Linear(8, 3), sl.IAFSqueeze(batch_size=2, min_v_mem=-1.0),
    )  # fmt: skip
    model[5].spike_threshold = nn.Parameter(torch.tensor(0.1), requires_grad=False)
    frames = torch.poisson(torch.full((2, 9, 2, 8, 8), 0.9))
    want = model(frames.flatten(0, 1)).unflatten(0, (2, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = sinabs.nir.to_nir(model, frames.flatten(0, 1))
    if written:
        for node in source.nodes.values():  # without these, nir writes no file
            if isinstance(node, nir.Conv2d):
                node.input_shape = (8, 8)
            if isinstance(node, nir.Flatten):
                node.input_type = {"input": np.array([4, 4, 4])}
        nir.write(tmp_path / "theirs.nir", source)
        source = tmp_path / "theirs.nir"
    again = snn.from_nir(source)
    assert torch.equal(again(frames), want)
    assert want.sum() > 3


def test_unsqueezed_and_quantised_networks(tmp_path: Path) -> None:
    torch.manual_seed(13)
    model = nn.Sequential(
        sl.Repeat(nn.Conv2d(2, 3, 3, bias=False)), snn.IAF(min_v_mem=-1.0), sl.FlattenTime(),
        nn.Conv2d(3, 2, 3), sl.UnflattenTime(2), snn.IAF(),
    )  # fmt: skip
    frames = torch.poisson(torch.full((2, 6, 2, 8, 8), 1.0))
    again = snn.from_nir(snn.to_nir(model, sample_shape=(2, 8, 8)))
    assert torch.equal(again(frames), model(frames))
    talk = snn.fake_quantise(models.talk())
    frames = torch.poisson(torch.full((1, 6, 2, 30, 30), 1.0))
    again = snn.from_nir(snn.to_nir(talk, sample_shape=(2, 30, 30)))
    assert torch.equal(again(frames), talk(frames))
    assert torch.equal(again[0].weight, talk[0].quantised()[0])
    half = snn.from_nir(snn.to_nir(models.talk().to(torch.bfloat16), sample_shape=(2, 30, 30)))
    assert half[0].weight.dtype == torch.float32


def test_export_says_what_to_do() -> None:
    neurons = snn.IAF(min_v_mem=-1.0)

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

    class OwnRow(nn.Sequential):
        def forward(self, values: Any) -> Any:
            return values

    recurrent = sl.LIFRecurrent(tau_mem=2.0, rec_connect=nn.Linear(4, 4))
    own_grad = snn.IAF(surrogate_grad_fn=lambda v, t: v)
    cases: list[tuple[Any, tuple[int, ...] | None, str]] = [
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU()), (4,), "layer '1', ReLU.*IAF and LIF"),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)), (1, 4, 4), "merge it"),
        (nn.Sequential(nn.MaxPool2d(2)), (1, 4, 4), "SumPool2d, or an AvgPool2d without"),
        (nn.Sequential(nn.AvgPool2d(2, padding=1)), (1, 4, 4), "AvgPool2d without padding"),
        (nn.Sequential(nn.AvgPool2d(2)), (1, 4, 4), "no weights behind it"),
        (nn.Sequential(nn.AvgPool2d(2), neurons), (1, 4, 4), "no weights behind it"),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")), (1, 4, 4), "zeros"),
        (nn.Sequential(nn.Linear(4, 4), sl.ExpLeak(tau_mem=2.0)), None, "no equal in NIR"),
        (nn.Sequential(nn.Linear(4, 4), recurrent), None, "no equal in NIR"),
        (nn.Sequential(nn.Linear(4, 4), snn.LIF(tau_mem=2.0, tau_syn=3.0)), None, "tau_syn"),
        (nn.Sequential(nn.Linear(4, 4), own_grad), None, "none of sinabs.activation's"),
        (nn.Sequential(neurons, neurons), (4,), "same neurons"),
        (nn.Sequential(Own()), (2,), "layer '0', a Own, has layers of its own"),
        (Own(), (2,), "the model, a Own"),
        (OwnRow(nn.Linear(2, 2)), (2,), "in its own way"),
        (models.talk(), None, r"sample_shape=\(2, 34, 34\)"),
        (models.talk(), (2, 20, 20), r"layer '7' cannot get frames of shape \(144,\)"),
    ]
    for model, shape, message in cases:
        with pytest.raises(ArgumentError, match=message):
            snn.to_nir(model, sample_shape=shape)


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    snn.to_nir(models.talk(), path, sample_shape=(2, 30, 30))
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(where: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[where]
        file[where] = value

    return change


def edges(*pairs: tuple[str, str]) -> Any:
    return np.array(pairs, h5py.string_dtype())


def metadata(**values: Any) -> Callable[[Any], None]:
    told = {"version": "1", "reset": True, "nodes": {}} | values
    return replaced("node/metadata/evstore", json.dumps(told))


HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "no graph": (lambda f: f.pop("node"), "no NIR graph"),
    "no nodes": (lambda f: f["node"].pop("nodes"), "no NIR graph"),
    "no weight": (lambda f: f["node/nodes/0"].pop("weight"), "no NIR graph"),
    "unknown kind": (replaced("node/nodes/1/type", "Magic"), "no NIR graph"),
    "kind of a type": (replaced("node/nodes/1/type", 5), "no NIR graph"),
    "other kind": (replaced("node/type", "Input"), "no NIR graph"),
    "text weights": (replaced("node/nodes/0/weight", "x"), "weights are no|impossible|damaged"),
    "flat weights": (replaced("node/nodes/0/weight", np.zeros(4, "f4")), "damaged|weights are no"),
    "no channels": (replaced("node/nodes/0/weight", np.zeros((0, 2, 3, 3), "f4")), "weights are"),
    "other channels": (
        replaced("node/nodes/0/weight", np.zeros((8, 5, 3, 3), "f4")),
        "cannot get frames",
    ),
    "short bias": (replaced("node/nodes/0/bias", np.zeros(3, "f4")), "no bias for each of the 8"),
    "stride 0": (replaced("node/nodes/0/stride", np.array([0, 0])), "sizes from 1|damaged"),
    "stride huge": (replaced("node/nodes/2/stride", np.array([1 << 40, 1])), "sizes from 1"),
    "stride text": (replaced("node/nodes/2/stride", "abc"), "whole numbers"),
    "padding text": (replaced("node/nodes/0/padding", "wide"), "padding|damaged"),
    "groups": (replaced("node/nodes/0/groups", 3), "3 groups of 8"),
    "groups 0": (replaced("node/nodes/0/groups", 0), "0 groups of 8"),
    "flatten": (replaced("node/nodes/6/start_dim", 9), "cannot get frames|damaged"),
    "threshold nan": (
        replaced("node/nodes/1/v_threshold", np.full((8, 28, 28), np.nan, "f4")),
        "above 0",
    ),
    "threshold 0": (replaced("node/nodes/1/v_threshold", np.zeros((8, 28, 28), "f4")), "above 0"),
    "resistance": (replaced("node/nodes/1/r", np.full((8, 28, 28), 3, "f4")), "resistance"),
    "neurons": (replaced("node/nodes/8/v_threshold", np.arange(1.0, 8)), "damaged|another shape"),
    "input shape": (replaced("node/nodes/input/shape", np.array([2, -30, 30])), "no shape"),
    "input text": (replaced("node/nodes/input/shape", "abc"), "impossible|no shape"),
    "larger input": (
        replaced("node/nodes/input/shape", np.array([2, 300, 300])),
        "cannot get|another shape",
    ),
    "edge to nowhere": (
        replaced("node/edges", edges(("input", "x"))),
        "not there",
    ),
    "no row": (
        replaced("node/edges", edges(("input", "1"), ("1", "0"), ("0", "1"))),
        "no row of nodes",
    ),
    "branch": (
        replaced("node/edges", edges(("input", "1"), ("input", "0"))),
        "branches at 'input'",
    ),
    "no JSON": (replaced("node/metadata/evstore", "{"), "no JSON"),
    "no names": (replaced("node/metadata/evstore", "[]"), "names no nodes"),
    "number": (replaced("node/metadata/evstore", 7), "no JSON|names no nodes"),
    "no functions": (metadata(nodes={"1": {"min_v_mem": -1}}), "names no function"),
    "other function": (
        metadata(nodes={"1": {"spike_fn": {"name": "os"}, "min_v_mem": -1}}),
        "names no function",
    ),
    "function of text": (
        metadata(nodes={"1": {"spike_fn": {"name": "MaxSpike", "max_num_spikes_per_bin": "x"}}}),
        "no numbers",
    ),
    "function of more": (
        metadata(nodes={"1": {"spike_fn": {"name": "MaxSpike", "more": 1}}}),
        "impossible",
    ),
    "floor": (metadata(nodes={"1": {"min_v_mem": "low"}}), "impossible"),
    "soft link": (lambda f: f.__setitem__("node/nodes/9", h5py.SoftLink("/node")), "elsewhere"),
    "file link": (
        lambda f: f.__setitem__("node/x", h5py.ExternalLink("/etc/hostname", "/")),
        "elsewhere",
    ),
    "in itself": (lambda f: f.__setitem__("node/nodes/x", f["node"]), "in itself"),
    "bomb": (
        lambda f: f.create_dataset("node/nodes/0/more", (1 << 44,), "f4", chunks=(1 << 20,)),
        "more data than it can hold",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused(case: str, tmp_path: Path) -> None:
    change, message = HOSTILE[case]
    path = changed(tmp_path / "bad.nir", change)
    with pytest.raises(FormatError, match=message) as error:
        snn.from_nir(path)
    assert str(path) in str(error.value)


def test_damaged_files_end_in_a_format_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.nir"
    for content in (b"", b"x" * 100, b"\x89HDF\r\n\x1a\n"):
        path.write_bytes(content)
        with pytest.raises(FormatError):
            snn.from_nir(path)
    model = models.mlp(6, 2, 4, 1)
    snn.to_nir(model, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptError):
        snn.from_nir(path)
    random, refused = np.random.default_rng(0), 0
    for _ in range(60):
        broken = bytearray(whole)
        for place in random.integers(0, len(whole), 20):
            broken[place] = random.integers(256)
        path.write_bytes(broken)
        try:
            snn.from_nir(path)
        except FormatError:
            refused += 1
    assert refused > 5
    with pytest.raises(FileNotFoundError):
        snn.from_nir(tmp_path / "none.nir")
    with pytest.raises(ArgumentError, match="path of one, got int"):
        snn.from_nir(5)


def test_graphs_that_are_no_row_are_said_to_be() -> None:
    graph = snn.to_nir(models.mlp(6, 2, 4, 1))
    graph.nodes["more"] = nir.Scale(np.ones(4))
    with pytest.raises(UnsupportedError, match="no row of nodes"):
        snn.from_nir(graph)
    graph = snn.to_nir(models.mlp(6, 2, 4, 1))
    graph.nodes["2"] = nir.Scale(np.ones(4))
    with pytest.raises(UnsupportedError, match=r"'2' is of a kind.*expected Affine.*got Scale"):
        snn.from_nir(graph)
    graph = snn.to_nir(models.mlp(6, 2, 4, 1))
    graph.nodes["1"] = nir.NIRGraph.from_list(nir.Scale(np.ones(4)))
    with pytest.raises(UnsupportedError, match="got NIRGraph"):
        snn.from_nir(graph)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "model.nir"
    snn.to_nir(models.mlp(6, 2, 4, 1), path)
    before = path.read_bytes()

    def fails(source: str, target: str) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        snn.to_nir(models.mlp(6, 2, 4, 1), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.nir"]


def test_layers_with_the_names_of_nodes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    named = {
        "input": nn.Linear(6, 5), "spikes": snn.IAFSqueeze(batch_size=1),
        "between": nn.Linear(5, 4),
        "output": snn.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
    }  # fmt: skip
    model = models.TimeSequential()
    for name, layer in named.items():
        model.add_module(name, layer)
    snn.to_nir(model, tmp_path / "named.nir")
    again = snn.from_nir(tmp_path / "named.nir")
    frames = 4 * torch.rand(2, 9, 6)
    assert len(again) == 4
    assert torch.equal(again(frames), model(frames))


class Doubling(sl.IAFSqueeze):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return super().forward(2 * x)


class Standardised(nn.Conv2d):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return self._conv_forward(x, self.weight - self.weight.mean(), None)


def test_layers_that_compute_in_a_way_of_their_own_are_refused() -> None:
    odd = nn.Sequential(Standardised(2, 3, 3), snn.IAFSqueeze(batch_size=1))
    with pytest.raises(ArgumentError, match="layer '0', a Standardised, computes in its own way"):
        snn.to_nir(odd, sample_shape=(2, 5, 5))
    odd = nn.Sequential(nn.Linear(2, 2), Doubling(batch_size=1))
    with pytest.raises(ArgumentError, match="layer '1', a Doubling"):
        snn.to_nir(odd)
    with pytest.raises(ArgumentError, match="a Doubling computes in its own way"):
        snn.leaky(odd, 10.0)


def test_whole_numbers_and_numbers_of_numpy(tmp_path: Path) -> None:
    torch.manual_seed(0)
    neurons = snn.LIFSqueeze(
        tau_mem=20, norm_input=False, spike_threshold=torch.tensor(1), min_v_mem=torch.tensor(-1),
        batch_size=1, surrogate_grad_fn=sa.SingleExponential(grad_width=np.float32(0.5)),
    )  # fmt: skip
    model = models.TimeSequential(nn.Linear(6, 5), neurons)
    snn.to_nir(model, tmp_path / "whole.nir")
    frames = 4 * torch.rand(2, 9, 6)
    assert torch.equal(snn.from_nir(tmp_path / "whole.nir")(frames), model(frames))
    for odd, message in (
        ({"min_v_mem": -torch.inf}, "layer '1': its min_v_mem is not finite"),
        ({"surrogate_grad_fn": sa.SingleExponential(grad_scale=float("nan"))}, "grad_scale"),
    ):
        broken = nn.Sequential(nn.Linear(6, 5), snn.IAFSqueeze(batch_size=1, **odd))
        with pytest.raises(ArgumentError, match=message):
            snn.to_nir(broken)
