"""The learning rate of each step, as a function of the step alone: nothing of it is saved."""

from __future__ import annotations

import math

ONECYCLE_RISE = 1 / 3  # of all steps, where no warm-up is said
ONECYCLE_START, ONECYCLE_END = 1 / 25, 1e-4  # shares of the greatest rate


def rate_factor(step: int, total_steps: int, schedule: str, warmup_steps: int = 0) -> float:
    """The share of the greatest learning rate that a step has, from 0 on.

    After a linear warm-up "constant" stays, "cosine" falls to 0 along half a cosine (Loshchilov and
    Hutter 2017, SGDR, without restarts), and "onecycle" rises and falls along half a cosine each
    (Smith and Topin 2018, the two phases that torch's OneCycleLR has).

    >>> [round(rate_factor(step, 4, "cosine"), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    >>> [rate_factor(step, 4, "constant", 2) for step in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    if schedule == "onecycle":
        rise = warmup_steps or max(1, round(total_steps * ONECYCLE_RISE))
        if step < rise:
            return _between(ONECYCLE_START, 1.0, step / rise)
        return _between(1.0, ONECYCLE_END, (step - rise) / max(1, total_steps - rise))
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    return _between(1.0, 0.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))


def _between(start: float, end: float, part: float) -> float:
    """From one value to the other along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2
