"""Prophesee EVT3: 16-bit words. https://docs.prophesee.ai/stable/data/encoding_formats/evt3.html"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats import prophesee_header
from evstore.formats.decoding import TriggerBuffer, Words, batches
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.records import Records, read_head

if TYPE_CHECKING:
    from evstore.formats.prophesee_writer import Writer

NAME = "evt3"
TITLE = "Prophesee EVT3"
SUFFIXES = (".raw",)
INPUT_FORMATS = (NAME,)
WRITES = True
ORIGIN = "top-left"
TAKES = ("triggers",)  # side streams that `write_batch` writes
SEEKS = False
KEEPS = ("triggers",)
CHECKED = ("files", "evt3")

WORD_BYTES = 2
TIME_BITS = 24
ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8 = 0x0, 0x2, 0x3, 0x4, 0x5
TIME_LOW, CONTINUED_4, TIME_HIGH, EXT_TRIGGER = 0x6, 0x7, 0x8, 0xA
IMU, OTHERS, CONTINUED_12 = 0xD, 0xE, 0xF

_DROPPED = {
    0x1: "reserved_0x1_words",
    CONTINUED_4: "continued_4_words",
    0x9: "reserved_0x9_words",
    0xB: "unused_0xb_words",
    0xC: "unused_0xc_words",
    IMU: "imu_words",
    OTHERS: "others_words",
    CONTINUED_12: "continued_12_words",
    16: "events_before_time_high",
    17: "events_before_addr_y",
    18: "events_before_vect_base_x",
    19: "triggers_before_time_high",
    20: "slave_marks_of_addr_y",
}


def probe(head: bytes, size: int | None) -> bool:
    """Whether the header names EVT3."""
    return prophesee_header.says(head, "EVT3")


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, events lazily.

    Raises UnsupportedError for another encoding, FormatError where there is no header.
    """
    head = read_head(stream)
    header = prophesee_header.read(head)
    prophesee_header.require_encoding(header, "EVT3")
    size, key = prophesee_header.resolution(header)
    start = len(header.raw)
    records = Records(stream, "<u2", WORD_BYTES, head[start:], offset=start)
    dropped: dict[str, int] = {}
    return Reading(
        NAME,
        size,
        batches(records, Decoder(records), options.batch_events, dropped),
        metadata=prophesee_header.metadata(header, key),
        header=header.raw,
        dropped=dropped,
    )


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int],
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer:
    """Write the header and give back what takes events; ``rebase`` makes the first time 0.

    Raises ArgumentError for a resolution that is no size.
    """
    from evstore.formats import evt3_writer

    return evt3_writer.writer(stream, resolution, metadata, rebase=rebase)


class Decoder:
    """EVT3 words to events, here and in ROS bags; ``records`` says where errors are."""

    def __init__(self, records: Words) -> None:
        from evstore.formats import evt3_kernels as kernels

        self._records = records
        self._kernels = kernels
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[[kernels.HIGH, kernels.ROW, kernels.BASE]] = -1
        self._counts = np.zeros(kernels.COUNTS_SIZE, np.int64)
        self._triggers = TriggerBuffer()

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        """See `decoding.Decoder`, as below. Raises CorruptError where x is beyond any sensor."""
        position, filled = self._kernels.decode(
            words, position, *into[:4], filled, self._state, self._counts, *self._triggers.columns
        )
        if self._state[self._kernels.FAULT]:
            raise CorruptError(
                "a vector word reaches beyond any sensor",
                offset=self._records.offset + WORD_BYTES * position,
                field="x",
                expected="0..65535",
                got=int(self._state[self._kernels.BASE]),
            )
        return position, filled

    def take_triggers(self) -> Triggers | None:
        """The triggers met since the last call."""
        count = int(self._state[self._kernels.TRIGGERS])
        self._state[self._kernels.TRIGGERS] = 0
        return self._triggers.take(count)

    def dropped(self) -> dict[str, int]:
        """What was not kept so far, by kind."""
        return {name: int(self._counts[k]) for k, name in _DROPPED.items() if self._counts[k]}
