"""What the vector steps are built of: a few of LLVM's operations on vectors, through llvmlite."""

from __future__ import annotations

import platform
import sys
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import config


def _has(feature: str) -> bool:
    """Whether the processor that numba compiles for has one of x86's extensions."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    if config.CPU_NAME or config.CPU_FEATURES:  # asked for another than this one
        return f"+{feature}" in (config.CPU_FEATURES or "").split(",")
    return bool(get_host_cpu_features().get(feature))


I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
OCTETS = ir.VectorType(I8, 16)

LITTLE = sys.byteorder == "little"
HAS_SHUFFLE = _has("ssse3")
HAS_ORDER = _has("avx512vbmi")  # 64 bytes in any order
HAS_COMPRESS = _has("avx512vbmi2")  # lanes of 8 and 16 bits moved together
HAS_LANES = _has("avx512f")  # gathers, and values spread to the lanes of a mask
PAST_ALIGN = 16  # bytes: what is stored past the cache starts at a multiple of it


def splat(builder: Any, vector: Any, value: Any) -> Any:
    """A vector of one value."""
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, I32(0))
    return builder.shuffle_vector(one, undefined, lanes_of([0] * vector.count))


def lanes_of(places: list[int]) -> Any:
    """The constant by which a shuffle picks its lanes."""
    return ir.Constant(ir.VectorType(I32, len(places)), places)


def shuffle_octets(builder: Any, octets: Any, picks: Any) -> Any:
    """x86's byte shuffle: of 16 bytes the ones picked, zero where the pick's top bit is set."""
    kind = ir.FunctionType(OCTETS, [OCTETS, OCTETS])
    shuffle = builder.module.declare_intrinsic("llvm.x86.ssse3.pshuf.b.128", (), kind)
    return builder.call(shuffle, [octets, picks])


def pointer_to(context: Any, builder: Any, kind: Any, array: Any, at: Any, value: Any) -> Any:
    """Where a value of LLVM's type ``value`` lies at ``array[at]``, of numba's type ``kind``."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), value.as_pointer())


def load(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any) -> Any:
    """A vector from ``array[at]`` on."""
    return builder.load(pointer_to(context, builder, kind, array, at, vector), align=1)


def store(
    context: Any, builder: Any, kind: Any, array: Any, at: Any, value: Any, past: Any = None
) -> None:
    """Store to ``array[at]``; past the cache where the boolean ``past`` is true."""
    pointer = pointer_to(context, builder, kind, array, at, value.type)
    if past is None:
        builder.store(value, pointer, align=1)
        return
    with builder.if_else(past) as (then, otherwise):
        with then:
            stored = builder.store(value, pointer, align=PAST_ALIGN)
            stored.set_metadata("nontemporal", builder.module.add_metadata([I32(1)]))
        with otherwise:
            builder.store(value, pointer, align=1)
