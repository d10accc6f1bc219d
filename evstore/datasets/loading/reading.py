"""One batch read: what a worker does with a ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from evstore.datasets.loading.batches import Ticket
from evstore.datasets.loading.blocks import Lender, Mapped
from evstore.datasets.loading.collate import Batch, Room, empty, pad_collate, pad_in, pad_together
from evstore.datasets.loading.order import replacement
from evstore.datasets.together import ALONE, Team
from evstore.errors import FormatError
from evstore.noise.epoch import reading_epoch

ATTEMPTS = 16  # others tried where a sample cannot be read
#: Errors of the data, not of the program: only these are skipped.
UNREADABLE = (FormatError, OSError)


class Skipped(NamedTuple):
    """A sample that could not be read, where in the epoch it was wanted, and why."""

    epoch: int
    position: int
    id: str
    error: str


class Delivered(NamedTuple):
    """A batch, the position of its first sample, what is in it, and what was skipped for it."""

    batch: Any
    position: int
    numbers: list[int]
    skipped: list[Skipped]


class Reading:
    """The dataset as torch's workers see it: a ticket in, a batch out. Pickles with the dataset.

    ``blocks``: where torch's workers lay their batches, those of `pad_collate`; else None.
    """

    def __init__(self, dataset: Any, collate: Callable[[list[Any]], Any], skip: bool) -> None:
        self.dataset = dataset
        self.collate = collate
        self.skip = skip
        self.blocks: Mapped | None = None
        self._lender: Lender | None = None

    def __getitem__(self, ticket: Ticket) -> Delivered:
        lender = self._own_lender()
        with reading_epoch(ticket.epoch):
            if lender is None:
                return self._read(ticket, empty)
            delivered = self._read(ticket, lender.room)
        return delivered._replace(batch=lender.sent(delivered.batch))

    def _own_lender(self) -> Lender | None:
        """Of the worker process that this is, if it is one of this loader's."""
        if self.blocks is None or self._lender is not None:
            return self._lender
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        if worker is not None and worker.dataset is self:
            self._lender = Lender(self.blocks.token, self.blocks.count)
        return self._lender

    def _read(self, ticket: Ticket, room: Room) -> Delivered:
        numbers = ticket.numbers.tolist()
        made = self._in_one([numbers], room)
        if made is not None:
            return Delivered(made[0], ticket.position, numbers, [])
        skipped: list[Skipped] = []
        samples, failure = self._together(numbers)
        if samples is None:  # which of them is it?
            samples = []
            for place in range(len(numbers)):
                sample, numbers[place] = self._one(ticket, place, numbers[place], skipped)
                samples.append(sample)
            if failure is not None and not (self.skip and isinstance(failure, UNREADABLE)):
                ids = ", ".join(self._id(number) for number in numbers)
                name_in(failure, f"while reading samples {ids} together")
                raise failure
        return Delivered(self._collated(samples, room), ticket.position, numbers, skipped)

    def several(self, tickets: list[Ticket], team: Team) -> Iterator[Delivered]:
        """The batches of these tickets; made at once, by a team, where the dataset does so."""
        batches = [ticket.numbers.tolist() for ticket in tickets]
        with reading_epoch(tickets[0].epoch):  # of which all are
            made = self._in_one(batches, empty, team)
        if made is None:
            yield from map(self.__getitem__, tickets)
            return
        for ticket, numbers, batch in zip(tickets, batches, made, strict=True):
            yield Delivered(batch, ticket.position, numbers, [])

    def _in_one(
        self, batches: list[list[int]], room: Room, team: Team = ALONE
    ) -> list[Batch] | None:
        """Where the dataset makes frames in the batches; an error is met once more later."""
        if self.collate is not pad_collate:
            return None
        try:
            return pad_together(self.dataset, batches, room, team)
        except Exception:
            return None

    def _collated(self, samples: list[Any], room: Room) -> Any:
        try:
            return self._collate(samples, room)
        except StopIteration as error:  # which would end the epoch without a word
            raise RuntimeError("collate raised StopIteration") from error

    def _collate(self, samples: list[Any], room: Room) -> Any:
        collate = self.collate
        if collate is pad_collate:
            return pad_in(samples, room)
        if isinstance(collate, partial) and collate.func is pad_collate and not collate.args:
            return pad_in(samples, room, **collate.keywords)
        return collate(samples)

    def _together(self, numbers: list[int]) -> tuple[list[Any] | None, Exception | None]:
        if not hasattr(self.dataset, "__getitems__"):
            return None, None
        try:
            samples = list(self.dataset.__getitems__(numbers))
        except Exception as error:
            return None, error
        if len(samples) != len(numbers):
            raise RuntimeError(
                f"the dataset's __getitems__ gave {len(samples)} samples for {len(numbers)} numbers"
            )
        return samples, None

    def _id(self, number: int) -> str:
        return sample_id(getattr(self.dataset, "ids", None), number)

    def _one(
        self, ticket: Ticket, place: int, number: int, skipped: list[Skipped]
    ) -> tuple[Any, int]:
        """The sample, or the first of those in its stead that can be read, and its number."""
        position = ticket.position + place
        for attempt in range(ATTEMPTS + 1):
            if attempt:
                number = replacement(
                    ticket.seed, ticket.epoch, position, attempt, len(self.dataset)
                )
            own_id = self._id(number)
            try:
                return self.dataset[number], number
            except StopIteration as error:  # which would end the epoch without a word
                raise RuntimeError(f"sample {own_id} raised StopIteration") from error
            except Exception as error:
                tried = f" (and {attempt} in place of others)" if attempt else ""
                if not (self.skip and isinstance(error, UNREADABLE)) or attempt == ATTEMPTS:
                    name_in(error, f"sample {own_id}{tried}")
                    raise
                skipped.append(Skipped(ticket.epoch, position, own_id, str(error)))
        raise AssertionError("unreachable")


def sample_id(ids: Any, number: int) -> str:
    """The sample's id, or its number where the dataset has no ids (None)."""
    return str(number) if ids is None else str(ids[number])


def name_in(error: Exception, what: str) -> None:
    """Make the message say ``what`` as well; kind and attributes of the error stay.

    In the message itself, since torch carries nothing else from a worker.
    """
    if isinstance(error, FormatError):
        error.what = f"{error.what} ({what})"
    elif isinstance(error, OSError) and error.strerror is not None:
        error.strerror = f"{error.strerror} ({what})"
    elif error.args and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]} ({what})", *error.args[1:])
    else:
        error.args = (*error.args, what)
    if what not in str(error) and hasattr(error, "add_note"):  # it makes its message otherwise
        error.add_note(what)
