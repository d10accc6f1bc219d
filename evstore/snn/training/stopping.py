"""Ctrl-C, kept until the step that runs is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Stop:
    """Whether somebody wants the run to end."""

    wanted: bool = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """Within: a first interrupt only says so; a second one is raised at once, as ever.

    Interrupts reach the main thread only: elsewhere, and where the program ignores them, this does
    nothing.
    """
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
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
