"""Events of masked pixels left out, where they lie."""

from __future__ import annotations

from typing import Any

from evstore.jit import kernel


@kernel
def drop_masked(t: Any, x: Any, y: Any, p: Any, table: Any, width: int) -> Any:
    """Bring together the events of pixels whose ``table`` is 0; returns how many they are.

    ``table`` has the sensor's rows one after the other. An event outside of it is of no masked
    pixel. Each event is written, and overwritten unless it stays: nothing has to be guessed.
    """
    kept = 0
    x, y, p = x[: t.size], y[: t.size], p[: t.size]
    for i in range(t.size):
        column = x[i]
        place = y[i] * width + column
        masked = 0
        if column < width and place < table.size:
            masked = table[place]
        t[kept], x[kept], y[kept], p[kept] = t[i], column, y[i], p[i]
        kept += masked == 0
    return kept
