"""Prophesee's automotive detection datasets, Gen1 and 1 Mpx: drives with boxes.

Gen1: de Tournemire et al., "A large scale event-based detection dataset for automotive",
arXiv:2001.08499, 2020; 304x240 pixels, 2,359 recordings of 60 s (1,460 train, 429 val, 470 test
by what is written of it, not verified here), classes car and pedestrian.
1 Mpx: Perot et al., "Learning to detect objects with a 1 megapixel event camera", NeurIPS 2020;
1280x720 pixels, about 14.7 hours, seven classes. Both at https://www.prophesee.ai under terms of
their own, for research (not verified here).

The archives unpack to ``train``, ``val`` and ``test``, as in
``detection_dataset_duration_60s_ratio_1.0/train``, with ``<name>_td.dat`` and ``<name>_bbox.npy``
side by side, at any depth; ``_td.h5``, ``_td.hdf5``, ``_td.raw`` are taken as well. Boxes are in
pixels of the events (ratio 1.0), the top left corner and the size; their class is a number from 0
on, by ``label_map_dictionary.json`` where it is there. The ``.h5`` files of histograms that come
with 1 Mpx hold no events, and are none of this.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

from evstore.datasets.known import GEN1, MEGAPIXEL
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import gathered, layout_folder, not_unpacked
from evstore.datasets.packing.walking import SPLITS, listing, walk
from evstore.errors import ArgumentError, FormatError
from evstore.formats import prophesee_header
from evstore.recording.stream import HEAD

BOXES = "_bbox.npy"
EVENTS = ("_td.dat", "_td.raw", "_td.h5", "_td.hdf5")
LABEL_MAP = "label_map_dictionary.json"

#: By the resolution of the events: what a number of a class means.
CLASSES = {(304, 240): GEN1, (1280, 720): MEGAPIXEL}

#: What the recordings of each are called (17-03-30_12-53-58_..., moorea_2019-02-19_...).
_CALLED = {
    re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2}_.*"): (304, 240),
    re.compile(r"moorea_.*"): (1280, 720),
}


def find(root: str) -> Found:
    """All splits, as `layouts.find_layout` gives them; a recording without boxes is an orphan.

    Raises ArgumentError where nothing says which of both datasets it is, FormatError for a map
    of labels that is none.
    """
    wanted = f"train/, val/ or test/ with *{EVENTS[0]} and *{BOXES} in it"
    folder = layout_folder(root, _is_it, "Prophesee's detection dataset", wanted, SPLITS)
    orphans = list(not_unpacked(folder))
    items = []
    for split, part in _parts(folder):
        walked = walk(part)
        orphans += walked.orphans
        events, boxes = _sorted(part, walked.files, orphans)
        for name in events:
            path = os.path.join(part, *events[name].split("/"))
            if name not in boxes:
                orphans.append((path, f"has no boxes: there is no {os.path.basename(name)}{BOXES}"))
                continue
            table = os.path.join(part, *boxes.pop(name).split("/"))
            items.append(Item(path, f"{split}/{name}" if split else name, split, boxes=table))
        orphans += [
            (os.path.join(part, *table.split("/")), "boxes of no recording")
            for table in boxes.values()
        ]
    found = gathered(Found(items, None, orphans=orphans), "Prophesee's detection dataset", folder)
    return _told(found, folder)


def _parts(folder: str) -> Iterator[tuple[str | None, str]]:
    """(split, its folder); the folder itself, of no split, where recordings lie in it."""
    folders, files = listing(folder)
    splits = [name for name in folders if name.lower() in SPLITS]
    for name in splits:
        yield SPLITS[name.lower()], os.path.join(folder, name)
    own = os.path.basename(os.path.abspath(folder)).lower()
    if not splits and own not in SPLITS and any(file.endswith(BOXES) for file in files):
        yield None, folder


def _is_it(folder: str) -> bool:
    return any(
        name.endswith((BOXES, *EVENTS)) for _, part in _parts(folder) for name in walk(part).files
    )


def _sorted(
    part: str, files: list[str], orphans: list[tuple[str, str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """(files of events, files of boxes) by what comes before their endings."""
    events: dict[str, str] = {}
    boxes: dict[str, str] = {}
    for file in files:
        path = os.path.join(part, *file.split("/"))
        ending = next((end for end in (*EVENTS, BOXES) if file.endswith(end)), None)
        if ending is None:
            if os.path.basename(file) != LABEL_MAP:
                orphans.append((path, f"no *{EVENTS[0]} and no *{BOXES}"))
            continue
        kind, name = (boxes if ending == BOXES else events), file.removesuffix(ending)
        if name in kind:
            orphans.append((path, f"the same recording as {kind[name]}"))
        kind.setdefault(name, file)
    return events, boxes


def _told(found: Found, folder: str) -> Found:
    """With the classes, and with the resolution of files that do not state it."""
    sizes = {}
    for item in found.items:
        stated = _stated(item.source)
        named = os.path.basename(item.source)
        sizes[item.id] = stated or next((s for p, s in _CALLED.items() if p.fullmatch(named)), None)
    kinds = {size for size in sizes.values() if size is not None}
    classes = _label_map(folder)
    if classes is None:
        if len(kinds) != 1 or not kinds <= set(CLASSES):
            got = ", ".join(f"{w}x{h}" for w, h in sorted(kinds)) or "no size"
            raise ArgumentError(
                f"{folder}: neither Gen1 (304x240) nor 1 Mpx (1280x720) alone, so that nothing "
                f"says what the classes are: the files say {got}; put {LABEL_MAP} here"
            )
        classes = list(CLASSES[kinds.pop()])
    items = []
    for item in found.items:
        reading = {"resolution": sizes[item.id]} if sizes[item.id] is not None else {}
        items.append(Item(item.source, item.id, item.split, reading=reading, boxes=item.boxes))
    return Found(items, classes, orphans=found.orphans)


def _stated(path: str) -> tuple[int, int] | None:
    """The resolution that the header of a DAT or RAW file states."""
    if not path.endswith((".dat", ".raw")):
        return None
    with open(path, "rb") as file:
        header = prophesee_header.parse(file.read(HEAD))
    return None if header is None else prophesee_header.resolution(header)[0]


def _label_map(folder: str) -> list[str] | None:
    """The names of the classes by number, of the map in the folder or beside it."""
    for place in (folder, os.path.dirname(os.path.abspath(folder))):
        path = os.path.join(place, LABEL_MAP)
        if not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                names = {int(number): str(name) for number, name in json.load(file).items()}
        except (ValueError, AttributeError, RecursionError) as error:
            raise FormatError(f"is no map of labels: {error}", path=path) from None
        if sorted(names) != list(range(len(names))) or not names:
            got = ", ".join(map(str, sorted(names)))
            raise FormatError("classes are not numbered on", path=path, expected="0 on", got=got)
        return [names[number] for number in sorted(names)]
    return None
