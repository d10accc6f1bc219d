"""The verbs, each imported only when it is asked for: `evstore --help` imports none of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from evstore import __version__
from evstore.cli import failures

#: Every verb and what it does; a test holds each line to the verb's own help.
VERBS = {
    "convert": "Turn recordings into checked, time-indexed shards.",
    "info": "Show what a recording, a shard or a folder of them holds.",
    "verify": "Check every byte, chunk and event of shards.",
    "digest": "Print digests that are equal where the events are.",
    "diff": "Name the first event in which two recordings differ.",
    "cat": "Print events as csv, ndjson or npz.",
    "recover": "Save what is whole of a damaged or cut file.",
    "pack": "Pack many recordings into the shards of one dataset.",
    "dataset": "List, merge, split, count or index a packed dataset.",
    "noise": "Add a sensor's noise, filter it, or measure it.",
    "train": "Train a spiking network from the shards of a packed dataset.",
    "report": "Make one page of a training run, or of several, and print its path.",
    "formats": "List the formats evstore reads and writes, and how well.",
    "demo": "See it work: simulate, convert, verify, read, compare.",
    "bench": "Measure a recording of yours against other formats.",
}

HELP = "Event-camera recordings as compact, checked, randomly accessible shards."

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 partly done or events lost, "
    "4 verification failed, 130 interrupted."
)


class Verbs(click.Group):
    """`evstore` itself: finds a verb, runs it, and turns every error into a line and a code."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name,
            help=HELP,
            epilog=EPILOG,
            no_args_is_help=True,
            subcommand_metavar="VERB [ARGS]...",
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
            params=[
                click.Option(
                    ["--version"],
                    is_flag=True,
                    is_eager=True,
                    expose_value=False,
                    callback=_print_version,
                    help="Print the version.",
                )
            ],
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of `VERBS`."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb; None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        verb = import_module(f"evstore.cli.{cmd_name}").command
        assert isinstance(verb, click.Command)
        return verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; the error for one that is not names the nearest."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(_unknown(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. What it returns, if anything, is the exit code."""
        with failures.translated():
            code = super().invoke(ctx)
            sys.stdout.flush()
            return code

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and exit with the code; the arguments are kept, to be able to say how to resume."""
        extra.setdefault("obj", list(sys.argv[1:] if args is None else args))

        def run() -> Any:
            return super(Verbs, self).main(
                args, prog_name, complete_var, standalone_mode=False, **extra
            )

        if not standalone_mode:
            return run()
        with failures.reported():
            sys.exit(run() or 0)


def _unknown(verb: str) -> str:
    import difflib

    near = difflib.get_close_matches(verb, VERBS, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(VERBS)}"
    return f"no verb is called {verb!r}; {hint}"


def _print_version(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"evstore {__version__}")
        ctx.exit()
