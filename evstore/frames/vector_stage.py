"""Counts of a byte each become the cells of a frame, past the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import I8, I64, PAST_ALIGN, load, store

U = np.uint64
AT_ONCE = 32


def show_counts(stage: Any, out: Any) -> None:
    """``out = stage``, and the stage becomes 0."""
    for k in range(stage.size):
        out[k] = stage[k]
        stage[k] = 0


@overload(show_counts)  # type: ignore[untyped-decorator]
def _show_counts(stage: Any, out: Any) -> Callable[..., Any]:
    def fast(stage: Any, out: Any) -> Any:
        steps = U(0)
        if U(out.ctypes.data) % U(PAST_ALIGN) == U(0):
            steps = U(stage.size) // U(AT_ONCE)
            _steps(stage, out, steps)
        for k in range(steps * U(AT_ONCE), stage.size):
            out[k] = stage[k]
            stage[k] = 0

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _steps(typing: Any, stage: Any, out: Any, steps: Any) -> tuple[Any, Any]:
    signature = types.void(stage, out, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        stage, out, steps = args
        of_stage, of_out = signature.args[:2]
        counts = ir.VectorType(I8, AT_ONCE)
        cell = context.get_value_type(of_out.dtype)
        cells = ir.VectorType(cell, AT_ONCE)
        past = ir.Constant(ir.IntType(1), 1)
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            at = builder.mul(loop.index, I64(AT_ONCE))
            value = load(context, builder, of_stage, stage, at, counts)
            store(context, builder, of_stage, stage, at, ir.Constant(counts, [0] * AT_ONCE))
            if not isinstance(cell, ir.IntType):
                value = builder.uitofp(value, cells)
            elif cell != I8:
                value = builder.zext(value, cells)
            store(context, builder, of_out, out, at, value, past)
        return context.get_dummy_value()

    return signature, generate
