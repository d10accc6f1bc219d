"""Where the monitor's records go: lines of JSON, TensorBoard."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evstore.errors import MissingDependencyError
from evstore.snn import IAF, JsonLines, Monitor, TensorBoard


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_whole_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "metrics.jsonl"
    write = JsonLines(path)
    write({"loss": torch.tensor(0.5), "many": np.arange(2), "wrong": [float("inf"), np.nan]})
    assert lines_of(path) == [{"loss": 0.5, "many": [0, 1], "wrong": [None, None]}]  # not closed
    write({"text": "two\nlines", "path": path.parent.name, 3: True})
    assert lines_of(path)[1] == {"text": "two\nlines", "path": "new", "3": True}
    write.close()
    with pytest.raises(ValueError, match="closed"):
        write({})


def test_a_run_that_goes_on_appends(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"a": 1}\n{"torn": ')
    with JsonLines(path) as write:
        write({"b": 2})
    with JsonLines(path) as write:
        write({"c": 3})
    assert path.read_text() == '{"a": 1}\n{"torn": \n{"b": 2}\n{"c": 3}\n'


@pytest.fixture
def board(tmp_path: Path) -> Any:
    """Everything that a small training wrote, as tensorboard reads it."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model = nn.Sequential(nn.Linear(3, 4), IAF())
    with torch.no_grad():
        model[0].weight.fill_(0.25)
    with Monitor(model, every=1, dt_us=1000, writers=[TensorBoard(tmp_path / "tb")]) as monitor:
        model(torch.ones(2, 8, 3)).sum().backward()
        monitor.step(loss=0.5, terms={"a": 0.25}, lr=None, epoch=0, step=11)
        monitor.write({"kind": "epoch", "epoch": 2, "split": "test", "accuracy": 0.75})
        monitor.write({"kind": "other", "text": "no number", "nan": float("nan")})
    found = accumulator.EventAccumulator(str(tmp_path / "tb"), {"scalars": 0, "histograms": 0})
    found.Reload()
    return found


def test_tensorboard(board: Any) -> None:
    tags = set(board.Tags()["scalars"])
    assert {"step/loss", "step/terms/a", "step/seconds/logging", "epoch/test/accuracy"} <= tags
    assert {"layers/1/rate_per_step", "layers/1/rate_hz", "layers/0/synops_per_sample"} <= tags
    assert {"layers/0/weights/quantised/zeros", "layers/0/gradient_norm"} <= tags
    assert not any("histogram" in tag or "shape" in tag for tag in tags)
    assert "step/lr" not in tags
    (loss,) = board.Scalars("step/loss")
    assert (loss.step, loss.value) == (11, 0.5)
    (accuracy,) = board.Scalars("epoch/test/accuracy")
    assert (accuracy.step, accuracy.value) == (2, 0.75)
    assert set(board.Tags()["histograms"]) == {
        "layers/0/weights", "layers/1/spikes_per_step", "layers/1/intervals_steps",
    }  # fmt: skip
    (spikes,) = board.Histograms("layers/1/spikes_per_step")
    assert spikes.step == 11
    assert spikes.histogram_value.num == 2 * 8 * 4


def test_tensorboard_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "torch.utils.tensorboard":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"evstore\[tensorboard\]"):
        TensorBoard(tmp_path)
