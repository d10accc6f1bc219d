"""One way to select events: by time, region and polarity."""

from __future__ import annotations

from dataclasses import dataclass

from evstore.errors import ArgumentError

UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
LARGEST_US = 1 << 63


@dataclass(frozen=True)
class Selection:
    """Events with ``start <= t < stop`` inside ``roi`` and of ``polarity``; None selects all.

    Times are microseconds of the file's own clock, or since the recording's first event where
    ``relative``. ``roi`` is ``(x0, y0, x1, y1)``, x1 and y1 outside.
    """

    start: int | None = None
    stop: int | None = None
    relative: bool = False
    roi: tuple[int, int, int, int] | None = None
    polarity: int | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.stop is not None and self.start > self.stop:
            raise ArgumentError(f"start {self.start} us lies after stop {self.stop} us")
        if self.roi is not None and not (
            0 <= self.roi[0] < self.roi[2] and 0 <= self.roi[1] < self.roi[3]
        ):
            raise ArgumentError(f"a region is x0,y0,x1,y1 with x0 < x1 and y0 < y1, got {self.roi}")
        if self.polarity not in (None, 0, 1):
            raise ArgumentError(f"polarity is 1 (ON), 0 (OFF) or None, got {self.polarity!r}")

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return (self.start, self.stop, self.roi, self.polarity) == (None,) * 4

    def absolute(self, t_first: int) -> Selection:
        """The same selection on the file's own clock."""
        if not self.relative:
            return self
        start = None if self.start is None else self.start + t_first
        stop = None if self.stop is None else self.stop + t_first
        return Selection(start, stop, False, self.roi, self.polarity)


def parse_time(text: str) -> int:
    """Microseconds of ``1.5s``, ``20ms``, ``300us``, ``2min``, ``1h``; a bare number is itself.

    >>> parse_time("1.5s"), parse_time("-20ms"), parse_time("7")
    (1500000, -20000, 7)
    """
    from decimal import Decimal

    number, scale = text.strip(), 1
    for unit in sorted(UNITS_US, key=len, reverse=True):
        if number.endswith(unit):
            number, scale = number[: -len(unit)], UNITS_US[unit]
            break
    try:
        value = Decimal(number) * scale
        if abs(value) > LARGEST_US:  # and before an integer of that many digits is made
            raise ArgumentError(f"time {text!r} lies beyond 64 bits of microseconds")
        if value != value.to_integral_value():
            raise ArgumentError(f"time {text!r} is finer than a microsecond")
        return int(value)
    except ArithmeticError:
        raise ArgumentError(
            f"time must be a number with us, ms, s, min or h, as in 1.5s, got {text!r}"
        ) from None


def parse_roi(text: str) -> tuple[int, int, int, int]:
    """A region of ``x0,y0,x1,y1``.

    >>> parse_roi("0,0,320,240")
    (0, 0, 320, 240)
    """
    try:
        x0, y0, x1, y1 = (int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"a region is x0,y0,x1,y1, as in 0,0,320,240, got {text!r}") from None
    return x0, y0, x1, y1


def parse_polarity(text: str) -> int | None:
    """1 of ``on``, 0 of ``off``, None of ``both``."""
    names = {"on": 1, "off": 0, "both": None}
    if text.lower() not in names:
        raise ArgumentError(f"polarity is on, off or both, got {text!r}")
    return names[text.lower()]
