"""The flags that say what a file cannot say itself: the same for every verb that reads one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from evstore.cli.selection_flags import parsed, with_flags
from evstore.errors import ArgumentError


def parse_columns(text: str) -> tuple[str, ...]:
    """The order of columns, of ``x,y,p,t``.

    >>> parse_columns("x, y, p, t")
    ('x', 'y', 'p', 't')
    """
    return tuple(part.strip() for part in text.split(","))


def parse_resolution(text: str) -> tuple[int, int]:
    """(width, height) of ``640x480``.

    >>> parse_resolution("640x480")
    (640, 480)
    """
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ArgumentError(f"a resolution is WIDTHxHEIGHT, as in 640x480, got {text!r}") from None
    if not (1 <= width <= 65_536 and 1 <= height <= 65_536):
        raise ArgumentError(f"a resolution is 1 to 65536 each way, got {text!r}")
    return width, height


def input_flags(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags; the verb gets ``said``, the keyword arguments of `evstore.open`."""

    @wraps(verb)
    def reading(
        *args: Any,
        input_format: str | None,
        columns: tuple[str, ...] | None,
        time_unit: str | None,
        resolution: tuple[int, int] | None,
        sensor: str | None,
        grow: bool,
        drop_outside: bool,
        untrusted: bool,
        **rest: Any,
    ) -> Any:
        said = {
            "input_format": input_format,
            "columns": columns,
            "time_unit": time_unit,
            "resolution": resolution,
            "sensor": sensor,
            "grow": grow,
            "drop_outside": drop_outside,
            "untrusted": untrusted,
        }
        return verb(*args, said=said, **rest)

    flags = (
        click.option(
            "--input-format", metavar="NAME", help="Read as this format (see `evstore formats`)."
        ),
        click.option(
            "--columns",
            metavar="x,y,p,t",
            callback=parsed(parse_columns),
            help="Order of the columns of a table that has no header.",
        ),
        click.option(
            "--time-unit",
            type=click.Choice(["s", "ms", "us", "ns"]),
            help="Unit of a table's times.",
        ),
        click.option(
            "--resolution",
            metavar="WxH",
            callback=parsed(parse_resolution),
            help="Width and height of the sensor.",
        ),
        click.option("--sensor", metavar="NAME", help="Name of the sensor."),
        click.option(
            "--grow", is_flag=True, help="Widen the resolution to events that lie outside it."
        ),
        click.option(
            "--drop-outside", is_flag=True, help="Leave out events outside the resolution; count."
        ),
        click.option(
            "--untrusted",
            is_flag=True,
            help="Parse HDF5, Parquet and the like in a process of its own.",
        ),
    )
    return with_flags(flags, reading)
