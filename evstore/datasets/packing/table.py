"""A list of recordings with their labels: CSV or Parquet, a row a recording."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evstore.datasets.natural import natural
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.list_rows import Rows, read_rows
from evstore.datasets.packing.tree import unique
from evstore.datasets.packing.walking import below
from evstore.errors import ArgumentError
from evstore.recording.opening import is_shard
from evstore.shard.address import split_address

#: What the column of files may be called; the first one that is there.
PATHS = ("path", "file", "source")

#: Columns that mean something here; every other one is kept with the recording.
MEANT = ("id", "split", "label", "group", "start", "stop", "intervals", "boxes")

TEXTS = (*PATHS, "id", "split", "group", "intervals", "boxes")


def find_table(path: str | os.PathLike[str], reading: Mapping[str, Any] | None = None) -> Found:
    """The recordings that a CSV or Parquet list names.

    A column ``path`` (or ``file``, or ``source``) names the file, or ``file#recording``, from the
    list's own folder on. Of the others, all optional, ``id`` is the recording's name in the
    dataset (else it is made of the path), ``split`` is made lower case, ``start`` and ``stop`` are
    microseconds, ``intervals`` and ``boxes`` name tables of labels. A ``label`` that is text
    becomes its place among the sorted classes; whole numbers and others stay. What else there is
    goes to `Item.columns`: in CSV, a column is of whole numbers or of floats where all of its
    cells are, and of text else; an empty cell is None, and so is one that is not a number (nan).
    ``reading``: arguments of `evstore.open`,
    for all files but shards.

    Files that are not there are orphans, with the line that names them; so is a recording whose
    intervals or boxes are not there. Raises ArgumentError for a list without paths, of unknown
    kind or with an id twice, FormatError naming the line for other rows that cannot be.
    """
    rows = read_rows(os.fspath(path), TEXTS)
    column = next((name for name in PATHS if name in rows.columns), None)
    if column is None:
        raise ArgumentError(
            f"{rows.path}: a list needs a column {', '.join(PATHS[:-1])} or {PATHS[-1]}; "
            f"it has {', '.join(rows.columns)[:200]}"
        )
    extra = [name for name in rows.columns if name not in (column, *MEANT)]
    classes, labels = _labels(rows)
    entries: list[_Entry] = []
    orphans: list[tuple[str, str]] = []
    folder = os.path.dirname(rows.path)
    for k in range(len(rows)):
        source = _place(rows, k, column, folder)
        assert source is not None
        missing = _missing(rows, k, source, folder)
        orphans += missing
        if not missing:
            entries.append(_entry(rows, k, source, labels[k], extra, folder))
    _name(rows, entries, folder)
    for entry in entries if reading else ():
        if not is_shard(split_address(entry.source)[0]):
            entry.said["reading"] = dict(reading or {})
    if not entries:
        some = "; ".join(f"{path}: {why}" for path, why in orphans[:3])
        raise ArgumentError(
            f"{rows.path}: names no recording that is there{': ' * bool(some)}{some}"
        )
    return Found([entry.item() for entry in entries], classes, orphans=orphans)


@dataclass
class _Entry:
    """A row of the list on its way to an item; ``k`` counts rows from 0."""

    k: int
    source: str
    id: str | None
    said: dict[str, Any]

    def item(self) -> Item:
        assert self.id is not None
        return Item(self.source, self.id, **self.said)


def _entry(
    rows: Rows, k: int, source: str, label: Any, extra: Sequence[str], folder: str
) -> _Entry:
    split = _text(rows, k, "split")
    start, stop = _whole(rows, k, "start"), _whole(rows, k, "stop")
    if start is not None and stop is not None and stop <= start:
        raise rows.error(k, "stop", "a cut that ends before it begins", f"stop > {start}", stop)
    said = {
        "split": None if split is None else split.lower(),
        "label": label,
        "group": _text(rows, k, "group"),
        "columns": {name: _plain(rows, k, name) for name in extra},
        "intervals": _place(rows, k, "intervals", folder),
        "boxes": _place(rows, k, "boxes", folder),
        "start": start,
        "stop": stop,
    }
    return _Entry(k, source, _text(rows, k, "id"), said)


def _labels(rows: Rows) -> tuple[list[str] | None, list[Any]]:
    """(classes where labels are text, label of each row)."""
    given = rows.columns.get("label", [None] * len(rows))
    labels = [_label(rows, k, label) for k, label in enumerate(given)]
    texts = {label for label in labels if isinstance(label, str)}
    if not texts:
        return None, labels
    for k, label in enumerate(labels):
        if label is not None and not isinstance(label, str):
            raise rows.error(k, "label", "a label that is no text among texts", "text", label)
    classes = sorted(texts, key=natural)
    number = {name: n for n, name in enumerate(classes)}
    return classes, [None if label is None else number[label] for label in labels]


def _label(rows: Rows, k: int, label: Any) -> Any:
    """A label as it is; in Parquet not a number is none, as pandas writes a missing one."""
    if not isinstance(label, float) or math.isfinite(label):
        return label
    if math.isnan(label) and rows.lines is None:
        return None
    expected = "a number or text; nothing where a recording has no label"
    raise rows.error(k, "label", "a label that is no number", expected, label)


def _missing(rows: Rows, k: int, source: str, folder: str) -> list[tuple[str, str]]:
    line = rows.line(k)
    if not os.path.isfile(split_address(source)[0]):
        return [(source, f"there is no such file, but {line} names it")]
    for name in ("intervals", "boxes"):
        table = _place(rows, k, name, folder)
        if table is not None and not os.path.isfile(table):
            return [(source, f"its {name} are not there, but {line} names {table}")]
    return []


def _name(rows: Rows, entries: list[_Entry], folder: str) -> None:
    """Gives an id to the rows that have none: the path without its suffix, and the cut."""
    unnamed = [entry for entry in entries if entry.id is None]
    base = _base([split_address(entry.source)[0] for entry in unnamed], folder)
    short, whole = [], []
    for entry in unnamed:
        path, stream = split_address(entry.source)
        place = below(path, base)
        cut = (entry.said["start"], entry.said["stop"])
        end = f"/{stream}" if stream else ""
        span = (
            "/" + "-".join("" if t is None else str(t) for t in cut) if cut != (None, None) else ""
        )
        short.append(os.path.splitext(place)[0] + end)
        whole.append((os.path.splitext(place)[0] + end + span, place + end + span))
    for entry, id in zip(unnamed, _spread(short, whole), strict=True):
        entry.id = id
    first: dict[str | None, _Entry] = {}
    for entry in entries:
        if (other := first.setdefault(entry.id, entry)) is not entry:
            raise ArgumentError(
                f"{rows.path}: {rows.line(other.k)} and {rows.line(entry.k)} are both "
                f"{entry.id!r}: give them ids of their own"
            )


def _spread(short: list[str], whole: list[tuple[str, str]]) -> list[str]:
    """The shortest of an id's three forms that tells it from the others."""
    cuts = unique(short, [cut for cut, _ in whole])
    return unique(cuts, [place for _, place in whole])


