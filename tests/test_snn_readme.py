"""The training loop that README and examples show runs as it stands, on a few recordings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

from conftest import ROOT
from some_runs import made_dataset

BLOCKS = list(re.finditer("```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S))
SHOWN = {
    "examples/train_spiking.py": (ROOT / "examples" / "train_spiking.py").read_text(),
    **{f"README.md, {block.start()}": block[1] for block in BLOCKS if "snn.models" in block[1]},
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_shown_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_dataset(tmp_path / "nmnist-evs", recordings=96, resolution=(34, 34))
    monkeypatch.chdir(tmp_path)
    text = SHOWN[name]
    assert "loader.epoch < 30" in text
    found: dict[str, Any] = {}
    exec(compile(text.replace("loader.epoch < 30", "loader.epoch < 1"), name, "exec"), found)
    assert found["loader"].epoch == 1
    assert 0 < found["loss"].item() < 10
    if name.startswith("README"):  # what is shown next goes on with that
        (text,) = [block[1] for block in BLOCKS if "snn.Monitor" in block[1]]
        exec(compile(text, name, "exec"), found)
        found["monitor"].close()
        assert sorted(os.listdir()) == [
            "long.evs", "model.nir", "model.safetensors", "nmnist-evs", "run",
        ]  # fmt: skip
