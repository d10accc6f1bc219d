"""What sinabs' functions for spikes, resets and surrogates mean, as numbers that kernels take."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import sinabs.activation as sa

from evstore.snn import surrogate_kernels as surrogates


class Dynamics(NamedTuple):
    """How neurons spike and reset; ``surrogate`` None: a function that only torch can call."""

    single: bool
    limit: float
    zero: bool  # reset to ``value``, else by an amount for each spike
    value: float
    amount: float | None  # None: the threshold
    surrogate: Any


def dynamics_of(spike_fn: Any, reset_fn: Any, surrogate_fn: Any) -> Dynamics | None:
    """Those of sinabs' own functions; None of others.

    >>> dynamics_of(sa.MultiSpike, sa.MembraneSubtract(), sa.Heaviside()).limit
    inf
    """
    spikes = _spikes(spike_fn)
    if spikes is None:
        return None
    if type(reset_fn) is sa.MembraneSubtract:
        reset: tuple[bool, float, float | None] = (False, 0.0, reset_fn.subtract_value)
    elif type(reset_fn) is sa.MembraneReset:
        reset = (True, reset_fn.reset_value, None)
    else:
        return None
    single, limit = spikes
    zero, value, amount = reset
    return Dynamics(single, limit, zero, value, amount, _surrogate(surrogate_fn))


def _spikes(spike_fn: Any) -> tuple[bool, float] | None:
    if spike_fn is sa.MultiSpike:
        return False, math.inf
    if spike_fn is sa.SingleSpike:
        return True, math.inf
    if type(spike_fn) is sa.MaxSpike:
        most = spike_fn.max_num_spikes_per_bin
        return False, math.inf if most is None else most
    return None


def _surrogate(fn: Any) -> Any:
    """The parameters of a known surrogate, float32."""
    kind = type(fn)
    made: Any
    numbers: tuple[float, ...]
    if kind is sa.SingleExponential:
        made, numbers = surrogates.SingleExponential, (fn.grad_width, fn.grad_scale)
    elif kind is sa.PeriodicExponential:
        made, numbers = surrogates.PeriodicExponential, (fn.grad_width, fn.grad_scale)
    elif kind is sa.Heaviside:
        made, numbers = surrogates.Heaviside, (fn.window,)
    elif kind is sa.Gaussian:
        made, numbers = surrogates.Gaussian, (fn.mu, fn.sigma, fn.grad_scale)
    elif kind is sa.MultiGaussian:
        made, numbers = surrogates.MultiGaussian, (fn.mu, fn.sigma, fn.h, fn.s, fn.grad_scale)
    else:
        return None
    return made(*map(np.float32, numbers))
