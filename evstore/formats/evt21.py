"""Prophesee EVT2.1: 64-bit words, up to 32 events each, their halves in one of two orders.

https://docs.prophesee.ai/stable/data/encoding_formats/evt21.html
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError, FormatError
from evstore.formats import prophesee_header
from evstore.formats.decoding import TriggerBuffer, batches
from evstore.formats.prophesee_header import Header
from evstore.formats.reading import Batch, Reading, ReadOptions, Triggers
from evstore.formats.records import Records, read_head

NAME = "evt21"
TITLE = "Prophesee EVT2.1"
SUFFIXES = (".raw",)
INPUT_FORMATS = (NAME, "evt21-legacy", "evt21-little")
WRITES = False
SEEKS = False
KEEPS = ("triggers",)
CHECKED = ("evlib",)

WORD_BYTES = 8
TIME_BITS = 34
EVT_NEG, EVT_POS, TIME_HIGH, EXT_TRIGGER, OTHERS, CONTINUED = 0x0, 0x1, 0x8, 0xA, 0xE, 0xF
KINDS = (EVT_NEG, EVT_POS, TIME_HIGH, EXT_TRIGGER, OTHERS, CONTINUED)

#: The orders by the name OpenEB gives them in a header: which half of a word has its kind.
ORDERS = {"legacy": 0, "little": 1}

#: Words at the start of the file that may tell the order where the header does not.
ORDER_WORDS = 1000

_SAY_WHICH = "say which with --input-format evt21-legacy (IMX636) or evt21-little (GenX320)"

_DROPPED = {
    **{kind: f"unknown_0x{kind:x}_words" for kind in range(16) if kind not in KINDS},
    OTHERS: "others_words",
    CONTINUED: "continued_words",
    16: "events_before_time_high",
    17: "triggers_before_time_high",
}


def probe(head: bytes, size: int | None) -> bool:
    """Whether the header names EVT2.1."""
    return prophesee_header.says(head, "EVT21")


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """Header now, events lazily; ``input_format`` may say the order, as in `evt21-legacy`.

    Raises UnsupportedError for another encoding, FormatError where there is no header or nothing
    tells the order, CorruptError where the words contradict the order that the header tells.
    """
    head = read_head(stream)
    header = prophesee_header.read(head)
    prophesee_header.require_encoding(header, "EVT21", tuple(ORDERS))
    size, key = prophesee_header.resolution(header)
    start = len(header.raw)
    named = input_format.removeprefix(NAME).removeprefix("-")
    order = named or _order(header, head[start:])
    records = Records(stream, "<u4", WORD_BYTES, head[start:], offset=start)
    dropped: dict[str, int] = {}
    return Reading(
        NAME,
        size,
        batches(records, _Decoder(ORDERS[order]), options.batch_events, dropped),
        metadata={**prophesee_header.metadata(header, key), "word_order": order},
        header=header.raw,
        dropped=dropped,
    )


def _order(header: Header, payload: bytes) -> str:
    """The order of the halves: as the header states, else as its sensor sends, else as seen."""
    told = prophesee_header.endianness(header) or _order_of_sensor(header)
    known, timed = _kinds_seen(payload)
    # An order without a TIME_HIGH would give no event.
    likely = [order for order in ORDERS if known[order] and timed[order]]
    if told is not None:
        if known[told] or not likely:
            return told
        raise CorruptError(
            "the halves of the words are in the other order than the header tells",
            offset=len(header.raw),
            field="endianness",
            got=told,
            hint=_SAY_WHICH,
        )
    if len(payload) < WORD_BYTES:
        return "little"  # there is no word
    if len(likely) == 1:
        return likely[0]
    raise FormatError(
        "neither the header nor the words tell in which order the halves of a word are",
        offset=len(header.raw),
        field="endianness",
        hint=_SAY_WHICH,
    )


def _order_of_sensor(header: Header) -> str | None:
    """GenX320 sends the low half first; Gen4.1, IMX636 and IMX646 the high half."""
    sensor = prophesee_header.resolution_of_sensor(header)[0]
    return {prophesee_header.SMALL: "little", prophesee_header.HD: "legacy"}.get(sensor or (0, 0))


def _kinds_seen(payload: bytes) -> tuple[dict[str, bool], dict[str, bool]]:
    """By order: are all kinds of the first words known, and is a TIME_HIGH among them."""
    count = min(len(payload) // WORD_BYTES, ORDER_WORDS)
    kinds = np.frombuffer(payload, "<u4", 2 * count).reshape(-1, 2) >> 28
    return (
        {order: bool(np.isin(kinds[:, half], KINDS).all()) for order, half in ORDERS.items()},
        {order: TIME_HIGH in kinds[:, half] for order, half in ORDERS.items()},
    )


class _Decoder:
    def __init__(self, control: int) -> None:
        from evstore.formats import evt21_kernels as kernels

        self._control = control
        self._kernels = kernels
        self._state = np.zeros(kernels.STATE_SIZE, np.int64)
        self._state[kernels.HIGH] = -1
        self._counts = np.zeros(kernels.COUNTS_SIZE, np.int64)
        self._triggers = TriggerBuffer()

    def decode(
        self, words: NDArray[Any], position: int, into: Batch, filled: int
    ) -> tuple[int, int]:
        position, filled = self._kernels.decode(
            words,
            position,
            self._control,
            *into[:4],
            filled,
            self._state,
            self._counts,
            *self._triggers.columns,
        )
        return position, filled

    def take_triggers(self) -> Triggers | None:
        count = int(self._state[self._kernels.TRIGGERS])
        self._state[self._kernels.TRIGGERS] = 0
        return self._triggers.take(count)

    def dropped(self) -> dict[str, int]:
        return {name: int(self._counts[k]) for k, name in _DROPPED.items() if self._counts[k]}
