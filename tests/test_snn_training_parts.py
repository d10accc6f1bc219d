"""The parts of training one by one: folds, shifts, rates, losses, threads, models."""

from __future__ import annotations

import math
import platform
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sinabs")
pytest.importorskip("pyarrow")

import torch
from torch import nn

import evstore.snn as snn
from command_line import environment
from evstore.errors import ArgumentError
from evstore.snn.training.augment import _picked, augmented
from evstore.snn.training.averaging import averaged_weights, begin_average, keep_average
from evstore.snn.training.building import build_model, build_optimiser, find_model
from evstore.snn.training.folds import folds_of
from evstore.snn.training.randomness import AUGMENT, numbers
from evstore.snn.training.readout import class_scores, output_loss
from evstore.snn.training.schedule import rate_factor
from evstore.snn.training.schema import Augment, Training
from evstore.snn.training.sets import Facts, datasets_of, facts_of
from evstore.snn.training.threads import own_processors, shares
from some_runs import config_of, made_dataset


def test_folds_are_of_ids_and_labels_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    ids = [f"r{k:03}" for k in range(103)]
    labels = random.integers(0, 4, 103).tolist()
    folds = dict(zip(ids, folds_of(ids, labels, 5).tolist(), strict=True))
    order = random.permutation(103)
    again = folds_of([ids[k] for k in order], [labels[k] for k in order], 5)
    assert [folds[ids[k]] for k in order] == again.tolist()
    for label in range(4):
        own = [id for id, of in zip(ids, labels, strict=True) if of == label]
        assert [folds[id] for id in own] == [place % 5 for place in range(len(own))]


def test_folds_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="label 1 has 1 recordings, less than 2 folds"):
        folds_of(["a", "b", "c"], [0, 0, 1], 2)
    with pytest.raises(ArgumentError, match="folds must be 2 or more"):
        folds_of(["a"], [0], 1)


def test_folds_of_a_dataset_do_not_depend_on_its_shards(tmp_path: Path) -> None:
    found = []
    for a_shard in (5, 24):
        root = made_dataset(tmp_path / f"shards-{a_shard}", a_shard=a_shard)
        tested = []
        for fold in range(3):
            config = config_of(root, "folds=3", f"fold={fold}")
            train, test = datasets_of(config.data)
            assert not set(train.ids) & set(test.ids)
            assert len(train) + len(test) == 24
            assert Counter(test.labels) == {
                0: 3 - (fold == 2),
                1: 3 - (fold == 2),
                2: 3 - (fold == 2),
            }
            tested.append(sorted(test.ids))
        assert sorted(id for ids in tested for id in ids) == [f"r{k:02}" for k in range(24)]
        found.append(tested)
    assert found[0] == found[1]


def test_what_the_data_say(tmp_path: Path) -> None:
    root = made_dataset(tmp_path / "set")
    config = config_of(root, "crop=[0, 0, 4, 4]", "polarity=merged")
    train, test = datasets_of(config.data)
    assert facts_of(config.data, train, test) == Facts(3, (4, 4), 1)
    assert train[0][0].shape == (4, 1, 4, 4)
    with pytest.raises(ArgumentError, match="the dataset has no split 'val'"):
        datasets_of(config_of(root, "test_split=val").data)
    noisy = config_of(root, "test_noise=['background:rate_hz=1000']", "test_noise_seed=3")
    quiet, loud = datasets_of(noisy.data)
    assert np.array_equal(quiet[0][0], datasets_of(config_of(root).data)[0][0][0])
    assert loud[0][0].sum() > datasets_of(config_of(root).data)[1][0][0].sum()


