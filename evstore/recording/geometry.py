"""Coordinates against the stated resolution: an error that counts them, or grow, or drop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evstore.codec.chunk_kernels import greatest
from evstore.errors import ArgumentError, CorruptError, TruncatedError
from evstore.formats.reading import Batch

OUTSIDE = "events_outside_resolution"


class Geometry:
    """The resolution of a recording while its batches pass.

    ``resolution`` is what is known before; None is inferred (greatest coordinate plus one).
    With ``grow`` it widens to hold every event, with ``drop_outside`` events beyond it are left
    out and counted in ``dropped``; with neither they are a CorruptError that counts them all.
    """

    def __init__(
        self,
        resolution: tuple[int, int] | None,
        dropped: dict[str, int],
        grow: bool = False,
        drop_outside: bool = False,
    ) -> None:
        if grow and drop_outside:
            raise ArgumentError("grow and drop_outside exclude each other")
        self.stated = resolution
        self.inferred = resolution is None
        self.width, self.height = resolution or (0, 0)
        self._dropped = dropped
        self._grow = grow or resolution is None
        self._drop = drop_outside

    @property
    def resolution(self) -> tuple[int, int] | None:
        """(width, height) so far; None where there was no event to infer it from."""
        return (self.width, self.height) if self.width and self.height else None

    def fit(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, each checked."""
        for batch in batches:
            if not len(batch.t):
                yield batch
                continue
            x_most, y_most = map(int, greatest(batch.x, batch.y))
            if x_most < self.width and y_most < self.height:
                yield batch
            elif self._grow:
                self.width, self.height = max(self.width, x_most + 1), max(self.height, y_most + 1)
                yield batch
            elif self._drop:
                inside = (batch.x < self.width) & (batch.y < self.height)
                out = int(inside.size - np.count_nonzero(inside))
                self._dropped[OUTSIDE] = self._dropped.get(OUTSIDE, 0) + out
                t, x, y, p, triggers, side = batch
                yield Batch(t[inside], x[inside], y[inside], p[inside], triggers, side)
            else:
                self._refuse(batch, batches)

    def _refuse(self, batch: Batch | None, rest: Iterator[Batch]) -> None:
        outside = x_most = y_most = 0
        while batch is not None:
            mask = (batch.x >= self.width) | (batch.y >= self.height)
            outside += int(np.count_nonzero(mask))
            if len(batch.t):
                x_most, y_most = max(x_most, int(batch.x.max())), max(y_most, int(batch.y.max()))
            try:
                batch = next(rest, None)
            except TruncatedError:  # that the file is cut, too, is the lesser evil
                break
        raise CorruptError(
            f"{outside:,} events lie outside the stated resolution",
            field="x, y",
            expected=f"x < {self.width}, y < {self.height}",
            got=f"x up to {x_most}, y up to {y_most}",
            hint="keep them with --grow (grow=True) or leave them out with --drop-outside "
            "(drop_outside=True)",
        )
