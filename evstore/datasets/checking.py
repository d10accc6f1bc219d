"""Whether a dataset's manifest and its shards agree."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evstore.datasets.class_ids import check_recording
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.manifest import NAME, Manifest, read_manifest
from evstore.datasets.splitting import RULE, apply_rule
from evstore.errors import ArgumentError, CorruptError
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import Shard

_HINT = "`evstore dataset index` makes it again of the shards"


@dataclass(frozen=True)
class Agreed:
    """What a manifest and its shards both say."""

    recordings: int
    shards: int


def check_dataset(folder: str | os.PathLike[str]) -> Agreed:
    """Check that the manifest of a folder is the one that its shards would give, roots and all.

    Reads directories and indexes of the shards and, where classes have names, the classes of
    labelled times and boxes; no events: `evstore.verify` of each shard proves that they are of the
    roots. Raises CorruptError naming the first recording that differs, a
    shard that is gone or one that the manifest does not know; and as `read_manifest` does.
    """
    said = read_manifest(folder)
    path = Path(folder) / NAME
    named = set(said.values("shard"))
    there = {os.path.relpath(p, folder).replace(os.sep, "/"): p for p in shards_below(folder)}
    if gone := sorted(named - set(there)):
        raise CorruptError(f"names shards that are not there ({len(gone)})", path=path, got=gone[0])
    if strange := sorted(set(there) - named):
        raise CorruptError(
            f"does not know all shards of the folder ({len(strange)} more)",
            path=path,
            got=strange[0],
            hint=_HINT,
        )
    try:
        made = index_shards(list(there.values()), folder)
        if (rule := said.about.get(RULE)) is not None:
            made = apply_rule(made, rule)
    except ArgumentError as error:
        raise CorruptError(f"cannot be of these shards: {error}", path=path) from None
    _compare(said, made, path)
    _check_classes(list(there.values()), made.classes)
    return Agreed(len(set(made.values("id"))), len(there))


def _check_classes(shards: list[str], classes: list[str] | None) -> None:
    """Raise where a labelled time or a box is of a class that there is not."""
    for path in shards if classes is not None else ():
        with Shard(path) as shard:
            for info in shard.recordings:
                try:
                    check_recording(RecordingReader(shard, info), classes)
                except CorruptError as error:
                    raise error.at(path) from None


def _compare(said: Manifest, made: Manifest, path: Path) -> None:
    if (said.classes, said.about) != (made.classes, made.about):
        raise CorruptError(
            "says other things of the dataset than its shards",
            path=path,
            expected={"classes": made.classes, **made.about},
            got={"classes": said.classes, **said.about},
            hint=_HINT,
        )
    names = made.table.column_names
    if said.table.column_names != names:
        raise CorruptError(
            "has other columns than its shards give",
            path=path,
            expected=", ".join(names),
            got=", ".join(said.table.column_names),
            hint=_HINT,
        )
    _same_recordings(said, made, path)
    for name in names:
        if not said.table.column(name).equals(made.table.column(name)):
            raise _first_difference(said, made, name, path)


def _same_recordings(said: Manifest, made: Manifest, path: Path) -> None:
    rows, others = (list(zip(m.values("id"), m.values("part"), strict=True)) for m in (said, made))
    if rows == others:
        return
    lacks, more = sorted(set(others) - set(rows)), sorted(set(rows) - set(others))
    if lacks:
        what = f"lacks {len(lacks)} recordings of the shards: {lacks[0][0]!r}"
    elif more:
        what = f"has {len(more)} recordings that no shard holds: {more[0][0]!r}"
    else:
        what = "has its rows in another order, or some of them twice"
    raise CorruptError(what, path=path, hint=_HINT)


def _first_difference(said: Manifest, made: Manifest, name: str, path: Path) -> CorruptError:
    ids, got, expected = said.values("id"), said.values(name), made.values(name)
    for id, ours, theirs in zip(ids, got, expected, strict=True):
        if ours != theirs:
            return CorruptError(
                f"disagrees with the shard about recording {id!r}",
                path=path, field=name, expected=_shown(theirs), got=_shown(ours), hint=_HINT,
            )  # fmt: skip
    types = (str(m.table.schema.field(name).type) for m in (made, said))
    return CorruptError(
        "type of a column",
        path=path,
        field=name,
        expected=next(types),
        got=next(types),
        hint=_HINT,
    )


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)[:200]
