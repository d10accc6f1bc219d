"""The structured dtypes that users of tonic's datasets know, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from evstore.errors import ArgumentError

#: ``tonic`` has its fields and sizes, but p as a number: tonic's own ToVoxelGrid loses the sign of
#: a polarity that is a bool. The others are those of tonic's classes of these names.
PRESETS: dict[str, np.dtype[np.void]] = {
    "tonic": np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "i1")]),
    "tonic-bool": np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]),
    "dvsgesture": np.dtype([("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")]),
    "nmnist": np.dtype([("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")]),
    "dsec": np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]),
    "davis": np.dtype([("t", "<i8"), ("x", "<i8"), ("y", "<i8"), ("p", "<i8")]),
    "packed": np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")]),
}


def event_dtype(dtype: DTypeLike | str) -> np.dtype[np.void]:
    """A preset by its name, or a structured dtype with the fields t, x, y and p.

    Raises ArgumentError for others.

    >>> event_dtype("dvsgesture").names
    ('x', 'y', 'p', 't')
    """
    if isinstance(dtype, str) and dtype in PRESETS:
        return PRESETS[dtype]
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype("V1")
    if sorted(found.names or ()) != ["p", "t", "x", "y"]:
        raise ArgumentError(
            f"dtype is one of {', '.join(PRESETS)}, or has the fields t, x, y and p; got {dtype!r}"
        )
    return found
