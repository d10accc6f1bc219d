"""The folder that a layout begins at, and what lies in it that is none of its recordings."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.walking import listing, walk
from evstore.errors import ArgumentError

T = TypeVar("T")

#: How many levels below the folder that was named the layout may begin.
DEPTH = 2

_SHOWN = 10

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".tar.bz2")


def layout_folder(
    root: str,
    is_it: Callable[[str], bool],
    layout: str,
    wanted: str,
    parts: Collection[str] = (),
    depth: int = DEPTH,
) -> str:
    """The folder that ``is_it`` accepts: ``root``, else the only one of the highest level below.

    Raises ArgumentError where ``root`` is called as one of the layout's ``parts`` (in lower case)
    and lies in it, where the layout is there several times, and where it is not: what was
    ``wanted``, and what is there.
    """
    if not os.path.isdir(root):
        raise ArgumentError(f"{root}: no such folder")
    above, name = os.path.split(os.path.abspath(root))
    if name.lower() in parts and _allowed(is_it, above, False):
        raise ArgumentError(f"{root}: is a part of {layout} only; name {above}, which holds it")
    if is_it(root):
        return root
    level, nothing = [root], list[str]()
    for _ in range(depth):
        level = [
            os.path.join(folder, name)
            for folder in level
            for name in _allowed(_folders, folder, nothing)
        ]
        found = [folder for folder in level if _allowed(is_it, folder, False)]
        if len(found) > 1:
            raise ArgumentError(
                f"{root}: holds {layout} more than once: {_some(found)}; name one of these folders"
            )
        if found:
            return found[0]
    folders, files = listing(root)
    there = _some([*(f"{name}/" for name in folders), *files]) or "nothing"
    packed = ", an archive: unpack it first" if any(map(is_archive, files)) else ""
    raise ArgumentError(
        f"{root}: does not look like {layout}: looked for {wanted}, here and up to {depth} levels "
        f"below; there is {there}{packed}"
    )


def _folders(folder: str) -> list[str]:
    return listing(folder)[0]


def _allowed(ask: Callable[[str], T], folder: str, otherwise: T) -> T:
    """What is asked of a folder, which may be anyone's: of one that cannot be read, nothing."""
    try:
        return ask(folder)
    except OSError:
        return otherwise


def is_archive(name: str) -> bool:
    """Whether a file's name is an archive's."""
    return name.lower().endswith(_ARCHIVES)


def named(folder: str, *names: str) -> str | None:
    """The first of the folders of these names, in any case; None where there is none."""
    there = {name.lower(): name for name in reversed(listing(folder)[0])}
    return next((os.path.join(folder, there[n.lower()]) for n in names if n.lower() in there), None)


def not_unpacked(folder: str) -> Iterator[tuple[str, str]]:
    """Archives that lie in a folder without what they unpack to."""
    folders, files = listing(folder)
    there = {name.lower() for name in folders}
    for name in files:
        if is_archive(name) and name.lower().partition(".")[0] not in there:
            yield os.path.join(folder, name), "an archive that is not unpacked"


def all_of(path: str, why: str) -> Iterator[tuple[str, str]]:
    """One orphan for a file or a whole folder, whose files are counted."""
    if os.path.isdir(path):
        count = len(walk(path).files)
        why += f" ({count:,} file{'' if count == 1 else 's'})"
    yield path, why


def gathered(found: Found, layout: str, folder: str) -> Found:
    """``found`` with each id once: a second recording of an id is an orphan.

    Raises ArgumentError where there is no recording at all.
    """
    first: dict[str, Item] = {}
    orphans = list(found.orphans)
    for item in found.items:
        if item.id in first:
            orphans.append((item.source, f"the same recording as {first[item.id].source}"))
        first.setdefault(item.id, item)
    if not first:
        some = "; ".join(f"{path}: {why}" for path, why in orphans[:3])
        raise ArgumentError(
            f"{folder}: no recording of {layout} is here{': ' if some else ''}{some}"
        )
    return replace(found, items=list(first.values()), orphans=orphans)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
