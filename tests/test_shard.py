"""Shards: bytes, roots and versions are as formats/evs/SPEC.md says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from evstore.errors import CorruptError, UnsupportedError
from evstore.events import Events
from evstore.shard import index_records, layout
from evstore.shard.chunk_kernels import find_payloads
from evstore.shard.layout import Cursor, footer_bytes, frame, header_bytes, put_signed, put_varint
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from evstore.shard.writer import ShardWriter
from shards import camera, payload_of, read_events, read_whole, records, small_shard
from streams import MAX_T, MIN_T, streams


def xxh3(data: bytes) -> int:
    return xxhash.xxh3_64_intdigest(data)


def columns_of(events: Events) -> naive.Columns:
    return events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist()


def save(path: Path, events: Events, **options: Any) -> None:
    with ShardWriter(path, flush_s=None, **options) as shard, shard.recording("") as out:
        out.write(events)


# --------------------------------------------------------------------------------- layout


def test_the_file_lies_as_the_spec_says(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    whole = small_shard(path)
    data = path.read_bytes()
    assert data[:12] == b"\x89EVS\r\n\x1a\n\x00\x01\x00\x00"
    assert data[12:16] == xxh3(data[:12]).to_bytes(8, "little")[:4]
    found = list(records(data))
    assert b"".join(r.kind for r in found) == b"BBCCSCSCECEPD"
    end = found[-1].offset + found[-1].size
    assert end == len(data) - 40
    footer = data[end:]
    assert footer[:8] == found[-1].offset.to_bytes(8, "little")
    assert footer[8:16] == found[-1].size.to_bytes(8, "little")
    assert footer[16:24] == b"\x00\x01\x00\x00\x00\x00\x00\x00"
    assert footer[24:32] == xxh3(footer[:24]).to_bytes(8, "little")
    assert footer[32:] == b"\n\x1a\r\nSVE\x89"
    parts: dict[int, list[naive.Columns]] = {0: [], 1: []}
    for raw in found:
        if raw.kind == b"C":
            number, at = naive.read_varint(raw.body, 1)
            _, at = naive.read_varint(raw.body, at)
            _, at = naive.read_varint(raw.body, at)
            count, at = naive.read_varint(raw.body, at)
            parts[number].append(naive.decode(payload_of(raw).tolist(), count))
    for number, id in enumerate(("first", "second")):
        joined = tuple([v for part in parts[number] for v in part[k]] for k in range(4))
        assert joined == columns_of(whole[id].events)


def test_framing_is_the_reference_s() -> None:
    for size in [*range(140), 16_380, 16_381, 16_382, 16_383, 16_384, 16_385]:
        body = bytes(k & 0xFF for k in range(size))
        for kind in (layout.BEGIN, layout.CHUNK, layout.PAGE):
            made = frame(kind, body)
            assert made == naive.record(kind, body, b"", xxh3)
            assert len(made) % 2 == 0
            parsed = layout.parse_record(made, 0)
            assert bytes(parsed.body)[:size] == body
            parts = layout.frame_payload(layout.CHUNK, body, bytes(10))
            assert b"".join(parts) == naive.record(layout.CHUNK, body, bytes(10), xxh3)


def test_payloads_are_found_whatever_the_lengths() -> None:
    """Around 128 and 16,384 bytes the length grows by a byte, and the payload's place moves."""
    octets = bytes(range(256)) * 64
    for size in (*range(20, 200), *range(16_300, 16_400)):
        for fields in range(15, 60):
            if size <= fields:
                continue
            head = bytes([fields]) + bytes(fields)
            payload = octets[: (size - fields) & -2]
            record = b"".join(layout.frame_payload(layout.CHUNK, head, payload))
            piece = np.array([0, len(record)])
            assert find_payloads(np.frombuffer(record, np.uint8).copy(), piece, 2) == -1
            assert record[2 * piece[0] : 2 * piece[1]] == payload


@given(st.integers(0, 2**64 - 1), st.integers(MIN_T, MAX_T))
def test_varints_are_the_reference_s(unsigned: int, signed: int) -> None:
    out = bytearray()
    put_varint(out, unsigned)
    put_signed(out, signed)
    assert bytes(out) == naive.varint(unsigned) + naive.signed_varint(signed)
    cursor = Cursor(bytes(out))
    assert (cursor.varint(""), cursor.signed("")) == (unsigned, signed)


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01"])
def test_varints_that_cannot_be(raw: bytes) -> None:
    with pytest.raises(CorruptError):
        Cursor(raw).varint("field")


@given(streams(1500), st.integers(1, 2000))
@settings(max_examples=40)
def test_whatever_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, preset: str, events: Events, chunk_events: int
) -> None:
    path = tmp_path_factory.mktemp("s") / "a.evs"
    save(path, events, preset=preset, chunk_events=chunk_events)
    assert read_events(path) == events
    assert verify_shard(path).events == len(events)
    with Shard(path) as shard:
        assert shard.recordings[0].root == naive.root(columns_of(events), {})


