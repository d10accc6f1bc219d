"""A run in memory: its parts, one step of it, and what is saved of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from evstore.datasets.dataset import Dataset
from evstore.datasets.loading.collate import Batch
from evstore.datasets.loading.loader import Loader
from evstore.errors import ArgumentError, EvstoreError
from evstore.snn.model_weights import set_weights, weights_of
from evstore.snn.monitor.monitoring import Monitor
from evstore.snn.training.augment import augmented
from evstore.snn.training.averaging import begin_average, keep_average
from evstore.snn.training.beginning import begin_with
from evstore.snn.training.building import build_model, build_optimiser
from evstore.snn.training.evaluation import scores_of
from evstore.snn.training.finite import check_gradients, check_loss, check_weights
from evstore.snn.training.hardware import hardware_losses
from evstore.snn.training.randomness import INITIAL, STEP, seed_all
from evstore.snn.training.ranks import add_gradients, mean_of_norms, same_everywhere, summed
from evstore.snn.training.readout import check_classes, output_loss
from evstore.snn.training.schedule import rate_factor
from evstore.snn.training.schema import Config
from evstore.snn.training.sets import facts_of, loaders_of
from evstore.snn.training.threads import Shares


@dataclass
class Run:
    """What trains, where it stands (``step``, the loader), and sums of the epoch that it is in."""

    config: Config
    model: torch.nn.Module
    flat: bool
    optimiser: torch.optim.Optimizer
    train: Loader
    test: Loader
    losses: Any
    device: torch.device
    rank: int
    world: int
    average: dict[str, torch.Tensor] = field(default_factory=dict)  # by name; empty if not asked
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)


class Stepped(NamedTuple):
    """What a step gave, over all ranks."""

    loss: float
    terms: dict[str, float]
    grad_norm: float
    lr: float
    stop: bool


def make_run(
    config: Config, datasets: tuple[Dataset, Dataset], read: Shares, rank: int, world: int
) -> Run:
    """All parts of a run, before its first step."""
    seed = config.training.seed
    facts = facts_of(config.data, *datasets)
    train, test = loaders_of(*datasets, config.data, seed, read)
    seed_all(seed, INITIAL)
    built = build_model(config, facts)
    device = device_of(config.training.device)
    model = built.model.to(device)
    torch.backends.cudnn.deterministic = True
    optimiser = build_optimiser(model, config.training)
    losses = hardware_losses(model, config.losses)
    return Run(config, model, built.flat, optimiser, train, test, losses, device, rank, world)


def begin(run: Run) -> None:
    """Stand before the first step, with the weights that [model] says. Raises as `begin_with`."""
    if run.config.model.weights:
        begin_with(run.model, run.config.model.weights)
    same_everywhere(weights_of(run.model, keep_vars=True).values())
    run.average = begin_average(run.model) if run.config.training.average else {}


def device_of(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU where there is one. Raises ArgumentError without."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("training.device is cuda, and torch finds no GPU: say auto or cpu")
    return torch.device(name)


def take_step(run: Run, batch: Batch, monitor: Monitor, stop_wanted: bool = False) -> Stepped:
    """Learn from one batch. Raises TrainingError where a number is not finite."""
    how, where = run.config.training, f"epoch {run.train.epoch}, step {run.step}"
    seed_all(how.seed, STEP, run.step, run.rank)
    lr = how.lr * _factor(run)
    for group in run.optimiser.param_groups:
        group["lr"] = lr
    with monitor.phase("forward"):
        loss, terms, right = _forward(run, batch)
    with monitor.phase("backward"):
        run.optimiser.zero_grad()
        (loss / run.world).backward()
        add_gradients(run.model.parameters())
        mean_of_norms(run.model)
    gradients = [p.grad for p in run.model.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    grad_norm = float(norm)
    given = [loss.item(), float(right), float(len(batch.targets)), float(stop_wanted)]
    total, all_right, samples, stop, *parts = summed([*given, *terms.values()], run.device)
    said = {name: part / run.world for name, part in zip(terms, parts, strict=True)}
    check_loss(total / run.world, said, where)
    check_gradients(grad_norm, run.model.named_parameters(), where)
    with monitor.phase("optimiser"):
        if how.clip_norm:
            torch.nn.utils.clip_grads_with_norm_(run.model.parameters(), how.clip_norm, norm)
        run.optimiser.step()
        check_weights(run.model.named_parameters(), where)
    run.step += 1
    keep_average(run.average, run.model, how.average, run.step)
    for name, value in (
        ("loss", total / run.world * samples),
        ("right", all_right),
        ("samples", samples),
    ):
        run.sums[name] = run.sums.get(name, 0.0) + value
    return Stepped(total / run.world, said, grad_norm, lr, stop > 0)


def _forward(run: Run, batch: Batch) -> tuple[torch.Tensor, dict[str, float], int]:
    """The loss, its terms, and how many samples are right."""
    config, frames = run.config, batch.data
    current = run.train.current
    assert current is not None
    assert isinstance(frames, torch.Tensor)
    first = current.batch * config.data.batch + run.rank * len(current.numbers)
    frames = augmented(
        frames,
        list(range(first, first + len(current.numbers))),
        config.augment,
        seed=config.training.seed,
        epoch=current.epoch,
        lengths=batch.lengths.tolist(),
    )
    with run.losses or nullcontext(), _told(run, frames):
        scores, steps = scores_of(run.model, frames, batch.mask, run.device, run.flat)
    assert isinstance(batch.targets, torch.Tensor)
    check_classes(scores, batch.targets)
    targets = batch.targets.to(run.device)
    how = config.training
    smoothing = how.label_smoothing
    loss = output_loss(scores, targets, how.loss, steps=steps, label_smoothing=smoothing)
    terms = {"cross_entropy" if how.loss == "rate" else how.loss: loss.item()}
    for name, term in (run.losses.terms() if run.losses is not None else {}).items():
        loss = loss + term
        terms[name] = term.item()
    return loss, terms, int((scores.argmax(1) == targets).sum())


@contextmanager
def _told(run: Run, frames: torch.Tensor) -> Iterator[None]:
    """Of a network that cannot take its first frames, say so: it is the configuration's."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        if run.sums or isinstance(error, (EvstoreError, torch.OutOfMemoryError)):
            raise
        axes = "(B, T, features)" if run.flat else "(B, T, P, H, W)"
        shape = tuple((frames.flatten(2) if run.flat else frames).shape)
        raise ArgumentError(
            f"model.name {run.config.model.name} cannot take frames {axes} = {shape}: {error}. "
            "snn.models.TimeSequential(*layers) has layers for single frames take them"
        ) from error


