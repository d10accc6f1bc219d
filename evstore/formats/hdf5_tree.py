"""Where an HDF5 file keeps events: found by the names and shapes of what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evstore.errors import ArgumentError, FormatError, UnsupportedError
from evstore.events import COLUMNS
from evstore.formats.columns import Layout, named_layout, told_layout
from evstore.formats.hdf5_file import find, hdf5_errors, names
from evstore.formats.reading import ReadOptions

#: Groups below groups that are looked into, and objects that are looked at.
DEPTH = 16
OBJECTS = 1_000_000

#: Names of a group that are looked at to tell a set of one dataset a sample.
FEW = 8

#: Columns of an (N, 4) dataset.
ROW_COLUMNS = 4

#: The datasets of MVSEC (https://daniilidis-group.github.io/mvsec), x, y, t in seconds, p.
MVSEC = ("davis/left/events", "davis/right/events")
MVSEC_ORDER = ("x", "y", "t", "p")

_NUMBERS = "iuf"


@dataclass(frozen=True)
class Found:
    """Events at ``path``: a group of ``columns``, a ``compound`` dataset or (N, 4) ``rows``.

    ``layout`` says which column is which, None for rows that the user must tell.
    """

    path: str
    kind: str
    layout: Layout | None

    def paths(self) -> list[str]:
        """The datasets of t, x, y and p; one where they share it."""
        if self.kind != "columns" or self.layout is None:
            return [self.path]
        prefix = "" if self.path == "/" else f"{self.path}/"
        return [prefix + self.layout.name_of(role) for role in COLUMNS]


def survey(file: Any) -> list[Found]:
    """All events of a file; (N, 4) datasets without a known order only where that is all."""
    found = list(_walk(file))
    return [one for one in found if one.layout is not None] or found


def at_path(file: Any, path: str, options: ReadOptions) -> Found:
    """The events at a path that the user names, without a look at the rest of the file.

    Raises ArgumentError where there is nothing there, FormatError where it holds no events.
    """
    path = path.strip("/") or "/"
    node = file if path == "/" else find(file, path)
    if node is None:
        raise ArgumentError(f"the file has no group or dataset {path!r}")
    with hdf5_errors(f"damaged HDF5 at {path!r}"):
        found = _described(path, node, _members(node))
    if found is None and options.columns is not None:
        found = _told(path, node, options)
    if found is None:
        raise FormatError(
            f"{path!r} holds no events",
            expected="the columns t, x, y and p, or fields of these names, or shape (N, 4)",
        )
    return found


def with_columns(found: Found, file: Any, options: ReadOptions) -> Layout:
    """The layout, by what the user says where the file is silent."""
    if found.kind == "columns" and options.columns is not None:
        raise ArgumentError("the HDF5 file names its columns itself: leave --columns out")
    if options.columns is None and found.layout is not None:
        return found.layout
    if found.kind == "rows":
        return told_layout(options, ROW_COLUMNS)
    fields = find(file, found.path).dtype.names
    return Layout(fields, told_layout(options, len(fields)).roles)


def others(file: Any, found: Found) -> list[str]:
    """The datasets beside columns, or beside MVSEC's events, that hold something else."""
    import h5py

    if found.kind != "columns" and found.path not in MVSEC:
        return []
    group = found.path if found.kind == "columns" else found.path.rpartition("/")[0]
    members = _members(file if group == "/" else find(file, group))
    used = {path.rpartition("/")[2] for path in found.paths()}
    return [name for name, node in members if isinstance(node, h5py.Dataset) and name not in used]


def label_of(file: Any, found: Found) -> str | None:
    """Of a sample in a set of one dataset a sample: its group's name, where that is the class.

    A set is told by the first other dataset in a group at the top, which holds events too.
    """
    group, _, sample = found.path.partition("/")
    if found.kind != "compound" or not sample or "/" in sample:
        return None
    for top in (group, *_first_names(file)):
        node = _hard(file, top)
        for name in _first_names(node):
            if (place := f"{top}/{name}") != found.path:
                other = _described(place, _hard(node, name), [])
                return group if other is not None and other.kind == "compound" else None
    return None


