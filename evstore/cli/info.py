"""evstore info"""

from __future__ import annotations

import os
from typing import Any

import click

from evstore.cli import failures, printing
from evstore.cli.input_flags import input_flags
from evstore.datasets import MANIFEST

LONGEST_DETAIL = 100  # characters
SHOWN_RECORDINGS = 10
SHOWN_GAPS = 5
SAID = "*"  # stands behind a count that nobody checked
AS_SAID = ", as the file says"


@click.command("info")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--scan/--no-scan",
    default=None,
    help="Read a foreign file's events too, or not; unsaid: where it has up to 64 MiB.",
)
@click.option(
    *("--recording", "--path", "--topic", "recording"),
    metavar="ID",
    help="One recording of a shard of many, or one event stream (topic, path) of a file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@input_flags
def command(
    paths: tuple[str, ...],
    scan: bool | None,
    recording: str | None,
    as_json: bool,
    said: dict[str, Any],
) -> int:
    """Show what a recording, a shard or a folder of them holds.

    One file is shown in full; several files, or those of a folder, a line each. Of a shard
    only its index is read. A foreign file is read whole where it (or all of them) has up to
    64 MiB, or with --scan; else its header, with the counts that it claims: "as the file says".
    """
    from evstore.info import describe

    if len(paths) == 1 and not os.path.isdir(paths[0]):
        found = describe(paths[0], scan=scan, recording=recording, **said)
        if as_json:
            printing.echo_json(found)
        else:
            _print(found)
        return failures.DONE
    return _list(paths, scan, as_json, said)


def _list(paths: tuple[str, ...], scan: bool | None, as_json: bool, said: dict[str, Any]) -> int:
    from evstore.errors import ArgumentError, EvstoreError, FormatError
    from evstore.info import all_small, describe, files_in

    scan = None if scan is None and all_small(paths) else bool(scan)
    found, failed, others = [], 0, 0
    for path in files_in(paths):
        if os.path.basename(path) == MANIFEST and path not in paths:
            failed += not (as_json or _say_dataset(path))
            continue
        try:
            found.append(describe(path, scan=scan, **said))
        except (EvstoreError, OSError) as error:
            if type(error) is FormatError and path not in paths:
                others += 1  # not a recording: the rest of a folder is not our business
                continue
            failed += 1
            failures.say(failures.message_of(error))
    if not found and not failed:
        raise ArgumentError(f"found no recordings in {', '.join(paths)}")
    if as_json:
        printing.echo_json(found)
    else:
        head = ["FILE", "FORMAT", "RESOLUTION", "EVENTS", "DURATION", "SIZE", "BITS/EVENT"]
        lines = [_line(one) for one in found]
        printing.table(head, lines, left=2)
        if any(line[3].endswith(SAID) for line in lines):
            printing.echo(f"{SAID} as the file says: --scan counts")
        if others:
            printing.echo(f"{printing.count(others, 'other file')} not shown")
    if not failed:
        return failures.DONE
    return failures.PARTIAL if found else failures.FAILED


def _say_dataset(path: str) -> bool:
    """A line about the dataset that a folder's shards are; whether its manifest is a good one."""
    from evstore.datasets.manifest import read_manifest
    from evstore.errors import EvstoreError, MissingDependencyError

    folder = os.path.dirname(path)
    try:
        manifest = read_manifest(folder)
    except MissingDependencyError:
        return True  # the shards are shown all the same
    except EvstoreError as error:
        failures.say(failures.message_of(error))
        return False
    parts = manifest.values("part")
    said = [printing.count(parts.count(0), "recording")]
    if manifest.classes:
        said.append(f"{len(manifest.classes):,} class{'es' if len(manifest.classes) > 1 else ''}")
    splits = sorted(str(name) for name in set(manifest.values("split")) if name is not None)
    if splits:
        said.append(f"split into {', '.join(splits)}")
    printing.echo(f"{folder}: a dataset of {', '.join(said)}")
    return True


def _line(found: dict[str, Any]) -> list[str]:
    recordings = found["recordings"]
    sizes = {tuple(one["resolution"] or ()) for one in recordings}
    length = [one["duration_us"] for one in recordings]
    bits = found["bits_per_event"]
    return [
        found["path"],
        found["format"],
        printing.resolution(sizes.pop()) if len(sizes) == 1 else "several" if sizes else "-",
        _total(recordings),
        "-" if None in length else printing.duration(sum(length)),
        "-" if found["bytes"] is None else printing.size(found["bytes"]),
        "-" if bits is None else f"{bits:.1f}",
    ]


def _print(found: dict[str, Any]) -> None:
    recordings = found["recordings"]
    printing.echo(found["path"])
    file = [("format", found["format"]), ("size", _size(found))]
    if len(recordings) == 1:
        printing.fields([*file, *_fields(recordings[0])], "  ")
        _say_unread(recordings, "the header was")
        return
    known = [name for name in ("events", "chunks") if found[name] is not None]
    counts = [(name, f"{found[name]:,}") for name in known]
    printing.fields([*file, ("recordings", f"{len(recordings):,}"), *counts], "  ")
    rows = [_row(one) for one in recordings[:SHOWN_RECORDINGS]]
    if rows:
        printing.table(["RECORDING", "RESOLUTION", "EVENTS", "DURATION", "LABEL"], rows)
    if len(recordings) > SHOWN_RECORDINGS:
        printing.echo(f"and {len(recordings) - SHOWN_RECORDINGS:,} more: --json shows all")
    if any(row[2].endswith(SAID) for row in rows):
        printing.echo(f"  {SAID} as the file says")
    _say_unread(recordings, "headers were")


def _say_unread(recordings: list[dict[str, Any]], what: str) -> None:
    damaged = [one["damage"] for one in recordings if one.get("damage")]
    if damaged:
        printing.echo(f"  damaged: {damaged[0]}")
    elif any(one["events"] is None for one in recordings):
        printing.echo(f"  (only {what} read: --scan counts the events)")


def _events(one: dict[str, Any]) -> int | None:
    """How many there are, or are said to be."""
    found: int | None = one["events"]
    return found if found is not None else (one.get("stated") or {}).get("events")


def _total(recordings: list[dict[str, Any]]) -> str:
    counts = [count for one in recordings if (count := _events(one)) is not None]
    if len(counts) < len(recordings):
        return "-"
    said = any(one["events"] is None for one in recordings)
    return f"{sum(counts):,}{SAID if said else ''}"


def _size(found: dict[str, Any]) -> str:
    if found["bytes"] is None:
        return ""
    text = printing.size(found["bytes"])
    if found["bits_per_event"] is not None:
        bits, times = found["bits_per_event"], found["times_smaller"]
        text += f", {bits:.2f} bits/event, {times:.2f} times smaller than 13 B/event"
    return text


def _row(one: dict[str, Any]) -> list[str]:
    return [
        one["recording"],
        printing.resolution(one["resolution"]),
        _total([one]),
        "" if one["duration_us"] is None else printing.duration(one["duration_us"]),
        _value(one["label"]),
    ]


def _fields(one: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of one recording; what is not is left out."""
    source = str(one["resolution_from"] or "")
    guess = f" (from the {source})" if source.startswith("events") else ""
    known = [
        ("recording", one["recording"]),
        ("resolution", printing.resolution(one["resolution"]) + guess),
        ("sensor", ", ".join(v if k == "sensor" else f"{k} {v}" for k, v in one["sensor"].items())),
        ("origin", _value(one["origin"])),
    ]
    if one["events"] is not None:
        known += _of_events(one)
    else:
        count = _events(one)
        known.append(("events", "not counted" if count is None else f"{count:,}{AS_SAID}"))
    return [
        *known,
        *_beside(one),
        *_details(one),
        ("label", _value(one["label"])),
        ("source", _source(one.get("source") or {})),
        ("not kept", printing.dropped(one["dropped"] or {})),
        ("converter", one.get("converter") or ""),
        ("noise", ", ".join(one.get("noise") or [])),
        ("hot pixels", "" if (hot := one.get("hot_pixels")) is None else f"{hot:,} in the mask"),
        ("root", one.get("root", "")),
    ]


def _beside(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Side streams, with their rows where these are known."""
    if one["side_streams"] is not None:
        met = one["side_streams"].items()
        return [(name, _rows(name, rows)) for name, rows in met if name != "image_bytes"]
    said = {name: rows for name, rows in (one.get("stated") or {}).items() if name != "events"}
    return [
        (name, "not counted" if rows is None else _rows(name, rows) + AS_SAID)
        for name, rows in said.items()
    ]


def _rows(stream: str, rows: int) -> str:
    things = {"images": "image", "triggers": "edge", "imu": "sample", "exposure": "event"}
    return printing.count(rows, things.get(stream, "row"))


def _details(one: dict[str, Any]) -> list[tuple[str, str]]:
    """What else a foreign file's header says, in a line each; `--json` has all of it."""
    shown = {"origin", "sensor", *one["sensor"]}
    found = []
    for name, value in (one.get("metadata") or {}).items():
        text = _value(value)
        if name not in shown and not name.startswith("resolution") and len(text) <= LONGEST_DETAIL:
            found.append((name.replace("_", " "), text))
    return found


def _of_events(one: dict[str, Any]) -> list[tuple[str, str]]:
    if not one["events"]:
        return [("events", "0")]
    share = one["on_events"] / one["events"]
    chunks = one["chunks"]
    return [
        ("events", f"{one['events']:,} ({share:.1%} ON)"),
        ("chunks", f"{chunks:,}" if chunks else ""),
        (
            "duration",
            f"{printing.duration(one['duration_us'])}, {printing.rate(one['events_per_s'])}",
        ),
        ("times", f"{one['t_start']:,} to {one['t_stop'] - 1:,} us"),
        ("order", "" if one["time_ordered"] else "time steps back"),
        ("gaps", _gaps(one["gaps"])),
    ]


def _gaps(gaps: list[list[int]]) -> str:
    shown = [
        f"{printing.duration(stop - start)} at {start:,} us" for start, stop in gaps[:SHOWN_GAPS]
    ]
    more = f" and {len(gaps) - SHOWN_GAPS:,} more" if len(gaps) > SHOWN_GAPS else ""
    return ", ".join(shown) + more


def _source(source: dict[str, Any]) -> str:
    parts = [str(source[key]) for key in ("name", "format") if key in source]
    if "size" in source:
        parts.append(printing.size(source["size"]))
    if "sha256" in source:
        parts.append(f"SHA-256 {source['sha256']}")
    return ", ".join(parts)


def _value(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    import json

    return json.dumps(value)
