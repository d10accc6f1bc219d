"""Several seeds and sweeps: folders, tables, and going on with them."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

from command_line import run as evstore_run
from evstore.errors import ArgumentError
from evstore.snn.training.config import load_config
from evstore.snn.training.loop import train
from evstore.snn.training.several import parse_sweep, sweep, train_seeds
from evstore.snn.training.stopping import Interrupted
from evstore.snn.training.student import student_cdf, student_quantile, summary_of
from some_runs import config_of, equal_weights, made_dataset, weights


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_dataset(tmp_path_factory.mktemp("set") / "shards")


def test_seeds(root: Path, tmp_path: Path) -> None:
    config = config_of(root, "epochs=2", "seed=4")
    found = train_seeds(config, tmp_path / "runs", 3)
    assert json.loads((tmp_path / "runs" / "summary.json").read_text()) == found
    assert [run["run"] for run in found["runs"]] == ["seed-4", "seed-5", "seed-6"]
    accuracies = [run["accuracy"] for run in found["runs"]]
    assert found["accuracy"]["mean"] == pytest.approx(statistics.mean(accuracies))
    assert found["accuracy"]["std"] == pytest.approx(statistics.stdev(accuracies))
    half = 4.302652729911275 * statistics.stdev(accuracies) / math.sqrt(3)  # of published tables
    low, high = found["accuracy"]["interval_95"]
    assert (high - low) / 2 == pytest.approx(half, rel=1e-9)
    train(config_of(root, "epochs=2", "seed=5"), tmp_path / "alone")
    assert equal_weights(weights(tmp_path / "alone"), weights(tmp_path / "runs" / "seed-5"))


class EnoughError(Exception):
    """Ends a run from within."""


def test_a_sweep_goes_on_where_it_ended(root: Path, tmp_path: Path) -> None:
    config = config_of(root, "epochs=2")
    told = []

    def until(record: Mapping[str, Any]) -> None:
        told.append(record)
        if len(told) == 7:  # within the second run
            raise EnoughError

    folder = tmp_path / "runs"
    with pytest.raises(EnoughError):
        sweep(config, folder, "bins", [2, 3, 5], say=until)
    assert not (folder / "summary.json").exists()
    done = (folder / "bins-2" / "metrics.jsonl").stat().st_mtime_ns
    with pytest.raises(ArgumentError, match=r"bins-2: holds a run already"):
        sweep(config, folder, "bins", [2, 3, 5])
    found = sweep(config, folder, "bins", [2, 3, 5], resume=True)
    assert (folder / "bins-2" / "metrics.jsonl").stat().st_mtime_ns == done
    assert (found["key"], [row["value"] for row in found["rows"]]) == ("data.bins", [2, 3, 5])
    assert json.loads((folder / "summary.json").read_text()) == found
    whole = sweep(config, tmp_path / "whole", "bins", [2, 3, 5])
    for row, other in zip(found["rows"], whole["rows"], strict=True):
        for of in ("accuracy", "loss", "synops_per_sample"):
            assert row[of] == other[of]
        run = f"bins-{row['value']}"
        assert equal_weights(weights(folder / run), weights(tmp_path / "whole" / run))
    assert load_config(folder / "bins-5" / "config.toml").data.bins == 5


def test_what_is_in_the_way_is_met_before_anything_is_done(root: Path, tmp_path: Path) -> None:
    config = config_of(root, "epochs=1")
    train(config_of(root, "epochs=1", "seed=1"), tmp_path / "runs" / "seed-1")
    with pytest.raises(ArgumentError, match="seed-1: holds a run already"):
        train_seeds(config, tmp_path / "runs", 2)
    assert not (tmp_path / "runs" / "seed-0").exists()


def test_the_verb_sweeps_with_seeds(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text('[model]\nname = "mlp"\nargs = {hidden = 4, depth = 1}\n')
    asked = ("train", config, f"root={root}", "bins=4", "batch=4", "epochs=1", "--seeds", 2)
    ran = evstore_run(*asked, "--sweep", "lr=0.1,1e-3", "--out", tmp_path / "runs")
    assert ran.code == 0, ran.err
    table = [line for line in ran.out.splitlines() if "epoch 0: " not in line]
    assert f"{tmp_path}/runs/lr-0.1/seed-1: epoch 0: loss" in ran.out
    assert table[0].split() == [
        "training.lr",
        "RUNS",
        "ACCURACY",
        "95",
        "%",
        "SYNOPS/SAMPLE",
        "S/EPOCH",
    ]
    assert [line.split()[:2] for line in table[1:]] == [["0.1", "2"], ["0.001", "2"]]
    there = sorted(path.name for path in (tmp_path / "runs" / "lr-0.1").iterdir())
    assert there == ["seed-0", "seed-1", "summary.json"]
    again = evstore_run(*asked, "--sweep", "lr=0.1,1e-3", "--out", tmp_path / "runs", "--resume")
    assert (again.code, again.out.splitlines()) == (0, table)


def test_sweeps_that_make_no_sense(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="KEY=VALUE,VALUE"):
        parse_sweep("bins")
    with pytest.raises(ArgumentError, match=r"did you mean 'data\.bins'"):
        parse_sweep("bin=3")
    with pytest.raises(ArgumentError, match="a value at least"):
        parse_sweep("bins=")
    with pytest.raises(ArgumentError, match="values of a sweep must differ"):
        sweep(config_of(root), tmp_path, "bins", [3, 3])
    with pytest.raises(ArgumentError, match="seeds must be 1 or more"):
        train_seeds(config_of(root), tmp_path, 0)
    assert parse_sweep("crop=[0,0,2,2],[1,1,3,3]") == ("data.crop", [[0, 0, 2, 2], [1, 1, 3, 3]])
    assert list(tmp_path.iterdir()) == []


#: The 97.5 % points of Student's distribution, as tables print them.
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 29: 2.045}


@pytest.mark.parametrize("degrees", TABLE)
def test_student(degrees: int) -> None:
    assert round(student_quantile(0.975, degrees), 3) == TABLE[degrees]
    assert student_cdf(0.0, degrees) == 0.5
    assert student_cdf(student_quantile(0.9, degrees), degrees) == pytest.approx(0.9)


def test_one_value_has_no_spread() -> None:
    assert summary_of([0.5]) == {"n": 1, "mean": 0.5, "std": None, "interval_95": None}
    assert summary_of([0.5, 0.5])["interval_95"] == [0.5, 0.5]


def test_an_interrupt_in_the_last_epoch_of_a_run_ends_those_that_come(
    root: Path, tmp_path: Path
) -> None:
    def in_the_last_epoch(record: Mapping[str, Any]) -> None:
        if (record["epoch"], record["split"]) == (1, "train"):
            os.kill(os.getpid(), signal.SIGINT)

    config = config_of(root, "epochs=2")
    with pytest.raises(Interrupted):
        train_seeds(config, tmp_path / "seeds", 3, say=in_the_last_epoch)
    with pytest.raises(Interrupted):
        sweep(config, tmp_path / "bins", "bins", [2, 4], say=in_the_last_epoch)
    done = [json.loads(path.read_text())["status"] for path in tmp_path.rglob("run.json")]
    assert done == ["done", "done"]


def test_a_sweep_of_a_key_below_a_number_is_refused(root: Path, tmp_path: Path) -> None:
    config = config_of(root, "losses.rate=0.1")
    with pytest.raises(ArgumentError, match=r"losses.rate.3 must be a section"):
        sweep(config, tmp_path / "runs", "losses.rate.3", [0.1])
