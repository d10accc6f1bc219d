"""Ctrl-C at a moment when there would be something left behind that nobody knows of."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """An interrupt that comes meanwhile takes effect at the end of the block.

    Within a ``try`` whose ``except`` clears up, around the line that makes what is cleared up.
    Interrupts reach the main thread only; elsewhere this does nothing.
    """
    # A handler that Python did not install could not be put back.
    ours = callable(signal.getsignal(signal.SIGINT))
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, Any]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came and callable(before):
            before(*came[0])
