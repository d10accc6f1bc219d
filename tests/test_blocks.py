"""Batches in shared memory that is used again: none changes while anything of it is held."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import random
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from evstore.datasets.loading import blocks
from evstore.datasets.loading.collate import Batch, empty, pad_collate, pad_in
from evstore.datasets.loading.loader import Loader
from evstore.datasets.loading.workers import WorkerKilledError
from evstore.errors import CorruptError

torch = pytest.importorskip("torch")

N = 48


class Numbered:
    """Frames (T, 2, 8) whose every value is the sample's number; T differs, as ``lengths`` say."""

    def __init__(self, lengths: tuple[int, ...] = (3,), dtype: str = "i2", n: int = N) -> None:
        self.lengths, self.dtype, self.n = lengths, dtype, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple[Any, int]:
        return np.full((self.lengths[i % len(self.lengths)], 2, 8), i, self.dtype), i


def plainly(samples: list[Any], **options: Any) -> Batch:
    """A collation that the loader does not know: its batches go the way of torch."""
    return pad_collate(samples, **options)


def holds(data: Any, numbers: list[int]) -> bool:
    """Whether a batch, batch first, still has its own values, or zeros after them."""
    own = torch.tensor(numbers).reshape(-1, 1, 1, 1)
    return bool(((data == own) | (data == 0)).all()) and bool((data[:, 0] == own[:, 0]).all())


def addresses(batches: Iterator[Any], count: int | None = None) -> list[int]:
    found = []
    for batch in itertools.islice(batches, count):
        found.append(batch.data.data_ptr())
        del batch
    return found


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch's own, of what it rebuilds
@pytest.mark.parametrize(
    ("start", "workers", "options"),
    [
        ("fork", 2, {}),
        ("fork", 2, {"batch_first": False}),
        ("fork", 1, {"sparse": True}),
        ("spawn", 1, {}),
        ("forkserver", 1, {"batch_first": False}),
    ],
)
def test_batches_are_those_of_the_plain_way(
    start: str, workers: int, options: dict[str, Any]
) -> None:
    made = partial(pad_collate, **options) if options else pad_collate
    dataset = Numbered((2, 5, 1, 4))
    ways: list[dict[str, Any]] = [
        {"collate": made},
        {"collate": partial(plainly, **options), "num_workers": 1},
        {"collate": made, "num_workers": workers, "multiprocessing_context": start},
    ]
    found = [list(Loader(dataset, 4, seed=5, **way)) for way in ways]
    for batches in found[1:]:
        for batch, expected in zip(batches, found[0], strict=True):
            assert type(batch) is Batch
            data, wanted = batch.data, expected.data
            if options.get("sparse"):
                data, wanted = data.to_dense(), wanted.to_dense()
            assert data.dtype == wanted.dtype
            assert data.is_contiguous()
            assert torch.equal(data, wanted)
            for name in ("targets", "lengths", "mask"):
                part, right = getattr(batch, name), getattr(expected, name)
                assert part.dtype == right.dtype
                assert torch.equal(part, right)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "i8", "f2", "f4", "f8", "?"])
def test_every_dtype(dtype: str) -> None:
    ways = [{"num_workers": 1}, {"num_workers": 0}]
    for one, other in zip(*(Loader(Numbered((1, 2), dtype), 2, **w) for w in ways), strict=True):
        assert one.data.dtype == other.data.dtype
        assert torch.equal(one.data, other.data)


def test_batches_that_are_no_frames_or_empty() -> None:
    nothing = [(np.zeros((0, 2), np.int16), "a"), (np.zeros((0, 2), np.int16), "b")]
    (batch,) = Loader(nothing, 2, num_workers=1, shuffle=False)
    assert batch.data.shape == (2, 0, 2)
    assert batch.targets == ["a", "b"]
    events = [(np.zeros(3, [("t", "i8"), ("x", "i2")]), 0)] * 2
    (batch,) = Loader(events, 2, num_workers=1)
    assert batch.data["batch"].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("factor", [1, 2])
def test_blocks_are_used_again(workers: int, factor: int) -> None:
    loader = Loader(Numbered(n=400), 4, num_workers=workers, prefetch_factor=factor)
    assert len(set(addresses(iter(loader)))) <= workers * (factor + 2)


def test_blocks_are_used_again_by_workers_that_stay() -> None:
    """Also those with batches that nobody took, since the loop was left."""
    loader = Loader(Numbered(), 4, num_workers=2, persistent_workers=True)
    found: set[int] = set()
    for turn in range(12):
        found |= set(addresses(iter(loader), 1 + turn % 5))
    assert len(found) <= 2 * 4
    keep = list(loader)
    assert all(holds(batch.data, batch.targets.tolist()) for batch in keep)


