"""N-MNIST: handwritten digits on a screen, seen by an ATIS that makes three saccades.

Orchard et al., "Converting static image datasets to spiking neuromorphic datasets using
saccades", Frontiers in Neuroscience 9:437, 2015; https://www.garrickorchard.com/datasets/n-mnist.
CC BY-SA 4.0 by that page (not verified here). ``Train.zip`` and ``Test.zip`` unpack to
``Train/<digit>/<number>.bin`` and ``Test/<digit>/<number>.bin``, 40 bits an event, 34x34 pixels:
60,000 and 10,000 recordings of about 0.3 s.
"""

from __future__ import annotations

import os

from evstore.datasets.known import DIGITS
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import (
    all_of,
    gathered,
    layout_folder,
    named,
    not_unpacked,
)
from evstore.datasets.packing.walking import listing

READING = {"input_format": "bin40", "resolution": (34, 34)}
SPLITS = ("train", "test")

_CLASSES = [str(digit) for digit in range(10)]


def find(root: str) -> Found:
    """Train and Test, as `layouts.find_layout` gives them: label and class are the digit."""
    wanted = "Train/ or Test/ with folders 0 to 9 in it"
    folder = layout_folder(root, _is_it, "N-MNIST", wanted, SPLITS)
    items: list[Item] = []
    orphans = list(not_unpacked(folder))
    for split in SPLITS:
        if (part := named(folder, split)) is not None:
            _of_split(part, split, items, orphans)
    return gathered(Found(items, list(DIGITS), orphans=orphans), "N-MNIST", folder)


def _is_it(folder: str) -> bool:
    parts = [part for split in SPLITS if (part := named(folder, split)) is not None]
    return any(set(listing(part)[0]) & set(_CLASSES) for part in parts)


def _of_split(part: str, split: str, items: list[Item], orphans: list[tuple[str, str]]) -> None:
    folders, files = listing(part)
    orphans += [(os.path.join(part, name), "lies beside the digits") for name in files]
    for digit in folders:
        inside = os.path.join(part, digit)
        if digit not in _CLASSES:
            orphans += all_of(inside, "a folder that is no digit")
            continue
        deeper, names = listing(inside)
        for name in deeper:
            orphans += all_of(os.path.join(inside, name), "a folder within a digit's")
        for name in names:
            path, (stem, suffix) = os.path.join(inside, name), os.path.splitext(name)
            if suffix.lower() == ".bin":
                id = f"{split}/{digit}/{stem}"
                items.append(Item(path, id, split, int(digit), reading=READING))
            else:
                orphans.append((path, "no .bin file"))
