"""evstore formats"""

from __future__ import annotations

from typing import Any

import click

from evstore.cli import printing

LEGEND = """\
WRITES  how recordings made by others come back from a shard: their bytes, or their events.
BESIDE  what is kept beside events.   +  several event streams in a file: several recordings.
TESTED  with vectors made here; of those marked, with files of others, whose events other decoders
        gave, and with packages that read or write the format too.
evstore formats NAME says more of one."""


@click.command("formats")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the formats evstore reads and writes, and how well.

    With a NAME, all that is known of that one. --input-format and --output-format take the same
    names. What a file is, its content tells.
    """
    from evstore.formats.facts import facts
    from evstore.formats.registry import all_formats, by_name

    if name is not None:
        one = facts(by_name(name))
        if as_json:
            printing.echo_json(one)
        else:
            printing.echo(f"{one['title']}")
            printing.fields(_fields(one), "  ")
        return
    found = [facts(module) for module in all_formats()]
    if as_json:
        printing.echo_json(found)
        return
    head = ["NAME", "FORMAT", "SUFFIXES", "WRITES", "BESIDE", "TESTED"]
    printing.table(head, [_row(one) for one in found], left=6)
    printing.echo()
    printing.echo(LEGEND)


def _row(one: dict[str, Any]) -> list[str]:
    writes, suffixes = "yes" if one["writes"] else "", one["suffixes"]
    if one["restores"] is not None:
        writes = "bytes" if one["restores"].startswith("byte") else "events"
    tested = ["files"] if one["files_of_others"] else []
    tested += ["packages"] if one["packages"] else []
    return [
        one["name"] + ("+" if one["several_streams"] else ""),
        one["title"].partition(" (")[0].partition(",")[0],
        " ".join(suffixes[:3] if len(suffixes) < 4 else [suffixes[0], "..."]),
        writes,
        "all of these" if one["name"] == "evs" else ", ".join(one["keeps"]),
        ", ".join(tested),
    ]


def _fields(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values; what does not apply is left out."""
    shard = one["name"] == "evs"
    probed = "its content tells" if one["by_content"] else "its suffix and its content tell"
    wants = " ".join(one["asks"])
    tested = ["vectors made here"] if not shard else []
    tested += ["files of others"] if one["files_of_others"] else []
    return [
        ("names", ", ".join(one["names"])),
        ("suffixes", " ".join(one["suffixes"])),
        ("recognised", probed),
        ("read", "yes" + (", each event stream a recording" if one["several_streams"] else "")),
        ("written", "yes" if one["writes"] else "no"),
        ("restores", one["restores"] or ""),
        ("keeps", ", ".join(["events", *one["keeps"]])),
        ("writer takes", ", ".join(["events", *one["takes"]]) if one["takes"] else ""),
        (
            "times",
            "found by an index" if one["seeks_by_time"] else "found by reading from the start",
        ),
        ("pipe", "yes" if one["pipe"] else "no: it must seek"),
        ("memory", one["memory"]),
        (
            "parsed by",
            "a library in C: --untrusted for files of strangers" if one["c_parsed"] else "",
        ),
        ("may need", f"{wants}: where a file does not say it" if wants else ""),
        ("tested with", ", ".join([*tested, *one["packages"]])),
        ("bytes, pitfalls", one["spec"]),
    ]
