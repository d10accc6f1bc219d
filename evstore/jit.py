"""How every kernel is compiled: without the GIL, cached on disk where a cache can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a plain loop over 1-D arrays; ``.py_func`` is the same loop as Python.

    numba refuses to decorate at all when neither ``__pycache__`` nor the user's cache
    folder can be written; the kernel is then compiled anew in each process.
    """
    try:
        return njit(nogil=True, cache=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(nogil=True)(function)  # type: ignore[no-any-return]
