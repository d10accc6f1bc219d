"""40-bit records of ATIS recordings: N-MNIST and N-Caltech101 ``.bin``, SLAYER ``.bs2``.

Layout and overflow marker: gorchard/event-Python, eventvision.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import FormatError
from evstore.formats.decoding import batches
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.records import Records, read_head

if TYPE_CHECKING:
    from evstore.formats.records_writer import Writer

NAME = "bin40"
TITLE = "40-bit .bin (N-MNIST, N-Caltech101, SLAYER .bs2)"
SUFFIXES = (".bin", ".bs2")
INPUT_FORMATS = (NAME,)
WRITES = True
SEEKS = False
KEEPS = ()
CHECKED = ("files", "tonic")
RESTORES = "byte for byte"

#: Nothing in the bytes names the format, so the registry asks for one of the suffixes too.
NEEDS_SUFFIX = True

RECORD_BYTES = 5
TIME_BITS = 23
OVERFLOW_ROW = 240
OVERFLOW_US = 8192


def probe(head: bytes, size: int | None) -> bool:
    """Whether the bytes could be records: a whole number of them, no row beyond the sensor's 240,
    and time that never steps back by more than an overflow marker adds.
    """
    whole = len(head) // RECORD_BYTES
    if whole == 0 or (len(head) if size is None else size) % RECORD_BYTES:
        return False
    table = np.frombuffer(head, np.uint8, whole * RECORD_BYTES).reshape(whole, RECORD_BYTES)
    table = table.astype(np.int64)
    marks = table[:, 1] == OVERFLOW_ROW
    t = (table[:, 2] & 127) << 16 | table[:, 3] << 8 | table[:, 4]
    t = (t + OVERFLOW_US * np.cumsum(marks))[~marks]
    return bool((table[:, 1] <= OVERFLOW_ROW).all() and (np.diff(t) >= -OVERFLOW_US).all())


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Events lazily; the file says nothing of its geometry.

    Raises FormatError for an empty file; one whose size is no multiple of 5 raises
    TruncatedError after its last whole event.
    """
    head = read_head(stream)
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    records = Records(stream, np.uint8, RECORD_BYTES, head)
    return Reading(NAME, None, batches(records, _Decoder(), options.batch_events, {}))


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int] | None,
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer:
    """What takes events; ``rebase`` makes the first time 0.

    The resolution and the metadata have no place in the file.
    """
    from evstore.formats import bin40_writer

    return bin40_writer.writer(stream, rebase)


class _Decoder:
    def __init__(self) -> None:
        from evstore.formats import bin40_kernels as kernels

        self._decode = kernels.decode
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        position, filled = self._decode(words, position, *into[:4], filled, self._state)
        return position, filled

    def take_triggers(self) -> Triggers | None:
        return None

    def dropped(self) -> dict[str, int]:
        return {}
