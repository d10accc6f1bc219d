"""What a network's outputs say: a class, or nothing yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evstore.errors import ArgumentError

#: In place of a class, where there is no answer.
NONE = -1


def answers(totals: torch.Tensor) -> torch.Tensor:
    """The class of the greatest total, int64 of shape (...), of ``totals`` (..., classes).

    -1 where several classes share the greatest, as all of them do before the first spike, and
    where a total is not a number.

    >>> answers(torch.tensor([[0.0, 0.0, 0.0], [0.0, 2.0, 1.0], [2.0, 0.0, 2.0]])).tolist()
    [-1, 1, -1]
    """
    best, where = totals.max(-1)
    alone = (totals == best[..., None]).sum(-1) == 1
    return where.masked_fill(~alone, NONE)


def classes_of(targets: Any, count: int) -> NDArray[np.int64]:
    """``targets``, ``count`` integers from 0 on, as an array; raises ArgumentError for others."""
    found = np.asarray(targets)
    if found.shape != (count,) or found.dtype.kind not in "iu" or (found < 0).any():
        raise ArgumentError(
            f"targets must be one class a sample, integers from 0 on: expected ({count},), got "
            f"{found.dtype} {found.shape}"
        )
    return found.astype(np.int64)
