"""The loader over real shards: ranks, workers, kills, and shards that go wrong meanwhile."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import select
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batches_in_hand import AHEAD, WATCHED_S, equal, expect_no_child, flat, handed, joined, numbers
from evstore import Dataset, Frames, Loader, Windows, pad_collate
from evstore.datasets.loading.batches import n_batches
from evstore.datasets.loading.order import epoch_order
from evstore.datasets.loading.sampler import BatchOrder
from evstore.datasets.loading.workers import WorkerKilledError
from evstore.frames import to_voxel_grid
from some_datasets import RESOLUTION, Made, make_dataset

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)
needs_kill = pytest.mark.skipif(
    not hasattr(signal, "SIGKILL") or not hasattr(os, "fork"), reason="no fork or no SIGKILL"
)

#: What a sample is; the last ones are windows of recordings.
KINDS: dict[str, dict[str, Any]] = {
    "structured": {"dtype": "nmnist"},
    "events": {"output": "events", "relative": True},
    "frames": {"frames": Frames(duration=20_000, partial=True)},
    "windows": {"frames": Frames(bins=3), "windows": Windows(duration=20_000)},
    "counts": {"windows": Windows(count=150), "target": "none"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("loading")
    return make_dataset(folder, recordings=26, a_shard=4, count=600)


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    yield
    expect_no_child()


# ------------------------------------------------------------------------ ranks and workers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_batches_are_the_datasets_samples(made: Made, kind: str, workers: Any) -> None:
    """In the order of the pure function, each value as the dataset gives it."""
    dataset = Dataset(made.folder, **KINDS[kind])
    loader = Loader(dataset, 4, seed=3, workers=workers, **AHEAD)
    order = epoch_order(len(dataset), 3, 0, shards=dataset.shard_numbers)
    count = 0
    for k, batch in enumerate(loader):
        wanted = order[4 * k : 4 * k + 4].tolist()
        assert loader.current is not None
        assert loader.current.numbers == wanted
        assert loader.current.ids == [dataset.ids[i] for i in wanted]
        equal(batch, pad_collate([dataset[i] for i in wanted]))
        count += 1
    assert count == len(dataset) // 4


@pytest.mark.parametrize("kind", ["frames", "windows"])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_share_every_global_batch(made: Made, kind: str, world: int) -> None:
    """Two epochs; one rank has workers, another threads, the rest neither."""
    dataset = Dataset(made.folder, "train", **KINDS[kind])
    options: dict[str, Any] = {"global_batch": 4, "seed": 8, "window": 2}
    own = [AHEAD, {**AHEAD, "workers": "threads"}, {}, {}]
    ranks = [
        Loader(dataset, rank=rank, world=world, **options, **own[rank]) for rank in range(world)
    ]
    for epoch in range(2):
        order = epoch_order(len(dataset), 8, epoch, shards=dataset.shard_numbers, window=2)
        whole = order[: len(order) // 4 * 4].reshape(-1, 4).tolist()
        assert joined([numbers(rank) for rank in ranks]) == whole


def test_balanced_and_padded(made: Made) -> None:
    dataset = Dataset(made.folder, **KINDS["frames"])
    loader = Loader(dataset, 9, seed=1, balanced=True, **AHEAD)
    labels = np.concatenate([batch.targets.numpy() for batch in loader])
    assert np.bincount(labels).tolist() == [6, 6, 6]
    padded = Loader(dataset, 8, shuffle=False, pad=True, num_workers=1)
    assert flat(numbers(padded)) == [*range(26), *range(6)]
    assert padded.current is not None
    assert padded.current.repeated == [False] * 2 + [True] * 6


def train(
    folder: Path, kind: str, log: Path, gate: Any, said: dict[str, str], state: Any, stop: int
) -> None:
    """A rank as a script has it: after each step it writes what it trained on and where it is."""
    os.environ.update(said)
    loader = Loader(Dataset(folder, **KINDS[kind]), global_batch=8, seed=5, window=3, **AHEAD)
    if state is not None:
        loader.load_state_dict(state)
    with open(log, "w", encoding="ascii") as out:
        for _batch in loader:
            gate.wait(WATCHED_S)  # as ranks wait for the mean of their gradients
            out.write(json.dumps([handed(loader), loader.state_dict()]) + "\n")
            out.flush()
            if loader.batches_done == stop:
                os.kill(os.getpid(), signal.SIGKILL)


def run(
    made: Made, kind: str, folder: Path, world: int, state: Any, stop: int = -1
) -> list[list[Any]]:
    """What each rank has written; all of them are killed after step ``stop``."""
    fork = multiprocessing.get_context("fork")
    gate = fork.Barrier(world)
    logs = [folder / f"{world}-{rank}-{stop}" for rank in range(world)]
    ranks = []
    for rank, log in enumerate(logs):
        said = {"RANK": str(rank), "WORLD_SIZE": str(world)}
        args = (made.folder, kind, log, gate, said, state, stop)
        ranks.append(fork.Process(target=train, args=args))
        ranks[-1].start()
    for one in ranks:
        one.join()  # with a timeout it would wait for the workers too
        assert one.exitcode == (-signal.SIGKILL if stop > 0 else 0)
    return [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]


@needs_kill
@pytest.mark.parametrize(
    ("kind", "before", "after", "stop"),
    [
        ("structured", 1, 2, 1), ("frames", 2, 1, 2), ("windows", 2, 4, 5), ("windows", 4, 2, 9),
        ("events", 1, 1, 2), ("counts", 4, 1, 3),
    ],
)  # fmt: skip
def test_killed_in_an_epoch_and_gone_on_with_elsewhere(
    made: Made, tmp_path: Path, kind: str, before: int, after: int, stop: int
) -> None:
    """The samples that reached the step, over both halves, are the epoch's, none twice."""
    dataset = Dataset(made.folder, **KINDS[kind])
    first = run(made, kind, tmp_path, before, None, stop)
    states = [rank[-1][1] for rank in first]
    assert all(state == states[0] for state in states)
    assert states[0]["batches_done"] == stop
    second = run(made, kind, tmp_path, after, states[0])
    steps = [joined([[step for step, _ in rank] for rank in half]) for half in (first, second)]
    assert (len(steps[0]), len(steps[1])) == (stop, len(dataset) // 8 - stop)
    order = epoch_order(len(dataset), 5, 0, shards=dataset.shard_numbers, window=3)
    assert steps[0] + steps[1] == order[: len(order) // 8 * 8].reshape(-1, 8).tolist()
    assert len(set(itertools.chain(*steps[0], *steps[1]))) == n_batches(len(dataset), 8) * 8


def begin_and_die(folder: Path, kind: str) -> None:
    from torch.utils.data._utils import worker

    def late(*given: Any) -> None:
        time.sleep(0.5)
        begin(*given)

    begin, worker._worker_loop = worker._worker_loop, late
    loader = Loader(Dataset(folder, **KINDS[kind]), 4, **AHEAD)
    started = loader._begin()
    assert started is not None
    os.kill(os.getpid(), signal.SIGKILL)


@needs_kill
@pytest.mark.parametrize("at_once", [True, False])
def test_workers_end_with_the_process_that_is_killed(
    made: Made, tmp_path: Path, at_once: bool
) -> None:
    """Those too that had only just been started: torch looks for who its parent is a bit later."""
    read, write = os.pipe()  # whose other end is closed when the last of them is gone
    if at_once:
        args = (made.folder, "windows")
        one = multiprocessing.get_context("fork").Process(target=begin_and_die, args=args)
        one.start()
        one.join()
        assert one.exitcode == -signal.SIGKILL
    else:
        run(made, "windows", tmp_path, 2, None, 3)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], WATCHED_S)
        assert ready, "a worker lives on"
        assert pipe.read() == b""


