"""What bench snn_shown shows, of networks that nobody trained: the rows and what they compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sinabs")

from bench import snn_shown  # noqa: E402
from bench.snn_shown_networks import Trained, frames, made, ours, sinabs_twin, trained  # noqa: E402
from evstore import snn  # noqa: E402
from evstore.datasets.dataset import Dataset  # noqa: E402
from evstore.datasets.packing.pack import pack  # noqa: E402


def test_memory_is_that_of_the_same_network() -> None:
    """Spikes of every layer are equal; one has sinabs' own layers, the other none of them."""
    given = torch.poisson(torch.full((2, 12, 2, 34, 34), 0.8))
    mine, theirs = ours().eval(), sinabs_twin().eval()  # no dropout, which differs each time
    assert torch.equal(mine(given), theirs(given))
    assert mine(given).any()
    kinds = [[type(layer).__module__.split(".")[0] for layer in model if hasattr(layer, "v_mem")]
             for model in (mine, theirs)]  # fmt: skip
    assert kinds == [["evstore"] * 4, ["sinabs"] * 4]


@pytest.fixture(scope="module")
def folder(data_dir: Path, tmp_path_factory: Any) -> Path:
    """A hundred digits."""
    found = tmp_path_factory.mktemp("bench")
    (found / "in").mkdir()
    (found / "in" / "Test").symlink_to(data_dir / "nmnist_small" / "Test")
    pack(found / "in", found / "shards", layout="nmnist")
    return Path(found / "shards")


def test_no_digit_is_trained_with_and_tested(folder: Path) -> None:
    train, test = snn_shown.folds(folder, snn_shown.FULL)
    assert sorted([*train, *test]) == list(range(100))
    assert len(test) == 20
    few, same = snn_shown.folds(folder, snn_shown.QUICK)
    assert few.tolist() == train[:64].tolist()
    assert np.array_equal(test, same)


def test_rows(folder: Path, tmp_path: Path) -> None:
    train, test = snn_shown.folds(folder, snn_shown.QUICK)
    model = made(-1.0)
    before = [parameter.clone() for parameter in model.parameters()]
    part = Dataset(folder, frames=frames()).select(train[:32])
    trained(model, part, 1, lambda network, data: network(data).sum(1))
    assert not all(map(torch.equal, before, model.parameters()))
    cnn = snn.models.relu_twin(model)[:-1]
    rows = snn_shown.latencies(Trained(model, model, cnn), folder, [*test, *test])
    assert len(rows) == 9
    assert rows[0].note == "40 digits"
    assert all(bar.must is None and bar.aim is None for bar in rows)
    whole = {bar.name: bar for bar in rows if "whole frame: % answered" in bar.name}
    (bar,) = whole.values()
    assert bar.parts["280 ms"].median == 0
    assert bar.measured.median == 100

    size = snn_shown.QUICK._replace(stream_s=2.0)
    snn_shown.write(tmp_path / "s.evs", folder, test, size.stream_s)
    rows = snn_shown.streams(tmp_path / "s.evs", model, "a floor of -1", size)
    assert len(rows) == 4
    assert all(len(bar.parts) == 8 and bar.note == "7 digits" for bar in rows)
