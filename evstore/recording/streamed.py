"""Windows that follow each other or overlap: in one pass, not one for each.

Each is a copy: what is done to one does not show in the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from evstore.events import Events

MAX_T = (1 << 63) - 1


def by_count(batches: Iterable[Events], count: int, step: int, partial: bool) -> Iterator[Events]:
    """Windows of ``count`` events, the next one ``step`` events on."""
    held: list[Events] = []
    n_held = skip = 0  # skip: events that lie between two windows
    for events in batches:
        events, skip = events[skip:], max(0, skip - len(events))
        held.append(events)
        n_held += len(events)
        if n_held < count:
            continue
        rest = Events.concatenate(held)
        while len(rest) >= count:
            yield _copy(rest[:count])
            rest, skip = rest[step:], max(0, step - len(rest))
        held, n_held = [rest], len(rest)
    rest = Events.concatenate(held)
    while partial and len(rest):
        yield _copy(rest[:count])
        rest = rest[step:]


def by_time(
    batches: Iterable[Events],
    extents: Sequence[tuple[int, int]],
    windows: Iterable[tuple[int, int]],
    choose: Callable[[Events], Events] | None = None,
) -> Iterator[Events]:
    """What ``choose`` leaves of the events in each of the ascending ``windows``.

    ``extents``: least and greatest time of each batch. A window is complete, and a batch let go,
    once no later batch (or window) reaches back to it: time may step back.
    """
    if not extents:
        yield from (Events.empty() for _ in windows)
        return
    end = max(high for _, high in extents) + 1
    least = [*accumulate((low for low, _ in reversed(extents)), min)][::-1]
    held: list[_Held] = []
    todo = iter(windows)
    window = next(todo, None)
    for i, events in enumerate(batches):
        t = events.t
        held.append(_Held(extents[i][1], events, bool((t[1:] >= t[:-1]).all())))
        reached = least[i + 1] if i + 1 < len(least) else None
        while window is not None and (reached is None or window[1] <= reached):
            parts = [_cut(one, *window) for one in held]
            found = Events.concatenate(parts)
            yield found if choose is None else choose(found)
            window = next(todo, None)
            after = end if window is None else window[0]
            held = [one for one in held if one.last >= after]
        if window is None:
            return


class _Held(NamedTuple):
    """A batch that windows still want."""

    last: int  # its greatest time
    events: Events
    ordered: bool


def _cut(held: _Held, start: int, stop: int) -> Events:
    """Events with ``start <= t < stop``; of an ordered batch a view."""
    t, last = held.events.t, min(stop - 1, MAX_T)
    if not held.ordered:
        return held.events[(t >= start) & (t <= last)]
    return held.events[t.searchsorted(start) : t.searchsorted(last, "right")]


def _copy(events: Events) -> Events:
    return Events.concatenate([events])
