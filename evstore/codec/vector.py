"""Two steps of decoding in vector registers, where LLVM finds no vector code for the plain loop.

Each is a plain Python function, which is what it means and what runs without compilation; numba
gets an equal one in LLVM's vector operations instead. A test holds both together.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

U = np.uint64
STEP = 16  # times a step
RUN_STEP = 8  # coordinates a step

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)

#: Bits set in each byte.
COUNTS = np.array([bin(b).count("1") for b in range(256)], dtype=np.uint64)
#: Bit i of each byte in byte i of eight.
SPREAD = np.array(
    [sum((b >> i & 1) << 8 * i for i in range(8)) for b in range(256)], dtype=np.uint64
)


def scan_times(low: Any, at: Any, passed: Any, time: Any, t: Any, to: Any) -> Any:
    """``t[to + i] = time + (passed + low[at] + ... + low[at + i]) % 2**16`` for 16 of them.

    Returns what has passed then.
    """
    for i in range(STEP):
        passed = (passed + U(low[at + U(i)])) & U(0xFFFF)
        t[to + U(i)] = time + np.int64(passed)
    return passed


@overload(scan_times)  # type: ignore[untyped-decorator]
def _scan_times(low: Any, at: Any, passed: Any, time: Any, t: Any, to: Any) -> Callable[..., Any]:
    def fast(low: Any, at: Any, passed: Any, time: Any, t: Any, to: Any) -> Any:
        return _scan_16(low, at, passed, time, t, to)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _scan_16(
    typing: Any, low: Any, at: Any, passed: Any, time: Any, t: Any, to: Any
) -> tuple[Any, Any]:
    signature = types.uint64(low, types.uint64, types.uint64, types.int64, t, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low, at, passed, time, t, to = args
        narrow = ir.VectorType(_I16, STEP)
        wide = ir.VectorType(_I64, STEP)
        sums = _load(context, builder, signature.args[0], low, at, narrow)
        zeros = ir.Constant(narrow, [0] * STEP)
        for shift in (1, 2, 4, 8):  # each lane gets the sum of twice as many
            lanes = [STEP + i if i < shift else i - shift for i in range(STEP)]
            sums = builder.add(sums, builder.shuffle_vector(sums, zeros, _lanes(lanes)))
        sums = builder.add(sums, _splat(builder, narrow, builder.trunc(passed, _I16)))
        times = builder.add(builder.zext(sums, wide), _splat(builder, wide, time))
        _store(context, builder, signature.args[4], t, to, times)
        return builder.zext(builder.extract_element(sums, _I32(STEP - 1)), _I64)

    return signature, generate


def expand_runs(runs: Any, at: Any, changed: Any, out: Any, to: Any) -> None:
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
HAS_SHUFFLE = platform.machine().lower() in ("x86_64", "amd64")


@overload(expand_runs)  # type: ignore[untyped-decorator]
def _expand_runs(runs: Any, at: Any, changed: Any, out: Any, to: Any) -> Callable[..., Any]:
    if not HAS_SHUFFLE:
        return expand_runs

    def fast(runs: Any, at: Any, changed: Any, out: Any, to: Any) -> None:
        _expand_8(runs, at, SHUFFLES, U(changed) * U(2 * RUN_STEP), out, to)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _expand_8(
    typing: Any, runs: Any, at: Any, table: Any, row: Any, out: Any, to: Any
) -> tuple[Any, Any]:
    signature = types.void(runs, types.uint64, table, types.uint64, out, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        runs, at, table, row, out, to = args
        octets = ir.VectorType(ir.IntType(8), 2 * RUN_STEP)
        values = ir.VectorType(_I16, RUN_STEP)
        following = builder.add(at, ir.Constant(_I64, 1))
        source = _load(context, builder, signature.args[0], runs, following, octets)
        picks = _load(context, builder, signature.args[2], table, row, octets)
        kind = ir.FunctionType(octets, [octets, octets])
        shuffle = builder.module.declare_intrinsic("llvm.x86.ssse3.pshuf.b.128", (), kind)
        picked = builder.bitcast(builder.call(shuffle, [source, picks]), values)
        array = context.make_array(signature.args[0])(context, builder, runs)
        before = builder.load(builder.gep(array.data, [at]))
        every = _splat(builder, values, before)
        zeros = ir.Constant(values, [0] * RUN_STEP)
        none = builder.icmp_signed("<", builder.bitcast(picks, values), zeros)
        _store(context, builder, signature.args[4], out, to, builder.select(none, every, picked))
        return context.get_dummy_value()

    return signature, generate


def _splat(builder: Any, vector: Any, value: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, _I32(0))
    return builder.shuffle_vector(one, undefined, _lanes([0] * vector.count))


def _lanes(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_I32, len(places)), places)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any) -> Any:
    return builder.load(_pointer(context, builder, kind, array, at, vector), align=1)


def _store(context: Any, builder: Any, kind: Any, array: Any, at: Any, value: Any) -> None:
    builder.store(value, _pointer(context, builder, kind, array, at, value.type), align=1)
