"""Folders of runs, as `evstore train` leaves them, made up by tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from evstore.snn.monitor.neurons import Counts, save_neurons


def spiking(**more: Any) -> dict[str, Any]:
    return {
        "type": "IAFSqueeze", "shape": [2, 4, 5], "neurons": 40, "rate_per_step": 0.1,
        "rate_hz": 100.0, "spikes_per_step": [900, 80, 10, 5, 5],
        "intervals_steps": [10, 20, 5] + [0] * 13, "mean_interval_steps": 2.5, "silent": 0.2,
        "dead": 0.05, "saturated": 0.0, "window_samples": 160, "threshold": 1.0,
        "min_v_mem": -1.0, "v_mem_min": -1.0, "v_mem_max": 0.9, "v_mem_mean": 0.1, **more,
    }  # fmt: skip


def weighted(**more: Any) -> dict[str, Any]:
    return {
        "type": "Conv2d", "synops_per_step": 120.0, "synops_per_sample": 2400.0,
        "weights": {
            "min": -0.5, "max": 0.6, "mean": 0.0, "std": 0.1, "zeros": 0.0,
            "histogram": {"low": -0.5, "high": 0.6, "counts": [1, 5, 9, 2]},
            "quantised": {"relative_error": 0.004, "zeros": 0.01},
        },
        "weight_to_threshold": 0.6, "gradient_norm": 0.5, **more,
    }  # fmt: skip


def records(epochs: int = 2, steps: int = 10, **layers: Any) -> list[dict[str, Any]]:
    """Of a run without a fault: ``layers`` replace those that it has."""
    found: list[dict[str, Any]] = []
    for step in range(epochs * steps):
        epoch = step // steps
        found.append(
            {"kind": "step", "epoch": epoch, "step": step, "loss": 2.0 / (step + 1),
             "terms": {"cross_entropy": 1.5 / (step + 1), "synops": 0.5 / (step + 1)},
             "lr": 1e-3, "grad_norm": 1.0,
             "seconds": {"data": 0.01, "forward": 0.04, "backward": 0.05, "optimiser": 0.005,
                         "logging": 0.001}}
        )  # fmt: skip
        if step % 5 == 0:
            found.append(
                {"kind": "layers", "epoch": epoch, "step": step,
                 "layers": {"0": weighted(), "1": spiking(), **layers}}
            )  # fmt: skip
        if step % steps == steps - 1:
            for split, accuracy in (("train", 0.6), ("test", 0.55)):
                found.append(
                    {"kind": "epoch", "epoch": epoch, "split": split,
                     "accuracy": accuracy + 0.1 * epoch, "loss": 1.0 - 0.1 * epoch,
                     "samples": 160, "synops_per_sample": 2400.0, "seconds": 3.5}
                )  # fmt: skip
    return found


def make_run(folder: Path, found: list[dict[str, Any]] | None = None, **about: Any) -> Path:
    """A whole run in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text("[train]\nepochs = 2\n")
    (folder / "run.json").write_text(
        json.dumps(
            {"versions": {"torch": "2.13.0", "evstore": "0.1.0"}, "seed": 3, "status": "done",
             "dataset": {"root": "abc123", "samples_digest": "def456"}, "started": "today",
             "finished": "later", "error": None, **about}
        )
    )  # fmt: skip
    lines = [json.dumps(record) for record in (records() if found is None else found)]
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))
    counts = Counts((2, 4, 5), 160, 1600)
    counts.spikes[:] = np.arange(40)
    counts.active[:] = np.arange(40)
    save_neurons(folder / "neurons.npz", {"1": counts}, 1)
    return folder
