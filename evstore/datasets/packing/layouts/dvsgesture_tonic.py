"""DVS128 Gesture as tonic fetches it: single gestures, cut out of the original recordings.

Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017; the archives
are https://figshare.com/ndownloader/files/38022171 (train) and
https://figshare.com/ndownloader/files/38020584 (test). CC BY 4.0 by the original's read-me (not
verified here). They unpack to ``ibmGestureTrain/userNN_<lighting>/LABEL.npy`` and
``ibmGestureTest/...``: 1,077 and 264 gestures (counts by tonic's users, not verified here). Each
file is an (N, 4) array of x, y, p and t in milliseconds; its name is the class, 0 to 10.
"""

from __future__ import annotations

import os
import re

from evstore.datasets.known import GESTURES
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import (
    all_of,
    gathered,
    layout_folder,
    named,
    not_unpacked,
)
from evstore.datasets.packing.walking import listing

READING = {
    "input_format": "npy",
    "columns": ("x", "y", "p", "t"),
    "time_unit": "ms",
    "resolution": (128, 128),
}
PARTS = {"train": "ibmGestureTrain", "test": "ibmGestureTest"}

_TRIAL = re.compile(r"user([0-9]+)_([a-z_]+)")
_FILE = re.compile(r"([0-9]{1,2})\.npy")


def find(root: str) -> Found:
    """Both splits, as `layouts.find_layout` gives them: columns user and lighting."""
    wanted = " or ".join(f"{name}/" for name in PARTS.values())
    parts = [name.lower() for name in PARTS.values()]
    folder = layout_folder(root, _is_it, "DVS128 Gesture of tonic", wanted, parts)
    items: list[Item] = []
    orphans = list(not_unpacked(folder))
    for split, name in PARTS.items():
        if (part := named(folder, name)) is not None:
            folders, files = listing(part)
            orphans += [(os.path.join(part, file), "lies beside the users") for file in files]
            for trial in folders:
                _of_trial(os.path.join(part, trial), split, items, orphans)
    found = Found(items, list(GESTURES), orphans=orphans)
    return gathered(found, "DVS128 Gesture of tonic", folder)


def _is_it(folder: str) -> bool:
    return any(named(folder, name) is not None for name in PARTS.values())


def _of_trial(folder: str, split: str, items: list[Item], orphans: list[tuple[str, str]]) -> None:
    trial = os.path.basename(folder)
    if (match := _TRIAL.fullmatch(trial)) is None:
        orphans += all_of(folder, "a folder that names no user and lighting")
        return
    columns = {"user": int(match[1]), "lighting": match[2]}
    deeper, files = listing(folder)
    for name in deeper:
        orphans += all_of(os.path.join(folder, name), "a folder within a user's")
    for file in files:
        path, label = os.path.join(folder, file), _FILE.fullmatch(file)
        if label is None or int(label[1]) >= len(GESTURES):
            orphans.append((path, f"no file of a class: 0.npy to {len(GESTURES) - 1}.npy"))
            continue
        id = f"{split}/{trial}/{label[1]}"
        items.append(Item(path, id, split, int(label[1]), columns=columns, reading=READING))
