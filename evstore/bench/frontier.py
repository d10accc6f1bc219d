"""Who is both smaller and faster than whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]


class Beaten(NamedTuple):
    """A peer that is both smaller and faster than some of ours."""

    peer: str
    bits: float
    speed: float  # ratio, see `speed`
    over: list[str]


def speed(row: Row, key: str = "decode") -> float:
    """How fast it is as a ratio against a reference that was timed beside it.

    So the pace of the machine, which changes from process to process, counts for nothing. The
    reference is pcodec in memory, or packed records where pcodec is not installed. ``key`` may
    be "first": the first read of a process.
    """
    found = row[key] if key != "first" else {k.removeprefix("first_"): v for k, v in row.items()}
    ratio: float = found["times_pcodec"] if "times_pcodec" in found else found["times_records"]
    return ratio


def beaten(rows: Iterable[Row], key: str = "decode") -> list[Beaten]:
    """The peers of one recording, right in every event, that are smaller and faster than ours."""
    right = [row for row in rows if row["status"] == "ok"]
    ours = [row for row in right if row["ours"]]
    found = []
    for row in right:
        over = [one["name"] for one in ours if not row["ours"] and _both(row, one, key)]
        if over:
            found.append(Beaten(row["name"], row["bits"], speed(row, key), over))
    return found


def _both(row: Row, one: Row, key: str) -> bool:
    return row["bits"] < one["bits"] and speed(row, key) > speed(one, key)


def edge(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which (size, speed) no other is both smaller and faster than, from the smallest on.

    >>> edge([(10, 1), (20, 5), (15, 0.5), (30, 4)])
    [0, 1]
    """
    found: list[int] = []
    for place in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not found or points[place][1] > points[found[-1]][1]:
            found.append(place)
    return found
