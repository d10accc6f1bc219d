"""Random generators set by where a run stands, so that none of them has to be saved.

Whoever goes on with a step draws what an uninterrupted run would draw there: dropout, for one.
"""

from __future__ import annotations

import random

import numpy as np
import torch

INITIAL, STEP, AUGMENT = range(3)  # what the numbers are for: each use has its own


def numbers(seed: int, use: int, *place: int) -> np.random.SeedSequence:
    """What seeds a generator for one use at one place."""
    return np.random.SeedSequence([seed, use, *place])


def seed_all(seed: int, use: int, *place: int) -> None:
    """Seed the generators of Python, numpy and torch (of all devices).

    >>> seed_all(1, STEP, 12, 0)
    >>> before = torch.rand(1), random.random()
    >>> seed_all(1, STEP, 12, 0)
    >>> (torch.rand(1), random.random()) == before
    True
    """
    words = numbers(seed, use, *place).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed(int(words[2]) << 31 ^ int(words[3]))
