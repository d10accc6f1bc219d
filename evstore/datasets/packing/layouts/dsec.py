"""DSEC and DSEC-Detection: driving, with two event cameras and boxes of what is on the road.

Gehrig et al., "DSEC: a stereo event camera dataset for driving scenarios", IEEE Robotics and
Automation Letters, 2021; https://dsec.ifi.uzh.ch. Boxes: Gehrig and Scaramuzza, "Low-latency
automotive vision with event cameras", Nature, 2024; https://github.com/uzh-rpg/dsec-det. CC BY-SA
4.0 by the page of DSEC (not verified here). 41 sequences to train with and 12 to test with;
detection adds six and one. (dsec-det names a validation split in a file of its own; it is none of
the folders.)

``train/<sequence>`` and ``test/<sequence>``, or ``train_events/<sequence>`` as the great archives
unpack, hold ``events/left/events.h5`` and ``events/right/events.h5`` (tonic: ``events_left/``),
640x480 pixels, and ``object_detections/left/tracks.npy``: boxes in pixels of the left event camera,
their times on the clock of the events with ``t_offset``, which evstore adds.

Both cameras of a sequence are one group. Images, disparity, flow and calibration are orphans.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from evstore.datasets.known import DSEC_DETECTION
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.layouts.folders import (
    all_of,
    gathered,
    layout_folder,
    not_unpacked,
)
from evstore.datasets.packing.walking import listing, walk

READING = {"input_format": "hdf5", "resolution": (640, 480)}
SPLITS = ("train", "test")
SENSORS = ("left", "right")
TRACKS = "object_detections/left/tracks.npy"

_EVENTS = {
    f"{folder}{sensor}/events.h5": sensor for folder in ("events/", "events_") for sensor in SENSORS
}


def find(root: str) -> Found:
    """All sequences, as `layouts.find_layout` gives them: columns sequence and sensor.

    Where there are boxes, the recordings of the left camera have them.
    """
    wanted = "train/, test/, train_events/ ... with <sequence>/events/left/events.h5 in it"
    folder = layout_folder(
        root, _is_it, "DSEC", wanted, (*SPLITS, *(f"{split}_events" for split in SPLITS))
    )
    orphans = list(not_unpacked(folder))
    items: list[Item] = []
    for split in SPLITS:
        places: dict[str, list[str]] = {}
        for part in _parts(folder, split):
            sequences, files = listing(part)
            orphans += [(os.path.join(part, name), "lies beside the sequences") for name in files]
            for name in sequences:
                places.setdefault(name, []).append(os.path.join(part, name))
        for name, there in places.items():
            _of_sequence(split, name, there, items, orphans)
    boxes = any(item.boxes for item in items)
    if boxes:
        orphans += [
            (item.source, "has no tracks.npy: it goes without boxes")
            for item in items
            if item.boxes is None and item.columns["sensor"] == "left"
        ]
    classes = list(DSEC_DETECTION) if boxes else None
    return gathered(Found(items, classes, orphans=orphans), "DSEC", folder)


def _parts(folder: str, split: str) -> Iterator[str]:
    """The folders of a split: train, train_events, train_object_detections ..."""
    for name in listing(folder)[0]:
        if name.lower() == split or name.lower().startswith(f"{split}_"):
            yield os.path.join(folder, name)


def _is_it(folder: str) -> bool:
    return any(
        os.path.isfile(os.path.join(part, sequence, *place.split("/")))
        for split in SPLITS
        for part in _parts(folder, split)
        for sequence in listing(part)[0]
        for place in _EVENTS
    )


def _of_sequence(
    split: str,
    sequence: str,
    folders: list[str],
    items: list[Item],
    orphans: list[tuple[str, str]],
) -> None:
    """The recordings of a sequence, whose parts may lie in several folders."""
    events: dict[str, str] = {}
    tracks: str | None = None
    for folder in folders:
        for place, sensor in _EVENTS.items():
            path = os.path.join(folder, *place.split("/"))
            if os.path.isfile(path) and sensor in events:
                orphans.append((path, f"the same recording as {events[sensor]}"))
            elif os.path.isfile(path):
                events[sensor] = path
        path = os.path.join(folder, *TRACKS.split("/"))
        if tracks is None and os.path.isfile(path):
            tracks = path
        orphans += _rest(folder)
    if tracks is not None and "left" not in events:
        orphans.append((tracks, "boxes of no recording"))
    for sensor in SENSORS:
        if sensor in events:
            items.append(
                Item(
                    events[sensor],
                    f"{split}/{sequence}/{sensor}",
                    split,
                    group=f"{split}/{sequence}",
                    columns={"sequence": sequence, "sensor": sensor},
                    reading=READING,
                    boxes=tracks if sensor == "left" else None,
                )
            )


def _rest(folder: str) -> Iterator[tuple[str, str]]:
    """What of a sequence is not packed: a line for each folder, and for files beside events."""
    taken = {TRACKS, *_EVENTS}
    holders = {place.split("/")[0] for place in taken}
    for name in [name for names in listing(folder) for name in names]:
        path = os.path.join(folder, name)
        if name not in holders or not os.path.isdir(path):
            yield from all_of(path, "no events: it is not packed")
            continue
        for file in walk(path).files:
            if f"{name}/{file}" not in taken:
                yield os.path.join(path, *file.split("/")), "no events: it is not packed"
