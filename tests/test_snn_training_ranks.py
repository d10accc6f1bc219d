"""Two processes that train one model together, over gloo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

import torch

from command_line import environment
from conftest import ROOT
from evstore.snn.training.loop import train
from some_runs import config_of, equal_weights, lines, made_dataset

# Without thresholds: rounding, which ranks do otherwise, would make spikes come or not.
SMOOTH = {"name": "some_runs:Poisoned", "args": {"at": 1000}}

RANK = """
import sys
from pathlib import Path
import torch
from some_runs import config_of
from evstore.snn.training import loop
from evstore.snn.model_weights import weights_of

root, folder, name, *overrides = sys.argv[1:]
before = loop.result_of

def kept(run):
    torch.save(weights_of(run.model), f"{folder}-rank-{run.rank}.pt")
    return before(run)

loop.result_of = kept
model = {"name": f"some_runs:{name}", "args": {"at": 1000} if name == "Poisoned" else {}}
print(loop.train(config_of(Path(root), *overrides, model=model), folder))
"""


def ranks(
    root: Path, folder: Path, *overrides: str, model: str = "Poisoned", world: int = 2
) -> list[str]:
    """What each rank prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    processes = []
    for rank in range(world):
        said = {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank)}
        said |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_WORLD_SIZE": str(world)}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", RANK, root, folder, model, *overrides],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(**{**said, "PYTHONPATH": path}),
            )
        )
    ended = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0] * world, ended
    return [out for out, _ in ended]


def test_two_ranks_do_what_one_process_does(tmp_path: Path) -> None:
    root = made_dataset(tmp_path / "set")
    overrides = ("epochs=2", "clip_norm=0.5")
    first, second = ranks(root, tmp_path / "two", *overrides)
    train(config_of(root, *overrides, model=SMOOTH), tmp_path / "one")
    a, b = (torch.load(tmp_path / f"two-rank-{rank}.pt", weights_only=True) for rank in range(2))
    assert equal_weights(a, b)
    assert first.partition("seconds")[0] == second.partition("seconds")[0]  # the result is shared
    alone, together = lines(tmp_path / "one"), lines(tmp_path / "two")
    assert len(alone) == len(together) == 2 * (4 + 2)
    for one, two in zip(alone, together, strict=True):
        assert one.keys() == two.keys()
        for key in ("loss", "grad_norm", "accuracy", "samples", "lr", "synops_per_sample"):
            alike = two.get(key) if two.get(key) is None else pytest.approx(two[key], rel=1e-4)
            assert one.get(key) == alike, (key, one, two)


def test_ranks_have_the_same_norms(tmp_path: Path) -> None:
    root = made_dataset(tmp_path / "set")
    first, second = ranks(root, tmp_path / "two", "epochs=1", "average=0.9", model="with_norm")
    a, b = (torch.load(tmp_path / f"two-rank-{rank}.pt", weights_only=True) for rank in range(2))
    assert equal_weights(a, b)
    assert not torch.equal(a["1.running_mean"], torch.zeros(8))  # each saw samples of its own
    assert first.partition("seconds")[0] == second.partition("seconds")[0]
