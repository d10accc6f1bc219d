"""The lanes of codec 2 in vector registers: 16 coders to a register, for processors with AVX-512.

Each function is a plain one, which is what it means; numba gets an equal one where it can. The
first does none of its steps in plain: the kernel that calls it does what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from evstore.codec.llvm import HAS_LANES, I1, I8, I16, I32, I64, lanes_of, splat
from evstore.codec.model_format import LANES, RAW_BITS

U = np.uint64
WIDE = 16  # lanes of a register
REGISTERS = LANES // WIDE
STEP_WORDS = 6 * LANES + WIDE  # read at most in a step, and by one load behind them

WORDS = ir.VectorType(I32, WIDE)


def words_of(value: int) -> Any:
    """The same number in each lane."""
    return ir.Constant(WORDS, [value] * WIDE)


class Stream:
    """Code that takes symbols and bits from the states of all lanes, and words from the stream."""

    def __init__(self, builder: Any, words: Any, at: Any, states: list[Any]) -> None:
        self.builder, self.words = builder, words
        self.at = cgutils.alloca_once_value(builder, at)
        self.states = [cgutils.alloca_once_value(builder, state) for state in states]

    def steps(self, count: Any, size: Any, step: Callable[[Any], None]) -> Any:
        """Do up to ``count`` steps, while words for one are left; returns how many were done."""
        builder = self.builder
        done = cgutils.alloca_once_value(builder, I64(0))

        def more() -> Any:
            left = builder.icmp_unsigned("<", builder.load(done), count)
            reach = builder.add(builder.load(self.at), I64(STEP_WORDS))
            return builder.and_(left, builder.icmp_unsigned("<=", reach, size))

        with while_(builder, more):
            step(builder.load(done))
            builder.store(builder.add(builder.load(done), I64(1)), done)
        return builder.load(done)

    def refill(self) -> None:
        """A word to each state below 2**16, in the order of lanes."""
        builder = self.builder
        at = builder.load(self.at)
        for place in self.states:
            state = builder.load(place)
            low = builder.icmp_unsigned("<", state, words_of(1 << 16))
            half = ir.VectorType(I16, WIDE)
            source = builder.bitcast(builder.gep(self.words, [at]), half.as_pointer())
            following = builder.zext(builder.load(source, align=2), WORDS)
            filled = builder.or_(builder.shl(state, words_of(16)), expand(builder, following, low))
            builder.store(builder.select(low, filled, state), place)
            count = builder.ctpop(builder.bitcast(low, I16))
            at = builder.add(at, builder.zext(count, I64))
        builder.store(at, self.at)

    def symbols(self, table: Any, bits: Any, firsts: list[Any]) -> list[tuple[Any, Any]]:
        """Of each register the low and the high half of the entries of a symbol."""
        builder = self.builder
        shift, mask = splat(builder, WORDS, bits), low_bits(builder, splat(builder, WORDS, bits))
        entries = []
        for place, first in zip(self.states, firsts, strict=True):
            state = builder.load(place)
            slot = builder.or_(builder.and_(state, mask), first)
            low, high = gather(builder, table, slot)
            slots = builder.add(builder.and_(low, words_of(0xFFF)), words_of(1))
            rest = builder.and_(builder.lshr(low, words_of(12)), words_of(0xFFF))
            state = builder.add(builder.mul(slots, builder.lshr(state, shift)), rest)
            builder.store(state, place)
            entries.append((low, high))
        self.refill()
        return entries

    def pairs(self, entries: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """The raw bits of both numbers of each register's entries."""
        builder = self.builder
        ones, twos, wides = [], [], []
        for place, (low, _) in zip(self.states, entries, strict=True):
            one = builder.and_(builder.lshr(low, words_of(24)), words_of(15))
            two = builder.lshr(low, words_of(28))
            both = builder.add(one, two)
            wide = builder.icmp_unsigned(">", both, words_of(RAW_BITS))
            taken = builder.select(wide, one, both)
            state = builder.load(place)
            value = builder.and_(state, low_bits(builder, taken))
            builder.store(builder.lshr(state, taken), place)
            ones.append(builder.and_(value, low_bits(builder, one)))
            second = builder.lshr(value, one)
            twos.append(cgutils.alloca_once_value(builder, second))
            builder.store(second, twos[-1])
            wides.append((wide, two))
        self.refill()
        some = builder.or_(*(builder.bitcast(wide, I16) for wide, _ in wides))
        with builder.if_then(builder.icmp_unsigned("!=", some, I16(0)), likely=False):
            for place, second, (wide, two) in zip(self.states, twos, wides, strict=True):
                state = builder.load(place)
                value = builder.and_(state, low_bits(builder, two))
                builder.store(builder.select(wide, value, builder.load(second)), second)
                builder.store(builder.select(wide, builder.lshr(state, two), state), place)
            self.refill()
        return [(one, builder.load(two)) for one, two in zip(ones, twos, strict=True)]


