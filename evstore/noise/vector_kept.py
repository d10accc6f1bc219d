"""The events that are kept, moved together: a column at a time, or as the records of an array.

Columns: a plain function and an equal one of vector operations (AVX-512 VBMI2's compressions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import HAS_COMPRESS, I8, I64, OCTETS, load, store

U = np.uint64
REGISTER = 512  # bits
AT_ONCE = 64  # events: a register of flags
OCTET_STEP = 16


def move_kept(keep: Any, source: Any, out: Any) -> Any:
    """``out[:n] = source[keep != 0]``; returns n. What follows in ``out`` may be anything."""
    count = U(0)
    for i in range(source.size):
        out[count] = source[i]
        count += U(keep[i] != 0)
    return np.int64(count)


def move_kept_on(keep: Any, source: Any, out: Any) -> Any:
    """As `move_kept`; ``out`` need only have room for 64 more than are kept."""
    return move_kept(keep, source, out)


def move_16(source: Any, at: Any, target: Any, to: Any) -> None:
    """``target[to:][:16] = source[at:][:16]``, of bytes."""
    for k in range(OCTET_STEP):
        target[to + U(k)] = source[at + U(k)]


# ------------------------------------------------------------------------------------ vectors


@overload(move_kept)  # type: ignore[untyped-decorator]
def _move_kept(keep: Any, source: Any, out: Any) -> Callable[..., Any]:
    def fast(keep: Any, source: Any, out: Any) -> Any:
        # No more than was read is written: never past the end of what has the source's size.
        steps = U(min(source.size, out.size)) // U(AT_ONCE)
        count = _steps(keep, source, out, steps)
        for i in range(steps * U(AT_ONCE), U(source.size)):
            if keep[i]:
                out[count] = source[i]
                count += U(1)
        return np.int64(count)

    return fast if HAS_COMPRESS else move_kept


@overload(move_kept_on)  # type: ignore[untyped-decorator]
def _move_kept_on(keep: Any, source: Any, out: Any) -> Callable[..., Any]:
    def fast(keep: Any, source: Any, out: Any) -> Any:
        steps = U(source.size) // U(AT_ONCE)
        count = _steps(keep, source, out, steps)
        for i in range(steps * U(AT_ONCE), U(source.size)):
            out[count] = source[i]
            count += U(keep[i] != 0)
        return np.int64(count)

    return fast if HAS_COMPRESS else move_kept


@intrinsic  # type: ignore[untyped-decorator]
def _steps(typing: Any, keep: Any, source: Any, out: Any, steps: Any) -> tuple[Any, Any]:
    signature = types.uint64(keep, source, out, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        keep, source, out, steps = args
        of_keep, of_source, of_out = signature.args[:3]
        bits = of_source.dtype.bitwidth
        lanes = REGISTER // bits
        row, flags = ir.VectorType(ir.IntType(bits), lanes), ir.VectorType(I8, lanes)
        some = ir.VectorType(ir.IntType(1), lanes)
        kind = ir.FunctionType(row, [row, row, some])
        name = f"llvm.x86.avx512.mask.compress.v{lanes}i{bits}"
        compress = cgutils.get_or_insert_function(builder.module, kind, name)
        count = cgutils.alloca_once_value(builder, I64(0))
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            first = builder.mul(loop.index, I64(AT_ONCE))
            for part in range(0, AT_ONCE, lanes):
                at = builder.add(first, I64(part))
                kept = load(context, builder, of_keep, keep, at, flags)
                kept = builder.icmp_unsigned("!=", kept, ir.Constant(flags, None))
                value = load(context, builder, of_source, source, at, row)
                value = builder.call(compress, [value, ir.Constant(row, None), kept])
                so_far = builder.load(count)
                store(context, builder, of_out, out, so_far, value)
                number = builder.ctpop(builder.bitcast(kept, ir.IntType(lanes)))
                number = number if lanes == 64 else builder.zext(number, I64)
                builder.store(builder.add(so_far, number), count)
        return builder.load(count)

    return signature, generate


@overload(move_16)  # type: ignore[untyped-decorator]
def _move_16(source: Any, at: Any, target: Any, to: Any) -> Callable[..., Any]:
    def fast(source: Any, at: Any, target: Any, to: Any) -> Any:
        _move_octets(source, at, target, to)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _move_octets(typing: Any, source: Any, at: Any, target: Any, to: Any) -> tuple[Any, Any]:
    signature = types.void(source, types.uint64, target, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, at, target, to = args
        value = load(context, builder, signature.args[0], source, at, OCTETS)
        store(context, builder, signature.args[2], target, to, value)
        return context.get_dummy_value()

    return signature, generate
