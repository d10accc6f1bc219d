"""Spikes counted, a neuron at a time, in one pass over a layer's output."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel


@kernel
def count_spikes(
    spikes: Any,
    samples: int,
    steps: int,
    last: Any,
    total: Any,
    active: Any,
    most: Any,
    interval_sum: Any,
    interval_count: Any,
    per_step: Any,
    intervals: Any,
) -> None:
    """Add what ``spikes``, (samples, steps, neurons) in one row, hold to all that follows.

    ``last`` is memory to work in. Of a neuron each: ``total`` spikes, ``active`` steps that have
    some, the ``most`` in a step, sum and number of the intervals between active steps. Of all:
    ``per_step``, how often so many spikes came in a step (the last entry: so many or more), and
    ``intervals`` by powers of two. Nearly all values are 0, and cost a comparison.
    """
    neurons = total.size
    at, fired = 0, 0
    for _ in range(samples):
        for i in range(neurons):
            last[i] = -1
        for step in range(steps):
            for i in range(neurons):
                value = spikes[at + i]
                if not value > 0:  # NaN too
                    continue
                total[i] += value
                whole = int(min(value, 1e9) + 0.5)
                if whole == 0:
                    continue
                fired += 1
                active[i] += 1
                most[i] = max(most[i], whole)
                per_step[min(whole, per_step.size - 1)] += 1
                if last[i] >= 0:
                    gap = step - last[i]
                    interval_sum[i] += gap
                    interval_count[i] += 1
                    power = 0
                    while gap > 1 and power < intervals.size - 1:
                        gap >>= 1
                        power += 1
                    intervals[power] += 1
                last[i] = step
            at += neurons
    per_step[0] += samples * steps * neurons - fired
