"""Memory of columns, used again once the arrays in it are gone.

The system clears every page that it hands out, and clearing 13 bytes takes longer than decoding
an event into them. So blocks are kept when the last array in one is let go of: large ones, whose
pages the system may take back whenever it is short of memory (MADV_FREE), and some megabytes of
smaller ones: columns and frames of batches. Of these the C library keeps some itself, but it gives
back what lies at the end of its memory, where they are if nothing else was made meanwhile.
"""

from __future__ import annotations

import contextlib
import mmap
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALL = 64 << 10  # bytes: below, a block is not worth keeping
BIG = 4 << 20  # bytes: below, blocks are the C library's
KEPT = 512 << 20  # bytes kept at most
SMALL_KEPT = 32 << 20  # bytes kept at most in blocks below BIG: of a loader's batches
HUGE = 2 << 20  # bytes of a huge page: of others, each has to be marked as used again
ALIGN = 64  # bytes: a cache line, and the longest vector register
KEEPS = sys.platform == "linux" and hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")


class _Block(NamedTuple):
    """``address``: of its first byte that begins a cache line, or a huge page."""

    memory: mmap.mmap | None  # None where it is the C library's
    octets: NDArray[np.uint8]  # as many as fit, but for where they are aligned
    address: int


#: Blocks that no array is in, the one let go of last at the end. Each step on it is one of the
#: interpreter's own, so that threads, and arrays let go of in between, do no harm.
_kept: dict[int, _Block] = {}

#: Those below BIG, by the bytes that fit.
_small: dict[int, list[_Block]] = {}


class _Loan:
    """A block while arrays are in it: they hold this, and it goes back with the last of them."""

    __slots__ = ("__array_interface__", "_block")

    def __init__(self, block: _Block, size: int) -> None:
        self._block = block
        self.__array_interface__: dict[str, Any] = {
            "version": 3, "shape": (size,), "typestr": "|u1", "data": (block.address, False),
        }  # fmt: skip

    def __del__(self) -> None:
        try:
            if self._block.memory is None:
                _keep_small(self._block)
            else:
                _keep(self._block)
        except Exception:  # the interpreter is ending: modules may be gone
            pass


def room(size: int) -> NDArray[np.uint8]:
    """``size`` bytes whose values are not set. Where they are kept they begin a cache line.

    Raises MemoryError.

    >>> len(room(100))
    100
    """
    if size < SMALL or (size >= BIG and not KEEPS):
        return np.empty(size, np.uint8)
    if size < BIG:
        fits = _fitting(size)
        return np.asarray(_Loan(_find_small(fits) or _made(None, fits), size))
    return np.asarray(_Loan(_find(size) or _fresh(size), size))


def forget() -> int:
    """Give back to the system what is kept; returns how many bytes that was."""
    size = sum(len(blocks) * bytes_ for bytes_, blocks in list(_small.items()))
    _small.clear()
    while _kept:
        with contextlib.suppress(KeyError):
            size += _kept.popitem()[1].octets.size
    return size


def _find(size: int) -> _Block | None:
    """The smallest kept block that holds ``size`` bytes and is not twice as large."""
    fitting = []
    for key in list(_kept):  # of integers: no collection begins here, which might change it
        block = _kept.get(key)
        if block is not None and size <= block.octets.size < 2 * size:
            fitting.append((block.octets.size, key))
    return _kept.pop(min(fitting)[1], None) if fitting else None


def _fitting(size: int) -> int:
    """A little more: batches of nearly one size fill the same blocks."""
    step = 1 << (size.bit_length() - 4)
    return -(-size // step) * step


def _find_small(size: int) -> _Block | None:
    """One of just that size."""
    try:
        return _small[size].pop()
    except (KeyError, IndexError):
        return None


def _fresh(size: int) -> _Block:
    try:
        memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        raise MemoryError(f"the system has no {size:,} bytes of memory") from None
    with contextlib.suppress(OSError):  # a system without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return _made(memory, size)


def _made(memory: mmap.mmap | None, size: int) -> _Block:
    if memory is None:
        octets, align = np.empty(size + ALIGN - 1, np.uint8), ALIGN
    else:
        octets, align = np.frombuffer(memory, np.uint8, size), HUGE
    address = octets.__array_interface__["data"][0]
    return _Block(memory, octets, address + -address % align)


def _keep(block: _Block) -> None:
    assert block.memory is not None
    if block.octets.size > KEPT:
        return
    block.memory.madvise(mmap.MADV_FREE)
    _kept[id(block.octets)] = block
    keys = list(_kept)
    kept = map(_kept.get, keys)
    sizes = [0 if one is None else one.octets.size for one in kept]
    total = sum(sizes)
    for key, size in zip(keys, sizes, strict=True):  # the one let go of first
        if total <= KEPT:
            break
        _kept.pop(key, None)
        total -= size


def _keep_small(block: _Block) -> None:
    size = block.octets.size - ALIGN + 1
    _small.setdefault(size, []).append(block)
    sizes = list(_small)
    total = 0
    for other in sizes:  # no generator, which costs as much again
        total += other * len(_small.get(other, ()))
    if total <= SMALL_KEPT:
        return
    sizes.sort(key=size.__eq__)  # those of what was read before go first
    for other in sizes:
        some = _small.get(other, [])
        while total > SMALL_KEPT and some:
            with contextlib.suppress(IndexError):  # another thread has taken the last
                some.pop()
            total -= other
