"""The order of names as people count: of a manifest's rows, of classes, of files."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"(\d+)")
_COUNTED = 640  # digits that Python makes a number of wherever it runs; the others are text


def natural(text: str) -> list[tuple[int, str]]:
    """A key by which "2" comes before "10"; of two texts only equal ones have the same.

    The rows of a manifest are in this order, and labels are the places of classes in it: what
    changes it makes other numbers of the same samples and labels.

    >>> sorted(["10", "9", "a10", "a9", "B", "a09", "a"], key=natural)
    ['9', '10', 'B', 'a', 'a09', 'a9', 'a10']
    """
    parts = _DIGITS.split(text)
    return [(int(p[:_COUNTED]), p) if i % 2 else (0, p) for i, p in enumerate(parts)]
