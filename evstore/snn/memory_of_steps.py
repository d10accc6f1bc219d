"""Peak memory of a training step against the number of time steps, each in its own process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch

from evstore.errors import ArgumentError
from evstore.snn.truncating import backward_in_pieces

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"  # what clear_refs takes so that the peak begins anew
_WARM_STEPS = 2


def step_memory(
    make: Callable[[], torch.nn.Module],
    steps: int,
    shape: tuple[int, ...] = (2, 34, 34),
    *,
    batch_size: int = 8,
    piece: int | None = None,
    threads: int = 1,
) -> int:
    """Bytes that a training step of ``steps`` time steps needs beyond what was there before it.

    ``make()`` gives the model, (B, T, *shape) -> (B, T, classes), in a process of its own: it is a
    function of a module, which can be imported there. Frames are Poisson noise; the loss is the
    cross entropy of the sums over time, AdamW makes the step, after a short one that is not counted
    (it loads and compiles). With ``piece`` it goes by `backward_in_pieces`, so many steps at a
    time, each piece's frames made when it is their turn. What counts is resident memory, which only
    Linux says: OSError elsewhere. Raises ArgumentError, and
    ChildProcessError where the process ended early: killed, or unable to import the calling script.

    >>> found = step_memory(models.talk, 100, (2, 30, 30), piece=50)             # doctest: +SKIP
    """
    if min(steps, batch_size, threads, 1 if piece is None else piece) < 1:
        raise ArgumentError("steps, batch_size, piece and threads are all at least 1")
    if not _CLEAR.exists():
        raise OSError("peak memory is read from /proc, which only Linux has")
    context = multiprocessing.get_context("spawn")  # a fork would have this process's memory
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            found = pool.submit(_measure, make, steps, shape, batch_size, piece, threads)
            return found.result()
        except BrokenProcessPool:
            raise ChildProcessError(
                f"the process of a step of {steps} time steps ended without a result: killed, for "
                "its memory perhaps, or the calling script cannot be imported there (it needs a "
                'file, and `if __name__ == "__main__":`); see what it printed'
            ) from None


def _measure(
    make: Callable[[], torch.nn.Module],
    steps: int,
    shape: tuple[int, ...],
    batch_size: int,
    piece: int | None,
    threads: int,
) -> int:
    """In the child: the peak during the step, above what was resident before it."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = make()
    optimiser = torch.optim.AdamW(model.parameters())
    _step(model, optimiser, _pieces(batch_size, min(steps, _WARM_STEPS), shape, piece), piece)
    _CLEAR.write_text(_FORGET_PEAK)
    before = _resident("VmRSS")
    _step(model, optimiser, _pieces(batch_size, steps, shape, piece), piece)
    return _resident("VmHWM") - before


def _step(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    pieces: Iterator[torch.Tensor],
    piece: int | None,
) -> None:
    optimiser.zero_grad()
    if piece is None:
        _loss(model(next(pieces))).backward()
    else:
        backward_in_pieces(model, pieces, _loss)
    optimiser.step()


def _loss(outputs: torch.Tensor) -> torch.Tensor:
    totals = outputs.sum(1)
    targets = torch.arange(len(totals)) % totals.shape[1]
    return torch.nn.functional.cross_entropy(totals, targets)


def _pieces(
    batch_size: int, steps: int, shape: tuple[int, ...], piece: int | None
) -> Iterator[torch.Tensor]:
    for first in range(0, steps, piece or steps):
        length = min(piece or steps, steps - first)
        yield torch.poisson(torch.full((), 0.1).expand(batch_size, length, *shape))


def _resident(field: str) -> int:
    """Bytes: VmRSS now, VmHWM at its peak."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no {field}")
