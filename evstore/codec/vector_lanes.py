"""The lanes of codec 2 in vector registers: 16 coders to a register, for processors with AVX-512.

Each function is a plain one, which is what it means; numba gets an equal one where it can. The
first does none of its steps in plain: the kernel that calls it does what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import HAS_LANES, I1, I8, I16, I32, I64, splat
from evstore.codec.model_format import LANES
from evstore.codec.vector_stream import REGISTERS, WIDE, WORDS, Stream, narrow, widen, words_of

U = np.uint64


# ----------------------------------------------------------------------------------- nibbles


def take_nibble_steps(
    lanes: Any, table: Any, bits: Any, count: Any, words: Any, at: Any, out: Any, to: Any
) -> Any:
    """As many of ``count`` steps as there are words for; (steps done, place behind).

    A step gives half a byte a lane, lane 0's the low half of ``out[to]``.
    """
    return U(0), at


@overload(take_nibble_steps)  # type: ignore[untyped-decorator]
def _take_nibble_steps(
    lanes: Any, table: Any, bits: Any, count: Any, words: Any, at: Any, out: Any, to: Any
) -> Callable[..., Any]:
    if not HAS_LANES:
        return take_nibble_steps

    def fast(
        lanes: Any, table: Any, bits: Any, count: Any, words: Any, at: Any, out: Any, to: Any
    ) -> Any:
        return _nibbles(lanes, table, bits, count, words, U(words.size), at, out, to)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _nibbles(
    typing: Any, lanes: Any, table: Any, bits: Any, count: Any, words: Any, size: Any, at: Any,
    out: Any, to: Any,
) -> tuple[Any, Any]:  # fmt: skip
    u64 = types.uint64
    signature = types.UniTuple(u64, 2)(lanes, table, u64, u64, words, u64, u64, out, u64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def data(k: int) -> Any:
            return context.make_array(signature.args[k])(context, builder, args[k]).data

        kept, table, out = data(0), data(1), data(7)
        bits = builder.trunc(args[2], I32)
        stream = Stream(builder, data(4), args[6], narrow(builder, kept, 0))
        nowhere = [words_of(0)] * REGISTERS

        def step(done: Any) -> None:
            to = builder.add(args[8], builder.mul(done, I64(LANES // 2)))
            for k, (_, high) in enumerate(stream.symbols(table, bits, nowhere)):
                octets = builder.trunc(high, ir.VectorType(I8, WIDE))
                pairs = builder.bitcast(octets, ir.VectorType(I16, WIDE // 2))
                four = ir.Constant(pairs.type, [4] * pairs.type.count)
                both = builder.or_(pairs, builder.lshr(pairs, four))
                both = builder.trunc(both, ir.VectorType(I8, WIDE // 2))
                place = builder.gep(out, [builder.add(to, I64(WIDE // 2 * k))])
                builder.store(both, builder.bitcast(place, both.type.as_pointer()), align=1)

        done = stream.steps(args[3], args[5], step)
        widen(builder, kept, 0, [builder.load(v) for v in stream.states])
        pair = [done, builder.load(stream.at)]
        return context.make_tuple(builder, signature.return_type, pair)

    return signature, generate


# ------------------------------------------------------------------------------------ events


def take_steps(
    steps: Any, near: Any, token_bits: Any, leaf_bits: Any, shift: Any, bands: Any,
    tokens: Any, leaves: Any, lanes: Any, count: Any, words: Any, at: Any, times: Any, places: Any,
) -> Any:  # fmt: skip
    """As many of ``count`` steps of all lanes as there are words for; (steps done, place behind).

    ``lanes`` holds states, sums of time and places before, of all lanes each.
    """
    return U(0), at


@overload(take_steps)  # type: ignore[untyped-decorator]
def _take_steps(
    steps: Any, near: Any, token_bits: Any, leaf_bits: Any, shift: Any, bands: Any,
    tokens: Any, leaves: Any, lanes: Any, count: Any, words: Any, at: Any, times: Any, places: Any,
) -> Callable[..., Any]:  # fmt: skip
    if not HAS_LANES:
        return take_steps

    def fast(
        steps: Any, near: Any, token_bits: Any, leaf_bits: Any, shift: Any, bands: Any,
        tokens: Any, leaves: Any, lanes: Any, count: Any, words: Any, at: Any, times: Any,
        places: Any,
    ) -> Any:  # fmt: skip
        size = U(words.size)
        if steps:
            return _steps(
                near, token_bits, leaf_bits, shift, bands, tokens, leaves, lanes, count, words,
                size, at, times, places,
            )  # fmt: skip
        return _maps(
            near, token_bits, leaf_bits, shift, bands, tokens, leaves, lanes, count, words,
            size, at, times, places,
        )  # fmt: skip

    return fast


def _taker(steps: bool) -> Any:
    """The loop over steps, for either way to code places."""

    @intrinsic  # type: ignore[untyped-decorator]
    def take(
        typing: Any, near: Any, token_bits: Any, leaf_bits: Any, shift: Any, bands: Any,
        tokens: Any, leaves: Any, lanes: Any, count: Any, words: Any, size: Any, at: Any,
        times: Any, places: Any,
    ) -> tuple[Any, Any]:  # fmt: skip
        u64 = types.uint64
        signature = types.UniTuple(u64, 2)(
            types.boolean, u64, u64, u64, u64, tokens, leaves, lanes, u64, words, u64, u64,
            times, places,
        )  # fmt: skip

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def data(k: int) -> Any:
                return context.make_array(signature.args[k])(context, builder, args[k]).data

            near, token_bits, leaf_bits, shift, bands = args[:5]
            kept = data(7)
            state = {k: narrow(builder, kept, k * LANES) for k in range(3)}
            stream = Stream(builder, data(9), args[11], state[0])
            sums = [cgutils.alloca_once_value(builder, v) for v in state[1]]
            before = [cgutils.alloca_once_value(builder, v) for v in state[2]]
            about = _About(builder, near, token_bits, leaf_bits, shift, bands)
            arrays = [data(k) for k in (5, 6, 12, 13)]

            def step(done: Any) -> None:
                to = builder.mul(done, I64(LANES))
                _step(steps, stream, about, arrays, sums, before, to)

            done = stream.steps(args[8], args[10], step)
            for k, vectors in enumerate((stream.states, sums, before)):
                widen(builder, kept, k * LANES, [builder.load(v) for v in vectors])
            pair = [done, builder.load(stream.at)]
            return context.make_tuple(builder, signature.return_type, pair)

        return signature, generate

    return take


class _About:
    """What stays the same in all steps, in each lane."""

    def __init__(
        self, builder: Any, near: Any, token_bits: Any, leaf_bits: Any, shift: Any, bands: Any
    ) -> None:
        def every(value: Any) -> Any:
            return splat(builder, WORDS, builder.trunc(value, I32))

        self.near = splat(builder, ir.VectorType(I1, WIDE), builder.trunc(near, I1))
        self.token_bits = builder.trunc(token_bits, I32)
        self.leaf_bits = builder.trunc(leaf_bits, I32)
        self.context, self.band = every(token_bits), every(leaf_bits)
        self.shift, self.bands = every(shift), every(bands)
        self.last = builder.sub(self.bands, words_of(1))


def _step(
    steps: bool, stream: Stream, about: _About, arrays: list[Any], sums: list[Any],
    before: list[Any], to: Any,
) -> None:  # fmt: skip
    """An event of each lane: take_events of modelled_decode_kernels."""
    builder = stream.builder
    tokens, leaves, times, places = arrays
    contexts = [
        builder.shl(builder.lshr(builder.load(v), words_of(31)), about.context) for v in sums
    ]
    entries = stream.symbols(tokens, about.token_bits, contexts)
    raw = stream.pairs(entries)
    firsts, bases = [], []
    for k in range(REGISTERS):
        (_, high), (one, two) = entries[k], raw[k]
        total = builder.load(sums[k])
        step = builder.add(builder.lshr(high, words_of(16)), two)
        p = builder.and_(builder.shl(high, words_of(16)), words_of(1 << 31))
        gap = builder.add(builder.and_(high, words_of(0x7FFF)), one)
        changed = builder.and_(builder.xor(total, p), words_of(1 << 31))
        still = builder.icmp_unsigned("==", builder.or_(step, changed), words_of(0))
        near = builder.and_(still, about.near)
        total = builder.and_(builder.add(total, gap), words_of(0x7FFFFFFF))
        total = builder.or_(total, p)
        builder.store(total, sums[k])
        _put(builder, times, to, k, total)
        place = builder.load(before[k])
        if steps:
            sign = builder.sub(words_of(0), builder.and_(step, words_of(1)))
            moved = builder.xor(builder.lshr(step, words_of(1)), sign)
            major = builder.add(place, builder.shl(moved, words_of(16)))
            major = builder.and_(major, words_of(0xFFFF0000))
            band = builder.lshr(builder.lshr(major, words_of(16)), about.shift)
            over = builder.icmp_unsigned(">", band, about.last)
            band = builder.select(over, about.last, band)
            band = builder.select(near, about.bands, band)
            minor = builder.select(near, builder.and_(place, words_of(0xFFFF)), words_of(0))
            base = builder.or_(major, minor)
        else:
            band = builder.select(near, about.bands, words_of(0))
            base = builder.select(near, place, words_of(0))
        firsts.append(builder.shl(band, about.band))
        bases.append(base)
    entries = stream.symbols(leaves, about.leaf_bits, firsts)
    raw = stream.pairs(entries)
    for k in range(REGISTERS):
        (_, high), (one, two) = entries[k], raw[k]
        minor = builder.add(builder.add(bases[k], high), one)
        major = builder.add(bases[k], builder.and_(high, words_of(0xFFFF0000)))
        major = builder.add(major, builder.shl(two, words_of(16)))
        place = builder.or_(
            builder.and_(minor, words_of(0xFFFF)), builder.and_(major, words_of(0xFFFF0000))
        )
        builder.store(place, before[k])
        _put(builder, places, to, k, place)


def _put(builder: Any, out: Any, to: Any, register: int, value: Any) -> None:
    place = builder.gep(out, [builder.add(to, I64(WIDE * register))])
    builder.store(value, builder.bitcast(place, WORDS.as_pointer()), align=4)


_steps = _taker(True)
_maps = _taker(False)
