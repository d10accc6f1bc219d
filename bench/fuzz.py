"""Damaged copies of every foreign format's files: events or an EvstoreError, nothing else.

    python -m bench.fuzz FORMAT [--copies N] [--seed N] [--into FOLDER]
    python -m bench.fuzz FORMAT --replay FILE

Copies are guided by coverage: `fuzz_child` reads them, in a process that may be lost. One that
breaks the rule is kept, and the message names it; --replay reads such a file again.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.bars import Bar, Settings
from bench.child import run
from bench.fuzz_child import CURRENT
from bench.fuzz_kept import keep, noted
from bench.recordings import ROOT
from bench.timing import exact
from evstore.formats import conformance, conformance_damage, registry

COPIES = 100_000
QUICK_COPIES = 500
SEED = 4
SECONDS = 2.0  # for one copy
LOST = 10  # processes of one format, after which no more is tried


@dataclass
class Fuzzed:
    """What came of one format."""

    copies: int = 0
    seconds: float = 0.0
    lines: int = 0
    kept: int = 0
    faults: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # copies that ended the process


def fuzz(
    module: str,
    folder: Path,
    into: Path,
    copies: int = COPIES,
    seed: int = SEED,
    seconds: float = SECONDS,
) -> Fuzzed:
    """Read so many copies of a format's files. Where the process is lost, another goes on."""
    into.mkdir(parents=True, exist_ok=True)
    found = Fuzzed()
    while found.copies < copies and len(found.lost) < LOST:
        left = copies - found.copies
        said = ("--copies", str(left), "--seed", str(seed + len(found.lost)))
        arguments = (module, str(folder), str(into), *said, "--seconds", str(seconds))
        done = run("-m", "bench.fuzz_child", *arguments, check=False)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        if told:
            take(found, told[-1])
        if done.returncode == 0:
            break
        if done.returncode > 0:
            raise RuntimeError(done.stderr)  # no copy is to blame
        found.lost.append(keep_lost(into, len(found.lost), done))
        found.copies += 1
    return found


def take(found: Fuzzed, told: dict[str, Any]) -> None:
    """Add what a process said last."""
    found.copies += told["copies"]
    found.seconds += told["seconds"]
    found.lines = max(found.lines, told["lines"])
    found.kept = max(found.kept, told["kept"])
    found.faults += told["faults"]


def keep_lost(into: Path, number: int, done: subprocess.CompletedProcess[str]) -> str:
    """Put the copy that a process was lost on aside; says why it was, and where the copy is."""
    path = into / f"lost{number}"
    keep(path, *noted(into / CURRENT))
    path.with_suffix(".txt").write_text(done.stderr, encoding="utf-8")  # the traceback
    name = signal.Signals(-done.returncode).name
    return f"{'it hangs' if name == 'SIGALRM' else f'ended by {name}'}: {path}"


def replay(module: str, path: Path, seconds: float = SECONDS) -> None:
    """Read one copy again. Raises NotConforming, with the traceback of what was raised."""
    case = conformance.case(path, import_module(module))
    tracemalloc.start()
    try:
        judged = conformance_damage.judge(case, path.read_bytes(), seconds)
    finally:
        tracemalloc.stop()
    events = sum(batch.t.size for batch in judged.batches)
    print(f"{events} events, then {judged.error!r}")


def measure(settings: Settings) -> list[Bar]:
    copies = QUICK_COPIES if settings.quick else COPIES
    bars = []
    for name in (name for name in registry.NAMES if name != "evs"):
        found = fuzz(*place(name), settings.folder / "fuzz" / name, copies)
        note = "; ".join([summary(found), *found.faults, *found.lost])
        if getattr(registry.by_name(name), "C_PARSED", False):
            note += "; parsed by a C library, which --untrusted runs in a process of its own"
        bars.append(
            Bar(f"damaged copies of {name} that crash, hang or take memory",
                "", "less", 0, None, exact(len(found.faults) + len(found.lost)), note=note)
        )  # fmt: skip
    return bars


def place(name: str) -> tuple[str, Path]:
    """The module and the folder of a format."""
    return f"evstore.formats.{name}", ROOT / "formats" / name


def summary(found: Fuzzed) -> str:
    per_s = found.copies / max(found.seconds, 1e-9)
    return (
        f"{found.copies:,} copies, {per_s:,.0f}/s; "
        f"{found.lines:,} lines run, {found.kept:,} files kept"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("format")
    parser.add_argument("--copies", type=int, default=COPIES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--into", type=Path, help="where copies that break the rule are kept")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    said = parser.parse_args()
    module, folder = place(said.format)
    if said.replay is not None:
        replay(module, said.replay)
        return 0
    into = said.into or Path(tempfile.gettempdir()) / "evstore-bench" / "fuzz" / said.format
    found = fuzz(module, folder, into, said.copies, said.seed)
    print(f"{said.format}: {summary(found)}; seed {said.seed}")
    for fault in found.faults + found.lost:
        print(f"{said.format}: {fault}")
    return 1 if found.faults or found.lost else 0


if __name__ == "__main__":
    sys.exit(main())
