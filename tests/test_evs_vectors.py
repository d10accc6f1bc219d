"""formats/evs: its golden files still read, its bad files are refused, its page is true."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

import naive
from conftest import ROOT
from evstore.codec.chunk import encode_chunk
from evstore.errors import EvstoreError
from evstore.events import Events
from evstore.shard import index, side
from evstore.shard.chunks import chunk_head, parse_chunk
from evstore.shard.layout import CHUNK, KINDS, frame_payload, parse_record
from evstore.shard.reader import RecordingReader
from evstore.shard.recover import recover_shard
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from shards import everything, payload_of, records

FOLDER = ROOT / "formats" / "evs"
SPEC = (FOLDER / "SPEC.md").read_text(encoding="utf-8")
VECTORS = sorted((FOLDER / "vectors").glob("*.evs"))
BAD = sorted((FOLDER / "bad").glob("*.evs"))
EXAMPLE: naive.Columns = ([1000, 1001, 1003, 1003], [5, 6, 5, 9], [7, 7, 7, 7], [1, 0, 0, 1])


def parametrize(paths: list[Path]) -> Any:
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


def said_of(path: Path) -> list[dict[str, Any]]:
    said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert said["format"] == "evs"
    assert said["provenance"] == "made by tools/make_vectors_evs.py"
    recordings: list[dict[str, Any]] = said["recordings"]
    return recordings


def columns_of(said: dict[str, Any]) -> naive.Columns:
    return said["t"], said["x"], said["y"], said["p"]


# -------------------------------------------------------------------------------- vectors


def test_vectors_and_what_is_said_of_them_are_the_same_files() -> None:
    assert len(VECTORS) >= 17
    assert {p.stem for p in VECTORS} == {p.stem for p in (FOLDER / "vectors").glob("*.json")}
    assert all(re.fullmatch(r"[a-z_]+-\d+\.\d+", path.stem) for path in VECTORS)
    assert all(path.stat().st_size <= 65_536 for path in VECTORS)


@parametrize(VECTORS)
def test_vector_reads_as_it_always_did(path: Path) -> None:
    recordings = said_of(path)
    verify_shard(path)
    with Shard(path) as shard:
        assert sorted(info.id for info in shard.recordings) == sorted(r["id"] for r in recordings)
        for said in recordings:
            info = shard.find(said["id"])
            reader = RecordingReader(shard, info)
            columns = columns_of(said)
            events = Events(*columns)
            assert Events(**reader.read(0, info.n_events)) == events
            middle = said["t"][len(events) // 2] if len(events) else 0
            window = reader.between(middle, middle + 100)
            assert window == events[(events.t >= middle) & (events.t < middle + 100)]
            stated = said["resolution"]
            inferred = (max(columns[1]) + 1, max(columns[2]) + 1) if columns[1] else None
            assert info.resolution == (tuple(stated) if stated else inferred)
            assert info.metadata.get("label") == said["label"]
            assert said["metadata"].items() <= info.metadata.items()
            assert (info.part, info.first_event) == (said["part"], said["first_event"])
            sides = {}
            for name, dtypes in (("triggers", side.TRIGGERS), ("labels", side.LABELS)):
                rows = reader.side(name) or {column: np.zeros(0) for column in dtypes}
                assert {column: v.tolist() for column, v in rows.items()} == said[name]
                if rows["t" if name == "triggers" else "t_start"].size:
                    sides[name] = {c: (d, said[name][c]) for c, d in dtypes.items()}
            header = said["metadata"].get("source", {}).get("header", "")
            assert info.root == naive.root(columns, sides, said["label"], header)


@parametrize(VECTORS)
def test_payloads_are_what_is_written_today(path: Path) -> None:
    """The bits of codec 1 do not change; zstd's, in the index, may, from release to release."""
    data = path.read_bytes()
    parts: dict[str, dict[int, naive.Columns]] = {}
    ids = [said["id"] for said in said_of(path)]
    for raw in records(data):
        if raw.kind == CHUNK:
            info, payload = parse_chunk(parse_record(data, raw.offset))
            words = payload_of(raw)
            assert bytes(payload) == words.tobytes()
            columns = naive.decode(words.tolist(), info.count)
            assert encode_chunk(Events(*columns)).tolist() == words.tolist()
            assert naive.encode(columns) == words.tolist()
            parts.setdefault(ids[info.recording], {})[info.first_event] = columns
    for said in said_of(path):
        chunks = [columns for _, columns in sorted(parts.get(said["id"], {}).items())]
        assert columns_of(said) == tuple([v for c in chunks for v in c[k]] for k in range(4))


