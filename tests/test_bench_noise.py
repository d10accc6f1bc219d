"""What bench noise measures: every case, of a short recording."""

from __future__ import annotations

from pathlib import Path

from bench import noise
from bench.bars import Settings


def test_every_case_is_measured(tmp_path: Path) -> None:
    best, ratios, speeds = noise.measure(Settings(events=0, rounds=1, quick=True, folder=tmp_path))
    assert best.parts.keys() == ratios.parts.keys() == speeds.parts.keys()
    assert len(best.parts) == 19
    for part, found in best.parts.items():
        as_bars = ratios.parts[part].median / noise.MUST, speeds.parts[part].median / noise.FAST
        assert found.median == max(as_bars) > 0
    assert best.measured == min(best.parts.values(), key=lambda one: one.median)
