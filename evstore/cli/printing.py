"""Numbers as people read them, and tables."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from evstore.errors import ArgumentError


def echo(line: str = "") -> None:
    """Print a line on stdout; a file name that is no text is shown with replacement marks."""
    click.echo(line.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def echo_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2))


def size(n_bytes: float) -> str:
    """Bytes with a decimal unit.

    >>> size(950), size(9_363_577)
    ('950 B', '9.36 MB')
    """
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{_three(n_bytes / scale)} {unit}"
    return f"{n_bytes:.0f} B"


def parse_size(text: str) -> int:
    """Bytes of a number with a unit: kB, MB, GB, TB, or KiB, MiB, GiB, TiB.

    >>> parse_size("256MB"), parse_size("1.5 GiB"), parse_size("4096")
    (256000000, 1610612736, 4096)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kmgt]?)(i?)b?)", text.strip(), re.IGNORECASE)
    if found is None or (found[3] and not found[2]):
        raise ArgumentError(f"a size is bytes, or a number with a unit as in 256MB, got {text!r}")
    step = 1024 if found[3] else 1000
    size = int(float(found[1]) * step ** " kmgt".index(found[2].lower() or " "))
    if size < 1:
        raise ArgumentError(f"a size is 1 byte or more, got {text!r}")
    return size


def rate(per_s: float) -> str:
    """Events a second.

    >>> rate(10_812_345), rate(12.5)
    ('10.8 Mev/s', '12.5 ev/s')
    """
    for unit, scale in (("Gev/s", 1e9), ("Mev/s", 1e6), ("kev/s", 1e3)):
        if per_s >= scale:
            return f"{_three(per_s / scale)} {unit}"
    return f"{_three(per_s)} ev/s"


def duration(us: float) -> str:
    """A length of time given in microseconds.

    >>> duration(300), duration(8_801), duration(1_500_000), duration(3_723_000_000)
    ('300 us', '8.80 ms', '1.50 s', '1:02:03')
    """
    if us < 1_000:
        return f"{us:.0f} us"
    if us < 1_000_000:
        return f"{_three(us / 1e3)} ms"
    if us < 120_000_000:
        return f"{_three(us / 1e6)} s"
    return clock(us / 1e6)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> clock(75), clock(3723)
    ('1:15', '1:02:03')
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def count(number: int, thing: str) -> str:
    """A number of things.

    >>> count(1, "event"), count(1200, "event")
    ('1 event', '1,200 events')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def resolution(value: Sequence[int] | None) -> str:
    """`640x480`, or a dash where it is not known."""
    return f"{value[0]}x{value[1]}" if value else "-"


def dropped(kinds: dict[str, int]) -> str:
    """What was not kept, by kind.

    >>> dropped({"unknown_words": 12})
    '12 unknown_words'
    """
    return ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))


def fields(pairs: Sequence[tuple[str, str]], indent: str = "") -> None:
    """Print names and values in two columns; a pair without a value is left out."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        echo(f"{indent}{name:<{width}}  {value}")


def shell(arguments: Sequence[str]) -> str:
    """`evstore` with these arguments, as it is typed."""
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(["evstore", *arguments])
    import shlex

    return shlex.join(["evstore", *arguments])


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    """Print a table: the first ``left`` columns to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in (head, *rows):
        cells = [
            f"{cell:<{width}}" if i < left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        echo("  ".join(cells).rstrip())


def _three(value: float) -> str:
    """Three significant digits, never an exponent."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
