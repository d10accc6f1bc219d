"""The two passes as Triton kernels: a program takes some neurons of a sample through time.

The same steps in the same order as `scan_kernels`; launched without fused multiply-adds, so that
spikes are the same to the last bit. Triton is imported with this module: only scan_cuda does.
"""

from __future__ import annotations

import triton
import triton.language as tl

SINGLE_EXPONENTIAL, PERIODIC, HEAVISIDE, GAUSSIAN, MULTI_GAUSSIAN, GIVEN = range(6)
_SINGLE, _PERIODIC, _HEAVISIDE, _GAUSSIAN, _MULTI = (tl.constexpr(k) for k in range(5))


@triton.jit
def fired(v, threshold, limit, SINGLE: tl.constexpr):
    """Spikes at a potential."""
    if SINGLE:
        return tl.where(v - threshold >= 0.0, 1.0, 0.0)
    ratio = tl.div_rn(v, threshold)
    whole = tl.where(ratio >= 0.0, tl.floor(ratio), tl.ceil(ratio))
    count = tl.where(v > 0.0, whole, 0.0 * whole)
    return tl.where(count > limit, limit, count)


@triton.jit
def left(v, count, amount, value, ZERO: tl.constexpr):
    """The potential after spikes, before the floor."""
    if ZERO:
        return tl.where(count == 0.0, v, 0.0 * v) + value
    return v - count * amount


@triton.jit
def floored(v, floor, FLOORED: tl.constexpr):
    """At least the floor, rounded as torch's ``relu(v - floor) + floor`` is."""
    if FLOORED:
        above = v - floor
        return tl.where(above < 0.0, 0.0, above) + floor
    return v


@triton.jit
def density(x, mu, sigma):
    """Of the normal distribution."""
    d = x - mu
    return tl.exp(-(d * d) / (2.0 * sigma * sigma)) / (sigma * 2.50662827)


@triton.jit
def surrogate(
    v, theta, a, b, c, d, e, HOW: tl.constexpr
):  # fmt: skip
    """Of sinabs' functions, with their parameters in the order of `surrogate_kernels`."""
    x = v - theta
    if HOW == _SINGLE:
        return b / (theta * a) * tl.exp(-tl.abs(x) / (theta * a))
    if HOW == _PERIODIC:
        phase = v / theta - 0.5
        above = theta * (2.0 * (phase - tl.floor(phase)) - 1.0)
        return b * tl.exp(-tl.abs(tl.where(v >= theta, above, x)) / a)
    if HOW == _HEAVISIDE:
        return tl.where(v >= theta - a, 1.0, 0.0) / theta
    if HOW == _GAUSSIAN:
        return density(x, a, b) * c
    wide = d * b
    return ((1.0 + c) * density(x, a, b) - c * density(x, b, wide) - c * density(x, -b, wide)) * e


