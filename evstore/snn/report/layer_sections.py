"""The layers of a run: tables, and of each its curves, histograms and neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evstore.snn.report.drawing import bars, curves
from evstore.snn.report.findings import layer_label
from evstore.snn.report.html import Html, joined, table, tag
from evstore.snn.report.neuron_image import neuron_strip
from evstore.snn.report.reading import Run, number
from evstore.snn.report.words import percent, short

#: Of spiking layers and of weighted ones: heading, key (dotted: within), how it is said.
SPIKING: list[tuple[str, str, Callable[[Any], str]]] = [
    ("neurons", "neurons", short),
    ("spikes/neuron/step", "rate_per_step", short),
    ("Hz", "rate_hz", short),
    ("dead", "dead", percent),
    ("saturated", "saturated", percent),
    ("silent in batch", "silent", percent),
    ("mean interval, steps", "mean_interval_steps", short),
    ("v_mem min", "v_mem_min", short),
    ("mean", "v_mem_mean", short),
    ("max", "v_mem_max", short),
    ("threshold", "threshold", short),
]
WEIGHTED: list[tuple[str, str, Callable[[Any], str]]] = [
    ("SynOps/sample", "synops_per_sample", short),
    ("SynOps/step", "synops_per_step", short),
    ("SynOps/s", "synops_per_s", short),
    ("weight min", "weights.min", short),
    ("mean", "weights.mean", short),
    ("max", "weights.max", short),
    ("std", "weights.std", short),
    ("zeros", "weights.zeros", percent),
    ("8-bit error", "weights.quantised.relative_error", percent),
    ("8-bit zeros", "weights.quantised.zeros", percent),
    ("weight/threshold", "weight_to_threshold", short),
    ("gradient norm", "gradient_norm", short),
]
#: What is drawn over the steps.
CURVES = (
    ("rate_per_step", "spikes a neuron and step"),
    ("dead", "dead (share of neurons, in the epoch so far)"),
    ("silent", "silent (share of neurons, in the batch)"),
    ("saturated", "saturated (share of neurons)"),
    ("synops_per_sample", "SynOps a sample"),
    ("gradient_norm", "gradient norm"),
    ("weight_to_threshold", "largest weight to threshold"),
    ("weights.quantised.relative_error", "8-bit error of weights"),
)


def layers_section(run: Run) -> Html:
    """All of it, or that there is nothing."""
    last = run.last_layers()
    if not last:
        return joined((tag("h2", "Layers"), tag("p", "No step was looked at.", class_="soft")))
    parts: list[object] = [tag("h2", "Layers")]
    step = short(run.layers[-1].get("step"))
    parts.append(tag("p", f"As they were at step {step}, the last that was looked at.",
                     class_="soft"))  # fmt: skip
    for title, columns in (("Spikes", SPIKING), ("Weights and SynOps", WEIGHTED)):
        rows = layer_rows(last, columns)
        if len(rows) > 1:
            parts += [tag("h3", title), table(rows[0], rows[1:])]
    parts += [_details(run, name, last[name]) for name in last]
    return joined(parts)


def layer_rows(
    layers: dict[str, dict[str, Any]], columns: list[tuple[str, str, Callable[[Any], str]]]
) -> list[list[str]]:
    """A heading, and a row for each layer that has any of the columns; empty ones are left out."""
    having = {
        name: layer for name, layer in layers.items()
        if any(key in layer for _, key, _ in columns if "." not in key)
    }  # fmt: skip
    shown = [
        column for column in columns
        if any(number(within(layer, column[1])) is not None for layer in having.values())
    ]  # fmt: skip
    rows = [["layer", *(heading for heading, _, _ in shown)]]
    for name, layer in having.items():
        said = [how(within(layer, key)) for _, key, how in shown]
        rows.append([f"{name} {layer.get('type', '')}".strip(), *said])
    return rows


def within(layer: dict[str, Any], key: str) -> Any:
    """The value of a dotted key, or None."""
    found: Any = layer
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _details(run: Run, name: str, layer: dict[str, Any]) -> Html:
    drawn = [
        curves(title, {name: _over_steps(run, name, key)}) for key, title in CURVES
        if number(within(layer, key)) is not None
    ]  # fmt: skip
    label = layer_label(name, layer)
    if name in run.neurons:
        drawn.append(neuron_strip(label, run.neurons[name]))
    content = tag("div", *drawn, *_histograms(layer), class_="row")
    return tag("details", tag("summary", label), content)


def _over_steps(run: Run, name: str, key: str) -> list[tuple[float, float]]:
    points = []
    for record in run.layers:
        step = number(record.get("step"))
        value = number(within(record["layers"].get(name, {}), key))
        if step is not None and value is not None:
            points.append((step, value))
    return points


def _histograms(layer: dict[str, Any]) -> list[Html]:
    found = []
    spikes = _counts(layer.get("spikes_per_step"))
    if len(spikes) > 1 and any(spikes):
        names = [*map(str, range(1, len(spikes) - 1)), f"{len(spikes) - 1}+"]
        note = f"steps of neurons; {percent(spikes[0] / sum(spikes))} have none"
        found.append(bars("spikes in a step", names, spikes[1:], note))
    intervals = _counts(layer.get("intervals_steps"))
    if any(intervals):
        last = max(i for i, count in enumerate(intervals) if count)
        names = [str(2**i) if i == 0 else f"{2**i}-{2 ** (i + 1) - 1}" for i in range(last + 1)]
        found.append(bars("steps from spike to spike", names, intervals[: last + 1]))
    weights = within(layer, "weights.histogram")
    if isinstance(weights, dict):
        counts = _counts(weights.get("counts"))
        low, high = number(weights.get("low")), number(weights.get("high"))
        if counts and low is not None and high is not None:
            width = (high - low) / len(counts)
            names = [short(low + width * (i + 0.5)) for i in range(len(counts))]
            found.append(bars("weights", names, counts))
    return found


def _counts(values: Any) -> list[float]:
    """A list of counts as it should be: anything else is none."""
    if not isinstance(values, list):
        return []
    return [max(0.0, number(value) or 0.0) for value in values[:64]]
