"""manifest.parquet: what a dataset holds, a row for each recording, or for each part of one.

It is written last and at once, and can be made again from the shards (`index`): nothing but the
rule of a `dataset split` stands only here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evstore.datasets import MANIFEST
from evstore.datasets.natural import natural
from evstore.datasets.parquet_size import read_bounded
from evstore.errors import (
    ArgumentError,
    CorruptError,
    FormatError,
    MissingDependencyError,
    UnsupportedError,
)
from evstore.shard.output import part_file

NAME = MANIFEST
VERSION = 1
KEY = b"evstore"

#: The columns that every manifest has, in this order; a user's own follow them.
#: ``t_first`` is the first event's time, ``t_min`` and ``t_max`` the least and the greatest.
COLUMNS = (
    *("id", "part", "split", "label", "group", "shard", "position", "first_event", "events"),
    *("t_first", "t_min", "t_max", "width", "height", "root", "source", "boxes", "intervals"),
)


@dataclass(frozen=True)
class Manifest:
    """A table with the columns `COLUMNS` and the dataset's own, sorted by id and part.

    ``classes``: names of the labels 0, 1, ... ``about``: JSON values that hold for all of the
    dataset (``layout``; ``split``, the rule that gave the splits).
    """

    table: Any  # a pyarrow.Table
    classes: list[str] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def own_columns(self) -> list[str]:
        """Names of the columns that are the dataset's own."""
        return [name for name in self.table.column_names if name not in COLUMNS]

    def values(self, name: str) -> list[Any]:
        """A column as Python values; of a column of JSON what it says."""
        column = self.table.column(name)
        values: list[Any] = column.to_pylist()
        if _is_json(self.table.schema.field(name)):
            return [None if value is None else json.loads(value) for value in values]
        return values


def arrow(purpose: str = "a dataset's manifest") -> Any:
    """The package pyarrow, or MissingDependencyError."""
    try:
        import pyarrow
    except ImportError:
        raise MissingDependencyError("pyarrow", "arrow", purpose) from None
    return pyarrow


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """The manifest of a dataset's folder.

    Raises ArgumentError where there is none, FormatError for what is none, UnsupportedError for
    a newer one, CorruptError for one whose columns cannot be. One that would take far more memory
    than a file of its size can be meant to is a FormatError before it is read.
    """
    pyarrow = arrow()
    path = Path(folder) / NAME
    if not path.is_file():
        raise ArgumentError(
            f"{folder}: has no {NAME}; `evstore dataset index {folder}` makes one of the shards "
            "there, `evstore pack` a dataset of recordings"
        )
    try:
        table = read_bounded(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorruptError(f"cannot be read: {error}", path=path, hint=_INDEX) from None
    about = (table.schema.metadata or {}).get(KEY)
    if about is None:
        raise FormatError("is no manifest of evstore: its schema does not say so", path=path)
    facts = _facts(about, path)
    _check(table, path)
    return Manifest(table, facts.pop("classes", None), facts)


_INDEX = "`evstore dataset index` makes it again of the shards"


def _facts(about: bytes, path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(about)
    except ValueError:
        raise CorruptError("what the schema says is no JSON", path=path, hint=_INDEX) from None
    if not isinstance(facts, dict):
        raise CorruptError("what the schema says is no object", path=path, hint=_INDEX)
    version = facts.pop("version", None)
    if not isinstance(version, int) or version > VERSION:
        raise UnsupportedError(
            "manifest of a newer evstore", path=path, expected=f"version {VERSION}", got=version
        )
    names = facts.get("classes")
    if names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise CorruptError("classes are no list of names", path=path, got=names, hint=_INDEX)
    found: dict[str, Any] = facts
    return found


def _check(table: Any, path: Path) -> None:
    """Raise unless the columns are those of a manifest: later code indexes by them."""
    lacks = [name for name in COLUMNS if name not in table.column_names]
    if lacks:
        raise CorruptError(f"lacks the columns {', '.join(lacks)}", path=path, hint=_INDEX)
    schema = table_schema()
    for name in COLUMNS:
        wanted, got = schema.get(name), table.schema.field(name).type
        if wanted is not None and got != wanted:
            raise CorruptError(
                "type of a column", path=path, field=name, expected=wanted, got=got, hint=_INDEX
            )
        if name in _NEEDED and table.column(name).null_count:
            raise CorruptError("a column with gaps", path=path, field=name, hint=_INDEX)
    _check_values(table, path)


def _check_values(table: Any, path: Path) -> None:
    """Raise for numbers that cannot be, and for shards that are not in the folder or below."""
    import pyarrow.compute as pc

    for name, (least, most) in _LIMITS.items():
        found = pc.min_max(table.column(name)).as_py()
        for value in (found["min"], found["max"]):
            if value is not None and not least <= value <= most:
                raise CorruptError(
                    "a number that cannot be",
                    path=path, field=name, expected=f"{least} to {most}", got=value, hint=_INDEX,
                )  # fmt: skip
    for name in table.column("shard").unique().to_pylist():
        parts = name.split("/")
        if (
            not {"", ".", ".."}.isdisjoint(parts)
            or "\0" in name
            or (os.sep != "/" and _DRIVE(name))
        ):
            raise CorruptError(
                "a shard that is not below the manifest's folder",
                path=path, field="shard", got=name[:200], hint=_INDEX,
            )  # fmt: skip


_DRIVE = re.compile(r"[\\:]").search

#: Least and greatest of the columns of numbers.
_LIMITS = {
    **dict.fromkeys(("part", "position"), (0, (1 << 31) - 1)),
    **dict.fromkeys(("first_event", "events", "boxes"), (0, 1 << 56)),
    **dict.fromkeys(("width", "height"), (1, 1 << 16)),
}


#: Columns without a gap.
_NEEDED = (
    *("id", "part", "shard", "position", "first_event", "events"),
    *("t_first", "t_min", "t_max", "root", "boxes"),
)


def table_schema() -> dict[str, Any]:
    """The types of the columns; a label's is that of the labels there are."""
    pa = arrow()
    interval = pa.struct([(name, pa.int64()) for name in ("t_start", "t_stop", "class_id")])
    return {
        **dict.fromkeys(("id", "split", "group", "shard", "source"), pa.string()),
        **dict.fromkeys(("part", "width", "height"), pa.int32()),
        **dict.fromkeys(("position", "first_event", "events", "boxes"), pa.int64()),
        **dict.fromkeys(("t_first", "t_min", "t_max"), pa.int64()),
        "root": pa.binary(32),
        "intervals": pa.list_(interval),
    }


def make_manifest(
    rows: Sequence[Mapping[str, Any]],
    classes: list[str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Manifest:
    """A manifest of rows: dicts with the values of `COLUMNS`, and ``columns``, the dataset's own.

    Raises ArgumentError where a part of a recording is there twice or is missing.
    """
    pa = arrow()
    ordered = sorted(rows, key=lambda row: (natural(row["id"]), row["id"], row["part"]))
    _check_parts(ordered)
    schema = table_schema()
    arrays, fields = [], []
    for name in COLUMNS:
        values = [row.get(name) for row in ordered]
        wanted = schema.get(name)
        array, kind = (pa.array(values, wanted), None) if wanted else _typed(values)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=kind))
    for name in _own_names(ordered):
        array, kind = _typed([row.get("columns", {}).get(name) for row in ordered])
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=kind))
    return Manifest(pa.table(arrays, schema=pa.schema(fields)), classes, dict(about or {}))


