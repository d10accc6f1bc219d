"""What the talk warns of, shown on digits: latency, infinite memory, memory of backpropagation.

Nothing here has a bound: rows are curves to plot, in their parts. One seed, little training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import evstore
from bench.bars import Bar, Settings
from bench.dataset_sets import digits
from bench.snn_shown_networks import DT_US, Trained, frames, networks, ours, sinabs_twin
from bench.timing import Spread, exact
from evstore import snn
from evstore.datasets.dataset import Dataset

FOLDS = 5
MB = 1 << 20


class Size(NamedTuple):
    """How much is shown."""

    stream_s: float
    epochs: int
    train: int | None  # digits trained with; None: four folds of five
    taus: tuple[float, ...]  # steps
    resets_s: tuple[float, ...]
    steps: tuple[int, ...]


FULL = Size(600.0, 6, None, (5.0, 15.0, 30.0, 100.0), (0.37, 1.7, 10.0),
            (25, 50, 100, 200, 400, 800))  # fmt: skip
QUICK = Size(6.0, 1, 64, (15.0,), (1.7,), (25, 100))
PIECE = 50
BATCH = 2  # of sinabs, T = 800 with 8 needs 6 GB


def measure(settings: Settings) -> list[Bar]:
    size = QUICK if settings.quick else FULL
    found = digits(settings)
    bars: list[Bar] = []
    if found is not None:
        train, test = folds(found.folder, size)
        trained = networks(found.folder, train, size.epochs)
        bars += latencies(trained, found.folder, test)
        path = settings.folder / f"stream-{size.stream_s:g}.evs"
        write(path, found.folder, test, size.stream_s)
        for floor, model in (("a floor of -1", trained.floor), ("no floor", trained.no_floor)):
            bars += streams(path, model, floor, size)
    return bars + memory(size)


def folds(folder: Path, size: Size) -> tuple[Any, Any]:
    """Numbers of digits to train and to test with, of all 1,100."""
    numbers = np.random.default_rng(0).permutation(len(Dataset(folder)))
    test, train = np.split(numbers, [len(numbers) // FOLDS])
    return train[: size.train], test


# ------------------------------------------------------------------ latency


def latencies(trained: Trained, folder: Path, test: Any) -> list[Bar]:
    """Accuracy if the answer were taken so many milliseconds after the first event."""
    dataset = Dataset(folder, frames=frames()).select(test)
    # No Loader, which leaves out what does not fill a batch.
    loader = [
        evstore.pad_collate(dataset.__getitems__(range(first, min(first + 32, len(dataset)))))
        for first in range(0, len(dataset), 32)
    ]
    curves = {
        "spiking network": snn.latency(trained.floor, loader, dt_us=DT_US),
        "CNN on what there is of the frame": snn.frame_latency(trained.cnn, loader, dt_us=DT_US),
        "CNN on the whole frame": snn.frame_latency(trained.cnn, loader, whole=True, dt_us=DT_US),
    }
    bars = []
    for name, curve in curves.items():
        for what, values in (("right", curve.accuracy), ("answered", curve.answered)):
            parts = {
                f"{time / 1000:g} ms": exact(round(100 * float(value), 2))
                for time, value in zip(curve.times, values, strict=True)
            }
            last = parts[f"{curve.times[-1] / 1000:g} ms"]
            name_of = f"latency, {name}: % {what} in the end, and after each step"
            bars.append(
                Bar(name_of, "", "more", None, None, last, parts, f"{curve.samples} digits")
            )
        settled = exact(curve.settled() / 1000)
        name_of = f"latency, {name}: ms until it stays within 2 points of the end"
        bars.append(Bar(name_of, "", "less", None, None, settled))
    return bars


# ------------------------------------------------------------------ infinite memory


def write(path: Path, folder: Path, test: Any, stream_s: float) -> None:
    """Test digits in random order, again and again, until the stream is so long."""
    dataset = Dataset(folder, output="events")
    rng = np.random.default_rng(1)

    def samples() -> Any:
        length_us = 0
        while True:
            for number in rng.permutation(test):
                events, label = dataset[int(number)]
                length_us += int(events.t[-1] - events.t[0]) + 1
                yield events, label
                if length_us >= stream_s * 1e6:
                    return

    snn.write_stream(path, samples(), overwrite=True)


def streams(path: Path, model: Any, floor: str, size: Size) -> list[Bar]:
    """Accuracy of each way through the stream, and of each tenth of it."""
    ways: dict[str, tuple[Any, Any]] = {
        "states reset before each digit": (model, "samples"),
        "no reset": (model, "never"),
    }
    ways |= {f"reset every {every:g} s": (model, every) for every in size.resets_s}
    ways |= {
        f"leak, tau {tau * DT_US / 1000:g} ms": (snn.leaky(model, tau), "never")
        for tau in size.taus
    }
    bars = []
    with evstore.open(path) as recording:
        for way, (network, reset) in ways.items():
            found = snn.answer_stream(network, recording, DT_US, reset=reset, **frame_options())
            tenths = {
                f"tenth {k + 1}": exact(round(100 * part, 2))
                for k, part in enumerate(found.in_parts(min(10, len(found.answers))))
            }
            parts = {"answered": exact(round(100 * found.answered, 2)), **tenths}
            bars.append(
                Bar(
                    f"a stream of {size.stream_s:g} s, {floor}, {way}: % right",
                    *("", "more", None, None), exact(round(100 * found.accuracy, 2)), parts,
                    f"{len(found.answers)} digits",
                )
            )  # fmt: skip
    return bars


def frame_options() -> dict[str, Any]:
    return {"dtype": "uint8", "overflow": "saturate"}


# ------------------------------------------------------------------ memory of backpropagation


def memory(size: Size) -> list[Bar]:
    """Megabytes that a training step needs beyond what was there before it, one core."""
    ways: dict[str, tuple[Any, int | None]] = {
        "sinabs": (sinabs_twin, None),
        "evstore": (ours, None),
        f"evstore, pieces of {PIECE} steps": (ours, PIECE),
    }
    bars = []
    for way, (make, piece) in ways.items():
        parts: dict[str, Spread] = {}
        for steps in size.steps:
            peak = snn.step_memory(make, steps, batch_size=BATCH, piece=piece)
            parts[f"T = {steps}"] = exact(round(peak / MB, 2))
        name = f"peak memory of a training step, {way}, T = {size.steps[-1]}"
        last = parts[f"T = {size.steps[-1]}"]
        bars.append(Bar(name, "MB", "less", None, None, last, parts, f"batch {BATCH}, 34x34"))
    return bars
