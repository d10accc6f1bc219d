"""What is simulated through transforms of `evstore.noise`, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from evstore.events import Events
from evstore.noise.batch import Batch, Sensor, Stage, batch_of, empty_batch, joined
from evstore.noise.key import sample_key
from evstore.noise.transform import Transform

AT_ONCE_US = 20_000  # that noise is made for, also where the scene gives nothing for longer


def with_noise(
    steps: Iterable[tuple[Events, int]],
    noise: Transform,
    size: tuple[int, int],
    seed: int,
    stop_us: int,
    batch_events: int,
) -> Iterator[Events]:
    """Batches of ``batch_events``, the last one of fewer.

    ``steps``: events, and the time before which none is to come any more.
    """
    stage = noise.begin(Sensor(*size), sample_key(0, seed, empty_batch()), 0)
    parts, count = [empty_batch()], 0
    for batch in _through(stage, steps, stop_us):
        parts.append(batch)
        count += batch.size
        if count < batch_events:
            continue
        whole, at = joined(parts), 0
        while count - at >= batch_events:
            yield whole.at(slice(at, at + batch_events)).events(size)
            at += batch_events
        parts, count = [whole.at(slice(at, None))], count - at
    if count:
        yield joined(parts).events(size)


def _through(stage: Stage, steps: Iterable[tuple[Events, int]], stop_us: int) -> Iterator[Batch]:
    held, settled = empty_batch(), 0
    for events, until in steps:
        held = joined([held, batch_of(events)])
        while settled < min(until, stop_us - 1):
            settled = min(settled + AT_ONCE_US, until, stop_us - 1)
            cut = int(np.searchsorted(held.t, settled))
            yield stage.push(held.at(slice(0, cut)), settled, False)[0]
            held = held.at(slice(cut, None))
    yield stage.push(held, stop_us, True)[0]
