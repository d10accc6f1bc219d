"""Prophesee EVT2: 32-bit words. https://docs.prophesee.ai/stable/data/encoding_formats/evt2.html"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.formats import prophesee_header
from evstore.formats.decoding import TriggerBuffer, batches
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.records import Records, read_head

if TYPE_CHECKING:
    from evstore.formats.prophesee_writer import Writer

NAME = "evt2"
TITLE = "Prophesee EVT2"
SUFFIXES = (".raw",)
INPUT_FORMATS = (NAME,)
WRITES = True
ORIGIN = "top-left"  # of what `writer` writes
TAKES = ("triggers",)  # side streams that `write_batch` writes
SEEKS = False
KEEPS = ("triggers",)
CHECKED = ("files", "expelliarmus", "faery", "eventcv")

WORD_BYTES = 4
TIME_BITS = 34
CD_OFF, CD_ON, TIME_HIGH, EXT_TRIGGER = 0x0, 0x1, 0x8, 0xA
IMU, OTHERS, CONTINUED = 0xD, 0xE, 0xF

_DROPPED = {
    **{kind: f"unknown_0x{kind:x}_words" for kind in (2, 3, 4, 5, 6, 7, 9)},
    0xB: "grey_level_words",
    0xC: "optical_flow_words",
    IMU: "imu_words",
    OTHERS: "others_words",
    CONTINUED: "continued_words",
    16: "events_before_time_high",
    17: "triggers_before_time_high",
}


def probe(head: bytes, size: int | None) -> bool:
    """Whether the header names EVT2."""
    return prophesee_header.says(head, "EVT2")


#: Why a RAW file is of no format evstore reads; the registry asks.
refusal = prophesee_header.refusal


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, events lazily.

    Raises UnsupportedError for another encoding, FormatError where there is no header.
    """
    head = read_head(stream)
    header = prophesee_header.read(head)
    prophesee_header.require_encoding(header, "EVT2")
    size, key = prophesee_header.resolution(header)
    start = len(header.raw)
    records = Records(stream, "<u4", WORD_BYTES, head[start:], offset=start)
    dropped: dict[str, int] = {}
    return Reading(
        NAME,
        size,
        batches(records, _Decoder(options.batch_events), options.batch_events, dropped),
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
    from evstore.formats import evt2_writer

    return evt2_writer.writer(stream, resolution, metadata, rebase=rebase)


class _Decoder:
    def __init__(self, batch_events: int) -> None:
        from evstore.formats import evt2_kernels as kernels

        self._kernels = kernels
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[kernels.HIGH] = -1
        self._counts = np.zeros(kernels.COUNTS_SIZE, np.int64)
        self._triggers = TriggerBuffer()
        self._gathered = np.empty(max(batch_events, 0), np.uint32)

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        position, filled = self._kernels.decode(
            words,
            position,
            *into[:4],
            filled,
            self._state,
            self._counts,
            *self._triggers.columns,
            self._gathered,
        )
        return position, filled

    def take_triggers(self) -> Triggers | None:
        count = int(self._state[self._kernels.TRIGGERS])
        self._state[self._kernels.TRIGGERS] = 0
        return self._triggers.take(count)

    def dropped(self) -> dict[str, int]:
        return {name: int(self._counts[k]) for k, name in _DROPPED.items() if self._counts[k]}
