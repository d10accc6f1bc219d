"""Which column of a table is which: by its name, or by what the user says; never guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evstore.errors import ArgumentError, FormatError
from evstore.events import COLUMNS
from evstore.formats.reading import ReadOptions

#: Decimal places from a unit of time to microseconds.
UNIT_PLACES = {"s": 6, "ms": 3, "us": 0, "ns": -3}

#: What `--columns` calls a column that is not kept.
NOT_KEPT = "_"

#: The largest width or height that uint16 coordinates can fill.
SIDE_MAX = 65_536

_NAMES = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on"),
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names}
_TIME = re.compile(r"(t|ts|time|timestamps?)(?:_(s|ms|us|ns)|\s*[\[(](s|ms|us|ns)[\])])?")


@dataclass(frozen=True)
class Layout:
    """The columns of a table in order: ``roles`` t, x, y, p, or "" for one that is not kept.

    ``time_unit`` is what the time column's name says, None where it is silent; ``resolution``
    likewise (faery writes ``x@320,y@240``).
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    time_unit: str | None = None
    resolution: tuple[int, int] | None = None

    @property
    def extra(self) -> list[str]:
        """Names of the columns that are not kept."""
        return [n for n, role in zip(self.names, self.roles, strict=True) if not role]

    def name_of(self, role: str) -> str:
        """What the file calls a column."""
        return self.names[self.roles.index(role)]

    @property
    def renamed(self) -> dict[str, str]:
        """The file's own names, where they are not t, x, y, p."""
        return {role: self.name_of(role) for role in COLUMNS if self.name_of(role) != role}


def role_of(name: str) -> tuple[str, str | None]:
    """(t, x, y, p or "" for any other, the unit of time that the name says) of a column's name.

    >>> role_of("Timestamp_ns"), role_of("polarity"), role_of("z")
    (('t', 'ns'), ('p', None), ('', None))
    """
    plain = name.strip().lower().partition("@")[0]
    if time := _TIME.fullmatch(plain):
        return "t", time[2] or time[3]
    return _ROLES.get(plain, ""), None


def named_layout(names: Sequence[str]) -> Layout | None:
    """The layout that column names give; None where they do not name all of t, x, y and p.

    Raises FormatError where two columns claim one role.

    >>> named_layout(["timestamp_us", "x@320", "y@240", "on"]).resolution
    (320, 240)
    """
    roles, unit, sides = [], None, {}
    for name in names:
        _, _, side = name.strip().partition("@")
        role, named_unit = role_of(name)
        unit = named_unit or unit
        if role and side.isascii() and side.isdigit() and len(side) < 6:
            sides[role] = int(side)
        roles.append(role)
    for role in COLUMNS:
        if roles.count(role) > 1:
            twice = [n for n, r in zip(names, roles, strict=True) if r == role]
            raise FormatError(
                f"several columns could be {role!r}",
                got=", ".join(twice)[:80],
                hint="say which with --columns, and call the others _",
            )
    if any(role not in roles for role in COLUMNS):
        return None
    resolution = (sides["x"], sides["y"]) if "x" in sides and "y" in sides else None
    return Layout(tuple(names), tuple(roles), unit, resolution if is_size(resolution) else None)


def told_layout(options: ReadOptions, count: int) -> Layout:
    """The layout that ``--columns`` gives to a table of ``count`` columns.

    Raises ArgumentError where the option is missing, or does not fit the table.
    """
    columns = options.columns
    if columns is None or options.time_unit is None:
        missing = [
            flag
            for flag, value in (
                ("--columns (as in --columns x,y,p,t)", columns),
                ("--time-unit (one of s, ms, us, ns)", options.time_unit),
            )
            if value is None
        ]
        raise ArgumentError(
            f"the table does not say what its {count} columns are: pass {' and '.join(missing)}"
        )
    named = sorted(column for column in columns if column != NOT_KEPT)
    if named != sorted(COLUMNS):
        raise ArgumentError(
            "--columns must name each of t, x, y, p once, and _ for what is not kept, "
            f"got {','.join(columns)}"
        )
    if len(columns) != count:
        raise ArgumentError(
            f"--columns names {len(columns)} columns, the table has {count}: "
            f"write {NOT_KEPT} for each that is not kept"
        )
    return Layout(tuple(columns), tuple("" if c == NOT_KEPT else c for c in columns))


def chosen_unit(layout: Layout, options: ReadOptions) -> str | None:
    """The unit of time that the name or ``--time-unit`` says; None where both are silent.

    Raises ArgumentError for a unit there is not, and where the two differ.
    """
    told = options.time_unit
    if told is not None and told not in UNIT_PLACES:
        raise ArgumentError(f"--time-unit must be one of {', '.join(UNIT_PLACES)}, got {told!r}")
    if told is not None and layout.time_unit not in (None, told):
        raise ArgumentError(
            f"--time-unit {told} contradicts the column name {layout.name_of('t')!r}"
        )
    return told or layout.time_unit


def is_size(resolution: tuple[int, int] | None) -> bool:
    """Whether it is a width and a height that uint16 coordinates can fill."""
    return resolution is not None and all(0 < side <= SIDE_MAX for side in resolution)
