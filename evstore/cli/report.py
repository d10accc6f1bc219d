"""evstore report"""

from __future__ import annotations

import click

from evstore.cli import failures, printing
from evstore.errors import ArgumentError


@click.command("report")
@click.argument("run", metavar="RUN")
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the page here; unless given, report.html in RUN. One of before is replaced.",
)
@click.option("--text", "as_text", is_flag=True, help="Print the essentials instead.")
def command(run: str, output: str | None, as_text: bool) -> int:
    """Make one page of a training run, or of several, and print its path.

    RUN is the folder that `evstore train` wrote, or one of several seeds or of a sweep. The page
    needs no network and no other file. A run that is going on, or was cut short, has one too: it
    says what is not there.

    \b
        evstore report runs/first
        evstore report runs/first --text
    """
    from evstore.snn import report

    if as_text:
        if output is not None:
            raise ArgumentError("--text prints, --output writes a page: they exclude each other")
        printing.echo(report.as_text(run))
        return failures.DONE
    printing.echo(report.write_page(run, output))
    return failures.DONE