@contextmanager
def while_(builder: Any, condition: Callable[[], Any]) -> Iterator[None]:
    """The code within, as long as the condition's code is true before it."""
    ask, body, behind = (builder.append_basic_block(name) for name in ("ask", "body", "behind"))
    builder.branch(ask)
    builder.position_at_end(ask)
    builder.cbranch(condition(), body, behind)
    builder.position_at_end(body)
    yield
    builder.branch(ask)
    builder.position_at_end(behind)


def low_bits(builder: Any, bits: Any) -> Any:
    """So many ones in each lane."""
    return builder.sub(builder.shl(words_of(1), bits), words_of(1))


def intrinsic_of(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """One of LLVM's functions for x86."""
    kind = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, kind, name)


def expand(builder: Any, values: Any, mask: Any) -> Any:
    """The first values to the lanes of the mask, in order; 0 to the others."""
    kinds = [WORDS, WORDS, ir.VectorType(I1, WIDE)]
    function = intrinsic_of(builder, "llvm.x86.avx512.mask.expand.v16i32", WORDS, kinds)
    return builder.call(function, [values, words_of(0), mask])


def gather(builder: Any, table: Any, slots: Any) -> tuple[Any, Any]:
    """Low and high halves of the entries of 64 bits at these places."""
    half, long = ir.VectorType(I32, WIDE // 2), ir.VectorType(I64, WIDE // 2)
    mask = ir.VectorType(I1, WIDE // 2)
    kinds = [long, I8.as_pointer(), half, mask, I32]
    function = intrinsic_of(builder, "llvm.x86.avx512.mask.gather.dpq.512", long, kinds)
    pointer = builder.bitcast(table, I8.as_pointer())
    parts = []
    for first in (0, WIDE // 2):
        places = builder.shuffle_vector(
            slots, slots, lanes_of(list(range(first, first + WIDE // 2)))
        )
        nothing = ir.Constant(long, [0] * (WIDE // 2))
        every = ir.Constant(mask, [1] * (WIDE // 2))
        found = builder.call(function, [nothing, pointer, places, every, I32(8)])
        parts.append(builder.bitcast(found, WORDS))
    return tuple(
        builder.shuffle_vector(*parts, lanes_of([2 * lane + half for lane in range(WIDE)]))
        for half in (0, 1)
    )


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
        stream = Stream(builder, data(4), args[6], _narrow(builder, kept, 0))
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
        _widen(builder, kept, 0, [builder.load(v) for v in stream.states])
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
            state = {k: _narrow(builder, kept, k * LANES) for k in range(3)}
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
                _widen(builder, kept, k * LANES, [builder.load(v) for v in vectors])
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


def _narrow(builder: Any, data: Any, first: int) -> list[Any]:
    """Numbers of 64 bits as registers of 32."""
    long = ir.VectorType(I64, WIDE)
    places = [builder.gep(data, [I64(first + WIDE * k)]) for k in range(REGISTERS)]
    return [
        builder.trunc(builder.load(builder.bitcast(p, long.as_pointer()), align=8), WORDS)
        for p in places
    ]


def _widen(builder: Any, data: Any, first: int, registers: list[Any]) -> None:
    """The inverse of _narrow."""
    long = ir.VectorType(I64, WIDE)
    for k, value in enumerate(registers):
        place = builder.bitcast(builder.gep(data, [I64(first + WIDE * k)]), long.as_pointer())
        builder.store(builder.zext(value, long), place, align=8)


_steps = _taker(True)
_maps = _taker(False)
