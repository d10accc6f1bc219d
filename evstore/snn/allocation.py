"""Memory that one step lets go of stays with the process for the next."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of malloc.h
_CHOSEN = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_memory() -> bool:
    """Have the C library keep what tensors leave, of this process; False where it cannot be told.

    Each step makes and lets go of the same large tensors. glibc gives those back to the system at
    once, which has to clear their pages anew in the next step: a fifth and more of the time of a
    step on a CPU. So much memory as was ever needed stays taken until the process ends. Who has
    said in the environment how memory is to be got is left alone.

    Source: mallopt(3), M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD.

    >>> keep_memory() in (True, False)
    True
    """
    if not sys.platform.startswith("linux") or any(k.startswith(_CHOSEN) for k in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    said = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 << 20))
    return all(mallopt(name, value) == 1 for name, value in said)
