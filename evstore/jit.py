"""How every kernel is compiled: without the GIL, cached on disk where a cache can be written.

And without reference counts: a kernel makes no arrays, and passing one to another kernel, or a
slice of one, would cost two atomic operations each, as much as unpacking 64 values. Worse, an
atomic operation waits until all that was stored past the cache has reached memory.

Kernels that only kernels call are compiled without what a call from Python needs, which is a
quarter of the time that compiling takes; and they are not cached, since their callers are.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.extending import overload

from evstore import __version__
from evstore.interrupts import interrupts_held

F = TypeVar("F", bound=Callable[..., Any])

CALLED_BY_KERNELS = {
    "nogil": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
}  # fmt: skip


def kernel(function: F) -> F:
    """Compile a plain loop over 1-D arrays; ``.py_func`` is the same loop as Python.

    numba refuses to decorate at all when neither ``__pycache__`` nor the user's cache
    folder can be written; the kernel is then compiled anew in each process.
    """
    compiled = njit(**CALLED_BY_KERNELS)(function)
    if hasattr(compiled, "_compile_for_args"):  # else NUMBA_DISABLE_JIT: it is the plain function
        _compile_for_python(compiled, function)
    return compiled  # type: ignore[no-any-return]


def inlined(function: F) -> F:
    """Compile into each kernel that calls it; Python cannot call it.

    For what is called once for few events: its many arguments would take longer to pass.
    """
    return njit(**CALLED_BY_KERNELS, forceinline=True)(function)  # type: ignore[no-any-return]


def by_type(kernels: dict[Any, Any]) -> Callable[..., Any]:
    """A function for kernels to call: one of ``kernels``, as the type of its first argument says.

    That is a NamedTuple. Which one is known when the caller is compiled, once for each: a call
    costs no more than it would cost anyway.
    """

    def chosen(first: Any, *rest: Any) -> Any:
        return kernels[type(first)](first, *rest)

    @overload(chosen, strict=False)  # type: ignore[untyped-decorator]
    def _chosen(first: Any, *rest: Any) -> Any:
        one = kernels.get(getattr(first, "instance_class", None))
        return None if one is None else lambda first, *rest: one(first, *rest)

    return chosen


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
    """The kernel as Python calls it, from the cache if all of evstore is as it was then.

    numba looks at the kernel's own file only. But the kernels that it calls are compiled into it:
    from an older evstore they would write to arrays of other sizes.
    """
    try:
        entry = njit(nogil=True, cache=True, _nrt=False, no_cfunc_wrapper=True)(function)
        file = entry._cache._cache_file
        file._source_stamp = (file._source_stamp, _stamp())
        return entry
    except (RuntimeError, AttributeError):  # the latter of another numba
        return njit(nogil=True, _nrt=False, no_cfunc_wrapper=True)(function)


@cache
def _stamp() -> str:
    """Changes with evstore's version, and with any of its files."""
    found = hashlib.sha256(__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        about = path.stat()
        found.update(f"{path.name} {about.st_size} {about.st_mtime_ns}\n".encode())
    return found.hexdigest()
