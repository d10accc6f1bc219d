"""Shards that lie under checksums that fit: in bounds, in bounded memory, to an end."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from evstore.errors import EvstoreError
from evstore.shard import index, index_records, layout
from evstore.shard.layout import CHECK_SIZE
from evstore.shard.recover import recover_shard
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from shards import (
    MemorySource,
    Raw,
    everything,
    records,
    refooted,
    small_shard,
)

MOST_MEMORY = 64 << 20


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "a.evs"
    small_shard(path)
    data = path.read_bytes()
    assert len(data) < 3500
    return data


@pytest.fixture(scope="module")
def either(tmp_path_factory: pytest.TempPathFactory, preset: str) -> bytes:
    """As small, in each preset: for what lies in records of chunks."""
    path = tmp_path_factory.mktemp("small") / "a.evs"
    small_shard(path, preset)
    data = path.read_bytes()
    everything(data)  # kernels compile before memory is counted
    return data


# --------------------------------------------------------------- forged: checksums that fit


def check(kind: bytes, framed: bytes) -> bytes:
    return xxhash.xxh3_64_intdigest(framed).to_bytes(8, "little")[: CHECK_SIZE.get(kind, 8)]


def rechecked(data: bytes, raw: Raw, body: bytes) -> bytes:
    """The file with a record's body replaced by one as long, and its check made to fit."""
    assert len(body) == len(raw.body)
    framed = data[raw.offset : raw.body_at] + body
    record = framed + check(raw.kind, framed)
    return data[: raw.offset] + record + data[raw.offset + raw.size :]


