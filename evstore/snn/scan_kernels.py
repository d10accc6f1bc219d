"""Integrate-and-fire neurons over all time steps at once, and the gradient from the end back.

The gradient is that of backpropagation through time, which for these neurons is a linear recurrence
of one number a neuron: O(T) going back once (Bauer et al., EXODUS, 2023, computes the same).

Every array is flat: (B, T, N) of values, (B, N) of states, and of a neuron's parameters (N,), or
(B, N) where samples have their own. A task is some samples and some of their neurons; it goes
through time with a few thousand neurons at a time, whose states stay in the cache. float32, in the
order in which sinabs computes: spikes are the same to the last bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from evstore.jit import kernel
from evstore.snn.surrogate_kernels import SURROGATE

F = np.float32
ZERO, ONE = F(0.0), F(1.0)
AT_ONCE = 4096  # neurons: their states and parameters stay in the cache


class Parameters(NamedTuple):
    """Of each neuron. ``rows``: how far the next sample's are, 0 where all have the same.

    v = carry v + gain i, where i is the input, or synapse (i + input); ``amount`` is what a spike
    takes away, ``floor`` the least potential.
    """

    carry: Any
    gain: Any
    synapse: Any
    threshold: Any
    amount: Any
    floor: Any
    rows: Any


class Kept(NamedTuple):
    """What a forward pass leaves for the gradient; arrays of one row where a step is 0."""

    before: Any
    x: Any
    currents: Any
    currents_step: Any
    v_start: Any
    current_start: Any
    slopes: Any  # surrogates that some other function computed
    slopes_step: Any


class States(NamedTuple):
    """Gradients, (B, N) each, that go back through time."""

    later: Any
    of_current: Any
    delta: Any
    after: Any


class Sums(NamedTuple):
    """Gradients of parameters, (B, N) each, added up over time."""

    carry: Any
    gain: Any
    synapse: Any
    threshold: Any
    amount: Any


class Rules(NamedTuple):
    """How neurons spike and what is left of them: numbers and flags for all of them alike."""

    single: Any  # one spike at most, else as many as the threshold fits, at most ``limit``
    limit: Any
    zero: Any  # reset to ``value``, else by ``amount`` for each spike
    value: Any
    floored: Any
    synaptic: Any


@kernel
def fired(v: Any, threshold: Any, rules: Any) -> Any:
    """Spikes at a potential: as sinabs' SingleSpike, MultiSpike and MaxSpike."""
    several = np.trunc(np.divide(v, threshold))
    several = several if v > ZERO else ZERO * several
    several = rules.limit if several > rules.limit else several
    return (ONE if v - threshold >= ZERO else ZERO) if rules.single else several


@kernel
def left(v: Any, spikes: Any, amount: Any, rules: Any) -> Any:
    """The potential after spikes, before the floor."""
    kept = (v if spikes == ZERO else ZERO * v) + rules.value
    return kept if rules.zero else v - spikes * amount


@kernel
def floored(v: Any, floor: Any, rules: Any) -> Any:
    """At least the floor, rounded as torch's ``relu(v - floor) + floor`` is."""
    above = v - floor
    above = ZERO if above < ZERO else above
    return above + floor if rules.floored else v


@kernel
def step(
    x: Any, v: Any, carry: Any, gain: Any, threshold: Any, amount: Any, floor: Any,
    rules: Any, spikes: Any, before: Any,
) -> None:  # fmt: skip
    """One time step of some neurons; ``before``: the potential that spikes were told from."""
    for k in range(x.size):
        now = carry[k] * v[k] + gain[k] * x[k]
        count = fired(now, threshold[k], rules)
        spikes[k] = count
        before[k] = now
        v[k] = floored(left(now, count, amount[k], rules), floor[k], rules)


@kernel
def arrive(x: Any, current: Any, synapse: Any, kept: Any) -> None:
    """Synaptic currents take in a step's input and decay."""
    for k in range(x.size):
        now = synapse[k] * (current[k] + x[k])
        current[k] = now
        kept[k] = now


@kernel
def forward(
    x: Any, v: Any, current: Any, p: Any, rules: Any, spikes: Any, before: Any, currents: Any,
    keep: int, keep_currents: int, steps: int, n: int, first: int, last: int, low: int, high: int,
) -> None:  # fmt: skip
    """Samples ``first`` to ``last`` and of each the neurons ``low`` to ``high``.

    ``v`` and ``current`` become the states at the end. ``keep`` is n where ``before`` holds all
    steps, for the gradient, and 0 where it is a row that is written over; likewise ``currents``.
    """
    for b in range(first, last):
        for lane in range(low, high, AT_ONCE):
            size = min(AT_ONCE, high - lane)
            s = b * n + lane
            q = b * p.rows + lane
            for t in range(steps):
                o = (b * steps + t) * n + lane
                u = (b * steps + t) * keep + lane
                given = x[o : o + size]
                if rules.synaptic:
                    c = (b * steps + t) * keep_currents + lane
                    row = currents[c : c + size]
                    arrive(given, current[s : s + size], p.synapse[q : q + size], row)
                    given = row
                step(
                    given, v[s : s + size], p.carry[q : q + size], p.gain[q : q + size],
                    p.threshold[q : q + size], p.amount[q : q + size], p.floor[q : q + size],
                    rules, spikes[o : o + size], before[u : u + size],
                )  # fmt: skip