def _own_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row.get("columns", {}))
    taken = [name for name in names if name in COLUMNS]
    if taken:
        raise ArgumentError(f"columns of your own cannot be called {', '.join(taken)}")
    return list(names)


def _check_parts(rows: Sequence[Mapping[str, Any]]) -> None:
    id, part, next_event = None, -1, 0
    for row in rows:
        if row["id"] != id:
            id, part, next_event = row["id"], -1, 0
        elif row["part"] == part:
            raise ArgumentError(
                f"recording {id!r} is in {row['shard']} and in another shard: remove one of them"
            )
        if row["part"] != part + 1 or row["first_event"] != next_event:
            raise ArgumentError(f"recording {id!r} lacks its part {part + 1}")
        part, next_event = row["part"], row["first_event"] + row["events"]


def _typed(values: list[Any]) -> tuple[Any, dict[bytes, bytes] | None]:
    """Values in the one type that they have; else as JSON, which the field's metadata says."""
    pa = arrow()
    kinds = {type(value) for value in values if value is not None}
    types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    whole = [value for value in values if type(value) is int]
    small = all(-(1 << 63) <= value < 1 << 63 for value in whole)
    exact = all(abs(value) <= 1 << 53 for value in whole)  # as floats, too
    if kinds <= {int, float} and float in kinds and exact:
        return pa.array([None if v is None else float(v) for v in values], pa.float64()), None
    if len(kinds) == 1 and small and (kind := next(iter(kinds))) in types:
        return pa.array(values, types[kind]), None
    if not kinds:
        return pa.array(values, pa.int64()), None
    texts = [None if v is None else json.dumps(v, sort_keys=True) for v in values]
    return pa.array(texts, pa.string()), {b"json": b"1"}


def _is_json(field: Any) -> bool:
    return b"json" in (field.metadata or {})


#: Columns whose values differ from row to row: a dictionary of them makes a file larger and slower.
_APART = ("id", "root", "source", "t_first", "t_min", "t_max")


def write_manifest(manifest: Manifest, folder: str | os.PathLike[str]) -> Path:
    """Write it at once: before, the folder has the old one or none, then the new one."""
    pa = arrow()
    from pyarrow import parquet

    facts = {"version": VERSION, **manifest.about}
    if manifest.classes is not None:
        facts["classes"] = manifest.classes
    metadata = {KEY: json.dumps(facts, sort_keys=True).encode()}
    sink = pa.BufferOutputStream()
    table = manifest.table.replace_schema_metadata(metadata)
    alike = [name for name in table.column_names if name not in _APART]
    parquet.write_table(table, sink, compression="zstd", use_dictionary=alike)
    path = Path(folder) / NAME
    with part_file(path) as file:
        file.append([memoryview(sink.getvalue())])
    return path
