"""Prophesee HDF5 event files: ``/CD/events`` in chunks compressed with ECF, and triggers.

https://docs.prophesee.ai/stable/data/file_formats/hdf5.html. h5py opens the file and finds the
chunks; they are decoded here, so the vendor's HDF5 plugin is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import (
    ArgumentError,
    CorruptError,
    FormatError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats import prophesee_header
from evstore.formats.hdf5_file import (
    SIGNATURE,
    attributes,
    find,
    hdf5_errors,
    is_cut,
    names,
    open_hdf5,
    size_of,
)
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers

if TYPE_CHECKING:
    from evstore.formats.prophesee_hdf5_writer import Writer

NAME = "prophesee_hdf5"
TITLE = "Prophesee HDF5 (ECF)"
SUFFIXES = (".hdf5", ".h5")
INPUT_FORMATS = (NAME,)
WRITES = True
ORIGIN = "top-left"  # of what `writer` writes
TAKES = ("triggers",)  # side streams that `write_batch` writes
SEEKS = True
KEEPS = ("triggers",)
CHECKED = ("files",)

#: The container is parsed by libhdf5: a damaged file may end the process.
C_PARSED = True

VERSION = "1.0"
ECF_FILTER = 0x8ECF
CHUNK_EVENTS = 16_384
BLOCK_EVENTS = 65_535
INDEX_PERIOD = 2000

EVENTS, INDEXES = "CD/events", "CD/indexes"
TRIGGERS, TRIGGER_INDEXES = "EXT_TRIGGER/events", "EXT_TRIGGER/indexes"


def probe(head: bytes, size: int | None) -> bool:
    """Whether it is an HDF5 file with the vendor's two groups among its first names."""
    return head.startswith(SIGNATURE) and b"EXT_TRIGGER" in head and b"CD" in head


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Attributes now, events lazily.

    A file that is cut is read as far as its index and its chunks are there. Raises
    MissingDependencyError without h5py, FormatError where there is no ``/CD/events``,
    UnsupportedError for other records or filters.
    """
    if options.batch_events < 1:
        raise ArgumentError(f"batch_events must be at least 1, got {options.batch_events}")
    cut = is_cut(stream)
    try:
        return _read(stream, options, cut)
    except (CorruptError, FormatError) as error:
        if not cut or isinstance(error, (UnsupportedError, TruncatedError)):
            raise
        raise _cut_error(stream, 0) from error


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int],
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer:
    """Give back what takes events; ``rebase`` makes the first time 0.

    Raises ArgumentError for a resolution that is no size, MissingDependencyError without h5py.
    """
    from evstore.formats.prophesee_hdf5_writer import Writer

    return Writer(stream, resolution, metadata, rebase=rebase)


def _read(stream: BinaryIO, options: ReadOptions, cut: bool) -> Reading:
    file = open_hdf5(stream, cut=True)
    fields = {name.lower(): str(value) for name, value in attributes(file).items()}
    header = prophesee_header.Header(b"", fields)
    if not fields.get("version", VERSION).startswith("1."):
        raise UnsupportedError(
            "another version of the vendor's HDF5",
            field="version",
            expected=VERSION,
            got=fields["version"],
        )
    resolution, key = prophesee_header.resolution(header)
    metadata = prophesee_header.metadata(header, key)
    dropped: dict[str, int] = {}
    extra = sorted(set(names(file)) - {"CD", "EXT_TRIGGER"})
    if extra:
        metadata["extra_members"] = [name[:200] for name in extra[:100]]
        dropped["extra_members"] = len(extra)
    events = _table(file, EVENTS)
    if events is None:
        raise FormatError(
            "no Prophesee event file", expected=f"a dataset /{EVENTS}", got=names(file)[:10]
        )
    batches = _batches(file, events, stream, options.batch_events, dropped, cut)
    stated: dict[str, int | None] = {"events": len(events)}
    with suppress(FormatError):  # where they are damaged, the events may not be
        if (edges := _table(file, TRIGGERS)) is not None:
            stated["triggers"] = len(edges)
    return Reading(NAME, resolution, batches, metadata, b"", dropped, stated=stated)


def _table(file: Any, path: str) -> Any:
    """The dataset of one dimension at ``path``, its fields named; None where there is none."""
    import h5py

    found = find(file, path)
    if found is None:
        return None
    with hdf5_errors(f"damaged HDF5 at {path!r}"):
        if not isinstance(found, h5py.Dataset) or found.shape is None or len(found.shape) != 1:
            raise FormatError(f"/{path} is no dataset of one dimension")
        if found.dtype.names is None or not {"t", "p"} <= set(found.dtype.names):
            raise FormatError(
                f"/{path} holds no events", expected="fields x, y, p, t", got=found.dtype
            )
    return found


def _batches(
    file: Any, events: Any, stream: BinaryIO, limit: int, dropped: dict[str, int], cut: bool
) -> Iterator[Batch]:
    from evstore.formats.prophesee_hdf5_events import batches, edges

    size, count = size_of(stream), 0
    with file:
        try:
            triggers = _as_far_as_there(edges(_table(file, TRIGGERS), size, dropped), cut)
            for batch in _merged(batches(events, stream, size, limit, dropped), triggers):
                yield batch
                count += batch.t.size
        except CorruptError as error:
            if not cut:
                raise
            raise _cut_error(stream, count) from error
    if cut:
        raise _cut_error(stream, count)


def _as_far_as_there(edges: Iterator[Triggers], cut: bool) -> Iterator[Triggers]:
    """In a cut file, edges that are lost do not keep the events behind them from being read."""
    try:
        yield from edges
    except CorruptError:
        if not cut:
            raise


def _merged(batches: Iterator[Batch], edges: Iterator[Triggers]) -> Iterator[Batch]:
    """Each edge goes with the first batch that reaches its time; what is later comes at the end."""
    waiting = next(edges, None)
    latest: int | None = None
    for batch in batches:
        if waiting is not None and batch.t.size:
            highest = int(batch.t.max())
            latest = highest if latest is None else max(latest, highest)
            now, waiting = _until(latest, waiting)
            while waiting is None and now is not None and (more := next(edges, None)) is not None:
                later, waiting = _until(latest, more)
                if later is not None:
                    yield _only(now)
                    now = later
            batch = batch._replace(triggers=now)
        yield batch
    while waiting is not None:
        yield _only(waiting)
        waiting = next(edges, None)


def _until(time: int, edges: Triggers) -> tuple[Triggers | None, Triggers | None]:
    """The edges up to ``time``, and the rest; None for none."""
    count = int(np.searchsorted(np.maximum.accumulate(edges.t), time, side="right"))
    if count == 0:
        return None, edges
    if count == edges.t.size:
        return edges, None
    t, id_, p = edges
    now = Triggers(t[:count], id_[:count], p[:count])
    return now, Triggers(t[count:], id_[count:], p[count:])


def _only(edges: Triggers) -> Batch:
    none: NDArray[np.uint16] = np.empty(0, np.uint16)
    return Batch(np.empty(0, np.int64), none, none.copy(), np.empty(0, np.uint8), edges)


def _cut_error(stream: BinaryIO, events: int) -> TruncatedError:
    return TruncatedError("the HDF5 file ends early", safe_events=events, offset=size_of(stream))
