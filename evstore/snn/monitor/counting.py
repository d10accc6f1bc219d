"""A spiking layer's output, counted: by a kernel on the CPU, by torch elsewhere."""

from __future__ import annotations

import numpy as np
import torch

from evstore.snn.monitor.neurons import INTERVAL_BINS, PER_STEP, Counts
from evstore.snn.monitor.spikes_kernels import count_spikes

#: Values that torch looks at in one go: what it makes of them takes some times their memory.
AT_ONCE = 1 << 24


def counted(spikes: torch.Tensor) -> Counts:
    """Counts of ``spikes``, (samples, steps, ...) of any dtype, on any device.

    Intervals are between steps of a sample that have spikes, and end with the sample: neither the
    call before nor the next one is known here.
    """
    samples, steps, *shape = spikes.shape
    counts = Counts(tuple(shape), samples, samples * steps)
    flat = spikes.detach()
    if not flat.numel():
        return counts
    if flat.device.type == "cpu":
        _by_kernel(flat, steps, counts)
    else:
        by_torch(flat, counts)
    return counts


def _by_kernel(spikes: torch.Tensor, steps: int, counts: Counts) -> None:
    if spikes.dtype not in (torch.float32, torch.float64):
        spikes = spikes.float()
    values = spikes.contiguous().numpy().reshape(-1)
    count_spikes(
        values, counts.samples, steps, np.empty(counts.spikes.size, np.int64), counts.spikes,
        counts.active, counts.most, counts.interval_sum, counts.interval_count,
        counts.per_step, counts.intervals,
    )  # fmt: skip


def by_torch(spikes: torch.Tensor, counts: Counts) -> None:
    """The same, some samples at a time, with as little as possible brought to the CPU."""
    rows = spikes.flatten(2)
    several = max(1, AT_ONCE // max(1, rows[0].numel()))
    for start in range(0, rows.shape[0], several):
        for name, values in _of_some(rows[start : start + several]).items():
            into = getattr(counts, name)
            if name == "most":
                np.maximum(into, values.cpu().numpy(), out=into)
            else:
                into += values.cpu().numpy()


def _of_some(spikes: torch.Tensor) -> dict[str, torch.Tensor]:
    neurons, spikes = spikes.shape[2], spikes.float()
    whole = (spikes.clamp(0, 1e9).nan_to_num(0) + 0.5).floor()
    # By sample, neuron, step: neighbours in this order are what follows each other in time.
    sample, neuron, step = torch.nonzero(whole.transpose(1, 2), as_tuple=True)
    values = whole[sample, step, neuron].long()
    gaps, whose = step[1:] - step[:-1], neuron[1:]
    same = (sample[1:] == sample[:-1]) & (whose == neuron[:-1])
    gaps, whose = gaps[same], whose[same]
    per_step = torch.bincount(values.clamp(max=PER_STEP - 1), minlength=PER_STEP)
    per_step[0] += spikes.numel() - values.numel()
    powers = torch.frexp(gaps.double()).exponent.long() - 1
    most = torch.zeros(neurons, dtype=torch.long, device=spikes.device)
    sums = torch.zeros(neurons, dtype=torch.long, device=spikes.device)
    return {
        "spikes": spikes.clamp(min=0).nan_to_num(0).sum((0, 1), dtype=torch.float32).double(),
        "active": torch.bincount(neuron, minlength=neurons),
        "most": most.scatter_reduce(0, neuron, values, "amax"),
        "interval_sum": sums.scatter_add(0, whose, gaps),
        "interval_count": torch.bincount(whose, minlength=neurons),
        "per_step": per_step,
        "intervals": torch.bincount(powers.clamp(max=INTERVAL_BINS - 1), minlength=INTERVAL_BINS),
    }
