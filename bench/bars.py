"""A bar: what must be reached, what is aimed at, what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.timing import Spread

UNITS = {"x": "x", "bits": " bits", "MB": " MB", "B": " B", "reads": " reads", "s": " s", "": ""}


@dataclass(frozen=True)
class Settings:
    """How much to measure."""

    events: int  # of a tiled recording
    rounds: int
    quick: bool
    folder: Path  # for files made on the way


@dataclass
class Bar:
    """One row of the table. ``must`` and ``aim`` are bounds of ``measured``, None for no bound."""

    name: str
    unit: str
    better: str  # "more" or "less"
    must: float | None
    aim: float | None
    measured: Spread
    parts: dict[str, Spread] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> str:
        """aim, must or no; empty where there is no bound."""
        if self.must is None:
            return ""
        if self.aim is not None and self._within(self.aim):
            return "aim"
        return "must" if self._within(self.must) else "no"

    def _within(self, bound: float) -> bool:
        value = self.measured.median
        return value >= bound if self.better == "more" else value <= bound

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Bar:
        fields = {key: value for key, value in said.items() if key != "met"}
        fields["measured"] = Spread(**said["measured"])
        fields["parts"] = {name: Spread(**part) for name, part in said["parts"].items()}
        return cls(**fields)


def over_recordings(parts: Mapping[str, Spread]) -> Spread:
    """The median of the recordings' medians; the spread is theirs."""
    return Spread.of(part.median for part in parts.values())


def worst(parts: Mapping[str, Spread], better: str) -> Spread:
    """The recording that does worst."""
    pick = min if better == "more" else max
    return pick(parts.values(), key=lambda part: part.median)


def table(bars: Iterable[Bar]) -> str:
    """The bars as Markdown."""
    lines = ["| bar | must | aim | measured (least to greatest) | met |", "|---|---|---|---|---|"]
    for bar in bars:
        measured = f"{number(bar.measured.median)}{UNITS[bar.unit]}"
        if bar.measured.low != bar.measured.high:
            measured += f" ({number(bar.measured.low)} to {number(bar.measured.high)})"
        lines.append(
            f"| {bar.name} | {bound(bar, bar.must)} | {bound(bar, bar.aim)} "
            f"| {measured} | {bar.met} |"
        )
    return "\n".join(lines)


def bound(bar: Bar, value: float | None) -> str:
    if value is None:
        return ""
    return f"{'>=' if bar.better == 'more' else '<='} {value:,g}{UNITS[bar.unit]}"


def number(value: float) -> str:
    """Three digits that count, without an exponent.

    >>> number(1.2345), number(38.26), number(65536.0), number(1.0)
    ('1.23', '38.3', '65,536', '1')
    """
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
