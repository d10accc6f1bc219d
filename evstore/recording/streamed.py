"""Windows of a recording that can only be read from its start: in one pass, not one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from evstore.events import Events


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
            yield rest[:count]
            rest, skip = rest[step:], max(0, step - len(rest))
        held, n_held = [rest], len(rest)
    rest = Events.concatenate(held)
    while partial and len(rest):
        yield rest[:count]
        rest = rest[step:]


def by_time(
    batches: Iterable[Events],
    extents: Sequence[tuple[int, int]],
    windows: Iterable[tuple[int, int]],
    choose: Callable[[Events, int, int], Events],
) -> Iterator[Events]:
    """What ``choose(events, start, stop)`` leaves of each of the ascending ``windows``.

    ``extents``: least and greatest time of each batch. A window is complete, and a batch let go,
    once no later batch (or window) reaches back to it: time may step back.
    """
    if not extents:
        return
    end = max(high for _, high in extents) + 1
    least = [*accumulate((low for low, _ in reversed(extents)), min)][::-1]
    held: list[tuple[int, Events]] = []
    todo = iter(windows)
    window = next(todo, None)
    for i, events in enumerate(batches):
        held.append((extents[i][1], events))
        reached = least[i + 1] if i + 1 < len(least) else None
        while window is not None and (reached is None or window[1] <= reached):
            start, stop = window
            yield Events.concatenate([choose(part, start, stop) for _, part in held])
            window = next(todo, None)
            after = end if window is None else window[0]
            held = [(high, part) for high, part in held if high >= after]
        if window is None:
            return
