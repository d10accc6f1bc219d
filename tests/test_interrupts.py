"""Ctrl-C while something is made that would be left behind, or while a kernel is compiled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from command_line import environment
from evstore.interrupts import interrupts_held
from evstore.shard import output, writer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    reached = []

    def block() -> None:
        with interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("the end")
        reached.append("what follows")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_the_block_is_not_lost() -> None:
    with pytest.raises(ValueError, match="mine"), interrupts_held():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_it_does_nothing() -> None:
    done = []

    def work() -> None:
        with interrupts_held():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


COMPILING = """
import os, signal, threading
import numpy as np
from evstore.jit import kernel

def fold(values):
    total = 0
    for i in range(values.size):
        total = (total * 31 + values[i]) & 0xFFFFFFFF
    return total

def first(values):
    return values[0]

kernel(first)(np.zeros(3, np.int64))  # what numba imports when it first compiles is not meant here
fold = kernel(fold)
interrupt = threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    interrupt.start()
    fold(np.zeros(3, np.int64))
    interrupt.join()
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted", len(fold.signatures))
"""


def test_an_interrupt_while_compiling_waits_and_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(COMPILING)  # what is not in a file cannot be cached
    ran = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env=environment(NUMBA_CACHE_DIR=str(tmp_path / "cache")),
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "interrupted 1\n", ran.stderr
    assert ran.stderr == ""


LOST = """
import os, signal, time
from evstore.interrupts import lost_interrupts_come_again

class Let:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # here it is met
            pass

lost_interrupts_come_again()
try:
    let = Let()
    del let
    time.sleep(20)
    print("lost")
except KeyboardInterrupt:
    print("interrupted")
"""


def said_by(script: str) -> tuple[str, str]:
    """What a script prints, and what of it is an error."""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ran.stdout, ran.stderr


# Starting the thread that sends it again takes long enough for one to come meanwhile.
SENT_AT_ONCE = """
import os, signal, threading

class Slow(threading.Thread):
    def start(self):
        super().start()
        for _ in range(20):
            os.kill(os.getpid(), signal.SIGINT)

threading.Thread = Slow
"""


@pytest.mark.parametrize("again", [False, True])
def test_an_interrupt_as_an_object_is_let_go_of_is_not_lost(again: bool) -> None:
    """Nor where another comes while the first is being dealt with."""
    script = (SENT_AT_ONCE if again else "") + LOST
    assert said_by(script) == ("interrupted\n", "")


REPLACED = """
import signal, time
from evstore.interrupts import lost_interrupts_come_again

class Let:
    def __del__(self):
        raise KeyboardInterrupt

came = []
lost_interrupts_come_again()
let = Let()
del let
signal.signal(signal.SIGINT, lambda *_: came.append(1))
time.sleep(0.3)
print(len(came))
"""


def test_another_handler_has_it_once() -> None:
    assert said_by(REPLACED) == ("1\n", "")


@pytest.mark.parametrize("what", ["shard", "file"])
def test_an_interrupt_just_as_a_part_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    module, name, make = {
        "shard": (writer, "ShardWriter", writer.whole_shard),
        "file": (output, "PartFile", output.part_file),
    }[what]
    real = getattr(module, name)

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        assert os.listdir(tmp_path) == ["it.part"]
        os.kill(os.getpid(), signal.SIGINT)
        return made

    monkeypatch.setattr(module, name, interrupted)
    with pytest.raises(KeyboardInterrupt), make(tmp_path / "it"):
        raise AssertionError("the block began")
    assert os.listdir(tmp_path) == []
