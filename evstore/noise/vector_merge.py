"""A column of two streams made one, where flags say whose each value is.

A plain function and an equal one of vector operations (AVX-512 VBMI2's expansions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import HAS_COMPRESS, I1, I8, I64, load, pointer_to, store

U = np.uint64
REGISTER = 512  # bits
AT_ONCE = 64  # values: a register of flags


def merge_column(flags: Any, first: Any, second: Any, out: Any) -> None:
    """``out[:n]``, of the next of ``first`` where the flag is 0, of ``second`` where it is 1.

    ``n`` is the number of flags. Both columns have a value more than is taken of them.
    """
    j = U(0)
    for o in range(flags.size):
        of_first, of_second = first[U(o) - j], second[j]
        out[o] = of_second if flags[o] else of_first
        j += U(flags[o])


@overload(merge_column)  # type: ignore[untyped-decorator]
def _merge_column(flags: Any, first: Any, second: Any, out: Any) -> Callable[..., Any]:
    def fast(flags: Any, first: Any, second: Any, out: Any) -> Any:
        steps = U(flags.size) // U(AT_ONCE)
        j = _steps(flags, first, second, out, steps)
        for o in range(steps * U(AT_ONCE), U(flags.size)):
            of_first, of_second = first[U(o) - j], second[j]
            out[o] = of_second if flags[o] else of_first
            j += U(flags[o])

    return fast if HAS_COMPRESS else merge_column


@intrinsic  # type: ignore[untyped-decorator]
def _steps(
    typing: Any, flags: Any, first: Any, second: Any, out: Any, steps: Any
) -> tuple[Any, Any]:
    signature = types.uint64(flags, first, second, out, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        flags, first, second, out, steps = args
        of_flags, of_first, of_second, of_out = signature.args[:4]
        bits = of_out.dtype.bitwidth
        lanes = REGISTER // bits
        row, mask = ir.VectorType(ir.IntType(bits), lanes), ir.VectorType(I1, lanes)
        kind = ir.FunctionType(row, [ir.IntType(bits).as_pointer(), mask, row])
        name = f"llvm.masked.expandload.v{lanes}i{bits}"
        expand = cgutils.get_or_insert_function(builder.module, kind, name)
        taken = cgutils.alloca_once_value(builder, I64(0))  # of the second
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            begin = builder.mul(loop.index, I64(AT_ONCE))
            for part in range(0, AT_ONCE, lanes):
                at = builder.add(begin, I64(part))
                j = builder.load(taken)
                some = load(context, builder, of_flags, flags, at, ir.VectorType(I8, lanes))
                of_them = builder.icmp_unsigned("!=", some, ir.Constant(some.type, None))
                i = builder.sub(at, j)
                pointers = [
                    pointer_to(context, builder, of, array, where, ir.IntType(bits))
                    for of, array, where in ((of_first, first, i), (of_second, second, j))
                ]
                value = builder.call(
                    expand, [pointers[0], builder.not_(of_them), ir.Constant(row, None)]
                )
                value = builder.call(expand, [pointers[1], of_them, value])
                store(context, builder, of_out, out, at, value)
                number = builder.ctpop(builder.bitcast(of_them, ir.IntType(lanes)))
                number = number if lanes == 64 else builder.zext(number, I64)
                builder.store(builder.add(j, number), taken)
        return builder.load(taken)

    return signature, generate
