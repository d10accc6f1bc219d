"""What is counted of each neuron of a layer, and the file that keeps it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evstore.snn.whole_file import write_whole

#: A neuron with spikes in this share of its steps, or more, is saturated: it tells nothing.
SATURATED = 0.9
#: Entries of a histogram of spikes a step: 0, 1, 2, 3, and 4 or more.
PER_STEP = 5
#: Bins of intervals: 1, 2-3, 4-7, 8-15, ... steps; the last one has all longer ones.
INTERVAL_BINS = 16


@dataclass
class Counts:
    """Of a layer's neurons, each: sums over all samples that were looked at.

    ``spikes`` is float64, for layers whose output is no whole number; all else int64. ``steps`` and
    ``samples`` are those that each neuron was looked at for.
    """

    shape: tuple[int, ...]
    samples: int = 0
    steps: int = 0
    spikes: NDArray[np.float64] = field(init=False)
    active: NDArray[np.int64] = field(init=False)
    most: NDArray[np.int64] = field(init=False)
    interval_sum: NDArray[np.int64] = field(init=False)
    interval_count: NDArray[np.int64] = field(init=False)
    per_step: NDArray[np.int64] = field(init=False)
    intervals: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        neurons = int(np.prod(self.shape, dtype=np.int64))
        self.spikes = np.zeros(neurons)
        self.active = np.zeros(neurons, np.int64)
        self.most = np.zeros(neurons, np.int64)
        self.interval_sum = np.zeros(neurons, np.int64)
        self.interval_count = np.zeros(neurons, np.int64)
        self.per_step = np.zeros(PER_STEP, np.int64)
        self.intervals = np.zeros(INTERVAL_BINS, np.int64)

    def add(self, other: Counts) -> None:
        """Take in what was counted of the same neurons in other samples."""
        self.samples += other.samples
        self.steps += other.steps
        for name in ("spikes", "active", "interval_sum", "interval_count", "per_step", "intervals"):
            getattr(self, name)[:] += getattr(other, name)
        np.maximum(self.most, other.most, out=self.most)

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Neurons without a single spike."""
        return np.equal(self.active, 0)

    @property
    def saturated(self) -> NDArray[np.bool_]:
        """Neurons with spikes in `SATURATED` of their steps, or more."""
        return (self.active >= SATURATED * self.steps) & (self.active > 0)

    def by_neuron(self) -> dict[str, NDArray[np.generic]]:
        """Arrays in the shape of the layer: what `neurons.npz` has of it.

        spikes, rate_per_step, active_steps, max_spikes_per_step, mean_interval_steps (NaN where
        there was none), dead, saturated.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            found: dict[str, NDArray[np.generic]] = {
                "spikes": self.spikes,
                "rate_per_step": self.spikes / self.steps if self.steps else self.spikes * np.nan,
                "active_steps": self.active,
                "max_spikes_per_step": self.most,
                "mean_interval_steps": self.interval_sum / self.interval_count,
                "dead": self.dead,
                "saturated": self.saturated,
            }
        return {name: array.reshape(self.shape).copy() for name, array in found.items()}


def save_neurons(
    path: str | os.PathLike[str], layers: Mapping[str, Counts], epoch: int | None
) -> None:
    """Write ``path`` (.npz) whole, or leave the one of before.

    Keys are LAYER/WHAT as in `Counts.by_neuron`, LAYER/samples and LAYER/steps, and epoch (-1 where
    none is known).
    """
    arrays: dict[str, NDArray[np.generic]] = {"epoch": np.asarray(-1 if epoch is None else epoch)}
    for name, counts in layers.items():
        arrays[f"{name}/samples"] = np.asarray(counts.samples)
        arrays[f"{name}/steps"] = np.asarray(counts.steps)
        for what, array in counts.by_neuron().items():
            arrays[f"{name}/{what}"] = array
    held = io.BytesIO()
    np.savez_compressed(held, allow_pickle=False, **arrays)
    write_whole(path, held.getvalue())
