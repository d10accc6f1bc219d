"""Frames of batches of samples, made in the batches themselves."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.access import Shards
from evstore.datasets.delivery import Delivery, deliver, divisions_of, sensors_of
from evstore.datasets.sample_events import Window
from evstore.errors import EvstoreError
from evstore.frames.faults import check_out
from evstore.frames.short import SHORT, Part, fill_short, read_short
from evstore.frames.spec import Frames
from evstore.shard.gather import Wanted

Place = tuple[int, Window | None]  # a recording, and which part of it


class Team(NamedTuple):
    """So many threads, and what has them do a step for each of some items: results in order.

    The first error, in their order, is raised once nobody works on any of them.
    """

    size: int
    each: Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
    #: Held by who does what only one thread can do well: Python's part of the work, and reading,
    #: where that is one of many short steps of it.
    turn: contextlib.AbstractContextManager[Any]


def _alone(step: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    return [step(item) for item in items]


ALONE = Team(1, _alone, contextlib.nullcontext())


class _Made(NamedTuple):
    """A batch: its samples and where they begin among those of all batches, and their frames."""

    places: Sequence[Place]
    first: int
    lengths: list[int]  # frames of each
    out: NDArray[Any]


def frames_of(
    shards: Shards,
    batches: Sequence[Sequence[Place]],
    how: Delivery,
    make: Callable[[tuple[int, ...], np.dtype[Any]], Any],
    team: Team = ALONE,
    epoch: int | None = None,
) -> list[tuple[Any, list[int]]] | None:
    """The frames of each batch's samples in one array (B, T, P, H, W), and how many each has.

    ``make(shape, dtype)`` gives the array; zeros follow the frames of shorter samples. None where
    there are none, or their shapes are not known before they are read, differ, or come of numbers
    that no int64 holds. Raises as `deliver` does, and says of which recording an error is.
    ``team``: the threads that read and count. ``epoch``: whose noise is in them.
    """
    spec = how.frames
    places = list(chain.from_iterable(batches))
    if (
        spec is None
        or not places
        or any(w is not None and w.by_time != spec.by_time for _, w in places)
        or (how.changes and spec.count is not None)  # of as many events as are left, or come in
    ):
        return None
    sensors = sensors_of(shards, [recording for recording, _ in places])
    if len({spec.shape(resolution, 1) for resolution in sensors}) != 1:
        return None
    resolution = sensors.pop()
    try:
        divisions = divisions_of(shards, places, spec)
    except OverflowError:
        return None
    made = list(_empty(batches, divisions[:, -1].tolist(), spec, resolution, make))
    differ = bool(sensors or how.changes)
    if differ or not _short(shards, made, divisions, spec, resolution, team):
        _one_by_one(shards, made, how, team, epoch)
    return [(one.out, one.lengths) for one in made]


def _empty(
    batches: Sequence[Sequence[Place]],
    lengths: list[int],
    spec: Frames,
    resolution: tuple[int, int],
    make: Callable[[tuple[int, ...], np.dtype[Any]], Any],
) -> Iterator[_Made]:
    """Batches whose frames are yet to be made."""
    dtype, (_, *cells) = np.dtype(spec.dtype), spec.shape(resolution, 1)
    first = 0
    for places in batches:
        own = lengths[first : first + len(places)]
        shape = (len(places), max(own), *cells)
        out = make(shape, dtype)
        check_out(out, shape, dtype)
        yield _Made(places, first, own, out)
        first += len(places)


def _one_by_one(
    shards: Shards, made: Sequence[_Made], how: Delivery, team: Team, epoch: int | None
) -> None:
    def one(sample: tuple[NDArray[Any], Place, int]) -> None:
        row, place, length = sample
        with shards.naming(place[0]):
            deliver(shards, *place, how, row[:length], epoch)
        row[length:] = 0

    samples = (zip(some.out, some.places, some.lengths, strict=True) for some in made)
    team.each(one, chain.from_iterable(samples))


def _short(
    shards: Shards,
    made: Sequence[_Made],
    divisions: NDArray[np.int64],
    spec: Frames,
    resolution: tuple[int, int],
    team: Team,
) -> bool:
    """The fast way, for short recordings; whether it was one. An error is met again on the other.

    There it is said which sample it is of.
    """
    catalogue = shards.catalogue
    places = [place for one in made for place in one.places]
    recordings = np.array([recording for recording, _ in places])
    events = catalogue.events[recordings].tolist()
    by_number = any(window is not None and not window.by_time for _, window in places)
    if max(events) > SHORT or by_number or catalogue.parts[recordings].max() > 1:
        return False
    rows = catalogue.first_row[recordings]

    def group(which: tuple[int, int]) -> bool:
        low, high = which
        with team.turn:
            found = shards.found_all(rows[low:high])
            if [info.n_events for _, info in found] != events[low:high]:
                return False
            wanted = [
                Wanted(*one, None if window is None else (window.start, window.stop))
                for one, (_, window) in zip(found, places[low:high], strict=True)
            ]
            parts = _parts(made, divisions, low, high)
            read = read_short(spec, resolution, wanted, parts, shards.memory)
        return fill_short(read, shards.memory)

    most = min(SHORT, sum(events) // team.size + 1)
    try:
        return all(team.each(group, _groups(events, most)))
    except (EvstoreError, OSError, OverflowError):
        return False


def _parts(made: Sequence[_Made], divisions: NDArray[np.int64], low: int, high: int) -> list[Part]:
    """How the samples ``low .. high`` of all batches are divided, and where they go, by batches."""
    parts = []
    k = bisect_right(made, low, key=_first) - 1
    while low < high:
        first, out = made[k].first, made[k].out
        stop = min(high, first + len(out))
        parts.append(Part(divisions[low:stop], out[low - first : stop - first]))
        low, k = stop, k + 1
    return parts


def _first(one: _Made) -> int:
    return one.first


def _groups(events: list[int], most: int) -> Iterator[tuple[int, int]]:
    """Which follow each other and are decoded together: about ``most`` events, never over SHORT."""
    low = total = 0
    for k, count in enumerate(events):
        if total and (total >= most or total + count > SHORT):
            yield low, k
            low, total = k, 0
        total += count
    yield low, len(events)
