"""Times that count from the first event: exact, or an error that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evstore
from evstore.datasets.dataset import Dataset
from evstore.datasets.relative import count_from
from evstore.errors import ArgumentError
from evstore.shard.writer import ShardWriter

LEAST, MOST = -(1 << 63), (1 << 63) - 1
TIMES = st.integers(LEAST, MOST) | st.sampled_from([LEAST, MOST, -1, 0, 1])


@given(TIMES, st.lists(TIMES, max_size=5), st.booleans())
def test_exact_or_an_error(first: int, times: list[int], in_place: bool) -> None:
    t = np.array(times, np.int64)
    wanted = [value - first for value in times]
    if all(LEAST <= value <= MOST for value in wanted):
        found = count_from(first, t, t if in_place else None)
        assert found.tolist() == wanted
        assert (found is t) == in_place
    else:
        with pytest.raises(ArgumentError, match=r"more than 64 bits hold.*relative=False"):
            count_from(first, t, t if in_place else None)
    if not in_place or any(not LEAST <= value <= MOST for value in wanted):
        assert t.tolist() == times


def labelled(folder: Path, t0: int, t: int) -> Path:
    path = folder / "far.evs"
    with ShardWriter(path, flush_s=None) as shard:
        with shard.recording("far", resolution=(2, 2)) as out:
            out.write(evstore.Events([t0, t0 + 1], [0, 1], [0, 1], [0, 1]))
            out.label([0], [t], [t])
            place = {name: np.ones(1, "<f4") for name in "xywh"}
            out.append_rows("boxes", {"t": np.array([t]), **place, "class_id": np.array([0])})
        shard.close()
    return path


def test_labels_at_the_ends_of_time(tmp_path: Path) -> None:
    for name, t0, t, wanted in (
        ("near", -5, MOST - 5, MOST), ("far", -5, MOST - 4, None), ("past", 5, LEAST, None),
        ("first", LEAST, 0, None), ("even", LEAST, -1, MOST),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        path = labelled(tmp_path / name, t0, t)
        for target in ("boxes", "intervals"):
            dataset = Dataset(path, output="events", relative=True, target=target)
            if wanted is None:
                with pytest.raises(ArgumentError, match="relative=False"):
                    dataset[0]
            else:
                found = dataset[0][1]
                assert (found.t if target == "boxes" else found.t_start).tolist() == [wanted]
            own = Dataset(path, output="events", target=target)[0][1]
            assert (own.t if target == "boxes" else own.t_stop).tolist() == [t]
