"""Slow twins of what the monitor counts: a neuron, a sample, a step at a time."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def count(spikes: Any, per_step_bins: int, interval_bins: int) -> dict[str, Any]:
    """Of an array (samples, steps, neurons)."""
    samples, steps, neurons = spikes.shape
    per_step, intervals = [0] * per_step_bins, [0] * interval_bins
    by_neuron = []
    for n in range(neurons):
        active, gaps = 0, []
        for s in range(samples):
            when = [t for t in range(steps) if spikes[s, t, n] >= 0.5]
            active += len(when)
            gaps += [b - a for a, b in itertools.pairwise(when)]
            for t in range(steps):
                per_step[min(round(float(spikes[s, t, n])), per_step_bins - 1)] += 1
        for gap in gaps:
            intervals[min(len(bin(gap)) - 3, interval_bins - 1)] += 1
        most = int(spikes[:, :, n].max(initial=0))
        by_neuron.append((spikes[:, :, n].sum(), active, most, sum(gaps), len(gaps)))
    names = ("spikes", "active", "most", "interval_sum", "interval_count")
    columns = np.array(by_neuron, float).reshape(-1, len(names)).T
    return {**dict(zip(names, columns, strict=True)), "per_step": per_step, "intervals": intervals}


def convolution_synops(layer: Any, entering: Any) -> float:
    """Each weight's meeting with each value, one by one; zeros around the image."""
    rows, columns = layer.kernel_size
    before = _before(layer)
    total = 0.0
    height, width = (
        (size + sum(pad) - step * (kernel - 1) - 1) // stride + 1
        for size, pad, step, kernel, stride in zip(
            entering.shape[-2:], before, layer.dilation, layer.kernel_size, layer.stride,
            strict=True,
        )
    )  # fmt: skip
    for y in range(height):
        for x in range(width):
            for i in range(rows):
                for j in range(columns):
                    v = y * layer.stride[0] - before[0][0] + i * layer.dilation[0]
                    u = x * layer.stride[1] - before[1][0] + j * layer.dilation[1]
                    if 0 <= v < entering.shape[-2] and 0 <= u < entering.shape[-1]:
                        total += float(entering[:, :, v, u].abs().sum())
    return total * layer.out_channels / layer.groups


def _before(layer: Any) -> list[tuple[int, int]]:
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if layer.padding == "valid":
        return [(0, 0), (0, 0)]
    return [(pad, pad) for pad in layer.padding]
