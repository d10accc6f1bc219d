"""Known datasets, made small: the folders that their archives unpack to, and what goes wrong."""

from __future__ import annotations

import importlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from evstore.datasets.known import GEN1, GESTURES, KNOWN, MEGAPIXEL
from evstore.datasets.packing.item import Found
from evstore.datasets.packing.layouts import LAYOUTS, find_layout
from evstore.errors import ArgumentError, CorruptError, FormatError, TruncatedError
from evstore.formats.label_tables import read_boxes, read_intervals
from trees import EVENTS, aedat2, aedat3, bin40, by_id, converted, dat, opens, orphans, put

BOX = [("t", "<i8"), *((name, "<f4") for name in "xywh"), ("class_id", "u1")]


def boxes(path: Path, count: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.zeros(count, BOX))
    return path


# ------------------------------------------------------------------------------ a tree of each


def nmnist(root: Path) -> None:
    for place in ("Train/0/00002", "Train/9/00010", "Test/9/60000"):
        put(root / f"{place}.bin", bin40())


def gesture_ibm(root: Path) -> None:
    for trial in ("user01_led", "user01_fluorescent_led", "user24_lab"):
        put(root / f"{trial}.aedat", aedat3())
        put(root / f"{trial}_labels.csv", "class,startTime_usec,endTime_usec\n1,2000,9000\n")
    put(root / "trials_to_train.txt", "user01_led.aedat\nuser01_fluorescent_led.aedat\n\n")
    put(root / "trials_to_test.txt", "user24_lab.aedat\r\n")
    lines = [f"{name},{k}" for k, name in enumerate(GESTURES, 1)]
    put(root / "gesture_mapping.csv", "action,label\n" + "\n".join(lines) + "\n")


def gesture_tonic(root: Path) -> None:
    rows = np.array([(x, y, p, t / 1000) for t, x, y, p in EVENTS])
    for place in ("ibmGestureTrain/user01_led/10", "ibmGestureTest/user24_lab/0"):
        put(root / f"{place}.npy")
        np.save(root / f"{place}.npy", rows)


def ncars(root: Path) -> None:
    header = "% Data file containing N9Chronocam7Event2dE events.\n% Version 2\n% Date 2017-10-31\n"
    for place in ("n-cars_train/train/cars/obj_000002", "n-cars_train/train/background/obj_000001"):
        put(root / f"{place}_td.dat", dat(header=header))
    put(root / "n-cars_test/cars/obj_000003_td.dat", dat(header=header))


def ncaltech101(root: Path) -> None:
    for place in ("BACKGROUND_Google/image_0001", "Leopards/image_0002", "ant/image_0001"):
        put(root / "Caltech101" / f"{place}.bin", bin40())
    for place in ("Leopards/annotation_0002", "ant/annotation_0001"):
        put(root / "Caltech101_annotations" / f"{place}.bin", outline([(3, 4), (30, 4), (30, 20)]))


def outline(*tables: list[tuple[int, int]]) -> bytes:
    content = b""
    for points in (*tables, [(5, 6), (7, 8)]):
        flat = [side for point in points for side in point]
        content += struct.pack(f"<{2 + len(flat)}h", 2, len(points), *flat)
    return content


def cifar10dvs(root: Path) -> None:
    put(root / "airplane" / "cifar10_airplane_10.aedat", aedat2())
    converted(root / "truck" / "cifar10_truck_1.aedat4", (128, 128))


def dsec(root: Path) -> None:
    for place in ("train/zurich_city_00_a/events/left", "train/zurich_city_00_a/events/right"):
        converted(root / place / "events.h5", (640, 480))
        put(root / place / "rectify_map.h5", b"x")
    converted(root / "test_events/thun_01_a/events_left/events.h5", (640, 480))
    boxes(root / "train/zurich_city_00_a/object_detections/left/tracks.npy")
    for k in range(3):
        put(root / "train/zurich_city_00_a/images/left/rectified" / f"{k:06d}.png", b"x")
    put(root / "train/zurich_city_00_a/images/timestamps.txt", "1\n2\n3\n")


