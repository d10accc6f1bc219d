"""Truncated backpropagation, and the memory that it saves."""

from __future__ import annotations

import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sinabs")
from torch import nn  # noqa: E402

from evstore import snn  # noqa: E402
from evstore.errors import ArgumentError  # noqa: E402
from evstore.snn.models import TimeSequential  # noqa: E402


def network(seed: int = 3) -> Any:
    """Whatever the seed, its last layer spikes."""
    torch.manual_seed(seed)
    model = TimeSequential(
        nn.Linear(5, 8), snn.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
        nn.Linear(8, 3), snn.IAFSqueeze(batch_size=1),
    )  # fmt: skip
    with torch.no_grad():
        model[0].weight[0].abs_()
        model[2].weight.abs_()
    return model


def squares(outputs: Any) -> Any:
    return outputs.sum(1).square().mean()


def gradients(model: Any) -> list[Any]:
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


def test_one_piece_is_backpropagation(seed: int) -> None:
    frames = torch.rand(4, 20, 5) * 9
    model, plain = network(seed), network(seed)
    loss = squares(plain(frames))
    loss.backward()
    assert snn.backward_in_pieces(model, [frames], squares) == loss.item()
    for ours, theirs in zip(gradients(model), gradients(plain), strict=True):
        assert torch.equal(ours, theirs)


def test_pieces_against_a_loop_with_states_by_hand(seed: int) -> None:
    """The same network of plain layers, whose states are handed on and detached one by one."""
    frames = torch.rand(4, 20, 5) * 9
    model, plain = network(seed), network(seed)
    plain.reset = False
    total = 0.0
    for piece in frames.split(6, 1):
        for layer in (plain[1], plain[3]):
            if layer.is_state_initialised():
                layer.v_mem = layer.v_mem.detach()
        loss = squares(plain(piece))
        loss.backward()
        total += loss.item()
    found = snn.backward_in_pieces(model, frames.split(6, 1), squares)
    assert found == pytest.approx(total)
    assert model.reset
    for ours, theirs in zip(gradients(model), gradients(plain), strict=True):
        assert torch.equal(ours, theirs)
    whole = network(seed)
    sum(squares(part) for part in whole(frames).split(6, 1)).backward()
    assert not all(
        torch.equal(a, b) for a, b in zip(gradients(model), gradients(whole), strict=True)
    )


def small() -> Any:
    return snn.models.mlp(features=300, hidden=64, classes=10, depth=1)


def dying() -> Any:
    import os

    os._exit(9)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_grows_with_time_but_not_in_pieces() -> None:
    ask = {"shape": (300,), "batch_size": 16}
    many = snn.step_memory(small, 1600, **ask)
    assert many > 16 * 1600 * 4 * (300 + 64)  # at least its frames, and one layer of neurons
    assert snn.step_memory(small, 1600, piece=50, **ask) < many / 3


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_process_that_is_killed_is_said_to_be() -> None:
    with pytest.raises(ChildProcessError, match="step of 10 time steps ended"):
        snn.step_memory(dying, 10)


def test_mistakes_are_named() -> None:
    for wrong in ({"steps": 0}, {"steps": 1, "piece": 0}, {"steps": 1, "batch_size": 0}):
        with pytest.raises(ArgumentError, match="at least 1"):
            snn.step_memory(small, **wrong)
