"""Events of 16 lanes and 16 steps from where lanes put them to where columns have them.

As in `vector_lanes`: a plain function and an equal one of vector operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from evstore.codec.cell_kernels import cell_sides, cells_of
from evstore.codec.llvm import HAS_SHUFFLE, I32, I64, lanes_of, load, splat, store
from evstore.codec.model_format import LANES, LARGE_CELLS, SMALL_CELLS

U = np.uint64
SIDE = 16  # lanes and steps

WORDS = ir.VectorType(I32, SIDE)


def lay_out_times(
    times: Any, at: Any, unit: Any, base: Any, firsts: Any, lane: Any, step: Any, t: Any
) -> None:
    """``t[firsts[lane + j] + step + s]`` of 16 lanes j and steps s; lane 0's first is times[at].

    Each lane's times count from ``base[lane]``, in units.
    """
    for j in range(SIDE):
        to = firsts[lane + U(j)] + step
        for s in range(SIDE):
            v = U(times[at + U(s * LANES + j)]) & U(0x7FFFFFFF)
            t[to + U(s)] = np.int64(base[lane + U(j)] + v * unit)


def lay_out_flags(times: Any, at: Any, firsts: Any, lane: Any, step: Any, p: Any) -> None:
    """The polarity that stands in bit 31 of times, as `lay_out_times`."""
    for j in range(SIDE):
        to = firsts[lane + U(j)] + step
        for s in range(SIDE):
            p[to + U(s)] = np.uint8(U(times[at + U(s * LANES + j)]) >> U(31))


def lay_out_halves(
    places: Any, at: Any, shift: Any, low: Any, firsts: Any, lane: Any, step: Any, out: Any
) -> None:
    """``low`` plus the half of places from bit ``shift`` on, as `lay_out_times`."""
    for j in range(SIDE):
        to = firsts[lane + U(j)] + step
        for s in range(SIDE):
            v = U(places[at + U(s * LANES + j)]) >> shift
            out[to + U(s)] = np.uint16((v + U(low)) & U(0xFFFF))


def lay_out_cells(
    places: Any, at: Any, minor_bits: Any, firsts: Any, lane: Any, step: Any, cells: Any
) -> None:
    """The cells of places (cells_of), as `lay_out_times`."""
    for j in range(SIDE):
        to = firsts[lane + U(j)] + step
        for s in range(SIDE):
            place = U(places[at + U(s * LANES + j)])
            cells[to + U(s)] = np.uint32(cells_of(place & U(0xFFFF), place >> U(16), minor_bits))


# ------------------------------------------------------------------------------------ vectors


def turned(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> list[Any]:
    """The 16 x 16 values from ``array[at]`` on, LANES apart, a register for each lane."""
    rows = [
        load(context, builder, kind, array, builder.add(at, I64(s * LANES)), WORDS)
        for s in range(SIDE)
    ]
    for distance in (8, 4, 2, 1):
        high = [bool(lane & distance) for lane in range(SIDE)]
        first = lanes_of([SIDE + n - distance if up else n for n, up in enumerate(high)])
        second = lanes_of([SIDE + n if up else n + distance for n, up in enumerate(high)])
        for k in range(SIDE):
            if not k & distance:
                a, b = rows[k], rows[k + distance]
                rows[k] = builder.shuffle_vector(a, b, first)
                rows[k + distance] = builder.shuffle_vector(a, b, second)
    return rows


def each_lane(
    context: Any, builder: Any, kinds: Any, firsts: Any, lane: Any, step: Any
) -> list[Any]:
    """Where the events of each lane go."""
    data = context.make_array(kinds)(context, builder, firsts).data
    places = [builder.gep(data, [builder.add(lane, I64(j))]) for j in range(SIDE)]
    return [builder.add(builder.load(place), step) for place in places]


def number(builder: Any, value: Any) -> Any:
    """A number of 64 bits in all lanes, cut to 32."""
    return splat(builder, WORDS, builder.trunc(value, I32))


@overload(lay_out_times)  # type: ignore[untyped-decorator]
def _lay_out_times(
    times: Any, at: Any, unit: Any, base: Any, firsts: Any, lane: Any, step: Any, t: Any
) -> Callable[..., Any]:
    def fast(
        times: Any, at: Any, unit: Any, base: Any, firsts: Any, lane: Any, step: Any, t: Any
    ) -> Any:
        _times(times, at, unit, base, firsts, lane, step, t)

    return fast if HAS_SHUFFLE else lay_out_times


@intrinsic  # type: ignore[untyped-decorator]
def _times(
    typing: Any, times: Any, at: Any, unit: Any, base: Any, firsts: Any, lane: Any, step: Any,
    t: Any,
) -> tuple[Any, Any]:  # fmt: skip
    u64 = types.uint64
    signature = types.void(times, u64, u64, base, firsts, u64, u64, t)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        times, at, unit, base, firsts, lane, step, t = args
        kinds = signature.args
        long = ir.VectorType(I64, SIDE)
        unit = splat(builder, long, unit)
        mask = splat(builder, WORDS, I32(0x7FFFFFFF))
        rows = turned(context, builder, kinds[0], times, at)
        starts = context.make_array(kinds[3])(context, builder, base).data
        to = each_lane(context, builder, kinds[4], firsts, lane, step)
        for j, row in enumerate(rows):
            start = builder.load(builder.gep(starts, [builder.add(lane, I64(j))]))
            since = builder.mul(builder.zext(builder.and_(row, mask), long), unit)
            value = builder.add(since, splat(builder, long, start))
            store(context, builder, kinds[7], t, to[j], value)
        return context.get_dummy_value()

    return signature, generate


@overload(lay_out_flags)  # type: ignore[untyped-decorator]
def _lay_out_flags(
    times: Any, at: Any, firsts: Any, lane: Any, step: Any, p: Any
) -> Callable[..., Any]:
    def fast(times: Any, at: Any, firsts: Any, lane: Any, step: Any, p: Any) -> Any:
        _narrow(times, at, U(31), np.uint8(0), firsts, lane, step, p)

    return fast if HAS_SHUFFLE else lay_out_flags


@overload(lay_out_halves)  # type: ignore[untyped-decorator]
def _lay_out_halves(
    places: Any, at: Any, shift: Any, low: Any, firsts: Any, lane: Any, step: Any, out: Any
) -> Callable[..., Any]:
    def fast(
        places: Any, at: Any, shift: Any, low: Any, firsts: Any, lane: Any, step: Any, out: Any
    ) -> Any:
        _narrow(places, at, shift, low, firsts, lane, step, out)

    return fast if HAS_SHUFFLE else lay_out_halves


@intrinsic  # type: ignore[untyped-decorator]
def _narrow(
    typing: Any, places: Any, at: Any, shift: Any, low: Any, firsts: Any, lane: Any, step: Any,
    out: Any,
) -> tuple[Any, Any]:  # fmt: skip
    u64 = types.uint64
    signature = types.void(places, u64, u64, out.dtype, firsts, u64, u64, out)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places, at, shift, low, firsts, lane, step, out = args
        kinds = signature.args
        narrow = ir.VectorType(low.type, SIDE)
        shift, low = number(builder, shift), splat(builder, narrow, low)
        rows = turned(context, builder, kinds[0], places, at)
        to = each_lane(context, builder, kinds[4], firsts, lane, step)
        for j, row in enumerate(rows):
            value = builder.add(builder.trunc(builder.lshr(row, shift), narrow), low)
            store(context, builder, kinds[7], out, to[j], value)
        return context.get_dummy_value()

    return signature, generate


@overload(lay_out_cells)  # type: ignore[untyped-decorator]
def _lay_out_cells(
    places: Any, at: Any, minor_bits: Any, firsts: Any, lane: Any, step: Any, cells: Any
) -> Callable[..., Any]:
    def fast(
        places: Any, at: Any, minor_bits: Any, firsts: Any, lane: Any, step: Any, cells: Any
    ) -> Any:
        small_side, large_side = cell_sides(minor_bits)
        _cells(places, at, small_side, large_side, firsts, lane, step, cells)

    return fast if HAS_SHUFFLE else lay_out_cells


@intrinsic  # type: ignore[untyped-decorator]
def _cells(
    typing: Any, places: Any, at: Any, small_side: Any, large_side: Any, firsts: Any, lane: Any,
    step: Any, cells: Any,
) -> tuple[Any, Any]:  # fmt: skip
    u64 = types.uint64
    signature = types.void(places, u64, u64, u64, firsts, u64, u64, cells)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places, at, small_side, large_side, firsts, lane, step, cells = args
        kinds = signature.args

        def every(value: int) -> Any:
            return splat(builder, WORDS, I32(value))

        def cell(x: Any, y: Any, bits: int, side: Any, count: int) -> Any:
            row = builder.shl(builder.lshr(y, every(bits)), side)
            found = builder.or_(row, builder.lshr(x, every(bits)))
            return builder.and_(found, every(count - 1))

        small_side, large_side = number(builder, small_side), number(builder, large_side)
        rows = turned(context, builder, kinds[0], places, at)
        to = each_lane(context, builder, kinds[4], firsts, lane, step)
        for j, row in enumerate(rows):
            x, y = builder.and_(row, every(0xFFFF)), builder.lshr(row, every(16))
            small = cell(x, y, 1, small_side, SMALL_CELLS)
            large = builder.shl(cell(x, y, 3, large_side, LARGE_CELLS), every(16))
            store(context, builder, kinds[7], cells, to[j], builder.or_(small, large))
        return context.get_dummy_value()

    return signature, generate
