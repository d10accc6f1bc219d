"""N-Caltech101: pictures of Caltech101 on a screen, seen by an ATIS that makes three saccades.

Orchard et al., Frontiers in Neuroscience 9:437, 2015;
https://www.garrickorchard.com/datasets/n-caltech101. CC BY 4.0 by that page (not verified here).
``Caltech101.zip`` unpacks to ``Caltech101/<class>/image_NNNN.bin``, 40 bits an event; 8,709
recordings of about 0.3 s in 101 classes, ``BACKGROUND_Google`` among them, no official split.
``Caltech101_annotations.zip`` unpacks to ``Caltech101_annotations/<class>/annotation_NNNN.bin``,
a box for each recording of all classes but the background.

The files state no geometry and differ in size: it is inferred of each recording.
"""

from __future__ import annotations

import os
import re

from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import (
    DEPTH,
    all_of,
    gathered,
    layout_folder,
    named,
    not_unpacked,
)
from evstore.datasets.packing.walking import listing

READING = {"input_format": "bin40"}

#: The class without boxes.
BACKGROUND = "BACKGROUND_Google"

ANNOTATIONS = "Caltech101_annotations"

_IMAGE = re.compile(r"image_([0-9]+)\.bin")
_ANNOTATION = re.compile(r"annotation_([0-9]+)\.bin")


def find(root: str) -> Found:
    """All classes, as `layouts.find_layout` gives them: the folders, in order; boxes if there.

    An annotation has one box for all of the recording, and no class: see `read_boxes`.
    """
    wanted = "folders of classes with image_NNNN.bin in them (Caltech101/)"
    folder = layout_folder(root, _is_it, "N-Caltech101", wanted, depth=DEPTH + 1)
    beside = os.path.dirname(os.path.abspath(folder))
    boxes = named(beside, ANNOTATIONS)
    marks = {} if boxes is None else _annotations(named(boxes, ANNOTATIONS) or boxes)
    packed = os.path.join(beside, f"{ANNOTATIONS}.zip")
    orphans = list(not_unpacked(folder))
    if boxes is None and os.path.isfile(packed):
        orphans.append((packed, "an archive that is not unpacked: there are no boxes"))
    folders, files = listing(folder)
    orphans += [(os.path.join(folder, name), "lies beside the classes") for name in files]
    there = {name: listing(os.path.join(folder, name)) for name in folders}
    classes = [name for name in folders if any(map(_IMAGE.fullmatch, there[name][1]))]
    items = []
    for name in folders:
        inside = os.path.join(folder, name)
        if name not in classes:
            orphans += all_of(inside, "a folder without recordings")
            continue
        for deeper in there[name][0]:
            orphans += all_of(os.path.join(inside, deeper), "a folder within a class")
        for file in there[name][1]:
            path, match = os.path.join(inside, file), _IMAGE.fullmatch(file)
            if match is None:
                orphans.append((path, "no image_NNNN.bin file"))
                continue
            box = marks.pop((name, match[1]), None)
            if box is None and boxes is not None and name != BACKGROUND:
                orphans.append((path, "has no annotation: it goes without a box"))
            id = f"{name}/{file.removesuffix('.bin')}"
            label = classes.index(name)
            items.append(Item(path, id, None, label, reading=READING, boxes=box))
    orphans += [(path, "an annotation of no recording") for path in marks.values()]
    return gathered(Found(items, classes, orphans=orphans), "N-Caltech101", folder)


def _is_it(folder: str) -> bool:
    inside = (os.path.join(folder, name) for name in listing(folder)[0])
    return any(any(map(_IMAGE.fullmatch, listing(name)[1])) for name in inside)


def _annotations(folder: str) -> dict[tuple[str, str], str]:
    """The file of each (class, number)."""
    found = {}
    for name in listing(folder)[0]:
        inside = os.path.join(folder, name)
        for file in listing(inside)[1]:
            if match := _ANNOTATION.fullmatch(file):
                found[name, match[1]] = os.path.join(inside, file)
    return found
