"""The report of `bench codecs` as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from bench.bars import number
from bench.codecs_summary import (
    Data,
    Row,
    all_beaten,
    measured,
    middle,
    names,
    not_right,
    opening,
    paced,
    peak,
    points,
    ratio,
    rows_of,
    speed,
    window,
)
from evstore.bench.damage import CASES
from evstore.bench.frontier import edge

Cell = Callable[[Row], float | None]

NOTES = """\
* Every contender works in a process of its own, on one processor. What it gives back is compared
  with the events, value by value and in order; one that differs is marked, not left out.
* Sizes are of all files of the recording as it is. Times are of the recording again and again, with
  shifting time ("tiled"), but for general compressors, which would find the tiles. Encoding does
  not wait for the disk; turning events into what a package takes is not timed.
* Speeds are medians, into fresh arrays, from the page cache. "x pcodec" is the median ratio against
  pcodec 8 in memory, timed in turns with it in the same process; in the table of medians "decoded"
  is that ratio times pcodec's median speed on the recording, so that the machine's pace beside one
  contender counts for nothing. Elsewhere speeds are as they were.
* Arrays are let go of between rounds; evstore keeps the memory of large ones and uses it again.
  "First" is the first read of a process, once all is imported and compiled by a small file.
* "From disk": after asking the system to drop the file from its cache (posix_fadvise), which needs
  no rights and is a request only.
* Windows are at 40 random places, through one open handle, median; 95 of 100 are below the time in
  brackets. Memory is the peak above what was there before reading, an event."""


def markdown(data: Data) -> str:
    """All of it."""
    parts = ["# Ways to keep events", about(data), NOTES]
    parts += ["## Medians over the recordings", medians(data), remarks(data)]
    parts += ["## Smaller and faster than ours", frontier(data)]
    parts += ["## Bits an event", by_recording(data, lambda row: row["bits"])]
    parts += ["## Million events a second, decoded into fresh arrays", by_recording(data, speed)]
    parts += ["## Three flipped bits, and 40 % cut off", damage(data)]
    parts += ["## Wrong, unable, missing", faults(data)]
    return "\n\n".join(part for part in parts if part) + "\n"


def about(data: Data) -> str:
    """Machine, versions, how many events."""
    on = data["about"]
    machine = on["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in on["versions"].items())
    sensors = dict.fromkeys(found["sensor"] for found in data["recordings"].values())
    return (
        f"{len(data['recordings'])} recordings ({', '.join(sensors)}), tiled to "
        f"{on['events']:,} events, {on['rounds']} rounds at most. {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory']}, {machine['system']}; {versions}."
    )


def medians(data: Data, shown: Collection[str] | None = None) -> str:
    """A row a contender, the smallest first; * stands on the frontier of medians.

    Of all, or of those ``shown``.
    """
    found = sorted(points(paced(data)), key=lambda point: point["bits"])
    right = [point for point in found if point["right"]]
    best = {right[i]["name"] for i in edge([(p["bits"], p["speed"]) for p in right])}
    head = ["kept as", "bits an event", "decoded, M/s", "x pcodec", "into reused", "first"]
    head += ["from disk", "encoded, M/s", "open", "1 ms", "10 ms", "memory, B", "right in", "timed"]
    lines = []
    for point in found:
        if shown is not None and point["name"] not in shown:
            continue
        rows = measured(rows_of(data, point["name"]), "ok" if point["right"] else "wrong")
        name = f"**{point['name']}**" if point["ours"] else point["name"]
        count = f"{point['count']} of {point['of']}" if point["right"] else "wrong"
        lines.append(
            [
                name + (" *" if point["name"] in best else ""),
                number(point["bits"]),
                number(point["speed"]),
                *_middles(rows),
                count,
                "tiled" if point["tiled"] else "as it is",
            ]
        )
    return table(head, lines)


def remarks(data: Data) -> str:
    """What is to be known of single contenders, a line for those that share it."""
    found: dict[str, list[str]] = {}
    for name in names(data):
        for note in {row.get("note") for row in rows_of(data, name)} - {None, ""}:
            found.setdefault(str(note), []).append(name)
    return "\n".join(f"* {'; '.join(those)}: {note}." for note, those in found.items())


def _middles(rows: Sequence[Row]) -> list[str]:
    speeds = [ratio, *(_speed_of(key) for key in ("decode_reused", "first", "cold", "encode"))]
    cells = [_cell(middle(rows, of)) for of in speeds]
    cells.append(_time(middle(rows, opening)))
    for length in ("1000", "10000"):
        usual = middle(rows, lambda row: window(row, length))  # noqa: B023 - used at once
        slow = middle(rows, lambda row: window(row, length, "p95_s"))  # noqa: B023
        cells.append(f"{_time(usual)} ({_time(slow)})" if usual is not None else "")
    return [*cells, _cell(middle(rows, peak))]


def _speed_of(key: str) -> Cell:
    return lambda row: speed(row, key)


def frontier(data: Data) -> str:
    """Every peer that beats one of ours in both, by recording."""
    head = ["recording", "peer", "bits", "x pcodec", "both better than", "when"]
    lines = []
    for key, when in (("decode", "fresh arrays"), ("first", "first read")):
        for recording, those in all_beaten(data, key).items():
            for one in those:
                over = ", ".join(one.over)
                cells = [recording, one.peer, number(one.bits), number(one.speed), over, when]
                lines.append(cells)
    return table(head, lines) if lines else "None, on any recording."


def by_recording(data: Data, of: Cell) -> str:
    """Contenders down, recordings across."""
    head = ["", *data["recordings"]]
    lines = []
    for name in names(data):
        rows = {row["recording"]: row for row in rows_of(data, name)}
        cells = [_marked(rows.get(recording), of) for recording in data["recordings"]]
        if any(cells):
            lines.append([name, *cells])
    return table(head, lines)


def _marked(row: Row | None, of: Cell) -> str:
    if row is None or row["status"] == "missing":
        return ""
    if "decode" not in row:
        return str(row["status"])
    mark = "" if row["status"] == "ok" else f" ({row['status']})"
    return _cell(of(row)) + mark


def damage(data: Data) -> str:
    """What each reader makes of it."""
    lines = [
        [row["recording"], row["name"], *(row["damage"].get(case, "") for case in CASES)]
        for row in data["rows"]
        if row.get("damage")
    ]
    return table(["recording", "kept as", *CASES], lines) if lines else "Not tried."


def faults(data: Data) -> str:
    """Who could not, and why."""
    everywhere = len(data["recordings"])
    lines = []
    for name, status, why, recordings in not_right(data):
        where = "all" if len(recordings) == everywhere else ", ".join(recordings)
        lines.append([name, status, why, where])
    for row in data["rows"]:
        for key, what in (("windows_why", "windows wrong"), ("first_why", "first read")):
            if key in row:
                lines.append([row["name"], what, row[key], row["recording"]])
    return table(["kept as", "", "why", "recordings"], lines) if lines else "None."


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in r) + " |" for r in rows)


def _cell(value: float | None) -> str:
    return "" if value is None else number(value)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{number(seconds * 1e3)} ms"
