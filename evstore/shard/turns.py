"""Work of a pool's threads, side by side, whose last steps are done in the order it was given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")


class Turns:
    """Gives work to ``pool``, which must begin with it in the order it gets it.

    After a failure no last step is done any more: what follows on what is missing is wrong.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._waiting: list[Future[None]] = []  # for whoever gave the work to see its end
        self._condition = threading.Condition()
        self._given = self._turn = 0
        self._failed = False

    def give(self, work: Callable[[], T], last: Callable[[T], None]) -> None:
        """Have ``work`` done beside all other, then ``last`` with its result, in turn."""
        try:
            turn, self._given = self._given, self._given + 1
            self._waiting.append(self._pool.submit(self._run, turn, work, last))
        except BaseException:  # it may be with the pool or not
            self._failed = True
            raise

    def _run(self, turn: int, work: Callable[[], T], last: Callable[[T], None]) -> None:
        made: list[T] = []
        done = False
        try:
            made.append(work())
        finally:
            with self._condition:
                self._condition.wait_for(lambda: self._turn == turn)
                try:
                    if made and not self._failed:
                        last(made[0])
                        done = True
                finally:
                    self._failed |= not done
                    self._turn += 1
                    self._condition.notify_all()

    def wait(self, most: int) -> bool:
        """Wait until no more than ``most`` works are to be done; returns whether all went well.

        Raises what stopped one of them, once.
        """
        while True:
            failed = self._failed  # looked at once: it may change at any moment
            if len(self._waiting) <= (0 if failed else most):
                return not failed
            first = self._waiting[0]
            try:
                first.result()
            finally:
                if first.done():  # or the wait was interrupted
                    del self._waiting[0]

    @property
    def given(self) -> int:
        """Works whose end nobody has waited for."""
        return len(self._waiting)

    @property
    def undone(self) -> int:
        """Works that are not done yet."""
        return sum(not work.done() for work in self._waiting)
