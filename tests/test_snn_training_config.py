"""Configurations: what they say, what is refused, and that TOML holds all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")

from conftest import ROOT
from evstore.errors import ArgumentError
from evstore.snn.training.config import (
    differing,
    known_keys,
    load_config,
    make_config,
    parse_override,
    to_toml,
    whole_key,
)

LEAST = {"data": {"root": "set", "bins": 3}}


def test_toml_and_back(tmp_path: Path) -> None:
    said: dict[str, dict[str, Any]] = {
        "data": {
            "root": 'a "quoted"\\path\n\x7f\u00e9 \U0001f600',
            "duration_us": 5000,
            "noise": ["hot-pixels:fraction=0.001", "background:rate_hz=5"],
            "crop": [0, 0, 4, 4],
            "binary": True,
        },
        "model": {"name": "m:f", "args": {"a b": [1, 2.5], "deep": {"x": False}, "n": -1}},
        "training": {"lr": 1e-300, "weight_decay": 3, "clip_norm": 1e22},
        "losses": {"synops": 1e5, "rate": [0.01, 0.2], "weights": {"synops": 0.1}},
    }
    config = make_config(said)
    assert type(config.training.weight_decay) is float
    (tmp_path / "config.toml").write_bytes(to_toml(config).encode())
    assert load_config(tmp_path / "config.toml") == config
    assert all(key.partition(".")[2] in to_toml(config) for key in known_keys())


@pytest.mark.parametrize(
    ("said", "overrides", "message"),
    [
        ({"date": {}}, [], r"no section is called \[date\]; did you mean \[data\]"),
        ({"data": 3}, [], "data must be a section"),
        ({"data": {"bin": 3}}, [], "no key is called 'data.bin'; did you mean 'data.bins'"),
        ({"training": {"bins": 3}}, [], "'training.bins'; did you mean 'data.bins'"),
        ({}, ["lrr=1"], "'lrr'; did you mean 'training.lr'"),
        ({}, ["training.xyzzy=1"], "called 'training.xyzzy'; .training. has training.epochs"),
        ({}, ["lr"], "an override is KEY=VALUE"),
        ({}, ["=1"], "an override is KEY=VALUE"),
        ({}, ["lr=fast"], "training.lr: 'fast' is no value of TOML"),
        ({}, ["lr=nan"], "training.lr must be a number, got nan"),
        ({}, ["bins=2.5"], "data.bins must be a whole number, got 2.5"),
        ({}, ["bins=true"], "data.bins must be a whole number, got True"),
        ({}, ["noise=[1]"], "data.noise must be a list of texts"),
        ({}, ["binary=1"], "data.binary must be true or false, got 1"),
        ({}, ["args=3"], "model.args must be a table, got 3"),
        ({}, ["duration_us=1"], "one of data.bins and data.duration_us, got bins=3, duration_us=1"),
        ({}, ["bins=0"], "one of data.bins and data.duration_us"),
        ({}, ["folds=1"], "data.folds must be 0 .* or 2 or more"),
        ({}, ["folds=5", "fold=5"], r"data.fold must lie in 0\.\.4, got 5"),
        ({}, ["batch=0"], "data.batch must be 1 or more"),
        ({}, ["time_crop=0.0"], "augment.time_crop must lie above 0"),
        ({}, ["epochs=0"], "training.epochs must be 1 or more"),
        ({}, ["lr=0"], "training.lr must be above 0"),
        ({}, ["schedule=cosin"], "must be one of constant, cosine, onecycle, got 'cosin'"),
        ({}, ["seed=-1"], "training.seed must be 0 or more"),
        ({}, ["root=''"], "data.root must name a packed dataset"),
    ],
)
def test_what_is_refused(said: dict[str, Any], overrides: list[str], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_config({**LEAST, **said}, overrides)


def test_overrides() -> None:
    config = make_config(
        LEAST,
        [
            "training.lr=1e-3",
            "data.bins=20",
            "schedule=onecycle",
            'loss="mse"',
            "workers=2",
            "model.args.hidden=5",
            "losses.synops=1e5",
            "losses.weights.synops=0.5",
            "noise=['leak']",
        ],
    )
    assert (config.training.lr, config.data.bins, config.data.workers) == (1e-3, 20, "2")
    assert (config.training.schedule, config.training.loss) == ("onecycle", "mse")
    assert config.model.args == {"hidden": 5}
    assert config.losses == {"synops": 1e5, "weights": {"synops": 0.5}}
    assert config.data.noise == ["leak"]
    assert differing(config, make_config(LEAST))[:2] == ["data.bins", "data.noise"]


def test_a_key_without_its_section_must_be_the_only_one() -> None:
    keys = [key.partition(".")[2] for key in known_keys()]
    for key in known_keys():
        name = key.partition(".")[2]
        if keys.count(name) == 1:
            assert whole_key(name) == key
    assert parse_override("a.b.c=1" if "a" in keys else "losses.b.c=1")[1] == 1


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"[data\nroot = \xff")
    with pytest.raises(ArgumentError, match=r"config\.toml: no TOML"):
        load_config(tmp_path / "config.toml")


def test_the_example_is_one() -> None:
    config = load_config(ROOT / "examples" / "nmnist.toml")
    assert (config.data.folds, config.model.name) == (5, "digits")


def test_words_and_whole_sections_on_the_command_line() -> None:
    assert parse_override("root=1_000") == ("data.root", "1_000")
    assert parse_override("root=2024-01-01") == ("data.root", "2024-01-01")
    assert parse_override("root='a b'") == ("data.root", "a b")
    assert parse_override("root=it's") == ("data.root", "it's")
    made = make_config({"data": {"root": "set", "bins": 1}}, ["losses={synops=1e5}"])
    assert made.losses == {"synops": 1e5}
