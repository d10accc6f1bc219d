"""Random numbers that are counted, not drawn: the ``number``-th of a seed, on every machine alike.

SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)
gives bits. What is made of them uses only operations that IEEE 754 rounds in one way (+ - * / and
the square root), in a fixed order, so that results are the same everywhere, to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evstore.jit import inlined, kernel

STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
_S11, _S16, _S32, _S48, _S52 = (np.uint64(n) for n in (11, 16, 32, 48, 52))
_LOW16 = np.uint64(0xFFFF)
_FRACTION = np.uint64((1 << 52) - 1)
_TO_UNIT = 2.0**-53
_HALF_UNIT = 2.0**-54
_TO_SQRT2 = np.uint64((1 << 52) - 0x6A09E667F3BCD)  # a mantissa from there on gets a carry
_LN2 = 0.6931471805599453
# The first is exact in 32 bits, so that what an exponent up to 2**20 takes away of it is exact.
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
_ONE_BY_LN2 = 1.4426950408889634
_ONE_BY = (0.0, *(1.0 / n for n in range(1, 14)))
# The sum of four 16-bit numbers has this mean, and the deviation 65536 / sqrt(3) but for one part
# in 2**33.
_BELL_MEAN = 131070.0
_BELL_UNIT = 3.0**0.5 / 65536.0
#: What `bell` never exceeds.
BELL_LIMIT = 3.47

# Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
# Statistics 37, 1988: PPND16, exact to about one part in 10**16.
_A = (
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
    1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
    3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
_B = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
    5.2264952788528545610e3,
)  # fmt: skip
_C = (
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
    3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
    2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
_D = (
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
    1.05075007164441684324e-9,
)  # fmt: skip
_E = (
    6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
    2.71155556874348757815e-5, 2.01033439929228813265e-7,
)  # fmt: skip
_F = (
    1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
    2.04426310338993978564e-15,
)  # fmt: skip


@inlined
def mixed(z: Any) -> Any:
    """`bits` of a seed's number n, where ``z`` is the seed and n + 1 times `STEP`."""
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@inlined
def bits(seed: Any, number: Any) -> Any:
    """64 random bits, uint64; ``seed`` is an int64 of at least 0."""
    return mixed(np.uint64(seed) + STEP * (np.uint64(number) + np.uint64(1)))


@inlined
def within(seed: Any, number: Any) -> Any:
    """A seed of its own for the ``number``-th of several, int64 of at least 0."""
    return np.int64(bits(seed, number) >> np.uint64(1))


@inlined
def unit(word: Any) -> Any:
    """A number in (0, 1) of 64 random bits: never 0, never 1."""
    return np.float64(np.int64(word >> _S11)) * _TO_UNIT + _HALF_UNIT


@inlined
def bell(word: Any) -> Any:
    """Near to normal, of mean 0 and deviation 1, within `BELL_LIMIT`: the sum of four 16 bits."""
    total = (word & _LOW16) + ((word >> _S16) & _LOW16) + ((word >> _S32) & _LOW16) + (word >> _S48)
    return (np.float64(np.int64(total)) - _BELL_MEAN) * _BELL_UNIT


@kernel
def random_words(seed: int, first: int, out: Any) -> None:
    """Random bits of the numbers ``first``, ``first + 1`` ..., into uint64."""
    for i in range(out.size):
        out[i] = bits(seed, first + i)


@kernel
def random_bells(seed: int, first: int, out: Any) -> None:
    """`bell` of the numbers ``first``, ``first + 1`` ..., into float64."""
    for i in range(out.size):
        out[i] = bell(bits(seed, first + i))


