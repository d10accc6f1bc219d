"""Symbols and raw bits out of 16 coders to a register, for processors with AVX-512."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from evstore.codec.llvm import I1, I8, I16, I32, I64, lanes_of, splat
from evstore.codec.model_format import LANES, RAW_BITS

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
    return _moved(builder, "expand", values, mask)


def compress(builder: Any, values: Any, mask: Any) -> Any:
    """The inverse of expand: the values of the mask's lanes first, in order, then zeros."""
    return _moved(builder, "compress", values, mask)


def _moved(builder: Any, way: str, values: Any, mask: Any) -> Any:
    kinds = [WORDS, WORDS, ir.VectorType(I1, WIDE)]
    function = intrinsic_of(builder, f"llvm.x86.avx512.mask.{way}.v16i32", WORDS, kinds)
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


def narrow(builder: Any, data: Any, first: int) -> list[Any]:
    """Numbers of 64 bits as registers of 32."""
    long = ir.VectorType(I64, WIDE)
    places = [builder.gep(data, [I64(first + WIDE * k)]) for k in range(REGISTERS)]
    return [
        builder.trunc(builder.load(builder.bitcast(p, long.as_pointer()), align=8), WORDS)
        for p in places
    ]


def widen(builder: Any, data: Any, first: int, registers: list[Any]) -> None:
    """The inverse of narrow."""
    long = ir.VectorType(I64, WIDE)
    for k, value in enumerate(registers):
        place = builder.bitcast(builder.gep(data, [I64(first + WIDE * k)]), long.as_pointer())
        builder.store(builder.zext(value, long), place, align=8)
