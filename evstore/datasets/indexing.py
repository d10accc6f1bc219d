"""A manifest made of the shards alone, and of the rule by which the old one was split."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evstore.datasets.manifest import Manifest, make_manifest, write_manifest
from evstore.datasets.splitting import RULE, apply_rule, rule_of
from evstore.errors import ArgumentError, CorruptError
from evstore.shard.index import RecordingInfo
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard

#: Intervals of labels that a manifest holds for one recording; more stay in the shard alone.
MOST_INTERVALS = 100_000

#: What else a manifest says of a dataset: no shard says it for one.
NOT_OF_SHARDS = ("classes", "version", RULE)

SHOWN_CLASSES = 20  # in an error


def shards_below(folder: str | os.PathLike[str]) -> list[str]:
    """The shards in a folder and the folders below it, sorted by path."""
    found = []
    for base, folders, files in os.walk(os.fspath(folder), onerror=_raise):
        folders.sort()
        found += [os.path.join(base, name) for name in sorted(files) if name.endswith(".evs")]
    return found


def _raise(error: OSError) -> None:
    raise error


class Indexed(NamedTuple):
    """A manifest made again. ``lost``: why the old one could not be read for its rule, if so."""

    manifest: Manifest
    lost: str | None


def index(folder: str | os.PathLike[str], as_packed: bool = False) -> Indexed:
    """Make the manifest of a folder again of the shards in it and below, and write it.

    Where the old one has a rule of `evstore dataset split`, the rule is applied again, unless
    ``as_packed``: the splits are then those that the shards say. An old manifest that is damaged
    or missing is no hindrance. Raises ArgumentError, FormatError as `index_shards` does, and for
    a manifest of a newer evstore or a file of that name that is none.
    """
    if not os.path.isdir(folder):
        raise ArgumentError(f"{os.fspath(folder)}: no such folder")
    rule, lost = None, None
    if not as_packed:
        try:
            rule = rule_of(folder)
        except CorruptError as error:
            lost = str(error)
    made = index_shards(shards_below(folder), folder)
    if rule is not None:
        made = apply_rule(made, rule)
    write_manifest(made, folder)
    return Indexed(made, lost)


def index_shards(
    paths: Sequence[str],
    folder: str | os.PathLike[str],
    classes: list[str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Manifest:
    """The manifest of these shards, whose names in it are relative to ``folder``.

    Reads directories and indexes, no events. ``classes`` and ``about``: what the shards say,
    unless they are given. Shards of several datasets have the classes of all, if one's begin
    with the other's, and what else all of them say. Raises FormatError for a shard that is not
    whole, ArgumentError where classes disagree or two shards hold the same recording.
    """
    if not paths:
        raise ArgumentError(f"{os.fspath(folder)}: there are no shards (.evs) in it")
    rows: list[dict[str, Any]] = []
    names: list[str] | None = None
    said: list[dict[str, Any]] = []
    for path in paths:
        name = os.path.relpath(path, folder).replace(os.sep, "/")
        with Shard(path) as shard:
            for position, info in enumerate(shard.recordings):
                rows.append(_row(shard, info, name, position))
                if (dataset := object_said(shard, info, "dataset")) is not None:
                    own = classes_said(shard, info)
                    names = joined_classes(names, own, "the shards before", name)
                    said.append({k: v for k, v in dataset.items() if k not in NOT_OF_SHARDS})
    facts = {**_common(said), **(about or {})}
    return make_manifest(rows, names if classes is None else classes, facts)


def joined_classes(
    a: list[str] | None, b: list[str] | None, of_a: str, of_b: str
) -> list[str] | None:
    """The classes of two datasets together: one's must begin with the other's, or be unknown.

    Raises ArgumentError that says where they part.

    >>> joined_classes(["cat", "dog"], ["cat"], "A", "B")
    ['cat', 'dog']
    """
    if a is None or b is None:
        return b if a is None else a
    for number, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            raise ArgumentError(
                f"label {number} is {one!r} in {of_a} and {other!r} in {of_b}: their classes are "
                f"{_shown(a)} and {_shown(b)}; pack one of them again with the other's labels"
            )
    return max(a, b, key=len)


def _shown(classes: list[str]) -> str:
    more = f", ... ({len(classes)} in all)" if len(classes) > SHOWN_CLASSES else ""
    return f"{', '.join(classes[:SHOWN_CLASSES])}{more}"


def _common(said: list[dict[str, Any]]) -> dict[str, Any]:
    """What all of them say."""
    first = said[0] if said else {}
    return {k: v for k, v in first.items() if all(k in one and one[k] == v for one in said)}


def _row(shard: Shard, info: RecordingInfo, name: str, position: int) -> dict[str, Any]:
    reader = RecordingReader(shard, info)
    t_first, _, t_min, t_max = reader.index.span() or (0, 0, 0, -1)
    width, height = info.resolution or (None, None)
    metadata = info.metadata
    source = metadata.get("source")
    source_name = source.get("name") if isinstance(source, dict) else None
    boxes = sum(rows for _, _, rows in info.side.get("boxes", ()))
    return {
        "id": info.id,
        "part": info.part,
        "split": text_said(metadata.get("split")),
        "label": metadata.get("label"),
        "group": text_said(metadata.get("group")),
        "shard": name,
        "position": position,
        "first_event": info.first_event,
        "events": info.n_events,
        "t_first": t_first,
        "t_min": t_min,
        "t_max": t_max,
        "width": width,
        "height": height,
        "root": info.root,
        "source": text_said(source_name),
        "boxes": boxes,
        "intervals": list(_intervals(reader, info)) or None,
        "columns": object_said(shard, info, "columns") or {},
    }


def object_said(shard: Shard, info: RecordingInfo, key: str) -> dict[str, Any] | None:
    """What a recording says under a key that means something to a dataset."""
    found = info.metadata.get(key)
    if found is None or isinstance(found, dict):
        return found
    raise _wrong(shard, info, key, "an object", found)


def classes_said(shard: Shard, info: RecordingInfo) -> list[str] | None:
    """The names of classes that a recording says its dataset has."""
    classes = (object_said(shard, info, "dataset") or {}).get("classes")
    if classes is None:
        return None
    if isinstance(classes, list) and all(isinstance(name, str) for name in classes):
        return classes
    raise _wrong(shard, info, "dataset.classes", "a list of names", classes)


def _wrong(shard: Shard, info: RecordingInfo, key: str, expected: str, got: Any) -> CorruptError:
    return CorruptError(
        f"recording {info.id!r} says of its dataset what cannot be",
        path=shard.source.name, field=key, expected=expected, got=repr(got)[:200],
    )  # fmt: skip


def text_said(value: Any) -> str | None:
    """A split, a group or a name as a manifest has them."""
    return None if value is None else str(value)


def _intervals(reader: RecordingReader, info: RecordingInfo) -> Iterator[dict[str, int]]:
    """The labelled times of a recording, so that windows can be planned without its shard."""
    if sum(rows for _, _, rows in info.side.get("labels", ())) > MOST_INTERVALS:
        raise ArgumentError(
            f"recording {info.id!r} has more than {MOST_INTERVALS:,} labelled intervals"
        )
    table = reader.side("labels")
    if table is None or not {"t_start", "t_stop", "class_id"} <= set(table):
        return
    columns = (table[name].tolist() for name in ("t_start", "t_stop", "class_id"))
    for start, stop, class_id in zip(*columns, strict=True):
        yield {"t_start": start, "t_stop": stop, "class_id": class_id}
