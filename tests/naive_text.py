"""Text tables read with decimal.Decimal and str.split: slow, independent, obviously right."""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal

# Enough digits for every number that a test writes, so that nothing is rounded on the way.
EXACT = Context(prec=5000, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN)
PLACES = {"s": 6, "ms": 3, "us": 0, "ns": -3}
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def time(text: str, unit: str) -> int:
    """Microseconds, half to even; ValueError for what is no number or beyond int64."""
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    exact = EXACT.scaleb(EXACT.create_decimal(text), PLACES[unit])
    if exact.copy_abs() > Decimal(2**64):
        raise ValueError(text)
    value = int(exact.to_integral_value(ROUND_HALF_EVEN, EXACT))
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def coordinate(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    exact = Decimal(text)
    if exact != exact.to_integral_value(context=EXACT) or not 0 <= exact <= 65_535:
        raise ValueError(text)
    return int(exact)


def polarity(text: str) -> int:
    if text.lower() in ("true", "false"):
        return int(text.lower() == "true")
    if not NUMBER.fullmatch(text) or Decimal(text) not in (-1, 0, 1):
        raise ValueError(text)
    return int(Decimal(text) == 1)


def table(text: str, columns: str, delimiter: str, unit: str) -> list[tuple[int, int, int, int]]:
    """(t, x, y, p) of each line up to the first that is no event; ``_`` is a column not kept."""
    events = []
    for line in text.split("\n"):
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        fields = line.split() if delimiter == " " else line.split(delimiter)
        fields = [field.strip(" \t") for field in fields]
        if len(fields) != len(columns):
            break
        by_column = dict(zip(columns, fields, strict=True))
        try:
            events.append(
                (
                    time(by_column["t"], unit),
                    coordinate(by_column["x"]),
                    coordinate(by_column["y"]),
                    polarity(by_column["p"]),
                )
            )
        except ValueError:
            break
    return events
