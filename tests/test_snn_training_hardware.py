"""Losses for hardware and quantised weights, as a configuration asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

from collections.abc import Mapping
from typing import Any

from evstore.errors import ArgumentError
from evstore.snn.training.loop import train
from some_runs import config_of, equal_weights, lines, made_dataset, weights

ASKED = (
    "losses.synops=500",
    "losses.rate=[0.01, 0.2]",
    "losses.weights.synops=0.5",
    "losses.weight_ratio=1.0",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_dataset(tmp_path_factory.mktemp("set") / "shards")


class EnoughError(Exception):
    """Ends a run from within."""


def test_terms_are_in_the_loss_and_resume(root: Path, tmp_path: Path) -> None:
    def until(record: Mapping[str, Any]) -> None:
        if (record["epoch"], record["split"]) == (1, "train"):
            raise EnoughError

    config = config_of(root, *ASKED, "weight_bits=8")
    train(config, tmp_path / "whole")
    with pytest.raises(EnoughError):
        train(config, tmp_path / "run", say=until)
    train(config, tmp_path / "run", resume=True)
    assert equal_weights(weights(tmp_path / "whole"), weights(tmp_path / "run"))
    assert lines(tmp_path / "whole") == lines(tmp_path / "run")
    steps = [one for one in lines(tmp_path / "run") if one["kind"] == "step"]
    assert len(steps) == 12
    for step in steps:
        assert list(step["terms"]) == ["cross_entropy", "rate", "synops", "weight_ratio"]
        assert step["loss"] == pytest.approx(sum(step["terms"].values()), rel=1e-5)
    assert steps[0]["terms"]["synops"] > 0
    train(config_of(root), tmp_path / "without")
    assert not equal_weights(weights(tmp_path / "whole"), weights(tmp_path / "without"))


def test_an_option_that_there_is_not(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"\[losses\] has no 'sinops'; did you mean 'synops'"):
        train(config_of(root, "losses.sinops=3"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
