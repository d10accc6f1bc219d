"""The flags that select events: the same for every verb that takes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from evstore.errors import ArgumentError
from evstore.selection import Selection, parse_polarity, parse_roi, parse_time


def parsed(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """A callback for an option whose text a function of evstore parses; its ArgumentError is one
    of usage."""

    def callback(context: click.Context, option: click.Parameter, text: str | None) -> Any:
        try:
            return None if text is None else parse(text)
        except ArgumentError as error:
            raise click.BadParameter(str(error), context, option) from None

    return callback


def selection_flags(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags; the verb gets ``selection`` and ``recording``."""

    @wraps(verb)
    def selecting(
        *args: Any,
        start: int | None,
        stop: int | None,
        relative: bool,
        roi: tuple[int, int, int, int] | None,
        polarity: int | None,
        **rest: Any,
    ) -> Any:
        return verb(*args, selection=Selection(start, stop, relative, roi, polarity), **rest)

    flags = (
        click.option(
            "--start",
            metavar="TIME",
            callback=parsed(parse_time),
            help="Events from this time on: 1.5s, 20ms, 300us.",
        ),
        click.option(
            "--end",
            "stop",
            metavar="TIME",
            callback=parsed(parse_time),
            help="Events before this time.",
        ),
        click.option(
            "--relative", is_flag=True, help="Times count from the recording's first event."
        ),
        click.option(
            "--roi",
            metavar="x0,y0,x1,y1",
            callback=parsed(parse_roi),
            help="Events with x0 <= x < x1 and y0 <= y < y1.",
        ),
        click.option(
            "--polarity",
            metavar="on|off",
            callback=parsed(parse_polarity),
            help="Only events of this polarity.",
        ),
        click.option(
            *("--recording", "--path", "--topic", "recording"),
            metavar="ID",
            help="One recording of a shard of many, or one event stream (topic, path) of a file.",
        ),
    )
    return with_flags(flags, selecting)


def with_flags(
    flags: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...],
    verb: Callable[..., Any],
) -> Callable[..., Any]:
    """The verb with all of the flags, listed in this order."""
    for flag in reversed(flags):
        verb = flag(verb)
    return verb
