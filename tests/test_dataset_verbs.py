"""split, merge, stats, index and check: functions behind `evstore dataset`."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evstore
from command_line import some_events
from evstore.datasets import merging
from evstore.datasets.checking import check_dataset
from evstore.datasets.indexing import index, joined_classes
from evstore.datasets.manifest import (
    NAME,
    Manifest,
    make_manifest,
    read_manifest,
    write_manifest,
)
from evstore.datasets.merging import merge
from evstore.datasets.packing.item import Found, Item
from evstore.datasets.packing.pack import pack
from evstore.datasets.splitting import apply_rule, assign, split
from evstore.datasets.stats import stats
from evstore.errors import ArgumentError, CorruptError, UnsupportedError
from packs import CLASSES, contents, equal, ids_of, items, packed, rows, sources


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that no test changes."""
    return packed(tmp_path_factory.mktemp("one"), "one", 24)


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def of(recordings: Sequence[tuple[str, Any, str | None]]) -> Manifest:
    """A manifest of (id, label, group), without shards."""
    return make_manifest(
        [
            {
                "id": id, "part": 0, "label": label, "group": group, "shard": "a.evs",
                "position": k, "first_event": 0, "events": 1, "t_first": 0, "t_min": 0,
                "t_max": 0, "root": bytes(32), "boxes": 0,
            }
            for k, (id, label, group) in enumerate(recordings)
        ]
    )  # fmt: skip


def splits_of(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.values("id"), manifest.values("split"), strict=True))


# --------------------------------------------------------------------------------- split


RULES = st.lists(st.integers(1, 20), min_size=1, max_size=4).map(
    lambda parts: {f"s{k}": float(Fraction(n, sum(parts))) for k, n in enumerate(parts)}
)
STRATA = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 30), max_size=8)


@given(RULES, STRATA, st.integers(0, 3))
def test_sizes_are_exact(fractions: dict[str, float], sizes: dict[str, int], seed: int) -> None:
    strata = {name: [f"{name}{k}" for k in range(size)] for name, size in sizes.items()}
    chosen = assign(strata, fractions, seed)
    total = sum(sizes.values())
    assert len(chosen) == total
    met = Counter(chosen.values())
    for name, part in fractions.items():
        assert abs(met[name] - part * total) < 1 + 1e-9  # largest remainder: floor or ceiling
        for stratum, units in strata.items():
            share = sum(chosen[unit] == name for unit in units)
            slack = 1 if len(fractions) <= 2 else len(fractions)
            assert abs(share - part * sizes[stratum]) < slack + 1e-6
    turned = {name: list(reversed(units)) for name, units in reversed(strata.items())}
    assert assign(turned, dict(reversed(fractions.items())), seed) == chosen


def test_what_decides() -> None:
    """Ids, labels, groups and the seed; not the order, and not what else is known."""
    recordings = [(f"r{k}", k % 3, None) for k in range(30)]
    rule = {"fractions": {"train": 0.8, "test": 0.2}, "stratify": "label", "seed": 0}
    first = splits_of(apply_rule(of(recordings), rule))
    assert Counter(first.values()) == {"train": 24, "test": 6}
    by_label = Counter((k % 3, first[f"r{k}"]) for k in range(30))
    assert by_label == {(k, s): n for k in range(3) for s, n in (("train", 8), ("test", 2))}
    assert splits_of(apply_rule(of(recordings[::-1]), rule)) == first
    assert splits_of(apply_rule(of(recordings), rule | {"seed": 1})) != first
    # Known values: a later version must not draw anew.
    assert sorted(id for id, name in first.items() if name == "test") == [
        "r13",
        "r2",
        "r26",
        "r27",
        "r3",
        "r4",
    ]


def test_groups_stay_together() -> None:
    recordings = [(f"r{k}", k % 2, f"g{k // 3}") for k in range(30)]
    rule = {"fractions": {"a": 0.5, "b": 0.5}, "stratify": "label", "seed": 5}
    found = splits_of(apply_rule(of(recordings), rule))
    assert all(len({found[f"r{k}"] for k in range(g, g + 3)}) == 1 for g in range(0, 30, 3))
    assert Counter(found.values()) == {"a": 15, "b": 15}
    apart = splits_of(apply_rule(of(recordings), rule | {"groups": False}))
    assert any(len({apart[f"r{k}"] for k in range(g, g + 3)}) > 1 for g in range(0, 30, 3))


def test_split_is_in_the_manifest_and_index_applies_it(one: Path, tmp_path: Path) -> None:
    folder = copied(one, tmp_path / "set")
    packed_splits = splits_of(read_manifest(folder))
    made = split(folder, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=3)
    assert Counter(splits_of(made).values()) == {"train": 12, "val": 6, "test": 6}
    assert equal(folder, made)
    assert json.dumps(made.about["split"])
    assert equal(index(folder).manifest, made)
    check_dataset(folder)
    assert len(evstore_dataset(folder, "val")) == 6
    assert splits_of(index(folder, as_packed=True).manifest) == packed_splits
    assert equal(folder, one)