# ------------------------------------------------------------------------ how workers are begun


@pytest.mark.parametrize(("context", "count"), [("fork", 2), ("forkserver", 1), ("spawn", 1)])
def test_start_methods(made: Made, context: str, count: int) -> None:
    """Handles travel as a path; shards that are open here are opened anew there."""
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} here")
    grid = partial(to_voxel_grid, bins=3, resolution=RESOLUTION)
    dataset = Dataset(made.folder, "train", transform=grid, windows=Windows(duration=30_000))
    dataset = dataset.filter(label=[1, 2]).select(range(24))
    here = list(Loader(dataset, 4, seed=2))
    there = Loader(dataset, 4, seed=2, num_workers=count, multiprocessing_context=context)
    for a, b in zip(here, there, strict=True):
        equal(a, b)


class Counted(Dataset):
    """Counts how often several samples are asked for at once."""

    asked = 0

    def __getitems__(self, indices: Any) -> list[tuple[Any, Any]]:
        self.asked += 1
        return super().__getitems__(indices)


def test_several_samples_are_asked_for_at_once(made: Made) -> None:
    dataset = Counted(made.folder, **KINDS["structured"])
    assert len(list(Loader(dataset, 4))) == dataset.asked == 6


def test_torchs_own_loader_in_our_order(made: Made) -> None:
    dataset = Dataset(made.folder, **KINDS["windows"])
    order = BatchOrder(dataset, 4, seed=6, rank=1, world=2)
    loader = torch.utils.data.DataLoader(
        dataset, batch_sampler=order, collate_fn=pad_collate, num_workers=2
    )
    for a, b in zip(loader, Loader(dataset, 4, seed=6, rank=1, world=2), strict=True):
        equal(a, b)


