"""Selections as users write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError
from evstore.selection import Selection, parse_polarity, parse_roi, parse_time


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("0", 0), ("12345", 12_345), ("300us", 300), ("20ms", 20_000), ("1.5s", 1_500_000),
        ("2min", 120_000_000), ("1h", 3_600_000_000), ("-20ms", -20_000), (" 7 s ", 7_000_000),
        ("0.000001s", 1), ("1e3", 1000), ("-9223372036854775808", -(1 << 63)),
        ("9223372036854775807", (1 << 63) - 1),
    ],
)  # fmt: skip
def test_times(text: str, us: int) -> None:
    assert parse_time(text) == us


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a number"), ("s", "must be a number"), ("1 d", "must be a number"),
        ("nan", "must be a number"), ("one", "must be a number"), ("1,5s", "must be a number"),
        ("1.5us", "finer"), ("1e-9s", "finer"), ("inf", "64 bits"), ("-infs", "64 bits"),
        ("1e999999", "64 bits"), ("9e999999h", "must be a number"), ("1" * 400, "64 bits"),
    ],
)  # fmt: skip
def test_times_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        parse_time(text)


@given(st.integers(-(10**12), 10**12))
def test_a_time_in_every_unit(t: int) -> None:
    assert parse_time(f"{t}us") == parse_time(str(t)) == t
    assert parse_time(f"{t}ms") == 1000 * t
    assert parse_time(f"{t / 8}s") == 125_000 * t


def test_regions_and_polarities() -> None:
    assert parse_roi("1, 2,30,40") == (1, 2, 30, 40)
    for text in ("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,2,3,4"):
        with pytest.raises(ArgumentError, match="x0,y0,x1,y1"):
            parse_roi(text)
    assert [parse_polarity(text) for text in ("on", "OFF", "both")] == [1, 0, None]
    with pytest.raises(ArgumentError, match="on, off or both"):
        parse_polarity("1")


@pytest.mark.parametrize(
    "said",
    [
        {"start": 2, "stop": 1},
        {"roi": (0, 0, 0, 5)},
        {"roi": (5, 0, 4, 5)},
        {"roi": (-1, 0, 4, 5)},
        {"roi": (0, 7, 4, 5)},
        {"polarity": 2},
        {"polarity": -1},
    ],
)
def test_selections_that_cannot_be(said: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        Selection(**said)


def test_everything_and_absolute() -> None:
    assert Selection().is_everything
    assert Selection(relative=True).is_everything
    assert not Selection(start=0).is_everything
    assert not Selection(polarity=0).is_everything
    some = Selection(5, None, True, (0, 0, 1, 1), 1)
    assert some.absolute(100) == Selection(105, None, False, (0, 0, 1, 1), 1)
    assert Selection(5, 7).absolute(100) == Selection(5, 7)
