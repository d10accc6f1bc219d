"""Several runs together, a row for each value of a sweep: what `evstore train` prints of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evstore.snn.report.reading import number
from evstore.snn.report.words import NOTHING, short

HEAD = ("runs", "accuracy", "95 %", "SynOps/sample", "s/epoch")


def summary_rows(summary: Any) -> list[tuple[str, ...]] | None:
    """The head and the rows of a summary of seeds or of a sweep; None where it is neither.

    >>> accuracy = {"n": 2, "mean": 0.975, "std": 0.05, "interval_95": [0.9, 1.2]}
    >>> summary_rows({"accuracy": accuracy, "runs": []})[1]
    ('all', '2', '97.50% +- 5.00', '90.00% .. 100.00%', '-', '-')
    """
    if not isinstance(summary, Mapping):
        return None
    swept = summary.get("rows")
    if isinstance(swept, list) and all(isinstance(row, Mapping) for row in swept):
        head, said = str(summary.get("key", "")), [(str(row.get("value")), row) for row in swept]
    else:
        head, said = "", [("all", summary)]
    if not said or not all(isinstance(row.get("accuracy"), Mapping) for _, row in said):
        return None
    return [(head, *HEAD), *((name, *_cells(row)) for name, row in said)]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """How many runs, mean and spread of the accuracy, its interval, and the cost."""
    accuracy = row["accuracy"]
    mean, spread = number(accuracy.get("mean")), number(accuracy.get("std"))
    shown = NOTHING if mean is None else f"{mean:.2%}"
    return (
        short(accuracy.get("n")),
        shown if spread is None else f"{shown} +- {100 * spread:.2f}",
        _interval(accuracy.get("interval_95")),
        short(_mean(row, "synops_per_sample")),
        short(_mean(row, "seconds_per_epoch")),
    )


def _mean(row: Mapping[str, Any], of: str) -> Any:
    found = row.get(of)
    return found.get("mean") if isinstance(found, Mapping) else None


def _interval(ends: Any) -> str:
    """Of shares, which lie in 0..1 whatever Student's distribution says of two runs."""
    if not isinstance(ends, list) or len(ends) != 2:
        return NOTHING
    low, high = number(ends[0]), number(ends[1])
    if low is None or high is None:
        return NOTHING
    return f"{max(0.0, low):.2%} .. {min(1.0, high):.2%}"
