"""Numbers as people read them, in a page and in text alike."""

from __future__ import annotations

from typing import Any

from evstore.snn.report.reading import number

NOTHING = "-"  # what is not known


def short(value: Any) -> str:
    """Three significant digits.

    >>> short(1234567), short(0.01234), short(3), short(2.5e-7), short(None)
    ('1,234,567', '0.0123', '3', '2.5e-07', '-')
    """
    found = number(value)
    if found is None:
        return NOTHING
    if abs(found) >= 1e9:
        return f"{found:.3g}"
    if abs(found) >= 1000 or found == int(found):
        return f"{found:,.0f}"
    return f"{found:.3g}"


def percent(value: Any) -> str:
    """A share.

    >>> percent(0.4123), percent(0.001), percent(0), percent(None)
    ('41 %', '0.1 %', '0 %', '-')
    """
    found = number(value)
    if found is None:
        return NOTHING
    part = found * 100
    return f"{part:.0f} %" if part >= 9.95 else f"{part:.2g} %"


def tenths(value: Any) -> str:
    """A share of which tenths of a percent matter, as of accuracy.

    >>> tenths(0.97649)
    '97.6 %'
    """
    found = number(value)
    return NOTHING if found is None else f"{found * 100:.1f} %"


def seconds(value: Any) -> str:
    """A length of time.

    >>> seconds(0.0123), seconds(75), seconds(4000)
    ('12.3 ms', '75 s', '67 min')
    """
    found = number(value)
    if found is None:
        return NOTHING
    if found < 1:
        return f"{found * 1e3:.3g} ms"
    return f"{found:.3g} s" if found < 600 else f"{found / 60:.0f} min"
