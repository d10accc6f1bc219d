"""evstore bench"""

from __future__ import annotations

import sys
from typing import Any

import click

from evstore.cli import printing
from evstore.cli.input_flags import input_flags

LENGTHS = ("1000", "10000")  # of windows, in microseconds


@click.command("bench")
@click.argument("path", metavar="FILE")
@click.option(
    *("--recording", "--path", "--topic", "recording"),
    metavar="ID",
    help="One recording of a shard of many, or one event stream (topic, path) of a file.",
)
@click.option(
    "--events",
    "most",
    type=click.IntRange(1),
    default=4_000_000,
    show_default=True,
    help="Measure the first so many events; a shorter recording again and again.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Repeat what is timed so often.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Those with this in their name.")
@click.option("--damage", is_flag=True, help="Flip bits and cut ends, too.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of windows and damage.")
@click.option("--json", "as_json", is_flag=True, help="Print sizes and times as JSON.")
@input_flags
def command(
    path: str,
    recording: str | None,
    most: int,
    rounds: int,
    only: tuple[str, ...],
    damage: bool,
    seed: int,
    as_json: bool,
    said: dict[str, Any],
) -> None:
    """Measure a recording of yours against other formats.

    The events are kept by evstore, by numpy, general compressors and EVT3, and by what is
    installed of pcodec, HDF5, zarr, Parquet, Arrow, expelliarmus, faery, evt3, eventcv, aedat,
    dv-processing, event_stream and tonic (pip install 'evstore[peers]'). Each works in a process
    of its own, on one processor; what it gives back is compared with the events. Speeds are
    medians, from the page cache.
    """
    import evstore
    from evstore.bench.contenders import chosen
    from evstore.bench.run import bench

    among = chosen(only)
    with evstore.open(path, recording=recording, **said) as opened:
        found = bench(
            opened,
            most_events=most,
            rounds=rounds,
            among=among,
            damaged=damage,
            seed=seed,
            say=_say,
        )
    _say("")
    if as_json:
        printing.echo_json(found)
        return
    size = printing.resolution(found["resolution"])
    printing.echo(
        f"{path}: {printing.count(found['events'], 'event')}, {size}, "
        f"{printing.duration(found['duration_us'])}; speeds in million events a second"
    )
    if found["timed_events"] > found["events"]:
        times = printing.count(found["timed_events"], "event")
        printing.echo(f"times are of {times}: the recording again and again")
    printing.echo()
    print_table(found)


def print_table(found: dict[str, Any]) -> None:
    """Print what `evstore.bench.run.bench` found."""
    head = ["", "BITS/EVENT", "ENCODE", "DECODE", "REUSED", "FIRST", "OPEN", "1 ms", "10 ms"]
    rows, notes = [], []
    for one in found["rows"]:
        if "bits" in one:
            mark = "" if one["status"] == "ok" else f" ({one['status']})"
            rows.append([one["name"] + mark, f"{one['bits']:.2f}", *_times(one)])
        if one["status"] != "ok":
            notes.append(f"{one['name']}: {one['status']}: {one['why']}")
        notes += [
            f"{one['name']}: {one[key]}" for key in ("windows_why", "first_why") if key in one
        ]
        for case, outcome in one.get("damage", {}).items():
            notes.append(f"{one['name']}: {case}: {outcome}")
    printing.table(head, rows)
    printing.echo()
    for note in [*_beaten(found["rows"]), *notes]:
        printing.echo(note)


def _beaten(rows: list[dict[str, Any]]) -> list[str]:
    from evstore.bench.frontier import beaten

    return [f"smaller and faster than {', '.join(b.over)}: {b.peer}" for b in beaten(rows)]


def _times(one: dict[str, Any]) -> list[str]:
    events = one.get("timed_events", 0)
    seconds = [one.get(key, {}).get("median_s") for key in ("encode", "decode", "decode_reused")]
    seconds.append(one.get("first_s"))
    speeds = ["-" if s is None else f"{events / s / 1e6:.1f}" for s in seconds]
    waits = [one.get("open"), *(one.get("windows", {}).get(length) for length in LENGTHS)]
    return speeds + ["-" if w is None else printing.duration(w["median_s"] * 1e6) for w in waits]


def _say(name: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{name}\x1b[K")
        sys.stderr.flush()
