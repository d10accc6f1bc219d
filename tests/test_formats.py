"""The folders of formats/ and the modules of evstore/formats, held together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import vectors
from evstore.formats import conformance, registry
from vectors import FORMATS, case, name_of

VECTORS = vectors.files("vectors")
BAD = vectors.files("bad")
MAX_BYTES = 65_536

# Every record stands for itself, so what a cut file gives is the start of the whole.
RECORD_FORMATS = {"evt2", "evt21", "evt3", "dat", "bin40", "es", "aedat2", "aedat3"}


def parametrize(paths: list[Path]) -> Any:
    return pytest.mark.parametrize("path", paths, ids=[name_of(path) for path in paths])


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
    conformance.check_module(module)
    assert module.NAME in registry.NAMES
    assert module.__name__.endswith(f".{module.NAME}")
    assert all(registry.by_name(name) is module for name in module.INPUT_FORMATS)


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
    conformance.check_vector(case(path), batch_events)


@parametrize([path for path in VECTORS if case(path).guessable])
def test_vector_is_recognised_by_its_content(path: Path) -> None:
    conformance.check_recognised(case(path))


@parametrize([path for path in VECTORS if not case(path).module.SEEKS])
def test_vector_decodes_from_a_pipe(path: Path) -> None:
    conformance.check_pipe(case(path))


@pytest.mark.parametrize(
    "folder", [f for f in vectors.folders() if f.name not in vectors.SHARDS], ids=lambda f: f.name
)
def test_bad_files_and_their_table_are_the_same(folder: Path) -> None:
    found = {path.name for path in BAD if path.parent.parent == folder}
    assert found
    assert set(conformance.rows_of_bad(folder)) == found


@parametrize(BAD)
def test_bad_file_raises_what_its_table_says(path: Path) -> None:
    conformance.check_bad(case(path))


@parametrize(VECTORS)
def test_every_prefix_gives_events_or_an_error(path: Path) -> None:
    vector = case(path)
    # A C library opens each one anew: not every length of those.
    step = 17 if getattr(vector.module, "C_PARSED", False) else 1
    lengths = range(0, path.stat().st_size, step)
    conformance.check_prefixes(vector, lengths, vector.module.NAME in RECORD_FORMATS)


# -------------------------------------------------------------------- the checks themselves


def wrong(path: Path, tmp_path: Path, **said: Any) -> conformance.Case:
    """A copy of a vector whose JSON says something else."""
    folder = tmp_path / path.parent.parent.name / "vectors"
    folder.mkdir(parents=True)
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    copy.with_suffix(".json").write_text(json.dumps({**told, **said}), encoding="utf-8")
    return case(copy)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"events": 99}, "99"), ({"t": [1]}, "t: "), ({"resolution": [5, 5]}, "resolution"),
        ({"dropped": {"a": 1}}, "dropped"), ({"label": 3}, "label"),
        ({"triggers": {"t": [1], "id": [0], "p": [1]}}, "triggers"),
        ({"side": {"imu": {"t": [1]}}}, "side streams"),
    ],
)  # fmt: skip
def test_a_reader_that_is_wrong_does_not_conform(
    tmp_path: Path, said: dict[str, Any], words: str
) -> None:
    path = FORMATS / "bin40" / "vectors" / "plain.bin"
    conformance.check_vector(case(path), 7)
    with pytest.raises(conformance.NotConforming, match=words):
        conformance.check_vector(wrong(path, tmp_path, **said), 7)


def test_the_checks_of_another_package(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(FORMATS / "bin40")
    with mock.patch.object(conformance, "COPIES", 20):
        assert conformance.main(["evstore.formats.bin40", folder]) == 0
    assert "0 failed" in capsys.readouterr().out
    assert conformance.main(["evstore.formats.dat", folder]) == 1
    assert "cut_record.bin: FormatError, expected TruncatedError" in capsys.readouterr().out
    assert conformance.main([]) == 2
