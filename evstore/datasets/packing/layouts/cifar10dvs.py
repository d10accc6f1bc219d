"""CIFAR10-DVS: moving pictures of CIFAR-10 on a screen, seen by a DVS128.

Li et al., "CIFAR10-DVS: an event-stream dataset for object classification", Frontiers in
Neuroscience 11:309, 2017; https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671. CC BY
4.0 by that page (not verified here). ``airplane.zip`` ... ``truck.zip`` unpack to
``<class>/cifar10_<class>_<number>.aedat`` (AEDAT 2.0), those that tonic fetches to
``<class>/*.aedat4``: 1,000 recordings a class, 10,000 in all, 128x128 pixels, no official split.

The origin of AEDAT 2.0 is the bottom left, and its display mirrors (the recordings' metadata say
so); whether the AEDAT4 twins were turned is not verified here.
"""

from __future__ import annotations

import os
from typing import Any

from evstore.datasets.known import CIFAR10
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import (
    all_of,
    gathered,
    layout_folder,
    named,
    not_unpacked,
)
from evstore.datasets.packing.walking import listing

#: How a file is read, by its suffix.
READING: dict[str, dict[str, Any]] = {
    ".aedat4": {"input_format": "aedat4", "resolution": (128, 128)},
    ".aedat": {"input_format": "aedat2", "sensor": "DVS128"},
}


def find(root: str) -> Found:
    """All classes, as `layouts.find_layout` gives them, in the order of CIFAR-10; no split."""
    wanted = "folders airplane/ ... truck/ with .aedat4 or .aedat files in them"
    folder = layout_folder(root, _is_it, "CIFAR10-DVS", wanted, CIFAR10)
    items: list[Item] = []
    orphans = list(not_unpacked(folder))
    for label, name in enumerate(CIFAR10):
        if (part := named(folder, name)) is None:
            orphans.append((os.path.join(folder, name), "there is no such folder"))
            continue
        deeper, files = listing(part)
        for inside in deeper:
            orphans += all_of(os.path.join(part, inside), "a folder within a class")
        for file in files:
            path, (stem, suffix) = os.path.join(part, file), os.path.splitext(file)
            if (reading := READING.get(suffix.lower())) is not None:
                items.append(Item(path, f"{name}/{stem}", None, label, reading=reading))
            else:
                orphans.append((path, "no .aedat4 or .aedat file"))
    return gathered(Found(items, list(CIFAR10), orphans=orphans), "CIFAR10-DVS", folder)


def _is_it(folder: str) -> bool:
    parts = [part for name in CIFAR10 if (part := named(folder, name)) is not None]
    return any(
        os.path.splitext(file)[1].lower() in READING for part in parts for file in listing(part)[1]
    )