def naive_shift(frames: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    made = torch.zeros_like(frames)
    height, width = frames.shape[-2:]
    for y in range(height):
        for x in range(width):
            if 0 <= y - dy < height and 0 <= x - dx < width:
                made[..., y, x] = frames[..., y - dy, x - dx]
    return made


def test_shifts_are_shifts_and_of_every_kind() -> None:
    torch.manual_seed(1)
    frames = torch.rand(200, 1, 1, 4, 3)
    before = frames.clone()
    made = augmented(frames, list(range(200)), Augment(shift_pixels=2), seed=2, epoch=1)
    assert torch.equal(frames, before)
    wanted = {(dy, dx): naive_shift(frames, dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)}
    met = Counter()
    for row in range(200):
        fits = [shift for shift, moved in wanted.items() if torch.equal(made[row], moved[row])]
        assert len(fits) == 1
        met[fits[0]] += 1
    assert len(met) == 25


def test_cuts_in_time_keep_a_run_of_frames() -> None:
    frames = torch.arange(1.0, 11).reshape(1, 10, 1, 1, 1).expand(300, 10, 1, 1, 1)
    made = augmented(frames, list(range(300)), Augment(time_crop=0.6), seed=2, epoch=1).flatten(1)
    lengths = (made > 0).sum(1)
    assert set(lengths.tolist()) == set(range(6, 11))
    for row, length in zip(made.tolist(), lengths.tolist(), strict=True):
        assert row[:length] == [row[0] + k for k in range(length)]
        assert row[length:] == [0] * (10 - length)
    assert {row[0] for row in made.tolist()} == {1, 2, 3, 4, 5}


def test_cuts_in_time_stay_within_a_sample() -> None:
    """However far it is padded."""
    frames = torch.zeros(100, 10, 1, 1, 1)
    frames[:, :3] = 1.0
    how = Augment(time_crop=0.3)
    padded = augmented(frames, list(range(100)), how, seed=2, epoch=1, lengths=[3] * 100)
    alone = augmented(frames[:, :3], list(range(100)), how, seed=2, epoch=1)
    assert torch.equal(padded[:, :3], alone)
    assert not padded[:, 3:].any()
    assert alone.flatten(1).any(1).all()


def test_augmentation_is_of_seed_epoch_and_position() -> None:
    frames = torch.rand(6, 4, 1, 5, 5)
    how = Augment(
        shift_pixels=2, time_crop=0.5, rotate_degrees=30, scale=0.2, shear=0.1, elastic_pixels=2
    )

    def made(rows: slice, seed: int = 1, epoch: int = 2) -> torch.Tensor:
        own = list(range(10, 16))[rows]
        return augmented(frames[rows], own, how, seed=seed, epoch=epoch)

    whole = made(slice(0, 6))
    assert torch.equal(torch.cat([made(slice(0, 2)), made(slice(2, 6))]), whole)
    assert not torch.equal(made(slice(0, 6), seed=2), whole)
    assert not torch.equal(made(slice(0, 6), epoch=3), whole)


def naive_turn(frames: torch.Tensor, matrix: list[list[float]]) -> torch.Tensor:
    """Each pixel has the count of the nearest one to where it comes from; NaN where two are."""
    made = torch.zeros_like(frames)
    height, width = frames.shape[-2:]
    for y in range(height):
        for x in range(width):
            at = np.array([x - (width - 1) / 2, y - (height - 1) / 2, 1.0])
            column, row = np.array(matrix) @ at + [(width - 1) / 2, (height - 1) / 2]
            if min(abs(column % 1 - 0.5), abs(row % 1 - 0.5)) < 1e-3:
                made[..., y, x] = torch.nan
            elif 0 <= round(column) < width and 0 <= round(row) < height:
                made[..., y, x] = frames[..., round(row), round(column)]
    return made


@pytest.mark.parametrize("shape", [(9, 9), (6, 11)])
def test_turns(shape: tuple[int, int]) -> None:
    frames = torch.rand(20, 2, 2, *shape)
    how = Augment(rotate_degrees=40, scale=0.3, shear=0.2)
    made = augmented(frames, list(range(20)), how, seed=3, epoch=1)
    for row in range(20):
        random = np.random.default_rng(numbers(3, AUGMENT, 1, row))
        random.integers(0, 1, 2)
        for bounds in ((2, 3), (0, 1)):  # what is drawn for the cut in time before
            random.integers(*bounds)
        wanted = naive_turn(frames[row], _picked(how, random))
        clear = ~torch.isnan(wanted)
        assert clear.float().mean() > 0.9
        assert torch.equal(made[row][clear], wanted[clear])
    counts = (frames * 9).to(torch.uint8)
    again = augmented(counts, list(range(20)), how, seed=3, epoch=1)
    assert again.dtype == torch.uint8
    assert set(again.unique().tolist()) <= set(counts.unique().tolist()) | {0}


def test_bends_are_smooth_and_no_further_than_said() -> None:
    """A picture whose values say where they are."""
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    frames = torch.stack([columns + 100, rows + 100]).expand(40, 1, 2, 20, 30)
    made = augmented(frames, list(range(40)), Augment(elastic_pixels=3), seed=1, epoch=0)[:, 0]
    moved = made - frames[:, 0]
    inside = (made > 0).all(1)  # what comes from outside is zero
    assert inside.float().mean() > 0.7
    sizes = moved.abs().amax(1)[inside]
    assert 1 < sizes.float().mean() < 2.5
    assert sizes.max() <= 3 * 1.5 + 0.5  # bicubic curves overshoot a little
    steps = moved.diff(dim=-1).abs().amax(1)[inside[..., 1:] & inside[..., :-1]]
    assert steps.max() <= 2  # the next pixel moves nearly as far


def test_averages() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = begin_average(model)
    expected = model.weight.item()
    for step, value in enumerate([1.0, 5.0, -2.0] * 50, 1):
        model.weight.data.fill_(value)
        keep_average(average, model, 0.9, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average["weight"].item() == pytest.approx(expected, rel=1e-5)
    with averaged_weights(model, average):
        assert torch.equal(model.weight, average["weight"])
    assert model.weight.item() == -2.0
    with pytest.raises(ZeroDivisionError), averaged_weights(model, average):
        _ = 1 / 0
    assert model.weight.item() == -2.0
    keep_average({}, model, 0.0, 1)  # none is kept


def test_averages_of_norms_and_shared_weights() -> None:
    shared = nn.Linear(2, 2, bias=False)
    shared.weight.data.fill_(0.0)
    model = nn.Sequential(shared, nn.BatchNorm1d(2), shared)
    model[1].weight.requires_grad_(False)
    average = begin_average(model)
    assert list(average) == ["0.weight", "1.bias", "1.running_mean", "1.running_var"]
    shared.weight.data.fill_(1.0)
    model[1].running_mean.fill_(4.0)
    keep_average(average, model, 0.75, 1000)
    assert average["0.weight"].flatten().tolist() == [0.25] * 4  # once, not for each place
    assert average["1.running_mean"].tolist() == [1.0, 1.0]
    with averaged_weights(model, average):
        assert model[1].running_mean.tolist() == [1.0, 1.0]
        assert model[2].weight.flatten().tolist() == [0.25] * 4
    assert model[1].running_mean.tolist() == [4.0, 4.0]


def test_rates_of_schedules() -> None:
    for schedule in ("constant", "cosine", "onecycle"):
        factors = [rate_factor(step, 100, schedule, 10) for step in range(100)]
        assert max(factors) == pytest.approx(1)
        assert all(0 < factor <= 1 for factor in factors)
        assert factors[:10] == sorted(factors[:10])
        assert factors[10:] == sorted(factors[10:], reverse=True)
    # torch's own, whose last step has the least rate: ours would have it one step later
    optimiser = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 100)
    for step in range(100):
        expected = optimiser.param_groups[0]["lr"]
        assert rate_factor(step, 100, "cosine") == pytest.approx(expected, abs=1e-9)
        optimiser.step()
        theirs.step()


def test_scores_and_losses() -> None:
    spikes = torch.tensor([[[1.0, 0], [2, 1], [4, 4]], [[0, 1], [0, 1], [0, 3]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert class_scores(spikes, mask).tolist() == [[3, 1], [0, 5]]
    assert class_scores(spikes).tolist() == [[7, 5], [0, 5]]
    assert torch.equal(class_scores(spikes[:, 0], mask), spikes[:, 0])
    scores, targets = class_scores(spikes), torch.tensor([0, 1])
    expected = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(-5))]
    assert output_loss(scores, targets).item() == pytest.approx(sum(expected) / 2)
    wanted = [(7 / 5 - 1) ** 2, (5 / 5) ** 2, 0, (5 / 5 - 1) ** 2]
    assert output_loss(scores, targets, "mse", steps=5).item() == pytest.approx(sum(wanted) / 4)
    own = torch.tensor([2, 5])  # of padded samples, each has its own number of steps
    wanted = [(7 / 2 - 1) ** 2, (5 / 2) ** 2, 0, 0]
    assert output_loss(scores, targets, "mse", steps=own).item() == pytest.approx(sum(wanted) / 4)
    smooth = output_loss(scores, targets, "mse", steps=5, label_smoothing=0.2).item()
    wanted = [(7 / 5 - 0.9) ** 2, (5 / 5 - 0.1) ** 2, 0.1**2, (5 / 5 - 0.9) ** 2]
    assert smooth == pytest.approx(sum(wanted) / 4)


def test_threads_and_workers() -> None:
    assert shares("auto", processors=3)[:2] == (3, 0)
    assert shares("auto", processors=8)[:2] == (6, 2)
    assert shares("auto", processors=64)[:2] == (56, 8)
    assert shares("3", processors=2) == (1, 3, "processes")
    assert shares("processes:3", threads=2, processors=2) == (2, 3, "processes")
    for text in ("many", "-1", "fibres:2", "threads:", ""):
        with pytest.raises(ArgumentError, match=r"data\.workers must be auto"):
            shares(text)


def test_ranks_of_a_machine_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = own_processors()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert own_processors() == max(1, alone // 2)


def test_models_by_name() -> None:
    facts = Facts(5, (12, 14), 2)
    built = build_model(config_of(Path("x"), "name=talk"), facts)
    assert built.model(torch.zeros(1, 2, 2, 14, 12)).shape == (1, 2, 5)
    assert not built.flat
    built = build_model(config_of(Path("x"), "name=mlp", "args={hidden = 4}"), facts)
    assert built.model[0].weight.shape == (4, 2 * 12 * 14)
    assert built.flat
    with pytest.raises(ArgumentError, match="no model is called 'tlak'; there are talk, mlp"):
        find_model("tlak")
    with pytest.raises(ArgumentError, match="no model is called 'math'"):
        find_model("math")
    with pytest.raises(ArgumentError, match="no module 'nowhere' is found"):
        find_model("nowhere:net")
    with pytest.raises(ArgumentError, match=r"mlp\(.*hiden=4.*unexpected keyword"):
        build_model(config_of(Path("x"), "name=mlp", "args={hiden = 4}"), facts)
    with pytest.raises(ArgumentError, match=r"gives no torch\.nn\.Module"):
        build_model(config_of(Path("x"), "name=builtins:dict"), facts)
    with pytest.raises(ArgumentError, match="no weights to learn"):
        build_optimiser(nn.ReLU(), Training())


def test_forgetting_states_draws_no_random_numbers() -> None:
    """sinabs fits a state to another batch size with random numbers: dropout would be another."""
    model = snn.models.mlp(4, 2, 3, 1)
    model(torch.ones(5, 2, 4))
    snn.reset_states(model)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    model(torch.ones(3, 2, 4))
    assert torch.equal(torch.rand(1), expected)


FAULTS = """
import ctypes
import resource
from evstore.snn.allocation import keep_memory

libc, size = ctypes.CDLL(None), 64 << 20
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_memory()
faults()
print(kept, faults())
"""


def test_memory_stays_with_the_process() -> None:
    """A large block let go of, and taken again, has its pages still: no fault for each."""

    def asked(**more: str) -> list[str]:
        chosen = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
        plain = {k: v for k, v in environment().items() if not k.startswith(chosen)} | more
        done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True,
                              env=plain, check=True)  # fmt: skip
        return done.stdout.split()

    if platform.libc_ver()[0] != "glibc":
        assert asked()[0] == "False"
        return
    kept, again = asked()
    assert kept == "True"
    assert int(again) < 100
    kept, again = asked(MALLOC_TRIM_THRESHOLD_="0")
    assert kept == "False"
    assert int(again) > 30  # (fewer where pages are huge ones)
