"""The command line: one file a verb, nothing but arguments and printing."""

from __future__ import annotations

from collections.abc import Sequence

from evstore.cli.group import Verbs

command = Verbs(name="evstore")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `evstore` with these arguments (``sys.argv``'s without them) and exit with its code."""
    command.main(arguments, prog_name="evstore")