def views(data: Any) -> list[Callable[[Any], Any]]:
    """Ways to hold on to a part of a batch; each is undone by one that gives its values."""
    return [
        lambda data: data,
        lambda data: data[:, :1],
        lambda data: data.numpy()[:, 1:],
        lambda data: data.transpose(0, 1)[1:].transpose(0, 1),
        lambda data: np.asarray(memoryview(data.numpy())),
        lambda data: torch.from_dlpack(data),
        lambda data: torch.from_numpy(data.numpy()),
        lambda data: data.detach().view(-1).view(data.shape),
        lambda data: data.unbind(1)[0].unsqueeze(1),
        lambda data: data.untyped_storage(),
    ]


def values(kept: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(kept, torch.UntypedStorage):
        return torch.tensor([], dtype=torch.int16).set_(kept).view(shape)
    return torch.as_tensor(kept)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_kept_of_a_batch_never_changes(workers: int, seed: int) -> None:
    """Views of all kinds, kept for many batches, let go of in any order and by any thread."""
    rng = random.Random(seed)
    loader = Loader(Numbered((3, 4), n=1600), 4, num_workers=workers, seed=seed)
    kept: list[tuple[Any, list[int], tuple[int, ...]]] = []
    for batch in loader:
        numbers = batch.targets.tolist()
        if rng.random() < 0.7:
            view = rng.choice(views(batch.data))
            kept.append((view(batch.data), numbers, tuple(batch.data.shape)))
        if rng.random() < 0.2:
            cycle: list[Any] = [batch.data[1:]]
            cycle.append(cycle)
            del cycle
        while len(kept) > 12 or (kept and rng.random() < 0.4):
            gone = [kept.pop(rng.randrange(len(kept)))]
            thread = threading.Thread(target=gone.clear)
            thread.start()
            if rng.random() < 0.5:
                thread.join()
        del batch
        for part, own, shape in kept:
            assert holds(values(part, shape), own)
    gc.collect()


def test_all_batches_kept() -> None:
    loader = Loader(Numbered(n=400), 4, num_workers=2)
    batches = list(loader)
    assert len({batch.data.data_ptr() for batch in batches}) == 100
    assert all(holds(batch.data, batch.targets.tolist()) for batch in batches)
    after = addresses(iter(loader))
    assert len(set(after)) <= 8
    assert all(holds(batch.data, batch.targets.tolist()) for batch in batches)


def test_first_batches_kept_for_ever_do_not_keep_blocks_from_being_used_again() -> None:
    batches = iter(Loader(Numbered(n=800), 4, num_workers=1))
    first = list(itertools.islice(batches, 8))
    assert len(set(addresses(batches))) <= 8
    assert all(holds(batch.data, batch.targets.tolist()) for batch in first)


def test_batches_outlive_workers_and_loader() -> None:
    loader = Loader(Numbered(), 4, num_workers=2, shuffle=False)
    batches = iter(loader)
    kept = [next(batches) for _ in range(3)]
    batches.close()
    assert loader._reading.blocks is not None
    assert loader._reading.blocks.blocks == {}
    gone = weakref.ref(loader)
    del loader, batches
    gc.collect()
    assert gone() is None
    assert multiprocessing.active_children() == []
    for k, batch in enumerate(kept):
        assert holds(batch.data, list(range(4 * k, 4 * k + 4)))


class Dying(Numbered):
    def __getitem__(self, i: int) -> tuple[Any, int]:
        if i >= 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(i)


def test_batches_outlive_a_worker_that_is_killed() -> None:
    kept: list[Batch] = []
    with pytest.raises(WorkerKilledError):
        kept.extend(Loader(Dying(), 4, num_workers=2, shuffle=False))
    assert kept
    for k, batch in enumerate(kept):
        assert holds(batch.data, list(range(4 * k, 4 * k + 4)))
        batch.data.zero_()  # it can be written to, too


def test_blocks_of_workers_that_ended_are_let_go_of() -> None:
    loader = Loader(Numbered(), 4, num_workers=1)
    first = iter(loader)
    next(first)
    second = iter(loader)
    next(second)
    assert loader._reading.blocks is not None
    held = loader._reading.blocks.blocks
    assert len({worker for worker, _ in held}) == 2
    first.close()
    assert len({worker for worker, _ in held}) == 1
    addresses(second)
    assert held == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_keeps_what_its_parent_lets_go_of() -> None:
    """A batch that was there when this process was forked stays as it is in the child."""
    context = multiprocessing.get_context("fork")
    batches = iter(Loader(Numbered(n=400), 4, num_workers=1, shuffle=False))
    kept = [next(batches).data]
    go_on, answers = context.Event(), context.SimpleQueue()

    def check() -> None:
        go_on.wait(30)
        answers.put(holds(kept[0], [0, 1, 2, 3]))

    child = context.Process(target=check)
    child.start()
    kept.clear()
    assert len(set(addresses(batches, 40))) <= 5
    go_on.set()
    assert answers.get()
    child.join()


class Once(Numbered):
    """The first time a sample is read, it cannot be."""

    def __getitem__(self, i: int) -> tuple[Any, int]:
        if i % 5 == 2:
            raise CorruptError("bad")
        return super().__getitem__(i)


def test_skipped_samples() -> None:
    ways = [Loader(Once(), 4, num_workers=n, on_error="skip", seed=2) for n in (0, 1)]
    for one, other in zip(*ways, strict=True):
        assert torch.equal(one.data, other.data)
        assert torch.equal(one.targets, other.targets)
    assert ways[0].skipped == ways[1].skipped


class Exchange(RuleBasedStateMachine):
    """Worker and training process as one: batches of any size, held in any way and order."""

    COUNT = 3

    def __init__(self) -> None:
        super().__init__()
        self.mapped = blocks.Mapped(self.COUNT)
        self.lender = blocks.Lender(self.mapped.token, self.COUNT)
        self.waiting: list[tuple[Any, int]] = []  # sent, not received
        self.held: list[tuple[Any, int]] = []
        self.next = 1

    def made(self, frames: int) -> Batch:
        self.next = self.next % 30_000 + 1
        part = np.full((frames, 64), self.next, np.int16)
        return pad_in([(part, self.next)], self.lender.room)

    @rule(frames=st.sampled_from([1, 2, 30, 64, 100, 1000]))
    def send(self, frames: int) -> None:
        sent = self.lender.sent(self.made(frames))
        self.waiting.append((sent.__reduce__(), self.next))

    @rule()
    def read_in_vain(self) -> None:
        """An error comes after the room was made; what is sent next has nothing to do with it."""
        self.made(5)
        plain = pad_in([(np.ones((1, 1)), 0)], empty)
        assert self.lender.sent(plain) is plain

    @precondition(lambda self: self.waiting)
    @rule(part=st.booleans(), keep=st.booleans())
    def take(self, part: bool, keep: bool) -> None:
        (function, parts), number = self.waiting.pop(0)
        batch = function(*parts)
        assert batch.targets.tolist() == [number]
        assert holds_only(batch.data, number)
        if keep:
            self.held.append((batch.data[:, :1, 3:] if part else batch.data, number))

    @precondition(lambda self: self.held)
    @rule(k=st.integers(0, 1000))
    def let_go(self, k: int) -> None:
        self.held.pop(k % len(self.held))

    @precondition(lambda self: not self.waiting)
    @rule()
    def worker_ends(self) -> None:
        self.mapped.forget([os.getpid()])
        assert self.mapped.blocks == {}
        self.lender = blocks.Lender(self.mapped.token, self.COUNT)

    @precondition(lambda self: not self.waiting)
    @rule()
    def no_memory(self) -> None:
        """No room can be made: what there is stays as it is."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "new_shared", _fail)
            with pytest.raises(MemoryError):
                self.made(4000)

    @invariant()
    def nothing_changed(self) -> None:
        for data, number in self.held:
            assert holds_only(data, number)
        assert len(self.lender._blocks) <= self.COUNT


def _fail(size: int) -> Any:
    raise MemoryError


def holds_only(data: Any, number: int) -> bool:
    return bool((data == number).all())


TestExchange = Exchange.TestCase
TestExchange.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)


def test_a_batch_of_a_loader_that_is_gone_is_dropped() -> None:
    mapped = blocks.Mapped(2)
    lender = blocks.Lender(mapped.token, 2)
    function, parts = lender.sent(pad_in([(np.ones((2, 2)), 0)], lender.room)).__reduce__()
    del mapped
    assert function(*parts) is None


def test_sizes_of_blocks() -> None:
    sizes = np.unique(np.geomspace(1, 1 << 40, 5000).astype(np.int64)).tolist()
    for size in sizes:
        assert size <= blocks._capacity(size) <= size * 9 / 8 + 4096


def test_pinned_batches_are_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's thread that pins memory, of which there is none here: it gets batches as we do."""
    pinned = []

    def pin(tensor: Any) -> Any:
        pinned.append(tensor.data_ptr())
        return tensor.clone()

    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cpu"))
    monkeypatch.setattr(torch.accelerator, "current_device_index", lambda: 0)
    monkeypatch.setattr(torch.accelerator, "set_device_index", lambda index: None)
    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    batches = list(Loader(Numbered(n=400), 4, num_workers=1, pin_memory=True))
    assert len(batches) == 100
    assert all(type(batch) is Batch for batch in batches)
    assert all(holds(batch.data, batch.targets.tolist()) for batch in batches)
    assert len(pinned) == 400
    assert len(set(pinned[::4])) <= 4
