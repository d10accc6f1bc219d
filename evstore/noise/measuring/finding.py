"""Hot pixels alone, for masks: faster than measuring all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.limits import check_number
from evstore.noise.measuring.counted import counted_of
from evstore.noise.measuring.incoming import Measured


def find_hot_pixels(
    events: Measured,
    resolution: tuple[int, int] | None = None,
    *,
    min_rate_hz: float = 50.0,
) -> NDArray[np.int64]:
    """The pixels that fire ``min_rate_hz`` more often than those around them, all of the time.

    Gives (N, 2) columns and rows, by row, of Events, a structured array (fields t, x, y, p), or
    batches of either in order of time. Compared are the median of the 48 pixels around, of which
    a quarter may be hot as well, and slices of time, since edges of a scene come and go. (libcaer
    learns from a fixed number of events, Prophesee calls hot what has 100 times the median rate:
    both find pixels of a busy scene.)

    A pixel of just ``min_rate_hz`` has fewer events than that by chance, half of the time. That
    none is missed, those are found too that lack up to three deviations of their number of events,
    which is its square root: so pixels of lower rates as well, down to half of ``min_rate_hz`` in
    short recordings; none with fewer than 8 events. Raises ArgumentError where nothing says the
    resolution, and where time steps back between batches.

    >>> import numpy as np
    >>> from evstore import Events
    >>> t = np.arange(0, 1_000_000, 5000)
    >>> find_hot_pixels(Events(t, t * 0 + 3, t * 0 + 5, t * 0 + 1, resolution=(16, 16))).tolist()
    [[3, 5]]
    """
    check_number("min_rate_hz", min_rate_hz, 1e-3, 1e6)
    counted = counted_of(events, resolution, all_of_it=False)
    if counted is None:
        return np.empty((0, 2), np.int64)
    found = counted.found(min_rate_hz).hot
    return np.stack([found["x"], found["y"]], 1).astype(np.int64)
