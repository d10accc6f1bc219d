"""Windows with the boxes of objects, cropped and scaled down together; two cameras side by side.

    python examples/windows_and_boxes.py folder/

Makes a small detection dataset first: simulated drives of a stereo pair, and boxes as Prophesee's
``*_bbox.npy`` files have them. `evstore.pack` takes a list of files, with whatever is known of
each; recordings of one group have one clock.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

import evstore
from evstore.datasets import Boxes

RESOLUTION = (320, 240)
DURATION_US, WINDOW_US, BOX_EVERY_US = 200_000, 50_000, 10_000
BOX_DTYPE = [("t", "<i8"), *((n, "<f4") for n in "xywh"), ("class_id", "u1"), ("track_id", "<u4")]

# The middle of the sensor, at half its size.
GEOMETRY = evstore.Geometry(crop=(40, 20, 280, 220), size=(120, 100), flip_x=True)


def some_boxes(shift: float) -> np.ndarray:
    """A car that crosses the picture, and a pedestrian who stands at its edge."""
    times = np.arange(BOX_EVERY_US // 2, DURATION_US, BOX_EVERY_US)
    boxes = np.zeros((len(times), 2), BOX_DTYPE)
    boxes["t"] = times[:, None]
    boxes["x"] = np.stack([11 + times / 1000 + shift, np.full(len(times), 284)], 1)
    boxes["y"], boxes["w"], boxes["h"] = (100, 150), (60, 20), (40, 60)
    boxes["class_id"] = boxes["track_id"] = (0, 1)
    return boxes.ravel()


def make_drives(folder: Path) -> Path:
    """Recordings, their boxes, and a list of both."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, split in enumerate(("train", "test")):
        for side in ("left", "right"):
            name = f"drive{number}_{side}"
            batches = evstore.simulate(RESOLUTION, DURATION_US, events_per_s=500_000, seed=number)
            events = evstore.Events.concatenate(batches)
            evstore.save(folder / f"{name}.evs", events, overwrite=True)
            np.save(folder / f"{name}_bbox.npy", some_boxes(8.0 if side == "right" else 0.0))
            group = f"drive{number}"
            rows.append((f"{name}.evs", f"{group}/{side}", group, split, f"{name}_bbox.npy"))
    with open(folder / "drives.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "id", "group", "split", "boxes"), *rows])
    return folder / "drives.csv"


def inside(events: evstore.Events, boxes: Boxes, k: int) -> int:
    """How many events lie in box ``k``."""
    x, y, w, h = (float(getattr(boxes, name)[k]) for name in "xywh")
    across = (events.x >= x) & (events.x < x + w)
    return int(np.count_nonzero(across & (events.y >= y) & (events.y < y + h)))


def show_windows(shards: Path) -> None:
    windows = evstore.Windows(duration=WINDOW_US)
    whole = evstore.Dataset(shards, "train", windows=windows, output="events")
    cut = evstore.Dataset(shards, "train", windows=windows, output="events", geometry=GEOMETRY)
    print(f"{whole} of {whole.sensor_size}, cropped and scaled to {cut.sensor_size}")
    for number, id in enumerate(cut.ids):
        before, now = whole.sample(number), cut.sample(number)
        print(
            f"{id} {now.t_start:>6} us: {len(before.data):,} events and {len(before.boxes)} boxes, "
            f"{len(now.data):,} and {len(now.boxes)} in the crop"
        )
    before, now = whole.sample(1), cut.sample(1)
    for what, sample in (("a box", before), ("the same in the crop", now)):
        box = ", ".join(f"{name} {getattr(sample.boxes, name)[0]:g}" for name in "xywh")
        print(f"{what}: {box}; {inside(sample.data, sample.boxes, 0)} events in it")


def show_frames(shards: Path) -> None:
    """What a detector is trained on; frames, like events, are moved as the boxes are."""
    frames = evstore.Frames(bins=5)
    how = {"windows": evstore.Windows(duration=WINDOW_US), "geometry": GEOMETRY}
    train = evstore.Dataset(shards, "train", frames=frames, target="boxes", **how)
    for batch in evstore.Loader(train, batch_size=4, seed=1):
        print(f"batch {tuple(batch.data.shape)}, boxes {[len(boxes) for boxes in batch.targets]}")


def show_groups(shards: Path) -> None:
    for group in evstore.Dataset(shards).groups():
        with group:
            for sensors in group.windows(WINDOW_US):
                left, right = sensors["left"], sensors["right"]
                is_car = left.boxes.class_id == 0  # both cameras see it at the same times
                apart = (right.boxes.x - left.boxes.x)[is_car].mean()
                print(
                    f"{group} {left.start:>6} us: {len(left.events):,} and "
                    f"{len(right.events):,} events, the car {apart:.0f} pixels apart"
                )


def main(folder: str) -> None:
    shards = Path(folder) / "shards"
    evstore.pack(make_drives(Path(folder) / "drives"), shards)
    show_windows(shards)
    show_frames(shards)
    show_groups(shards)


if __name__ == "__main__":
    main(sys.argv[1])
