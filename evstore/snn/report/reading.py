"""What a run's folder holds, as far as it goes: a run may be going on, cut short or damaged."""

from __future__ import annotations

import errno
import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.natural import natural
from evstore.errors import FormatError

METRICS, ABOUT, CONFIG, NEURONS = "metrics.jsonl", "run.json", "config.toml", "neurons.npz"
SUMMARY = "summary.json"
#: Folders between the one that is asked for and a run: a sweep's, a seed's.
DEPTH = 3

Arrays = dict[str, NDArray[Any]]


@dataclass
class Run:
    """Records by kind, in the order of their steps and epochs; ``problems`` says what is not there.

    ``layers`` are the monitor's records, ``neurons`` arrays by layer and name.
    """

    name: str
    folder: str
    about: dict[str, Any] = field(default_factory=dict)
    config: str | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    neurons: dict[str, Arrays] = field(default_factory=dict)
    neurons_epoch: int | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """As run.json has it: running, done, interrupted, failed; or unknown."""
        return str(self.about.get("status", "unknown"))

    def layer_names(self) -> list[str]:
        """Of the last record that has layers."""
        return list(self.last_layers())

    def last_layers(self) -> dict[str, dict[str, Any]]:
        """Numbers of each layer in the last record."""
        return dict(self.layers[-1]["layers"]) if self.layers else {}

    def of_split(self, split: str, key: str) -> list[tuple[float, float]]:
        """Epochs and what is said of a split."""
        found = []
        for record in self.epochs:
            value, epoch = number(record.get(key)), number(record.get("epoch"))
            if record.get("split") == split and value is not None and epoch is not None:
                found.append((epoch, value))
        return found

    def splits(self) -> list[str]:
        """Those with records of epochs, as they come."""
        return list(dict.fromkeys(str(r.get("split")) for r in self.epochs))


def number(value: Any) -> float | None:
    """A finite number, else None: files may hold anything.

    >>> number(3), number("3"), number(float("nan")), number(True)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def find_runs(folder: str | os.PathLike[str]) -> list[Run]:
    """The run in ``folder``, or all in folders below it, by name.

    Raises FileNotFoundError, NotADirectoryError, or FormatError where there is none.
    """
    top = os.fspath(folder)
    if not os.path.isdir(top):
        code = errno.ENOTDIR if os.path.exists(top) else errno.ENOENT
        raise OSError(code, os.strerror(code), top)
    found = list(_below(top, DEPTH))
    if not found and os.path.isfile(os.path.join(top, CONFIG)):
        found = [top]  # begun a moment ago
    if not found:
        raise FormatError(
            "holds no run", path=top, expected=f"{ABOUT} or {METRICS}, in it or in folders below",
            hint="give the folder that `evstore train` or evstore.snn.JsonLines wrote to",
        )  # fmt: skip
    alone = found == [top]
    name = os.path.basename(os.path.abspath(top))
    return [read_run(path, name if alone else os.path.relpath(path, top)) for path in found]


def _below(folder: str, depth: int) -> Iterator[str]:
    if any(os.path.isfile(os.path.join(folder, name)) for name in (ABOUT, METRICS)):
        yield folder
        return
    if depth:
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
        for name in sorted(names, key=natural):
            yield from _below(os.path.join(folder, name), depth - 1)


def read_run(folder: str, name: str) -> Run:
    """All that can be read; what cannot is said in ``problems``."""
    run = Run(name, folder)
    about = _read_json(os.path.join(folder, ABOUT), run.problems)
    run.about = about if isinstance(about, dict) else {}
    try:
        with open(os.path.join(folder, CONFIG), encoding="utf-8", errors="replace") as file:
            run.config = file.read()
    except OSError as error:
        run.problems.append(f"{CONFIG}: {_said(error)}")
    _read_metrics(os.path.join(folder, METRICS), run)
    _read_neurons(os.path.join(folder, NEURONS), run)
    return run


def read_summary(folder: str | os.PathLike[str]) -> Any:
    """summary.json of several runs, or None."""
    path = os.path.join(folder, SUMMARY)
    return _read_json(path, []) if os.path.isfile(path) else None


def _read_json(path: str, problems: list[str]) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        problems.append(f"{os.path.basename(path)}: {_said(error)}")
    except (ValueError, RecursionError):
        problems.append(f"{os.path.basename(path)}: is no JSON, or is cut off")
    return None


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _read_metrics(path: str, run: Run) -> None:
    """Records by kind. Of steps that a resumed run did again, the last record counts.

    Of several runs one after the other, as `JsonLines` appends them, the last: it begins at step 0.
    """
    steps: dict[Any, dict[str, Any]] = {}
    layers: dict[Any, dict[str, Any]] = {}
    epochs: dict[Any, dict[str, Any]] = {}
    broken, last_whole, begun = 0, True, 1
    try:
        with open(path, "rb") as file:
            for line in file:
                record = _record(line)
                last_whole = line.endswith(b"\n")
                if record is None:
                    broken += bool(line.strip()) and last_whole
                elif record["kind"] == "step":
                    if steps and number(record.get("step")) == 0:
                        begun += 1
                        for of_another in (steps, layers, epochs):
                            of_another.clear()
                    steps[number(record.get("step"))] = record
                elif record["kind"] == "layers" and isinstance(record.get("layers"), dict):
                    layers[number(record.get("step"))] = _with_layers(record)
                elif record["kind"] == "epoch":
                    epochs[number(record.get("epoch")), str(record.get("split"))] = record
    except OSError as error:
        run.problems.append(f"{METRICS}: {_said(error)}")
        return
    if not last_whole:
        run.problems.append(f"{METRICS}: its last line is not whole: still written, or cut off")
    if begun > 1:
        run.problems.append(f"{METRICS}: holds {begun} runs, of which this is the last")
    if broken:
        run.problems.append(f"{METRICS}: {broken:,} lines are no records, and left out")
    run.steps = [steps[key] for key in sorted(k for k in steps if k is not None)]
    run.layers = [layers[key] for key in sorted(k for k in layers if k is not None)]
    known = [(epoch, record) for (epoch, _), record in epochs.items() if epoch is not None]
    run.epochs = [record for _, record in sorted(known, key=lambda one: one[0])]
    if not steps and not epochs:
        run.problems.append(f"{METRICS}: has no records yet")


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("kind"), str) else None


def _with_layers(record: dict[str, Any]) -> dict[str, Any]:
    layers = {k: v for k, v in record["layers"].items() if isinstance(v, dict)}
    return {**record, "layers": layers}


def _read_neurons(path: str, run: Run) -> None:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as saved:
            for key in saved.files:
                layer, _, what = key.rpartition("/")
                if what == "epoch" and not layer:
                    run.neurons_epoch = int(saved[key])
                elif layer:
                    run.neurons.setdefault(layer, {})[what] = saved[key]
    except OSError as error:
        run.problems.append(f"{NEURONS}: {_said(error)}")
    except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        run.neurons = {}
        run.problems.append(f"{NEURONS}: is damaged")
    broken = [name for name, arrays in run.neurons.items() if not _fits(arrays)]
    for name in broken:
        del run.neurons[name]
        run.problems.append(f"{NEURONS}: what it has of layer {name} does not fit together")


def _fits(arrays: Arrays) -> bool:
    """Whether there is what a page shows of a layer, in one shape."""
    needed = [arrays.get(what) for what in ("rate_per_step", "dead", "saturated")]
    shapes = {array.shape for array in needed if array is not None}
    kinds = [array.dtype.kind for array in needed if array is not None]
    return len(shapes) == 1 and len(kinds) == 3 and set(kinds) <= set("fiub")
