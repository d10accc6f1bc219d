"""evstore demo"""

from __future__ import annotations

from typing import Any

import click

from evstore.cli import printing
from evstore.cli.input_flags import input_flags
from evstore.cli.selection_flags import parsed
from evstore.selection import parse_time


@click.command("demo")
@click.argument("path", metavar="[FILE]", required=False)
@click.option(
    *("--recording", "--path", "--topic", "recording"),
    metavar="ID",
    help="One recording of a shard of many, or one event stream (topic, path) of a file.",
)
@click.option(
    "--duration", metavar="TIME", callback=parsed(parse_time), help="How long to simulate (3s)."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn at random.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@input_flags
def command(
    path: str | None,
    duration: int | None,
    seed: int,
    as_json: bool,
    said: dict[str, Any],
    recording: str | None,
) -> None:
    """See it work: simulate, convert, verify, read, compare.

    Without FILE a few seconds of a 640x480 sensor are simulated; with FILE the same is done
    with that recording. Works in a temporary folder and leaves nothing behind.
    """
    from evstore.demo import DURATION_US, demo

    if path is None and (recording is not None or any(said.values())):
        raise click.UsageError("flags that say how to read need a FILE")
    if path is not None and duration is not None:
        raise click.UsageError("--duration is for the simulated recording: leave FILE out")
    found = demo(
        path,
        duration_us=DURATION_US if duration is None else duration,
        seed=seed,
        say=_quiet if as_json else _say,
        recording=recording,
        **said,
    )
    if as_json:
        printing.echo_json(found)


def _quiet(step: str, facts: dict[str, Any]) -> None:
    pass


def _say(step: str, facts: dict[str, Any]) -> None:
    {
        "simulated": _simulated,
        "converted": _converted,
        "verified": _verified,
        "windows": _windows,
        "compared": _compared,
    }[step](facts)


def _line(name: str, text: str, facts: dict[str, Any]) -> None:
    printing.echo(f"{name:<10}  {text}  ({facts['seconds']:.1f} s)")


def _simulated(facts: dict[str, Any]) -> None:
    size = printing.resolution(facts["resolution"])
    _line(
        "simulated",
        f"{printing.duration(facts['duration_us'])} of a {size} sensor as EVT3: "
        f"{printing.count(facts['events'], 'event')}, {printing.size(facts['bytes'])}",
        facts,
    )


def _converted(facts: dict[str, Any]) -> None:
    sizes = f"{printing.size(facts['bytes_in'])} -> {printing.size(facts['bytes_out'])}"
    _line("converted", f"{printing.count(facts['events'], 'event')}, {sizes}", facts)
    if facts["dropped"]:
        printing.echo(f"{'':<10}  not kept: {printing.dropped(facts['dropped'])}")


def _verified(facts: dict[str, Any]) -> None:
    chunks = printing.count(facts["chunks"], "chunk")
    _line("verified", f"every checksum, event and proof of {chunks}", facts)


def _windows(facts: dict[str, Any]) -> None:
    length = printing.duration(facts["window_us"])
    median = printing.duration(facts["read"]["median_s"] * 1e6)
    mean = facts["events"] // facts["windows"]
    _line(
        "read",
        f"{facts['windows']} random windows of {length}, {mean:,} events each on the mean: "
        f"{median} a window",
        facts,
    )


def _compared(facts: dict[str, Any]) -> None:
    from evstore.cli.bench import print_table

    events = printing.count(facts["events"], "event")
    _line("compared", f"{events}; speeds in million events a second", facts)
    printing.echo()
    print_table(facts)
