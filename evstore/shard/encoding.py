"""Events to CHUNK records and the hashes of their leaves: all that helpers do beside the writer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from evstore.codec.chunk import scratch
from evstore.codec.modelled_room import Workspace, encode_room
from evstore.codec.packed_encode_kernels import MEASURES, worst_words
from evstore.codec.presets import CODECS, MODELLED, PACKED
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard.chunks import CHECK_BYTES, COLUMN
from evstore.shard.leaf_kernels import CHECK_WORDS, LEAF_BODY, ROW, encode_chunks
from evstore.shard.record_kernels import HEAD_ROOM
from evstore.shard.root import LEAF_EVENTS, body_of, hash_of_body

assert len(COLUMN) == ROW


class Room(NamedTuple):
    """What encoding needs beside the events; one of them serves one thread."""

    words: NDArray[np.uint16]
    octets: NDArray[np.uint8]  # the same memory
    deltas: NDArray[np.uint64]
    low: NDArray[np.uint16]
    runs: NDArray[np.uint16]
    body: NDArray[np.uint8]
    space: Workspace | None  # of codec 2


class Encoded(NamedTuple):
    """Records of consecutive chunks, and what the index says of them."""

    records: list[memoryview]  # in the room that was used
    rows: NDArray[np.int64]  # (chunks, ROW), see COLUMN; offsets count from the first record
    leaves: list[bytes]  # the hash of each, where it was asked for


def room(step: int, leaves: int = 1, codec: int = PACKED) -> Room:
    """Room for whole leaves in chunks of ``step`` events."""
    chunks = leaves * -(-LEAF_EVENTS // step)
    words = np.empty(chunks * chunk_words(step), np.uint16)
    space = encode_room(step) if codec == MODELLED else None
    return Room(words, words.view(np.uint8), *scratch(), body_of(leaves * LEAF_EVENTS), space)


def chunk_words(step: int) -> int:
    """Words that no record of ``step`` events exceeds."""
    return HEAD_ROOM // 2 + worst_words(step) + CHECK_WORDS


def encode(
    events: Events,
    step: int,
    number: int,
    codec: int,
    first_event: int,
    using: Room,
    hashed: bool = True,
) -> Encoded:
    """Chunks of ``step`` events of recording ``number``, in one call whatever their number.

    The events are whole leaves, each of which is ``hashed``; or they lie within one. The
    columns are contiguous and writeable. Raises ArgumentError for more than there is room for.
    """
    whole, rest = divmod(len(events), LEAF_EVENTS)
    count = whole * -(-LEAF_EVENTS // step) + -(-rest // step)
    fits = count * chunk_words(step) <= using.words.size and whole * LEAF_BODY <= using.body.size
    if codec not in CODECS or not fits:
        raise ArgumentError(f"no room for {count} chunks of {step} events of codec {codec}")
    measures = np.empty(count * MEASURES, np.int64)
    rows = np.empty((count, ROW), np.int64)
    about = np.array([number, first_event], np.int64)
    bits = np.empty((whole if hashed else 0, 3), np.int64)
    words, octets, deltas, low, runs, body, space = using
    encode_chunks(
        events.t, events.x, events.y, events.p, step, about,
        words, octets, deltas, low, runs, measures, rows.reshape(-1), bits.reshape(-1), body,
        space if codec == MODELLED else None,
    )  # fmt: skip
    return Encoded(_checked(octets.data, rows), rows, _hashes(events, bits, body))


def _hashes(events: Events, bits: NDArray[np.int64], body: NDArray[np.uint8]) -> list[bytes]:
    """The hash of each leaf that ``bits`` has a row of."""
    hashes = []
    for k, (t_bits, x_bits, y_bits) in enumerate(bits.tolist()):
        t_first = int(events.t[k * LEAF_EVENTS])
        used = (t_bits, x_bits, y_bits)
        hashes.append(hash_of_body(LEAF_EVENTS, t_first, used, body[k * LEAF_BODY :]))
    return hashes


def _checked(view: memoryview, rows: NDArray[np.int64]) -> list[memoryview]:
    """The records, each with its check; the rows' offsets then count as if they were together."""
    records = []
    offset, size_of = COLUMN["offset"], COLUMN["size"]
    for start, size in rows[:, [offset, size_of]].tolist():
        record = view[start : start + size]
        check = xxhash.xxh3_64_intdigest(record[:-CHECK_BYTES])
        record[-CHECK_BYTES:] = check.to_bytes(CHECK_BYTES, "little")
        records.append(record)
    rows[0, offset] = 0
    rows[1:, offset] = np.cumsum(rows[:-1, size_of])
    return records
