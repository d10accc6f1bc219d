"""The threads that torch computes with, lent for a call.

Torch's OpenMP threads wait for its next operation by turning in a loop, for some milliseconds:
threads of our own would have to share the processors with them, and two of two cores would do what
one does. So a layer's parts run on those very threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from evstore.interrupts import interrupts_held

_BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_STARTED = os.getpid()


def on_torch_threads(call: Callable[[], None], threads: int) -> bool:
    """``call`` in each of up to ``threads`` threads of torch, this one among them; it waits.

    False, and nothing was called, where torch's threads are not OpenMP's or this process was
    forked: OpenMP's threads do not survive that. ``call`` must not raise.
    """
    parallel = None if os.getpid() != _STARTED else _parallel()
    if parallel is None:
        return False
    with interrupts_held():  # raised between C and Python, Ctrl-C would be printed, and lost
        parallel(_BODY(lambda _: call()), None, threads, 0)
    return True


@cache
def _parallel() -> Any:
    """OpenMP's entry for a parallel region, of the library that torch uses; else None."""
    if sys.platform != "linux" or "OpenMP" not in torch.__config__.parallel_info():
        return None
    of_torch = [path for path in _loaded() if Path(torch.__file__).parent.parent in path.parents]
    found = of_torch or _loaded()
    if len(found) != 1:  # which of them are torch's threads, nobody says
        return None
    try:
        parallel = ctypes.CDLL(str(found[0])).GOMP_parallel
    except (OSError, AttributeError):
        return None
    parallel.argtypes = [_BODY, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return parallel


def _loaded() -> list[Path]:
    """The OpenMP libraries in this process."""
    names = ("libgomp", "libiomp", "libomp")
    lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    paths = {Path(line.split(None, 5)[5]) for line in lines if line.count("/")}
    return sorted(path for path in paths if path.name.startswith(names))