def prophesee(root: Path) -> None:
    for place in ("train/17-03-30_12-53-58_1037500000", "val/17-04-04_10-00-20_0_60000000"):
        put(root / f"{place}_td.dat", dat())
        boxes(root / f"{place}_bbox.npy")
    put(
        root / "test/deeper/17-04-13_a_td.dat",
        dat(header="% Height 240\n% Version 2\n% Width 304\n"),
    )
    boxes(root / "test/deeper/17-04-13_a_bbox.npy")


MAKE: dict[str, Any] = {
    "nmnist": nmnist,
    "dvsgesture-ibm": gesture_ibm,
    "dvsgesture-tonic": gesture_tonic,
    "ncars": ncars,
    "ncaltech101": ncaltech101,
    "cifar10dvs": cifar10dvs,
    "dsec": dsec,
    "prophesee-detection": prophesee,
}

#: ids, and the resolution of each layout's recordings.
EXPECTED: dict[str, tuple[set[str], tuple[int, int] | None]] = {
    "nmnist": ({"train/0/00002", "train/9/00010", "test/9/60000"}, (34, 34)),
    "dvsgesture-ibm": (
        {"train/user01_led", "train/user01_fluorescent_led", "test/user24_lab"},
        (128, 128),
    ),
    "dvsgesture-tonic": ({"train/user01_led/10", "test/user24_lab/0"}, (128, 128)),
    "ncars": (
        {"train/cars/obj_000002", "train/background/obj_000001", "test/cars/obj_000003"},
        (304, 240),
    ),
    "ncaltech101": (
        {"BACKGROUND_Google/image_0001", "Leopards/image_0002", "ant/image_0001"},
        None,
    ),
    "cifar10dvs": ({"airplane/cifar10_airplane_10", "truck/cifar10_truck_1"}, (128, 128)),
    "dsec": (
        {"train/zurich_city_00_a/left", "train/zurich_city_00_a/right", "test/thun_01_a/left"},
        (640, 480),
    ),
    "prophesee-detection": (
        {
            "train/17-03-30_12-53-58_1037500000",
            "val/17-04-04_10-00-20_0_60000000",
            "test/deeper/17-04-13_a",
        },
        (304, 240),
    ),
}


