"""What is wrong with a run, or worth a look, in plain sentences.

Each limit is a rule of thumb, named here; what a chip does is said in evstore.speck's and sinabs'
documentation of Speck.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evstore.snn.report.reading import Run, number
from evstore.snn.report.time_split import split_of
from evstore.snn.report.words import percent, short, tenths

DEAD = 0.1  # of a layer's neurons
SATURATED = 0.02  # of a layer's neurons
CROWDED = 0.2  # of the steps with spikes: those with more than one
ROUNDED_AWAY = 0.3  # of the weights that were not 0 before
ROUNDED = 0.1  # relative error of 8-bit weights
EXPLODES, VANISHES = 1e3, 1e-7  # gradient norms of a layer
OVERFITS = 0.1  # accuracy of train above that of test
FELL = 0.02  # accuracy of test below its best
WAITS = 0.4  # of a step's time spent on data
MEASURES = 0.05  # of a step's time spent on logging


def findings(run: Run) -> list[str]:
    """Sentences, the gravest first; none where nothing stands out."""
    return [*_of_run(run), *_of_layers(run), *_of_epochs(run), *_of_time(run)]


def layer_label(name: str, layer: dict[str, Any]) -> str:
    """`layer 3 (IAFSqueeze)`."""
    kind = layer.get("type")
    return f"layer {name} ({kind})" if kind else f"layer {name}"


def _of_run(run: Run) -> Iterator[str]:
    if run.status == "failed":
        error = run.about.get("error")
        yield f"the run failed{f': {error}' if error else ''}"
    if run.status == "interrupted":
        yield "the run was interrupted, and can go on (--resume)"
    if run.status == "running":
        yield "the run is still going on, or was killed: run.json says running"
    for step in run.steps:
        if "loss" in step and step["loss"] is None:
            yield f"the loss was not finite at step {short(step.get('step'))}"
            break


def _of_layers(run: Run) -> Iterator[str]:
    for name, layer in run.last_layers().items():
        label = layer_label(name, layer)
        yield from _of_neurons(run, name, label, layer)
        yield from _of_spikes(label, layer)
        yield from _of_weights(label, layer)
        yield from _of_gradients(run, name, label)
    without = [
        name for name, layer in run.last_layers().items()
        if "min_v_mem" in layer and layer["min_v_mem"] is None
    ]  # fmt: skip
    if without:
        yield (
            f"no min_v_mem in {'layer' if len(without) == 1 else 'layers'} {', '.join(without)}: "
            "discretised for a chip by sinabs, weights below 0.5 become 0"
        )


def _of_neurons(run: Run, name: str, label: str, layer: dict[str, Any]) -> Iterator[str]:
    saved = run.neurons.get(name)
    if saved is not None and saved["dead"].size:
        dead, saturated = float(saved["dead"].mean()), float(saved["saturated"].mean())
        samples = saved.get("samples")
        count = f"{int(samples):,} samples" if samples is not None and samples.ndim == 0 else "all"
        last = run.neurons_epoch
        seen = f"{count} looked at" + (
            f" in epoch {last}" if last is not None and last >= 0 else ""
        )
    else:
        dead, saturated = number(layer.get("dead")) or 0, number(layer.get("saturated")) or 0
        seen = f"{short(layer.get('window_samples'))} samples looked at in the epoch so far"
    if dead == 1:
        yield f"{label}: no neuron ever spiked: what follows it learns nothing ({seen})"
    elif dead >= DEAD:
        yield f"{label}: {percent(dead)} of neurons never spiked ({seen})"
    if saturated >= SATURATED:
        yield (
            f"{label}: {percent(saturated)} of neurons spiked in nearly every step, "
            f"which tells nothing ({seen})"
        )


def _of_spikes(label: str, layer: dict[str, Any]) -> Iterator[str]:
    counts = layer.get("spikes_per_step")
    if isinstance(counts, list) and len(counts) > 2:
        found = [number(count) or 0 for count in counts]
        spiking = sum(found[1:])
        if spiking and sum(found[2:]) / spiking > CROWDED:
            yield (
                f"{label}: {percent(sum(found[2:]) / spiking)} of its steps with spikes have "
                "several at once: finer steps, or a loss on the spread in time, part them"
            )
    if "v_mem_mean" in layer and layer["v_mem_mean"] is None:
        yield f"{label}: membrane potentials are not finite"


def _of_weights(label: str, layer: dict[str, Any]) -> Iterator[str]:
    weights = layer.get("weights")
    if isinstance(weights, dict):
        if number(weights.get("not_finite")):
            yield f"{label}: {short(weights['not_finite'])} weights are not finite"
        found = weights.get("quantised")
        if isinstance(found, dict):
            gone = (number(found.get("zeros")) or 0) - (number(weights.get("zeros")) or 0)
            if gone >= ROUNDED_AWAY:
                yield f"{label}: 8 bits make {percent(gone)} of the weights 0: a few are too large"
            if (number(found.get("relative_error")) or 0) >= ROUNDED:
                yield f"{label}: 8 bits change the weights by {percent(found['relative_error'])}"
    ratio = number(layer.get("weight_to_threshold"))
    if ratio is not None and ratio > 1:
        yield (
            f"{label}: its largest weight is {short(ratio)} times the threshold behind it; a chip "
            "gives one spike for one that comes in, at most"
        )


def _of_gradients(run: Run, name: str, label: str) -> Iterator[str]:
    norms = [number(r["layers"].get(name, {}).get("gradient_norm")) for r in run.layers]
    known = [norm for norm in norms if norm is not None]
    if not known:
        return
    if known[-1] > EXPLODES:
        yield f"{label}: its gradient has a norm of {short(known[-1])}: it explodes"
    elif known[-1] < VANISHES:
        yield f"{label}: its gradient has a norm of {short(known[-1])}: it does not learn"


def _of_epochs(run: Run) -> Iterator[str]:
    test, train = run.of_split("test", "accuracy"), dict(run.of_split("train", "accuracy"))
    if not test:
        return
    epoch, last = test[-1]
    if epoch in train and train[epoch] - last > OVERFITS:
        yield (
            f"accuracy is {tenths(train[epoch])} on train and {tenths(last)} on test: "
            "it learns them by heart"
        )
    at, best = max(test, key=lambda one: one[1])
    if best - last > FELL:
        yield (
            f"test accuracy was best in epoch {short(at)}, {tenths(best)}, and is {tenths(last)}"
        )


def _of_time(run: Run) -> Iterator[str]:
    split = split_of(run)
    total = sum(split.values())
    if not total:
        return
    if split.get("data", 0) / total > WAITS:
        yield (
            f"training waits for data: {percent(split['data'] / total)} of a step; more workers, "
            "or fewer transforms"
        )
    if split.get("logging", 0) / total > MEASURES:
        yield (
            f"looking at layers takes {percent(split['logging'] / total)} of a step: look at fewer "
            "(Monitor's every)"
        )


def time_words(split: dict[str, float]) -> str:
    """The bottleneck in a sentence."""
    total = sum(split.values())
    if not total:
        return "No step has said where its time went."
    phase = max(split, key=lambda name: split[name])
    what = {"data": "waiting for data", "other": "what no phase measured"}.get(phase, phase)
    return f"The bottleneck is {what}: {percent(split[phase] / total)} of a step."