def read_all(folder: Path, gate: Any, to: Any) -> None:
    gate.wait(WATCHED_S)
    to.put(digests(folder))


def digests(folder: Path) -> list[str]:
    """Of everything that a dataset holds, as events and as frames."""
    found = []
    for kind in ("structured", "windows"):
        for data, target in Dataset(folder, **KINDS[kind]):
            found.append(f"{hashlib.sha256(data.tobytes()).hexdigest()} {target}")
    return found


@needs_kill
def test_ten_processes_open_it_at_once(made: Made) -> None:
    fork = multiprocessing.get_context("fork")
    gate, answers = fork.Barrier(10), fork.SimpleQueue()
    readers = [fork.Process(target=read_all, args=(made.folder, gate, answers)) for _ in range(10)]
    for reader in readers:
        reader.start()
    wanted = digests(made.folder)
    assert len(set(wanted)) == len(wanted) > 26
    assert [answers.get() for _ in readers] == [wanted] * 10
    for reader in readers:
        reader.join()
        assert reader.exitcode == 0


def stateful() -> Any:
    return pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")  # torchdata calls it
def test_torchdatas_stateful_loader(made: Made, count: int, ours: bool) -> None:
    """It goes on where it stood: in its own order, and in ours."""
    dataset = Dataset(made.folder, **KINDS["frames"])

    def begin() -> Any:
        options: dict[str, Any] = {"batch_size": 4, "shuffle": True}
        if ours:
            options = {"batch_sampler": BatchOrder(dataset, 4, seed=6)}
        torch.manual_seed(1)
        return stateful()(dataset, collate_fn=pad_collate, num_workers=count, **options)

    whole = list(begin())
    loader = begin()
    some = list(itertools.islice(loader, 2))
    state = loader.state_dict()
    del loader
    again = begin()
    again.load_state_dict(state)
    for a, b in zip(whole, [*some, *again], strict=True):
        equal(a, b)


# ------------------------------------------------------------------------ workers that die


@needs_kill
@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_is_killed_is_named_within_seconds(made: Made, victim: int) -> None:
    dataset = Dataset(made.folder, frames=Frames(bins=2), windows=Windows(duration=2_000))
    loader = Loader(dataset, 4, seed=victim, **AHEAD)
    batches = iter(loader)
    next(batches)
    done = [handed(loader)]
    children = sorted(multiprocessing.active_children(), key=lambda child: child.pid or 0)
    pid = children[victim].pid or 0
    started = time.monotonic()

    def go_on() -> None:
        os.kill(pid, signal.SIGKILL)
        for _ in batches:
            done.append(handed(loader))

    with pytest.raises(WorkerKilledError, match=rf"worker {victim} \(pid {pid}\) was killed .* 9"):
        go_on()
    assert time.monotonic() - started < 8
    done += numbers(loader)
    order = epoch_order(len(dataset), victim, 0, shards=dataset.shard_numbers)
    assert done == order[: len(order) // 4 * 4].reshape(-1, 4).tolist()


def test_a_transform_that_fails_names_its_sample(made: Made) -> None:
    def fails(events: Any) -> Any:
        if len(events) == len(made.events["train/7"]):
            raise ValueError("no such digit")
        return events

    dataset = Dataset(made.folder, transform=fails)
    with pytest.raises(ValueError, match=r"no such digit.*sample train/7"):
        numbers(Loader(dataset, 2, **AHEAD))