def _base(paths: list[str], folder: str) -> str:
    """The folder that ids count from: the list's; where files lie beside it, that of all files."""
    here = os.path.abspath(folder or os.curdir)
    folders = {os.path.dirname(os.path.abspath(path)) for path in paths}
    if all(os.path.join(inside, "").startswith(os.path.join(here, "")) for inside in folders):
        return here
    try:
        return os.path.commonpath(folders)
    except ValueError:  # on two drives
        raise ArgumentError("the files lie on several drives: give each recording an id") from None


def _place(rows: Rows, k: int, name: str, folder: str) -> str | None:
    text = _text(rows, k, name, required=name in PATHS)
    return None if text is None else os.path.join(folder, text)


def _plain(rows: Rows, k: int, name: str) -> Any:
    """A cell that JSON holds: not a number is nothing."""
    value = rows.columns[name][k]
    if not isinstance(value, float) or math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    raise rows.error(k, name, "an infinite number, which no metadata holds", "a number", value)


def _text(rows: Rows, k: int, name: str, required: bool = False) -> str | None:
    value = rows.columns[name][k] if name in rows.columns else None
    if value is None or value == "":
        if required:
            raise rows.error(k, name, "a row without a file", "a path", "nothing")
        return None
    if isinstance(value, int) and not isinstance(value, bool) and name in ("id", "split", "group"):
        return str(value)
    if not isinstance(value, str):
        raise rows.error(k, name, "a value that is no text", "text", value)
    return value


def _whole(rows: Rows, k: int, name: str) -> int | None:
    value = rows.columns[name][k] if name in rows.columns else None
    if isinstance(value, float):  # what pandas makes of whole numbers where one is missing
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise rows.error(k, name, "no time", "whole microseconds", value)
    return value
