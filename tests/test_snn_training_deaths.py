"""Training killed at any moment, by SIGKILL and by Ctrl-C, goes on as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

from command_line import environment, start
from conftest import ROOT
from some_runs import config_of, equal_weights, lines, made_dataset, weights

EPOCHS = 6
KILLS = 20

# One process imports everything, once; each attempt is a fork of it, which is killed. It computes
# nothing itself: threads do not survive a fork.
ATTEMPTS = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from some_runs import config_of
from evstore.snn.training.loop import train
from evstore.snn.training.sets import datasets_of, loaders_of
from evstore.snn.training.threads import shares

root, whole, run, seed, kills, *overrides = sys.argv[1:]
config = config_of(Path(root), *overrides)
for loader in loaders_of(*datasets_of(config.data), config.data, 0, shares("0", 1)):
    for batch in loader:  # what reads is loaded now
        pass
torch.optim.AdamW([torch.zeros(1)])  # and what an optimiser imports
metrics = Path(run) / "metrics.jsonl"

def size():
    return metrics.stat().st_size if metrics.exists() else 0

def attempt(folder, more_bytes=None, seconds=0.0):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            train(config, folder, resume=True)
            code = 0
        finally:
            os._exit(code)
    before, due = size(), None
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if more_bytes is not None and due is None and size() >= before + more_bytes:
            due = time.monotonic() + seconds
        if due is not None and time.monotonic() > due:
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(0.0005)
    return os.waitpid(child, 0)[1]

assert attempt(whole) == 0
draw = random.Random(int(seed))
died = [attempt(run, draw.choice([0, 200, 500]), draw.uniform(0, 0.03)) for _ in range(int(kills))]
assert set(died) <= {0, signal.SIGKILL}, died
assert attempt(run) == 0
print(sum(status == signal.SIGKILL for status in died))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="attempts are forks")
def test_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    root = made_dataset(tmp_path / "set")
    overrides = ("checkpoint_every_steps=1", f"epochs={EPOCHS}")
    whole, run = tmp_path / "whole", tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, root, whole, run, str(seed), str(KILLS), *overrides],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")])),
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 4, "hardly any attempt was killed before its end"
    assert equal_weights(weights(whole), weights(run))
    assert equal_weights(weights(whole, "best"), weights(run, "best"))
    assert lines(whole) == lines(run)
    assert not list(run.rglob("*.part"))
    assert len([one for one in lines(run) if one["kind"] == "step"]) == 4 * EPOCHS
    assert json.loads((run / "run.json").read_text())["status"] == "done"


@pytest.mark.skipif(os.name == "nt", reason="SIGINT goes to a process group there")
def test_an_interrupted_verb_says_how_to_go_on(tmp_path: Path) -> None:
    root = made_dataset(tmp_path / "set")
    config, run = tmp_path / "tiny.toml", tmp_path / "run"
    config.write_text('[model]\nname = "mlp"\nargs = {hidden = 8, depth = 1}\n')
    asked = ("train", config, f"root={root}", "bins=4", "batch=4", "--out", run)
    process = start(*asked, "epochs=100000")
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 150
    while not (metrics.exists() and metrics.stat().st_size > 2000):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=100)
    assert process.returncode == 130
    said = error.decode()
    assert f"evstore: error: interrupted: {run} has all steps that were done" in said
    assert said.rstrip().endswith("epochs=100000 --resume")
    steps = [one for one in lines(run) if one["kind"] == "step"]
    assert [one["step"] for one in steps] == list(range(len(steps)))
    import torch

    kept = torch.load(run / "checkpoints" / "last.pt", weights_only=True)
    assert kept["step"] == len(steps)
    assert kept["metrics_bytes"] == metrics.stat().st_size


def test_the_configuration_of_the_attempts(tmp_path: Path) -> None:
    """Dropout and augmentation are on: without them a wrong place in random numbers is not seen."""
    config = config_of(tmp_path)
    assert config.model.name == "some_runs:with_dropout"
    assert config.augment.shift_pixels
    assert config.augment.time_crop < 1
