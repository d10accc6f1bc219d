"""One configuration with several seeds or values of a key: each run in a folder of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evstore.errors import ArgumentError
from evstore.snn.training.config import absolute, make_config, parse_override, put, whole_key
from evstore.snn.training.folder import RunFolder
from evstore.snn.training.loop import Result, Say, train
from evstore.snn.training.ranks import joined, summed
from evstore.snn.training.run import device_of
from evstore.snn.training.schema import Config
from evstore.snn.training.stopping import Interrupted, stopping
from evstore.snn.training.student import summary_of
from evstore.snn.whole_file import write_whole

SUMMED = ("accuracy", "loss", "synops_per_sample", "seconds_per_epoch")


def train_seeds(
    config: Config,
    folder: str | os.PathLike[str],
    seeds: int,
    *,
    resume: bool = False,
    say: Say | None = None,
) -> dict[str, Any]:
    """Runs with so many seeds, from the configuration's own on, in ``seed-0``, ``seed-1``, ...

    Gives (and writes as summary.json) what each came to, and of its accuracy, loss, synaptic
    operations and seconds an epoch the `summary_of` all. ``resume`` leaves runs that are done,
    and goes on with the others. ``say`` gets each record of an epoch, with the folder as "run".
    Raises as `train` does, before the first run where a folder is in the way.
    """
    return _summed(Path(folder), _of_seeds(config, seeds), resume, say)


def sweep(
    config: Config,
    folder: str | os.PathLike[str],
    key: str,
    values: Sequence[Any],
    *,
    seeds: int = 1,
    resume: bool = False,
    say: Say | None = None,
) -> dict[str, Any]:
    """Runs with each value of a key, in folders such as ``bins-5``; with ``seeds`` several of each.

    Gives (and writes as summary.json) the key and a row for each value: as `train_seeds` gives it,
    and "value". Raises as `train_seeds`.
    """
    key = whole_key(key)
    made = {_name(key, value): with_value(config, key, value) for value in values}
    if len(made) < len(values):
        raise ArgumentError(f"values of a sweep must differ, got {list(values)!r}")
    folder = Path(folder)
    runs = {name: {"": one} if seeds == 1 else _of_seeds(one, seeds) for name, one in made.items()}
    for name, some in runs.items():
        _check(folder / name, some, resume)
    device = device_of(config.training.device)
    with joined(device.type) as (rank, _), stopping() as stop:
        rows: list[dict[str, Any]] = []
        for (name, some), value in zip(runs.items(), values, strict=True):
            if rows and summed([float(stop.wanted)], device)[0]:
                raise Interrupted
            found = _summed(folder / name, some, resume, say, write=seeds > 1)
            rows.append({"value": value, **found})
        summary = {"key": key, "rows": rows}
        if rank == 0:
            _write(folder, summary)
    return summary


def parse_sweep(text: str) -> tuple[str, list[Any]]:
    """The key and the values of ``key=value,value,...``.

    >>> parse_sweep("bins=5,10"), parse_sweep("schedule=cosine,constant")
    (('data.bins', [5, 10]), ('training.schedule', ['cosine', 'constant']))
    """
    key, equals, said = text.partition("=")
    if not equals:
        raise ArgumentError(f"a sweep is KEY=VALUE,VALUE,..., as in bins=5,10,20, got {text!r}")
    key = whole_key(key.strip())
    try:
        values = parse_override(f"losses.values=[{said}]")[1]  # whose values may be anything
    except ArgumentError:
        values = [parse_override(f"{key}={part}")[1] for part in said.split(",")]
    if not values:
        raise ArgumentError(f"a sweep needs a value at least, got {text!r}")
    return key, values


def with_value(config: Config, key: str, value: Any) -> Config:
    """The configuration with another value of one key; checked as a whole."""
    sections = dataclasses.asdict(config)
    put(sections, key.split("."), value, key)
    return make_config(sections)


def _summed(
    folder: Path,
    runs: Mapping[str, Config],
    resume: bool,
    say: Say | None,
    write: bool = True,
) -> dict[str, Any]:
    _check(folder, runs, resume)
    first = next(iter(runs.values()))
    device = device_of(first.training.device)
    with joined(device.type) as (rank, _), stopping() as stop:
        results: dict[str, Result] = {}
        for name, config in runs.items():
            if results and summed([float(stop.wanted)], device)[0]:  # in the last epoch of a run
                raise Interrupted
            run = folder / name
            results[name] = train(config, run, resume=resume, say=_naming(say, run))
        found = summarised(results)
        if write and rank == 0:
            _write(folder, found)
    return found


def _naming(say: Say | None, run: Path) -> Say | None:
    """Say which run a record is of, too."""
    return None if say is None else lambda record: say({"run": str(run), **record})


def _check(folder: Path, runs: Mapping[str, Config], resume: bool) -> None:
    """That none is in the way, before any begins."""
    for name, config in runs.items():
        RunFolder(folder / name).check(absolute(config), resume)


def _of_seeds(config: Config, seeds: int) -> dict[str, Config]:
    if seeds < 1:
        raise ArgumentError(f"seeds must be 1 or more, got {seeds}")
    first = config.training.seed
    return {
        f"seed-{seed}": with_value(config, "training.seed", seed)
        for seed in range(first, first + seeds)
    }


def _name(key: str, value: Any) -> str:
    """A folder's name for a value.

    >>> _name("data.bins", 5), _name("model.name", "nets:wide")
    ('bins-5', 'name-nets_wide')
    """
    said = "-".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"{key.rpartition('.')[2]}-{re.sub('[^A-Za-z0-9.+_-]', '_', said)}"


def _write(folder: Path, summary: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "summary.json", f"{json.dumps(summary, indent=2)}\n".encode())


def summarised(results: Mapping[str, Result]) -> dict[str, Any]:
    """Each run's result by its name, and the summary of those that runs are compared by."""
    return {
        "runs": [{"run": name, **result._asdict()} for name, result in results.items()],
        **{of: summary_of([getattr(result, of) for result in results.values()]) for of in SUMMED},
    }
