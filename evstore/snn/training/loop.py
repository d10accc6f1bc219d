"""Train a network as a configuration says, in a folder that a killed run goes on from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch

from evstore.datasets.loading.workers import WorkerKilledError
from evstore.snn.allocation import keep_memory
from evstore.snn.monitor.json_lines import JsonLines
from evstore.snn.monitor.monitoring import Monitor, Writer
from evstore.snn.monitor.tensorboard import TensorBoard
from evstore.snn.training.averaging import averaged_weights
from evstore.snn.training.checkpoint import load_checkpoint, save_checkpoint
from evstore.snn.training.config import absolute
from evstore.snn.training.evaluation import evaluate
from evstore.snn.training.folder import RunFolder
from evstore.snn.training.ranks import joined, summed, wait_for_all
from evstore.snn.training.records import cut_at, size_now
from evstore.snn.training.run import Run, begin, device_of, make_run, set_state, state_of, take_step
from evstore.snn.training.schema import Config
from evstore.snn.training.sets import datasets_of
from evstore.snn.training.stopping import Interrupted, Stop, stopping
from evstore.snn.training.threads import shares

Say = Callable[[Mapping[str, Any]], None]


class Result(NamedTuple):
    """What a run came to: of its last epoch, and the epoch whose accuracy was best.

    ``accuracy``, ``loss`` and ``synops_per_sample`` are of the tested samples. The best epoch is
    chosen by them too, so its accuracy is no fair estimate; that of the last epoch is.
    """

    accuracy: float
    loss: float
    synops_per_sample: float
    best_accuracy: float
    best_epoch: int
    seconds_per_epoch: float
    epochs: int


def train(
    config: Config,
    folder: str | os.PathLike[str],
    *,
    resume: bool = False,
    say: Say | None = None,
) -> Result:
    """Train a network, and keep all of the run in ``folder``.

    There: config.toml, run.json (versions, dataset, status), metrics.jsonl, checkpoints/last.pt
    and best.pt. ``resume`` goes on from the last checkpoint, and begins where there is none; the
    weights are those of a run that was never interrupted, bit for bit, on the same machine (on a
    GPU as far as its kernels add in one order): with as many threads as it began with, and with as
    many ranks; of other ranks it warns. Under torchrun each rank calls this; ``data.batch`` is
    shared between them. ``say`` gets each record of an epoch.

    Raises ArgumentError for a folder that holds a run already, for another configuration than that
    of the run to go on with, and for what does not fit the data; TrainingError where numbers are
    not finite; `Interrupted` after a Ctrl-C, once the step is done and saved, KeyboardInterrupt
    after a second one, at once; FormatError, OSError. Sets torch's number of threads, the random
    generators, and what the C library does with free memory (`keep_memory`).

    >>> config = load_config("examples/nmnist.toml")                        # doctest: +SKIP
    >>> train(config, "runs/nmnist").accuracy                                # doctest: +SKIP
    0.972
    """
    config.check()
    config = absolute(config)
    at = RunFolder(folder)
    with ExitStack() as stack:
        rank, world = stack.enter_context(joined(device_of(config.training.device).type))
        stop = stack.enter_context(stopping())
        stood = at.stands()
        at.check(config, resume)
        if at.read().get("status") == "done":
            return Result(**at.read()["result"])
        read = shares(config.data.workers, config.training.threads)
        torch.set_num_threads(read.threads)
        keep_memory()
        datasets = datasets_of(config.data, config.training.seed)
        run = make_run(config, datasets, read, rank, world)
        if not at.last.exists():
            begin(run)
        if rank == 0:
            stack.enter_context(at.alone(stood))
        wait_for_all()  # every rank has looked before one of them writes
        try:
            return _carried_out(run, at, stop, say)
        except BaseException as error:
            if rank == 0:
                at.ended(error)
            raise


def _carried_out(run: Run, at: RunFolder, stop: Stop, say: Say | None) -> Result:
    first = run.rank == 0
    if first:
        at.begin(run.config, run.train.dataset.samples_digest)
    wait_for_all()
    kept = load_checkpoint(at.last, run.device) if at.last.exists() else {}
    if kept:
        set_state(run, kept)
        torch.set_num_threads(kept.get("threads") or torch.get_num_threads())
    if first:
        cut_at(at.metrics, kept.get("metrics_bytes", 0))
    with _monitor(run, at) as monitor:
        while run.train.epoch < run.config.training.epochs:
            epoch = run.train.epoch
            _rest_of_epoch(run, at, monitor, stop)
            _end_epoch(run, at, monitor, epoch, say)
            stop_now = summed([float(stop.wanted)], run.device)[0] > 0  # of any rank
            if stop_now and run.train.epoch < run.config.training.epochs:
                raise Interrupted
    result = result_of(run)
    if first:
        at.done(result._asdict())
    wait_for_all()
    return result


def _monitor(run: Run, at: RunFolder) -> Monitor:
    """What writes down what happens, and looks at layers; of the first rank only."""
    how = run.config.monitor
    writers: list[Writer] = []
    if run.rank == 0:
        writers = [JsonLines(at.metrics)]
        if how.tensorboard:
            writers.append(TensorBoard(at.tensorboard))
    every = how.every if run.rank == 0 else 0
    dt_us = run.config.data.duration_us or None
    return Monitor(run.model, every=every, dt_us=dt_us, writers=writers)


def _rest_of_epoch(run: Run, at: RunFolder, monitor: Monitor, stop: Stop) -> None:
    """The batches of the epoch that are not done. Raises Interrupted, all saved."""
    every = run.config.training.checkpoint_every_steps
    before, began = run.sums.get("seconds", 0.0), time.perf_counter()
    try:
        for batch in monitor.reading(run.train):
            epoch = run.train.epoch
            done = take_step(run, batch, monitor, stop.wanted)
            monitor.step(
                loss=done.loss,
                terms=done.terms,
                lr=done.lr,
                epoch=epoch,
                step=run.step - 1,
                grad_norm=done.grad_norm,
            )
            run.sums["seconds"] = before + time.perf_counter() - began
            if run.train.batches_done == len(run.train):
                continue  # the epoch's end saves, once it is tested
            if done.stop or (every and run.step % every == 0):
                _save(run, at)
            if done.stop:
                raise Interrupted
    except WorkerKilledError:
        if not stop.wanted:
            raise
        # Ctrl-C in a terminal ends workers that have only just begun: all steps so far are whole.
        _save(run, at)
        raise Interrupted from None


def _end_epoch(run: Run, at: RunFolder, monitor: Monitor, epoch: int, say: Say | None) -> None:
    """Test, write down, save."""
    sums, run.sums = run.sums, {}
    with averaged_weights(run.model, run.average):
        tested = evaluate(run.model, run.test, loss=run.config.training.loss, flat=run.flat)
    learnt = {
        "accuracy": sums["right"] / sums["samples"],
        "loss": sums["loss"] / sums["samples"],
        "samples": int(sums["samples"]),
        "synops_per_sample": None,
        "seconds": sums["seconds"],
    }
    for split, found in (("train", learnt), ("test", tested._asdict())):
        record = {"kind": "epoch", "epoch": epoch, "split": split, **found}
        monitor.write(record)
        if say is not None and run.rank == 0:
            say(record)
    monitor.end_epoch(epoch)
    seconds = run.last.get("seconds", 0.0) + sums["seconds"]
    run.last = {**tested._asdict(), "epoch": epoch, "seconds": seconds}
    better = (run.best.get("accuracy", -1.0), -run.best.get("loss", 0.0))
    is_best = (tested.accuracy, -tested.loss) > better
    if is_best:
        run.best = {"epoch": epoch, "accuracy": tested.accuracy, "loss": tested.loss}
    _save(run, at, is_best)


def _save(run: Run, at: RunFolder, best: bool = False) -> None:
    if run.rank == 0:
        state = {**state_of(run), "metrics_bytes": size_now(at.metrics)}
        if best:
            save_checkpoint(at.best, state)
        save_checkpoint(at.last, state)


def result_of(run: Run) -> Result:
    """What a run whose epochs are done came to."""
    last, best = run.last, run.best
    epochs = int(last["epoch"]) + 1
    return Result(
        last["accuracy"],
        last["loss"],
        last["synops_per_sample"],
        best["accuracy"],
        int(best["epoch"]),
        last["seconds"] / epochs,
        epochs,
    )
