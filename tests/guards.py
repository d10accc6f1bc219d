"""Arrays with guards before and after what a kernel may write."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.events import COLUMN_DTYPES, COLUMNS

GUARD = 512  # values before and after an output that no kernel may touch
FILL = 165

Arrays = dict[str, NDArray[Any]]


def guarded(n: int) -> tuple[Arrays, Arrays]:
    """Columns with guards, and the views of them that a kernel may write."""
    whole = {c: np.full(n + 2 * GUARD, FILL, COLUMN_DTYPES[c]) for c in COLUMNS}
    return whole, {c: array[GUARD : GUARD + n] for c, array in whole.items()}


def expect_guards(whole: Arrays, n: int) -> None:
    """Nothing was written beside the views."""
    for name, array in whole.items():
        assert (array[:GUARD] == FILL).all(), name
        assert (array[GUARD + n :] == FILL).all(), name
