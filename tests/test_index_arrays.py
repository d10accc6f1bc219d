"""Pages of the index read with numpy and without: the same chunks, the same refusals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.events import Events
from evstore.shard import index, index_arrays
from evstore.shard.chunks import COLUMN, ChunkInfo
from evstore.shard.index_arrays import PageRows
from evstore.shard.index_records import page_info, page_record
from evstore.shard.layout import parse_record
from evstore.shard.reader import RecordingReader
from evstore.shard.shard import FEW, Shard
from evstore.shard.writer import ShardWriter
from shards import small_shard
from streams import MAX_T, MIN_T

SIZE = 1 << 40
AWKWARD = [0, 1, -1, 2, 1 << 20, 1 << 21, 1 << 48, (1 << 48) + 1, 1 << 62, MAX_T, MIN_T]


def rows_of(n: int, seed: int) -> NDArray[np.int64]:
    """Chunks as a writer makes them."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 60_000, (n, len(COLUMN)))
    rows[:, COLUMN["ordered"]] &= 1
    rows[:, COLUMN["recording"]] = np.sort(rng.integers(0, 9, n))
    rows[:, COLUMN["count"]] = rng.integers(1, 16_385, n)
    rows[:, COLUMN["size"]] = 2 * rng.integers(1000, 30_000, n)
    rows[:, COLUMN["offset"]] = 1000 + 2 * rng.integers(0, 9, n)
    for start, length in (("first_event", "count"), ("offset", "size")):
        rows[1:, COLUMN[start]] += np.cumsum(rows[:-1, COLUMN[length]])
    rows[:, COLUMN["t_first"] : COLUMN["x0"]] = np.sort(rng.integers(MIN_T, MAX_T, (n, 4)))
    return rows


def both(rows: NDArray[np.int64], said: NDArray[np.int64]) -> list[ChunkInfo] | None:
    """What both give of a page of ``rows`` that the directory says has ``said``."""
    data = page_record(rows)
    page, record = page_info(1000, len(data), 0, said), parse_record(data, 0)
    found: list[list[ChunkInfo] | None] = []
    for read in (index.read_page, index_arrays.read_page):
        try:
            found.append(list(read(record, page, SIZE)))
        except CorruptError:
            found.append(None)
    assert found[0] == found[1]
    if found[0] is not None and found[1] is not None:
        types = [[type(value) for value in chunk] for chunk in found[0]]
        assert types == [[type(value) for value in chunk] for chunk in found[1]]
    return found[0]


@given(st.integers(1, 300), st.integers(0, 1 << 32))
@settings(max_examples=50)
def test_what_a_writer_makes(n: int, seed: int) -> None:
    rows = rows_of(n, seed)
    assert both(rows, rows) == [tuple(row) for row in rows.tolist()]


@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 15), st.sampled_from(AWKWARD)), max_size=4
    ),
    st.booleans(),
)
@settings(max_examples=600)
def test_what_cannot_be(n: int, changes: list[tuple[int, int, int]], told: bool) -> None:
    rows = rows_of(n, n)
    said = rows.copy()
    for row, column, value in changes:
        rows[row % n, column] = value
    both(rows, rows if told else said)


def test_without_numpy_the_plain_way_is_taken(tmp_path: Path) -> None:
    small_shard(tmp_path / "a.evs")
    code = (
        "import sys\n"
        "from evstore.shard.shard import Shard\n"
        "with Shard(sys.argv[1]) as shard:\n"
        "    print([tuple(chunk) for chunk in shard.page(0)])\n"
        "assert 'numpy' not in sys.modules\n"
    )
    told = [sys.executable, "-c", code, str(tmp_path / "a.evs")]
    plain = subprocess.run(told, capture_output=True, text=True, check=True).stdout
    told[2] = "import numpy\n" + code.replace("assert 'numpy' not", "assert 'numpy'")
    assert subprocess.run(told, capture_output=True, text=True, check=True).stdout == plain


def test_a_window_of_a_long_recording_takes_a_few_rows_of_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, n = tmp_path / "a.evs", 100 * 1024
    t = np.arange(n)
    with (
        ShardWriter(path, preset="fast", chunk_events=1024) as writer,
        writer.recording("a", resolution=(64, 48)) as out,
    ):
        out.write(Events(t, t % 64, t % 48, t % 2, (64, 48)))
    with Shard(path) as shard:
        assert len(list(shard.chunks(shard.recordings[0]))) == n // 1024 > FEW
        taken: list[int] = []
        whole = PageRows.__iter__

        def counted(rows: PageRows) -> Iterator[ChunkInfo]:
            taken.append(len(rows))
            return whole(rows)

        monkeypatch.setattr(PageRows, "__iter__", counted)
        for start in (0, 30_000, n - 100):  # a reader each, as a dataset has one each
            reader = RecordingReader(shard, shard.recordings[0])
            assert reader.between(start, start + 50).t.tolist() == [*range(start, start + 50)]
            assert reader.read(start, start + 50)["t"].tolist() == [*range(start, start + 50)]
        assert sum(taken) < 30