def expect_error_or_events(data: bytes) -> bool:
    """Ends, in bounded memory, with an EvstoreError (False) or with events (True)."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        everything(data)
        good = True
    except EvstoreError:
        good = False
    peak = tracemalloc.get_traced_memory()[1] - before
    assert peak < MOST_MEMORY, peak
    return good


@pytest.fixture
def traced(small: bytes) -> Iterator[None]:
    everything(small)  # kernels compile before memory is counted
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_random_bodies_under_valid_checksums(either: bytes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for raw in records(either):
        for _ in range(40):
            body = bytearray(raw.body)
            kind = rng.random()
            if kind < 0.3:
                body = bytearray(rng.bytes(len(body)))
            else:
                for _ in range(int(rng.integers(1, 4))):
                    # The fields stand in front: half of the changes go there.
                    near = min(24, len(body)) if rng.random() < 0.5 else len(body)
                    body[rng.integers(near)] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
            expect_error_or_events(rechecked(either, raw, bytes(body)))


@pytest.mark.usefixtures("traced")
def test_random_payloads_under_valid_checksums(either: bytes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for raw in records(either):
        if raw.kind == b"C":
            start = len(raw.body) - 2 * ((len(raw.body) - 1 - raw.body[0]) // 2)
            for _ in range(60):
                body = bytearray(raw.body)
                body[start:] = rng.bytes(len(body) - start)
                assert not expect_error_or_events(rechecked(either, raw, bytes(body)))


AWKWARD = (0, 1, 2, -1, 63, 64, 100, 1023, 1 << 16, 1 << 20, 1 << 31, 1 << 40, 1 << 62, -(1 << 63))


def forged(
    small: bytes,
    chunk: Callable[[list[Any]], list[Any]] = list,
    page: Callable[[list[Any]], list[Any]] = list,
    recording: Callable[[list[Any]], list[Any]] = list,
) -> bytes:
    """The shard with another index page and directory, right but for what they say."""
    with Shard(MemorySource(small)) as shard:
        chunks, pages, recordings = shard.page(0), shard.pages, shard.recordings
    at = pages[0].offset
    try:
        page_bytes = index_records.page_record(chunk(chunks))
    except (ValueError, IndexError):  # an index of nothing
        page_bytes = index_records.page_record(chunks)
    new = pages[0]._replace(size=len(page_bytes), n_chunks=len(chunk(chunks)))
    directory = index_records.directory_record(recording(recordings), page([new]))
    return refooted(small[:at] + page_bytes, directory, at + len(page_bytes))


def changed(fields: dict[int, dict[str, int]]) -> Callable[[list[Any]], list[Any]]:
    """Replaces fields of the rows named."""

    def change(rows: list[Any]) -> list[Any]:
        rows = list(rows)
        for row, values in fields.items():
            old = rows[row]
            rows[row] = (
                old._replace(**values) if hasattr(old, "_replace") else replace(old, **values)
            )
        return rows

    return change


def test_the_forge_makes_what_can_be_read(small: bytes) -> None:
    assert everything(forged(small)) == everything(small)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("field", index.ChunkInfo._fields)
def test_any_field_of_an_index_page(small: bytes, field: str) -> None:
    for row in (0, 2):
        for value in (*AWKWARD, len(small), len(small) - 8):
            expect_error_or_events(forged(small, chunk=changed({row: {field: value}})))


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("field", index.PageInfo._fields)
def test_any_field_of_a_page_s_place(small: bytes, field: str) -> None:
    for value in (*AWKWARD, len(small)):
        expect_error_or_events(forged(small, page=changed({0: {field: value}})))


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    "field", ["number", "n_events", "n_chunks", "part", "first_event", "page", "entry"]
)
def test_any_field_of_the_directory(small: bytes, field: str) -> None:
    for row in (0, 1):
        for value in AWKWARD:
            expect_error_or_events(forged(small, recording=changed({row: {field: value}})))


@pytest.mark.usefixtures("traced")
def test_several_fields_at_once(small: bytes, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def some(names: Any) -> dict[str, int]:
        return {str(rng.choice(names)): int(rng.choice(AWKWARD)) for _ in range(2)}

    for _ in range(150):
        chunk = changed({int(rng.integers(4)): some(index.ChunkInfo._fields)})
        numbers = ["n_events", "n_chunks", "first_event", "entry"]
        recording = changed({int(rng.integers(2)): some(numbers)})
        expect_error_or_events(forged(small, chunk=chunk, recording=recording))


@pytest.mark.usefixtures("traced")
def test_an_index_that_repeats_a_chunk_asks_for_no_memory(small: bytes) -> None:
    many = 4000

    def repeat(chunks: list[Any]) -> list[Any]:
        return [chunks[0]._replace(first_event=k * chunks[0].count) for k in range(many)]

    with Shard(MemorySource(small)) as shard:
        number, count = shard.page(0)[0].recording, shard.page(0)[0].count
        row = [info.number for info in shard.recordings].index(number)
    said = {"n_chunks": many, "n_events": many * count, "entry": 0}
    data = forged(small, chunk=repeat, recording=changed({row: said}))
    assert not expect_error_or_events(data)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    "side",
    [
        {"triggers": 5},
        {"triggers": [5]},
        {"triggers": [[16, 1 << 40, 1]]},
        {"triggers": [[-5, 100, 1]]},
        {"triggers": [[1 << 62, 100, 1]]},
        {"triggers": [["a", "b", "c"]]},
        {"triggers": [[16.5, 100, 1]]},
        {"triggers": [[16, 100]]},
        {"triggers": [[16, 100, 1]] * 1000},
        {"triggers": [[True, 100, 1]]},
    ],
)
def test_places_of_side_streams(small: bytes, side: Any) -> None:
    data = forged(small, recording=changed({0: {"side": side}}))
    assert not expect_error_or_events(data)


@pytest.mark.usefixtures("traced")
def test_a_page_that_decompresses_to_more_than_it_should(small: bytes) -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(200 << 20))
    *_, page, directory = records(small)
    for raw in (page, directory):
        rest = raw.body[: 12 if raw.kind == b"D" else 1]
        record = layout.frame(raw.kind, rest + bomb)
        if raw.kind == b"D":
            data = refooted(small, record, raw.offset)
        else:
            place = {0: {"size": len(record)}}
            start = small[: raw.offset] + record
            with Shard(MemorySource(small)) as shard:
                pages = changed(place)(list(shard.pages))
                made = index_records.directory_record(shard.recordings, pages)
            data = refooted(start, made, len(start))
        assert not expect_error_or_events(data)


def test_forged_records_under_verify_and_recover(either: bytes, tmp_path: Path, seed: int) -> None:
    """What `verify` lets pass (padding, say) reads the same; what `recover` writes is proved."""
    whole = everything(either)
    rng = np.random.default_rng(seed)
    path, out = tmp_path / "a.evs", tmp_path / "out.evs"
    for raw in records(either):
        for _ in range(12):
            body = bytearray(raw.body)
            for _ in range(int(rng.integers(1, 4))):
                body[rng.integers(min(30, len(body)))] = rng.integers(256)
            if bytes(body) == raw.body:
                continue
            path.write_bytes(rechecked(either, raw, bytes(body)))
            try:
                verify_shard(path)
                assert everything(path.read_bytes()) == whole
            except EvstoreError:
                pass
            try:
                recover_shard(path, out, overwrite=True)
            except EvstoreError:
                continue
            verify_shard(out)
