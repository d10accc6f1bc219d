"""The stream of codec 2 out of vector registers, 16 coders each, for processors with AVX-512.

A plain function that does none of its steps, and what numba gets instead where it can: the kernel
that calls it does what is left.
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
from evstore.codec.model_format import LANES, RAW_BITS
from evstore.codec.vector_stream import (
    REGISTERS,
    WIDE,
    WORDS,
    compress,
    intrinsic_of,
    low_bits,
    narrow,
    while_,
    widen,
    words_of,
)

U = np.uint64


def put_steps(
    tokens: Any, token_raw: Any, token_entries: Any, token_bits: Any,
    leaves: Any, leaf_raw: Any, leaf_entries: Any, leaf_bits: Any,
    states: Any, count: Any, words: Any, at: Any,
) -> Any:  # fmt: skip
    """Steps of all lanes, the last first, in front of ``at``; (steps left to do, first word)."""
    return count, at


@overload(put_steps)  # type: ignore[untyped-decorator]
def _put_steps(
    tokens: Any, token_raw: Any, token_entries: Any, token_bits: Any,
    leaves: Any, leaf_raw: Any, leaf_entries: Any, leaf_bits: Any,
    states: Any, count: Any, words: Any, at: Any,
) -> Callable[..., Any]:  # fmt: skip
    if not HAS_LANES:
        return put_steps

    def fast(
        tokens: Any, token_raw: Any, token_entries: Any, token_bits: Any,
        leaves: Any, leaf_raw: Any, leaf_entries: Any, leaf_bits: Any,
        states: Any, count: Any, words: Any, at: Any,
    ) -> Any:  # fmt: skip
        at = _steps(
            tokens, token_raw, token_entries, token_bits,
            leaves, leaf_raw, leaf_entries, leaf_bits,
            states, count, words, at,
        )  # fmt: skip
        return U(0), at

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _steps(
    typing: Any,
    tokens: Any, token_raw: Any, token_entries: Any, token_bits: Any,
    leaves: Any, leaf_raw: Any, leaf_entries: Any, leaf_bits: Any,
    states: Any, count: Any, words: Any, at: Any,
) -> tuple[Any, Any]:  # fmt: skip
    u64 = types.uint64
    signature = u64(
        tokens, token_raw, token_entries, u64, leaves, leaf_raw, leaf_entries, u64, states, u64,
        words, u64,
    )  # fmt: skip

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def data(k: int) -> Any:
            return context.make_array(signature.args[k])(context, builder, args[k]).data

        kept = data(8)
        output = Output(builder, data(10), args[11], narrow(builder, kept, 0))
        left = cgutils.alloca_once_value(builder, args[9])

        def more() -> Any:
            return builder.icmp_unsigned("!=", builder.load(left), I64(0))

        with while_(builder, more):
            step = builder.sub(builder.load(left), I64(1))
            builder.store(step, left)
            at = builder.mul(step, I64(LANES))
            for first in (4, 0):
                symbols, raw, entries = (data(first + k) for k in range(3))
                found = [
                    gather_entries(builder, entries, symbols_at(builder, symbols, at, k))
                    for k in range(REGISTERS)
                ]
                output.pairs(found, [words_at(builder, raw, at, k) for k in range(REGISTERS)])
                output.symbols(found, builder.trunc(args[first + 3], I32))
        widen(builder, kept, 0, [builder.load(v) for v in output.states])
        return builder.load(output.at)

    return signature, generate


class Output:
    """Code that puts symbols and bits to the states of all lanes, and words to the stream."""

    def __init__(self, builder: Any, words: Any, at: Any, states: list[Any]) -> None:
        self.builder, self.words = builder, words
        self.at = cgutils.alloca_once_value(builder, at)
        self.states = [cgutils.alloca_once_value(builder, state) for state in states]

    def symbols(self, entries: list[Any], bits: Any) -> None:
        """A symbol of each lane."""
        builder = self.builder
        shift = splat(builder, WORDS, bits)
        above = builder.sub(words_of(32), shift)
        slots = [
            builder.add(builder.and_(entry, words_of(0xFFF)), words_of(1)) for entry in entries
        ]
        self.make_room(
            [
                builder.icmp_unsigned(">=", builder.lshr(builder.load(place), above), f)
                for place, f in zip(self.states, slots, strict=True)
            ]
        )
        for place, entry, f in zip(self.states, entries, slots, strict=True):
            state = builder.load(place)
            whole = quotient(builder, state, f)
            rest = builder.sub(state, builder.mul(whole, f))
            first = builder.and_(builder.lshr(entry, words_of(12)), words_of(0xFFF))
            state = builder.add(builder.shl(whole, shift), builder.add(first, rest))
            builder.store(state, place)

    def pairs(self, entries: list[Any], values: list[Any]) -> None:
        """The raw bits of both numbers of each lane."""
        builder = self.builder
        ones = [builder.and_(builder.lshr(entry, words_of(24)), words_of(15)) for entry in entries]
        twos = [builder.lshr(entry, words_of(28)) for entry in entries]
        both = [builder.add(one, two) for one, two in zip(ones, twos, strict=True)]
        wide = [builder.icmp_unsigned(">", bits, words_of(RAW_BITS)) for bits in both]
        some = builder.or_(*(builder.bitcast(mask, I16) for mask in wide))
        with builder.if_then(builder.icmp_unsigned("!=", some, I16(0)), likely=False):
            bits = [
                builder.select(mask, two, words_of(0)) for mask, two in zip(wide, twos, strict=True)
            ]
            self.raw(
                [builder.lshr(value, one) for value, one in zip(values, ones, strict=True)], bits
            )
        bits = [
            builder.select(mask, one, all_)
            for mask, one, all_ in zip(wide, ones, both, strict=True)
        ]
        self.raw(values, bits)

    def raw(self, values: list[Any], bits: list[Any]) -> None:
        """So many bits of each value, 16 at most."""
        builder = self.builder
        overs = []
        for place, taken in zip(self.states, bits, strict=True):
            # Shifting by 32 would be undefined.
            high = builder.lshr(builder.load(place), words_of(1))
            high = builder.lshr(high, builder.sub(words_of(31), taken))
            overs.append(builder.icmp_unsigned("!=", high, words_of(0)))
        self.make_room(overs)
        for place, value, taken in zip(self.states, values, bits, strict=True):
            low = builder.and_(value, low_bits(builder, taken))
            builder.store(builder.or_(builder.shl(builder.load(place), taken), low), place)

    def make_room(self, overs: list[Any]) -> None:
        """The low halves of these states to the stream, those of the last lanes behind others."""
        builder = self.builder
        half = ir.VectorType(I16, WIDE)
        order = ir.Constant(WORDS, list(range(WIDE)))
        at = builder.load(self.at)
        for place, over in reversed(list(zip(self.states, overs, strict=True))):
            state = builder.load(place)
            count = builder.zext(builder.ctpop(builder.bitcast(over, I16)), I32)
            # The words to the register's end: what lies before them is overwritten by the next.
            picks = builder.add(order, splat(builder, WORDS, count))
            moved = permute(builder, compress(builder, state, over), picks)
            target = builder.gep(self.words, [builder.sub(at, I64(WIDE))])
            target = builder.bitcast(target, half.as_pointer())
            builder.store(builder.trunc(moved, half), target, align=2)
            at = builder.sub(at, builder.zext(count, I64))
            builder.store(builder.select(over, builder.lshr(state, words_of(16)), state), place)
        builder.store(at, self.at)


def quotient(builder: Any, a: Any, b: Any) -> Any:
    """a // b. Exact by floating point: quotients of 32 bits lie further from the next whole number
    than doubles are apart."""
    doubles = ir.VectorType(ir.DoubleType(), WIDE)
    exact = builder.fdiv(builder.uitofp(a, doubles), builder.uitofp(b, doubles))
    return builder.fptoui(exact, WORDS)


def words_at(builder: Any, array: Any, at: Any, register: int) -> Any:
    """16 numbers of 32 bits from ``array[at]`` on, for a register."""
    place = builder.gep(array, [builder.add(at, I64(WIDE * register))])
    return builder.load(builder.bitcast(place, WORDS.as_pointer()), align=4)


def symbols_at(builder: Any, array: Any, at: Any, register: int) -> Any:
    """16 numbers of 16 bits."""
    half = ir.VectorType(I16, WIDE)
    place = builder.gep(array, [builder.add(at, I64(WIDE * register))])
    found = builder.load(builder.bitcast(place, half.as_pointer()), align=2)
    return builder.zext(found, WORDS)


def gather_entries(builder: Any, table: Any, places: Any) -> Any:
    """Entries of 32 bits at these places."""
    mask = ir.VectorType(I1, WIDE)
    kinds = [WORDS, I8.as_pointer(), WORDS, mask, I32]
    function = intrinsic_of(builder, "llvm.x86.avx512.mask.gather.dpi.512", WORDS, kinds)
    pointer = builder.bitcast(table, I8.as_pointer())
    every = ir.Constant(mask, [1] * WIDE)
    return builder.call(function, [words_of(0), pointer, places, every, I32(4)])


def permute(builder: Any, values: Any, picks: Any) -> Any:
    """The values of the lanes picked, by the low bits of each."""
    kinds = [WORDS, WORDS]
    function = intrinsic_of(builder, "llvm.x86.avx512.permvar.si.512", WORDS, kinds)
    return builder.call(function, [values, picks])
