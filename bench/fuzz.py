"""Damaged copies of every foreign format's vectors: events or an EvstoreError, nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.bars import Bar, Settings
from bench.child import run
from bench.recordings import ROOT
from bench.startup import exact
from evstore.formats import conformance, registry

COPIES = 100_000
QUICK_COPIES = 500
SEED = 4


def vectors(name: str) -> list[Path]:
    return conformance.files(ROOT / "formats" / name, "vectors")


def damage(name: str, copies: int) -> None:
    """Read so many damaged copies of a format's vectors. Raises NotConforming."""
    paths = vectors(name)
    for path in paths:
        conformance.check_damaged(conformance.case(path), SEED, -(-copies // len(paths)))


def measure(settings: Settings) -> list[Bar]:
    copies = QUICK_COPIES if settings.quick else COPIES
    bars = []
    for name in (name for name in registry.NAMES if name != "evs"):
        # A process of its own: a crash must not take the rest along.
        done = run("-m", "bench.fuzz", name, str(copies), check=False)
        failed = done.returncode != 0
        last = (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
        note = last if failed else f"{copies:,} copies"
        if getattr(registry.by_name(name), "C_PARSED", False):
            note += "; parsed by a C library, which --untrusted runs in a process of its own"
        bars.append(
            Bar(f"damaged copies of {name} that crash, hang or take memory",
                "", "less", 0, None, exact(failed), note=note)
        )  # fmt: skip
    return bars


if __name__ == "__main__":
    damage(sys.argv[1], int(sys.argv[2]))