def _factor(run: Run) -> float:
    how, an_epoch = run.config.training, len(run.train)
    warmup = round(how.warmup_epochs * an_epoch)
    return rate_factor(run.step, how.epochs * an_epoch, how.schedule, warmup)


def state_of(run: Run) -> dict[str, Any]:
    """All that going on needs: tensors and plain values."""
    return {
        "version": 1,
        "world": run.world,
        "threads": torch.get_num_threads(),
        "step": run.step,
        "model": weights_of(run.model),
        "average": run.average,
        "optimiser": run.optimiser.state_dict(),
        "loader": run.train.state_dict(),
        "sums": run.sums,
        "best": run.best,
        "last": run.last,
    }


def set_state(run: Run, state: Mapping[str, Any]) -> None:
    """Stand where `state_of` said.

    Raises ArgumentError for a state of other samples or weights; warns of another number of ranks.
    """
    if (before := state.get("world", run.world)) != run.world and run.rank == 0:
        warnings.warn(f"the run that goes on had {before} ranks, and has {run.world} now: its "
                      "weights will not be, bit for bit, those of a run that never ended",
                      stacklevel=2)  # fmt: skip
    set_weights(run.model, state["model"])
    run.average = dict(state["average"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.train.load_state_dict(state["loader"])
    run.step = state["step"]
    run.sums, run.best, run.last = (dict(state[name]) for name in ("sums", "best", "last"))
