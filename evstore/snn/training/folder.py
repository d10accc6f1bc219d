"""A run's folder: what was asked, with which versions, and what became of it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evstore.errors import ArgumentError, CorruptError
from evstore.locks import lock
from evstore.snn.training.config import differing, flat, load_config, to_toml
from evstore.snn.training.schema import Config
from evstore.snn.whole_file import write_whole

PACKAGES = ("evstore", "torch", "sinabs", "numpy", "numba")
PATIENCE_S = 8.0  # for the workers of a run that was killed


class RunFolder:
    """The paths of a run, and its run.json."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.facts = self.path / "run.json"
        self.metrics = self.path / "metrics.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.last = self.checkpoints / "last.pt"
        self.best = self.checkpoints / "best.pt"

    def check(self, config: Config, resume: bool) -> None:
        """Raises ArgumentError where a run is here that would be lost, or one of another config.

        One that ended before its first checkpoint is none: it begins anew.
        """
        ended = self.read().get("status") in ("failed", "interrupted")
        if ended and not (self.last.exists() or self.best.exists()):
            return
        there = [p.name for p in (self.config, self.facts, self.metrics, self.last) if p.exists()]
        if there and not resume:
            raise ArgumentError(
                f"{self.path}: holds a run already ({', '.join(there)}). Go on with it by resume "
                "(--resume), or name another folder (--out)"
            )
        if self.config.exists():
            before = load_config(self.config)
            if keys := differing(before, config):
                was, now = flat(before), flat(config)
                said = [f"{key} was {was.get(key)!r}, is {now.get(key)!r}" for key in keys]
                raise ArgumentError(
                    f"{self.path}: the run that would go on has another configuration: "
                    f"{'; '.join(said)}. Say what it said, or name another folder (--out)"
                )

    def stands(self) -> tuple[Any, ...]:
        """What tells whether another process has trained here meanwhile."""
        found = [p.stat() if p.exists() else None for p in (self.config, self.facts, self.last)]
        return tuple(one and (one.st_mtime_ns, one.st_size, one.st_ino) for one in found)

    @contextmanager
    def alone(self, stood: tuple[Any, ...]) -> Iterator[None]:
        """Within: no other process trains here. Makes the folder; raises ArgumentError.

        Also where it does not stand as it ``stood`` when it was looked at. Workers of a run that
        was killed may live, and hold its lock, some seconds longer.
        """
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        if not hasattr(os, "O_DIRECTORY"):
            yield
            return
        handle = os.open(self.checkpoints, os.O_RDONLY | os.O_DIRECTORY)
        try:
            until = time.monotonic() + PATIENCE_S
            while not lock(handle):
                if time.monotonic() > until:
                    raise ArgumentError(f"{self.path}: another process is training here")
                time.sleep(0.05)
            if self.stands() != stood:
                raise ArgumentError(f"{self.path}: another process has trained here meanwhile. Go "
                                    "on with its run by resume (--resume), or name another folder "
                                    "(--out)")  # fmt: skip
            yield
        finally:
            os.close(handle)

    def begin(self, config: Config, digest: str) -> None:
        """Write down what is asked."""
        write_whole(self.config, to_toml(config).encode())
        started = self.read().get("started") or _now()
        self.write(
            versions=versions(),
            dataset={"root": config.data.root, "samples_digest": digest},
            seed=config.training.seed,
            started=started,
            finished=None,
            status="running",
            error=None,
        )

    def read(self) -> dict[str, Any]:
        """What run.json says; an empty one where there is none. Raises CorruptError, OSError."""
        try:
            found = json.loads(self.facts.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise CorruptError(f"no JSON: {error}", path=self.facts) from None
        if not isinstance(found, dict):
            raise CorruptError("no facts of a run", path=self.facts, got=found)
        return found

    def write(self, **facts: Any) -> None:
        """Say these facts in run.json, beside those that stand there."""
        text = json.dumps({**self.read(), **facts}, indent=2)
        write_whole(self.facts, f"{text}\n".encode())

    def done(self, result: Mapping[str, Any]) -> None:
        """The run has come to its end."""
        self.write(status="done", finished=_now(), error=None, result=dict(result))

    def ended(self, error: BaseException) -> None:
        """The run has ended before: interrupted, or failed."""
        if self.path.is_dir():
            interrupted = isinstance(error, KeyboardInterrupt)
            status, said = ("interrupted", None) if interrupted else ("failed", str(error))
            self.write(status=status, finished=_now(), error=said)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": sys.version.partition(" ")[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a checkout
            found[package] = "unknown"
    return found


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