def evstore_dataset(folder: Path, name: str) -> Any:
    from evstore.datasets.dataset import Dataset

    return Dataset(folder, split=name)


def test_packing_again_keeps_the_rule(tmp_path: Path) -> None:
    found = Found(items(sources(tmp_path / "in", 8)), CLASSES)
    pack(found, tmp_path / "out")
    made = split(tmp_path / "out", {"a": 0.5, "b": 0.5}, stratify=None)
    pack(found, tmp_path / "out")
    assert equal(tmp_path / "out", made)
    pack(tmp_path / "out", tmp_path / "again")  # there the shards have these splits
    assert splits_of(read_manifest(tmp_path / "again")) == splits_of(made)
    assert "split" not in read_manifest(tmp_path / "again").about


def test_by_a_column(one: Path, tmp_path: Path) -> None:
    folder = copied(one, tmp_path / "set")
    split(folder, by="user")
    assert all(row["split"] == row["user"] for row in rows(folder).values())
    split(folder, by="label")
    assert {row["split"] for row in rows(folder).values()} == {"0", "1", "2"}
    assert equal(index(folder).manifest, folder)
    with pytest.raises(ArgumentError, match=r"no column 'person'.*user"):
        split(folder, by="person")
    parted = of([("a", 0, "g"), ("b", 1, "g")])
    with pytest.raises(ArgumentError, match="group 'g'"):
        apply_rule(parted, {"by": "label"})
    assert splits_of(apply_rule(parted, {"by": "label", "groups": False})) == {"a": "0", "b": "1"}


@pytest.mark.parametrize(
    "fractions",
    [
        {}, {"a": 0.5}, {"a": 0.7, "b": 0.7}, {"a": -0.5, "b": 1.5}, {"a": float("nan"), "b": 0.5},
        {"": 1.0}, {"a": 0.0, "b": 1.0},
    ],
)  # fmt: skip
def test_fractions_that_cannot_be(one: Path, fractions: dict[str, float]) -> None:
    before = contents(one)
    with pytest.raises(ArgumentError):
        split(one, fractions)
    assert contents(one) == before


def test_both_or_neither(one: Path) -> None:
    with pytest.raises(ArgumentError, match="give one"):
        split(one)
    with pytest.raises(ArgumentError, match="give one"):
        split(one, {"a": 1.0}, by="user")


# --------------------------------------------------------------------------------- index


@pytest.mark.parametrize("damage", ["gone", "garbage", "cut"])
def test_an_old_manifest_that_is_damaged(one: Path, tmp_path: Path, damage: str) -> None:
    folder = copied(one, tmp_path / "set")
    old = (folder / NAME).read_bytes()
    if damage == "gone":
        (folder / NAME).unlink()
    else:
        (folder / NAME).write_bytes(b"garbage" if damage == "garbage" else old[:-40])
    made, lost = index(folder)
    assert (lost is None) == (damage == "gone")
    assert equal(made, one)
    assert (folder / NAME).read_bytes() == old


