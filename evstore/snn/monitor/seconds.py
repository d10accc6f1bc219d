"""Where a step's time goes."""

from __future__ import annotations

import time
from collections.abc import Mapping

#: The phases of a step, in the order in which they come; "other" is what none of them measured.
PHASES = ("data", "forward", "backward", "optimiser", "logging", "other")


class Clock:
    """Seconds by phase since the last `take`, and their sums since the last `restart`."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.sums: dict[str, float] = {}
        self._began = time.perf_counter()

    def add(self, phase: str, seconds: float) -> None:
        """Count ``seconds`` to a phase."""
        self.phases[phase] = self.phases.get(phase, 0.0) + seconds

    def take(self) -> dict[str, float]:
        """The seconds of the step that ends now; the next one begins."""
        now = time.perf_counter()
        taken = {phase: max(0.0, seconds) for phase, seconds in self.phases.items()}
        taken["other"] = max(0.0, now - self._began - sum(taken.values()))
        self.phases, self._began = {}, now
        for phase, seconds in taken.items():
            self.sums[phase] = self.sums.get(phase, 0.0) + seconds
        return taken

    def pause_ends(self) -> None:
        """What happened since the last step (an evaluation, say) is of no step."""
        self.phases, self._began = {}, time.perf_counter()


def bottleneck(seconds: Mapping[str, float]) -> tuple[str, float] | None:
    """The phase that takes the longest, and its share; None where nothing was measured.

    >>> bottleneck({"data": 3.0, "forward": 1.0})
    ('data', 0.75)
    """
    total = sum(seconds.values())
    if not total > 0:
        return None
    phase = max(seconds, key=lambda name: seconds[name])
    return phase, seconds[phase] / total
