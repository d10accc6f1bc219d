"""The rows of a Prophesee HDF5 file: ECF chunks decoded here, others by h5py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats import prophesee_hdf5_kernels as kernels
from evstore.formats.fresh import fresh
from evstore.formats.hdf5_file import Chunks, hdf5_errors, row_pieces
from evstore.formats.prophesee_hdf5 import BLOCK_EVENTS, ECF_FILTER
from evstore.formats.reading import Batch, Triggers
from evstore.formats.records import fill

#: What an ECF block decodes to, as HDF5 sees it.
RECORD = np.dtype(
    {
        "names": ["x", "y", "p", "t"],
        "formats": ["<u2", "<u2", "<i2", "<i8"],
        "offsets": [0, 2, 4, 8],
        "itemsize": 16,
    }
)

#: Trigger edges read at once.
EDGES = 16_384

#: More bytes than any encoder needs for an event (17 of time, 4 of y, 2 of x, 3 of p).
MOST_BYTES = 32

_FAULTS = {
    kernels.ENDS_EARLY: "an ECF block ends early",
    kernels.TOO_LONG_A_RUN: "an ECF block holds a run of more events than are left",
    kernels.TOO_LONG_A_STEP: "an ECF block holds a step of more than 64 bits",
}


def batches(
    dataset: Any, stream: BinaryIO, size: int, limit: int, dropped: dict[str, int]
) -> Iterator[Batch]:
    """The events of ``/CD/events``, at most ``limit`` at a time."""
    if ECF_FILTER not in _filters(dataset):
        first = 0
        for rows in row_pieces(dataset, size, limit):
            yield _columns(rows, first)
            first += len(rows)
        return
    _check_layout(dataset)
    blocks = _Blocks(Chunks(dataset, size), dataset.shape[0], dataset.chunks[0], stream)
    for first in range(0, blocks.events, blocks.length):
        t, x, y, p = _chunk(blocks, first, dropped)[:4]
        for at in range(0, t.size, limit):
            to = at + limit
            yield Batch(t[at:to], x[at:to], y[at:to], p[at:to])


def edges(dataset: Any, size: int, dropped: dict[str, int]) -> Iterator[Triggers]:
    """The rows of ``/EXT_TRIGGER/events``; ids that are no uint8 are counted as dropped."""
    if dataset is None:
        return
    first = 0
    for rows in row_pieces(dataset, size, EDGES):
        t, id_, p = (_field(rows, name, first) for name in ("t", "id", "p"))
        _check_bits(p, first)
        fits = (id_ >= 0) & (id_ <= 255)
        if not fits.all():
            kind = "triggers_of_ids_over_255"
            dropped[kind] = dropped.get(kind, 0) + int((~fits).sum())
            t, id_, p = t[fits], id_[fits], p[fits]
        if t.size:
            yield Triggers(_times(t, first), id_.astype(np.uint8), p.astype(np.uint8))
        first += len(rows)


def _filters(dataset: Any) -> list[int]:
    with hdf5_errors("damaged HDF5 filters"):
        plist = dataset.id.get_create_plist()
        return [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]


def _check_layout(dataset: Any) -> None:
    """Raise unless it is what the vendor's filter can decode, and nothing else is done to it."""
    filters = _filters(dataset)
    if filters != [ECF_FILTER]:
        raise UnsupportedError("ECF with other filters", expected=[ECF_FILTER], got=filters)
    if dataset.dtype != RECORD:
        raise UnsupportedError(
            "ECF of other records", field="dtype", expected=RECORD.descr, got=dataset.dtype
        )
    if dataset.chunks is None or not 1 <= dataset.chunks[0] <= BLOCK_EVENTS:
        raise UnsupportedError(
            "ECF in chunks of another length",
            field="chunks",
            expected=f"1 to {BLOCK_EVENTS} events",
            got=dataset.chunks,
        )


class _Blocks(NamedTuple):
    """What is asked of h5py once: asking for each chunk would take as long as decoding it."""

    chunks: Chunks
    events: int
    length: int
    stream: BinaryIO


