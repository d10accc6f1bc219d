"""Events: what columns may be, and what comes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError, MissingDependencyError
from evstore.events import COLUMN_DTYPES, COLUMNS, PACKED_DTYPE, Events
from streams import MAX_T, MIN_T, streams

FEW = Events([5, 3, 9], [1, 2, 3], [4, 5, 6], [1, 0, 1], (34, 34))


def test_columns_of_any_integers() -> None:
    for dtype in ("i1", "u1", ">i2", "<u4", "i8", "u8"):
        made = Events(*(np.array([0, 1], dtype) for _ in COLUMNS))
        assert [getattr(made, name).dtype for name in COLUMNS] == list(COLUMN_DTYPES.values())
        assert made == Events([0, 1], [0, 1], [0, 1], [0, 1])
    assert Events([1], [2], [3], [True]).p.tolist() == [1]
    assert Events([1, 2], [2, 2], [3, 3], np.array([True, False, True])[::2]).p.tolist() == [1, 1]
    assert len(Events([], [], [], [])) == 0


def test_right_arrays_are_kept() -> None:
    columns = [np.zeros(3, COLUMN_DTYPES[name]) for name in COLUMNS]
    made = Events(*columns)
    assert all(np.shares_memory(getattr(made, n), c) for n, c in zip(COLUMNS, columns, strict=True))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (([1], [2], [3], [1, 0]), "equal length"),
        (([[1]], [2], [3], [1]), "one dimension"),
        (([1.5], [2], [3], [1]), "integers"),
        (([1], [65_536], [3], [1]), r"0\.\.65535"),
        (([1], [2], [-1], [1]), r"0\.\.65535"),
        (([1 << 63], [2], [3], [1]), r"'t' must lie"),
        (([1 << 70], [2], [3], [1]), "integers"),
        (([1], [2], [3], [2]), "Map it first"),
        (([1], [2], [3], [-1]), "Map it first"),
        (([1], [2], [3], [1.0]), "0 and 1"),
        ((["a"], [2], [3], [1]), "integers"),
    ],
)
def test_columns_that_cannot_be(columns: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        Events(*columns)


@given(streams(300))
def test_structured_and_back(events: Events) -> None:
    packed = events.to_structured()
    assert packed.dtype == PACKED_DTYPE
    assert Events.from_structured(packed) == events
    other = np.dtype([("p", "?"), ("y", "<i4"), ("pad", "u1"), ("x", ">u2"), ("t", "<i8")])
    assert Events.from_structured(events.to_structured(other)) == events


def test_structured_arrays_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="missing \\['p'\\]"):
        Events.from_structured(np.zeros(1, [("t", "i8"), ("x", "u2"), ("y", "u2")]))
    with pytest.raises(ArgumentError, match="t, x, y, p"):
        FEW.to_structured([("t", "i8")])
    far = Events([1 << 31], [1], [1], [1])
    with pytest.raises(ArgumentError, match=r"'t' must lie"):
        far.to_structured([("t", "<i4"), ("x", "u2"), ("y", "u2"), ("p", "u1")])
    with pytest.raises(ArgumentError, match=r"'x' must lie"):
        Events([1], [300], [1], [1]).to_structured(
            [("t", "i8"), ("x", "u1"), ("y", "u2"), ("p", "u1")]
        )


def test_parts_of_events() -> None:
    assert FEW[1:].t.tolist() == [3, 9]
    assert FEW[::-1].t.tolist() == [9, 3, 5]
    assert FEW[FEW.p == 1].x.tolist() == [1, 3]
    assert FEW[np.array([2, 0])].y.tolist() == [6, 4]
    for index in (-1, 2, np.int64(2), np.uint16(2)):
        assert FEW[index].t.tolist() == [9]
    for index in (3, -4, np.int64(3)):
        with pytest.raises(IndexError):
            FEW[index]
    assert FEW[5:].resolution == (34, 34)
    assert np.shares_memory(FEW[1:].t, FEW.t)


def test_concatenate() -> None:
    assert Events.concatenate([FEW[:1], FEW[1:1], FEW[1:]]) == FEW
    assert Events.concatenate(iter([FEW])).resolution == (34, 34)
    assert len(Events.concatenate([])) == 0


def test_equality_and_words() -> None:
    assert Events(FEW.t, FEW.x, FEW.y, FEW.p) == FEW
    assert FEW[:2] != FEW
    assert FEW != "events"
    assert repr(FEW) == "Events(3 events, t 5..9 us, resolution=(34, 34))"
    assert repr(Events.empty()) == "Events(0 events, resolution=None)"
    with pytest.raises(TypeError):
        hash(FEW)


@given(st.integers(MIN_T, MAX_T), st.integers(0, 65_535))
def test_every_value_survives(t: int, x: int) -> None:
    made = Events([t], [x], [x], [1])
    assert (made.t.tolist(), made.x.tolist()) == ([t], [x])


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, extra, convert in (
        ("torch", "train", FEW.to_torch),
        ("pyarrow", "arrow", FEW.to_arrow),
    ):
        monkeypatch.setitem(__import__("sys").modules, package, None)
        with pytest.raises(MissingDependencyError, match=rf"pip install 'evstore\[{extra}\]'"):
            convert()
