"""Where the time of a run's steps went."""

from __future__ import annotations

from evstore.snn.report.reading import Run, number

#: As evstore.snn.monitor.seconds has them; a phase of another name comes behind.
PHASES = ("data", "forward", "backward", "optimiser", "logging", "other")


def split_of(run: Run) -> dict[str, float]:
    """Mean seconds of a step by phase; of the first one only where it is the only one.

    It compiles, opens and allocates what the others find there. On a GPU only the steps that
    waited for it tell what was slow.
    """
    steps = [step for step in run.steps if isinstance(step.get("seconds"), dict)]
    waited = [step for step in steps if step.get("waited") is True]
    steps = waited or steps
    steps = steps[1:] or steps
    sums: dict[str, float] = {}
    for step in steps:
        for phase, value in step["seconds"].items():
            found = number(value)
            if found is not None and found >= 0:
                sums[phase] = sums.get(phase, 0.0) + found
    names = [name for name in PHASES if name in sums] + [n for n in sums if n not in PHASES]
    return {name: sums[name] / len(steps) for name in names}
