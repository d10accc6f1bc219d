"""Firing rates: how often a neuron spikes, held below a bound or within a band."""

from __future__ import annotations

import torch


def rate_excess(
    rate: torch.Tensor, highest: float | None = None, lowest: float | None = None
) -> torch.Tensor:
    """How far a rate lies outside of its band, as a part of the bound that it passes.

    relu((rate - highest) / highest) + relu((lowest - rate) / lowest), of any shape; ``rate`` and
    bounds in the same unit, as spikes a neuron and step. Equal bounds are a target, None is none.

    >>> rate_excess(torch.tensor(0.3), highest=0.2, lowest=0.05)
    tensor(0.5000)
    """
    excess = torch.zeros_like(rate)
    if highest is not None:
        excess = excess + torch.relu((rate - highest) / highest)
    if lowest is not None:
        excess = excess + torch.relu((lowest - rate) / lowest)
    return excess


def rate_hz(rate: torch.Tensor, dt_us: float) -> torch.Tensor:
    """Spikes a neuron and second, of spikes a neuron and step of ``dt_us`` microseconds.

    >>> rate_hz(torch.tensor(0.25), dt_us=10_000)
    tensor(25.)
    """
    return rate * (1e6 / dt_us)