def _first_names(group: Any) -> list[str]:
    """A few names of a group: a list of all would be made for each sample anew."""
    import h5py

    found: list[str] = []

    def note(name: bytes) -> bool | None:
        found.append(name.decode("utf-8", "surrogateescape"))
        return True if len(found) == FEW else None  # anything but None ends the iteration

    if isinstance(group, h5py.Group):
        with hdf5_errors("damaged HDF5 group"):
            group.id.links.iterate(note)
    return found


def _told(path: str, node: Any, options: ReadOptions) -> Found | None:
    """A compound dataset whose fields do not name themselves, but the user does."""
    fields = node.dtype.names if _is_table(node) else None
    if not fields or node.ndim != 1:
        return None
    return Found(path, "compound", Layout(fields, told_layout(options, len(fields)).roles))


def _walk(file: Any) -> Iterator[Found]:
    """Every group and dataset once, in the file's order; a link may lead back up."""
    import h5py

    seen, looked_at = {_address(file)}, 0
    waiting = [("", file, 0)]
    while waiting:
        path, group, depth = waiting.pop()
        members = _members(group)
        below = []
        if (found := _described(path or "/", group, members)) is not None:
            yield found
        for name, node in members:
            looked_at += 1
            if looked_at > OBJECTS:
                raise UnsupportedError("an HDF5 file of too many objects", expected=f"{OBJECTS:,}")
            place = f"{path}/{name}".lstrip("/")
            if isinstance(node, h5py.Dataset):
                if (found := _described(place, node, [])) is not None:
                    yield found
            elif depth < DEPTH and (address := _address(node)) not in seen:
                seen.add(address)
                below.append((place, node, depth + 1))
        waiting += reversed(below)


def _address(group: Any) -> int:
    import h5py

    with hdf5_errors("damaged HDF5 group"):
        return int(h5py.h5o.get_info(group.id).addr)


def _members(node: Any) -> list[tuple[str, Any]]:
    """The groups and datasets of a group; none of what lies in other files or has no name."""
    import h5py

    if not isinstance(node, h5py.Group):
        return []
    found = []
    for name in names(node, OBJECTS):
        member = _hard(node, name)
        if isinstance(member, h5py.Group) or _is_table(member):
            found.append((name, member))
    return found


def _hard(group: Any, name: str) -> Any:
    """A member of a group; None for a link to elsewhere, and for what no terminal can show."""
    import h5py

    with hdf5_errors("damaged HDF5 group"):
        hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
        return group[name] if hard and name.isprintable() else None


def _is_table(node: Any) -> bool:
    """Whether it is a dataset with a dtype that numpy has."""
    import h5py

    if not isinstance(node, h5py.Dataset) or node.shape is None:
        return False
    try:
        return node.dtype is not None
    except (TypeError, ValueError, RuntimeError):
        return False


def _described(path: str, node: Any, members: Sequence[tuple[str, Any]]) -> Found | None:
    """What events a group or dataset holds, None where it holds none."""
    import h5py

    if isinstance(node, h5py.Group):
        return _columns(path, members)
    if not _is_table(node):
        return None
    if node.ndim == 1 and node.dtype.names is not None:
        layout = _named(node.dtype.names)
        return None if layout is None else Found(path, "compound", layout)
    if node.ndim == 2 and node.shape[1] == ROW_COLUMNS and node.dtype.kind in _NUMBERS:
        if path in MVSEC and node.dtype.kind == "f":
            return Found(path, "rows", Layout(MVSEC_ORDER, MVSEC_ORDER, "s"))
        return Found(path, "rows", None)
    return None


def _columns(path: str, members: Sequence[tuple[str, Any]]) -> Found | None:
    import h5py

    datasets = [(name, node) for name, node in members if isinstance(node, h5py.Dataset)]
    try:
        layout = _named([name for name, node in datasets if node.ndim == 1])
    except FormatError as error:
        error.field, error.hint = path, None  # a group's datasets have no order for --columns
        raise
    return None if layout is None else Found(path, "columns", layout)


def _named(given: Sequence[str]) -> Layout | None:
    """The layout of names, where t, x, y and p themselves go before others of like meaning."""
    if all(role in given for role in COLUMNS):
        return Layout(tuple(given), tuple(n if n in COLUMNS else "" for n in given))
    return named_layout(given)
