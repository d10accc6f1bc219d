"""What the rows of `bench codecs` come to: medians, sensors, who is beaten by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from evstore.bench.frontier import Beaten, beaten

Data = Mapping[str, Any]
Row = Mapping[str, Any]

#: Sensors that one panel of the chart holds.
SENSOR_FAMILIES = {
    "Gen3": "Gen3, VGA",
    "Gen3.1": "Gen3, VGA",
    "EVK": "Gen3, VGA",
    "Gen4.1": "Gen4 and IMX636, HD",
    "IMX636": "Gen4 and IMX636, HD",
    "HD": "Gen4 and IMX636, HD",
    "ATIS": "ATIS",
    "DAVIS240C": "DAVIS and DVS128",
    "DVS128": "DAVIS and DVS128",
    "DVXplorer": "DVXplorer",
}


def sensor_family(data: Data, recording: str) -> str:
    sensor: str = data["recordings"][recording]["sensor"]
    return SENSOR_FAMILIES.get(sensor, sensor)


def names(data: Data) -> list[str]:
    """Contenders in the order of their first rows."""
    return list(dict.fromkeys(row["name"] for row in data["rows"]))


def rows_of(data: Data, name: str) -> list[Row]:
    return [row for row in data["rows"] if row["name"] == name]


def rows_on(data: Data, recording: str) -> list[Row]:
    return [row for row in data["rows"] if row["recording"] == recording]


def speed(row: Row, key: str = "decode") -> float | None:
    """Million events a second, None where that was not measured."""
    seconds = row.get("first_s") if key == "first" else row.get(key, {}).get("median_s")
    return None if seconds is None else float(row["timed_events"] / seconds / 1e6)


def ratio(row: Row, key: str = "decode") -> float | None:
    """Times as fast as pcodec in memory."""
    found: float | None = row.get(key, {}).get("times_pcodec")
    return found


def window(row: Row, length: str, which: str = "median_s") -> float | None:
    """Seconds of a window."""
    found: float | None = row.get("windows", {}).get(length, {}).get(which)
    return found


def opening(row: Row) -> float | None:
    found: float | None = row.get("open", {}).get("median_s")
    return found


def peak(row: Row) -> float | None:
    """Bytes an event."""
    return row["peak_bytes"] / row["timed_events"] if "peak_bytes" in row else None


def middle(rows: Iterable[Row], of: Callable[[Row], float | None]) -> float | None:
    """The median of what is there."""
    found = [value for row in rows if (value := of(row)) is not None]
    return median(found) if found else None


def measured(rows: Iterable[Row], status: str = "ok") -> list[Row]:
    """Rows with sizes and speeds, of this status."""
    return [row for row in rows if row["status"] == status and "decode" in row]


def pace(rows: Sequence[Row]) -> float | None:
    """Million events a second of pcodec in memory on a recording: what ratios are multiplied by.

    It was timed beside every contender; the median is of those that read the tiled recording.
    """
    timed = [row for row in rows if ratio(row)]
    beside = [speed(row) / ratio(row) for row in timed if row["tiled"]]  # type: ignore[operator]
    beside = beside or [speed(row) / ratio(row) for row in timed]  # type: ignore[operator]
    return median(beside) if beside else None


def paced(data: Data) -> list[Row]:
    """All rows, with ``speed``: million events a second at the recording's pace.

    So what the machine did beside one contender counts for nothing.
    """
    found: list[Row] = []
    for recording in data["recordings"]:
        rows = rows_on(data, recording)
        usual = pace(rows)
        for row in rows:
            times = ratio(row)
            at = speed(row) if usual is None or times is None else usual * times
            found.append({**row, "speed": at})
    return found


def points(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """A contender's median size and speed over its right rows, or over its wrong ones.

    Rows are as `paced` gives them.
    """
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row["name"], []).append(row)
    found = []
    for name, own in by_name.items():
        right = measured(own)
        used = right or measured(own, "wrong")
        if used:
            found.append(
                {
                    "name": name,
                    "family": used[0]["family"],
                    "ours": used[0]["ours"],
                    "tiled": used[0]["tiled"],
                    "right": bool(right),
                    "count": len(used),
                    "of": len(own),
                    "bits": median(row["bits"] for row in used),
                    "speed": median(row["speed"] for row in used),
                }
            )
    return found


def all_beaten(data: Data, key: str = "decode") -> dict[str, list[Beaten]]:
    """By recording: the peers that are smaller and faster than ours."""
    found = {}
    for recording in data["recordings"]:
        rows = rows_on(data, recording)
        if key == "first":
            rows = [row for row in rows if "first_s" in row]
        found[recording] = beaten(rows, key)
    return {recording: those for recording, those in found.items() if those}


def not_right(data: Data) -> list[tuple[str, str, str, list[str]]]:
    """(contender, status, why, recordings) of all rows that are not ok."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in data["rows"]:
        if row["status"] != "ok":
            key = (row["name"], row["status"], row.get("why", ""))
            found.setdefault(key, []).append(row["recording"])
    return [(*key, recordings) for key, recordings in found.items()]
