"""Recordings that a Python object gives, as tonic's datasets do, instead of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.events import COLUMNS, Events

#: Whole numbers up to here, and no others, are exact in a float64.
_EXACT = {np.dtype(np.float64): 2**53, np.dtype(np.float32): 2**24, np.dtype(np.float16): 2**11}


@dataclass(frozen=True)
class ArraySource:
    """Recordings of a dataset object, read one at a time.

    ``resolution`` is (width, height), None where recordings differ; ``classes`` are names by
    label. Pickles where the dataset does.
    """

    dataset: Any
    split: str | None = None
    resolution: tuple[int, int] | None = None
    classes: list[str] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def id(self, i: int) -> str:
        """What sample ``i`` is called: ``train/000012``."""
        return f"{i:06d}" if self.split is None else f"{self.split}/{i:06d}"

    def read(self, i: int) -> tuple[Events, Any]:
        """The events of sample ``i``, in its order, and its label as a JSON value.

        Fields may have any order and any type; floats that are whole numbers are cast, others
        refused; polarities are bool, 0 and 1, or -1 and 1. A target that is the name of a class
        becomes its number. Raises ArgumentError naming the sample for anything else.
        """
        if not 0 <= i < len(self):
            raise ArgumentError(f"there is no sample {i}: the dataset has {len(self):,}")
        sample = self.dataset[i]
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            raise self._error(i, f"is {_kind(sample)}, no pair of events and target")
        return self._events(i, sample[0]), self._label(i, sample[1])

    def _events(self, i: int, array: Any) -> Events:
        names = getattr(getattr(array, "dtype", None), "names", None)
        if not isinstance(array, np.ndarray) or names is None:
            raise self._error(
                i,
                f"has {_kind(array)}, no structured array of events. Frames cannot be packed: "
                "make the dataset without a transform (evstore makes frames when it reads)",
            )
        if array.ndim != 1:
            raise self._error(i, f"has an array of shape {array.shape}, no row of events")
        line = self.resolution is not None and self.resolution[1] == 1
        missing = [n for n in COLUMNS if n not in names and not (n == "y" and line)]
        if missing:
            raise self._error(i, f"has no field {', '.join(missing)}, but {', '.join(names)}")
        columns = {n: self._whole(i, n, array[n]) for n in COLUMNS if n in names}
        columns.setdefault("y", np.zeros(len(array), np.uint16))
        columns["p"] = _polarity(columns["p"])
        try:
            t, x, y, p = (columns[name] for name in COLUMNS)
            events = Events(t, x, y, p, self.resolution)
        except ArgumentError as error:
            raise self._error(i, f"has events that cannot be: {error}") from None
        self._check_inside(i, events)
        return events

    def _whole(self, i: int, name: str, values: NDArray[Any]) -> NDArray[Any]:
        if values.dtype.kind in "iub":
            return np.array(values, values.dtype.newbyteorder("="), order="C")
        limit = _EXACT.get(values.dtype.newbyteorder("="))
        if limit is None:
            raise self._error(i, f"has a field {name!r} of {values.dtype}, no numbers")
        with np.errstate(invalid="ignore"):
            exact = (np.abs(values) <= limit) & (values == np.floor(values))
        if not exact.all():
            k = int(np.argmin(exact))
            raise self._error(
                i, f"has {name} = {values[k]!r} in event {k:,}, no whole number that is exact"
            )
        return values.astype(np.int64)

    def _check_inside(self, i: int, events: Events) -> None:
        if self.resolution is None:
            return
        width, height = self.resolution
        outside = int(np.count_nonzero((events.x >= width) | (events.y >= height)))
        if outside:
            raise self._error(
                i,
                f"has {outside:,} events outside {width}x{height}, its sensor_size: x up to "
                f"{events.x.max()}, y up to {events.y.max()}",
            )

    def _label(self, i: int, target: Any) -> Any:
        if hasattr(target, "item") and getattr(target, "ndim", 0) == 0:
            target = target.item()  # a number of numpy or torch
        if self.classes is not None and isinstance(target, str):
            if target not in self.classes:
                raise self._error(i, f"has the target {target!r}, none of the classes")
            return self.classes.index(target)
        if target is None or isinstance(target, bool | int | str):
            return target
        if isinstance(target, float) and np.isfinite(target):
            return target
        raise self._error(
            i, f"has {_kind(target)} for a target, no number and no text: pass a target_transform"
        )

    def _error(self, i: int, what: str) -> ArgumentError:
        return ArgumentError(f"sample {i} of {type(self.dataset).__name__} {what}")


def find_tonic(dataset: Any, split: str | None = None) -> ArraySource:
    """A source of the recordings of a dataset object, tonic's or any of its shape.

    It has ``__len__``, and ``__getitem__`` that gives (structured array with the fields t, x, y
    and p, target); where it has them, ``sensor_size`` (width, height, polarities) and ``classes``
    (names by number, or numbers by name) are used. t is in microseconds. Times that step back are
    kept. Transforms of the dataset are applied as they are, each time a sample is read: one that
    is random makes recordings that no one can make again. Raises ArgumentError for other objects.

    >>> dtype = [("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")]
    >>> class Clicks(list):
    ...     sensor_size = (34, 34, 2)
    ...     classes = ["off", "on"]
    >>> source = find_tonic(Clicks([(np.array([(3, 4, True, 5)], dtype), 1)]), split="train")
    >>> source.id(0), source.read(0)[0].t.tolist(), source.read(0)[1]
    ('train/000000', [5], 1)
    """
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise ArgumentError(f"a dataset has a length and items by number; got {_kind(dataset)}")
    return ArraySource(dataset, split, _resolution(dataset), _classes(dataset))


def _resolution(dataset: Any) -> tuple[int, int] | None:
    size = getattr(dataset, "sensor_size", None)
    if size is None:
        return None
    try:
        width, height, _ = (int(side) for side in size)
        if width > 0 and height > 0:
            return width, height
    except (TypeError, ValueError):
        pass
    raise ArgumentError(f"sensor_size must be (width, height, polarities), got {size!r}")


def _classes(dataset: Any) -> list[str] | None:
    classes = getattr(dataset, "classes", None)
    if classes is None:
        return None
    if isinstance(classes, Mapping):
        if sorted(classes.values()) != list(range(len(classes))):
            raise ArgumentError(f"classes must be numbered from 0 on, got {classes!r:.200}")
        classes = sorted(classes, key=classes.__getitem__)
    return [str(name) for name in classes]


def _polarity(p: NDArray[Any]) -> NDArray[Any]:
    """-1 and 1 as 0 and 1; anything else as it is."""
    signs = p.dtype.kind == "i" and p.size and int(p.min()) == -1 and not (p == 0).any()
    return (p > 0) if signs and int(p.max()) <= 1 else p


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + ("" if shape is None else f" of shape {tuple(shape)}")
