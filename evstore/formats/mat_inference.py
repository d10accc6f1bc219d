"""What the numbers of a MAT file say of themselves: which column is which, and the unit of time.

Only what can be nothing else is said; for the rest there are ``--columns`` and ``--time-unit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from evstore.formats.mat_streams import Column

READ_AT_ONCE = 65_536  # values

#: Seconds from 1970 to 2106: greater numbers with a fraction are no seconds.
SECONDS_LIMIT = 2**32

_COORDINATE_MAX = 65_535


def pieces(column: Column) -> Iterator[NDArray[Any]]:
    """A column's values in order, some at a time, as far as they go."""
    done = 0
    while len(values := column.values(done, READ_AT_ONCE)):
        yield values
        done += len(values)


def time_unit(column: Column) -> str | None:
    """The unit of times that do not say it; None where the numbers leave it open.

    Whole numbers are microseconds. Fractions are seconds if all lie on whole microseconds and
    not all on whole milliseconds: in milliseconds they would be finer than a sensor's clock.
    """
    assert column.dtype is not None
    if column.dtype.kind != "f":
        return "us"
    whole = on_micros = on_millis = True
    with np.errstate(all="ignore"):  # NaN and infinity are whatever they are; conversion refuses
        for values in pieces(column):
            whole = whole and bool((values == np.floor(values)).all())
            if not bool((np.abs(values) < SECONDS_LIMIT).all()):
                on_micros = False
            on_micros = on_micros and _on_grid(values, 1e6)
            on_millis = on_millis and _on_grid(values, 1e3)
    if whole:
        return "us"
    return "s" if on_micros and not on_millis else None


def _on_grid(values: NDArray[Any], steps: float) -> bool:
    """Whether every value is a multiple of 1/steps, as nearly as its dtype can say."""
    scaled = values.astype(np.float64) * steps
    error = (np.spacing(np.abs(values)).astype(np.float64) + 1e-9) * steps
    return bool((np.abs(scaled - np.rint(scaled)) <= error).all())


def roles(columns: Sequence[Column]) -> tuple[str, ...] | None:
    """Which of four columns is t, x, y and p; None where more than one reading is possible.

    p is the only column of 0, 1 and -1 alone. t is the only one that cannot be a coordinate, or,
    where all could be, the only one that never steps back. x stands before y.
    """
    seen = [_Seen(column) for column in columns]
    signs = [k for k in range(4) if seen[k].sign]
    others = [k for k in range(4) if k not in signs]
    times = [k for k in others if not seen[k].coordinate]
    if not times:
        times = [k for k in others if seen[k].never_back]
    if not seen[0].count:
        signs, times = [2], [3]  # no events: any order is right
    if len(signs) != 1 or len(times) != 1:
        return None
    left = iter(("x", "y"))
    return tuple("p" if k in signs else "t" if k in times else next(left) for k in range(4))


class _Seen:
    """What all values of a column have in common."""

    def __init__(self, column: Column) -> None:
        self.sign = self.coordinate = self.never_back = True
        self.count, last = 0, None
        with np.errstate(all="ignore"):  # NaN is no coordinate; one that signals would warn
            for values in pieces(column):
                self.count += len(values)
                self.sign = self.sign and bool(np.isin(values, (-1, 0, 1)).all())
                inside = (values >= 0) & (values <= _COORDINATE_MAX) & (values == np.floor(values))
                self.coordinate = self.coordinate and bool(inside.all())
                steps = values[1:] >= values[:-1]
                joined = last is None or bool(values[0] >= last)
                self.never_back = self.never_back and joined and bool(steps.all())
                last = values[-1]
