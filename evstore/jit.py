"""How every kernel is compiled: without the GIL, cached on disk where a cache can be written.

And without reference counts: a kernel makes no arrays, and passing one to another kernel, or a
slice of one, would cost two atomic operations each, as much as unpacking 64 values. Worse, an
atomic operation waits until all that was stored past the cache has reached memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

from evstore.interrupts import interrupts_held

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a plain loop over 1-D arrays; ``.py_func`` is the same loop as Python.

    numba refuses to decorate at all when neither ``__pycache__`` nor the user's cache
    folder can be written; the kernel is then compiled anew in each process.
    """
    try:
        compiled = njit(nogil=True, cache=True, _nrt=False)(function)
    except RuntimeError:
        compiled = njit(nogil=True, _nrt=False)(function)
    _hold_interrupts(compiled)
    return compiled  # type: ignore[no-any-return]


def _hold_interrupts(compiled: Any) -> None:
    """Ctrl-C waits until a kernel is compiled, or loaded from the cache.

    LLVM calls back into Python meanwhile, from where an interrupt cannot be raised: it would be
    printed, and lost.
    """
    compile_for_args = getattr(compiled, "_compile_for_args", None)
    if compile_for_args is None:  # NUMBA_DISABLE_JIT: it is the plain function
        return

    def held(*args: Any, **kwargs: Any) -> Any:
        with interrupts_held():
            return compile_for_args(*args, **kwargs)

    compiled._compile_for_args = held
