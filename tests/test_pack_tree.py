"""Folders of recordings, as people have them."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evstore
from evstore.datasets.manifest import make_manifest
from evstore.datasets.natural import natural
from evstore.datasets.packing.tree import find_tree, unique
from evstore.datasets.packing.walking import walk
from evstore.errors import ArgumentError
from trees import EVENTS, aedat2, bin40, by_id, dat, made, opens, orphans, put


def test_splits_classes_and_ids(tmp_path: Path) -> None:
    for split in ("Train", "TESTING", "valid"):
        for digit in ("10", "2"):
            put(tmp_path / split / digit / "a.bin", bin40())
    found = find_tree(tmp_path)
    assert found.classes == ["2", "10"]
    items = by_id(found)
    assert {id: (item.split, item.label) for id, item in items.items()} == {
        "Train/2/a": ("train", 0),
        "Train/10/a": ("train", 1),
        "TESTING/2/a": ("test", 0),
        "TESTING/10/a": ("test", 1),
        "valid/2/a": ("val", 0),
        "valid/10/a": ("val", 1),
    }
    assert not found.orphans
    assert found.first_class == 0
    for item in items.values():
        opens(item, None)


def test_real_digits(data_dir: Path) -> None:
    found = find_tree(data_dir / "nmnist_small")
    assert found.classes == [str(k) for k in range(10)]
    assert not found.orphans
    counts = {split: sum(i.split == split for i in found.items) for split in ("train", "test")}
    assert counts == {"train": 1000, "test": 100}
    assert all(Path(i.source).parent.name == str(i.label) for i in found.items)


def test_formats_side_by_side(tmp_path: Path) -> None:
    put(tmp_path / "a" / "one.bin", bin40())
    put(tmp_path / "a" / "one.dat", dat())
    put(tmp_path / "a" / "two.aedat", aedat2())
    put(tmp_path / "b" / "three.bin", bin40())
    found = find_tree(str(tmp_path))
    assert [item.id for item in found.items] == ["a/one.bin", "a/one.dat", "a/two", "b/three"]
    assert [item.label for item in found.items] == [0, 0, 0, 1]
    assert found.classes == ["a", "b"]


def test_one_folder_is_no_class(tmp_path: Path) -> None:
    put(tmp_path / "only" / "1.bin", bin40())
    put(tmp_path / "2.bin", bin40())
    found = find_tree(tmp_path)
    assert found.classes is None
    assert [item.label for item in found.items] == [None, None]
    assert [item.split for item in found.items] == [None, None]


def test_only_folders_that_are_as_deep_are_classes_together(tmp_path: Path) -> None:
    for place in ("cat/1", "dog/2", "dog/more/3", "train"):
        put(tmp_path / f"{place}.bin", bin40())
    found = find_tree(tmp_path)
    assert found.classes == ["cat", "dog"]
    labels = {item.id: item.label for item in found.items}
    assert labels == {"cat/1": 0, "dog/2": 1, "dog/more/3": None, "train": None}


def test_a_train_on_the_road_is_a_class(tmp_path: Path) -> None:
    for name in ("car", "bus", "train"):
        put(tmp_path / name / "1.bin", bin40())
    found = find_tree(tmp_path)
    assert found.classes == ["bus", "car", "train"]
    assert {item.split for item in found.items} == {None}
    put(tmp_path / "test" / "1.bin", bin40())
    assert {item.split for item in find_tree(tmp_path).items} == {None, "train", "test"}


def test_what_is_no_recording(tmp_path: Path) -> None:
    put(tmp_path / "good.bin", bin40())
    put(tmp_path / "bad.bin", b"\0" * 7)
    put(tmp_path / "read me.txt", "these are recordings")
    put(tmp_path / "empty.bin")
    put(tmp_path / "drive.evs.part", b"\x89EVS\r\n\x1a\n")
    put(tmp_path / "a_labels.csv", "class,startTime_usec,endTime_usec\n1,5,6\n")
    put(tmp_path / "poses.csv", "t,px,py,pz,q\n1,2,3,4,5\n2,3,4,5,6\n")
    np.save(tmp_path / "a_bbox.npy", np.zeros(3, [("ts", "<u8"), ("x", "<f4"), ("y", "<f4")]))
    np.save(tmp_path / "rows.npy", np.zeros((5, 4)))
    put(tmp_path / ".DS_Store", b"x")
    put(tmp_path / "._good.bin", b"x")
    put(tmp_path / "__MACOSX" / "x.bin", bin40())
    put(tmp_path / ".cache" / "x.bin", bin40())
    found = find_tree(tmp_path)
    assert [item.id for item in found.items] == ["good"]
    why = orphans(found, tmp_path)
    assert set(why) == {
        *("bad.bin", "read me.txt", "empty.bin", "drive.evs.part", "a_labels.csv"),
        *("poses.csv", "a_bbox.npy", "rows.npy"),
    }
    assert "no format" in why["bad.bin"]
    assert "empty" in why["empty.bin"]
    assert "--columns" in why["rows.npy"]
    assert "unfinished" in why["drive.evs.part"]
    assert all("\n" not in text and len(text) < 300 for text in why.values())


def test_what_files_cannot_say_is_told(tmp_path: Path) -> None:
    rows = np.array([(x, y, p, t) for t, x, y, p in EVENTS])
    np.save(tmp_path / "rows.npy", rows)
    reading = {"columns": ("x", "y", "p", "t"), "time_unit": "us", "resolution": (34, 34)}
    (item,) = find_tree(tmp_path, reading).items
    opens(item, (34, 34))
    put(tmp_path / "v1.dat", dat()[14:])
    put(tmp_path / "x.bin", bin40())
    found = find_tree(tmp_path, {"input_format": "dat-v1"})
    assert [item.id for item in found.items] == ["v1"]
    assert set(orphans(found, tmp_path)) == {"rows.npy", "x.bin"}


def test_damaged_recordings_are_not_left_out(tmp_path: Path) -> None:
    evstore.save(tmp_path / "whole.evs", made((30, 30)))
    content = (tmp_path / "whole.evs").read_bytes()
    put(tmp_path / "cut.evs", content[: len(content) // 2])
    put(tmp_path / "cut.es", b"Event Stream\x02\x00\x00\x01")
    np.save(tmp_path / "cut.npy", np.zeros(9, [(n, "<i8") for n in "txyp"]))
    whole = (tmp_path / "cut.npy").read_bytes()
    put(tmp_path / "cut.npy", whole[:-5])
    found = find_tree(tmp_path)
    assert {item.id for item in found.items} == {"whole", "cut.evs", "cut.es", "cut.npy"}


def test_shards_of_many(tmp_path: Path) -> None:
    with evstore.create(tmp_path / "many.evs") as out:
        for id in ("x/1", "x/2"):
            with out.recording(id, resolution=(30, 30)) as recording:
                recording.write(made((30, 30)))
    evstore.save(tmp_path / "one.evs", made((30, 30)))
    put(tmp_path / "a.bin", bin40())
    found = find_tree(tmp_path, {"resolution": (34, 34)})
    items = by_id(found)
    assert set(items) == {"many/x/1", "many/x/2", "one", "a"}
    assert items["many/x/2"].source.endswith("many.evs#x/2")
    assert items["many/x/2"].group is None
    assert items["one"].reading == {}
    assert items["a"].reading == {"resolution": (34, 34)}
    for id in ("many/x/1", "many/x/2", "one"):
        opens(items[id], (30, 30))


def test_sensors_of_a_file_are_a_group(tmp_path: Path) -> None:
    vectors = Path(__file__).parent.parent / "formats" / "aedat3" / "vectors"
    put(tmp_path / "drive.aedat", (vectors / "two_sources.aedat").read_bytes())
    items = find_tree(tmp_path).items
    assert len(items) == 2
    assert {item.group for item in items} == {"drive"}
    for item in items:
        assert item.id.startswith("drive/")
        assert "#" in item.source
        with evstore.open(item.source, **item.reading) as rec:
            assert len(rec[:]) == rec.n_events


def test_names_with_the_mark_of_an_address(tmp_path: Path) -> None:
    vectors = Path(__file__).parent.parent / "formats" / "aedat3" / "vectors"
    put(tmp_path / "#1" / "a#b.aedat", (vectors / "two_sources.aedat").read_bytes())
    put(tmp_path / "#1" / "c#d.bin", bin40())
    items = find_tree(tmp_path).items
    assert [item.id for item in items] == ["#1/a#b/source0", "#1/a#b/source1", "#1/c#d"]
    for item in items:
        with evstore.open(item.source, **item.reading) as rec:
            assert len(rec[:])


def test_links(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    put(other / "a" / "1.bin", bin40())
    put(root / "b" / "2.bin", bin40())
    (root / "a").symlink_to(other / "a")
    (root / "again").symlink_to(other / "a")
    (root / "b" / "loop").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "gone.bin").symlink_to(tmp_path / "nowhere")
    (root / "3.bin").symlink_to(other / "a" / "1.bin")
    os.mkfifo(root / "pipe.bin")
    found = find_tree(root)
    assert [item.id for item in found.items] == ["3", "a/1", "b/2"]
    assert found.classes == ["a", "b"]
    why = orphans(found, root)
    assert set(why) == {"again", "b/loop", "above", "gone.bin", "pipe.bin"}
    assert "walked" in why["again"]
    assert "holds" in why["above"]
    assert "pipe" in why["pipe.bin"]
    link = tmp_path / "link"
    link.symlink_to(root)
    assert len(find_tree(link).items) == 3


def test_no_recording_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no recording was found"):
        find_tree(tmp_path)
    put(tmp_path / "notes.txt", "nothing")
    with pytest.raises(ArgumentError, match=r"notes\.txt: the content is of no format"):
        find_tree(tmp_path)
    with pytest.raises(ArgumentError, match="no such folder"):
        find_tree(tmp_path / "notes.txt")


PART = st.text("aB.019", min_size=1, max_size=4).filter(lambda name: name.strip("."))


@given(st.lists(st.tuples(PART, st.sampled_from([".bin", ".dat", ".a.bin", ""])), unique=True))
def test_ids_are_unique_and_as_short_as_can_be(names: list[tuple[str, str]]) -> None:
    whole = sorted({stem + suffix for stem, suffix in names})
    short = [os.path.splitext(name)[0] for name in whole]
    ids = unique(short, whole)
    assert len(set(ids)) == len(ids)
    for id, a, b in zip(ids, short, whole, strict=True):
        assert id in (a, b)
        if short.count(a) == 1 and a not in whole:
            assert id == a


@given(st.lists(st.integers(0, 10**20)), st.text("ab_", max_size=3))
def test_numbers_sort_as_numbers(numbers: list[int], stem: str) -> None:
    names = [f"{stem}{n}" for n in numbers]
    assert sorted(names, key=natural) == [f"{stem}{n}" for n in sorted(numbers)]


@given(st.lists(st.text("a1 ٣.B", max_size=5), unique=True))
def test_natural_order_is_total(names: list[str]) -> None:
    keys = [natural(name) for name in names]
    assert len(set(map(tuple, keys))) == len(names)


@given(st.text("0123a", max_size=9), st.text("0123a", max_size=9))
def test_order_of_names_is_that_of_manifests(a: str, b: str) -> None:
    """As manifests have had it: leading zeros count where they stand."""

    def pieces(text: str) -> list[Any]:
        found = ["".join(run) for _, run in itertools.groupby(text, str.isdecimal)]
        found = found if found and not found[0].isdecimal() else ["", *found]
        return [[int(x), x] if x.isdecimal() else [0, x] for x in found]

    if a != b:
        rows = [
            {"id": id, "part": 0, "shard": "a.evs", "position": 0, "first_event": 0, "events": 0,
             "t_first": 0, "t_min": 0, "t_max": -1, "root": bytes(32), "boxes": 0}
            for id in (a, b)
        ]  # fmt: skip
        wanted = sorted([a, b], key=natural)
        assert make_manifest(rows).values("id") == wanted == sorted([a, b], key=pieces)


def test_a_name_of_thousands_of_digits() -> None:
    names = ["9" * 5000, "1" * 5001, "2"]
    assert sorted(names, key=natural)[0] == "2"


def test_walk_reads_names_as_they_are(tmp_path: Path) -> None:
    names = ["10.bin", "9.bin", "ä b.bin", "deep/er/1.bin", "deep/2.bin"]
    for name in names:
        put(tmp_path / name)
    assert walk(tmp_path).files == ["9.bin", "10.bin", "deep/2.bin", "deep/er/1.bin", "ä b.bin"]


FOLDERS = st.sampled_from(["Train", "TEST", "val", "cat", "dog", "2", "10"])
PLACES = st.lists(
    st.tuples(st.lists(FOLDERS, max_size=3), st.sampled_from(["1", "2"])),
    min_size=1,
    max_size=8,
    unique_by=lambda place: (tuple(place[0]), place[1]),
)


@settings(max_examples=60)
@given(PLACES)
def test_any_tree_as_told_in_words(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[list[str], str]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for folders, name in places:
        put(root.joinpath(*folders, f"{name}.bin"), bin40())
    found = find_tree(root)
    assert not found.orphans
    names = {"Train": "train", "TEST": "test", "val": "val"}
    tops = {folders[0] for folders, _ in places if folders}
    direct = {folders[0] for folders, _ in places if len(folders) == 1}
    splits = {top for top in tops if top in names}
    if len(splits) == 1 and splits <= direct and len(direct - set(names)) >= 2:
        splits = set()
    expected = {}
    for folders, name in places:
        split = names[folders[0]] if folders and folders[0] in splits else None
        holders = folders[1:] if split else folders
        expected["/".join([*folders, name])] = (split, holders)
    labels = {}
    for id, (_, holders) in expected.items():
        same = {other[-1] for _, other in expected.values() if len(other) == len(holders) > 0}
        labels[id] = holders[-1] if len(same) > 1 else None
    assert {item.id: item.split for item in found.items} == {k: v[0] for k, v in expected.items()}
    given = {
        item.id: None if item.label is None else (found.classes or [])[item.label]
        for item in found.items
    }
    assert given == labels
    assert set(found.classes or []) == {label for label in labels.values() if label is not None}
