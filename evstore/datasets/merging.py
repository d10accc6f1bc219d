"""Several datasets in one folder: their shards, linked or copied, and one manifest."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from evstore.datasets.checking import check_dataset
from evstore.datasets.indexing import index_shards, joined_classes, shards_below
from evstore.datasets.manifest import NAME, Manifest, read_manifest, write_manifest
from evstore.datasets.splitting import RULE
from evstore.errors import ArgumentError, FormatError
from evstore.shard.output import part_file, sync_folder
from evstore.shard.shard import Shard

#: What a file system answers that links no files, or not these.
NO_LINK = (
    *(errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK),
    *(errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL),
)


@dataclass(frozen=True)
class Merged:
    """The new dataset, and how its shards came there. ``kept``: they were there already."""

    manifest: Manifest
    linked: int
    copied: int
    kept: int


@dataclass(frozen=True)
class _Shard:
    source: str
    target: str


def merge(
    datasets: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    link: bool = True,
) -> Merged:
    """Merge datasets into a new folder; they themselves stay as they are.

    Shards get hard links where the file system has them (and ``link``), else copies: dataset
    ``k``'s ``a.evs`` becomes ``k-a.evs``. The manifest is written last; run it again after an
    interruption, and what is there is kept. ``overwrite`` replaces other shards in the folder.

    Recordings keep their ids, which stand in the shards: no id may be in two datasets. Classes
    must be equal, one's may begin with the other's, or be unknown. Splits are those that the
    shards were packed with. Raises ArgumentError where that cannot be, and CorruptError for a
    dataset whose manifest is not that of its shards.
    """
    out = os.fspath(folder)
    paths = [os.fspath(one) for one in datasets]
    if len(paths) < 2:
        raise ArgumentError("merge joins two datasets or more")
    _check_folders(paths, out)
    manifests = [_read(path) for path in paths]
    _check_together(paths, manifests)
    todo = [one for k, path in enumerate(paths) for one in _shards(k, path, manifests[k], out)]
    strangers = sorted(set(_there(out)) - {os.path.normpath(one.target) for one in todo})
    if strangers and not overwrite:
        raise ArgumentError(
            f"{out}: holds {len(strangers)} shards that are not of these datasets: "
            f"{os.path.basename(strangers[0])} ... --overwrite removes them"
        )
    counts = {"linked": 0, "copied": 0, "kept": 0}
    for one in todo:
        counts[_bring(one, overwrite, link)] += 1
    if strangers:
        if os.path.exists(old := os.path.join(out, NAME)):
            os.remove(old)  # it names shards that are going
        for path in strangers:
            os.remove(path)
    made = index_shards([one.target for one in todo], out)
    write_manifest(made, out)
    return Merged(made, **counts)


def _check_folders(paths: Sequence[str], out: str) -> None:
    places = [os.path.realpath(path) for path in paths]
    target = os.path.realpath(out)
    for k, (path, place) in enumerate(zip(paths, places, strict=True)):
        if place in places[:k]:
            raise ArgumentError(f"{path}: is there twice")
        for a, b in ((place, target), (target, place)):
            if os.path.join(a, "").startswith(os.path.join(b, "")):
                raise ArgumentError(f"{out}: must lie beside {path}, not in it or around it")


def _read(path: str) -> Manifest:
    """A dataset's manifest, which is that of its shards."""
    manifest = read_manifest(path)
    if RULE in manifest.about:
        raise ArgumentError(
            f"{path}: has splits of `evstore dataset split`, which stand in its manifest alone: "
            "merge cannot keep them. `evstore pack` it into another folder, whose shards have "
            "them, and merge that; or take them away with `evstore dataset split --as-packed`"
        )
    check_dataset(path)
    return manifest


def _check_together(paths: Sequence[str], manifests: Sequence[Manifest]) -> None:
    """Raise where an id is in two of them, or classes disagree."""
    classes, of = None, paths[0]
    seen: dict[str, str] = {}
    for path, manifest in zip(paths, manifests, strict=True):
        joined = joined_classes(classes, manifest.classes, of, path)
        classes, of = joined, path if joined is not classes else of
        ids = set(manifest.values("id"))
        if both := sorted(ids & set(seen)):
            raise ArgumentError(
                f"recording {both[0]!r} is in {seen[both[0]]} and in {path}"
                f"{f', and {len(both) - 1} more' if len(both) > 1 else ''}: an id stands in its "
                f"shard. Pack one of them again under other ids, from a list with a column `id` "
                "and a column `path` of SHARD.evs#ID"
            )
        seen |= dict.fromkeys(ids, path)


def _shards(number: int, path: str, manifest: Manifest, out: str) -> list[_Shard]:
    names = sorted(set(manifest.values("shard")))
    return [
        _Shard(
            os.path.join(path, *name.split("/")),
            os.path.join(out, *f"{number}-{name}".split("/")),
        )
        for name in names
    ]


def _there(folder: str) -> list[str]:
    return list(map(os.path.normpath, shards_below(folder))) if os.path.isdir(folder) else []


def _bring(one: _Shard, overwrite: bool, link: bool) -> str:
    """Link or copy a shard, unless it is there; says which."""
    if os.path.exists(one.target):
        if _is_same(one):
            return "kept"
        if not overwrite:
            raise ArgumentError(
                f"{one.target}: exists, and is another shard than {one.source}; "
                "--overwrite replaces it"
            )
    folder = os.path.dirname(one.target) or "."
    os.makedirs(folder, exist_ok=True)
    if link and _link(one):
        sync_folder(folder)
        return "linked"
    _copy(one)
    return "copied"


def _is_same(one: _Shard) -> bool:
    """The same file, or one of the same size with the same recordings: a shard never changes."""
    if os.path.samefile(one.source, one.target):
        return True
    if os.path.getsize(one.source) != os.path.getsize(one.target):
        return False
    try:
        with Shard(one.source) as a, Shard(one.target) as b:
            said = [[info.metadata for info in shard.recordings] for shard in (a, b)]
            return a.recordings == b.recordings and a.pages == b.pages and said[0] == said[1]
    except FormatError:
        return False


def _link(one: _Shard) -> bool:
    """Whether the file system links it."""
    source, name = os.path.realpath(one.source), one.target
    if os.path.exists(name):
        # Never a `.part`: who finds that of a merge that was killed empties it, and so the source.
        name = os.path.join(os.path.dirname(name), f".{os.path.basename(name)}.link")
        if os.path.lexists(name):
            os.remove(name)
    try:
        os.link(source, name)
    except OSError as error:
        if error.errno in NO_LINK:
            return False
        raise
    if name != one.target:
        os.replace(name, one.target)
    return True


def _copy(one: _Shard) -> None:
    with part_file(one.target) as file, open(one.source, "rb") as source:
        shutil.copyfileobj(source, file.file, 1 << 20)
