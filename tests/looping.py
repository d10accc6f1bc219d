"""A network that goes through time in a loop of its own, its layers called by keyword."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from evstore import snn


class Looping(nn.Module):  # type: ignore[misc]
    """(B, T, 3) -> (B, T, 4), a step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.neurons = nn.Linear(3, 4, bias=False), snn.IAF()

    def forward(self, frames: Any) -> Any:
        steps = frames.split(1, dim=1)
        return torch.cat([self.neurons(self.linear(input=step)) for step in steps], 1)
