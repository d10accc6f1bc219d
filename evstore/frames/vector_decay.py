"""A surface written past the cache straight from what its pixels are worth, which then decays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import I64, PAST_ALIGN, load, splat, store

U = np.uint64
AT_ONCE = 16
NOTHING = 1e-300  # less is 0: products of such numbers take a hundred times as long


def show_and_decay(state: Any, out: Any, factor: float) -> None:
    """``out = state``, then ``state *= factor``: 0 where that is below NOTHING."""
    for k in range(state.size):
        value = state[k]
        out[k] = value
        value *= factor
        state[k] = value if value > NOTHING else 0.0


@overload(show_and_decay)  # type: ignore[untyped-decorator]
def _show_and_decay(state: Any, out: Any, factor: float) -> Callable[..., Any]:
    def fast(state: Any, out: Any, factor: float) -> Any:
        steps = U(0)
        if U(out.ctypes.data) % U(PAST_ALIGN) == U(0):
            steps = U(state.size) // U(AT_ONCE)
            _steps(state, out, factor, steps)
        for k in range(steps * U(AT_ONCE), state.size):
            value = state[k]
            out[k] = value
            value *= factor
            state[k] = value if value > NOTHING else 0.0

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _steps(typing: Any, state: Any, out: Any, factor: Any, steps: Any) -> tuple[Any, Any]:
    signature = types.void(state, out, types.float64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        state, out, factor, steps = args
        of_state, of_out = signature.args[:2]
        doubles = ir.VectorType(ir.DoubleType(), AT_ONCE)
        floats = ir.VectorType(context.get_value_type(of_out.dtype), AT_ONCE)
        factors = splat(builder, doubles, factor)
        nothing = ir.Constant(doubles, [NOTHING] * AT_ONCE)
        zeros = ir.Constant(doubles, [0.0] * AT_ONCE)
        past = ir.Constant(ir.IntType(1), 1)
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            at = builder.mul(loop.index, I64(AT_ONCE))
            value = load(context, builder, of_state, state, at, doubles)
            shown = value if floats == doubles else builder.fptrunc(value, floats)
            store(context, builder, of_out, out, at, shown, past)
            value = builder.fmul(value, factors)
            some = builder.fcmp_ordered(">", value, nothing)
            value = builder.select(some, value, zeros)
            store(context, builder, of_state, state, at, value)
        return context.get_dummy_value()

    return signature, generate
