"""One chunk: events to a payload of 16-bit words and back, by the codec's number."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evstore.codec.chunk_kernels import measure_block
from evstore.codec.packed_decode_kernels import (
    BAD_FORM,
    BAD_LENGTH,
    BAD_POSITION,
    BAD_RUNS,
    PIECE,
    SCRATCH,
    decode,
)
from evstore.codec.packed_encode_kernels import DESCRIPTOR, MEASURES, encode, worst_words
from evstore.codec.presets import CODECS, MODELLED, PACKED, PRESETS
from evstore.errors import ArgumentError, CorruptError, UnsupportedError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events, check_polarity

BLOCK_EVENTS = 1024

_NO_T = np.empty(0, np.int64)
_NO_XY = np.empty(0, np.uint16)
_NO_P = np.empty(0, np.uint8)

_WHY = {
    BAD_LENGTH: "sections do not fill the payload",
    BAD_FORM: "a form, width or count that cannot be",
    BAD_POSITION: "an exception beyond its block",
    BAD_RUNS: "runs that do not fit their bitmap",
}


class Measures(NamedTuple):
    """What the index keeps of a chunk; ``x0 <= x < x1``, ``y0 <= y < y1``."""

    ordered: bool
    count: int  # type: ignore[assignment]  # a tuple has a method of that name
    t_first: int
    t_last: int
    t_min: int
    t_max: int
    x0: int
    y0: int
    x1: int
    y1: int
    n_on: int


def preset_codec(preset: str) -> int:
    """The codec of a preset's name; ArgumentError where there is none."""
    if preset not in PRESETS:
        raise ArgumentError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    return PRESETS[preset]


def measure(events: Events) -> Measures:
    """Times, bounding box and ON events of a chunk that is not empty."""
    found = np.empty(len(Measures._fields), np.int64)
    measure_block(events.t, events.x, events.y, events.p, True, found)
    ordered, *rest = found.tolist()
    return Measures(bool(ordered), *rest)


def encode_chunk(events: Events, codec: int = PACKED) -> NDArray[np.uint16]:
    """The payload of a chunk, as little-endian 16-bit words.

    >>> words = encode_chunk(Events([5, 6], [1, 2], [3, 3], [1, 1]))
    >>> decode_chunk(words, 2).t.tolist()
    [5, 6]
    """
    if codec not in CODECS:
        raise UnsupportedError(f"codec {codec} is not known", expected=PACKED, got=codec)
    if not len(events):
        raise ArgumentError("a chunk holds one event or more, got none")
    check_polarity(events.p)
    t, x, y, p = (np.ascontiguousarray(getattr(events, name)) for name in COLUMNS)
    if codec == MODELLED:
        return _encode_modelled(t, x, y, p)
    words, using = np.empty(worst_words(len(t)), np.uint16), scratch()
    used = encode(t, x, y, p, words, *using, np.empty(MEASURES, np.int64))
    return words[:used]


def _encode_modelled(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8]
) -> NDArray[np.uint16]:
    from evstore.codec.modelled_choice_kernels import ANY
    from evstore.codec.modelled_encode_kernels import encode_modelled
    from evstore.codec.modelled_room import EVENT_WORDS, MOST_TABLE_WORDS, encode_room

    words = np.empty(MOST_TABLE_WORDS + (EVENT_WORDS + 6) * len(t) + 128, np.uint16)
    extents = (x.min(), x.max(), y.min(), y.max())
    used = encode_modelled(t, x, y, p, extents, int(p.sum()), ANY, words, encode_room(len(t)))
    if used < 0:
        raise UnsupportedError(f"codec {MODELLED} does not hold these {len(t)} events")
    return words[:used]


def scratch() -> tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint16]]:
    """What the encoder needs beside events and room for words: deltas, low and runs."""
    low, runs = np.empty((2, BLOCK_EVENTS + 8), np.uint16)
    return np.empty(BLOCK_EVENTS + 8, np.uint64), low, runs


def decode_chunk(words: NDArray[np.uint16], count: int, codec: int = PACKED) -> Events:
    """All ``count`` events of a payload, in fresh arrays. Raises CorruptError."""
    events = Events.empty(length=count)
    piece = np.array([0, len(words), count, 0, blocks_of(count), 0])
    try:
        decode_blocks(words, piece, codec, events.t, events.x, events.y, events.p)
    except CorruptError as error:
        error.offset = None
        raise
    return events


