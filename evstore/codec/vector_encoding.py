"""Steps of encoding in vector registers, where LLVM finds no vector code for the plain loop.

Each is a plain Python function, as in `vector_decoding`, with an equal one for numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from evstore.codec.llvm import (
    HAS_SHUFFLE,
    I1,
    I16,
    I64,
    LITTLE,
    OCTETS,
    load,
    shuffle_octets,
    splat,
    store,
)

U = np.uint64
STEP = 64  # values compared at once
RUN_STEP = 8  # coordinates a step

#: Bits set in each byte.
COUNTS = np.array([bin(b).count("1") for b in range(256)], dtype=np.uint64)


def bits_on(values: Any, at: Any) -> Any:
    """Which of 64 polarities are not 0: bit ``i`` for ``values[at + i]``."""
    bits = U(0)
    for i in range(STEP):
        bits |= U(values[at + U(i)] != 0) << U(i)
    return bits


@overload(bits_on)  # type: ignore[untyped-decorator]
def _bits_on(values: Any, at: Any) -> Callable[..., Any]:
    def fast(values: Any, at: Any) -> Any:
        return _above_64(values, at, np.uint8(0))

    return fast if LITTLE else bits_on


def bits_above(values: Any, at: Any, limit: Any) -> Any:
    """Which of 64 values are above the uint16 ``limit``: bit ``i`` for ``values[at + i]``."""
    bits = U(0)
    for i in range(STEP):
        bits |= U(values[at + U(i)] > limit) << U(i)
    return bits


@overload(bits_above)  # type: ignore[untyped-decorator]
def _bits_above(values: Any, at: Any, limit: Any) -> Callable[..., Any]:
    def fast(values: Any, at: Any, limit: Any) -> Any:
        return _above_64(values, at, limit)

    return fast if LITTLE else bits_above


@intrinsic  # type: ignore[untyped-decorator]
def _above_64(typing: Any, values: Any, at: Any, limit: Any) -> tuple[Any, Any]:
    signature = types.uint64(values, types.uint64, values.dtype)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, at, limit = args
        row = ir.VectorType(limit.type, STEP)
        v = load(context, builder, signature.args[0], values, at, row)
        above = builder.icmp_unsigned(">", v, splat(builder, row, limit))
        return builder.bitcast(above, I64)

    return signature, generate


def bits_with(values: Any, at: Any, bit: Any) -> Any:
    """Which of 64 unsigned values have that bit set: bit ``i`` for ``values[at + i]``."""
    bits = U(0)
    for i in range(STEP):
        bits |= ((U(values[at + U(i)]) >> U(bit)) & U(1)) << U(i)
    return bits


@overload(bits_with)  # type: ignore[untyped-decorator]
def _bits_with(values: Any, at: Any, bit: Any) -> Callable[..., Any]:
    def fast(values: Any, at: Any, bit: Any) -> Any:
        return _with_64(values, at, bit)

    return fast if LITTLE else bits_with


@intrinsic  # type: ignore[untyped-decorator]
def _with_64(typing: Any, values: Any, at: Any, bit: Any) -> tuple[Any, Any]:
    signature = types.uint64(values, types.uint64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, at, bit = args
        kind = ir.IntType(signature.args[0].dtype.bitwidth)
        row = ir.VectorType(kind, STEP)
        one = builder.shl(ir.Constant(I64, 1), bit)
        mask = splat(builder, row, one if kind == I64 else builder.trunc(one, kind))
        v = builder.and_(load(context, builder, signature.args[0], values, at, row), mask)
        return builder.bitcast(builder.icmp_unsigned("==", v, mask), I64)

    return signature, generate


def put_bits(bits: Any, out: Any, at: Any) -> None:
    """Write 64 bits as the 8 bytes from ``out[at]`` on, the lowest first."""
    for i in range(8):
        out[at + U(i)] = np.uint8((bits >> U(8 * i)) & U(0xFF))


@overload(put_bits)  # type: ignore[untyped-decorator]
def _put_bits(bits: Any, out: Any, at: Any) -> Callable[..., Any]:
    def fast(bits: Any, out: Any, at: Any) -> Any:
        _put_64(bits, out, at)

    return fast if LITTLE else put_bits


@intrinsic  # type: ignore[untyped-decorator]
def _put_64(typing: Any, bits: Any, out: Any, at: Any) -> tuple[Any, Any]:
    signature = types.void(types.uint64, out, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits, out, at = args
        store(context, builder, signature.args[1], out, at, bits)
        return context.get_dummy_value()

    return signature, generate


def bits_changed(values: Any, at: Any) -> Any:
    """Which of 64 values differ from the one before: bit ``i`` for ``values[at + i]``."""
    bits = U(0)
    for i in range(STEP):
        bits |= U(values[at + U(i)] != values[at + U(i) - U(1)]) << U(i)
    return bits


@overload(bits_changed)  # type: ignore[untyped-decorator]
def _bits_changed(values: Any, at: Any) -> Callable[..., Any]:
    def fast(values: Any, at: Any) -> Any:
        return _changed_64(values, at)

    return fast if LITTLE else bits_changed


@intrinsic  # type: ignore[untyped-decorator]
def _changed_64(typing: Any, values: Any, at: Any) -> tuple[Any, Any]:
    signature = types.uint64(values, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, at = args
        row = ir.VectorType(I16, STEP)
        v = load(context, builder, signature.args[0], values, at, row)
        before = builder.sub(at, ir.Constant(I64, 1))
        w = load(context, builder, signature.args[0], values, before, row)
        return builder.bitcast(builder.icmp_unsigned("!=", v, w), I64)

    return signature, generate


def lowest_bit(bits: Any) -> Any:
    """The place of the lowest bit that is set; ``bits`` is not 0."""
    place = U(0)
    while not (bits >> place) & U(1):
        place += U(1)
    return place


@overload(lowest_bit)  # type: ignore[untyped-decorator]
def _lowest_bit(bits: Any) -> Callable[..., Any]:
    def fast(bits: Any) -> Any:
        return _trailing_zeros(bits)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _trailing_zeros(typing: Any, bits: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(I1, 1))

    return types.uint64(types.uint64), generate


def gather_runs(values: Any, at: Any, changed: Any, least: Any, out: Any, to: Any) -> None:
    """Of 8 values those whose bit in ``changed`` is set, less ``least``; then zeros, 8 in all."""
    found = U(0)
    for i in range(RUN_STEP):
        out[to + U(i)] = np.uint16(0)
    for i in range(RUN_STEP):
        if (U(changed) >> U(i)) & U(1):
            out[to + found] = np.uint16((U(values[at + U(i)]) - U(least)) & U(0xFFFF))
            found += U(1)


def _gathers() -> Any:
    """For each byte, the bytes that a 16-byte shuffle picks: those of the lanes that are set."""
    table = np.full((256, 2 * RUN_STEP), 0x80, np.uint8)  # the top bit gives zero
    for b in range(256):
        lanes = [i for i in range(RUN_STEP) if b >> i & 1]
        table[b, : 2 * len(lanes)] = [2 * i + k for i in lanes for k in (0, 1)]
    return table.reshape(-1)


GATHERS = _gathers()


@overload(gather_runs)  # type: ignore[untyped-decorator]
def _gather_runs(
    values: Any, at: Any, changed: Any, least: Any, out: Any, to: Any
) -> Callable[..., Any]:
    def fast(values: Any, at: Any, changed: Any, least: Any, out: Any, to: Any) -> Any:
        _gather_8(values, at, GATHERS, U(changed) * U(2 * RUN_STEP), least, out, to)

    return fast if HAS_SHUFFLE else gather_runs


@intrinsic  # type: ignore[untyped-decorator]
def _gather_8(
    typing: Any, values: Any, at: Any, table: Any, row: Any, least: Any, out: Any, to: Any
) -> tuple[Any, Any]:
    u64 = types.uint64
    signature = types.void(values, u64, table, u64, types.uint16, out, u64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, at, table, row, least, out, to = args
        lanes = ir.VectorType(I16, RUN_STEP)
        v = load(context, builder, signature.args[0], values, at, lanes)
        v = builder.sub(v, splat(builder, lanes, least))
        picks = load(context, builder, signature.args[2], table, row, OCTETS)
        picked = shuffle_octets(builder, builder.bitcast(v, OCTETS), picks)
        store(context, builder, signature.args[5], out, to, builder.bitcast(picked, lanes))
        return context.get_dummy_value()

    return signature, generate
