"""A folder tree of recordings: folders are classes, the first of them may be a split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evstore.datasets.natural import natural
from evstore.datasets.packing.contents import Contents, recordings_in
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.walking import SPLITS, walk
from evstore.errors import ArgumentError


def find_tree(root: str | os.PathLike[str], reading: Mapping[str, Any] | None = None) -> Found:
    """Every recording below ``root``, of any format that evstore reads.

    A first folder called train, training, test, testing, val, valid or validation (in any case)
    is the split; but a single such folder, which holds recordings itself as its two or more
    neighbours do, is a class (car, bus, train). The label is the name of the folder that holds the
    file, where the folders as deep as it have two names or more; classes are these names in
    natural order. A file of several streams, or a shard of several recordings, gives an item for
    each; a bag's or an AEDAT file's streams, which have one clock, are a group. ``reading``:
    arguments of `evstore.open`, for all files but shards.

    Hidden files are passed over. Orphans are what holds no recording, with why; a file that is
    known for one but is damaged is an item, so that packing says so. Raises ArgumentError where
    ``root`` is no folder or holds no recording.
    """
    top, said = os.fspath(root), dict(reading or {})
    walked = walk(top)
    orphans = list(walked.orphans)
    places: list[_Place] = []
    for file in walked.files:
        path = os.path.join(top, *file.split("/"))
        inside = recordings_in(path, said)
        if inside.why:
            orphans.append((path, inside.why))
        places += [_Place(file, name, inside) for name in inside.names]
    if not places:
        why = f", as in {orphans[0][0]}: {orphans[0][1]}" if orphans else ""
        raise ArgumentError(f"{top}: no recording was found in this folder{why}")
    classes, labels = _labels(places)
    ids = unique([place.stem for place in places], [place.whole for place in places])
    items = []
    for place, id, label in zip(places, ids, labels, strict=True):
        source = os.path.join(top, *place.path.split("/"))
        arguments = {} if place.inside.shard else said
        if place.stream is not None and "#" in source:
            arguments = arguments | {"recording": place.stream}  # no address would be clear
        elif place.stream is not None:
            source += f"#{place.stream}"
        group = id.removesuffix(f"/{place.stream}") if place.inside.group else None
        items.append(Item(source, id, place.split, label, group, reading=arguments))
    return Found(items, classes, orphans=orphans)


@dataclass
class _Place:
    """Where a recording lies: the file's path from the root, its stream, its split."""

    path: str
    stream: str | None
    inside: Contents
    split: str | None = None

    @property
    def whole(self) -> str:
        return self.path if self.stream is None else f"{self.path}/{self.stream}"

    @property
    def stem(self) -> str:
        stem = os.path.splitext(self.path)[0]
        return stem if self.stream is None else f"{stem}/{self.stream}"

    @property
    def folders(self) -> list[str]:
        """Of the file, from the root or the split's folder on."""
        return self.path.split("/")[1 if self.split else 0 : -1]


def _labels(places: list[_Place]) -> tuple[list[str] | None, list[int | None]]:
    """Sets the splits; (classes, label of each place)."""
    first = {place.path.split("/")[0] for place in places if "/" in place.path}
    flat = {place.path.split("/")[0] for place in places if place.path.count("/") == 1}
    splits = {name for name in first if name.lower() in SPLITS}
    if len(splits) == 1 and splits <= flat and len(flat - splits) >= 2:
        splits = set()  # vehicles: a car, a bus, a train
    for place in places:
        head = place.path.split("/")[0]
        place.split = SPLITS[head.lower()] if "/" in place.path and head in splits else None
    names: dict[int, set[str]] = {}
    for place in places:
        if place.folders:
            names.setdefault(len(place.folders), set()).add(place.folders[-1])
    told = {depth for depth, there in names.items() if len(there) > 1}
    classes = sorted({name for depth in told for name in names[depth]}, key=natural)
    number = {name: k for k, name in enumerate(classes)}
    labels = [number[place.folders[-1]] if len(place.folders) in told else None for place in places]
    return classes or None, labels


def unique(short: list[str], whole: list[str]) -> list[str]:
    """The short names; where several are the same, the whole ones, which all differ.

    >>> unique(["a/1", "a/1", "a/2"], ["a/1.bin", "a/1.dat", "a/2.bin"])
    ['a/1.bin', 'a/1.dat', 'a/2']
    """
    ids = list(short)
    while True:
        count = Counter(ids)
        twice = [k for k, id in enumerate(ids) if count[id] > 1 and id != whole[k]]
        if not twice:
            return ids
        for k in twice:
            ids[k] = whole[k]