class Rooms:
    """Memory that decoding uses again; one of them serves one thread."""

    def __init__(self) -> None:
        self._modelled: Any = None

    def modelled(self, events: int) -> Any:
        """Room for chunks of so many events."""
        if self._modelled is None or len(self._modelled.cells) < events:
            from evstore.codec.modelled_room import decode_room

            self._modelled = decode_room(events)
        return self._modelled


def _decode_modelled(
    words: NDArray[np.uint16],
    pieces: NDArray[np.int64],
    columns: Any,
    past: bool,
    rooms: Rooms | None,
) -> int:
    from evstore.codec.model_format import MOST_EVENTS
    from evstore.codec.modelled_decode_kernels import decode_chunks

    # Of a few chunks a list is faster than an array's maximum. The kernel refuses other counts.
    most = min(max([0, *pieces[2::PIECE].tolist()]), MOST_EVENTS)
    room = (rooms or Rooms()).modelled(most)
    t, x, y, p = columns
    return int(decode_chunks(words, pieces, t, x, y, p, past, room))


def has_blocks(codec: int) -> bool:
    """Whether blocks of a chunk can be decoded without the others."""
    return codec == PACKED


def blocks_of(count: int) -> int:
    """Blocks of a chunk of ``count`` events."""
    return -(-count // BLOCK_EVENTS)


def decode_blocks(
    words: NDArray[np.uint16],
    pieces: NDArray[np.int64],
    codec: int,
    t: NDArray[np.int64] | None,
    x: NDArray[np.uint16] | None,
    y: NDArray[np.uint16] | None,
    p: NDArray[np.uint8] | None,
    past: bool = False,
    rooms: Rooms | None = None,
) -> None:
    """Decode blocks of one or more chunks into contiguous arrays; a column that is None is not.

    ``pieces`` has PIECE numbers a chunk: start and stop of its payload in ``words``, its events,
    the first block wanted and the one after the last, where in the arrays they go. ``past``
    writes past the cache: faster for arrays larger than it, slower for others. Raises
    CorruptError (its ``offset`` is the number of the chunk) for an impossible payload,
    UnsupportedError for an unknown codec.
    """
    if codec not in CODECS:
        raise UnsupportedError(
            f"a chunk is coded by codec {codec}, which this evstore does not have",
            hint="update evstore to read it",
        )
    for name, column in (("t", t), ("x", x), ("y", y), ("p", p)):
        if column is not None and not is_plain(column, name):
            raise ArgumentError(
                f"column {name} must be a contiguous, writeable {COLUMN_DTYPES[name]} array, "
                f"got {column.dtype} with strides {column.strides}"
            )
    if not words.flags.writeable:
        # numba would compile the kernels again for read-only arrays.
        words = words.copy()
    columns = (
        _NO_T if t is None else t,
        _NO_XY if x is None else x,
        _NO_XY if y is None else y,
        _NO_P if p is None else p,
    )
    if codec == PACKED:
        why = decode(words, pieces, *columns, past, np.empty(SCRATCH, np.uint16))
    else:
        why = _decode_modelled(words, pieces, columns, past, rooms)
    if why:
        raise undecodable(why)


def undecodable(why: int) -> CorruptError:
    """What a decoding kernel refused; the error's ``offset`` is the number of the chunk."""
    reasons = [text for bit, text in _WHY.items() if why & bit]
    return CorruptError(
        f"chunk does not decode: {', '.join(reasons)}", offset=why // 256, field="payload"
    )


def is_plain(column: NDArray[Any], name: str) -> bool:
    """Whether the kernels, which know nothing of strides, may write to a column."""
    return bool(
        column.dtype == COLUMN_DTYPES[name]
        and column.ndim == 1
        and column.flags.c_contiguous
        and column.flags.writeable
    )


def block_times(words: NDArray[np.uint16], count: int) -> NDArray[np.int64]:
    """The first time of each block of a payload, without decoding."""
    blocks = blocks_of(count)
    if blocks * DESCRIPTOR > len(words):
        raise CorruptError("chunk does not decode: it is too short", field="payload")
    heads = words[: blocks * DESCRIPTOR].reshape(blocks, DESCRIPTOR)[:, :4]
    return np.ascontiguousarray(heads).view(np.int64).ravel()