# ----------------------------------------------------------------------------------- root


@pytest.mark.parametrize("n", [0, 1, 65_535, 65_536, 65_537, 140_000])
def test_root_is_the_reference_s_whatever_the_chunks_and_batches(
    tmp_path: Path, n: int, seed: int
) -> None:
    events = camera(n, seed, "jitter")
    roots = []
    ways = [
        (16_384, n or 1, False),
        (1000, 30_001, True),
        (65_536, 70_000, True),
        (999, 7777, False),
    ]
    for k, (chunk_events, batch, background) in enumerate(ways):
        path = tmp_path / f"{k}.evs"
        with (
            ThreadPoolExecutor(1) as pool,
            ShardWriter(
                path, chunk_events=chunk_events, pool=pool if background else None, flush_s=None
            ) as shard,
            shard.recording("r") as out,
        ):
            for start in range(0, n, batch):
                out.write(events[start : start + batch])
                if background:
                    out.flush()
        assert read_events(path) == events
        with Shard(path) as shard:
            roots.append(shard.find("r").root)
    assert set(roots) == {naive.root(columns_of(events), {})}


def test_root_covers_labels_side_streams_and_the_source_header(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    events = camera(50)
    with ShardWriter(path, flush_s=None) as shard:
        metadata = {"source": {"header": "% evt 3.0\n% end\n"}}
        with shard.recording("r", label=[1, "é"], metadata=metadata) as out:
            out.write(events)
            out.trigger([1, -2], [3, 4], [1, 0])
            out.label([7], [0], [10])
            out.trigger(5)
    sides = {
        "triggers": {"t": ("<i8", [1, -2, 5]), "id": ("|u1", [3, 4, 0]), "p": ("|u1", [1, 0, 1])},
        "labels": {"t_start": ("<i8", [0]), "t_stop": ("<i8", [10]), "class_id": ("<i8", [7])},
    }
    with Shard(path) as opened:
        info = opened.find(None)
        header = metadata["source"]["header"]
        assert info.root == naive.root(columns_of(events), sides, [1, "é"], header)
    verify_shard(path)


# ------------------------------------------------------------------------------- structure


def test_structure_is_at_most_64_bytes_a_recording(tmp_path: Path) -> None:
    """1,000 recordings of 4,000 events. Structure is every byte but these:

    payloads; in BEGIN the id; in END the root and the label's JSON; in the directory what
    ids, roots and labels add to it (the same directory without them is what is counted).
    """
    path = tmp_path / "a.evs"
    with ShardWriter(path, flush_s=None) as shard:
        for k in range(1000):
            events = camera(4000, k, resolution=(34, 34))
            with shard.recording(
                f"train/{k % 10}/{k:05}", resolution=(34, 34), label=k % 10
            ) as out:
                out.write(events)
    data = path.read_bytes()
    structure = len(data)
    for raw in records(data):
        if raw.kind == b"C":
            structure -= 2 * len(payload_of(raw))
        elif raw.kind == b"B":
            structure -= len("train/0/00000")
        elif raw.kind == b"E":
            structure -= 32 + len('{"label":0}')
        elif raw.kind == b"D":
            structure -= raw.size
    with Shard(path) as opened:
        for info in opened.recordings:
            info.id, info.root, info.said = "", b"", {}
        structure += len(index_records.directory_record(opened.recordings, opened.pages))
    assert structure / 1000 <= 64, structure / 1000


# ------------------------------------------------------------------------------- evolution


def edited(path: Path, more: bytes) -> bytes:
    """The file with a record put before its directory."""
    data = path.read_bytes()
    *_, directory = records(data)
    at = directory.offset + len(more)
    body = data[directory.offset : directory.offset + directory.size]
    return data[: directory.offset] + more + body + footer_bytes(at, len(body))


def test_optional_records_of_the_future_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    whole = small_shard(path)
    path.write_bytes(edited(path, frame(b"x", b"what nobody knows yet")))
    assert read_whole(path) == whole
    verify_shard(path)


def test_records_that_may_not_be_skipped_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    small_shard(path)
    path.write_bytes(edited(path, frame(b"X", b"what one must know")))
    with pytest.raises(UnsupportedError, match="record of kind 'X'"):
        Shard(path)


def test_a_newer_major_version_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.evs"
    with monkeypatch.context() as patch:
        patch.setattr(layout, "MAJOR", 2)
        newer = header_bytes() + footer_bytes(16, 0)
    path.write_bytes(newer)
    with pytest.raises(UnsupportedError, match=r"version 2\.1; this evstore reads version 0\.x"):
        Shard(path)


def test_a_newer_minor_version_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.evs"
    with monkeypatch.context() as patch:
        patch.setattr(layout, "MINOR", 9)
        whole = small_shard(path)
    assert path.read_bytes()[9] == 9
    assert read_whole(path) == whole
