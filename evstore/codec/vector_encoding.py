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
    I8,
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


def put_bitmaps(values: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any) -> None:
    """Bitmaps of 64 unsigned values: of up to 8 bits, from ``bit`` on, the first value lowest.

    They go to ``out[to]`` and each ``size`` bytes on.
    """
    for k in range(count):
        for i in range(0, STEP, 8):
            octet = U(0)
            for j in range(8):
                octet |= ((U(values[at + U(i + j)]) >> (bit + U(k))) & U(1)) << U(j)
            out[to + U(k) * size + U(i >> 3)] = np.uint8(octet)


@overload(put_bitmaps)  # type: ignore[untyped-decorator]
def _put_bitmaps(
    values: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any
) -> Callable[..., Any]:
    def fast(values: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any) -> Any:
        _bitmaps_of_64(values, at, bit, count, out, to, size)

    return fast if LITTLE else put_bitmaps


@intrinsic  # type: ignore[untyped-decorator]
def _bitmaps_of_64(
    typing: Any, values: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any
) -> tuple[Any, Any]:
    u64 = types.uint64
    signature = types.void(values, u64, u64, u64, out, u64, u64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, at, bit, count, out, to, size = args
        row = ir.VectorType(ir.IntType(signature.args[0].dtype.bitwidth), STEP)
        v = load(context, builder, signature.args[0], values, at, row)
        octets = _octets(builder, v, bit)
        return _put_planes(context, builder, octets, count, signature.args[4], out, to, size)

    return signature, generate


def put_step_bitmaps(t: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any) -> None:
    """put_bitmaps of 64 times less the time before each, modulo 2**64."""
    for k in range(count):
        for i in range(0, STEP, 8):
            octet = U(0)
            for j in range(8):
                step = U(t[at + U(i + j)]) - U(t[at + U(i + j) - U(1)])
                octet |= ((step >> (bit + U(k))) & U(1)) << U(j)
            out[to + U(k) * size + U(i >> 3)] = np.uint8(octet)


@overload(put_step_bitmaps)  # type: ignore[untyped-decorator]
def _put_step_bitmaps(
    t: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any
) -> Callable[..., Any]:
    def fast(t: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any) -> Any:
        _step_bitmaps_of_64(t, at, bit, count, out, to, size)

    return fast if LITTLE else put_step_bitmaps


@intrinsic  # type: ignore[untyped-decorator]
def _step_bitmaps_of_64(
    typing: Any, t: Any, at: Any, bit: Any, count: Any, out: Any, to: Any, size: Any
) -> tuple[Any, Any]:
    u64 = types.uint64
    signature = types.void(t, u64, u64, u64, out, u64, u64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        t, at, bit, count, out, to, size = args
        row = ir.VectorType(I64, STEP)
        v = load(context, builder, signature.args[0], t, at, row)
        before = builder.sub(at, ir.Constant(I64, 1))
        v = builder.sub(v, load(context, builder, signature.args[0], t, before, row))
        octets = _octets(builder, v, bit)
        return _put_planes(context, builder, octets, count, signature.args[4], out, to, size)

    return signature, generate


def _octets(builder: Any, values: Any, bit: Any) -> Any:
    """The byte of each value that begins at ``bit``: vectors make bitmaps of bytes best."""
    kind = values.type.element
    places = splat(builder, values.type, bit if kind == I64 else builder.trunc(bit, kind))
    octets = builder.lshr(values, places)
    return octets if kind == I8 else builder.trunc(octets, ir.VectorType(I8, STEP))


def _put_planes(
    context: Any, builder: Any, octets: Any, count: Any, kind: Any, out: Any, to: Any, size: Any
) -> Any:
    """A bitmap of each of the ``count`` lowest bits, to ``out[to]`` and each ``size`` bytes on."""
    done = builder.append_basic_block("done")
    zeros = ir.Constant(octets.type, [0] * STEP)
    for k in range(8):
        more = builder.append_basic_block("more")
        builder.cbranch(builder.icmp_unsigned(">", count, ir.Constant(I64, k)), more, done)
        builder.position_at_end(more)
        picked = builder.and_(octets, ir.Constant(octets.type, [1 << k] * STEP))
        bits = builder.bitcast(builder.icmp_unsigned("!=", picked, zeros), I64)
        store(context, builder, kind, out, to, bits)
        to = builder.add(to, size)
    builder.branch(done)
    builder.position_at_end(done)
    return context.get_dummy_value()


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
