"""Columns copied past the cache, for arrays larger than it: see vector_decoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import I64, PAST_ALIGN, load, store

U = np.uint64
BYTES = 64  # at once


def copy_past(source: Any, target: Any, count: Any) -> None:
    """``target[:count] = source[:count]``."""
    for i in range(count):
        target[i] = source[i]


@overload(copy_past)  # type: ignore[untyped-decorator]
def _copy_past(source: Any, target: Any, count: Any) -> Callable[..., Any]:
    step = U(BYTES // (source.dtype.bitwidth // 8))

    def fast(source: Any, target: Any, count: Any) -> Any:
        steps = U(0)
        if U(target.ctypes.data) % U(PAST_ALIGN) == U(0):
            steps = count // step
            _copy(source, target, steps)
        for i in range(steps * step, count):
            target[i] = source[i]

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _copy(typing: Any, source: Any, target: Any, steps: Any) -> tuple[Any, Any]:
    signature = types.void(source, target, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target, steps = args
        bits = signature.args[0].dtype.bitwidth
        row = ir.VectorType(ir.IntType(bits), BYTES * 8 // bits)
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            at = builder.mul(loop.index, I64(row.count))
            value = load(context, builder, signature.args[0], source, at, row)
            past = ir.Constant(ir.IntType(1), 1)
            store(context, builder, signature.args[1], target, at, value, past)
        return context.get_dummy_value()

    return signature, generate
