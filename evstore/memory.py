"""Memory of large columns, used again once the arrays in it are gone.

The system clears every page that it hands out, and clearing 13 bytes takes longer than decoding
an event into them. So large blocks are kept when the last array in one is let go of. The system
may take their pages back whenever it is short of memory (MADV_FREE): what is kept is not held.
"""

from __future__ import annotations

import contextlib
import mmap
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

BIG = 4 << 20  # bytes: below, the C library keeps memory itself
KEPT = 512 << 20  # bytes kept at most
KEEPS = sys.platform == "linux" and hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")

#: Blocks that no array is in, the one let go of last at the end. Each step on it is one of the
#: interpreter's own, so that threads, and arrays let go of in between, do no harm.
_kept: dict[int, tuple[mmap.mmap, NDArray[np.uint8]]] = {}


class _Loan:
    """A block while arrays are in it: they hold this, and it goes back with the last of them."""

    __slots__ = ("__array_interface__", "_block")

    def __init__(self, block: tuple[mmap.mmap, NDArray[np.uint8]], size: int) -> None:
        self._block = block
        address = block[1].__array_interface__["data"][0]
        self.__array_interface__: dict[str, Any] = {
            "version": 3, "shape": (size,), "typestr": "|u1", "data": (address, False),
        }  # fmt: skip

    def __del__(self) -> None:
        try:  # noqa: SIM105
            _keep(self._block)
        except Exception:  # the interpreter is ending, and even contextlib may be gone
            pass


def room(size: int) -> NDArray[np.uint8]:
    """``size`` bytes whose values are not set. Raises MemoryError.

    >>> len(room(100))
    100
    """
    if size < BIG or not KEEPS:
        return np.empty(size, np.uint8)
    return np.asarray(_Loan(_find(size) or _fresh(size), size))


def forget() -> int:
    """Give back to the system what is kept; returns how many bytes that was."""
    size = 0
    while _kept:
        with contextlib.suppress(KeyError):
            size += _kept.popitem()[1][1].size
    return size


def _find(size: int) -> tuple[mmap.mmap, NDArray[np.uint8]] | None:
    """The smallest kept block that holds ``size`` bytes and is not twice as large."""
    fitting = []
    for key in list(_kept):  # of integers: no collection begins here, which might change it
        block = _kept.get(key)
        if block is not None and size <= block[1].size < 2 * size:
            fitting.append((block[1].size, key))
    return _kept.pop(min(fitting)[1], None) if fitting else None


def _fresh(size: int) -> tuple[mmap.mmap, NDArray[np.uint8]]:
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        raise MemoryError(f"the system has no {size:,} bytes of memory") from None
    with contextlib.suppress(OSError):  # a system without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory, np.frombuffer(memory, np.uint8)


def _keep(block: tuple[mmap.mmap, NDArray[np.uint8]]) -> None:
    memory, octets = block
    if octets.size > KEPT:
        return
    memory.madvise(mmap.MADV_FREE)
    _kept[id(octets)] = block
    keys = list(_kept)
    kept = map(_kept.get, keys)
    sizes = [0 if one is None else one[1].size for one in kept]
    total = sum(sizes)
    for key, size in zip(keys, sizes, strict=True):  # the one let go of first
        if total <= KEPT:
            break
        _kept.pop(key, None)
        total -= size