@kernel
def step_back(
    how: Any, before: Any, g: Any, given: Any, p: Any, rules: Any, later: Any, delta: Any,
    after: Any, sums: Any,
) -> None:  # fmt: skip
    """One time step backwards; ``p`` holds the parameters of just these neurons.

    ``later``: the gradient of what a step leaves of the potential, in and, for the step before,
    out. ``delta``: that of the potential before spikes. ``after`` becomes what was left.
    """
    for k in range(before.size):
        v = before[k]
        theta = p.threshold[k]
        slope = SURROGATE(how, v, theta, given[k])
        count = fired(v, theta, rules)
        rest = left(v, count, p.amount[k], rules)
        whole = floored(rest, p.floor[k], rules)
        passed = later[k]
        passed = ZERO if rules.floored and not rest - p.floor[k] > ZERO else passed
        of_spikes = g[k] if rules.zero else g[k] - p.amount[k] * passed
        of_rest = ZERO if rules.zero and count != ZERO else passed
        now = of_rest + slope * of_spikes
        if sums is not None:
            sums.carry[k] += delta[k] * whole
            sums.threshold[k] -= slope * of_spikes
            sums.amount[k] -= ZERO if rules.zero else count * passed
        after[k] = whole
        delta[k] = now
        later[k] = p.carry[k] * now


@kernel
def give_back(delta: Any, gain: Any, dx: Any) -> None:
    """The gradient of a step's input, without synapses."""
    for k in range(delta.size):
        dx[k] = gain[k] * delta[k]


@kernel
def leave(delta: Any, gain: Any, synapse: Any, of_current: Any, dx: Any) -> None:
    """The gradient of a step's input, with synapses; of the current in, and of the one before."""
    for k in range(delta.size):
        now = synapse[k] * (gain[k] * delta[k] + of_current[k])
        of_current[k] = now
        dx[k] = now


@kernel
def add_products(a: Any, b: Any, total: Any) -> None:
    """``total += a b``."""
    for k in range(total.size):
        total[k] += a[k] * b[k]


@kernel
def add_synaptic(delta: Any, gain: Any, of_current: Any, current: Any, x: Any, total: Any) -> None:
    """The gradient of ``synapse``: of the current times what it decayed from."""
    for k in range(total.size):
        total[k] += (gain[k] * delta[k] + of_current[k]) * (current[k] + x[k])


@kernel
def of_lanes(p: Any, q: int, size: int) -> Any:
    """The parameters of some neurons."""
    return Parameters(
        p.carry[q : q + size], p.gain[q : q + size], p.synapse[q : q + size],
        p.threshold[q : q + size], p.amount[q : q + size], p.floor[q : q + size], p.rows,
    )  # fmt: skip


@kernel
def sums_of(sums: Any, s: int, size: int) -> Any:
    """The sums of some neurons."""
    return Sums(
        sums.carry[s : s + size], sums.gain[s : s + size], sums.synapse[s : s + size],
        sums.threshold[s : s + size], sums.amount[s : s + size],
    )  # fmt: skip


@kernel
def add_inputs(kept: Any, states: Any, sums: Any, p: Any, rules: Any, t: int, at: Any) -> None:
    """What a step adds to the sums of ``gain`` and ``synapse``; before its input's gradient.

    ``at``: where the step's rows, those of the step before, and the neurons begin, and how many.
    """
    o, c, c_before, s, size = at
    delta = states.delta[s : s + size]
    x = kept.x[o : o + size]
    if not rules.synaptic:
        add_products(delta, x, sums.gain)
        return
    add_products(delta, kept.currents[c : c + size], sums.gain)
    current = kept.currents[c_before : c_before + size]
    if t == 0:
        current = kept.current_start[s : s + size]
    of_current = states.of_current[s : s + size]
    add_synaptic(delta, p.gain, of_current, current, x, sums.synapse)


@kernel
def backward(
    how: Any, kept: Any, g: Any, parameters: Any, rules: Any, states: Any, dx: Any, sums: Any,
    steps: int, n: int, first: int, last: int, low: int, high: int,
) -> None:  # fmt: skip
    """Samples ``first`` to ``last`` and of each the neurons ``low`` to ``high``, from the end.

    ``states.later`` and ``of_current``: the gradients of the states at the end, which become those
    at the start. ``sums`` is None where no parameter's gradient is wanted.
    """
    for b in range(first, last):
        for lane in range(low, high, AT_ONCE):
            size = min(AT_ONCE, high - lane)
            s = b * n + lane
            p = of_lanes(parameters, b * parameters.rows + lane, size)
            later = states.later[s : s + size]
            delta = states.delta[s : s + size]
            after = states.after[s : s + size]
            some: Any = None if sums is None else sums_of(sums, s, size)
            for back in range(steps):
                t = steps - 1 - back
                o = (b * steps + t) * n + lane
                u = (b * steps + t) * kept.slopes_step + lane
                step_back(
                    how, kept.before[o : o + size], g[o : o + size], kept.slopes[u : u + size],
                    p, rules, later, delta, after, some,
                )  # fmt: skip
                if sums is not None:
                    c = (b * steps + t) * kept.currents_step + lane
                    at = (o, c, c - kept.currents_step, s, size)
                    add_inputs(kept, states, some, p, rules, t, at)
                if rules.synaptic:
                    of_current = states.of_current[s : s + size]
                    leave(delta, p.gain, p.synapse, of_current, dx[o : o + size])
                else:
                    give_back(delta, p.gain, dx[o : o + size])
            if sums is not None:
                add_products(delta, kept.v_start[s : s + size], some.carry)
