"""How tests run `evstore`, and the small recordings they give it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from conftest import ROOT
from evstore.cli import command
from evstore.events import Events
from evstore.formats import evt3

RESOLUTION = (64, 48)


@dataclass
class Ran:
    """What a run gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line that an error is."""
        lines = [line for line in self.err.splitlines() if "left out" not in line]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("evstore: error: ")
        return lines[0].removeprefix("evstore: error: ")


def run(*arguments: object) -> Ran:
    """`evstore` with these arguments, in this process."""
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def environment(**more: str) -> dict[str, str]:
    """Of a process that finds this checkout, installed or not."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **more}


def start(*arguments: object, **more: Any) -> subprocess.Popen[bytes]:
    """`evstore` in a process of its own, its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "evstore", *(str(a) for a in arguments)],
        stdout=more.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        env=environment(),
        **more,
    )


def some_events(count: int = 3000, seed: int = 1) -> Events:
    """Events that EVT3 can hold, 0 to about 30 ms, with a few of equal times."""
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, 10 * count, count))
    x = random.integers(0, RESOLUTION[0], count)
    y = random.integers(0, RESOLUTION[1], count)
    return Events(t, x, y, random.integers(0, 2, count), RESOLUTION)


def raw_bytes(events: Events) -> bytes:
    """The events as an EVT3 file."""
    stream = io.BytesIO()
    writer = evt3.writer(stream, events.resolution or RESOLUTION, {})
    writer.write(events.t, events.x, events.y, events.p)
    writer.close()
    return stream.getvalue()


def write_raw(path: Path, events: Events) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw_bytes(events))
    return path


def files_below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
