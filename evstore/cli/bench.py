"""evstore bench"""

from __future__ import annotations

import sys
from typing import Any

import click

from evstore.cli import printing
from evstore.cli.input_flags import input_flags


@click.command("bench")
@click.argument("path", metavar="FILE")
@click.option("--recording", metavar="ID", help="One recording of a shard of many.")
@click.option(
    "--events",
    "most",
    type=click.IntRange(1),
    default=5_000_000,
    show_default=True,
    help="Measure the first so many events.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the windows' places.")
@click.option("--json", "as_json", is_flag=True, help="Print sizes and times as JSON.")
@input_flags
def command(
    path: str,
    recording: str | None,
    most: int,
    seed: int,
    as_json: bool,
    said: dict[str, Any],
) -> None:
    """Measure a recording of yours against other formats.

    The events are kept by evstore, by numpy, zstd and EVT3, and by pcodec, expelliarmus, evt3
    and h5py where they are installed (pip install 'evstore[bench]'). What each gives back is
    compared with the events. Speeds are medians, on one thread, from the page cache.
    """
    import evstore
    from evstore.bench import bench

    with evstore.open(path, recording=recording, **said) as opened:
        found = bench(opened, most_events=most, seed=seed, say=_say)
    _say("")
    if as_json:
        printing.echo_json(found)
        return
    size = printing.resolution(found["resolution"])
    printing.echo(
        f"{path}: {printing.count(found['events'], 'event')}, {size}, "
        f"{printing.duration(found['duration_us'])}; speeds in million events a second"
    )
    printing.echo()
    print_table(found)


def print_table(found: dict[str, Any]) -> None:
    """Print what `evstore.bench.bench` found."""
    lengths = ("1000", "10000")
    head = ["", "BITS/EVENT", "ENCODE", "DECODE", "REUSED", "1 ms", "10 ms"]
    rows, notes = [], []
    for one in found["contenders"]:
        if one["status"] == "ok":
            windows = [_window(one, length) for length in lengths]
            speeds = [_speed(one, key, found) for key in ("encode", "decode", "decode_reused")]
            rows.append([one["name"], f"{one['bits_per_event']:.2f}", *speeds, *windows])
        else:
            rows.append([one["name"], one["status"], *[""] * 5])
            notes.append(f"{one['name']}: {one['status']}: {one['why']}")
    printing.table(head, rows)
    if notes:
        printing.echo()
    for note in notes:
        printing.echo(note)


def _speed(one: dict[str, Any], key: str, found: dict[str, Any]) -> str:
    if key not in one:
        return "-"
    return f"{found['events'] / one[key]['median_s'] / 1e6:.1f}"


def _window(one: dict[str, Any], length: str) -> str:
    times = one.get("windows", {}).get(length)
    return "-" if times is None else printing.duration(times["median_s"] * 1e6)


def _say(name: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{name}\x1b[K")
        sys.stderr.flush()