@pytest.fixture(params=sorted(LAYOUTS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(name: str, root: Path) -> Found:
    MAKE[name](root)
    return find_layout(name, root)


# -------------------------------------------------------------------------- what all have alike


def test_every_recording_opens_as_it_is_told(name: str, tmp_path: Path) -> None:
    found = make(name, tmp_path)
    ids, resolution = EXPECTED[name]
    items = by_id(found)
    assert set(items) == ids
    for id, item in items.items():
        opens(item, resolution)
        first = id.split("/")[0]
        assert item.split == (first if first in ("train", "val", "test") else None)
        assert item.label is None or 0 <= item.label < len(found.classes or ())


def test_a_root_that_is_too_high_or_too_low(name: str, tmp_path: Path) -> None:
    root = tmp_path / "downloads" / "unpacked" / "set"
    there = {item.id for item in make(name, root).items}
    for above in (root.parent, root.parent.parent):
        assert {item.id for item in find_layout(name, above).items} == there
    with pytest.raises(
        ArgumentError, match=r"does not look like .*looked for .*there is downloads/"
    ):
        find_layout(name, tmp_path)
    if name in ("dvsgesture-ibm", "ncaltech101"):
        return  # flat, or with a folder within that is the layout already
    for part in sorted(path for path in root.iterdir() if path.is_dir()):
        with pytest.raises(ArgumentError, match=f"name {root}, which holds it"):
            find_layout(name, part)


def test_what_is_no_such_layout(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such folder"):
        find_layout(name, tmp_path / "gone")
    with pytest.raises(ArgumentError, match="there is nothing"):
        find_layout(name, tmp_path)
    put(tmp_path / "Dataset.zip", b"PK")
    put(tmp_path / "some" / "text.txt", "words")
    with pytest.raises(ArgumentError, match=r"there is some/, Dataset\.zip, an archive: unpack"):
        find_layout(name, tmp_path)


def test_the_same_layout_twice(name: str, tmp_path: Path) -> None:
    for copy in ("a", "b"):
        MAKE[name](tmp_path / copy)
    with pytest.raises(ArgumentError, match=r"more than once: .*/a(/\S+)?, .*/b"):
        find_layout(name, tmp_path)


def test_hidden_files_are_nothing(name: str, tmp_path: Path) -> None:
    there = make(name, tmp_path)
    for folder in [path for path in tmp_path.rglob("*") if path.is_dir()]:
        put(folder / "._00001.bin", b"x")
        put(folder / ".DS_Store", b"x")
    assert find_layout(name, tmp_path) == there


def test_a_stray_file_is_an_orphan(name: str, tmp_path: Path) -> None:
    item = make(name, tmp_path).items[0]
    stray = put(Path(item.source).parent / "notes.txt", "x")
    found = find_layout(name, tmp_path)
    assert str(stray) in dict(found.orphans)
    assert len(found.items) == len(EXPECTED[name][0])


def test_names_and_docstrings() -> None:
    with pytest.raises(ArgumentError, match=r"'mnist'; there are nmnist, "):
        find_layout("mnist", ".")
    assert set(MAKE) == set(LAYOUTS) == {name for k in KNOWN.values() for name in k.layouts}
    for module in LAYOUTS.values():
        text = importlib.import_module(f"evstore.datasets.packing.layouts.{module}").__doc__
        assert text
        assert "http" in text
        assert "verified" in text


# --------------------------------------------------------------------------------- one by one


def test_nmnist_of_real_digits(data_dir: Path) -> None:
    found = find_layout("nmnist", data_dir / "nmnist_small")
    counts = {split: sum(i.split == split for i in found.items) for split in ("train", "test")}
    assert counts == {"train": 1000, "test": 100}
    assert found.orphans == []
    assert found.classes == list(KNOWN["NMNIST"].classes or ())
    assert all(item.id.split("/")[1] == str(item.label) for item in found.items)
    for item in found.items[:: len(found.items) // 7]:
        with evstore.open(item.source, **item.reading) as rec:
            assert rec.resolution == (34, 34)
            assert len(rec[:]) > 100
    with pytest.raises(ArgumentError, match="part of N-MNIST only"):
        find_layout("nmnist", data_dir / "nmnist_small" / "Train")


def test_nmnist_orphans(tmp_path: Path) -> None:
    nmnist(tmp_path)
    put(tmp_path / "Train.zip", b"PK")
    put(tmp_path / "valid.zip", b"PK")
    put(tmp_path / "Train" / "Readme.txt")
    put(tmp_path / "Train" / "ten" / "1.bin")
    put(tmp_path / "Test" / "9" / "x" / "1.bin")
    why = orphans(find_layout("nmnist", tmp_path), tmp_path)
    assert set(why) == {"valid.zip", "Train/Readme.txt", "Train/ten", "Test/9/x"}
    assert why["Train/ten"] == "a folder that is no digit (1 file)"


def test_gesture_ibm(tmp_path: Path) -> None:
    found = make("dvsgesture-ibm", tmp_path / "DvsGesture")
    assert found.classes == list(GESTURES)
    assert found.first_class == 1
    assert not found.orphans
    item = by_id(found)["train/user01_fluorescent_led"]
    assert item.columns == {"user": 1, "lighting": "fluorescent_led"}
    assert item.label is None
    assert item.intervals is not None
    assert read_intervals(item.intervals)["class_id"].tolist() == [1]


def test_gesture_ibm_mapping(tmp_path: Path) -> None:
    gesture_ibm(tmp_path / "DvsGesture")
    mapping = tmp_path / "DvsGesture" / "gesture_mapping.csv"
    mapping.unlink()
    assert find_layout("dvsgesture-ibm", tmp_path).classes == list(GESTURES)
    put(tmp_path / "gesture_mapping.csv", "wave,2\nclap,1\n")
    assert find_layout("dvsgesture-ibm", tmp_path).classes == ["clap", "wave"]
    for text, words in {
        "action,label\nclap,one\n": "line 2 is no class",
        "action,label\nclap,1\nwave,1\n": "line 3 is no class",
        "action,label\nclap,0\nwave,1\n": "expected each from 1 on, got 0, 1",
        "action,label\n": "not numbered on",
    }.items():
        put(mapping, text)
        with pytest.raises(FormatError, match=words):
            find_layout("dvsgesture-ibm", tmp_path)


def test_gesture_ibm_orphans(tmp_path: Path) -> None:
    gesture_ibm(tmp_path)
    (tmp_path / "user01_led_labels.csv").unlink()
    put(tmp_path / "user02_lab.aedat", aedat3())
    put(tmp_path / "user09_lab_labels.csv")
    names = "user01_led.aedat\nuser01_fluorescent_led.aedat\nuser07_lab.aedat\n../x.aedat\n"
    put(tmp_path / "trials_to_train.txt", names + "user01_led.aedat\n")
    put(tmp_path / "README.txt")
    found = find_layout("dvsgesture-ibm", tmp_path)
    assert {item.id for item in found.items} == {"train/user01_fluorescent_led", "test/user24_lab"}
    why = {path.removeprefix(f"{tmp_path}/"): text for path, text in found.orphans}
    assert why == {
        "user01_led.aedat": "has no labels: there is no user01_led_labels.csv",
        "user02_lab.aedat": "is not in trials_to_train.txt or trials_to_test.txt",
        "user09_lab_labels.csv": "labels of no recording",
        "user07_lab.aedat": "there is no such file, but trials_to_train.txt names it, line 3",
        "../x.aedat": "there is no such file, but trials_to_train.txt names it, line 4",
        "trials_to_train.txt": "line 5 names user01_led.aedat again",
    }
    put(tmp_path / "trials_to_test.txt", "user24_lab.aedat\nuser01_led.aedat\n")
    with pytest.raises(FormatError, match=r"trials_to_test\.txt: line 2: user01_led.* both lists"):
        find_layout("dvsgesture-ibm", tmp_path)
    (tmp_path / "trials_to_test.txt").unlink()
    found = find_layout("dvsgesture-ibm", tmp_path)
    assert orphans_of(found)["trials_to_test.txt"] == "there is no such list"


def orphans_of(found: Found) -> dict[str, str]:
    return {Path(path).name: why for path, why in found.orphans}


def test_gesture_tonic(tmp_path: Path) -> None:
    found = make("dvsgesture-tonic", tmp_path)
    item = by_id(found)["train/user01_led/10"]
    assert item.label == 10
    assert item.columns == {"user": 1, "lighting": "led"}
    assert found.classes == list(GESTURES)
    put(tmp_path / "ibmGestureTrain" / "user01_led" / "11.npy")
    put(tmp_path / "ibmGestureTrain" / "someone" / "1.npy")
    assert set(orphans_of(find_layout("dvsgesture-tonic", tmp_path))) == {"11.npy", "someone"}


def test_ncars(tmp_path: Path) -> None:
    found = make("ncars", tmp_path)
    labels = {item.id: item.label for item in found.items}
    assert found.classes == ["background", "cars"]
    assert labels["train/background/obj_000001"] == 0
    assert labels["test/cars/obj_000003"] == 1
    put(tmp_path / "n-cars_train" / "train" / "cars" / "obj_000009.dat", dat())
    put(tmp_path / "n-cars_train" / "train" / "trees" / "obj_000009_td.dat", dat())
    assert set(orphans_of(find_layout("ncars", tmp_path))) == {"obj_000009.dat", "trees"}


def test_ncars_of_a_real_recording(tmp_path: Path, data_dir: Path) -> None:
    content = (data_dir / "prophesee" / "ncars_obj_004418.dat").read_bytes()
    put(tmp_path / "n-cars_train" / "cars" / "obj_004418_td.dat", content)
    (item,) = find_layout("ncars", tmp_path).items
    with evstore.open(item.source, **item.reading) as rec:
        assert rec.n_events == 7102
        assert rec.resolution == (304, 240)


def test_ncaltech101(tmp_path: Path) -> None:
    found = make("ncaltech101", tmp_path)
    assert found.classes == ["BACKGROUND_Google", "Leopards", "ant"]
    assert not found.orphans
    items = by_id(found)
    assert items["BACKGROUND_Google/image_0001"].boxes is None
    assert items["ant/image_0001"].label == 2
    table = items["ant/image_0001"].boxes
    assert table is not None
    box = read_boxes(table)
    assert {name: column.tolist() for name, column in box.items()} == {
        **{"t": [0], "x": [3], "y": [4], "w": [27], "h": [16], "class_id": [-1]}
    }
    put(tmp_path / "Caltech101_annotations" / "ant" / "annotation_0009.bin", b"x")
    put(tmp_path / "Caltech101" / "ant" / "image_0002.bin", bin40())
    put(tmp_path / "Caltech101" / "ant" / "picture.bin", b"x")
    put(tmp_path / "Caltech101" / "nothing" / "x.txt", b"x")
    found = find_layout("ncaltech101", tmp_path)
    assert orphans(found, tmp_path) == {
        "Caltech101/ant/image_0002.bin": "has no annotation: it goes without a box",
        "Caltech101/ant/picture.bin": "no image_NNNN.bin file",
        "Caltech101/nothing": "a folder without recordings (1 file)",
        "Caltech101_annotations/ant/annotation_0009.bin": "an annotation of no recording",
    }
    assert "ant/image_0002" in by_id(found)
    assert found.classes == [
        "BACKGROUND_Google",
        "Leopards",
        "ant",
    ]


def test_annotations_that_are_none(tmp_path: Path) -> None:
    whole = outline([(3, -4), (30, -4), (30, 20), (3, 20), (3, -4)])
    path = put(tmp_path / "a.bin", whole)
    assert {k: v.tolist() for k, v in read_boxes(path).items() if k in "xywh"} == {
        **{"x": [3], "y": [-4], "w": [27], "h": [24]}
    }
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(TruncatedError, match=r"a\.bin"):
            read_boxes(path)
    for content, kind in {
        whole + b"\0": CorruptError,
        outline([]): CorruptError,
        b"\x03" + whole[1:]: FormatError,
        whole[:2] + b"\xff\xff" + whole[4:]: FormatError,
        bytes(2_000_000): FormatError,
    }.items():
        path.write_bytes(content)
        with pytest.raises(kind, match=r"a\.bin"):
            read_boxes(path)


def test_cifar10dvs(tmp_path: Path) -> None:
    found = make("cifar10dvs", tmp_path)
    assert {item.id.split("/")[0]: item.label for item in found.items} == {
        "airplane": 0,
        "truck": 9,
    }
    assert found.classes == list(KNOWN["CIFAR10DVS"].classes or ())
    missing = {name for name in found.classes if name not in ("airplane", "truck")}
    assert set(orphans(found, tmp_path)) == missing
    put(tmp_path / "truck" / "cifar10_truck_1.aedat", aedat2())
    found = find_layout("cifar10dvs", tmp_path)
    assert len(found.items) == 2
    assert any(why.startswith("the same recording as") for _, why in found.orphans)


def test_dsec(tmp_path: Path) -> None:
    found = make("dsec", tmp_path)
    items = by_id(found)
    left, right = (items[f"train/zurich_city_00_a/{side}"] for side in ("left", "right"))
    assert left.group == right.group == "train/zurich_city_00_a"
    assert left.columns == {"sequence": "zurich_city_00_a", "sensor": "left"}
    assert left.boxes is not None
    assert right.boxes is None
    assert found.classes is not None
    assert len(read_boxes(left.boxes)["t"]) == 2
    sequence = "train/zurich_city_00_a"
    assert orphans(found, tmp_path) == {
        f"{sequence}/events/left/rectify_map.h5": "no events: it is not packed",
        f"{sequence}/events/right/rectify_map.h5": "no events: it is not packed",
        f"{sequence}/images": "no events: it is not packed (4 files)",
        "test_events/thun_01_a/events_left/events.h5": "has no tracks.npy: it goes without boxes",
    }
    boxes(tmp_path / "test_object_detections/thun_01_a/object_detections/left/tracks.npy")
    converted(tmp_path / "train_events/zurich_city_00_a/events/left/events.h5", (640, 480))
    boxes(tmp_path / "train/nowhere/object_detections/left/tracks.npy")
    found = find_layout("dsec", tmp_path)
    assert by_id(found)["test/thun_01_a/left"].boxes is not None
    why = orphans(found, tmp_path)
    assert why["train/nowhere/object_detections/left/tracks.npy"] == "boxes of no recording"
    assert "the same recording" in why["train_events/zurich_city_00_a/events/left/events.h5"]


def test_dsec_times_are_those_of_the_tracks(tmp_path: Path) -> None:
    import h5py

    dsec(tmp_path)
    path = tmp_path / "train/zurich_city_00_a/events/left/events.h5"
    with h5py.File(path, "r+") as file:
        del file["t_offset"]
        file["t_offset"] = np.int64(49_599_300_523)
    item = by_id(find_layout("dsec", tmp_path))["train/zurich_city_00_a/left"]
    with evstore.open(item.source, **item.reading) as rec:
        assert rec.t_start > 49_599_300_000


def test_prophesee(tmp_path: Path) -> None:
    found = make("prophesee-detection", tmp_path)
    assert found.classes == list(GEN1)
    assert not found.orphans
    assert found.first_class == 0
    assert all(item.boxes and Path(item.boxes).is_file() for item in found.items)
    put(tmp_path / "train" / "17-03-30_b_td.dat", dat())
    boxes(tmp_path / "train" / "17-03-30_c_bbox.npy")
    put(tmp_path / "train" / "readme.md")
    why = orphans(find_layout("prophesee-detection", tmp_path), tmp_path)
    assert why == {
        "train/17-03-30_b_td.dat": "has no boxes: there is no 17-03-30_b_bbox.npy",
        "train/17-03-30_c_bbox.npy": "boxes of no recording",
        "train/readme.md": "no *_td.dat and no *_bbox.npy",
    }


def test_prophesee_megapixel(tmp_path: Path) -> None:
    for k in range(2):
        put(tmp_path / "train" / f"moorea_2019-02-19_{k}_td.dat", dat(kind=12))
        boxes(tmp_path / "train" / f"moorea_2019-02-19_{k}_bbox.npy")
    found = find_layout("prophesee-detection", tmp_path)
    assert found.classes == list(MEGAPIXEL)
    opens(found.items[0], (1280, 720))
    names = {str(k): name for k, name in enumerate(["person", "bike"])}
    put(tmp_path / "label_map_dictionary.json", json.dumps(names))
    assert find_layout("prophesee-detection", tmp_path).classes == ["person", "bike"]
    for text in ("[]", "{", '{"1": "x"}', "{}", '{"x": "y"}'):
        put(tmp_path / "label_map_dictionary.json", text)
        with pytest.raises(FormatError, match=r"label_map_dictionary\.json"):
            find_layout("prophesee-detection", tmp_path)


def test_prophesee_of_neither_kind(tmp_path: Path) -> None:
    put(tmp_path / "train" / "drive_td.dat", dat())
    boxes(tmp_path / "train" / "drive_bbox.npy")
    with pytest.raises(ArgumentError, match=r"the files say no size; put label_map_dictionary"):
        find_layout("prophesee-detection", tmp_path)
    put(tmp_path / "label_map_dictionary.json", '{"0": "cat"}')
    (item,) = find_layout("prophesee-detection", tmp_path).items
    assert item.reading == {}
    (tmp_path / "label_map_dictionary.json").unlink()
    prophesee(tmp_path)
    put(tmp_path / "train" / "moorea_1_td.dat", dat())
    boxes(tmp_path / "train" / "moorea_1_bbox.npy")
    with pytest.raises(ArgumentError, match=r"the files say 304x240, 1280x720"):
        find_layout("prophesee-detection", tmp_path)


def test_prophesee_without_splits(tmp_path: Path) -> None:
    put(tmp_path / "mini" / "17-03-30_a_td.dat", dat())
    boxes(tmp_path / "mini" / "17-03-30_a_bbox.npy")
    (item,) = find_layout("prophesee-detection", tmp_path).items
    assert item.split is None
    assert item.id == "17-03-30_a"


# ------------------------------------------------------------------------------ what is known


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_as_tonic_has_it(name: str) -> None:
    datasets = pytest.importorskip("tonic.datasets")
    ours, theirs = KNOWN[name], getattr(datasets, name, None)
    if theirs is None:
        assert name in ("NCARS", "PropheseeDetection")
        return
    assert np.dtype(list(ours.fields)) == theirs.dtype
    assert ours.ordering == theirs.ordering
    assert ours.sensor_size == theirs.sensor_size
    classes = getattr(theirs, "classes", None)
    named = sorted(classes, key=classes.__getitem__) if isinstance(classes, dict) else classes
    assert (None if named is None else tuple(named)) == ours.classes


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_and_layouts_agree(name: str, tmp_path: Path) -> None:
    known = KNOWN[name]
    for layout in known.layouts:
        found = make(layout, tmp_path / layout)
        assert {item.split for item in found.items} - {None} <= set(known.splits)
        if known.sensor_size is not None:
            assert EXPECTED[layout][1] == known.sensor_size[:2]
        if known.classes is not None:
            assert found.classes == list(known.classes)
