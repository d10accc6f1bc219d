"""Weights as safetensors: what comes back, what is refused, what is left of a failed write."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sinabs")
safetensors = pytest.importorskip("safetensors.torch")
from torch import nn  # noqa: E402

import evstore  # noqa: E402
from evstore import snn  # noqa: E402
from evstore.errors import ArgumentError, CorruptError  # noqa: E402
from evstore.snn import models  # noqa: E402


def network() -> Any:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), snn.IAFSqueeze(batch_size=1, min_v_mem=-0.5),
        nn.Flatten(), nn.Linear(12, 4), snn.LIFSqueeze(tau_mem=7.0, batch_size=1),
    )  # fmt: skip


def same(one: Any, other: Any) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_weights_come_back(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model, other = network(), network()
    frames = torch.rand(5, 2, 4, 4) * 4
    model(frames)
    snn.save_weights(model, path)
    assert os.listdir(tmp_path) == ["model.safetensors"]
    held = safetensors.load_file(path)
    assert not [name for name in held if "v_mem" in name and "min_v_mem" not in name]
    assert "5.tau_mem" in held
    assert not same(model, other)
    other(frames[:3])
    before = other[2].v_mem.clone()
    metadata = snn.load_weights(other, str(path))
    assert same(model, other)
    assert torch.equal(other[1].running_mean, model[1].running_mean)
    assert torch.equal(other[2].v_mem, before)
    assert metadata["evstore"] == evstore.__version__
    assert json.loads(metadata["layers"])[0][0] == "0"
    assert "Conv2d(2, 3" in json.loads(metadata["layers"])[0][1]


def test_shared_and_strided_weights(tmp_path: Path) -> None:
    layer = nn.Linear(4, 4)
    layer.weight = nn.Parameter(torch.rand(4, 4).T)
    model = nn.Sequential(layer, snn.IAF(), layer)
    snn.save_weights(model, tmp_path / "w")
    again = nn.Linear(4, 4)
    other = nn.Sequential(again, snn.IAF(), again)
    snn.load_weights(other, tmp_path / "w")
    assert torch.equal(again.weight, layer.weight)


def test_weights_under_quantisation_are_the_full_ones(tmp_path: Path) -> None:
    model = snn.fake_quantise(models.talk())
    snn.save_weights(model, tmp_path / "w")
    plain = models.talk()
    snn.load_weights(plain, tmp_path / "w")
    assert torch.equal(plain[0].weight, model[0].weight)


def test_another_model_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "w"
    snn.save_weights(models.talk(classes=10), path)
    other = models.talk(classes=11)
    before = [parameter.clone() for parameter in other.parameters()]
    with pytest.raises(ArgumentError, match=r"'7.weight' is \(10, 576\) float32 in the file, \(11"):
        snn.load_weights(other, path)
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))
    with pytest.raises(
        ArgumentError, match=r"no '0.bias' in the file; no '1.min_v_mem' in the mod"
    ):
        snn.load_weights(nn.Sequential(nn.Conv2d(2, 8, 3), snn.IAF()), path)
    half = models.talk().half()
    with pytest.raises(ArgumentError, match=r"float32 in the file, .* float16 in the model; "):
        snn.load_weights(half, path)
    with pytest.raises(ArgumentError, match=r"and \d+ more"):
        snn.load_weights(models.mlp(2, 2, 2, 4), path)


def test_damaged_files_are_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "w"
    model = models.talk()
    snn.save_weights(model, path)
    whole = path.read_bytes()
    for damaged in (b"", b"x", whole[:-1], whole[:40], b"\xff" * 64, whole + b"x",
                    whole.replace(b"F32", b"F99")):  # fmt: skip
        path.write_bytes(damaged)
        with pytest.raises(CorruptError, match="no safetensors file, or damaged"):
            snn.load_weights(model, path)
    with pytest.raises(FileNotFoundError):
        snn.load_weights(model, tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        snn.load_weights(model, tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "w"
    model = models.talk()
    snn.save_weights(model, path)
    before = path.read_bytes()

    def fails(source: str, target: str) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        snn.save_weights(models.talk(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w"]
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        snn.save_weights(model, tmp_path / "no" / "folder")
