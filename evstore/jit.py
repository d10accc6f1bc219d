"""How every kernel is compiled: without the GIL, cached on disk where a cache can be written.

And without reference counts: a kernel makes no arrays, and passing one to another kernel, or a
slice of one, would cost two atomic operations each, as much as unpacking 64 values. Worse, an
atomic operation waits until all that was stored past the cache has reached memory.

Kernels that only kernels call are compiled without what a call from Python needs, which is a
quarter of the time that compiling takes; and they are not cached, since their callers are.
"""

from __future__ import annotations

import threading
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
    called_by_kernels = njit(nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    compiled = called_by_kernels(function)
    if hasattr(compiled, "_compile_for_args"):  # else NUMBA_DISABLE_JIT: it is the plain function
        _compile_for_python(compiled, function)
    return compiled  # type: ignore[no-any-return]


def _compile_for_python(compiled: Any, function: Any) -> None:
    """Let calls from Python, and only these, compile the kernel anew, or load it from the cache.

    Ctrl-C waits meanwhile: LLVM calls back into Python, from where an interrupt cannot be raised:
    it would be printed, and lost.
    """
    entry: Any = None
    making = threading.Lock()

    def insert(cres: Any) -> None:
        for dispatcher in (entry, compiled):
            type(dispatcher).add_overload(dispatcher, cres)

    def made() -> Any:
        # Once: of two equal overloads numba would find none, and look for one at each call.
        nonlocal entry
        with making:
            if entry is None:
                new = _entry(function)
                new.add_overload = insert
                entry = new
        return entry

    def keep(cres: Any) -> None:
        # There is nothing in it that Python could call.
        compiled.overloads[tuple(cres.signature.args)] = cres

    def compile_for_args(*args: Any, **kwargs: Any) -> Any:
        with interrupts_held():
            return made()._compile_for_args(*args, **kwargs)

    compiled.add_overload = keep
    compiled._compile_for_args = compile_for_args


def _entry(function: Any) -> Any:
    try:
        return njit(nogil=True, cache=True, _nrt=False, no_cfunc_wrapper=True)(function)
    except RuntimeError:
        return njit(nogil=True, _nrt=False, no_cfunc_wrapper=True)(function)
