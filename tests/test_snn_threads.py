"""Parts of a layer's work on torch's threads, and on our own where those cannot be had."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from evstore import snn
from evstore.snn import openmp, threads


@pytest.fixture(params=["torch's", "our own"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "our own":
        monkeypatch.setattr(threads, "on_torch_threads", lambda call, n: False)
    elif not sys.platform.startswith("linux") or openmp._parallel() is None:
        pytest.skip("torch has no OpenMP threads here")
    return str(request.param)


@pytest.fixture
def four() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_all_parts_each_once_on_several_threads(way: str, four: None) -> None:
    done: list[Any] = []
    seen = set()

    def call(part: Any) -> None:
        seen.add(threading.get_ident())
        time.sleep(0.05)  # so that one thread does not take them all
        done.append(part)

    parts = threads.parts_of(8, 100, 10_000)
    assert len(parts) == 4
    threads.on_threads(call, parts)
    assert sorted(done) == parts
    assert len(seen) > 1


@pytest.mark.parametrize("error", [ValueError("of a part"), KeyboardInterrupt()])
def test_an_error_comes_once_nobody_works(way: str, four: None, error: BaseException) -> None:
    working: list[int] = []

    def call(part: Any) -> None:
        if part == threads.parts_of(8, 100, 10_000)[1]:
            raise error
        time.sleep(0.05)
        working.append(1)

    with pytest.raises(type(error)):
        threads.on_threads(call, threads.parts_of(8, 100, 10_000))
    before = len(working)
    time.sleep(0.1)
    assert len(working) == before == 3


def test_parts_cover_everything(four: None) -> None:
    for batch, steps, neurons in ((1, 1, 1), (1, 100, 100_000), (3, 50, 9_999), (100, 10, 7_000)):
        covered = torch.zeros(batch, neurons, dtype=torch.int32)
        parts = threads.parts_of(batch, steps, neurons)
        for a, b, low, high in parts:
            covered[a:b, low:high] += 1
        assert (covered == 1).all()
        assert len(parts) <= 4
        assert (len(parts) == 1) == (batch * steps * neurons < 2 * threads.ENOUGH)


GIVEN = torch.full((2, 100, 2_000), 0.5)


def _in_a_child(send: Any) -> None:
    """Parts on threads; then a layer, with one thread, as torch's loader leaves its workers."""
    torch.set_num_threads(2)
    done: list[Any] = []
    threads.on_threads(done.append, threads.parts_of(8, 100, 10_000))
    torch.set_num_threads(1)
    send.send((sorted(done), float(snn.IAF()(GIVEN).sum())))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # that is what is tried
def test_a_forked_process_has_threads_of_its_own(four: None) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("processes cannot be forked here")
    expected = float(snn.IAF()(GIVEN).sum())
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_in_a_child, args=(send,))
    child.start()
    try:
        assert receive.poll(60), "the forked process hangs"
        parts, spikes = receive.recv()
        assert len(parts) == 2
        assert spikes == expected
    finally:
        child.kill()
        child.join(60)
