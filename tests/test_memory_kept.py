"""Memory of large columns is used again, and only once no array is in it."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import evstore
from evstore import memory
from evstore.events import COLUMNS, empty_column
from evstore.shard import reader
from shards import camera

only_where_kept = pytest.mark.skipif(not memory.KEEPS, reason="this system cannot keep memory")
SIZE = memory.BIG + 100


def place(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    gc.collect()
    memory.forget()


@only_where_kept
def test_a_block_is_used_again_once_its_last_view_is_gone() -> None:
    block = memory.room(SIZE)
    block[:] = 7
    at, view = place(block), block[1000:2000].view("<u4")
    del block
    assert memory.forget() == 0
    assert (view == 0x07070707).all()
    other = memory.room(SIZE)
    assert place(other) != at
    del view
    again = memory.room(SIZE - 50)
    assert place(again) == at
    again[:] = 1
    other[:] = 2
    assert (again == 1).all()


@only_where_kept
def test_what_is_kept_is_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT", 3 * SIZE)
    blocks = [memory.room(SIZE) for _ in range(5)]
    last = {place(block) for block in blocks[2:]}
    while blocks:
        blocks.pop(0)
    blocks = [memory.room(SIZE) for _ in range(3)]
    assert {place(block) for block in blocks} == last
    del blocks[:]
    assert memory.forget() == 3 * SIZE
    assert memory.forget() == 0
    blocks = [memory.room(SIZE)]
    del blocks[:]
    assert memory.room(2 * SIZE + 1).size == 2 * SIZE + 1  # not of a block half its size


def test_small_and_impossible_sizes() -> None:
    assert memory.room(0).size == 0
    assert memory.room(memory.SMALL - 1).base is None
    with pytest.raises(MemoryError):
        memory.room(1 << 62)


def test_a_few_small_blocks_are_kept() -> None:
    size = memory.SMALL
    blocks = [memory.room(size) for _ in range(3)]
    assert all(place(block) % memory.ALIGN == 0 for block in blocks)
    places = [place(block) for block in blocks]
    view = blocks[0][100:200]
    del blocks
    assert place(memory.room(size)) in places[1:]
    view[:] = 9
    assert memory.forget() == 2 * size  # not the one that a view is in
    many = [memory.room(size) for _ in range(2 * memory.SMALL_KEPT // size)]
    del many
    del view
    assert memory.forget() == memory.SMALL_KEPT
    for of in range(size, memory.BIG - 1, size):
        memory.room(of)
    assert memory.forget() <= memory.SMALL_KEPT
    assert memory._fitting(size) == size


@only_where_kept
def test_large_blocks_begin_with_a_huge_page_and_hold_all_that_was_asked_for() -> None:
    sizes = (memory.BIG, SIZE, memory.BIG + memory.HUGE - 1, 2 * memory.BIG + 4097)
    blocks = [memory.room(size) for size in sizes]
    assert all(place(block) % memory.HUGE == 0 for block in blocks)
    for number, block in enumerate(blocks):
        block[:] = number
    for number, (block, size) in enumerate(zip(blocks, sizes, strict=True)):
        assert block.size == size
        assert (block == number).all()


def test_blocks_of_nearly_one_size_are_the_same() -> None:
    place_before = place(memory.room(1_000_000))
    others = [memory.room(some) for some in (300_000, 2_000_000)]
    assert place(memory.room(1_010_000)) == place_before
    del others
    for size in range(memory.SMALL, memory.BIG, 9_973):
        assert size <= memory._fitting(size) <= size * 9 // 8
    memory.forget()


def test_those_used_longest_ago_go_first() -> None:
    size, of = memory.BIG // 2, memory.BIG // 4
    many = [memory.room(size) for _ in range(2 * memory.SMALL_KEPT // size)]
    del many
    memory.room(of)
    assert len(memory._small[of]) == 1
    assert memory.forget() <= memory.SMALL_KEPT


@pytest.mark.parametrize("size", [memory.SMALL, memory.BIG])
def test_threads_share_what_is_kept(size: int, seed: int) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(40):
            block = memory.room(size)
            block[::4096] = number
            if not (block[::4096] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@only_where_kept
@pytest.mark.skipif(not hasattr(os, "fork") or sys.version_info >= (3, 12), reason="fork warns")
def test_a_fork_has_memory_of_its_own() -> None:
    block = memory.room(SIZE)
    block[:] = 3
    child = os.fork()
    if child == 0:
        block[:] = 4
        del block
        memory.room(SIZE)[:] = 5
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (block == 3).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_large_reads_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, seed: int
) -> None:
    """Past the cache, into memory used before or into the caller's, from any event to any."""
    events = camera(150_000, seed, "jitter")
    evstore.save(tmp_path / "a.evs", events)
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(reader, "READ_EVENTS", 20_000)
    monkeypatch.setattr(memory, "BIG", 1000)
    with evstore.open(tmp_path / "a.evs") as rec:
        for k in range(30):
            monkeypatch.setattr(reader, "LARGE", 0 if k % 2 else 1 << 60)
            start, stop = sorted(int(v) for v in rng.integers(0, len(events), 2, endpoint=True))
            if k == 0:
                start, stop = 0, len(events)
            out = None
            if k % 3 == 0:
                shift = int(rng.integers(0, 9))  # not always where vectors may be stored
                out = {c: empty_column(c, stop - start + shift)[shift:] for c in COLUMNS}
            found = rec.read(start, stop, out=out, threads=threads)
            for name in COLUMNS:
                assert np.array_equal(found[name], getattr(events, name)[start:stop]), (k, name)
