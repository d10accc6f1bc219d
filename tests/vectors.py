"""The vectors and bad files of formats/, and how tests read them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from conftest import ROOT
from evstore.formats import registry
from evstore.formats.reading import Batch, Reading, ReadOptions

FORMATS = ROOT / "formats"

# Folders that hold no events, and so have no format module.
NO_EVENTS = {"speck_config"}

# Shards are read by evstore.shard; their vectors and bad files have tests of their own.
SHARDS = {"evs"}

COLUMNS = ("t", "x", "y", "p")
DIGESTS = {"t": "t_i8", "x": "x_u2", "y": "y_u2", "p": "p_u1"}


def folders() -> list[Path]:
    found = (path for path in FORMATS.iterdir() if path.is_dir() and path.name not in NO_EVENTS)
    return sorted(found)


def files(kind: str) -> list[Path]:
    """All files of every format's vectors/ or bad/, without what is said about them."""
    found = []
    for folder in folders():
        if folder.name not in SHARDS:
            found += sorted((folder / kind).iterdir())
    return [path for path in found if path.suffix not in (".json", ".md")]


def name_of(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.name}"


@dataclass
class Case:
    """A file, the module that reads it, and what its JSON says."""

    path: Path
    module: ModuleType
    input_format: str
    options: dict[str, Any]
    expected: dict[str, Any]

    @property
    def guessable(self) -> bool:
        """Whether the content alone says the format."""
        return not self.options and "input_format" not in self.expected

    def reading(self, content: bytes | None = None, **options: Any) -> Reading:
        stream = io.BytesIO(self.path.read_bytes() if content is None else content)
        given = ReadOptions(**{**self.options, **options})
        reading: Reading = self.module.read(stream, given, self.input_format)
        return reading


def case(path: Path) -> Case:
    beside = path.with_suffix(".json")
    expected = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    options = dict(expected.get("options", {}))
    module = registry.by_name(path.parent.parent.name)
    input_format = expected.get("input_format", options.pop("input_format", module.NAME))
    lists = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    return Case(path, module, input_format, lists, expected)


@dataclass
class Decoded:
    """All batches of a reading, joined, as far as they came."""

    columns: list[Any] = field(default_factory=list)
    triggers: list[Any] = field(default_factory=list)
    side: dict[str, dict[str, Any]] = field(default_factory=dict)


def join(batches: list[Batch]) -> Decoded:
    edges = [batch.triggers for batch in batches if batch.triggers is not None]
    return Decoded(
        [np.concatenate([batch[k] for batch in batches] or [[]]) for k in range(4)],
        [np.concatenate([edge[k] for edge in edges] or [[]]) for k in range(3)],
        join_side(batches),
    )


def join_side(batches: list[Batch]) -> dict[str, dict[str, Any]]:
    """All rows of each side stream, by column."""
    found: dict[str, dict[str, list[Any]]] = {}
    for batch in batches:
        for stream, columns in (batch.side or {}).items():
            rows = {len(column) for column in columns.values()}
            assert len(rows) == 1, f"columns of {stream} are not of one length"
            for name, column in columns.items():
                found.setdefault(stream, {}).setdefault(name, []).append(column)
    return {
        stream: {name: np.concatenate(parts) for name, parts in columns.items()}
        for stream, columns in found.items()
    }


def consume(batches: Iterator[Batch]) -> tuple[list[Batch], BaseException | None]:
    """The batches up to the end or to an error, and that error."""
    found: list[Batch] = []
    try:
        for batch in batches:
            found.append(batch)
    except Exception as error:
        return found, error
    return found, None
