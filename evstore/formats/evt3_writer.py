"""Write EVT3 as sensors do: time on change, row on change, vectors where they are shorter."""

from __future__ import annotations

from typing import Any, BinaryIO

from evstore.formats import evt3_writer_kernels as kernels
from evstore.formats.prophesee_writer import Encoding, Writer

ENCODING = Encoding(
    name="EVT3",
    version="3.0",
    kernels=kernels,
    unset=(kernels.TIME, kernels.ROW),
    word="<u2",
    out_words=131_072,
    max_channel=15,
)


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int],
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer:
    """What takes events and writes EVT3.

    It cannot hold x or y of 2048 and more, a negative time, a step back over a turn of the 24-bit
    clock or by 8.4 s, a silence of more than 12 days, a trigger of a channel above 15.

    >>> import io
    >>> stream = io.BytesIO()
    >>> made = writer(stream, (34, 34), {})
    >>> made.write([10, 20], [1, 2], [3, 4], [1, 0])
    >>> made.close()
    >>> stream.getvalue()[-16:].hex(" ", 2)
    '640a 0080 0a60 0300 0128 1460 0400 0220'
    """
    return Writer(stream, ENCODING, resolution, metadata, rebase=rebase)
