"""Contenders that tests measure in processes of their own: right, wrong, and worse."""

from __future__ import annotations

import os
import time
from typing import Any

from evstore.bench.contender import Contender
from evstore.bench.numpy_files import Npy, Records
from evstore.events import Events


class Right(Npy):
    name = "right"


class Liar(Records):
    name = "liar"

    def read(self) -> Any:
        found = super().read()
        found["x"][7] ^= 1
        return found


class LiesIntoBuffers(Records):
    name = "lies into buffers"

    def reuse(self) -> Any:
        super().reuse()["t"][3] += 5
        return self._buffer


class WrongWindows(Npy):
    name = "wrong windows"

    def window(self, start: int, stop: int) -> Any:
        return [column[:-1] for column in super().window(start, stop)]


class Panics(Records):
    name = "panics"

    def read(self) -> Any:
        raise BaseException("a panic of another runtime")


class Crashes(Records):
    name = "crashes"

    def read(self) -> Any:
        os.abort()


class Hangs(Records):
    name = "hangs"

    def read(self) -> Any:
        time.sleep(600)


class Absent(Records):
    name = "absent"
    packages = ("no_such_package_here",)


class Refuses(Records):
    name = "refuses"

    def take(self, events: Events) -> Any:
        raise ValueError("not these")


class NeverEnds(Records):
    name = "never ends"

    def write(self, taken: Any) -> None:
        with open(self.path, "wb") as file:
            while True:
                file.write(bytes(1 << 20))


CONTENDERS: tuple[type[Contender], ...] = (
    Right,
    Liar,
    LiesIntoBuffers,
    WrongWindows,
    Panics,
    Crashes,
    Hangs,
    Absent,
    Refuses,
    NeverEnds,
)
