"""Lists of recordings with their labels, in CSV and Parquet."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evstore
from evstore.datasets.packing.item import Found
from evstore.datasets.packing.list_rows import read_rows
from evstore.datasets.packing.table import find_table
from evstore.errors import ArgumentError, FormatError
from trees import bin40, by_id, made, opens, orphans, put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/1.bin", "a/2.bin", "b/10.bin"):
        put(tmp_path / name, bin40())
    return tmp_path


def found(folder: Path, text: str | bytes, name: str = "list.csv") -> Found:
    return find_table(put(folder / name, text))


def parquet(target: Path, /, **columns: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), target)
    return target


def test_every_column(folder: Path) -> None:
    put(folder / "a" / "1_labels.csv")
    put(folder / "a" / "1_bbox.npy")
    text = (
        "path,id,split,label,group,start,stop,intervals,boxes,user,gain,note,code\n"
        "a/1.bin,first,Train,dog,g1,2000,9000,a/1_labels.csv,a/1_bbox.npy,3,1.5,a word,007\n"
        "a/2.bin,,test,cat 10,,-5,,,,4,2,,012\n"
        '"b/10.bin",0003,,cat 9,,,,,,,,"x, y",1\n'
    )
    given = found(folder, text)
    assert given.classes == ["cat 9", "cat 10", "dog"]
    assert given.first_class == 0
    items = by_id(given)
    assert set(items) == {"first", "a/2", "0003"}
    one, two, three = (items[id] for id in ("first", "a/2", "0003"))
    assert (one.split, two.split, three.split) == ("train", "test", None)
    assert (one.label, two.label, three.label) == (2, 1, 0)
    assert (one.group, one.start, one.stop) == ("g1", 2000, 9000)
    assert (two.group, two.start, two.stop) == (None, -5, None)
    assert one.intervals == str(folder / "a" / "1_labels.csv")
    assert one.boxes == str(folder / "a" / "1_bbox.npy")
    assert two.boxes is None
    assert one.columns == {"user": 3, "gain": 1.5, "note": "a word", "code": "007"}
    assert two.columns == {"user": 4, "gain": 2.0, "note": None, "code": "012"}
    assert three.columns == {"user": None, "gain": None, "note": "x, y", "code": "1"}
    for item in given.items:
        opens(item, None)


@pytest.mark.parametrize("column", ["path", "file", "source"])
def test_what_the_files_are_called(folder: Path, column: str) -> None:
    (item,) = found(folder, f"{column}\na/1.bin\n").items
    assert item.source == str(folder / "a" / "1.bin")
    assert item.id == "a/1"


def test_the_first_name_is_the_path_and_others_are_kept(folder: Path) -> None:
    (item,) = found(folder, "source,path\nthe internet,a/1.bin\n").items
    assert item.id == "a/1"
    assert item.columns == {"source": "the internet"}


def test_numbers_stay(folder: Path) -> None:
    given = found(folder, "path,label\na/1.bin,7\na/2.bin,-1\nb/10.bin,\n")
    assert given.classes is None
    assert [item.label for item in given.items] == [7, -1, None]
    given = found(folder, "path,label\na/1.bin,0.5\na/2.bin,2\n")
    assert [item.label for item in given.items] == [0.5, 2.0]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpath,label\r\na/1.bin,x\r\n\r\na/2.bin,y\r\n",
        "path;label\na/1.bin;x\na/2.bin;y",
        "path\tlabel\na/1.bin\tx\na/2.bin\ty\n\n",
        "path ,label\n a/1.bin , x\na/2.bin,y\n",
    ],
)
def test_dialects(folder: Path, text: str) -> None:
    given = found(folder, text)
    assert [(item.id, item.label) for item in given.items] == [("a/1", 0), ("a/2", 1)]
    assert given.classes == ["x", "y"]


def test_names_that_differ_in_suffix_only(folder: Path) -> None:
    put(folder / "a" / "1.dat", bin40())
    given = found(folder, "path\na/1.bin\na/1.dat\na/2.bin\n")
    assert [item.id for item in given.items] == ["a/1.bin", "a/1.dat", "a/2"]


def test_cuts_of_one_file(folder: Path) -> None:
    text = "path,start,stop\na/1.bin,0,50\na/1.bin,50,\na/2.bin,0,50\na/1.bin,,\n"
    given = found(folder, text)
    assert [item.id for item in given.items] == ["a/1/0-50", "a/1/50-", "a/2", "a/1"]
    with pytest.raises(
        ArgumentError, match=r"list\.csv: line 2 and line 3 are both 'a/1.bin/0-50'"
    ):
        found(folder, "path,start,stop\na/1.bin,0,50\na/1.bin,0,50\n")


def test_the_same_id_twice(folder: Path) -> None:
    with pytest.raises(ArgumentError, match=r"line 2 and line 4 are both 'x'"):
        found(folder, "path,id\na/1.bin,x\nb/10.bin,y\na/2.bin,x\n")
    with pytest.raises(ArgumentError, match=r"line 2 and line 3 are both 'a/1'"):
        found(folder, "path,id\na/1.bin,\nb/10.bin,a/1\n")


def test_files_beside_the_list(folder: Path) -> None:
    (folder / "lists").mkdir()
    text = f"path\n../a/1.bin\n{folder / 'b' / '10.bin'}\n"
    given = found(folder, text, "lists/list.csv")
    assert [item.id for item in given.items] == ["a/1", "b/10"]
    assert all(Path(item.source).is_file() for item in given.items)


def test_a_list_in_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "list.csv", "path\na/1.bin\n")
    monkeypatch.chdir(folder)
    (item,) = find_table("list.csv").items
    assert (item.source, item.id) == (str(Path("a") / "1.bin"), "a/1")


def test_recordings_of_a_shard(folder: Path) -> None:
    with evstore.create(folder / "many.evs") as out:
        for id in ("x/1", "x/2"):
            with out.recording(id, resolution=(30, 30)) as recording:
                recording.write(made((30, 30)))
    given = found(folder, "path,label\nmany.evs#x/1,a\nmany.evs#x/2,b\n")
    assert [item.id for item in given.items] == ["many/x/1", "many/x/2"]
    for item in given.items:
        opens(item, (30, 30))


def test_what_files_cannot_say_is_told(folder: Path) -> None:
    evstore.save(folder / "one.evs", made((30, 30)))
    path = put(folder / "list.csv", "path\na/1.bin\none.evs\n")
    told, shard = find_table(path, {"resolution": (34, 34)}).items
    opens(told, (34, 34))
    opens(shard, (30, 30))


def test_what_is_not_there(folder: Path) -> None:
    text = "path,boxes\na/1.bin,\nc/9.bin,\na/2.bin,a/2_bbox.npy\na,\n"
    given = found(folder, text)
    assert [item.id for item in given.items] == ["a/1"]
    why = orphans(given, folder)
    assert set(why) == {"c/9.bin", "a/2.bin", "a"}
    assert why["c/9.bin"] == "there is no such file, but line 3 names it"
    assert "line 4 names" in why["a/2.bin"]
    assert "boxes are not there" in why["a/2.bin"]
    with pytest.raises(ArgumentError, match=r"names no recording that is there: .*9\.bin"):
        found(folder, "path\nc/9.bin\n")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("", FormatError, "the list is empty"),
        ("\n\n", FormatError, "the list is empty"),
        ("path\n", ArgumentError, "names no recording"),
        (
            "name,label\na/1.bin,3\n",
            ArgumentError,
            "needs a column path, file or source; it has name",
        ),
        ("path,label\na/1.bin\n", FormatError, "line 2 has another number of cells"),
        ("path,label\na/1.bin,1,2\n", FormatError, "line 2 has another number of cells"),
        ("path,x,x\na/1.bin,1,2\n", FormatError, "'x' is there twice"),
        ("path,\na/1.bin,1\n", FormatError, "without a name"),
        ('path,label\na/1.bin,1\na/2.bin,"open\n', FormatError, "line 3 is no CSV"),
        ("path,label\na/1.bin,1\n,2\n", FormatError, "line 3: a row without a file"),
        ("path,start\na/1.bin,1.5\n", FormatError, "line 2: no time, field 'start'"),
        ("path,start\na/1.bin,1\na/2.bin,soon\n", FormatError, "line 2: no time"),
        ("path,stop\na/1.bin,99999999999999999999\n", FormatError, "line 2: no time"),
        ("path,start,stop\na/1.bin,5,5\n", FormatError, "line 2: a cut that ends before"),
        (b"path\n\xff\xfe\n", FormatError, "no UTF-8 at byte 5"),
    ],
)
def test_bad_lists(folder: Path, text: str | bytes, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        found(folder, text)
    assert "list.csv" in str(caught.value)


def test_lines_are_counted_through_cells_of_several(folder: Path) -> None:
    text = 'path,note,start\na/1.bin,"two\nlines",1\n\na/2.bin,x,later\n'
    with pytest.raises(FormatError, match=r"line 2: no time"):
        found(folder, text)
    rows = read_rows(str(folder / "list.csv"))
    assert rows.lines == [2, 5]


def test_other_files(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="no such file"):
        find_table(folder / "gone.csv")
    with pytest.raises(ArgumentError, match=r"one of \.csv"):
        found(folder, "path\n", "list.xlsx")


def test_parquet(folder: Path) -> None:
    import pyarrow

    path = parquet(
        folder / "list.parquet",
        file=["a/1.bin", "a/2.bin", "b/10.bin"],
        label=pyarrow.array(["y", "x", None]).dictionary_encode(),
        split=["TRAIN", None, "test"],
        start=[1.0, math.nan, 3.0],  # as pandas writes whole numbers where one is missing
        stop=pyarrow.array([7, 8, None], pyarrow.uint32()),
        subject=pyarrow.array([1, 2, None], pyarrow.int16()),
        ok=[True, None, False],
        gain=[0.5, 1.0, None],
    )
    given = find_table(path)
    assert given.classes == ["x", "y"]
    assert [item.label for item in given.items] == [1, 0, None]
    assert [item.split for item in given.items] == ["train", None, "test"]
    assert [(item.start, item.stop) for item in given.items] == [(1, 7), (None, 8), (3, None)]
    assert given.items[0].columns == {"subject": 1, "ok": True, "gain": 0.5}
    assert given.items[2].columns == {"subject": None, "ok": False, "gain": None}


def test_bad_parquet(folder: Path) -> None:
    path = parquet(folder / "list.parquet", path=["a/1.bin"], when=[[1, 2]])
    with pytest.raises(FormatError, match=r"list\.parquet: .*field 'when'"):
        find_table(path)
    path = parquet(folder / "list.parquet", path=["a/1.bin", "a/2.bin"], start=[1.0, 2.5])
    with pytest.raises(FormatError, match=r"row 1: no time"):
        find_table(path)
    path = parquet(folder / "list.parquet", path=["a/1.bin", None])
    with pytest.raises(FormatError, match=r"row 1: a row without a file"):
        find_table(path)
    path = parquet(folder / "list.parquet", path=[3])
    with pytest.raises(FormatError, match=r"row 0: a value that is no text"):
        find_table(path)
    put(path, path.read_bytes()[:-4])
    with pytest.raises(FormatError, match=r"list\.parquet: the list cannot be read"):
        find_table(path)


CELL = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=6).map(str.strip)


@given(st.lists(st.tuples(CELL, CELL), min_size=1), st.integers(-(10**9), 10**9))
def test_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], number: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "list.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "note", "n"])
        writer.writerows([["p", "x" + a + b, number] for a, b in cells])
    rows = read_rows(str(path), ["path"])
    assert rows.columns["note"] == ["x" + a + b for a, b in cells]
    assert rows.columns["n"] == [number] * len(cells)


def test_what_is_no_number_is_nothing(folder: Path) -> None:
    items = found(folder, "path,score\na/1.bin,nan\na/2.bin,0.5\n").items
    assert [item.columns["score"] for item in items] == [None, 0.5]
    with pytest.raises(FormatError, match="line 3: an infinite number"):
        found(folder, "path,score\na/1.bin,1\na/2.bin,-inf\n")


@pytest.mark.parametrize("label", ["nan", "NaN", "inf", "-Inf"])
def test_a_label_that_is_no_number(folder: Path, label: str) -> None:
    says = rf"list\.csv: line 3: a label that is no number, field 'label', .*got {float(label)}"
    with pytest.raises(FormatError, match=says):
        found(folder, f"path,label\na/1.bin,1\na/2.bin,{label}\n")


def test_labels_of_parquet_that_are_no_numbers(folder: Path) -> None:
    columns = {"path": ["a/1.bin", "a/2.bin"], "label": [1.5, math.nan]}
    items = find_table(parquet(folder / "list.parquet", **columns)).items
    assert [item.label for item in items] == [1.5, None]  # as pandas writes a missing one
    path = parquet(folder / "list.parquet", **{**columns, "label": [1.5, math.inf]})
    with pytest.raises(FormatError, match=r"row 1: a label that is no number.*got inf"):
        find_table(path)


def test_texts_that_look_like_no_numbers_are_texts(folder: Path) -> None:
    given = found(folder, "path,label\na/1.bin,nan\na/2.bin,bread\n")
    assert given.classes == ["bread", "nan"]
