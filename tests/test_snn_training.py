"""A run of training: repeated, resumed, refused, and ended where a number is none."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

import torch

import evstore
import evstore.snn as snn
from command_line import run as evstore_run
from evstore.errors import ArgumentError, CorruptError
from evstore.snn.model_weights import set_weights, weights_of
from evstore.snn.training.checkpoint import load_checkpoint
from evstore.snn.training.config import absolute, load_config
from evstore.snn.training.finite import TrainingError
from evstore.snn.training.folder import RunFolder
from evstore.snn.training.loop import train
from evstore.snn.training.sets import datasets_of
from some_runs import config_of, equal_weights, lines, made_dataset, weights


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_dataset(tmp_path_factory.mktemp("set") / "shards")


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(config_of(root), folder)
    return folder


def test_what_a_run_leaves(root: Path, whole: Path) -> None:
    facts = json.loads((whole / "run.json").read_text())
    assert (facts["status"], facts["error"], facts["seed"]) == ("done", None, 0)
    assert facts["finished"] >= facts["started"]
    assert {"evstore", "torch", "sinabs", "numpy", "python"} <= facts["versions"].keys()
    digest = evstore.Dataset(root, "train").samples_digest
    assert facts["dataset"] == {"root": str(root), "samples_digest": digest}
    assert load_config(whole / "config.toml") == absolute(config_of(root))
    steps = [one for one in lines(whole) if one["kind"] == "step"]
    assert [one["step"] for one in steps] == list(range(12))
    assert [one["epoch"] for one in steps] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(one["terms"].keys() == {"cross_entropy"} for one in steps)
    epochs = [one for one in lines(whole) if one["kind"] == "epoch"]
    assert [(one["epoch"], one["split"], one["samples"]) for one in epochs] == [
        (epoch, *rest) for epoch in range(3) for rest in (("train", 16), ("test", 6))
    ]
    assert epochs[-1]["accuracy"] == facts["result"]["accuracy"]
    assert not list(whole.rglob("*.part"))


def test_it_learns(root: Path, tmp_path: Path) -> None:
    config = config_of(root, "epochs=12", "lr=0.03", "time_crop=1.0", "shift_pixels=0")
    assert train(config, tmp_path / "run").accuracy >= 0.8


def test_the_same_seed_gives_the_same_weights(root: Path, whole: Path, tmp_path: Path) -> None:
    torch.manual_seed(99)  # whatever was drawn before
    np.random.seed(99)
    train(config_of(root), tmp_path / "again")
    assert equal_weights(weights(whole), weights(tmp_path / "again"))
    assert lines(whole) == lines(tmp_path / "again")
    train(config_of(root, "seed=1"), tmp_path / "other")
    assert not equal_weights(weights(whole), weights(tmp_path / "other"))


@pytest.mark.parametrize("workers", ["2", "threads:2"])
def test_workers_change_nothing(root: Path, whole: Path, tmp_path: Path, workers: str) -> None:
    train(config_of(root, f"workers={workers!r}".replace("'", '"')), tmp_path / "run")
    assert equal_weights(weights(whole), weights(tmp_path / "run"))


class EnoughError(Exception):
    """Ends a run from within."""


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 8, 11])
def test_resuming_anywhere_gives_the_same_weights(
    root: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    from evstore.snn.training import loop

    before, steps = loop.take_step, [0]

    def until(*given: Any) -> Any:
        if steps[0] == at:
            raise EnoughError(f"at step {at}")
        steps[0] += 1
        return before(*given)

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(loop, "take_step", until)
        with pytest.raises(EnoughError):
            train(config_of(root), run)
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["error"]) == ("failed", f"at step {at}")
    started = facts["started"]
    train(config_of(root), run, resume=True)
    assert equal_weights(weights(whole), weights(run))
    assert equal_weights(weights(whole, "best"), weights(run, "best"))
    assert lines(whole) == lines(run)
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["error"], facts["started"]) == ("done", None, started)


def test_averaged_weights_are_what_is_tested_and_kept(root: Path, tmp_path: Path) -> None:
    """And they are resumed."""
    asked = ("training.average=0.8", "augment.rotate_degrees=20.0", "training.schedule='constant'")
    config = config_of(root, *asked)
    first, second = tmp_path / "first", tmp_path / "second"
    found = train(config, first)
    short = dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=1))
    train(short, second)
    (second / "config.toml").write_text((first / "config.toml").read_text())
    facts = json.loads((second / "run.json").read_text())
    (second / "run.json").write_text(json.dumps({**facts, "status": "running"}))
    assert train(config, second, resume=True)[:4] == found[:4]
    states = [load_checkpoint(folder / "checkpoints" / "last.pt") for folder in (first, second)]
    assert len(states[0]["average"]) == 4  # two layers' weights and biases
    for name, value in states[0]["average"].items():
        assert torch.equal(value, states[1]["average"][name])
        assert not torch.equal(value, states[0]["model"][name])
    model = snn.load_run(first)
    assert torch.equal(dict(model.named_parameters())["0.weight"], states[0]["average"]["0.weight"])
    data = datasets_of(config.data)[1]
    test = evstore.Loader(data, 4, shuffle=False, pad=True)
    assert snn.evaluate(model, test, flat=True).accuracy == found.accuracy
    with pytest.raises(ArgumentError, match="leaves out 2 of 6 samples"):
        snn.evaluate(model, evstore.Loader(data, 4, shuffle=False), flat=True)
    with pytest.raises(ArgumentError, match="no run with a checkpoint"):
        snn.load_run(tmp_path)


def test_weights_to_begin_with(root: Path, tmp_path: Path) -> None:
    """Of a run (averaged), and of a file; a run that goes on needs neither."""
    train(config_of(root, "average=0.8"), tmp_path / "first")
    snn.save_weights(snn.load_run(tmp_path / "first"), tmp_path / "first.safetensors")
    runs = []
    for name in ("first", "first.safetensors"):
        config = config_of(root, "average=0.9", model={"weights": str(tmp_path / name)})
        train(config, tmp_path / f"from-{name}")
        runs.append(weights(tmp_path / f"from-{name}"))
    assert equal_weights(*runs)
    tiny = config_of(root, "epochs=1", "lr=1e-12", model={"weights": str(tmp_path / "first")})
    train(tiny, tmp_path / "tiny")
    average = load_checkpoint(tmp_path / "first" / "checkpoints" / "last.pt")["average"]
    for name, value in average.items():
        assert torch.allclose(weights(tmp_path / "tiny")[name], value, atol=1e-6)
    facts = json.loads((tmp_path / "tiny" / "run.json").read_text())
    (tmp_path / "tiny" / "run.json").write_text(json.dumps({**facts, "status": "running"}))
    (tmp_path / "first").rename(tmp_path / "moved")
    train(tiny, tmp_path / "tiny", resume=True)
    with pytest.raises(ArgumentError, match="no run with a checkpoint"):
        train(tiny, tmp_path / "other")
    other = config_of(root, model={"weights": str(tmp_path / "moved"), "args": {"hidden": 3}})
    with pytest.raises(ArgumentError, match="another model"):
        train(other, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_run_that_is_done_is_not_done_again(root: Path, whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    result = train(config_of(root), whole, resume=True)
    assert result.accuracy == json.loads((whole / "run.json").read_text())["result"]["accuracy"]
    assert before == {path: path.stat().st_mtime_ns for path in whole.rglob("*")}


def test_a_run_in_the_way(root: Path, whole: Path) -> None:
    with pytest.raises(ArgumentError, match=r"holds a run already .*--resume.*--out"):
        train(config_of(root), whole)


def test_resuming_with_another_configuration_names_the_keys(root: Path, whole: Path) -> None:
    other = config_of(root, "lr=0.02", "bins=5")
    with pytest.raises(
        ArgumentError, match=r"data.bins was 4, is 5; training.lr was 0.01, is 0.02"
    ):
        train(other, whole, resume=True)


def test_resuming_with_other_samples_is_refused(root: Path, tmp_path: Path) -> None:
    moved = made_dataset(tmp_path / "set")
    config = config_of(moved, "epochs=1")
    train(config, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**facts, "status": "running"}))
    for path in moved.iterdir():
        path.unlink()
    moved.rmdir()
    made_dataset(moved, recordings=28)
    with pytest.raises(ArgumentError, match="n_samples was 18, is 21"):
        train(config, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("loss", r"epoch 1, step 5: the loss is nan \(cross_entropy nan\)"),
        ("gradient", r"epoch 1, step 5: \d+ of 144 gradients of 'layer.weight' are not finite"),
        ("weight", r"epoch 1, step 5: 1 of 144 weights of 'layer.weight' are not finite"),
    ],
)
def test_what_is_no_number_ends_it(root: Path, tmp_path: Path, what: str, said: str) -> None:
    model = {"name": "some_runs:Poisoned", "args": {"at": 5, "what": what}}
    config = config_of(root, model=model)
    with pytest.raises(TrainingError, match=said):
        train(config, tmp_path / "run")
    kept = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")
    assert kept["step"] == 4
    assert all(bool(values.isfinite().all()) for values in kept["model"].values())
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["status"] == "failed"
    assert what in facts["error"]


def test_an_interrupt_ends_it_after_the_step(root: Path, whole: Path, tmp_path: Path) -> None:
    def at_the_end_of_an_epoch(record: Mapping[str, Any]) -> None:
        if (record["epoch"], record["split"]) == (0, "train"):
            os.kill(os.getpid(), signal.SIGINT)

    run = tmp_path / "run"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(config_of(root), run, say=at_the_end_of_an_epoch)
    assert signal.getsignal(signal.SIGINT) is before
    assert load_checkpoint(run / "checkpoints" / "last.pt")["step"] == 4
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["error"]) == ("interrupted", None)
    train(config_of(root), run, resume=True)
    assert equal_weights(weights(whole), weights(run))
    assert lines(whole) == lines(run)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"PK nonsense")
    with pytest.raises(CorruptError, match=r"last.pt: no checkpoint"):
        load_checkpoint(tmp_path / "last.pt")


def test_weights_load_into_a_fresh_model_and_into_no_other() -> None:
    model = snn.models.talk()
    model(torch.zeros(2, 3, 2, 30, 30))  # neurons have a state of that batch now
    kept = weights_of(model)
    assert not any("v_mem" in name.split(".")[-1][:5] for name in kept if "min" not in name)
    fresh = snn.models.talk()
    set_weights(fresh, kept)
    assert equal_weights(weights_of(fresh), kept)
    with pytest.raises(ArgumentError, match="another model"):
        set_weights(snn.models.mlp(), kept)
    with pytest.raises(ArgumentError, match=r"lacks \['7.weight'\]"):
        set_weights(fresh, {name: value for name, value in kept.items() if name != "7.weight"})


def test_the_verb(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text('[model]\nname = "mlp"\nargs = {hidden = 8, depth = 1}\n')
    asked = ("train", config, f"root={root}", "bins=4", "batch=4", "epochs=2", "workers=0")
    ran = evstore_run(*asked, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    assert "epoch 1: loss " in ran.out
    assert "right after 2 epochs" in ran.out
    assert load_config(tmp_path / "run" / "config.toml").data.bins == 4
    again = evstore_run(*asked, "--out", tmp_path / "run")
    assert (again.code, "holds a run already" in again.error) == (2, True)
    result = evstore_run(*asked, "--out", tmp_path / "run", "--resume", "--json")
    assert result.json["epochs"] == 2


def test_the_verb_with_what_is_wrong(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text("[training]\nlearn = 3\n")
    ran = evstore_run("train", config)
    assert ran.code == 2
    assert "no key is called 'training.learn'" in ran.error
    config.write_text("")
    ran = evstore_run("train", config, f"root={root}", "bins=4", "lr=fast")
    assert "training.lr: 'fast' is no value of TOML" in ran.error


def test_one_process_trains_in_a_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evstore.snn.training.folder.PATIENCE_S", 0.2)
    first = RunFolder(tmp_path / "run")
    with (
        first.alone(first.stands()),
        pytest.raises(ArgumentError, match="another process is training here"),
    ):
        train(config_of(root), tmp_path / "run", resume=True)
    assert not first.facts.exists()  # nothing is said of the run of the other
    train(config_of(root, "epochs=1"), tmp_path / "run", resume=True)


def test_a_run_that_another_process_made_meanwhile_is_left(root: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    stood = folder.stands()
    train(config_of(root, "epochs=1"), folder.path)
    kept = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(ArgumentError, match="has trained here meanwhile"), folder.alone(stood):
        pass
    assert kept == {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_layer_whose_gradient_is_none_is_named(
    root: Path, tmp_path: Path, clip_norm: float, bad: float
) -> None:
    model = {"name": "some_runs:bad_gradient", "args": {"bad": str(bad)}}
    config = config_of(root, f"clip_norm={clip_norm}", model=model)
    with pytest.raises(TrainingError, match=r"1 of 24 gradients of '2.weight' are not finite"):
        train(config, tmp_path / "run")


def test_layers_gradients_are_those_before_clipping(root: Path, tmp_path: Path) -> None:
    train(config_of(root, "epochs=1", "clip_norm=1e-3", "monitor.every=1"), tmp_path / "run")
    written = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in written]
    step = next(one for one in records if one["kind"] == "step")
    layers = next(one for one in records if one["kind"] == "layers")["layers"]
    norms = [one["gradient_norm"] for one in layers.values() if "gradient_norm" in one]
    assert step["grad_norm"] > 1e-2
    assert max(norms) <= step["grad_norm"] * 1.001
    assert sum(norm**2 for norm in norms) > 0.1 * step["grad_norm"] ** 2


def test_threads_of_a_run_stay_and_other_ranks_are_told(root: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        folder = RunFolder(tmp_path / "run")
        train(config_of(root, "epochs=2"), folder.path)
        state = load_checkpoint(folder.last)
        assert (state["world"], state["threads"]) == (1, torch.get_num_threads())
        torch.save({**state, "world": 3, "threads": 2}, folder.last)
        folder.write(status="running")
        with pytest.warns(UserWarning, match="had 3 ranks, and has 1 now"):
            train(config_of(root, "epochs=2"), folder.path, resume=True)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.name=:x"], "no module"),
        (["model.args={hidden=-1}"], r"mlp\(.*hidden=-1"),
        (["model.args={classes=2}"], "a label is 2, and the model tells 2 classes apart"),
        (["batch=64"], "data.batch is 64, and there are 18 samples"),
        (["losses.synops=abc"], "is no value of TOML"),
        (['losses.synops="abc"'], r"\[losses\] has a value of another kind"),
        (["losses.rate=[0.1]"], r"\[losses\] has a value of another kind"),
        (["losses.weights=3"], r"\[losses\] has a value of another kind"),
        (["losses=3"], "losses must be a section"),
        (
            ["model.name=some_runs:of_single_frames"],
            r"cannot take frames .* = \(4, 4, 2, 4, 6\).*Time",
        ),
        (["model.args={dropout=0.3}"], r"model.args are \{'dropout': 0.3\}"),
        (["epochs=2", "warmup_epochs=2"], "warmup_epochs is 2.0 of training.epochs 2"),
        (["polarity=off"], "data.polarity must be one of on_off, merged, signed"),
        (["noise=background:rate_hz=5"], "no value of TOML; a list is wanted"),
    ],
)
def test_mistakes_are_told_as_such(
    root: Path, tmp_path: Path, overrides: list[str], said: str
) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text('[model]\nname = "mlp"\n[data]\nbins = 4\nbatch = 4\n')
    with pytest.raises(ArgumentError, match=said):
        train(load_config(config, [f"root={root}", *overrides]), tmp_path / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_where_one_is_asked_for(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="torch finds no GPU"):
        train(config_of(root, "device=cuda"), tmp_path / "run")


def test_a_folder_in_which_nothing_was_trained_is_begun_anew(root: Path, tmp_path: Path) -> None:
    wrong = config_of(root, "epochs=1", model={"name": "some_runs:of_single_frames"})
    with pytest.raises(ArgumentError, match="cannot take frames"):
        train(wrong, tmp_path / "run")
    assert RunFolder(tmp_path / "run").read()["status"] == "failed"
    train(config_of(root, "epochs=1"), tmp_path / "run")
    train(config_of(root, "epochs=1"), tmp_path / "other")
    assert lines(tmp_path / "run") == lines(tmp_path / "other")
    assert RunFolder(tmp_path / "run").read()["error"] is None
    with pytest.raises(ArgumentError, match="holds a run already"):
        train(config_of(root, "epochs=1"), tmp_path / "run")
