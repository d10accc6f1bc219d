"""Side streams beside events: tables of columns, by stream; triggers are one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.formats.reading import Triggers

Table = dict[str, NDArray[Any]]
Sides = dict[str, Table]

TRIGGERS = "triggers"


def rows_of(table: Table) -> int:
    """How many rows a stream has."""
    return len(next(iter(table.values())))


def joined(parts: Iterable[Sides]) -> Sides:
    """All rows of each stream, in order."""
    found: dict[str, list[Table]] = {}
    for part in parts:
        for stream, table in part.items():
            found.setdefault(stream, []).append(table)
    return {
        stream: {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        for stream, tables in found.items()
    }


def with_triggers(triggers: Triggers | None, side: Sides | None) -> Sides:
    """What a batch has beside events, triggers among them."""
    found = dict(side or {})
    if triggers is not None:
        found[TRIGGERS] = triggers._asdict()
    return found


def without_triggers(sides: Sides) -> tuple[Triggers | None, Sides]:
    """Triggers, and the other streams."""
    rest = {stream: table for stream, table in sides.items() if stream != TRIGGERS}
    return (Triggers(**sides[TRIGGERS]) if TRIGGERS in sides else None), rest
