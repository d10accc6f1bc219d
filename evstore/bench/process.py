"""Run a job in a process of its own, and say how that ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

TIMEOUT_S = 180.0
#: Peers that would take more than their share.
ONE_THREAD = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "BLOSC_NTHREADS", "ARROW_NUM_THREADS")


def run(job: dict[str, Any], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """All that the job told. One that ended before it was done adds ``ended`` and ``why``."""
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "evstore.bench.child"],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=timeout_s,
            env=environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        found = told(error.stdout or b"")
        return {**found, "ended": "hang", "why": f"{timeout_s:g} s and no end, {found['doing']}"}
    found = told(ran.stdout)
    if not found.pop("done", False):
        why = _end(ran.returncode, ran.stderr.decode(errors="replace"))
        return {**found, "ended": "crash", "why": f"{why}, {found['doing']}"}
    return found


def environment() -> dict[str, str]:
    """Of a process that finds the modules this one finds, and works in one thread."""
    path = os.pathsep.join(place for place in sys.path if place)
    return {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": path}


def told(lines: bytes) -> dict[str, Any]:
    """What the lines said, the later over the earlier; ``doing`` is the step it was at."""
    found: dict[str, Any] = {"doing": "before it began"}
    for line in lines.splitlines():
        try:
            found |= json.loads(line)
        except ValueError:  # it was cut off while it spoke
            break
    return found


def _end(code: int, errors: str) -> str:
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    last = errors.strip().rsplit("\n", 1)[-1][:200]
    return last or f"exit code {code}"
