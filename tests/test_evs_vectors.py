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
import naive_modelled
import naive_modelled_tables
import naive_modelled_writing
from conftest import ROOT
from evstore.codec import model_format
from evstore.codec.chunk import MODELLED, PACKED, decode_chunk, encode_chunk
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
BINS = {  # the escape's row is no bin of the page
    "time_bins": (
        model_format.TIME_BASE[:-1], model_format.TIME_RAW[:-1], naive_modelled_tables.TIME_BINS,
    ),
    "step_bins": (
        model_format.STEP_BASE, model_format.STEP_RAW, naive_modelled_tables.STEP_BINS,
    ),
}  # fmt: skip
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


def as_coded(words: list[int], codec: int, count: int) -> naive.Columns:
    """What the reference reads, and writes again, of a payload.

    What codec 1 writes does not change. The writer of codec 2 is free to choose other forms, and
    only what follows from them does not change.
    """
    if codec == MODELLED:
        columns = naive_modelled.decode(words, count)
        assert naive_modelled_writing.encode(words, columns) == words
    else:
        assert codec == PACKED
        columns = naive.decode(words, count)
        assert naive.encode(columns) == words
        assert encode_chunk(Events(*columns)).tolist() == words
    return columns


@parametrize(VECTORS)
def test_payloads_are_what_the_page_says(path: Path) -> None:
    """The bits of payloads do not change; zstd's, in the index, may, from release to release."""
    data = path.read_bytes()
    parts: dict[str, dict[int, naive.Columns]] = {}
    ids = [said["id"] for said in said_of(path)]
    for raw in records(data):
        if raw.kind == CHUNK:
            info, payload = parse_chunk(parse_record(data, raw.offset))
            words = payload_of(raw)
            assert bytes(payload) == words.tobytes()
            columns = as_coded(words.tolist(), info.codec, info.count)
            assert decode_chunk(words, info.count, info.codec) == Events(*columns)
            parts.setdefault(ids[info.recording], {})[info.first_event] = columns
    for said in said_of(path):
        chunks = [columns for _, columns in sorted(parts.get(said["id"], {}).items())]
        assert columns_of(said) == tuple([v for c in chunks for v in c[k]] for k in range(4))


def payloads(codec: int) -> list[tuple[int, list[int]]]:
    """Events and words of all payloads of a codec."""
    found = []
    for path in VECTORS:
        data = path.read_bytes()
        for raw in records(data):
            if raw.kind == CHUNK:
                info, _ = parse_chunk(parse_record(data, raw.offset))
                if info.codec == codec:
                    found.append((info.count, payload_of(raw).tolist()))
    return found


def test_vectors_show_every_record_and_every_form() -> None:
    kinds = {raw.kind for path in VECTORS for raw in records(path.read_bytes())}
    assert kinds == {*KINDS, b"z"}
    forms = Counter[tuple[str, int]]()
    for count, words in payloads(PACKED):
        for at in range(0, 12 * -(-count // 1024), 12):
            head = words[at : at + 12]
            forms.update({("t", head[4] >> 8), ("x", head[6] >> 8), ("y", head[9] >> 8)})
            forms.update({("p", head[5] >> 14), ("exceptions", bool(head[5] & 0x3FFF))})
    wanted = {("t", k) for k in range(4)} | {("p", k) for k in range(3)}
    wanted |= {("x", 0), ("y", 0), ("y", 1), ("exceptions", True), ("exceptions", False)}
    assert wanted <= set(forms)


def test_vectors_show_every_form_of_codec_2() -> None:
    flags, forms = set(), set()
    for count, words in payloads(MODELLED):
        said = naive_modelled_tables.Payload(words, count)
        flags.add(words[0] & 7)
        forms.update({("p", said.head.how), ("unit", said.head.unit > 1)})
        forms.update({("bands", said.head.bands > 1), ("exceptions", bool(said.exceptions))})
        forms.update(("leaves", tree is not None) for tree in said.trees)
        forms.update(("pair apart", a + b > 16) for t in said.leaves for _, _, a, b in t.classes)
        forms.update(("steps back", v >> 63) for _, v in said.exceptions)
    assert flags == set(range(8))
    assert {("p", how) for how in range(4)} <= forms
    twice = ("unit", "bands", "exceptions", "leaves", "pair apart", "steps back")
    assert {(name, flag) for name in twice for flag in (False, True)} <= forms


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


def test_bins_of_the_page_are_those_of_the_codec() -> None:
    told = {name: [[*map(int, row.split())] for row in literal(name).splitlines()] for name in BINS}
    for name, (bases, raw, reference) in BINS.items():
        assert told[name] == [bases.tolist(), raw.tolist()], name
        assert [*zip(*told[name], strict=True)] == reference, name


def test_the_example_of_codec_2_is_what_it_says() -> None:
    text = re.sub(r"0000 x 5", " ".join(["0000"] * 5), literal("modelled"))
    text = re.sub(r"0000 0001 x 28", " ".join(["0000 0001"] * 28), text)
    words = [int(word, 16) for word in text.split()]
    assert as_coded(words, MODELLED, 4) == EXAMPLE
    assert decode_chunk(np.array(words, np.uint16), 4, MODELLED) == Events(*EXAMPLE)
    said = naive_modelled_tables.Payload(words, 4)
    assert [*said.tokens[0].classes.items()] == [((0, 1, 0), 24), ((1, 1, 0), 22), ((2, 1, 0), 22)]
    assert [*said.tokens[0].slots.values()] == [2047, 1024, 1025]
    assert said.leaves[0].classes == {(0, 0, 3, 0): 26}
    assert said.strings[0][1] is None
    assert said.strings[1][1] is not None
    assert said.strings[1][1].classes == {0: 22}
    assert (said.head.predicted, said.head.sure) == (1, 1 << 0 | 1 << 7 | 1 << 10)
    assert not said.stream


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
