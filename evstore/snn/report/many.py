"""Several runs, of seeds or of a sweep, as one page."""

from __future__ import annotations

from typing import Any

from evstore.snn.report.drawing import curves
from evstore.snn.report.findings import findings
from evstore.snn.report.html import Html, document, joined, table, tag
from evstore.snn.report.page import run_section
from evstore.snn.report.reading import Run, number
from evstore.snn.report.summary import summary_rows
from evstore.snn.report.words import short, tenths


def page_of_many(runs: list[Run], name: str, summary: Any) -> str:
    """A table of all, their curves together, and each run's own section below."""
    title = f"{name}: {len(runs)} run{'s' if len(runs) > 1 else ''}"
    rows = [
        (tag("a", run.name, href=f"#run-{index}"), *row_of(run)[1:])
        for index, run in enumerate(runs)
    ]
    drawn = [
        curves("accuracy on test", {run.name: run.of_split("test", "accuracy") for run in runs},
               "epoch"),
        curves("loss on test", {run.name: run.of_split("test", "loss") for run in runs}, "epoch"),
    ]  # fmt: skip
    return document(
        f"{name}: evstore report",
        tag("h1", title),
        table(HEAD, rows),
        tag("div", *drawn, class_="row"),
        _summary(summary),
        *(_section(run, index) for index, run in enumerate(runs)),
    )


HEAD = ("run", "status", "epochs", "best on test", "last on test", "SynOps/sample", "to look at")


def row_of(run: Run) -> tuple[str, ...]:
    """A run in the columns of `HEAD`."""
    accuracy = [value for _, value in run.of_split("test", "accuracy")]
    operations = [value for _, value in run.of_split("test", "synops_per_sample")]
    epochs = len({number(record.get("epoch")) for record in run.epochs})
    return (
        run.name,
        run.status,
        short(epochs),
        tenths(max(accuracy, default=None)),
        tenths(accuracy[-1] if accuracy else None),
        short(operations[-1] if operations else None),
        short(len(findings(run))),
    )


def _section(run: Run, index: int) -> Html:
    heading = tag("h2", run.name, id=f"run-{index}")
    return joined((heading, tag("details", tag("summary", "all of this run"), run_section(run))))


def _summary(summary: Any) -> Html:
    """summary.json: a row for each value, or whatever else it holds."""
    if summary is None:
        return Html("")
    rows = summary_rows(summary)
    return joined((tag("h2", "Summary"), table(rows[0], rows[1:]) if rows else _shown(summary)))


def _shown(value: Any, depth: int = 0) -> Html:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        head = list(dict.fromkeys(key for one in value for key in one))
        return table(head, [[_cell(one.get(key), depth) for key in head] for one in value])
    if isinstance(value, dict):
        return table(("", ""), [(key, _cell(one, depth)) for key, one in value.items()])
    return tag("p", _cell(value, depth))


def _cell(value: Any, depth: int) -> object:
    if isinstance(value, dict) or (
        isinstance(value, list) and value and isinstance(value[0], dict)
    ):
        return _shown(value, depth + 1) if depth < 4 else "..."
    if isinstance(value, list):
        return ", ".join(str(_cell(one, depth + 1)) for one in value[:20])
    return value if isinstance(value, str) else short(value) if number(value) is not None else (
        "" if value is None else str(value)
    )  # fmt: skip
