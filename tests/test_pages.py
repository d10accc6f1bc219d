"""Pages of the index: those used last are kept, over all shards that share the room."""

from __future__ import annotations

from pathlib import Path

import pytest

import evstore
from evstore.errors import CorruptError
from evstore.shard.index import RecordingInfo, Unparsed
from evstore.shard.pages import KeptPages
from evstore.shard.shard import Shard
from evstore.shard.writer import ShardWriter


def test_the_last_used_are_kept() -> None:
    kept, loaded = KeptPages(2), []
    one, other = object(), object()

    def ask(of: object, number: int) -> None:
        assert kept.page(of, number, lambda: loaded.append((of, number)) or []) == []

    for of, number in ((one, 0), (other, 0), (one, 0), (one, 1), (one, 0), (other, 0)):
        ask(of, number)
    assert loaded == [(one, 0), (other, 0), (one, 1), (other, 0)]


def test_shards_share_the_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        with ShardWriter(tmp_path / name, flush_s=None) as shard:
            with shard.recording("r") as out:
                out.write(evstore.Events([1], [2], [3], [1]))
            shard.close()
    loads = []
    load = Shard._load
    monkeypatch.setattr(Shard, "_load", lambda self, page: loads.append(self) or load(self, page))
    kept = KeptPages(1)
    with Shard(tmp_path / "a", kept) as a, Shard(tmp_path / "b", kept) as b:
        for shard in (a, a, b, b, a):
            assert len(shard.page(0)) == 1
        assert loads == [a, b, a]


def test_metadata_that_cannot_be_say_in_which_file() -> None:
    info = RecordingInfo(0, "r", None, 0, 0, b"", said=Unparsed(b"[1]", 70, "some.evs"))
    with pytest.raises(CorruptError, match=r"some\.evs.*metadata is not a JSON"):
        _ = info.metadata
    info = RecordingInfo(0, "r", None, 0, 0, b"", said=Unparsed(b'{"a":1}', 70, "some.evs"))
    assert info.metadata == {"a": 1} == info.said
