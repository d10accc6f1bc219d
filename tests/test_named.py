"""Datasets by name: told where to get them, packed when they are first asked for, once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore.datasets
from evstore.datasets import named
from evstore.datasets.known import KNOWN
from evstore.datasets.labels import Boxes
from evstore.datasets.packing import pack as packing
from evstore.errors import ArgumentError
from evstore.frames import Frames
from test_layouts import MAKE
from trees import EVENTS, bin40, put

fork = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
needs_fork = pytest.mark.skipif(fork is None, reason="no fork")

LAYOUTS = [(name, layout) for name, known in KNOWN.items() for layout in known.layouts]

TARGETS = {"index": int, "name": str, "none": (Boxes, type(None)), "boxes": Boxes}


def of(name: str) -> Any:
    return getattr(evstore.datasets, name)


def tree(root: Path, name: str, layout: str | None = None) -> Path:
    MAKE[layout or KNOWN[name].layouts[0]](root / name)
    return root


# ------------------------------------------------------------------------ what there is


@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
def test_packed_when_first_asked_for(tmp_path: Path, name: str, layout: str) -> None:
    tree(tmp_path, name, layout)
    known, made = KNOWN[name], of(name)
    for split in known.splits or (None,):
        dataset = made(tmp_path, split=split)
        assert len(dataset) > 0
        assert dataset.dtype == made.dtype
        assert dataset.ordering == made.ordering
        assert {id.partition("/")[0] for id in dataset.ids if split} <= {split}
        if known.sensor_size is not None:
            assert dataset.sensor_size == known.sensor_size
        for (events, target), label in zip(dataset, dataset.labels, strict=True):
            assert events.dtype == made.dtype
            assert len(events)
            assert isinstance(target, TARGETS[known.targets])
            assert known.targets != "name" or dataset.classes[label] == target
    shutil.rmtree(tmp_path / name)  # the files are not needed any more
    assert len(made(tmp_path))
    assert not list(tmp_path.glob("*.lock"))


def test_train_and_test(tmp_path: Path) -> None:
    tree(tmp_path, "NMNIST")
    for options, wanted in (
        ({}, ["train/0/00002", "train/9/00010"]), ({"train": False}, ["test/9/60000"]),
        ({"split": "test"}, ["test/9/60000"]),
    ):  # fmt: skip
        assert list(of("NMNIST")(tmp_path, **options).ids) == wanted
    frames = of("NMNIST")(str(tmp_path), frames=Frames(bins=4), target_transform=str)
    assert frames[1][0].shape == (4, 2, 34, 34)
    assert frames[1][1] == "9"
    with pytest.raises(ArgumentError, match=r"no split 'val'; its splits are 'test', 'train'"):
        of("NMNIST")(tmp_path, split="val")


@pytest.mark.parametrize("train", [len, "train", None, 1])
def test_what_is_not_named_is_not_lost(tmp_path: Path, train: Any) -> None:
    """NCALTECH101(save_to, transform) of tonic, DSEC(save_to, "train")."""
    with pytest.raises(ArgumentError, match=r"train is True or False, got .*name what comes after"):
        of("NCALTECH101")(tree(tmp_path, "NCALTECH101"), train)


def test_gestures_of_ibms_own_files_are_cut_by_their_labels(tmp_path: Path) -> None:
    tree(tmp_path, "DVSGesture", "dvsgesture-ibm")
    dataset = of("DVSGesture")(tmp_path)
    assert list(dataset.labels) == [0, 0]
    for events, target in dataset:
        assert events["t"].tolist() == [t for t, *_ in EVENTS if 2000 <= t < 9000]
        assert target == 0
    whole = of("DVSGesture")(tmp_path, windows=None, target="intervals")
    assert len(whole[0][0]) == len(EVENTS)


def test_caltech_is_tonics_but_for_the_places(tmp_path: Path, data_dir: Path) -> None:
    """tonic moves each recording so that its least x and y are 0; evstore keeps them as they are,
    and boxes stay where they belong."""
    pytest.importorskip("tonic")
    from tonic_trees import as_tonic

    files = sorted((data_dir / "nmnist_small" / "Train" / "3").glob("*.bin"))[:4]
    for number, file in enumerate(files):
        folder = tmp_path / "NCALTECH101" / "Caltech101" / ("ant", "Leopards")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / f"image_000{number}.bin")
    ours, theirs = of("NCALTECH101")(tmp_path), as_tonic("NCALTECH101", tmp_path)
    where = {os.path.splitext(path)[0].split("/", 1)[-1]: k for k, path in enumerate(theirs.data)}
    assert len(ours) == len(theirs) == 4
    for id, (events, target) in zip(ours.ids, ours, strict=True):
        wanted, label = theirs[next(k for path, k in where.items() if path.endswith(id))]
        assert target == label == id.partition("/")[0]
        for axis in ("x", "y"):
            events[axis] -= events[axis].min()
        assert events.dtype == wanted.dtype
        assert np.array_equal(events, wanted)


# ------------------------------------------------------------------------ what there is not


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_where_to_get_it(tmp_path: Path, name: str) -> None:
    """Where to get it and where to put it, be there nothing or something else."""
    with pytest.raises(ArgumentError, match="no such folder, and evstore downloads nothing") as no:
        of(name)(tmp_path)
    put(tmp_path / name / "Train.zip")
    with pytest.raises(ArgumentError, match="an archive: unpack it first") as other:
        of(name)(tmp_path)
    for error in (no, other):
        said = str(error.value)
        assert KNOWN[name].url in said
        assert KNOWN[name].unpack in said
        assert str(tmp_path / name) in said
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_a_split_that_came_later(tmp_path: Path) -> None:
    tree(tmp_path, "NMNIST")
    shutil.move(tmp_path / "NMNIST" / "Test", tmp_path / "later")
    assert len(of("NMNIST")(tmp_path)) == 2
    with pytest.raises(ArgumentError, match=r"no split 'test', only 'train'.*garrickorchard") as no:
        of("NMNIST")(tmp_path, train=False)
    assert f"then remove {tmp_path / 'NMNIST-evs'}" in str(no.value)
    shutil.move(tmp_path / "later", tmp_path / "NMNIST" / "Test")
    shutil.rmtree(tmp_path / "NMNIST-evs")
    assert len(of("NMNIST")(tmp_path, train=False)) == 1


def test_a_file_that_is_broken(tmp_path: Path) -> None:
    """Nothing is packed without it and without a word; mended, packing goes on."""
    tree(tmp_path, "NMNIST")
    broken = tmp_path / "NMNIST" / "Train" / "9" / "00010.bin"
    broken.write_bytes(bin40()[:-2])
    for _ in range(2):
        with pytest.raises(ArgumentError, match=r"NMNIST cannot be packed: .*00010\.bin"):
            of("NMNIST")(tmp_path)
    broken.write_bytes(bin40())
    assert len(of("NMNIST")(tmp_path)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["NMNIST", "NMNIST-evs"]


# ------------------------------------------------------------------------ several at once


def ask(root: Path, gate: Any, log: Path) -> None:
    """What a rank does first: the same as all others, at the same moment."""

    def slow(*given: Any, **options: Any) -> Any:
        with open(log, "a") as out:
            out.write("packs\n")
        time.sleep(0.3)  # the others come meanwhile
        return pack(*given, **options)

    pack, packing.pack = packing.pack, slow
    gate.wait()
    try:
        said = f"{[(len(events), target) for events, target in of('NMNIST')(root)]}\n"
    except ArgumentError as error:
        said = f"{error}\n"
    with open(log, "a") as out:
        out.write(said)


def at_once(root: Path, log: Path, count: int = 6) -> list[str]:
    assert fork is not None
    gate = fork.Barrier(count)
    ranks = [fork.Process(target=ask, args=(root, gate, log)) for _ in range(count)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
        assert rank.exitcode == 0
    return log.read_text().splitlines()


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_several_processes_pack_once(tmp_path: Path) -> None:
    tree(tmp_path, "NMNIST")
    lines = at_once(tmp_path, tmp_path / "log")
    assert lines.count("packs") == 1
    assert lines[1:] == [f"[({len(EVENTS)}, 0), ({len(EVENTS)}, 9)]"] * 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["NMNIST", "NMNIST-evs", "log"]


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_several_processes_and_a_broken_file(tmp_path: Path) -> None:
    """Each tries, one after the other, and each says why."""
    tree(tmp_path, "NMNIST")
    put(tmp_path / "NMNIST" / "Train" / "9" / "00010.bin", bin40()[:-2])
    lines = at_once(tmp_path, tmp_path / "log", 3)
    said = [line for line in lines if line != "packs"]
    assert len(said) == 3
    assert all("NMNIST cannot be packed" in line and "00010.bin" in line for line in said)
    assert lines == [line for pair in zip(["packs"] * 3, said, strict=True) for line in pair] or (
        lines.count("packs") == 3
    )


def hold(path: str, begun: Any) -> None:
    with named._alone(path):
        begun.set()
        time.sleep(60)


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_who_is_killed_holds_up_no_one(tmp_path: Path) -> None:
    assert fork is not None
    tree(tmp_path, "NMNIST")
    begun = fork.Event()
    other = fork.Process(target=hold, args=(str(tmp_path / "NMNIST-evs.lock"), begun))
    other.start()
    assert begun.wait(30)
    os.kill(other.pid or 0, signal.SIGKILL)
    other.join()
    assert (tmp_path / "NMNIST-evs.lock").exists()
    assert len(of("NMNIST")(tmp_path)) == 2
    assert not (tmp_path / "NMNIST-evs.lock").exists()


def enter(path: str, log: str) -> None:
    for _ in range(40):
        with named._alone(path), open(log, "r+") as file:
            inside = int(file.read())
            file.seek(0)
            file.write(str(inside + 1))
            file.flush()
            time.sleep(0.0005)
            assert int((file.seek(0), file.read())[1]) == inside + 1


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_never_two_inside_though_the_locks_file_goes(tmp_path: Path) -> None:
    assert fork is not None
    count = tmp_path / "count"
    count.write_text("1000")
    args = (str(tmp_path / "lock"), str(count))
    others = [fork.Process(target=enter, args=args) for _ in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0] * 4
    assert count.read_text() == "1160"
    with contextlib.suppress(FileNotFoundError):
        os.remove(tmp_path / "lock")
