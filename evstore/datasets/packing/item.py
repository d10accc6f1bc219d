"""One recording that a dataset is to hold: where it lies, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Item:
    """A source file (or ``file#stream``) that becomes one recording, or a cut of it.

    ``id`` is unique in the dataset, ``/`` between its parts; ``label`` any JSON value, an index
    into ``Found.classes`` where there are classes. ``reading``: arguments of `evstore.open` that
    say what the file cannot (``input_format``, ``resolution`` ...). ``intervals`` and ``boxes``
    name tables of labels that lie beside it (see formats/label_tables.py). Items of one ``group``
    are sensors on one clock. ``start`` and ``stop``: microseconds of the file's own clock.
    """

    source: str
    id: str
    split: str | None = None
    label: Any = None
    group: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    intervals: str | None = None
    boxes: str | None = None
    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True)
class Found:
    """All items of a source, the names of their classes, and what no item was made of.

    ``first_class`` is the number that the tables of labels give to the first class (1 in those of
    DVS128 Gesture); labels and intervals in the dataset count from 0. ``orphans`` are paths, and
    what is wrong with each.
    """

    items: list[Item]
    classes: list[str] | None = None
    first_class: int = 0
    orphans: list[tuple[str, str]] = field(default_factory=list)
