"""A vector or bad file of a format, the module that reads it, and what reading it gives."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from evstore.formats import registry
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.sides import Sides, joined


class NotConforming(AssertionError):  # noqa: N818 - it says what is wrong, as an assertion does
    """A format does not do what every format does."""


def expect(true: bool, what: object) -> None:
    """Raise NotConforming, with what is wrong, unless it is true."""
    if not true:
        raise NotConforming(str(what))


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
        """The file (or other bytes in its place) being read."""
        stream = io.BytesIO(self.path.read_bytes() if content is None else content)
        given = ReadOptions(**{**self.options, **options})
        reading: Reading = self.module.read(stream, given, self.input_format)
        return reading


def case(path: Path, module: ModuleType | None = None) -> Case:
    """A vector or bad file; the module is the one that its folder is named after."""
    beside = path.with_suffix(".json")
    expected = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    options = dict(expected.get("options", {}))
    module = module or registry.by_name(path.parent.parent.name)
    named = expected.get("input_format", options.pop("input_format", module.NAME))
    lists = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    return Case(path, module, str(named), lists, expected)


def files(folder: Path, kind: str) -> list[Path]:
    """The files of ``vectors`` or ``bad``, without what is said about them."""
    return [
        path for path in sorted((folder / kind).iterdir()) if path.suffix not in (".json", ".md")
    ]


@dataclass
class Decoded:
    """All batches of a reading, joined, as far as they came."""

    columns: list[Any] = field(default_factory=list)
    triggers: list[Any] = field(default_factory=list)
    side: dict[str, dict[str, Any]] = field(default_factory=dict)


def join(batches: list[Batch]) -> Decoded:
    """All of several batches."""
    edges = [batch.triggers for batch in batches if batch.triggers is not None]
    return Decoded(
        [_joined([batch[k] for batch in batches]) for k in range(4)],
        [_joined([edge[k] for edge in edges]) for k in range(3)],
        join_side(batches),
    )


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.empty(0)


def join_side(batches: list[Batch]) -> Sides:
    """All rows of each side stream, by column."""
    parts = [batch.side or {} for batch in batches]
    for part in parts:
        for stream, columns in part.items():
            rows = {len(column) for column in columns.values()}
            expect(len(rows) == 1, f"columns of {stream} are not of one length: {rows}")
    return joined(parts)


def consume(batches: Iterator[Batch]) -> tuple[list[Batch], BaseException | None]:
    """The batches up to the end or to an error, and that error."""
    found: list[Batch] = []
    try:
        for batch in batches:
            found.append(batch)
    except Exception as error:
        return found, error
    return found, None
