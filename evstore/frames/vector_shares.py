"""Cells of a voxel grid made of the sums of their events, and written past the cache."""

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
SIGNS = 44  # the bit of a sum where that of the signs begins; below it that of the times
TOP = 64 - SIGNS


def show_shares(sums: Any, carry: Any, out: Any, per_us: float, offset: float) -> None:
    """What a bin has of its events and of what is carried; then what the next one has is.

    The sums become 0.
    """
    for k in range(sums.size):
        value = sums[k]
        sums[k] = 0
        times = (value << TOP) >> TOP
        signs = np.float64((value - times) >> SIGNS)
        after = np.float64(times) * per_us + signs * offset
        out[k] = carry[k] + signs - after
        carry[k] = after


@overload(show_shares)  # type: ignore[untyped-decorator]
def _show_shares(
    sums: Any, carry: Any, out: Any, per_us: float, offset: float
) -> Callable[..., Any]:
    def fast(sums: Any, carry: Any, out: Any, per_us: float, offset: float) -> Any:
        steps = U(0)
        if U(out.ctypes.data) % U(PAST_ALIGN) == U(0):
            steps = U(sums.size) // U(AT_ONCE)
            _steps(sums, carry, out, per_us, offset, steps)
        for k in range(steps * U(AT_ONCE), sums.size):
            value = sums[k]
            sums[k] = 0
            times = (value << TOP) >> TOP
            signs = np.float64((value - times) >> SIGNS)
            after = np.float64(times) * per_us + signs * offset
            out[k] = carry[k] + signs - after
            carry[k] = after

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _steps(
    typing: Any, sums: Any, carry: Any, out: Any, per_us: Any, offset: Any, steps: Any
) -> tuple[Any, Any]:
    signature = types.void(sums, carry, out, types.float64, types.float64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, carry, out, per_us, offset, steps = args
        of_sums, of_carry, of_out = signature.args[:3]
        longs = ir.VectorType(I64, AT_ONCE)
        doubles = ir.VectorType(ir.DoubleType(), AT_ONCE)
        floats = ir.VectorType(context.get_value_type(of_out.dtype), AT_ONCE)
        per_us, offset = (splat(builder, doubles, value) for value in (per_us, offset))
        top, below = (ir.Constant(longs, [bits] * AT_ONCE) for bits in (TOP, SIGNS))
        past = ir.Constant(ir.IntType(1), 1)
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            at = builder.mul(loop.index, I64(AT_ONCE))
            value = load(context, builder, of_sums, sums, at, longs)
            store(context, builder, of_sums, sums, at, ir.Constant(longs, [0] * AT_ONCE))
            times = builder.ashr(builder.shl(value, top), top)
            signs = builder.sitofp(builder.ashr(builder.sub(value, times), below), doubles)
            after = builder.fadd(
                builder.fmul(builder.sitofp(times, doubles), per_us), builder.fmul(signs, offset)
            )
            shown = load(context, builder, of_carry, carry, at, doubles)
            shown = builder.fsub(builder.fadd(shown, signs), after)
            shown = shown if floats == doubles else builder.fptrunc(shown, floats)
            store(context, builder, of_out, out, at, shown, past)
            store(context, builder, of_carry, carry, at, after)
        return context.get_dummy_value()

    return signature, generate
