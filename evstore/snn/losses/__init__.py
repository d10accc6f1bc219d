"""What a chip pays for, as terms of a loss that gradients go through.

Each is a plain function of tensors; `HardwareLosses` gathers them all from a network, in any loop.
"""

from __future__ import annotations

from evstore.snn.losses.hardware import HardwareLosses
from evstore.snn.losses.rates import rate_excess, rate_hz
from evstore.snn.losses.receptive import receptive_field
from evstore.snn.losses.spread import spread
from evstore.snn.losses.synops import synops, synops_excess
from evstore.snn.losses.weights import weight_excess

__all__ = [
    "HardwareLosses",
    "rate_excess",
    "rate_hz",
    "receptive_field",
    "spread",
    "synops",
    "synops_excess",
    "weight_excess",
]
