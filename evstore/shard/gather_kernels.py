"""Which chunks of several short recordings to read, and where each is put."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.bitpack_kernels import BLOCK
from evstore.codec.packed_decode_kernels import PIECE
from evstore.jit import kernel
from evstore.shard.chunks import COLUMN, FIELDS

RECORDING, CODEC, FIRST_EVENT = COLUMN["recording"], COLUMN["codec"], COLUMN["first_event"]
COUNT, T_MIN, T_MAX = COLUMN["count"], COLUMN["t_min"], COLUMN["t_max"]
OFFSET, SIZE = COLUMN["offset"], COLUMN["size"]

ABOUT = 5  # numbers that a recording's directory says of it: see choose_chunks
READ = 4  # numbers that say what to read: see choose_chunks
ALIGN = 64

# What `choose_chunks` gives in `found`.
KEPT, READS, N_BYTES = 0, 1, 2


@kernel
def choose_chunks(
    rows: NDArray[np.int64],
    about: NDArray[np.int64],
    within: NDArray[np.int64],
    pieces: NDArray[np.int64],
    codecs: NDArray[np.int64],
    reads: NDArray[np.int64],
    bounds: NDArray[np.int64],
    found: NDArray[np.int64],
) -> bool:
    """Whether the rows are those of the recordings; then which of them are wanted.

    ``rows``: FIELDS numbers a chunk, those of one recording after the other. ``about``: ABOUT
    numbers a recording: its number, chunks, first event, events, and whether only events of the
    times ``within`` (two numbers) are wanted. What is found: ``pieces``, PIECE numbers for each
    chunk wanted, of which the first two say where it is put, and how long it is; its codec;
    ``reads``, READ numbers each: which recording's file, where in it, where that goes, how long;
    ``bounds``: where each recording's events begin, and behind the last one where they end. All
    have room for all chunks, ``bounds`` for one more than there are recordings.
    """
    k = kept = n_reads = at = to = 0
    for s in range(about.size // ABOUT):
        number, chunks, first = about[ABOUT * s], about[ABOUT * s + 1], about[ABOUT * s + 2]
        end = first + about[ABOUT * s + 3]
        bounds[s] = to
        behind = np.int64(-1)  # in the file, of the chunk that was read last
        for i in range(k, k + chunks):
            row = rows[FIELDS * i : FIELDS * (i + 1)]
            if row[RECORDING] != number or row[FIRST_EVENT] != first:
                return False
            first += row[COUNT]
            if about[ABOUT * s + 4] and (
                row[T_MAX] < within[2 * s] or row[T_MIN] >= within[2 * s + 1]
            ):
                continue
            if row[OFFSET] != behind:
                at += -at % ALIGN
                read = reads[READ * n_reads : READ * (n_reads + 1)]
                read[0], read[1], read[2], read[3] = s, row[OFFSET], at, 0
                n_reads += 1
            reads[READ * n_reads - 1] += row[SIZE]
            piece = pieces[PIECE * kept : PIECE * (kept + 1)]
            piece[0], piece[1], piece[2] = at, row[SIZE], row[COUNT]
            piece[3], piece[4], piece[5] = 0, (row[COUNT] + BLOCK - 1) // BLOCK, to
            codecs[kept] = row[CODEC]
            behind = row[OFFSET] + row[SIZE]
            at += row[SIZE]
            to += row[COUNT]
            kept += 1
        if first != end:
            return False
        k += chunks
    bounds[about.size // ABOUT] = to
    found[KEPT], found[READS], found[N_BYTES] = kept, n_reads, at
    return True