def test_vectors_show_every_record_and_every_form() -> None:
    kinds, forms = set(), Counter[tuple[str, int]]()
    for path in VECTORS:
        for raw in records(path.read_bytes()):
            kinds.add(raw.kind)
            if raw.kind == CHUNK:
                info, _ = parse_chunk(parse_record(path.read_bytes(), raw.offset))
                blocks = -(-info.count // 1024)
                for head in payload_of(raw)[: 12 * blocks].reshape(-1, 12).tolist():
                    forms.update({("t", head[4] >> 8), ("x", head[6] >> 8), ("y", head[9] >> 8)})
                    forms.update({("p", head[5] >> 14), ("exceptions", bool(head[5] & 0x3FFF))})
    assert kinds == {*KINDS, b"z"}
    wanted = {("t", k) for k in range(4)} | {("p", k) for k in range(3)}
    wanted |= {("x", 0), ("y", 0), ("y", 1), ("exceptions", True), ("exceptions", False)}
    assert wanted <= set(forms)


@parametrize(VECTORS)
def test_vector_recovers_whole(path: Path, tmp_path: Path) -> None:
    report = recover_shard(path, tmp_path / "out.evs")
    assert report.complete
    assert everything((tmp_path / "out.evs").read_bytes()) == everything(path.read_bytes())
    with Shard(path) as old, Shard(tmp_path / "out.evs") as new:
        assert {i.id: i.root for i in old.recordings} == {i.id: i.root for i in new.recordings}


# -------------------------------------------------------------------------------- bad files


def rows_of_bad() -> dict[str, tuple[str, str]]:
    text = (FOLDER / "bad" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^|]+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$", text, re.M)
    return {name: (kind, words) for name, kind, words in rows}


def test_bad_files_and_their_table_are_the_same() -> None:
    assert BAD
    assert set(rows_of_bad()) == {path.name for path in BAD}


@parametrize(BAD)
def test_bad_file_is_refused(path: Path, tmp_path: Path) -> None:
    kind, words = rows_of_bad()[path.name]
    with pytest.raises(EvstoreError) as caught:
        everything(path.read_bytes())
    assert type(caught.value).__name__ == kind
    assert words in str(caught.value)
    with pytest.raises(EvstoreError, match=re.escape(str(path))):
        verify_shard(path)
    try:
        report = recover_shard(path, tmp_path / "out.evs")
    except EvstoreError:
        assert list(tmp_path.iterdir()) == []
    else:
        assert verify_shard(tmp_path / "out.evs").events == report.events <= 300


# ------------------------------------------------------------------------------------ page


def test_constants_of_the_page_are_those_of_the_modules() -> None:
    section = SPEC.partition("\n## Constants\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\w.]+) \|$", section, re.M)
    assert len(rows) > 30
    for name, value, module in rows:
        found = getattr(import_module(f"evstore.{module}"), name)
        assert found == int(value.replace(",", "")), name


def test_tables_of_the_page_have_as_many_columns() -> None:
    page = SPEC.partition("### PAGE")[2].partition("### DIRECTORY")[0]
    assert f"a table of {index.PAGE_COLUMNS} columns" in page
    directory = SPEC.partition("### DIRECTORY")[2].partition("## Codec")[0]
    assert f"(a table of {index.PAGE_TABLE_COLUMNS} columns)" in directory
    assert f"a table of {index.RECORDING_COLUMNS} columns with a tail" in directory
    for dtype in side.DTYPES:
        assert dtype.replace("|", r"\|") in SPEC


def literal(name: str) -> str:
    found = re.search(rf"^```{name}\n(.*?)\n```$", SPEC, re.M | re.S)
    assert found is not None
    return found[1]


def test_the_worked_example_is_what_the_code_writes() -> None:
    text = re.sub(r"0000 x (\d+)", lambda m: " ".join(["0000"] * int(m[1])), literal("words"))
    words = [int(word, 16) for word in text.split()]
    events = Events(*EXAMPLE)
    assert encode_chunk(events).tolist() == words == naive.encode(EXAMPLE)
    path = FOLDER / "vectors" / "example-0.1.evs"
    with Shard(path) as shard:
        chunk, info = shard.page(0)[0], shard.find(None)
        assert info.root.hex() == literal("root")
    parts = frame_payload(CHUNK, chunk_head(chunk), encode_chunk(events).tobytes())
    record = path.read_bytes()[chunk.offset : chunk.offset + chunk.size]
    assert b"".join(parts) == record
    start, check = bytes.fromhex(literal("record")), bytes.fromhex(literal("check"))
    assert start + np.array(words, "<u2").tobytes() + check == record
    assert xxhash.xxh3_64_intdigest(record[:-8]).to_bytes(8, "little") == check
    assert naive.leaf_bytes(EXAMPLE) == bytes.fromhex(literal("leaf"))
    assert naive.root(EXAMPLE, {}).hex() == literal("root")
