"""CHUNK records as they were read: checked, and where their payloads lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.packed_decode_kernels import PIECE
from evstore.shard.chunk_kernels import find_payloads
from evstore.shard.chunks import SMALLEST, check_fits


def checked_words(
    buffer: memoryview, size: int, pieces: NDArray[np.int64]
) -> tuple[NDArray[np.uint16], int]:
    """The words of the first ``size`` bytes, and the number of the first damaged record, or -1.

    ``pieces`` has PIECE numbers a record: where it starts and its bytes, which become where its
    payload starts and stops in the words.
    """
    places = zip(pieces[::PIECE].tolist(), pieces[1::PIECE].tolist(), strict=True)
    for k, (at, length) in enumerate(places):
        if length < SMALLEST or not check_fits(buffer, at, length):
            return _NO_WORDS, k
    bad = int(find_payloads(np.frombuffer(buffer, np.uint8, size), pieces, PIECE))
    # The whole buffer: a decoder looks a little ahead of what it uses.
    return np.frombuffer(buffer, "<u2", len(buffer) >> 1), bad


_NO_WORDS = np.empty(0, np.uint16)
