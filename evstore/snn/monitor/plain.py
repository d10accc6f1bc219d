"""Numbers of numpy and torch as those of Python, that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """The same value of plain dicts, lists, numbers and strings; what is not finite as None.

    >>> plain({"loss": np.float32(0.5), "lr": float("nan"), 3: (np.int64(1), None)})
    {'loss': 0.5, 'lr': None, '3': [1, None]}
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
