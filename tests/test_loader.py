"""The loader: ranks, workers, resume, errors, and workers that are killed."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pytest

from evstore.datasets.loading import workers
from evstore.datasets.loading.collate import Batch, pad_collate
from evstore.datasets.loading.loader import Loader
from evstore.datasets.loading.order import epoch_order, replacement
from evstore.datasets.loading.prefetch import largest_batch, plan_prefetch
from evstore.datasets.loading.reading import Delivered, Skipped
from evstore.datasets.loading.sampler import BatchOrder
from evstore.datasets.loading.workers import WorkerKilledError
from evstore.errors import ArgumentError, CorruptError, FormatError

torch = pytest.importorskip("torch")


class Frames:
    """Frames whose every value is the sample's number; some cannot be read."""

    def __init__(self, n: int = 64, bad: tuple[int, ...] = (), error: type = CorruptError) -> None:
        self.ids = [f"train/{i}" for i in range(n)]
        self.labels = np.arange(n) % 4
        self.shard_numbers = (np.arange(n) // 8).astype(np.int32)
        self.sample_bytes = np.full(n, 24, np.int64)
        self.bad, self.error = frozenset(bad), error

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        assert type(i) is int
        if i in self.bad:
            raise self.error(f"sample number {i} is bad")
        return np.full((1 + i % 3, 2, 2), i, np.int16), i

    def __getitems__(self, numbers: list[int]) -> list[tuple[Any, int]]:
        return [self[i] for i in numbers]


def read(loader: Loader, stop: int | None = None) -> list[list[int]]:
    """What reaches the training step: the numbers in each batch."""
    return [batch.targets.tolist() for batch in itertools.islice(loader, stop)]


def ranks(dataset: Any, world: int, **options: Any) -> list[Loader]:
    return [Loader(dataset, rank=rank, world=world, **options) for rank in range(world)]


def flat(nested: list[list[int]]) -> list[int]:
    return [i for part in nested for i in part]


@pytest.fixture
def no_child_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("world", [1, 2, 4, 8])
@pytest.mark.parametrize("balanced", [False, True])
def test_global_batches_are_the_same_on_any_number_of_ranks(world: int, balanced: bool) -> None:
    options = {"global_batch": 8, "seed": 3, "window": 2, "balanced": balanced}
    (one,) = ranks(Frames(), 1, **options)
    expected = [read(one), read(one)]
    many = ranks(Frames(), world, **options)
    for epoch in expected:
        parts = [read(rank) for rank in many]
        assert [flat(list(step)) for step in zip(*parts, strict=True)] == epoch
    assert expected[0] != expected[1]


@pytest.mark.parametrize("workers", ["processes", "threads"])
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 4), (4, 1), (8, 2)])
def test_stop_in_an_epoch_and_go_on_elsewhere(
    workers: Any, before: int, after: int, no_child_left: None
) -> None:
    """With workers that read far ahead, on other numbers of ranks and workers than before."""
    ahead: dict[str, Any] = {"num_workers": 2, "prefetch_factor": 4, "workers": workers}
    options: dict[str, Any] = {"global_batch": 8, "seed": 9, "window": 3}
    first = ranks(Frames(), before, **options, **(ahead if before < 4 else {}))
    done = flat(flat([read(rank, 3) for rank in first]))
    states = [rank.state_dict() for rank in first]
    assert all(state == states[0] for state in states)
    assert (states[0]["epoch"], states[0]["batches_done"]) == (0, 3)
    second = ranks(Frames(), after, **{**options, "seed": 0}, **(ahead if after < 4 else {}))
    for rank in second:
        rank.load_state_dict(states[-1])
        done += flat(read(rank))
        assert rank.epoch == 1
    assert sorted(done) == list(range(64))
    order = epoch_order(64, 9, 1, shards=Frames().shard_numbers, window=3)
    assert read(second[0]) == [part[: 8 // after] for part in order.reshape(8, 8).tolist()]


def train(path: str, state: dict[str, Any] | None) -> None:
    """A run that writes down each id it trains on and where it stands, until it is killed."""
    loader = Loader(Frames(), 4, seed=4, num_workers=2, prefetch_factor=4)
    with open(path, "a", encoding="ascii") as out:
        for batch in loader:
            out.write(f"{batch.targets.tolist()};{loader.state_dict()}\n")
            out.flush()
            if loader.batches_done == 6:
                os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_killed_in_an_epoch(tmp_path: Path) -> None:
    run = multiprocessing.get_context("fork").Process(target=train, args=(tmp_path / "log", None))
    run.start()
    run.join()  # with a timeout it would wait for the workers too
    assert run.exitcode == -signal.SIGKILL
    lines = [line.split(";") for line in (tmp_path / "log").read_text().splitlines()]
    done = flat([eval(ids) for ids, _ in lines])
    assert len(done) == 24
    loader = Loader(Frames(), 2, rank=0, world=2, num_workers=2, prefetch_factor=4)
    other = Loader(Frames(), 2, rank=1, world=2)
    for rank in (loader, other):
        rank.load_state_dict(eval(lines[-1][1]))
        done += flat(read(rank))
    assert sorted(done) == list(range(64))


def test_state_counts_what_was_handed_out(no_child_left: None) -> None:
    loader = Loader(Frames(), 8, num_workers=2, prefetch_factor=4, seed=1)
    for count, _batch in enumerate(loader, 1):
        state = loader.state_dict()
        assert (state["epoch"], state["batches_done"]) == (0, count)
        assert loader.current is not None
        assert loader.current.batch == count - 1
    assert loader.state_dict() == {**state, "epoch": 1, "batches_done": 0}
    resumed = Loader(Frames(), 8, seed=7)
    resumed.load_state_dict(state)  # of the last batch: the next epoch is due
    assert (resumed.epoch, resumed.batches_done) == (1, 0)
    assert read(resumed) == read(loader)


def test_leaving_the_loop_and_going_on() -> None:
    loader = Loader(Frames(), 8, seed=1)
    whole = read(Loader(Frames(), 8, seed=1))
    assert read(loader, 3) + read(loader, 4) + read(loader, 1) == whole
    assert (loader.epoch, loader.batches_done) == (0, 8)
    assert len(read(loader)) == 8
    assert loader.epoch == 2
    loader.seek(0, 5)
    assert read(loader) == whole[5:]
    with pytest.raises(ArgumentError, match=r"must lie in 0\.\.8"):
        loader.seek(0, 9)


@pytest.mark.parametrize("how", ["iterate", "seek", "load"])
def test_an_iteration_that_is_over_says_so(how: str) -> None:
    loader = Loader(Frames(), 8)
    running = iter(loader)
    next(running)
    if how == "iterate":
        iter(loader)
    elif how == "seek":
        loader.seek(0)
    else:
        loader.load_state_dict(loader.state_dict())
    with pytest.raises(ArgumentError, match="this iteration is over"):
        next(running)


def test_stateful_as_torchdata_has_it() -> None:
    @runtime_checkable
    class Stateful(Protocol):
        def state_dict(self) -> dict[str, Any]: ...
        def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...

    loader = Loader(Frames(), 8)
    assert isinstance(loader, Stateful)
    loader.load_state_dict(loader.state_dict())
    plain = (int, bool, str)
    assert all(type(value) in plain for value in loader.state_dict().values())


def test_any_map_style_dataset() -> None:
    samples = [(torch.full((2, 3), i), f"class {i}") for i in range(10)]
    loader = Loader(samples, 3, seed=2)
    names = [name for batch in loader for name in batch.targets]
    assert names == [f"class {i}" for i in epoch_order(10, 2, 0)[:9]]
    loader = Loader(samples, 4, shuffle=False, pad=True, collate=list)
    assert [len(batch) for batch in loader] == [4, 4, 4]
    assert loader.current is not None
    assert loader.current.ids == ["8", "9", "0", "1"]
    assert loader.current.repeated == [False, False, True, True]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # by torch, where it unpickles one
def test_batches_of_workers_are_those_made_here(
    sparse: bool, batch_first: bool, no_child_left: None
) -> None:
    options: dict[str, Any] = {
        "collate": partial(pad_collate, sparse=sparse, batch_first=batch_first)
    }
    pairs = zip(Loader(Frames(), 8, **options), Loader(Frames(), 8, num_workers=2, **options),
                strict=True)  # fmt: skip
    for here, there in pairs:
        assert here.data.dtype == there.data.dtype == torch.int16
        assert here.data.is_sparse == there.data.is_sparse == sparse
        assert torch.equal(here.mask, there.mask)
        assert torch.equal(here.lengths, there.lengths)
        if sparse:
            assert there.data.is_coalesced()
        assert np.array_equal(here.data.to_dense().numpy(), there.data.to_dense().numpy())


@pytest.mark.parametrize(("nodes", "ranks_each"), [(1, 1), (1, 8), (2, 2), (4, 1), (2, 4)])
@pytest.mark.parametrize("after", [1, 2, 4, 8])
def test_every_sample_once_wherever_it_stops(nodes: int, ranks_each: int, after: int) -> None:
    options: dict[str, Any] = {"global_batch": 8, "seed": nodes, "window": 3}
    for stop in range(9):
        first = ranks(Frames(66), nodes * ranks_each, **options)
        done = [flat(read(rank, stop)) for rank in first]
        for rank in ranks(Frames(66), after, **options):
            rank.load_state_dict(first[-1].state_dict())
            if rank.epoch == 0:
                done.append(flat(read(rank)))
        order = epoch_order(66, nodes, 0, shards=Frames(66).shard_numbers, window=3)
        assert sorted(flat(done)) == sorted(order[:64].tolist())


# Samples that cannot be read


def test_raise_names_the_sample(no_child_left: None) -> None:
    for options in ({}, {"num_workers": 1}, {"num_workers": 1, "workers": "threads"}):
        for error in (CorruptError, OSError, ValueError, KeyError):
            dataset = Frames(bad=(13,), error=error)
            with pytest.raises(error, match=r"number 13 is bad.*sample train/13"):
                read(Loader(dataset, 8, **options))


class Whole(Frames):
    """Fails only where several are asked for."""

    def __getitems__(self, numbers: list[int]) -> list[tuple[Any, int]]:
        raise FormatError("the shard is gone", path="a.evs")


def test_fewer_samples_than_asked_for() -> None:
    dataset = Frames()
    dataset.__class__ = type("Few", (Frames,), {"__getitems__": lambda self, numbers: []})
    with pytest.raises(RuntimeError, match="gave 0 samples for 8"):
        read(Loader(dataset, 8))


def test_samples_that_fail_together_only() -> None:
    with pytest.raises(FormatError, match=r"a\.evs: the shard is gone .*train/0, train/1 together"):
        read(Loader(Whole(), 2, shuffle=False))
    assert len(flat(read(Loader(Whole(), 2, on_error="skip")))) == 64


def test_a_dataset_that_stops_does_not_end_the_epoch() -> None:
    with pytest.raises(RuntimeError, match="train/5 raised StopIteration"):
        read(Loader(Frames(bad=(5,), error=StopIteration), 8))


@pytest.mark.parametrize("error", [CorruptError, OSError])
def test_skip_agrees_on_any_number_of_ranks(error: type) -> None:
    bad = (3, 17, 18, 40)
    options: dict[str, Any] = {"global_batch": 8, "seed": 6, "on_error": "skip"}
    (one,) = ranks(Frames(bad=bad, error=error), 1, **options)
    expected = flat(read(one))
    order = epoch_order(64, 6, 0, shards=Frames().shard_numbers)
    for position, (wanted, got) in enumerate(zip(order.tolist(), expected, strict=True)):
        tries = [wanted, *(replacement(6, 0, position, k, 64) for k in range(1, 17))]
        assert got == next(i for i in tries if i not in bad)
    assert {skipped.id for skipped in one.skipped} == {f"train/{i}" for i in bad}
    assert all("is bad" in skipped.error for skipped in one.skipped)
    assert all(skipped.epoch == 0 for skipped in one.skipped)
    for world in (2, 4):
        many = ranks(Frames(bad=bad, error=error), world, **options)
        parts = [read(rank) for rank in many]
        assert flat([flat(list(step)) for step in zip(*parts, strict=True)]) == expected
        assert sorted(s for rank in many for s in rank.skipped) == sorted(one.skipped)


def test_skip_in_workers_is_told_in_the_main_process(no_child_left: None) -> None:
    here = Loader(Frames(bad=(3, 40)), 8, on_error="skip", seed=1)
    there = Loader(Frames(bad=(3, 40)), 8, on_error="skip", seed=1, num_workers=2)
    seen = [(batch.targets.tolist(), there.current) for batch in there]
    assert [numbers for numbers, _ in seen] == read(here)
    assert there.skipped == here.skipped
    assert all(numbers == current.numbers for numbers, current in seen if current)


def test_skip_gives_up_and_skips_no_other_errors() -> None:
    with pytest.raises(CorruptError, match="and 16 in place of others"):
        read(Loader(Frames(bad=tuple(range(64))), 8, on_error="skip"))
    with pytest.raises(ZeroDivisionError, match="train/9"):
        read(Loader(Frames(bad=(9,), error=ZeroDivisionError), 8, on_error="skip"))


# Workers


class Pid(Frames):
    """Says which process read it, and with which random numbers."""

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        if i == 63:
            time.sleep(0.02)
        return super().__getitem__(i)[0], (i, os.getpid(), random.random(), torch.rand(1).item())


@pytest.mark.parametrize("context", ["fork", "forkserver", "spawn"])
def test_start_methods(context: str, no_child_left: None) -> None:
    options: dict[str, Any] = {"collate": partial(list), "seed": 5}
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} here")
    n = 2 if context == "fork" else 1  # each imports torch, which takes seconds
    loader = Loader(
        Pid(), 8, num_workers=n, prefetch_factor=4, multiprocessing_context=context, **options
    )
    batches = list(loader)
    numbers = [[target[0] for _, target in batch] for batch in batches]
    assert numbers == read(Loader(Frames(), 8, seed=5))
    pids = {target[1] for batch in batches for _, target in batch}
    assert len(pids) == n
    assert os.getpid() not in pids


class OfSignals(Frames):
    """Says whether Ctrl-C would end the process that read it."""

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        return super().__getitem__(i)[0], signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_workers_leave_interrupts_to_their_parent(no_child_left: None) -> None:
    loader = Loader(OfSignals(), 8, num_workers=2, collate=list)
    before = signal.getsignal(signal.SIGINT)
    assert all(target for batch in loader for _, target in batch)
    assert signal.getsignal(signal.SIGINT) is before


def test_workers_are_seeded_by_the_place(no_child_left: None) -> None:
    def values(loader: Loader) -> list[Any]:
        return [target[2:] for batch in loader for _, target in batch]

    torch.manual_seed(1)
    state = torch.get_rng_state()
    options: dict[str, Any] = {"num_workers": 2, "collate": list}
    loader = Loader(Pid(), 8, **options)
    first = values(loader)
    assert torch.equal(torch.get_rng_state(), state)
    assert values(Loader(Pid(), 8, **options)) == first
    assert values(loader) != first


def test_persistent_workers_stay(no_child_left: None) -> None:
    loader = Loader(Pid(), 8, num_workers=2, persistent_workers=True, collate=list)
    pids = [{target[1] for batch in loader for _, target in batch} for _ in range(2)]
    left = next(iter(loader))
    again = list(loader)
    numbers = [target[0] for batch in [left, *again] for _, target in batch]
    assert sorted(numbers) == list(range(64))
    assert pids[0] == pids[1] == {target[1] for batch in again for _, target in batch}
    del loader


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
@pytest.mark.parametrize("persistent", [False, True])
def test_killed_worker_is_named_within_seconds(persistent: bool, no_child_left: None) -> None:
    loader = Loader(Frames(4096), 4, num_workers=2, persistent_workers=persistent, seed=2)
    batches = iter(loader)
    done = next(batches).targets.tolist()
    victim = min(child.pid or 0 for child in multiprocessing.active_children())
    start = time.monotonic()

    def go_on() -> None:
        os.kill(victim, signal.SIGKILL)
        for batch in batches:
            done.extend(batch.targets.tolist())

    with pytest.raises(WorkerKilledError, match=rf"^worker 0 \(pid {victim}\) was killed by .* 9"):
        go_on()
    assert time.monotonic() - start < 8
    done += flat(read(loader))  # the rest of the epoch, by new workers
    assert sorted(done) == list(range(4096))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_worker_killed_between_epochs(no_child_left: None) -> None:
    loader = Loader(Frames(), 8, num_workers=2, persistent_workers=True)
    read(loader)
    victim = multiprocessing.active_children()[0]
    os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join()
    with pytest.raises(WorkerKilledError, match=rf"pid {victim.pid}"):
        read(loader)
    assert loader.state_dict()["epoch"] == 1
    assert len(read(loader)) == 8
    del loader


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_worker_that_dies_in_the_training_step_is_not_told_there(no_child_left: None) -> None:
    """torch alone raises in the midst of the step, and again when any other process ends."""
    loader = Loader(Frames(4096), 4, num_workers=2)
    batches = iter(loader)
    next(batches)
    victim = multiprocessing.active_children()[0]
    os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join()
    for _ in range(3):
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    with pytest.raises(WorkerKilledError, match=rf"pid {victim.pid}") as caught:
        next(batches)
    for _ in range(3):  # though the traceback keeps torch's iterator
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    assert loader.state_dict()["batches_done"] == 1
    del caught


class Pinned:
    """What stands for a tensor that can be pinned: there is no accelerator to do it here."""

    def pin_memory(self, *device: Any) -> str:
        return "pinned"


def test_what_is_delivered_can_be_pinned() -> None:
    pinning = pytest.importorskip("torch.utils.data._utils.pin_memory")
    batch = Batch(Pinned(), [1], Pinned(), None)
    made = pinning.pin_memory(Delivered(batch, 3, [1, 2], [Skipped(0, 1, "a", "b")]))
    expected = Batch("pinned", [1], "pinned", None)
    assert made == Delivered(expected, 3, [1, 2], [Skipped(0, 1, "a", "b")])


@pytest.mark.parametrize(
    ("seconds", "wanted"), [(0.0, [4, 16, 20, 20]), (0.03, [4, 4, 4, 4]), (0.07, [4, 2, 1, 1])]
)
def test_several_batches_are_read_together_while_that_is_quick(
    seconds: float, wanted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    sizes = []

    class Slow:
        def several(self, tickets: list[Any], team: Any) -> Iterator[Any]:
            sizes.append(len(tickets))
            clock[0] += seconds
            yield from tickets

    monkeypatch.setattr(workers.time, "monotonic", lambda: clock[0])
    given: Any = range(100)
    read = workers.read_here(Slow(), given, 20, 1)  # type: ignore[arg-type]
    for k in range(100):
        clock[0] += 9  # what the loop takes is its own
        assert next(read) == k
        if len(sizes) > 4:
            break
    assert sizes[:4] == wanted


def test_two_loaders_at_once() -> None:
    options: dict[str, Any] = {"num_workers": 1, "prefetch_factor": 4}
    pairs = zip(Loader(Frames(), 8, **options), Loader(Frames(), 8, seed=1, **options), strict=True)
    assert sum(1 for _ in pairs) == 8


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_workers": -1}, "num_workers must"), ({"prefetch_factor": 0}, "prefetch_factor must"),
        ({"prefetch_bytes": 0}, "prefetch_bytes must"), ({"on_error": "ignore"}, "'raise' or 'ski"),
        ({"workers": "greenlets"}, "'processes' or 'threads'"),
        ({"workers": "threads", "pin_memory": True}, "are for processes"),
        ({"workers": "threads", "timeout": 9}, "are for processes"),
        ({"balanced": True, "shuffle": False}, "need shuffle=True"),
    ],
)  # fmt: skip
def test_wrong_options(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        Loader(Frames(), 8, **options)


# Prefetch


@pytest.mark.parametrize(
    ("batch_bytes", "plan"),
    [(None, (4, 4)), (0, (4, 4)), (6, (4, 4)), (7, (4, 3)), (12, (4, 2)), (25, (4, 1)),
     (26, (3, 1)), (51, (1, 1)), (1000, (1, 1))],
)  # fmt: skip
def test_prefetch_is_lowered_before_workers(batch_bytes: int | None, plan: tuple[int, int]) -> None:
    made = plan_prefetch(batch_bytes, 4, 4, 100)
    assert (made.workers, made.factor) == plan
    assert batch_bytes is None or made.held_bytes <= max(100, batch_bytes)
    assert plan_prefetch(batch_bytes, 0, 2, 100).workers == 0


def test_largest_batch(seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(1, 1000, 50)
    for world, rank in ((1, 0), (2, 1), (4, 2)):
        order = BatchOrder(range(50), global_batch=8, seed=seed, rank=rank, world=world)
        expected = max(sizes[batch].sum() for batch in order)
        assert largest_batch(sizes, order.order(), 8, order.own) == expected
    assert largest_batch(None, np.arange(3), 2, slice(0, 2)) is None
    assert largest_batch(np.array([5, 6]), np.arange(2), 3, slice(0, 3), pad=True) == 16
    assert largest_batch(np.array([1, 2, 9]), np.arange(3), 2, slice(0, 2)) == 3
    assert largest_batch(np.array([1, 2, 9]), np.arange(3), 2, slice(0, 2), pad=True) == 10
    assert largest_batch(np.array([1, 2, 9]), np.arange(3), 2, slice(1, 2), pad=True) == 2


class Counting(Frames):
    """Counts what was read and is not handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def __getitem__(self, i: int) -> tuple[Any, int]:
        self.read += 1
        return super().__getitem__(i)


def test_no_more_is_read_ahead_than_fits(no_child_left: None) -> None:
    dataset = Counting()
    loader = Loader(dataset, 4, num_workers=2, prefetch_factor=8, workers="threads",
                    prefetch_bytes=4 * 24 * 4)  # fmt: skip
    for count, _ in enumerate(loader, 1):
        time.sleep(0.002)
        assert dataset.read <= 4 * (count + 4)
    assert (loader.prefetch.workers, loader.prefetch.factor) == (2, 2)
    assert loader.prefetch.held_bytes == 384
    tight = Loader(Frames(), 4, num_workers=2, prefetch_factor=8, prefetch_bytes=100)
    next(iter(tight))
    assert (tight.prefetch.workers, tight.prefetch.factor) == (1, 1)
