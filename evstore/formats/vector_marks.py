"""Which of 32 characters are no digits, or are a delimiter: a bit for each, the first lowest.

Each is written twice: as a loop, and as the few operations on a vector that LLVM makes of it on
any machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from evstore.codec.llvm import I8, I64, load, splat

U = np.uint64
CHARACTERS = 32
ZERO, DIGITS = 48, 10

_VECTOR = ir.VectorType(I8, CHARACTERS)
_BITS = ir.IntType(CHARACTERS)


def no_digits(data: Any, at: Any) -> Any:
    """The characters from ``data[at]`` on that are no digits."""
    bits = U(0)
    for k in range(U(CHARACTERS)):
        if not ZERO <= data[at + U(k)] < ZERO + DIGITS:
            bits |= U(1) << U(k)
    return bits


def equal_to(data: Any, at: Any, character: Any) -> Any:
    """The characters from ``data[at]`` on that are ``character``."""
    bits = U(0)
    for k in range(U(CHARACTERS)):
        if data[at + U(k)] == character:
            bits |= U(1) << U(k)
    return bits


@overload(no_digits)  # type: ignore[untyped-decorator]
def _no_digits(data: Any, at: Any) -> Callable[..., Any]:
    def fast(data: Any, at: Any) -> Any:
        return _no_digits_vector(data, at)

    return fast


@overload(equal_to)  # type: ignore[untyped-decorator]
def _equal_to(data: Any, at: Any, character: Any) -> Callable[..., Any]:
    def fast(data: Any, at: Any, character: Any) -> Any:
        return _equal_to_vector(data, at, character)

    return fast


@intrinsic  # type: ignore[untyped-decorator]
def _no_digits_vector(typing: Any, data: Any, at: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        octets = load(context, builder, signature.args[0], args[0], args[1], _VECTOR)
        values = builder.sub(octets, ir.Constant(_VECTOR, [ZERO] * CHARACTERS))
        most = ir.Constant(_VECTOR, [DIGITS - 1] * CHARACTERS)
        return _gathered(builder, builder.icmp_unsigned(">", values, most))

    return types.uint64(data, types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _equal_to_vector(typing: Any, data: Any, at: Any, character: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        octets = load(context, builder, signature.args[0], args[0], args[1], _VECTOR)
        wanted = splat(builder, _VECTOR, args[2])
        return _gathered(builder, builder.icmp_unsigned("==", octets, wanted))

    return types.uint64(data, types.uint64, types.uint8), generate


def _gathered(builder: Any, found: Any) -> Any:
    """One bit for each lane."""
    return builder.zext(builder.bitcast(found, _BITS), I64)
