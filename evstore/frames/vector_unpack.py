"""Four events of a structured array at once, taken apart by a shuffle of their 64 bytes.

Where the processor has no such shuffle (AVX-512 VBMI), no step is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import HAS_ORDER, I8, I64, lanes_of, load, store

U = np.uint64
AT_ONCE = 4
BYTES = 64
MOST = BYTES // AT_ONCE  # bytes from one event to the next
ROW = ir.VectorType(I8, BYTES)

#: Where the shuffle puts them: t, x, y and p of four events.
PLACES = (("t", 8), ("x", 2), ("y", 2), ("p", 1))


def unpack_steps(t: Any, x: Any, y: Any, p: Any, piece: Any, picks: Any) -> Any:
    """Take apart AT_ONCE events a step, as far as can be; how many events that was.

    ``picks`` has room for BYTES uint8.
    """
    return U(0)


@overload(unpack_steps)  # type: ignore[untyped-decorator]
def _unpack_steps(t: Any, x: Any, y: Any, p: Any, piece: Any, picks: Any) -> Callable[..., Any]:
    def none(t: Any, x: Any, y: Any, p: Any, piece: Any, picks: Any) -> Any:
        return U(0)

    def some(t: Any, x: Any, y: Any, p: Any, piece: Any, picks: Any) -> Any:
        stride = t.strides[0]
        data = (t.ctypes.data, x.ctypes.data, y.ctypes.data, p.ctypes.data)
        base = min(min(data[0], data[1]), min(data[2], data[3]))
        end = max(max(data[0] + 8, data[1] + 2), max(data[2] + 2, data[3] + 1)) - base
        one = stride == x.strides[0] == y.strides[0] == p.strides[0]
        if not one or end > stride or stride > MOST:
            return U(0)
        size = (t.size - 1) * stride + end
        if size < BYTES:
            return U(0)
        steps = U((size - BYTES) // (AT_ONCE * stride) + 1)
        at = 0
        for column, width in ((0, 8), (1, 2), (2, 2), (3, 1)):
            for event in range(AT_ONCE):
                for k in range(width):
                    picks[at] = data[column] - base + event * stride + k
                    at += 1
        _unpack(U(base), U(stride), picks, piece.t, piece.x, piece.y, piece.p, steps)
        return steps * U(AT_ONCE)

    return some if HAS_ORDER else none


@intrinsic  # type: ignore[untyped-decorator]
def _unpack(
    typing: Any, base: Any, stride: Any, picks: Any, t: Any, x: Any, y: Any, p: Any, steps: Any
) -> tuple[Any, Any]:
    signature = types.void(types.uint64, types.uint64, picks, t, x, y, p, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base, stride, picks, *columns, steps = args
        kinds = signature.args[3:7]
        order = load(context, builder, signature.args[2], picks, I64(0), ROW)
        shuffle = builder.module.declare_intrinsic(
            "llvm.x86.avx512.permvar.qi.512", (), ir.FunctionType(ROW, [ROW, ROW])
        )
        stride = builder.mul(stride, I64(AT_ONCE))
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            address = builder.add(base, builder.mul(loop.index, stride))
            octets = builder.load(builder.inttoptr(address, ROW.as_pointer()), align=1)
            apart = builder.call(shuffle, [octets, order])
            at = builder.mul(loop.index, I64(AT_ONCE))
            first = 0
            for (_, width), kind, column in zip(PLACES, kinds, columns, strict=True):
                lanes = lanes_of(list(range(first, first + AT_ONCE * width)))
                some = builder.shuffle_vector(apart, apart, lanes)
                store(context, builder, kind, column, at, some)
                first += AT_ONCE * width
        return context.get_dummy_value()

    return signature, generate
