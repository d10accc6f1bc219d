"""The process that measures one contender: a job as JSON comes in, what is found goes out.

A line is one JSON object: what was found since the line before, or ``{"doing": step}``. A peer
that ends or hangs the process takes with it only what it had not said.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from evstore.bench.contenders import named

Tell = Callable[..., None]


def main() -> None:
    """Do the job of standard input."""
    job = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as lines:
        os.dup2(2, 1)  # what a peer prints is not ours to read

        def tell(**found: Any) -> None:
            lines.write(json.dumps(found) + "\n")

        limit(job)
        tell(doing="import")
        contender = named(job["module"], job["name"])
        work = import_module(f"evstore.bench.{job['work']}").work
        work(contender, job, tell)
        tell(done=True)
        lines.flush()
        os._exit(0)  # a peer's threads and destructors have nothing to add


def limit(job: dict[str, Any]) -> None:
    """One processor, and no file of more than ``most_bytes``: some writers know no end."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        import resource
    except ImportError:
        return
    _bound(resource, resource.RLIMIT_FSIZE, job["most_bytes"])
    _bound(resource, resource.RLIMIT_CORE, 0)
    if "most_memory" in job:
        _bound(resource, resource.RLIMIT_AS, job["most_memory"])


def _bound(resource: Any, which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def said(error: BaseException) -> str:
    """An error in one line, not too long."""
    first = str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {first}"[:200]


if __name__ == "__main__":
    main()
