"""What is written down of a run while it trains: a line a step, in metrics.jsonl."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any


class Records:
    """Times the phases of a step and writes one JSON object a line; no path: nothing is written.

    ``with records.phase("forward")`` and `reading` add to the seconds of the step that `step` ends.
    Each line is one write, so that a killed process leaves whole lines, and one torn one at most.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._file = None if path is None else open(path, "ab", buffering=0)  # noqa: SIM115
        self._seconds: dict[str, float] = {}

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def reading(self, loader: Iterable[Any]) -> Iterator[Any]:
        """The batches of a loader; what it takes to get each is the phase "data"."""
        batches = iter(loader)
        try:
            while True:
                with self.phase("data"):
                    batch = next(batches, None)
                if batch is None:
                    return
                yield batch
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Within: seconds of that phase."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    def step(
        self,
        *,
        loss: float,
        terms: Mapping[str, float],
        lr: float,
        epoch: int,
        step: int,
        grad_norm: float,
    ) -> None:
        """A step is done: write it."""
        seconds, self._seconds = self._seconds, {}
        record = {"kind": "step", "epoch": epoch, "step": step, "loss": loss, "terms": dict(terms)}
        with self.phase("logging"):
            self.write({**record, "lr": lr, "grad_norm": grad_norm, "seconds": seconds})

    def write(self, record: Mapping[str, Any]) -> None:
        """One line."""
        if self._file is not None:
            self._file.write(json.dumps(record).encode() + b"\n")

    def end_epoch(self, epoch: int) -> None:
        """An epoch is over."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def cut_at(path: str | os.PathLike[str], size: int) -> None:
    """Leave the first ``size`` bytes of a file, which is made where it is not.

    What a run wrote behind its last checkpoint, a resumed one writes again.
    """
    with open(path, "ab") as file:
        file.truncate(min(size, os.fstat(file.fileno()).st_size))


def size_now(path: str | os.PathLike[str]) -> int:
    """Bytes of a file, after they are on the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
