"""Damaged copies of every foreign format's vectors: events or an EvstoreError, nothing else.

Takes the vectors and the damage from the tests, so it needs `pip install evstore[test]`.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

from bench.bars import Bar, Settings
from bench.child import run
from bench.recordings import ROOT
from bench.startup import exact
from evstore.errors import EvstoreError

COPIES = 100_000
QUICK_COPIES = 500
SECONDS = 5.0
MEMORY = 64 << 20
SEED = 4


def formats() -> list[str]:
    return sorted({path.parent.parent.name for path in vectors()})


def vectors() -> list[Path]:
    _tests()
    from test_formats_fuzz import VECTORS

    return list(VECTORS)


def damage(name: str, copies: int) -> int:
    """Read so many damaged copies of a format's vectors; how many were refused."""
    _tests()
    from test_formats_fuzz import case, mutate

    paths = [path for path in vectors() if path.parent.parent.name == name]
    refused = 0
    for path in paths:
        content, vector = path.read_bytes(), case(path)
        list(vector.reading().batches)  # compiled before time and memory are watched
        source = random.Random(SEED ^ zlib.crc32(str(path.relative_to(ROOT)).encode()))
        tracemalloc.start()
        for copy in range(-(-copies // len(paths))):
            refused += read(vector, mutate(content, source), f"copy {copy} of {path.name}")
        tracemalloc.stop()
    return refused


def read(vector, content: bytes, where: str) -> bool:  # type: ignore[no-untyped-def]
    """Whether it was refused; within bounds of time and memory either way."""
    tracemalloc.reset_peak()
    began = time.monotonic()
    refused = False
    try:
        for _ in vector.reading(content, batch_events=4096).batches:
            pass
    except EvstoreError:
        refused = True
    taken, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    assert taken < SECONDS, f"{where}: {taken:.1f} s"
    assert peak <= MEMORY + 4 * len(content), f"{where}: {peak:,} bytes"
    return refused


def _tests() -> None:
    tests = str(ROOT / "tests")
    if tests not in sys.path:
        sys.path.insert(0, tests)


def measure(settings: Settings) -> list[Bar]:
    copies = QUICK_COPIES if settings.quick else COPIES
    bars = []
    for name in formats():
        # A process of its own: a crash must not take the rest along.
        done = run("-m", "bench.fuzz", name, str(copies), check=False)
        failed = done.returncode != 0
        last = (done.stderr.strip().splitlines() or ["killed"])[-1]
        note = last if failed else f"{copies:,} copies, {int(done.stdout):,} of them refused"
        bars.append(
            Bar(f"damaged copies of {name} that crash, hang or take memory",
                "", "less", 0, None, exact(failed), note=note)
        )  # fmt: skip
    return bars


if __name__ == "__main__":
    print(damage(sys.argv[1], int(sys.argv[2])))
