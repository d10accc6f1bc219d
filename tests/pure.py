"""Kernels as plain Python: slow, and with every index checked."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np


def pure(kernel: Any) -> Callable[..., Any]:
    """The kernel and all kernels it calls as Python functions.

    ``.py_func`` alone would still call compiled kernels. An index beyond an array is an
    IndexError here, where the compiled kernel would read whatever lies there. Sums that
    overflow are meant to, so numpy is told not to warn.
    """
    function = _copy(kernel.py_func, {})

    def quiet(*arguments: Any) -> Any:
        with np.errstate(over="ignore"):
            return function(*arguments)

    return quiet


def _copy(
    function: types.FunctionType, done: dict[types.FunctionType, types.FunctionType]
) -> types.FunctionType:
    if function not in done:
        names = dict(function.__globals__)
        done[function] = types.FunctionType(function.__code__, names)
        for name, value in names.items():
            if hasattr(value, "py_func"):
                names[name] = _copy(value.py_func, done)
    return done[function]
