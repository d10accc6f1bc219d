"""What networks reach on N-MNIST digits: five fixed folds, five seeds; with noise, with few SynOps.

Every run is an `evstore train` of examples/nmnist.toml, in a process of its own with one thread, as
many at a time as there are processors. Folders of runs stay in the bench's folder: a bench that was
stopped goes on with what is missing; after a change to what training does, they are to be removed.
What the recipe says was chosen on fold 0, which is in no row.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from bench.bars import Bar, Settings, number
from bench.recordings import data_folder
from bench.snn_shards import packed
from bench.timing import Spread

RECIPE = Path(__file__).resolve().parent.parent / "examples" / "nmnist.toml"
FOLDS, SEEDS = (1, 2, 3, 4), 5
QUICK = (
    "training.epochs=1",
    "training.warmup_epochs=0",
    "bins=4",
    "model.name=talk",
    "model.args={}",
)
#: At test, and for networks that train with it; other hot pixels there, and other chance. It is
#: half as many events again as the digits themselves.
NOISE = (
    "hot-pixels:fraction=0.01,redraw=sample",
    "flicker:frequency_hz=100,events_per_cycle=0.05",
    "background:rate_hz=5",
)
#: The limit of SynOps, as a part of what the plain network of the same fold and seed takes: a
#: little less than the half that is asked for, since training ends somewhat above it.
FEW_SYNOPS = 0.46
NOISE_SEED = 4711
INTERVAL = "mean over seeds, 95 % interval"
WAYS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "with noise": (f"data.noise={json.dumps(NOISE)}", f"data.test_noise={json.dumps(NOISE)}",
                   f"data.test_noise_seed={NOISE_SEED}",
                   "augment.elastic_pixels=1.0", "model.args.dropout=0.1"),
    # From the plain network's weights on, with losses.synops, for fewer epochs.
    "few SynOps": ("training.epochs=40", "training.lr=1e-3", "training.warmup_epochs=4"),
}  # fmt: skip


class Run(NamedTuple):
    """A network to train: how, on which fold, from which seed."""

    way: str
    fold: int
    seed: int


def measure(settings: Settings) -> list[Bar]:
    data = data_folder()
    if data is None or find_spec("torch") is None or find_spec("sinabs") is None:
        return []
    folds, seeds = ((1,), 1) if settings.quick else (FOLDS, SEEDS)
    shards = packed(data, settings)
    home = settings.folder / ("snn-runs-quick" if settings.quick else "snn-runs")
    overrides = QUICK if settings.quick else ()
    found: dict[Run, dict[str, Any]] = {}
    for way in WAYS:  # the plain ones first: others begin with their weights
        runs = [Run(way, fold, seed) for seed in range(seeds) for fold in folds]
        found |= trained(runs, shards, home, overrides)
    found |= tested_with_noise([run for run in found if run.way == "plain"], home)
    return rows(found, folds, seeds)


def trained(
    runs: Sequence[Run], shards: Path, home: Path, overrides: Sequence[str]
) -> dict[Run, dict[str, Any]]:
    """What each run came to."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = pool.map(lambda run: train(run, shards, home, overrides), runs)
        return dict(zip(runs, results, strict=True))


def train(run: Run, shards: Path, home: Path, overrides: Sequence[str]) -> dict[str, Any]:
    folder = folder_of(run, home)
    asked = [f"data.root={shards}", "data.folds=5", f"data.fold={run.fold}",
             f"training.seed={run.seed}", "training.threads=1", "data.workers=0"]  # fmt: skip
    if run.way == "few SynOps":
        plain = folder_of(run._replace(way="plain"), home)
        limit = round(FEW_SYNOPS * result_in(plain)["synops_per_sample"])
        asked += [f"model.weights={plain}", f"losses.synops={limit}"]
    command = [sys.executable, "-m", "evstore", "train", str(RECIPE), *asked, *WAYS[run.way],
               *overrides, "--out", str(folder), "--resume", "--json"]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        raise RuntimeError(f"{folder.name}: {done.stderr}")
    return result_in(folder)


def result_in(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "run.json").read_text())["result"]
    return result


def folder_of(run: Run, home: Path) -> Path:
    return home / f"{run.way.replace(' ', '-')}-fold{run.fold}-seed{run.seed}"


