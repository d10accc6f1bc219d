"""What differs between the events that were kept and those that came back."""

from __future__ import annotations

import numpy as np

from evstore.events import COLUMNS, Events


def difference(found: Events, wanted: Events) -> str | None:
    """None where both are equal in every value and in order, else what differs first.

    >>> one = Events([1, 2], [3, 4], [5, 6], [0, 1])
    >>> difference(Events([1, 9], [3, 4], [5, 6], [0, 0]), one)
    't of 1 of 2 events, the first at 1: 9 instead of 2; p of 1'
    >>> difference(one[:1], one)
    'the first 1 of 2 events'
    """
    if len(found) != len(wanted):
        if len(found) < len(wanted) and found == wanted[: len(found)]:
            return f"the first {len(found):,} of {len(wanted):,} events"
        return f"{len(found):,} events instead of {len(wanted):,}"
    said: list[str] = []
    for name in COLUMNS:
        mine, theirs = getattr(found, name), getattr(wanted, name)
        if np.array_equal(mine, theirs):
            continue
        places = np.flatnonzero(mine != theirs)
        if said:
            said.append(f"{name} of {len(places):,}")
            continue
        at = int(places[0])
        said.append(
            f"{name} of {len(places):,} of {len(wanted):,} events, "
            f"the first at {at:,}: {mine[at]} instead of {theirs[at]}"
        )
    return "; ".join(said) or None