@kernel
def logarithms(values: Any, as_bits: Any, out: Any) -> None:
    """The natural logarithms of positive float64 ``values``, whose bits are ``as_bits``.

    To about one part in 10**15: the mantissa m in [1, 2) as 2 artanh((m - c) / (m + c)) with c of
    1 or 2 so that the argument is small, by its series.
    """
    as_bits = as_bits[: values.size]
    out = out[: values.size]
    for i in range(values.size):
        word = as_bits[i]
        exponent = np.float64(np.int64(word >> _S52) - 1023)
        # Within sqrt(1/2) .. sqrt(2): the exponent of what is beyond is one more.
        mantissa_bits = word & _FRACTION
        high = np.float64(np.int64((mantissa_bits + _TO_SQRT2) >> _S52))
        mantissa = 1.0 + np.float64(np.int64(mantissa_bits)) * 2.0**-52
        mantissa = mantissa * (1.0 - 0.5 * high)
        exponent = exponent + high
        s = np.divide(mantissa - 1.0, mantissa + 1.0)  # as numpy does: nothing to raise
        z = s * s
        series = 1.0 / 21.0
        series = series * z + 1.0 / 19.0
        series = series * z + 1.0 / 17.0
        series = series * z + 1.0 / 15.0
        series = series * z + 1.0 / 13.0
        series = series * z + 1.0 / 11.0
        series = series * z + 1.0 / 9.0
        series = series * z + 1.0 / 7.0
        series = series * z + 1.0 / 5.0
        series = series * z + 1.0 / 3.0
        out[i] = exponent * _LN2 + 2.0 * s * (1.0 + z * series)


@kernel
def exponentials(seed: int, first: int, values: Any, as_bits: Any, out: Any) -> None:
    """Exponentially distributed numbers of mean 1, those of ``first`` on.

    ``values`` float64 and ``as_bits`` uint64 are the same memory, of the size of ``out``.
    """
    for i in range(out.size):
        values[i] = unit(bits(seed, first + i))
    logarithms(values, as_bits, out)
    for i in range(out.size):
        out[i] = -out[i]


@kernel
def ratio(x: float, above: Any, below: Any) -> Any:
    """Two polynomials of eighth order, one over the other, by Horner."""
    a, b = above[7], below[7]
    for i in range(6, -1, -1):
        a = a * x + above[i]
        b = b * x + below[i]
    return np.divide(a, b)


@kernel
def normals(seed: int, first: int, values: Any, as_bits: Any, out: Any) -> None:
    """Normally distributed numbers of mean 0 and deviation 1, those of ``first`` on.

    ``values`` float64 and ``as_bits`` uint64 are the same memory, of the size of ``out``.
    """
    for i in range(out.size):
        u = unit(bits(seed, first + i))
        values[i] = min(u, 1.0 - u)
    logarithms(values, as_bits, out)
    for i in range(out.size):
        u = unit(bits(seed, first + i))
        q = u - 0.5
        if abs(q) <= 0.425:
            out[i] = q * ratio(0.180625 - q * q, _A, _B)
            continue
        r = np.sqrt(-out[i])
        value = ratio(r - 1.6, _C, _D) if r <= 5.0 else ratio(r - 5.0, _E, _F)
        out[i] = value if q > 0 else -value


@kernel
def powers(exponents: Any, scale: Any, as_bits: Any, out: Any) -> None:
    """e to the power of ``exponents``, each within -700 .. 700, to about one part in 10**15.

    ``scale`` float64 and ``as_bits`` int64 are the same memory, of the size of ``exponents``. Of
    e**x = 2**k e**r with r within ln(2) / 2 of 0, by its series.
    """
    for i in range(exponents.size):
        k = np.floor(exponents[i] * _ONE_BY_LN2 + 0.5)
        r = (exponents[i] - k * _LN2_HIGH) - k * _LN2_LOW
        series = 1.0
        for n in range(13, 0, -1):
            series = 1.0 + series * r * _ONE_BY[n]
        out[i] = series
        as_bits[i] = (np.int64(k) + 1023) << 52
    for i in range(exponents.size):
        out[i] = out[i] * scale[i]


@kernel
def add_up(values: Any) -> Any:
    """The sum, in order. (numpy's order depends on the machine, and so the last bits.)"""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total
