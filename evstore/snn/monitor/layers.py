"""A forward pass as plain numbers, by layer: what a record of kind "layers" holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evstore.snn.monitor.neurons import Counts
from evstore.snn.monitor.taps import Forward, Spiking, Weighted
from evstore.snn.monitor.weights import described, gradient_norms
from evstore.snn.pairs import used_weights


def numbers(
    seen: Forward,
    window: Mapping[str, Counts],
    gradients: Mapping[str, float | None],
    dt_us: float | None,
) -> dict[str, dict[str, Any]]:
    """Of each layer its numbers, in the order in which they were first called.

    ``window`` has the counts of the epoch so far, this pass among them.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, weighted in seen.weighted.items():
        found[name] = {
            **_of_weighted(weighted, seen, dt_us),
            "gradient_norm": gradients.get(name),
        }
    for name, spiking in seen.spiking.items():
        found[name] = _of_spiking(spiking, window[name], dt_us)
    return {name: found[name] for name in seen.order}


def gradients_of(seen: Forward) -> dict[str, float | None]:
    """The norm of each weighted layer's gradient, as it is now."""
    return gradient_norms({name: one.layer for name, one in seen.weighted.items()})


def _of_weighted(weighted: Weighted, seen: Forward, dt_us: float | None) -> dict[str, Any]:
    operations = sum(float(one) for one in weighted.synops)
    found: dict[str, Any] = {
        "type": type(weighted.layer).__name__,
        "synops_per_step": _share(operations, seen.sample_steps),
        "synops_per_sample": _share(operations, seen.samples),
    }
    if dt_us is not None:
        found["synops_per_s"] = _share(operations, seen.sample_steps * dt_us * 1e-6)
    found["weights"] = described(weighted.layer.weight)
    threshold = _least(getattr(weighted.spiking, "spike_threshold", None))
    if threshold and "max" in found["weights"]:
        largest = float(used_weights(weighted.layer)[0].detach().abs().max())
        found["weight_to_threshold"] = largest / weighted.averaged / threshold
    return found


def _of_spiking(spiking: Spiking, window: Counts, dt_us: float | None) -> dict[str, Any]:
    counts, layer = spiking.counts, spiking.layer
    rate = _share(float(counts.spikes.sum()), counts.steps * counts.spikes.size)
    found: dict[str, Any] = {
        "type": type(layer).__name__,
        "shape": list(counts.shape),
        "neurons": counts.spikes.size,
        "rate_per_step": rate,
    }
    if dt_us is not None and rate is not None:
        found["rate_hz"] = rate / (dt_us * 1e-6)
    found |= {
        "spikes_per_step": counts.per_step.tolist(),
        "intervals_steps": counts.intervals.tolist(),
        "mean_interval_steps": _share(
            float(counts.interval_sum.sum()), int(counts.interval_count.sum())
        ),
        "silent": _fraction(counts.dead),
        "dead": _fraction(window.dead),
        "saturated": _fraction(window.saturated),
        "window_samples": window.samples,
        "threshold": _least(layer.spike_threshold),
        "min_v_mem": _least(getattr(layer, "min_v_mem", None)),
    }
    if spiking.membrane:
        least, greatest, mean = (float(one) for one in spiking.membrane)
        found |= {"v_mem_min": least, "v_mem_max": greatest, "v_mem_mean": mean}
    return found


def _share(value: float, of: float) -> float | None:
    return value / of if of else None


def _fraction(which: Any) -> float | None:
    return float(np.mean(which)) if which.size else None


def _least(value: Any) -> float | None:
    """The smallest of a number, or of a tensor with one for each neuron."""
    if value is None:
        return None
    return float(value.detach().min()) if hasattr(value, "detach") else float(value)
