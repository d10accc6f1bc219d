"""N-CARS: cars and background, cut from recordings of an ATIS behind a windscreen.

Sironi et al., "HATS: Histograms of averaged time surfaces for robust event-based object
classification", CVPR 2018; https://www.prophesee.ai/2018/03/13/dataset-n-cars/. Free for research
by that page (not verified here). ``n-cars_train.zip`` and ``n-cars_test.zip`` unpack to
``train/`` or ``test/`` with ``cars/obj_NNNNNN_td.dat`` and ``background/obj_NNNNNN_td.dat``:
15,422 recordings to train with (7,940 cars) and 8,607 to test with (4,396 cars), 100 ms each.

The files state no geometry. Each is a box cut out of 304x240 pixels and moved to the origin, at
most 120x100 large by what is written of it (not verified here); they are read as 304x240.
"""

from __future__ import annotations

import os

from evstore.datasets.known import KNOWN
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import (
    all_of,
    gathered,
    layout_folder,
    named,
    not_unpacked,
)
from evstore.datasets.packing.walking import listing

READING = {"input_format": "dat", "resolution": (304, 240)}
CLASSES = KNOWN["NCARS"].classes
SUFFIX = "_td.dat"

#: What the folder of a split may be called, and where the classes may lie below it.
_PARTS = {"train": ("n-cars_train", "train"), "test": ("n-cars_test", "test")}


def find(root: str) -> Found:
    """Both splits, as `layouts.find_layout` gives them: 0 is background, 1 is a car."""
    wanted = "n-cars_train/ or n-cars_test/ with cars/ and background/ in it"
    names = [name for part in _PARTS.values() for name in part]
    folder = layout_folder(root, lambda folder: bool(_parts(folder)), "N-CARS", wanted, names)
    assert CLASSES is not None
    items: list[Item] = []
    orphans = list(not_unpacked(folder))
    for split, part in _parts(folder).items():
        folders, files = listing(part)
        orphans += [(os.path.join(part, name), "lies beside the classes") for name in files]
        for name in folders:
            if name not in CLASSES:
                orphans += all_of(os.path.join(part, name), "a folder of no class")
                continue
            _of_class(part, split, name, CLASSES.index(name), items, orphans)
    return gathered(Found(items, list(CLASSES), orphans=orphans), "N-CARS", folder)


def _parts(folder: str) -> dict[str, str]:
    """The folder of each split that holds those of the classes."""
    found = {}
    for split, names in _PARTS.items():
        part = named(folder, *names)
        for _ in range(3):  # n-cars_train/n-cars_train/train, as some tools unpack
            if part is None or set(listing(part)[0]) & set(CLASSES or ()):
                break
            part = named(part, *names)
        if part is not None:
            found[split] = part
    return {
        split: part for split, part in found.items() if set(listing(part)[0]) & set(CLASSES or ())
    }


def _of_class(
    part: str, split: str, name: str, label: int, items: list[Item], orphans: list[tuple[str, str]]
) -> None:
    deeper, files = listing(os.path.join(part, name))
    for folder in deeper:
        orphans += all_of(os.path.join(part, name, folder), "a folder within a class")
    for file in files:
        path = os.path.join(part, name, file)
        if file.endswith(SUFFIX):
            id = f"{split}/{name}/{file.removesuffix(SUFFIX)}"
            items.append(Item(path, id, split, label, reading=READING))
        else:
            orphans.append((path, f"no *{SUFFIX} file"))
