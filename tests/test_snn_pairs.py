"""Which neurons stand behind which weights."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
sl = pytest.importorskip("sinabs.layers")
from torch import nn  # noqa: E402

from evstore import snn  # noqa: E402
from evstore.snn.pairs import in_the_way, layers, pairs, used_weights  # noqa: E402


def test_layers_between_are_passed_and_others_end_the_search() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), sl.SumPool2d(2)), nn.Dropout(),
        snn.IAF(), nn.AvgPool2d(2), nn.AvgPool2d((4, 1)), nn.Flatten(), nn.Linear(4, 4), nn.ReLU(),
        snn.IAF(), nn.Linear(4, 4), nn.Linear(4, 4), sl.ExpLeak(tau_mem=2.0), snn.IAF(),
    )  # fmt: skip
    found = [(p.name, p.spiking_name, len(p.between), p.averaged) for p in pairs(model)]
    assert found == [
        ("0.0", "2", 3, 1.0), ("6", None, 0, 16.0), ("9", None, 0, 1.0), ("10", None, 0, 1.0),
    ]  # fmt: skip


def test_layers_used_again() -> None:
    one, other, neurons = nn.Linear(2, 2), nn.Linear(2, 2), snn.IAF()
    model = nn.Sequential(one, neurons, other, neurons, one, neurons)
    assert [name for name, _ in layers(model)] == ["0", "1", "2", "3", "4", "5"]
    assert [(p.name, p.spiking_name) for p in pairs(model)] == [("0", "1"), ("2", "3")]
    assert [name for name, _ in layers(nn.Sequential(nn.Sequential(), one))] == ["0", "1"]


def test_layers_hold_together() -> None:
    recurrent = sl.LIFRecurrent(tau_mem=2.0, rec_connect=nn.Linear(2, 2))
    (found,) = pairs(nn.Sequential(nn.Linear(2, 2), recurrent))
    assert found.spiking is recurrent
    odd = nn.AvgPool2d(2, divisor_override=3)
    assert pairs(nn.Sequential(odd, nn.Linear(2, 2)))[0].averaged == 3
    assert pairs(nn.Sequential(nn.AvgPool1d(5), nn.Linear(2, 2)))[0].averaged == 5


def test_weights_that_are_used() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), snn.IAF(min_v_mem=-1.0))
    assert used_weights(model[0])[0] is model[0].weight
    snn.fake_quantise(model)
    assert torch.equal(used_weights(model[0])[0], model[0].quantised()[0])


def test_nothing_imports_samna() -> None:
    """Its package on PyPI installs another one when it is imported."""
    code = (
        "import sys, evstore.snn as snn\n"
        "[getattr(snn, name) for name in snn.__all__]\n"
        "sys.exit(any(name.partition('.')[0] == 'samna' for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_time_that_is_taken_apart_is_passed_over() -> None:
    model = nn.Sequential(sl.FlattenTime(), nn.Linear(2, 2), sl.UnflattenTime(1), snn.IAF())
    assert [(p.name, p.spiking_name) for p in pairs(model)] == [("1", "3")]
    assert in_the_way(model) == []
    other = nn.Sequential(
        nn.Linear(2, 2), nn.Identity(), nn.GroupNorm(1, 2), nn.ReLU(), snn.IAF(),
        nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(),
    )  # fmt: skip
    assert in_the_way(other) == [("0", "2", "4")]
