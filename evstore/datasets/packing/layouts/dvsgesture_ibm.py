"""DVS128 Gesture, the original archive: whole recordings with intervals of gestures.

Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017;
https://research.ibm.com/interactive/dvsgesture/. CC BY 4.0 by its read-me (not verified here).
``DvsGesture.tar.gz`` unpacks to ``DvsGesture/`` with ``userNN_<lighting>.aedat`` (AEDAT 3.1,
128x128), ``userNN_<lighting>_labels.csv`` (class, start and end in microseconds of the file's own
clock), ``trials_to_train.txt`` and ``trials_to_test.txt``; ``gesture_mapping.csv`` (action,label)
lies in it or beside it. 29 users, 122 recordings with 1,342 gestures: 98 recordings of 23 users to
train with, 24 of 6 users to test with (counts by what is written of it, not verified here).

The tables number the classes from 1 on.
"""

from __future__ import annotations

import csv
import os
import re

from evstore.datasets.known import GESTURES
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import all_of, gathered, layout_folder
from evstore.datasets.packing.walking import listing
from evstore.errors import FormatError

READING = {"input_format": "aedat3", "resolution": (128, 128)}
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
MAPPING = "gesture_mapping.csv"
LABELS = "_labels.csv"
FIRST_CLASS = 1

_NAME = re.compile(r"user([0-9]+)_([a-z_]+)\.aedat")
_OTHERS = (*LISTS.values(), MAPPING, "LICENSE.txt", "README.txt", "LICENSE", "README.md")


def find(root: str) -> Found:
    """Both splits, as `layouts.find_layout` gives them: intervals, and columns user and lighting.

    Raises FormatError for a list or mapping that is none, and for a recording in both splits.
    """
    wanted = " or ".join(LISTS.values())
    folder = layout_folder(root, _is_it, "DVS128 Gesture of IBM", wanted)
    folders, files = listing(folder)
    orphans: list[tuple[str, str]] = []
    splits = _splits(folder, files, orphans)
    items = []
    for name, split in splits.items():
        labels = name.removesuffix(".aedat") + LABELS
        if labels not in files:
            orphans.append((os.path.join(folder, name), f"has no labels: there is no {labels}"))
            continue
        items.append(_item(folder, name, split, labels))
    known = {*splits, *(name.removesuffix(".aedat") + LABELS for name in splits), *_OTHERS}
    for name in files:
        if name not in known:
            why = "labels of no recording" if name.endswith(LABELS) else f"is not in {wanted}"
            orphans.append((os.path.join(folder, name), why))
    for name in folders:
        orphans += all_of(os.path.join(folder, name), "a folder within the layout's")
    found = Found(items, _classes(folder), FIRST_CLASS, orphans)
    return gathered(found, "DVS128 Gesture of IBM", folder)


def _is_it(folder: str) -> bool:
    return bool(set(listing(folder)[1]) & set(LISTS.values()))


def _item(folder: str, name: str, split: str, labels: str) -> Item:
    match = _NAME.fullmatch(name)
    columns = {} if match is None else {"user": int(match[1]), "lighting": match[2]}
    return Item(
        os.path.join(folder, name),
        f"{split}/{name.removesuffix('.aedat')}",
        split,
        columns=columns,
        reading=READING,
        intervals=os.path.join(folder, labels),
    )


def _splits(folder: str, files: list[str], orphans: list[tuple[str, str]]) -> dict[str, str]:
    """The split of each recording that a list names and that is there."""
    found: dict[str, str] = {}
    for split, name in LISTS.items():
        path = os.path.join(folder, name)
        if name not in files:
            orphans.append((path, "there is no such list"))
            continue
        for number, line in enumerate(_lines(path), 1):
            if not (trial := line.strip()):
                continue
            at = os.path.join(folder, trial)
            if found.get(trial, split) != split:
                raise FormatError(f"line {number}: {trial} is in both lists", path=path)
            if trial in found:
                orphans.append((path, f"line {number} names {trial} again"))
            elif trial not in files:
                orphans.append((at, f"there is no such file, but {name} names it, line {number}"))
            else:
                found[trial] = split
    return found


def _classes(folder: str) -> list[str]:
    """The names of the mapping, by number; those of the paper where there is no mapping.

    The parent folder counts too: the mapping is downloaded apart from the archive.
    """
    for place in (folder, os.path.dirname(os.path.abspath(folder))):
        path = os.path.join(place, MAPPING)
        if os.path.isfile(path):
            return _mapped(path)
    return list(GESTURES)


def _mapped(path: str) -> list[str]:
    names: dict[int, str] = {}
    for number, cells in enumerate(csv.reader(_lines(path)), 1):
        row = [cell.strip() for cell in cells]
        if not any(row) or (number == 1 and not any(cell.isdecimal() for cell in row)):
            continue  # a header
        if len(row) != 2 or not row[1].isdecimal() or not row[0] or int(row[1]) in names:
            expected = "a name and a number of its own"
            got = ",".join(cells)[:80]
            raise FormatError(f"line {number} is no class", path=path, expected=expected, got=got)
        names[int(row[1])] = row[0]
    if sorted(names) != list(range(FIRST_CLASS, FIRST_CLASS + len(names))) or not names:
        got = ", ".join(map(str, sorted(names)))
        expected = f"each from {FIRST_CLASS} on"
        raise FormatError("classes are not numbered on", path=path, expected=expected, got=got)
    return [names[number] for number in sorted(names)]


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig", newline=None) as file:
            return file.read().splitlines()
    except UnicodeDecodeError as error:
        raise FormatError("is no text", path=path, offset=error.start) from None
