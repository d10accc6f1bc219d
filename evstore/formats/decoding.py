"""The loop that every reader of fixed-size records shares: records in, bounded batches out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError, TruncatedError
from evstore.formats.fresh import fresh
from evstore.formats.reading import Batch, Triggers
from evstore.formats.sides import Sides

#: Trigger edges a batch may hold; a batch ends early where there are more.
TRIGGER_LIMIT = 1024


class Words(Protocol):
    """Words in a row, a piece at a time, as `Records` gives them."""

    offset: int  # where in the file the words of the last `read` begin
    tail: int  # bytes left over at the end

    def read(self) -> NDArray[Any]:
        """The next words, empty at the end."""


class Decoder(Protocol):
    """What differs between formats: state that lives from one call of the kernel to the next."""

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        """Decode from ``words[position:]`` behind the ``filled`` events already in ``into``.

        Returns the new position and fill; stops short of the words' end only where the batch
        (or the trigger buffer) is full.
        """

    def take_triggers(self) -> Triggers | None:
        """The triggers met since the last call, None where there were none."""

    def dropped(self) -> dict[str, int]:
        """What was not kept so far, by kind."""


class TriggerBuffer:
    """Room for the trigger edges of one batch; kernels fill ``t``, ``id`` and ``p``."""

    def __init__(self) -> None:
        self.t = np.empty(TRIGGER_LIMIT, np.int64)
        self.id = np.empty(TRIGGER_LIMIT, np.uint8)
        self.p = np.empty(TRIGGER_LIMIT, np.uint8)

    @property
    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]:
        """What a kernel writes to."""
        return self.t, self.id, self.p

    def take(self, count: int) -> Triggers | None:
        """Copies of the first ``count`` edges, None where there are none."""
        if count == 0:
            return None
        return Triggers(self.t[:count].copy(), self.id[:count].copy(), self.p[:count].copy())


def batches(
    records: Words,
    decoder: Decoder,
    limit: int,
    dropped: dict[str, int],
    take_side: Callable[[], Sides | None] = lambda: None,
) -> Iterator[Batch]:
    """Batches of at most ``limit`` events; ``dropped`` is kept up to date before each.

    ``take_side`` gives the rows of other streams since the last call, None where there were none.
    Raises TruncatedError after the last whole event where the stream ends inside a record.
    """
    if limit < 1:
        raise ArgumentError(f"batch_events must be at least 1, got {limit}")
    into, filled, events = fresh(limit), 0, 0
    while (words := records.read()).size:
        position = 0
        while True:
            position, filled = decoder.decode(words, position, into, filled)
            if position >= words.size:
                break
            dropped.update(decoder.dropped())
            yield _finish(into, filled, decoder, take_side)
            events += filled
            into, filled = fresh(limit), 0
    dropped.update(decoder.dropped())
    last = _finish(into, filled, decoder, take_side)
    if filled or last.triggers is not None or last.side is not None:
        yield last
        events += filled
    if records.tail:
        raise TruncatedError(
            f"the file ends inside a record: {records.tail} bytes are left over",
            safe_events=events,
            offset=records.offset,
        )


def _finish(
    into: Batch, filled: int, decoder: Decoder, take_side: Callable[[], Sides | None]
) -> Batch:
    triggers, side = decoder.take_triggers(), take_side()
    if filled == into.t.size:
        return into._replace(triggers=triggers, side=side)
    return Batch(into.t[:filled], into.x[:filled], into.y[:filled], into.p[:filled], triggers, side)
