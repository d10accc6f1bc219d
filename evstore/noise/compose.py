"""Several transforms, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch, Sensor, Stage
from evstore.noise.key import Key
from evstore.noise.sources.adding import together
from evstore.noise.transform import Transform


@dataclass(frozen=True, init=False)
class Compose(Transform):
    """Transforms in the order given: a sensor's noise first, then what its readout does, filters.

    Each gets random numbers of its own, two of one kind and seed too. ``seed`` stands for all of
    them: those of a Compose with another seed are others.

    >>> from evstore.noise import BackgroundActivity, HotPixels
    >>> noise = Compose(HotPixels(fraction=0.001), BackgroundActivity(rate_hz=5), seed=3)
    """

    transforms: tuple[Transform, ...]

    def __init__(
        self,
        *transforms: Transform,
        seed: int = 0,
        resolution: tuple[int, ...] | None = None,
    ) -> None:
        object.__setattr__(self, "transforms", transforms)
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "resolution", resolution)
        self.__post_init__()

    def check(self) -> None:
        """Raises ArgumentError unless all are transforms of evstore."""
        for transform in self.transforms:
            if isinstance(transform, (list, tuple)):
                raise ArgumentError(
                    "Compose takes transforms one by one, Compose(a, b): got them in a "
                    f"{type(transform).__name__}"
                )
            if not isinstance(transform, Transform):
                raise ArgumentError(
                    f"Compose takes transforms of evstore.noise, got {transform!r}; "
                    "tonic's own Compose takes both"
                )

    @property
    def makes_events(self) -> bool:  # type: ignore[override]
        """Whether any of them does."""
        return any(transform.makes_events for transform in self.transforms)

    def least_sensor(self) -> Sensor:
        """The least that holds what each of them needs."""
        sizes = [transform.least_sensor() for transform in self.transforms]
        width = max((size.width for size in sizes), default=1)
        return Sensor(width, max((size.height for size in sizes), default=1))

    def expected_hz(self, sensor: Sensor) -> float:
        """Events a second that all of them make."""
        return sum(transform.expected_hz(sensor) for transform in self.transforms)

    @property
    def only_chooses(self) -> bool:  # type: ignore[override]
        """Whether all of them do."""
        return all(transform.only_chooses for transform in self.transforms)

    def begin(self, sensor: Sensor, key: Key, start: int) -> Stage:
        """All of them at work, each on what the one before gives."""
        stages: list[Stage] = []
        for place, transform in enumerate(self.transforms):
            stage = transform.begin(sensor, key.within(self.seed, place), start)
            stages += stage.stages if isinstance(stage, _Chain) else [stage]
        return _Chain(together(stages))


class _Chain:
    def __init__(self, stages: list[Stage]) -> None:
        self.stages = stages

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        for stage in self.stages:
            batch, until = stage.push(batch, until, last)
        return batch, until
