"""Damaged shards: flipped or cut. Never another event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evstore.errors import EvstoreError, TruncatedError
from evstore.events import Events
from evstore.shard.layout import parse_record
from evstore.shard.recover import recover_shard
from evstore.shard.shard import Shard
from evstore.shard.verify import verify_shard
from shards import (
    MemorySource,
    Raw,
    everything,
    read_events,
    records,
    small_shard,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, preset: str) -> bytes:
    path = tmp_path_factory.mktemp("small") / "a.evs"
    small_shard(path, preset)
    data = path.read_bytes()
    assert len(data) < 3500
    return data


def flipped(data: bytes, bit: int) -> bytes:
    copy = bytearray(data)
    copy[bit // 8] ^= 1 << bit % 8
    return bytes(copy)


# ------------------------------------------------------------------------ flipped and cut


def test_every_flipped_bit_is_an_error(small: bytes) -> None:
    for bit in range(8 * len(small)):
        with pytest.raises(EvstoreError):
            everything(flipped(small, bit))


def test_a_flipped_bit_of_a_file_too_long_to_check_whole_changes_no_event(
    small: bytes, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Where only the tail is read, what is not asked for is not checked; `verify` checks it."""
    monkeypatch.setattr("evstore.shard.shard.TAIL", 60)
    whole = everything(small)
    rng = np.random.default_rng(seed)
    spared = set()
    for byte in range(len(small)):
        bit = 8 * byte + int(rng.integers(8))
        try:
            assert everything(flipped(small, bit)) == whole, bit
        except EvstoreError:
            continue
        spared.add(byte)
    unread = set(range(16))
    for raw in records(small):
        if raw.kind in (b"B", b"E"):
            unread |= set(range(raw.offset, raw.offset + raw.size))
    assert spared == unread  # of the header, BEGIN and END the directory has a copy


def test_a_file_cut_anywhere_says_how_many_events_are_safe(small: bytes) -> None:
    chunks = [(r.offset + r.size, count_of(r, small)) for r in records(small) if r.kind == b"C"]
    for length in range(len(small)):
        safe = sum(count for end, count in chunks if end <= length)
        with pytest.raises(TruncatedError) as caught:
            Shard(MemorySource(small[:length]))
        assert caught.value.safe_events == safe, length


def count_of(raw: Raw, data: bytes) -> int:
    from evstore.shard.chunks import parse_chunk

    return parse_chunk(parse_record(data, raw.offset))[0].count


def test_a_file_cut_anywhere_is_recovered(small: bytes, tmp_path: Path, seed: int) -> None:
    """At every record's start and end and one byte to either side, and at random places."""
    whole = everything(small)
    found = list(records(small))
    cuts = {r.offset + off for r in found for off in (-1, 0, 1)} - set(range(16))
    cuts |= set(np.random.default_rng(seed).integers(16, len(small), 20).tolist())
    for cut in sorted(cuts):
        path = tmp_path / "cut.evs"
        path.write_bytes(small[:cut])
        report = recover_shard(path, tmp_path / "out.evs", overwrite=True)
        assert report.complete is (cut >= found[-1].offset + found[-1].size)  # only the footer
        safe = sum(count_of(r, small) for r in found if r.kind == b"C" and r.offset + r.size <= cut)
        assert report.events == safe
        verify_shard(tmp_path / "out.evs")
        given = everything((tmp_path / "out.evs").read_bytes())
        for id in ("first", "second"):
            for name, column in given.get(id, {}).items():
                assert column == whole[id][name][: len(column)], (cut, id)
        assert sum(len(given[id]["t"]) for id in ("first", "second") if id in given) == safe


def test_a_damaged_record_costs_only_itself(small: bytes, tmp_path: Path) -> None:
    """Each record destroyed in turn: all other chunks come back, in their recording and order."""
    whole = everything(small)
    found = list(records(small))
    for raw in found:
        path, out = tmp_path / "bad.evs", tmp_path / "out.evs"
        body = raw.body_at + len(raw.body) // 2
        path.write_bytes(flipped(small, 8 * body))
        report = recover_shard(path, out, overwrite=True)
        assert not report.complete
        verify_shard(out)
        lost = count_of(raw, small) if raw.kind == b"C" else 0
        assert report.events == 200 - lost, raw
        given = everything(out.read_bytes())
        if raw.kind != b"B":
            for id in ("first", "second"):
                missing = [t for t in whole[id]["t"] if t not in set(given[id]["t"])]
                assert len(missing) <= lost
                assert len(given[id]["t"]) in (len(whole[id]["t"]), len(whole[id]["t"]) - lost)


def test_an_empty_file_and_one_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    for content, words in [
        (b"", "ends"),
        (b"t,x,y,p\n1,2,3,1\n" * 9, "is not an evstore shard"),
        (bytes(5000), "is not an evstore shard"),
    ]:
        path.write_bytes(content)
        with pytest.raises(EvstoreError, match=words):
            read_events(path)
    with pytest.raises(EvstoreError, match="is a folder"):
        Shard(tmp_path)
    assert Events.empty() == Events([], [], [], [])
