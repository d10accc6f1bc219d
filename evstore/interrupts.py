"""Ctrl-C at a moment when there would be something left behind that nobody knows of."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
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


def lost_interrupts_come_again(handler: Callable[..., Any] | None = None) -> None:
    """From now on, in this process, an interrupt that Python can't raise is sent once more.

    One that comes just as an object is let go of is met in its ``__del__`` (that of columns'
    memory is called after most kernels), where it is printed and lost. ``handler`` takes it then,
    where the one that raised has set another.
    """
    before = sys.unraisablehook

    def hook(lost: Any) -> None:
        if lost.exc_type is None or not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
        elif threading.current_thread() is threading.main_thread():
            _come_again(handler or signal.getsignal(signal.SIGINT))

    sys.unraisablehook = hook


def _come_again(handler: Any) -> None:
    """Have ``handler`` called soon, but not in here, where what it raises would be lost again."""
    taken = threading.Event()

    def take(number: int, frame: FrameType | None) -> None:
        at = frame
        while at is not None:
            if at.f_code.co_filename == __file__:
                return  # it is sent until it is taken
            at = at.f_back
        taken.set()
        signal.signal(signal.SIGINT, handler)
        if callable(handler):
            handler(number, frame)

    signal.signal(signal.SIGINT, take)
    threading.Thread(target=_send_until, args=(taken, take), daemon=True).start()


def _send_until(taken: threading.Event, take: Callable[..., Any]) -> None:
    """Send it until it is taken, or goes to whatever has taken the handler's place."""
    while not taken.wait(0.002):
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)
        if signal.getsignal(signal.SIGINT) is not take:
            return