def _chunk(blocks: _Blocks, first: int, dropped: dict[str, int]) -> Batch:
    """The events of the chunk that begins with event ``first``."""
    length, stream = blocks.length, blocks.stream
    wanted = min(length, blocks.events - first)
    offset, stored, mask = blocks.chunks.place(first)
    where = f"chunk of event {first:,}"
    if stored > length * MOST_BYTES + kernels.HEADER_BYTES:
        raise CorruptError("an ECF block is too long", offset=offset, field=where, got=stored)
    octets = bytearray(stored)
    stream.seek(offset)
    if fill(stream, memoryview(octets)) != stored:
        raise TruncatedError("the file became shorter", offset=offset, safe_events=first)
    data = np.frombuffer(octets, np.uint8)
    if mask & 1:
        raw = length * RECORD.itemsize
        if stored != raw:
            raise CorruptError(
                "an uncompressed chunk of another length",
                offset=offset,
                field=where,
                expected=raw,
                got=stored,
            )
        return _columns(data.view(RECORD)[:wanted], first)
    held = int.from_bytes(octets[: kernels.COUNT_BYTES], "little") >> 2
    if not wanted <= held <= length:
        raise CorruptError(
            "an ECF block of a wrong count",
            offset=offset,
            field=where,
            expected=f"{wanted} to {length} events",
            got=held,
        )
    into, taken = _block(data, held, offset, where)
    if taken < stored:
        kind = "bytes_behind_ecf_blocks"
        dropped[kind] = dropped.get(kind, 0) + stored - taken
    return Batch(into.t[:wanted], into.x[:wanted], into.y[:wanted], into.p[:wanted])


def _block(data: NDArray[np.uint8], held: int, offset: int, where: str) -> tuple[Batch, int]:
    """The block's events, with some values more, and how many of its bytes they took."""
    room = held + kernels.SLACK
    into = fresh(room)
    state = np.zeros(kernels.STATE_SIZE, np.int64)
    kernels.decode(data, into.t, into.x, into.y, into.p, state)
    fault, at = int(state[kernels.FAULT]), int(state[kernels.AT])
    if fault:
        raise CorruptError(_FAULTS[fault], offset=offset + at, field=where)
    return into, at


def _columns(rows: Any, first: int) -> Batch:
    """Rows that are not compressed with ECF, their fields of whatever integer type."""
    t, x, y, p = (_field(rows, name, first) for name in ("t", "x", "y", "p"))
    for name, column in (("x", x), ("y", y)):
        wrong = (column < 0) | (column > 65_535)
        if wrong.any():
            raise _impossible(name, column, wrong, first, "0..65535")
    _check_bits(p, first)
    x, y = x.astype(np.uint16), y.astype(np.uint16)
    return Batch(_times(t, first), x, y, p.astype(np.uint8))


def _field(rows: Any, name: str, first: int) -> NDArray[Any]:
    if name not in rows.dtype.names or rows.dtype[name].kind not in "iub":
        raise FormatError("the records have no such integers", field=name, got=rows.dtype)
    column: NDArray[Any] = rows[name]
    return column.astype(column.dtype.newbyteorder("="))


def _times(t: NDArray[Any], first: int) -> NDArray[np.int64]:
    if t.dtype == np.uint64 and (wrong := t > np.uint64(2**63 - 1)).any():
        raise _impossible("t", t, wrong, first, "less than 2^63")
    return t.astype(np.int64)


def _check_bits(p: NDArray[Any], first: int) -> None:
    wrong = (p != 0) & (p != 1)
    if wrong.any():
        raise _impossible("p", p, wrong, first, "0 or 1")


def _impossible(
    name: str, column: NDArray[Any], wrong: NDArray[np.bool_], first: int, expected: str
) -> CorruptError:
    k = int(np.argmax(wrong))
    return CorruptError(
        f"an impossible value in row {first + k:,}", field=name, expected=expected, got=column[k]
    )
