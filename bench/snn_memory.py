"""Peak memory of a training step: our layers against sinabs', each in a process of its own."""

from __future__ import annotations

import resource
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.bars import Bar, Settings, worst
from bench.child import run
from bench.snn import frames_of, talk, training_step
from bench.timing import Spread

BATCH, SIDE = 8, 30
STEPS = (100, 500)  # of a sample
QUICK = (20,)
TIMES = 3  # training steps: from the second on there are moments, and memory that is used again
PAGE = resource.getpagesize()


def measure(settings: Settings) -> list[Bar]:
    """Linux only: elsewhere a process cannot forget the peak of what it did before."""
    there = find_spec("torch") is not None and find_spec("sinabs") is not None
    if not there or not sys.platform.startswith("linux"):
        return []
    runs = 1 if settings.quick else 3
    found: dict[str, Spread] = {}
    spoken = []
    for n_steps in QUICK if settings.quick else STEPS:
        pairs = [
            tuple(peak_of_step(kind, n_steps) for kind in ("evstore", "sinabs"))
            for _ in range(runs)
        ]
        found[f"T {n_steps}"] = Spread.of(a / b for a, b in pairs)
        ours, theirs = pairs[0]
        spoken.append(f"T {n_steps}: {ours:,.0f} MB, sinabs {theirs:,.0f} MB")
    note = (
        f"the talk's network, batch {BATCH}; resident memory at most during {TIMES} steps, above "
        "that of the process with model and frames after a step of T 2, blocks that are kept to be "
        "used again included; the T that does worst; " + "; ".join(spoken)
    )
    name = f"CPU: peak memory of a training step, 2x{SIDE}x{SIDE}, {', '.join(found)}, over sinabs'"
    return [Bar(name, "x", "less", 0.5, 0.3, worst(found, "less"), found, note)]


def peak_of_step(kind: str, n_steps: int) -> float:
    """Megabytes, in a process of its own."""
    return float(run("-m", "bench.snn_memory", kind, str(n_steps)).stdout) / 1e6


def peak_here(kind: str, n_steps: int) -> int:
    """Bytes that this process needs more while it takes steps than it has before."""
    from bench.snn_peers import in_sinabs

    model: Any = talk(SIDE)
    if kind == "sinabs":
        model = in_sinabs(model)
    given = frames_of(BATCH, n_steps, SIDE)
    training_step(model, *frames_of(BATCH, 2, SIDE))()  # compiles kernels
    step = training_step(model, *given)
    # VmHWM becomes what is resident now. ru_maxrss cannot be set back, and a child's begins with
    # that of the process that started it.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident()
    for _ in range(TIMES):
        step()
    return of_status("VmHWM") - before


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def of_status(name: str) -> int:
    """A line of this process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status has no {name}")


if __name__ == "__main__":
    print(peak_here(sys.argv[1], int(sys.argv[2])))
