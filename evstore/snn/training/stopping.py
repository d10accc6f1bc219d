"""Ctrl-C, kept until the step that runs is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Training was ended by a Ctrl-C, and all steps that were done are saved."""


@dataclass
class Stop:
    """Whether somebody wants the run to end."""

    wanted: bool = False


_now: list[Stop] = []  # of the block that is entered, if one is


@contextmanager
def stopping() -> Iterator[Stop]:
    """Within: a first interrupt only says so; a second one is raised at once, as ever.

    A block within such a block has the outer one's. Interrupts reach the main thread only:
    elsewhere, and where the program ignores them, this does nothing.
    """
    if _now:
        yield _now[0]
        return
    stop = Stop()
    ours = callable(signal.getsignal(signal.SIGINT))
    if not ours or threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: Any) -> None:
        if stop.wanted:
            raise KeyboardInterrupt
        stop.wanted = True

    before = signal.signal(signal.SIGINT, handle)
    _now.append(stop)
    try:
        yield stop
    finally:
        _now.clear()
        signal.signal(signal.SIGINT, before)
