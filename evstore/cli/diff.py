"""evstore diff"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from evstore.cli import failures, printing
from evstore.cli.input_flags import input_flags

if TYPE_CHECKING:
    from evstore.recording.base import Recording


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
@input_flags
def command(a: str, b: str, as_json: bool, said: dict[str, Any]) -> int:
    """Name the first event in which two recordings differ.

    A and B are files of any format that evstore reads, or one recording of a shard, as in
    shard.evs#ID. Two shards of many are compared recording by recording. What the flags say
    holds for both files, unless one is a shard. Exits with 1 where events differ.
    """
    with contextlib.ExitStack() as opened:
        left, right = _opened(a, said, opened), _opened(b, said, opened)
        found, missing = _differences(left, right, a, b)
    if as_json:
        lost = [{"recording": id, "missing_in": path} for id, path in missing]
        printing.echo_json({"equal": not found and not lost, "differences": [*found, *lost]})
    else:
        _print(found, missing, a, b)
    return failures.FAILED if found or missing else failures.DONE


def _opened(path: str, said: dict[str, Any], opened: contextlib.ExitStack) -> dict[str, Recording]:
    from evstore.recording.opening import open_all

    recordings = open_all(path, **said)
    for one in recordings:
        opened.callback(one.close)
    return {one.id: one for one in recordings}


def _differences(
    left: dict[str, Recording], right: dict[str, Recording], a: str, b: str
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """What differs, and which recordings the other side does not have: (id, path)."""
    if len(left) == len(right) == 1:
        pairs = [(*left.values(), *right.values())]
        missing: list[tuple[str, str]] = []
    else:
        pairs = [(left[id], right[id]) for id in left if id in right]
        missing = [(id, b) for id in left if id not in right]
        missing += [(id, a) for id in right if id not in left]
    different = [_compare(*pair) for pair in pairs]
    return [one for one in different if one is not None], missing


def _compare(left: Recording, right: Recording) -> dict[str, Any] | None:
    from evstore.digests import first_difference

    found = first_difference(left, right)
    return None if found is None else {"recording": left.id, **found}


def _print(found: list[dict[str, Any]], missing: list[tuple[str, str]], a: str, b: str) -> None:
    if not found and not missing:
        printing.echo("equal: every event, in the same order")
    for one in found:
        name = f"recording {one['recording']}, " if one["recording"] else ""
        printing.echo(f"{name}event {one['event']:,} differs:")
        printing.fields([(path, _event(one[side])) for path, side in ((a, "a"), (b, "b"))], "  ")
    for id, path in missing:
        printing.echo(f"recording {id}: not in {path}")


def _event(event: tuple[int, ...] | None) -> str:
    if event is None:
        return "has ended"
    return ", ".join(f"{name} {value}" for name, value in zip("txyp", event, strict=True))
