"""The folders of formats/ and the modules of evstore/formats, held together."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vectors
from evstore.errors import EvstoreError, TruncatedError
from evstore.formats import registry
from vectors import COLUMNS, DIGESTS, FORMATS, Case, case, consume, join, name_of

VECTORS = vectors.files("vectors")
BAD = vectors.files("bad")
MAX_BYTES = 65_536
DTYPES = (np.int64, np.uint16, np.uint16, np.uint8)

# Every record stands for itself, so what a cut file gives is the start of the whole.
RECORD_FORMATS = {"evt2", "evt3", "dat", "bin40", "prophesee_hdf5"}


def parametrize(paths: list[Path]) -> Any:
    return pytest.mark.parametrize("path", paths, ids=[name_of(path) for path in paths])


def expect_events(case: Case, decoded: vectors.Decoded) -> None:
    expected = case.expected
    assert decoded.columns[0].size == expected["events"]
    for name, column in zip(COLUMNS, decoded.columns, strict=True):
        if name in expected:
            assert column.tolist() == expected[name], name
        else:
            digest = hashlib.sha256(np.ascontiguousarray(column).tobytes()).hexdigest()
            assert digest == expected["sha256"][DIGESTS[name]], name
    for k, name in enumerate(("t", "id", "p")):
        assert decoded.triggers[k].tolist() == expected.get("triggers", {}).get(name, [])
    side = {
        stream: {name: column.tolist() for name, column in columns.items()}
        for stream, columns in decoded.side.items()
    }
    assert side == expected.get("side", {})


def test_folders_and_modules_are_the_same() -> None:
    modules = {module.NAME for module in registry.all_formats()}
    assert {folder.name for folder in vectors.folders()} == modules


@pytest.mark.parametrize("folder", vectors.folders(), ids=lambda folder: folder.name)
def test_folder_is_whole(folder: Path) -> None:
    assert (folder / "SPEC.md").is_file()
    assert any((folder / "vectors").iterdir())
    assert (folder / "bad" / "README.md").is_file()


@pytest.mark.parametrize("module", registry.all_formats(), ids=lambda module: module.NAME)
def test_module_says_what_it_is(module: Any) -> None:
    assert module.NAME in registry.NAMES
    assert module.__name__.endswith(f".{module.NAME}")
    assert module.TITLE
    assert all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in module.SUFFIXES)
    assert all(registry.by_name(name) is module for name in module.INPUT_FORMATS)
    assert hasattr(module, "writer") is module.WRITES


@pytest.mark.parametrize(
    "folder", [f for f in vectors.folders() if f.name not in vectors.SHARDS], ids=lambda f: f.name
)
def test_constants_of_the_spec_are_those_of_the_module(folder: Path) -> None:
    text = (folder / "SPEC.md").read_text(encoding="utf-8")
    section = text.partition("\n## Constants\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| *`(\w+)` *\| *`?(0x[0-9A-Fa-f]+|[0-9][0-9_,]*)`? *\|", section, re.M)
    assert rows, "SPEC.md has no table under '## Constants'"
    module = registry.by_name(folder.name)
    for name, value in rows:
        assert getattr(module, name) == int(value.replace(",", ""), 0), name


@parametrize(VECTORS)
def test_vector_is_small_and_says_where_it_comes_from(path: Path) -> None:
    assert path.stat().st_size <= MAX_BYTES
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert expected["format"] == path.parent.parent.name
    made_by = re.fullmatch(r"made by (tools/make_vectors_\w+\.py)", expected["provenance"])
    assert made_by is not None
    assert (FORMATS.parent / made_by[1]).is_file()


@parametrize(VECTORS)
@pytest.mark.parametrize("batch_events", [1, 7, 65_536])
def test_vector_decodes(path: Path, batch_events: int) -> None:
    vector = case(path)
    reading = vector.reading(batch_events=batch_events)
    batches = list(reading.batches)
    for batch in batches:
        assert batch.t.size <= batch_events
        for column, dtype in zip(batch[:4], DTYPES, strict=True):
            assert column.dtype == dtype
            assert column.flags.c_contiguous
            assert column.flags.writeable
    expect_events(vector, join(batches))
    resolution = vector.expected["resolution"]
    assert reading.resolution == (None if resolution is None else tuple(resolution))
    assert reading.dropped == vector.expected.get("dropped", {})
    assert reading.format == vector.module.NAME
    assert reading.label == vector.expected.get("label")
    json.dumps(reading.metadata)


@parametrize([path for path in VECTORS if case(path).guessable])
def test_vector_is_recognised_by_its_content(path: Path) -> None:
    content = path.read_bytes()
    found = registry.detect(content[:65_536], len(content), path.suffix)
    assert path.parent.parent.name == found.NAME


class Trickle(io.RawIOBase):
    """A pipe: no seeking, and a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._content[self._at : self._at + min(len(buffer), 1 + self._at % 97)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


@parametrize([path for path in VECTORS if not case(path).module.SEEKS])
def test_vector_decodes_from_a_pipe(path: Path) -> None:
    vector = case(path)
    stream: Any = Trickle(path.read_bytes())
    options = vectors.ReadOptions(**vector.options)
    expect_events(
        vector, join(list(vector.module.read(stream, options, vector.input_format).batches))
    )


def rows_of_bad(folder: Path) -> dict[str, tuple[str, str]]:
    text = (folder / "bad" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", text, re.M)
    cells = [[cell.strip().strip("`") for cell in row] for row in rows]
    return {row[0]: (row[1], row[2]) for row in cells if "." in row[0]}


@pytest.mark.parametrize(
    "folder", [f for f in vectors.folders() if f.name not in vectors.SHARDS], ids=lambda f: f.name
)
def test_bad_files_and_their_table_are_the_same(folder: Path) -> None:
    found = {path.name for path in BAD if path.parent.parent == folder}
    assert found
    assert set(rows_of_bad(folder)) == found


@parametrize(BAD)
def test_bad_file_raises_what_its_table_says(path: Path) -> None:
    kind, words = rows_of_bad(path.parent.parent)[path.name]
    with pytest.raises(EvstoreError) as caught:
        list(case(path).reading().batches)
    assert type(caught.value).__name__ == kind
    assert words in str(caught.value)


@parametrize(VECTORS)
def test_every_prefix_gives_events_or_an_error(path: Path) -> None:
    vector = case(path)
    content = path.read_bytes()
    whole = join(list(vector.reading(content).batches)).columns
    step = 17 if getattr(vector.module, "C_PARSED", False) else 1  # to open one takes 2 ms
    for length in range(0, len(content), step):
        try:
            reading = vector.reading(content[:length], batch_events=1000)
        except EvstoreError:
            continue
        batches, error = consume(reading.batches)
        assert error is None or isinstance(error, EvstoreError), (length, error)
        if vector.module.NAME in RECORD_FORMATS:
            given = join(batches).columns
            count = given[0].size
            for column, other in zip(given, whole, strict=True):
                assert np.array_equal(column, other[:count]), length
            if isinstance(error, TruncatedError):
                assert error.safe_events == count, length
