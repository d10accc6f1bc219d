"""A run in some lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from evstore.snn.report.findings import findings, time_words
from evstore.snn.report.layer_sections import SPIKING, WEIGHTED, layer_rows
from evstore.snn.report.reading import Run
from evstore.snn.report.time_split import split_of
from evstore.snn.report.words import seconds, short, tenths

SHOWN_EPOCHS = 5


def text_of(run: Run) -> str:
    """What a page says of it, without the pictures."""
    parts = [f"{run.name}: {run.status}, {len(run.steps):,} steps written down"]
    parts += [f"  {problem}" for problem in run.problems]
    parts += [f"! {sentence}" for sentence in findings(run)]
    if run.epochs:
        parts += ["", *aligned(_epochs(run))]
    split = split_of(run)
    if split:
        times = ", ".join(f"{name} {seconds(value)}" for name, value in split.items())
        parts += ["", f"{time_words(split)} ({times})"]
    for columns in (SPIKING, WEIGHTED):
        rows = layer_rows(run.last_layers(), columns)
        if len(rows) > 1:
            parts += ["", *aligned(rows)]
    return "\n".join(parts)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns below each other, the first to the left.

    >>> aligned([["layer", "rate"], ["0", "0.25"]])
    ['layer  rate', '0      0.25']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _epochs(run: Run) -> list[list[str]]:
    rows = [["epoch", "split", "accuracy", "loss", "SynOps/sample", "time"]]
    for record in run.epochs[-SHOWN_EPOCHS * max(1, len(run.splits())) :]:
        rows.append(
            [short(record.get("epoch")), str(record.get("split", "")),
             tenths(record.get("accuracy")), short(record.get("loss")),
             short(record.get("synops_per_sample")), seconds(record.get("seconds"))]
        )  # fmt: skip
    return rows
