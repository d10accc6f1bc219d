"""A run as one page."""

from __future__ import annotations

import json
from typing import Any

from evstore.snn.report.drawing import Points, curves, stacked
from evstore.snn.report.findings import findings, time_words
from evstore.snn.report.html import Html, document, joined, table, tag
from evstore.snn.report.layer_sections import layers_section
from evstore.snn.report.reading import Run, number
from evstore.snn.report.time_split import split_of
from evstore.snn.report.words import seconds, short, tenths


def page_of_one(run: Run) -> str:
    """The whole page."""
    return document(f"{run.name}: evstore report", tag("h1", run.name), run_section(run))


def run_section(run: Run) -> Html:
    """All that there is to a run, without a heading."""
    return joined(
        (
            _facts(run),
            _stands_out(run),
            _epochs(run),
            _steps(run),
            _time(run),
            layers_section(run),
            _config(run),
        )
    )


def facts_of(run: Run) -> list[tuple[str, str]]:
    """What run.json says, flat; and what the records add up to."""
    found = [("status", run.status)]
    if run.steps:
        found.append(("steps", f"{len(run.steps):,} written down"))
    for key, value in run.about.items():
        if key == "status" or value is None:
            continue
        if isinstance(value, dict):
            found += [(f"{key} {name}", _flat(one)) for name, one in value.items()]
        else:
            found.append((key, _flat(value)))
    return found


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _facts(run: Run) -> Html:
    parts = [table(("run", ""), facts_of(run))]
    if run.problems:
        items = [tag("li", problem) for problem in run.problems]
        parts += [tag("p", "Not all of the run's files could be read:"), tag("ul", *items)]
    return joined(parts)


def _stands_out(run: Run) -> Html:
    found = findings(run)
    if not found:
        return tag("p", "Nothing stands out as wrong.")
    items = [tag("li", sentence) for sentence in found]
    return joined((tag("h2", "What stands out"), tag("ul", *items, class_="findings")))


def _epochs(run: Run) -> Html:
    if not run.epochs:
        return joined((tag("h2", "Epochs"), tag("p", "No epoch has ended.", class_="soft")))
    drawn = [
        curves(title, {split: run.of_split(split, key) for split in run.splits()}, "epoch")
        for title, key in (("accuracy", "accuracy"), ("loss", "loss"),
                           ("SynOps a sample", "synops_per_sample"))
    ]  # fmt: skip
    rows = [
        (short(r.get("epoch")), r.get("split", ""), tenths(r.get("accuracy")),
         short(r.get("loss")), short(r.get("samples")), short(r.get("synops_per_sample")),
         seconds(r.get("seconds")))
        for r in run.epochs
    ]  # fmt: skip
    head = ("epoch", "split", "accuracy", "loss", "samples", "SynOps/sample", "time")
    numbers = tag("details", tag("summary", "all epochs in numbers"), table(head, rows))
    return joined((tag("h2", "Epochs"), tag("div", *drawn, class_="row"), numbers))


def _steps(run: Run) -> Html:
    if not run.steps:
        return Html("")
    terms: dict[str, Points] = {
        name: of_steps(run, "terms", name)
        for name in dict.fromkeys(n for s in run.steps if isinstance(s.get("terms"), dict)
                                  for n in s["terms"])
    }  # fmt: skip
    drawn = [
        curves("loss", {"loss": of_steps(run, "loss")}),
        curves("terms of the loss", terms),
        curves("learning rate", {"lr": of_steps(run, "lr")}),
        curves("gradient norm", {"gradient norm": of_steps(run, "grad_norm")}, log=True),
    ]
    return joined((tag("h2", "Steps"), tag("div", *drawn, class_="row")))


def of_steps(run: Run, *keys: str) -> Points:
    """A value of each step that has it, at its number."""
    points = []
    for record in run.steps:
        value: Any = record
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        found, step = number(value), number(record.get("step"))
        if found is not None and step is not None:
            points.append((step, found))
    return points


def _time(run: Run) -> Html:
    split = split_of(run)
    words = tag("p", time_words(split))
    if not sum(split.values()):
        return joined((tag("h2", "Time"), words))
    rows = [(name, seconds(value)) for name, value in split.items()]
    rows.append(("a step", seconds(sum(split.values()))))
    return joined(
        (tag("h2", "Time"), words, stacked("a step's time", split), table(("phase", "mean"), rows))
    )


def _config(run: Run) -> Html:
    if run.config is None:
        return Html("")
    return joined((tag("h2", "Configuration"), tag("pre", run.config)))
