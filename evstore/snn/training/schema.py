"""What a configuration may say: one dataclass a section, one field a key, with what is usual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from evstore.errors import ArgumentError
from evstore.frames.spec import CHANNELS

SCHEDULES = ("constant", "cosine", "onecycle")
LOSSES = ("rate", "mse")
OPTIMISERS = ("adamw",)
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Data:
    """[data]: which recordings, and how they become frames and batches.

    Either ``split`` and ``test_split``, or ``folds`` above 0 and ``fold``, the one that is tested.
    ``batch`` is that of all ranks together.
    """

    root: str = ""
    split: str = "train"
    test_split: str = "test"
    folds: int = 0
    fold: int = 0
    bins: int = 0
    duration_us: int = 0
    polarity: str = "on_off"
    binary: bool = False
    dtype: str = "uint8"
    overflow: str = "saturate"
    crop: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    flip_x: bool = False
    flip_y: bool = False
    noise: list[str] = field(default_factory=list)
    test_noise: list[str] = field(default_factory=list)
    test_noise_seed: int = 0
    batch: int = 32
    workers: str = "auto"

    def check(self) -> None:
        """Raises ArgumentError for values that make no sense."""
        _need(bool(self.root), "data.root must name a packed dataset, got none")
        _at_least("data.folds", self.folds, 0)
        _need(self.folds != 1, "data.folds must be 0 (use the splits) or 2 or more, got 1")
        if self.folds:
            _within("data.fold", self.fold, 0, self.folds - 1)
        _need(
            (self.bins > 0) != (self.duration_us > 0),
            "give one of data.bins and data.duration_us, "
            f"got bins={self.bins}, duration_us={self.duration_us}",
        )
        _one_of("data.polarity", self.polarity, tuple(CHANNELS))
        _at_least("data.batch", self.batch, 1)


@dataclass(frozen=True)
class Augment:
    """[augment]: what is done to training frames, drawn anew for each sample and epoch.

    ``shift_pixels``: each way, at most. ``rotate_degrees``, either way; ``scale``, of each axis,
    and ``shear``, as shares: 0.1 makes a picture up to a tenth larger or smaller, or leans it by
    up to a tenth. ``elastic_pixels``: points of a coarse grid move by up to so much each, and all
    between them smoothly along. ``time_crop``: the least share of a sample's frames that is kept,
    1 for all.
    """

    shift_pixels: int = 0
    rotate_degrees: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic_pixels: float = 0.0
    time_crop: float = 1.0

    def check(self) -> None:
        """Raises ArgumentError for values that make no sense."""
        _at_least("augment.shift_pixels", self.shift_pixels, 0)
        _within("augment.rotate_degrees", self.rotate_degrees, 0, 180)
        _within("augment.scale", self.scale, 0, 0.9)
        _within("augment.shear", self.shear, 0, 0.9)
        _at_least("augment.elastic_pixels", self.elastic_pixels, 0)
        _need(
            0 < self.time_crop <= 1,
            f"augment.time_crop must lie above 0 and up to 1, got {self.time_crop}",
        )


@dataclass(frozen=True)
class Model:
    """[model]: a name of `evstore.snn.models`, or "package.module:callable", and its arguments.

    Those of ``classes``, ``resolution`` and ``features`` that the callable takes, and that ``args``
    do not say, are those of the data. ``weights``: a run's folder, or a safetensors file, whose
    weights training begins with; "" for random ones.
    """

    name: str = "talk"
    args: dict[str, Any] = field(default_factory=dict)
    accelerate: bool = True
    weights: str = ""

    def check(self) -> None:
        """Raises ArgumentError for values that make no sense."""
        _need(bool(self.name), "model.name must name a model, got none")


@dataclass(frozen=True)
class Training:
    """[training]: how long, how fast, from which seed.

    ``warmup_epochs``: over which the rate rises (of "onecycle" a third of all where it is 0).
    ``clip_norm`` 0: gradients are not clipped. ``threads`` 0: see `threads.shares`.
    ``checkpoint_every_steps`` 0: at the end of each epoch only. ``average``: what is tested, and
    kept as the result, are the weights' running means over about 1 / (1 - average) steps; 0: the
    weights themselves.
    """

    epochs: int = 30
    lr: float = 1e-3
    weight_decay: float = 0.01
    optimiser: str = "adamw"
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    clip_norm: float = 0.0
    seed: int = 0
    loss: str = "rate"
    label_smoothing: float = 0.0
    average: float = 0.0
    device: str = "auto"
    threads: int = 0
    checkpoint_every_steps: int = 0

    def check(self) -> None:
        """Raises ArgumentError for values that make no sense."""
        _at_least("training.epochs", self.epochs, 1)
        _need(self.lr > 0, f"training.lr must be above 0, got {self.lr}")
        for name in ("weight_decay", "warmup_epochs", "clip_norm", "seed", "threads"):
            _at_least(f"training.{name}", getattr(self, name), 0)
        _at_least("training.checkpoint_every_steps", self.checkpoint_every_steps, 0)
        _need(
            self.warmup_epochs < self.epochs,
            f"training.warmup_epochs is {self.warmup_epochs} of training.epochs {self.epochs}: the "
            "rate would never get to training.lr; say fewer, or 0 for what is usual",
        )
        _within("training.label_smoothing", self.label_smoothing, 0, 1)
        _need(
            0 <= self.average < 1,
            f"training.average must lie in 0..1, without 1, got {self.average}",
        )
        _one_of("training.optimiser", self.optimiser, OPTIMISERS)
        _one_of("training.schedule", self.schedule, SCHEDULES)
        _one_of("training.loss", self.loss, LOSSES)
        _one_of("training.device", self.device, DEVICES)


@dataclass(frozen=True)
class Quantise:
    """[quantise]: train with weights of so many bits, and states of others; 0: with full ones."""

    weight_bits: int = 0
    state_bits: int = 16

    def check(self) -> None:
        """Raises ArgumentError for values that make no sense."""
        _at_least("quantise.weight_bits", self.weight_bits, 0)
        _at_least("quantise.state_bits", self.state_bits, 1)


@dataclass(frozen=True)
class Monitor:
    """[monitor]: every so many steps all layers are looked at; 0: none is."""

    every: int = 20
    tensorboard: bool = False

    def check(self) -> None:
        """Raises ArgumentError for values that make no sense."""
        _at_least("monitor.every", self.every, 0)


@dataclass(frozen=True)
class Config:
    """All of a run. ``losses``: options of the losses for hardware; none unless some are said."""

    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    model: Model = field(default_factory=Model)
    training: Training = field(default_factory=Training)
    losses: dict[str, Any] = field(default_factory=dict)
    quantise: Quantise = field(default_factory=Quantise)
    monitor: Monitor = field(default_factory=Monitor)

    def check(self) -> None:
        """Raises ArgumentError for values that make no sense."""
        for section in (self.data, self.augment, self.model, self.training, self.quantise):
            section.check()
        self.monitor.check()


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise ArgumentError(message)


def _at_least(name: str, value: float, least: float) -> None:
    _need(value >= least, f"{name} must be {least} or more, got {value}")


def _within(name: str, value: float, least: float, most: float) -> None:
    _need(least <= value <= most, f"{name} must lie in {least}..{most}, got {value}")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    _need(value in known, f"{name} must be one of {', '.join(known)}, got {value!r}")