def test_a_manifest_of_a_newer_evstore_stays(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(one, tmp_path / "set")
    with monkeypatch.context() as patch:
        patch.setattr("evstore.datasets.manifest.VERSION", 2)
        write_manifest(read_manifest(folder), folder)
    before = contents(folder)
    with pytest.raises(UnsupportedError, match="newer"):
        index(folder)
    assert contents(folder) == before


def test_nothing_to_index(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no shards"):
        index(tmp_path)
    with pytest.raises(ArgumentError, match="no such folder"):
        index(tmp_path / "no")


# --------------------------------------------------------------------------------- merge


def test_merge(tmp_path: Path) -> None:
    a, b = packed(tmp_path, "a"), packed(tmp_path, "b", 6)
    before = contents(a), contents(b)
    done = merge([a, b], tmp_path / "both")
    assert (contents(a), contents(b)) == before
    assert done.linked == len(contents(tmp_path / "both")) - 1
    assert os.path.samefile(a / "train-00000.evs", tmp_path / "both" / "0-train-00000.evs")
    found = rows(tmp_path / "both")
    for number, folder in enumerate((a, b)):
        for id, row in rows(folder).items():
            assert found[id] == row | {"shard": f"{number}-{row['shard']}"}
    assert len(found) == 18
    check_dataset(tmp_path / "both")
    assert equal(index(tmp_path / "both").manifest, done.manifest)
    again = merge([a, b], tmp_path / "both")
    assert (again.linked, again.copied, again.kept) == (0, 0, done.linked)
    assert equal(again.manifest, done.manifest)


def test_merge_of_shards_in_folders(tmp_path: Path) -> None:
    a, b = packed(tmp_path, "a", 3), packed(tmp_path, "b", 3)
    for path in a.glob("*.evs"):
        (a / path.stem).mkdir()
        path.rename(a / path.stem / "x.evs")
    index(a)
    done = merge([a, b], tmp_path / "out")
    assert len(done.manifest) == 6
    assert (tmp_path / "out" / "0-train-00000" / "x.evs").exists()
    check_dataset(tmp_path / "out")
    assert merge([a, b], tmp_path / "out").linked == 0


@pytest.mark.parametrize("link", [True, False])
def test_an_interrupted_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool) -> None:
    a, b = packed(tmp_path, "a"), packed(tmp_path, "b")
    whole = merge([a, b], tmp_path / "whole", link=link)
    brought: list[Any] = []
    bring = merging._bring

    def interrupted(*arguments: Any) -> str:
        if len(brought) == 3:
            raise KeyboardInterrupt
        brought.append(arguments)
        return bring(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(merging, "_bring", interrupted)
        with pytest.raises(KeyboardInterrupt):
            merge([a, b], tmp_path / "out", link=link)
    assert len(contents(tmp_path / "out")) == 3
    (tmp_path / "out" / "0-train-00003.evs.part").write_bytes(b"of a copy that was killed")
    done = merge([a, b], tmp_path / "out", link=link)
    assert done.kept == 3
    assert (done.copied == 0) == link
    assert equal(done.manifest, whole.manifest)
    (tmp_path / "out" / "0-train-00003.evs.part").unlink(missing_ok=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert sorted(set(ids_of(tmp_path / "out"))) == ids_of(tmp_path / "out")


def test_no_links_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        raise OSError(merging.NO_LINK[0], "cross-device")

    a, b = packed(tmp_path, "a", 3), packed(tmp_path, "b", 3)
    monkeypatch.setattr(os, "link", cannot)
    done = merge([a, b], tmp_path / "out")
    assert (done.linked, done.kept) == (0, 0)
    assert done.copied == len(list((tmp_path / "out").glob("*.evs")))
    check_dataset(tmp_path / "out")


def test_a_merge_never_harms_its_sources(tmp_path: Path) -> None:
    """What is a link may be replaced, not written."""
    a, b = packed(tmp_path, "a", 3), packed(tmp_path, "b", 3)
    before = contents(a), contents(b)
    merge([a, b], tmp_path / "out")
    merge([b, a], tmp_path / "out", overwrite=True)
    pack(Found(items(sources(tmp_path / "in", 3), "c")), tmp_path / "out", overwrite=True)
    assert (contents(a), contents(b)) == before
    assert len(ids_of(tmp_path / "out")) == 3


def test_what_cannot_be_merged(tmp_path: Path) -> None:
    a = packed(tmp_path, "a", 3)
    twin = copied(a, tmp_path / "twin")
    with pytest.raises(ArgumentError, match=r"'a/0' is in .*and 2 more"):
        merge([a, twin], tmp_path / "out")
    with pytest.raises(ArgumentError, match="twice"):
        merge([a, a], tmp_path / "out")
    with pytest.raises(ArgumentError, match="two datasets or more"):
        merge([a], tmp_path / "out")
    with pytest.raises(ArgumentError, match="beside"):
        merge([a, twin], a / "out")
    other = tmp_path / "other"
    pack(Found(items(sources(tmp_path / "in", 3), "o"), ["cat", "rat"]), other)
    with pytest.raises(ArgumentError, match=r"label 1 is 'dog' in .*a and 'rat' in .*other"):
        merge([a, other], tmp_path / "out")
    b = packed(tmp_path, "b", 3)
    split(b, {"x": 1.0})
    with pytest.raises(ArgumentError, match="--as-packed"):
        merge([a, b], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    index(b, as_packed=True)
    mine = tmp_path / "out" / "mine.evs"
    mine.parent.mkdir()
    evstore.save(mine, some_events(10))
    with pytest.raises(ArgumentError, match="not of these datasets"):
        merge([a, b], tmp_path / "out")
    merge([a, b], tmp_path / "out", overwrite=True)
    assert not mine.exists()
    (a / NAME).unlink()
    with pytest.raises(ArgumentError, match="dataset index"):
        merge([a, b], tmp_path / "out")


def test_classes_of_both(tmp_path: Path) -> None:
    a = packed(tmp_path, "a", 3)
    for name, classes in (("more", [*CLASSES, "fox"]), ("none", None)):
        pack(Found(items(sources(tmp_path / f"in-{name}", 3), name), classes), tmp_path / name)
    done = merge([a, tmp_path / "none", tmp_path / "more"], tmp_path / "out")
    assert done.manifest.classes == [*CLASSES, "fox"]
    assert equal(index(tmp_path / "out").manifest, done.manifest)
    assert joined_classes(None, ["x"], "a", "b") == ["x"]


# --------------------------------------------------------------------------------- check


def test_check_finds(one: Path, tmp_path: Path) -> None:
    assert check_dataset(one).recordings == 24

    def broken(name: str, words: str, harm: Any) -> None:
        folder = copied(one, tmp_path / name)
        harm(folder)
        with pytest.raises(CorruptError, match=words):
            check_dataset(folder)

    def set_column(name: str, value: Any) -> Any:
        def harm(folder: Path) -> None:
            manifest = read_manifest(folder)
            table, at = manifest.table, manifest.table.column_names.index(name)
            values = [value, *manifest.values(name)[1:]]
            import pyarrow as pa

            column = pa.array(values, table.schema.field(at).type)
            table = table.set_column(at, table.schema.field(at), column)
            write_manifest(Manifest(table, manifest.classes, manifest.about), folder)

        return harm

    def exchanged(folder: Path) -> None:
        a, b = sorted(folder.glob("train*.evs"))[:2]
        content = a.read_bytes()
        a.write_bytes(b.read_bytes())
        b.write_bytes(content)

    broken("gone", "not there", lambda f: (f / "train-00001.evs").unlink())
    broken("more", "does not know", lambda f: evstore.save(f / "x.evs", some_events(10)))
    broken("exchanged", "disagrees with the shard about", exchanged)
    broken("root", "field 'root'", set_column("root", bytes(32)))
    broken("split", "field 'split'", set_column("split", "other"))
    broken("user", "field 'user'", set_column("user", "nobody"))
    broken("id", "lacks 1 recordings", set_column("id", "stranger"))


def test_check_finds_other_classes(one: Path, tmp_path: Path) -> None:
    folder = copied(one, tmp_path / "set")
    manifest = read_manifest(folder)
    write_manifest(Manifest(manifest.table, ["x"], manifest.about), folder)
    with pytest.raises(CorruptError, match="other things"):
        check_dataset(folder)


# --------------------------------------------------------------------------------- stats


def test_stats(one: Path) -> None:
    found = stats(one)
    manifest = rows(one)
    assert found.shards == len(list(one.glob("*.evs")))
    assert (found.total.recordings, found.total.events) == (24, 24 * 500)
    assert found.total.bytes == sum(path.stat().st_size for path in one.iterdir())
    assert found.total.resolutions == [(64, 48)]
    lengths = {id: (row["t_max"] + 1 - row["t_min"]) / 1e6 for id, row in manifest.items()}
    assert found.total.duration_s == pytest.approx(sum(lengths.values()))
    rates = [500 / length for length in lengths.values()]
    assert found.total.rate_min == pytest.approx(min(rates))
    assert found.total.rate_max == pytest.approx(max(rates))
    assert found.total.rate_mean == pytest.approx(24 * 500 / sum(lengths.values()))
    counts = Counter((row["split"], row["label"]) for row in manifest.values())
    assert {(c.split, c.label): c.recordings for c in found.classes} == counts
    assert [(c.split, c.name) for c in found.classes] == [
        (s, name) for s in ("test", "train") for name in CLASSES
    ]
    assert {name: n.recordings for name, n in found.splits.items()} == {"test": 6, "train": 18}
    of_chunks = sum(c.bytes for c in found.classes)
    assert 0 < of_chunks < found.total.bytes
    assert json.loads(json.dumps(found.to_json()))["total"]["recordings"] == 24


def test_stats_of_labelled_times_and_nothing(tmp_path: Path) -> None:
    (path,) = sources(tmp_path / "in", 1)
    empty = tmp_path / "empty.evs"
    evstore.save(empty, some_events(10)[:0])
    table = tmp_path / "labels.csv"
    table.write_text("class,startTime_usec,endTime_usec\n1,0,2000\n2,2000,3000\n1,3000,4000\n")
    found = Found(
        [Item(str(path), "a", intervals=str(table)), Item(str(empty), "b")], CLASSES, first_class=1
    )
    assert pack(found, tmp_path / "out").manifest is not None
    said = stats(tmp_path / "out")
    assert said.total.intervals == 3
    assert [(i["name"], i["intervals"], i["duration_s"]) for i in said.intervals] == [
        ("cat", 2, 0.003), ("dog", 1, 0.001),
    ]  # fmt: skip
    assert said.total.recordings == 2
    assert said.total.rate_min == pytest.approx(said.total.rate_max)
    assert np.isfinite(said.total.duration_s)
