"""What the bench of accuracies makes of its runs, and that its runs are what it says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

from bench import snn_accuracy as bench
from bench.snn_accuracy import Run
from evstore.snn.training.config import load_config


def test_rows_of_results_that_are_known() -> None:
    found: dict[Run, dict[str, Any]] = {}
    for fold, seed in itertools.product((1, 2), range(3)):
        for way, accuracy, synops in (
            ("plain", 0.97 + 0.01 * seed, 4e6), ("with noise", 0.95 + 0.01 * seed, 5e6),
            ("noise at test only", 0.6, 9e6), ("few SynOps", 0.96 + 0.01 * seed, 1e6 * fold),
        ):  # fmt: skip
            found[Run(way, fold, seed)] = {"accuracy": accuracy, "synops_per_sample": synops}
    rows = {bar.name: bar for bar in bench.rows(found, (1, 2), 3)}
    assert all(name.startswith("CPU: ") for name in rows)
    accuracy, noise, without, synops, fallen = rows.values()
    assert accuracy.measured.median == pytest.approx(98)
    assert accuracy.met == "aim"
    # three means, 97, 98 and 99: 98 +- 4.303 * 1 / sqrt(3)
    interval = accuracy.parts[bench.INTERVAL]
    assert (interval.low, interval.high) == pytest.approx((98 - 2.484, 98 + 2.484), abs=1e-3)
    assert "| accuracy on digits, % | 98 | 95.5 to 100 | 97 to 99 |" in bench.digits_table(
        list(rows.values())
    )
    assert noise.measured.median == pytest.approx(2)
    assert noise.met == "must"
    assert without.measured.median == pytest.approx(38)
    assert without.met == ""
    assert synops.measured.median == pytest.approx(0.375)
    assert synops.met == "must"
    assert fallen.measured.median == pytest.approx(1)


@pytest.mark.parametrize("way", bench.WAYS)
def test_what_is_asked_of_runs_is_understood(way: str) -> None:
    config = load_config(bench.RECIPE, ("data.root=x", *bench.WAYS[way]))
    config.check()
    noisy = way == "with noise"
    assert bool(config.data.noise) is bool(config.data.test_noise) is noisy
    assert config.data.test_noise_seed != config.training.seed or not noisy
    assert not config.losses


def test_a_run_and_the_same_network_under_noise(tmp_path: Path) -> None:
    from some_runs import made_dataset

    root = made_dataset(tmp_path / "shards")
    run = Run("plain", 1, 0)
    small = (*bench.QUICK[:2], "bins=3", "model.name=mlp", "model.args={}", "size=[]", "batch=4")
    result = bench.train(run, root, tmp_path, small)
    assert 0 <= result["accuracy"] <= 1
    assert bench.train(run, root, tmp_path, small) == result  # it is there
    few = bench.train(run._replace(way="few SynOps"), root, tmp_path, small)
    assert few.keys() == result.keys()
    asked = load_config(tmp_path / "few-SynOps-fold1-seed0" / "config.toml")
    assert asked.model.weights == str(tmp_path / "plain-fold1-seed0")
    assert asked.losses == {"synops": round(bench.FEW_SYNOPS * result["synops_per_sample"])}
    noisy = bench.tested_with_noise([run], tmp_path)
    assert noisy.keys() == {Run("noise at test only", 1, 0)}
    assert noisy[Run("noise at test only", 1, 0)]["synops_per_sample"] > result["synops_per_sample"]
    with pytest.raises(RuntimeError, match=r"plain-fold1-seed0.*another configuration"):
        bench.train(run, root, tmp_path, (*small, "training.lr=7.0"))