@triton.jit
def forward(
    x, v_start, i_start, carry, gain, synapse, threshold,
    amount, floor,
    spikes, before, currents, v_end, i_end,
    limit, value, rows, steps, n,
    SINGLE: tl.constexpr, ZERO: tl.constexpr, FLOORED: tl.constexpr, SYNAPTIC: tl.constexpr,
    KEEP: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Program (block of neurons, sample)."""
    b = tl.program_id(1).to(tl.int64)
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = lane < n
    q = b * rows + lane
    s = b * n + lane
    alpha = tl.load(carry + q, there, 0.0)
    of_input = tl.load(gain + q, there, 0.0)
    theta = tl.load(threshold + q, there, 1.0)
    taken = tl.load(amount + q, there, 0.0)
    least = tl.load(floor + q, there, 0.0)
    beta = tl.load(synapse + q, there, 0.0)
    v = tl.load(v_start + s, there, 0.0)
    i = tl.load(i_start + s, there, 0.0)
    for t in range(steps):
        o = (b * steps + t) * n + lane
        given = tl.load(x + o, there, 0.0)
        if SYNAPTIC:
            i = beta * (i + given)
            given = i
            if KEEP:
                tl.store(currents + o, i, there)
        v = alpha * v + of_input * given
        count = fired(v, theta, limit, SINGLE)
        tl.store(spikes + o, count, there)
        if KEEP:
            tl.store(before + o, v, there)
        v = floored(left(v, count, taken, value, ZERO), least, FLOORED)
    tl.store(v_end + s, v, there)
    tl.store(i_end + s, i, there)


@triton.jit
def backward(
    before, g, slopes, x, v_start, i_start, currents,
    g_v, g_i,
    carry, gain, synapse, threshold, amount, floor,
    dx, dv, di, d_carry, d_gain, d_synapse, d_threshold,
    d_amount,
    limit, value, pa, pb, pc, pd, pe, rows, steps,
    n,
    SINGLE: tl.constexpr, ZERO: tl.constexpr, FLOORED: tl.constexpr, SYNAPTIC: tl.constexpr,
    HOW: tl.constexpr, SUMS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Program (block of neurons, sample), from the last step to the first."""
    b = tl.program_id(1).to(tl.int64)
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = lane < n
    q = b * rows + lane
    s = b * n + lane
    alpha = tl.load(carry + q, there, 0.0)
    of_input = tl.load(gain + q, there, 0.0)
    theta = tl.load(threshold + q, there, 1.0)
    taken = tl.load(amount + q, there, 0.0)
    least = tl.load(floor + q, there, 0.0)
    beta = tl.load(synapse + q, there, 0.0)
    later = tl.load(g_v + s, there, 0.0)
    of_current = tl.load(g_i + s, there, 0.0)
    delta = tl.zeros_like(later)
    of_carry = tl.zeros_like(later)
    of_gain = tl.zeros_like(later)
    of_synapse = tl.zeros_like(later)
    of_threshold = tl.zeros_like(later)
    of_amount = tl.zeros_like(later)
    for back in range(steps):
        t = steps - 1 - back
        o = (b * steps + t) * n + lane
        v = tl.load(before + o, there, 0.0)
        of_spikes = tl.load(g + o, there, 0.0)
        if HOW == 5:
            slope = tl.load(slopes + o, there, 0.0)
        else:
            slope = surrogate(v, theta, pa, pb, pc, pd, pe, HOW)
        count = fired(v, theta, limit, SINGLE)
        rest = left(v, count, taken, value, ZERO)
        whole = floored(rest, least, FLOORED)
        passed = later
        if FLOORED:
            passed = tl.where(rest - least > 0.0, passed, 0.0)
        if ZERO:
            of_rest = tl.where(count == 0.0, passed, 0.0)
        else:
            of_rest = passed
            of_spikes = of_spikes - taken * passed
            of_amount -= count * passed
        of_carry += delta * whole
        of_threshold -= slope * of_spikes
        delta = of_rest + slope * of_spikes
        later = alpha * delta
        if SYNAPTIC:
            total = of_input * delta + of_current
            of_current = beta * total
            if SUMS:
                of_gain += delta * tl.load(currents + o, there, 0.0)
                if t == 0:
                    was = tl.load(i_start + s, there, 0.0)
                else:
                    was = tl.load(currents + o - n, there, 0.0)
                of_synapse += total * (was + tl.load(x + o, there, 0.0))
            tl.store(dx + o, of_current, there)
        else:
            if SUMS:
                of_gain += delta * tl.load(x + o, there, 0.0)
            tl.store(dx + o, of_input * delta, there)
    tl.store(dv + s, later, there)
    tl.store(di + s, of_current, there)
    if SUMS:
        of_carry += delta * tl.load(v_start + s, there, 0.0)
        tl.store(d_carry + s, of_carry, there)
        tl.store(d_gain + s, of_gain, there)
        tl.store(d_synapse + s, of_synapse, there)
        tl.store(d_threshold + s, of_threshold, there)
        tl.store(d_amount + s, of_amount, there)
