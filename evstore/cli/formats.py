"""evstore formats"""

from __future__ import annotations

import click

from evstore.cli import printing


@click.command("formats")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(as_json: bool) -> None:
    """List the formats evstore reads and writes.

    NAME is what --input-format and --output-format take. What a file is, its content tells.
    """
    from evstore.formats.registry import all_formats

    found = [
        {
            "names": list(module.INPUT_FORMATS),
            "title": module.TITLE,
            "suffixes": list(module.SUFFIXES),
            "reads": True,
            "writes": bool(module.WRITES) or module.NAME == "evs",
            "pipe": not module.SEEKS,
        }
        for module in all_formats()
    ]
    if as_json:
        printing.echo_json(found)
        return
    rows = [
        [
            ", ".join(one["names"]),
            one["title"],
            " ".join(one["suffixes"]),
            "read, write" if one["writes"] else "read",
        ]
        for one in found
    ]
    printing.table(["NAME", "FORMAT", "SUFFIXES", ""], rows, left=4)
