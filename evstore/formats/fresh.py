"""A batch that is to be filled, in memory that batches before it had."""

from __future__ import annotations

from evstore.events import COLUMNS, empty_column
from evstore.formats.reading import Batch


def fresh(length: int) -> Batch:
    """A batch of ``length`` events whose values are not set."""
    t, x, y, p = (empty_column(name, length) for name in COLUMNS)
    return Batch(t, x, y, p)
