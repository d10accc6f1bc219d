"""Work of a pool's threads, side by side, whose last steps are done in the order it was given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from typing import TypeVar

T = TypeVar("T")


class Turns:
    """Gives work to ``pool``, which must begin with it in the order it gets it.

    After an ``error`` no last step is done any more: what follows on what is missing is wrong.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._waiting: list[Future[None]] = []
        self._condition = threading.Condition()
        self._given = self._turn = 0
        self.error: BaseException | None = None  # the first one

    def give(self, work: Callable[[], T], last: Callable[[T], None]) -> None:
        """Have ``work`` done beside all other, then ``last`` with its result, in turn."""
        try:
            turn, self._given = self._given, self._given + 1
            self._waiting.append(self._pool.submit(self._run, turn, work, last))
        except BaseException as error:  # it may be with the pool or not
            self.error = error
            raise

    def _run(self, turn: int, work: Callable[[], T], last: Callable[[T], None]) -> None:
        error: BaseException | None = None
        try:
            made = work()
        except BaseException as caught:
            error = caught
        with self._condition:
            self._condition.wait_for(lambda: self._turn == turn)
            try:
                if error is None and self.error is None:
                    last(made)
            except BaseException as caught:
                error = caught
            if self.error is None:
                self.error = error
            self._turn += 1
            self._condition.notify_all()
        if error is not None:
            raise error

    def wait(self, most: int) -> BaseException | None:
        """Wait until no more than ``most`` works are to be done; returns the error, if any.

        Raises what stopped one of them, the first time that it is seen.
        """
        while True:
            error = self.error  # looked at once: it may come at any moment
            if len(self._waiting) <= (most if error is None else 0):
                return error
            first = self._waiting[0]
            try:
                first.result()
            finally:
                if first.done():  # or the wait was interrupted
                    self._see(first)

    def _see(self, work: Future[None]) -> None:
        """Let go of work that has ended; it may have ended before it began."""
        if work.cancelled():
            self.error = self.error or CancelledError()
        elif work.exception() is not None:
            self.error = self.error or work.exception()
        del self._waiting[0]

    @property
    def unseen(self) -> int:
        """Works whose end nobody has waited for."""
        return len(self._waiting)

    @property
    def undone(self) -> int:
        """Works that are not done yet."""
        return sum(not work.done() for work in self._waiting)