def tested_with_noise(runs: Sequence[Run], home: Path) -> dict[Run, dict[str, Any]]:
    """Networks that saw no noise, tested with it."""
    from evstore.datasets.loading.loader import Loader
    from evstore.snn.training.config import load_config
    from evstore.snn.training.evaluation import evaluate
    from evstore.snn.training.sets import datasets_of
    from evstore.snn.training.trained import load_built

    found = {}
    for run in runs:
        folder = folder_of(run, home)
        config = load_config(folder / "config.toml", WAYS["with noise"])
        test = Loader(datasets_of(config.data)[1], config.data.batch, shuffle=False, pad=True)
        model, flat = load_built(folder)
        tested = evaluate(model, test, flat=flat)
        found[run._replace(way="noise at test only")] = tested._asdict()
    return found


def rows(found: dict[Run, dict[str, Any]], folds: Sequence[int], seeds: int) -> list[Bar]:
    def of(way: str, key: str = "accuracy") -> list[float]:
        return [found[Run(way, f, s)][key] for s in range(seeds) for f in folds]

    plain, synops = of("plain"), of("plain", "synops_per_sample")
    few = of("few SynOps", "synops_per_sample")
    note = (
        f"N-MNIST, 1,100 digits, folds {', '.join(map(str, folds))} of 5, {seeds} seeds, "
        "examples/nmnist.toml; of the last epoch"
    )
    noise = f"{note}; {', '.join(NOISE)}"
    other = ", ".join(asked for asked in WAYS["with noise"] if not asked.startswith("data."))
    notes = {"with noise": f"{noise}; {other}", "noise at test only": noise}
    few_asked = f"losses.synops={FEW_SYNOPS} of its SynOps, {', '.join(WAYS['few SynOps'])}"
    begun = f"{note}; trained on from the plain network's weights: {few_asked}"

    def lost(way: str) -> Bar:
        points = [100 * (a - b) for a, b in zip(plain, of(way), strict=True)]
        name = "trained with it" if way == "with noise" else "trained without"
        bounds = (3.0, 1.0) if way == "with noise" else (None, None)
        return row(f"noise at test, {name}: points lost, paired", points, *bounds, "less", seeds,
                   notes[way])  # fmt: skip

    saved = [a / b for a, b in zip(few, synops, strict=True)]
    fallen = [100 * (a - b) for a, b in zip(plain, of("few SynOps"), strict=True)]
    of_synops = "SynOps a sample with the SynOps loss, over those without"
    return [
        row("accuracy on digits, %", [100 * a for a in plain], 96, 98, "more", seeds, note),
        lost("with noise"),
        lost("noise at test only"),
        row(of_synops, saved, 0.5, 0.25, "less", seeds, begun),
        row("the same networks: points lost, paired", fallen, 1.0, None, "less", seeds, begun),
    ]


def row(
    name: str, values: Sequence[float], must: float | None, aim: float | None, better: str,
    seeds: int, note: str,
) -> Bar:  # fmt: skip
    """The mean over all runs, from the least to the greatest; the interval is that of the seeds."""
    from evstore.snn.training.student import summary_of

    each = len(values) // seeds
    means = [statistics.fmean(values[s * each : (s + 1) * each]) for s in range(seeds)]
    mean = statistics.fmean(values)
    parts = {}
    if seeds > 1:
        parts[INTERVAL] = Spread(mean, *summary_of(means)["interval_95"])
    measured = Spread(mean, min(values), max(values))
    return Bar(f"CPU: {name}", "", better, must, aim, measured, parts, note)


def digits_table(bars: Sequence[Bar]) -> str:
    """Mean, interval and spread of each row."""
    lines = [
        "| | mean | 95 % interval of the mean | runs, least to greatest |",
        "|---|---|---|---|",
    ]
    for bar in bars:
        interval, runs = bar.parts[INTERVAL], bar.measured
        lines.append(
            f"| {bar.name.removeprefix('CPU: ')} | {number(runs.median)} "
            f"| {number(interval.low)} to {number(interval.high)} "
            f"| {number(runs.low)} to {number(runs.high)} |"
        )
    return "\n".join(lines)
