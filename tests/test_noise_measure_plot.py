"""Plots of measured noise."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from evstore.errors import MissingDependencyError
from evstore.events import Events
from evstore.noise import measure
from evstore.noise.measuring.plot import by_width, plot
from evstore.noise.measuring.refractory import edges_us


def some() -> Events:
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 1_000_000, 5000))
    return Events(t, rng.integers(0, 20, 5000), rng.integers(0, 16, 5000), t % 2, (20, 16))


@pytest.mark.parametrize("events", [some(), Events.empty((20, 16))], ids=["some", "none"])
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_plot(tmp_path: Path, events: Events, kind: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"noise.{kind}"
    plot(measure(events, (20, 16)), path)
    assert path.stat().st_size > 5000


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="matplotlib"):
        plot(measure(some()), tmp_path / "noise.png")


def test_intervals_at_random_are_as_dense_in_all_bins() -> None:
    """That are twice as wide from one octave to the next, and of less than a microsecond at first.

    Of so many of each length.
    """
    edges = edges_us()
    lengths = np.arange(1, 1 << 12)
    counts, _ = np.histogram(np.repeat(lengths, 3), edges)
    starts, dense = by_width(edges, counts)
    assert starts[0] == 1
    assert (np.diff(starts) >= 1).all()
    assert (dense[starts < (1 << 12)] == 3).all()
    assert (dense * np.diff(np.append(starts, np.ceil(edges[-1])))).sum() == counts.sum()
