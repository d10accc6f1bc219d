"""Steps of decoding in vector registers, where LLVM finds no vector code for the plain loop.

Each is a plain Python function, which is what it means and what runs without compilation; numba
gets an equal one in LLVM's vector operations instead. A test holds both together.

``past`` sends what is stored past the cache. A line that is written so is not read from memory
first, which halves the cost of filling arrays larger than the cache; it must then start at a
multiple of PAST_ALIGN bytes. `drain` comes after the last of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import (
    HAS_SHUFFLE,
    I1,
    I8,
    I16,
    I64,
    LITTLE,
    OCTETS,
    lanes_of,
    load,
    pointer_to,
    shuffle_octets,
    splat,
    store,
)

U = np.uint64
LANES = 64  # values a row of packed ones
STEP = 16  # times a step
RUN_STEP = 8  # coordinates a step
BIT_STEP = 64  # polarities a step


# ------------------------------------------------------------------------------ unpacking


def unpack_row(
    words: Any, k: Any, h: Any, shift: Any, carry: Any, mask: Any, add: Any,
    out: Any, to: Any, past: Any,
) -> None:  # fmt: skip
    """64 values from the words at ``k`` and, where they reach into it, at ``h``.

    ``carry`` is 2**(16 - shift) modulo 2**16; all three, ``mask`` and ``add`` are uint16.
    """
    for i in range(LANES):
        v = (U(words[k + U(i)]) >> U(shift)) | (U(words[h + U(i)]) * U(carry))
        out[to + U(i)] = np.uint16(((v & U(mask)) + U(add)) & U(0xFFFF))


@overload(unpack_row)  # type: ignore[untyped-decorator]
def _unpack_row(
    words: Any, k: Any, h: Any, shift: Any, carry: Any, mask: Any, add: Any,
    out: Any, to: Any, past: Any,
) -> Callable[..., Any]:  # fmt: skip
    def fast(
        words: Any, k: Any, h: Any, shift: Any, carry: Any, mask: Any, add: Any,
        out: Any, to: Any, past: Any,
    ) -> Any:  # fmt: skip
        _unpack_64(words, k, h, shift, carry, mask, add, out, to, past)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _unpack_64(
    typing: Any, words: Any, k: Any, h: Any, shift: Any, carry: Any, mask: Any, add: Any,
    out: Any, to: Any, past: Any,
) -> tuple[Any, Any]:  # fmt: skip
    u16, u64 = types.uint16, types.uint64
    signature = types.void(words, u64, u64, u16, u16, u16, u16, out, u64, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words, k, h, shift, carry, mask, add, out, to, past = args
        row = ir.VectorType(I16, LANES)
        kind = signature.args[0]
        low = builder.lshr(load(context, builder, kind, words, k, row), splat(builder, row, shift))
        high = load(context, builder, kind, words, h, row)
        v = builder.or_(low, builder.mul(high, splat(builder, row, carry)))
        v = builder.and_(v, splat(builder, row, mask))
        v = builder.add(v, splat(builder, row, add))
        store(context, builder, signature.args[7], out, to, v, past)
        return context.get_dummy_value()

    return signature, generate


# ---------------------------------------------------------------------------------- times


def running_sums(values: Any, steps: Any) -> None:
    """Each of the first ``16 * steps`` values becomes the sum up to it, modulo 2**16."""
    passed = U(0)
    for i in range(steps * U(STEP)):
        passed = (passed + U(values[i])) & U(0xFFFF)
        values[i] = np.uint16(passed)


@overload(running_sums)  # type: ignore[untyped-decorator]
def _running_sums(values: Any, steps: Any) -> Callable[..., Any]:
    if not LITTLE:  # lanes are shifted as the halves of 64-bit integers
        return running_sums

    def fast(values: Any, steps: Any) -> Any:
        _sum_16s(values, steps)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _sum_16s(typing: Any, values: Any, steps: Any) -> tuple[Any, Any]:
    signature = types.void(values, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, steps = args
        narrow, wide = ir.VectorType(I16, STEP), ir.VectorType(I64, STEP // 4)
        zeros = ir.Constant(narrow, [0] * STEP)
        kind = signature.args[0]
        carry = cgutils.alloca_once_value(builder, zeros)
        with cgutils.for_range(builder, steps, intp=I64) as loop:
            at = builder.mul(loop.index, I64(STEP))
            v = load(context, builder, kind, values, at, narrow)
            # Within four lanes by shifts, which leave the one port for shuffles to the rest:
            # the sum of the four before, then of the eight before.
            for bits in (16, 32):
                lanes = builder.bitcast(v, wide)
                moved = builder.shl(lanes, ir.Constant(wide, [bits] * wide.count))
                v = builder.add(v, builder.bitcast(moved, narrow))
            for lanes, kept in (([3] * 8 + [11] * 8, [0, 0, 0, 0, -1, -1, -1, -1] * 2),
                                ([7] * 16, [0] * 8 + [-1] * 8)):  # fmt: skip
                moved = builder.shuffle_vector(v, zeros, lanes_of(lanes))
                v = builder.add(v, builder.and_(moved, ir.Constant(narrow, kept)))
            last = builder.shuffle_vector(v, zeros, lanes_of([STEP - 1] * STEP))
            before = builder.load(carry)
            store(context, builder, kind, values, at, builder.add(v, before))
            builder.store(builder.add(before, last), carry)
        return context.get_dummy_value()

    return signature, generate


def widen_times(sums: Any, at: Any, time: Any, t: Any, to: Any, past: Any) -> None:
    """``t[to + i] = time + sums[at + i]`` for 16 of them."""
    for i in range(STEP):
        t[to + U(i)] = time + np.int64(sums[at + U(i)])


@overload(widen_times)  # type: ignore[untyped-decorator]
def _widen_times(sums: Any, at: Any, time: Any, t: Any, to: Any, past: Any) -> Callable[..., Any]:
    def fast(sums: Any, at: Any, time: Any, t: Any, to: Any, past: Any) -> Any:
        _widen_16(sums, at, time, t, to, past)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _widen_16(
    typing: Any, sums: Any, at: Any, time: Any, t: Any, to: Any, past: Any
) -> tuple[Any, Any]:
    signature = types.void(sums, types.uint64, types.int64, t, types.uint64, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, at, time, t, to, past = args
        narrow, wide = ir.VectorType(I16, STEP), ir.VectorType(I64, STEP)
        v = load(context, builder, signature.args[0], sums, at, narrow)
        times = builder.add(builder.zext(v, wide), splat(builder, wide, time))
        store(context, builder, signature.args[3], t, to, times, past)
        return context.get_dummy_value()

    return signature, generate


# ---------------------------------------------------------------------------- coordinates


def expand_runs(runs: Any, at: Any, changed: Any, out: Any, to: Any, past: Any) -> None:
    """8 coordinates: bit ``i`` of ``changed`` steps to the next run before ``out[to + i]``.

    ``runs[at]`` is the run before the first of them; ``runs`` holds 8 more.
    """
    for i in range(RUN_STEP):
        at = at + ((U(changed) >> U(i)) & U(1))
        out[to + U(i)] = runs[at]


def _shuffles() -> Any:
    """For each byte, the bytes that a 16-byte shuffle picks from the runs after the first.

    An event before the first change takes the run before: its bytes get the top bit, which
    makes the shuffle give zero, and that run is put there instead.
    """
    table = np.empty((256, 2 * RUN_STEP), np.uint8)
    for b in range(256):
        seen = 0
        for i in range(RUN_STEP):
            seen += b >> i & 1
            place = 2 * (seen - 1)
            table[b, 2 * i : 2 * i + 2] = (place, place + 1) if seen else (0x80, 0x80)
    return table.reshape(-1)


SHUFFLES = _shuffles()


@overload(expand_runs)  # type: ignore[untyped-decorator]
def _expand_runs(
    runs: Any, at: Any, changed: Any, out: Any, to: Any, past: Any
) -> Callable[..., Any]:
    if not HAS_SHUFFLE:
        return expand_runs

    def fast(runs: Any, at: Any, changed: Any, out: Any, to: Any, past: Any) -> Any:
        _expand_8(runs, at, SHUFFLES, U(changed) * U(2 * RUN_STEP), out, to, past)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _expand_8(
    typing: Any, runs: Any, at: Any, table: Any, row: Any, out: Any, to: Any, past: Any
) -> tuple[Any, Any]:
    u64 = types.uint64
    signature = types.void(runs, u64, table, u64, out, u64, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        runs, at, table, row, out, to, past = args
        values = ir.VectorType(I16, RUN_STEP)
        following = builder.add(at, ir.Constant(I64, 1))
        source = load(context, builder, signature.args[0], runs, following, OCTETS)
        picks = load(context, builder, signature.args[2], table, row, OCTETS)
        picked = builder.bitcast(shuffle_octets(builder, source, picks), values)
        array = context.make_array(signature.args[0])(context, builder, runs)
        before = builder.load(builder.gep(array.data, [at]))
        every = splat(builder, values, before)
        zeros = ir.Constant(values, [0] * RUN_STEP)
        none = builder.icmp_signed("<", builder.bitcast(picks, values), zeros)
        chosen = builder.select(none, every, picked)
        store(context, builder, signature.args[4], out, to, chosen, past)
        return context.get_dummy_value()

    return signature, generate


# ------------------------------------------------------------------------------- polarity


def expand_bits(words: Any, at: Any, out: Any, to: Any, past: Any) -> None:
    """64 polarities from the bits of four words, lowest first."""
    for i in range(BIT_STEP):
        out[to + U(i)] = np.uint8((U(words[at + U(i // 16)]) >> U(i % 16)) & U(1))


@overload(expand_bits)  # type: ignore[untyped-decorator]
def _expand_bits(words: Any, at: Any, out: Any, to: Any, past: Any) -> Callable[..., Any]:
    if not LITTLE:
        return expand_bits

    def fast(words: Any, at: Any, out: Any, to: Any, past: Any) -> Any:
        _expand_64(words, at, out, to, past)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _expand_64(typing: Any, words: Any, at: Any, out: Any, to: Any, past: Any) -> tuple[Any, Any]:
    signature = types.void(words, types.uint64, out, types.uint64, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words, at, out, to, past = args
        pointer = pointer_to(context, builder, signature.args[0], words, at, I64)
        bits = builder.bitcast(builder.load(pointer, align=2), ir.VectorType(I1, BIT_STEP))
        octets = builder.zext(bits, ir.VectorType(I8, BIT_STEP))
        store(context, builder, signature.args[2], out, to, octets, past)
        return context.get_dummy_value()

    return signature, generate


# --------------------------------------------------------------------------- past the cache


def drain() -> None:
    """What was stored past the cache comes before all that is stored from here on."""


@overload(drain)  # type: ignore[untyped-decorator]
def _drain() -> Callable[..., Any]:
    def fast() -> Any:
        _fence()

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _fence(typing: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate
