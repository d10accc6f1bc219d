"""Write EVT2 as sensors do: TIME_HIGH where it changes, then a word for each event."""

from __future__ import annotations

from typing import Any, BinaryIO

from evstore.formats import evt2_writer_kernels as kernels
from evstore.formats.prophesee_writer import Encoding, Writer

ENCODING = Encoding(
    name="EVT2",
    version="2.0",
    kernels=kernels,
    unset=(kernels.TIME,),
    word="<u4",
    out_words=65_536,
    max_channel=31,
)


def writer(
    stream: BinaryIO,
    resolution: tuple[int, int],
    metadata: dict[str, Any],
    rebase: bool = False,
) -> Writer:
    """What takes events and writes EVT2.

    It cannot hold x or y of 2048 and more, a negative time, a step back over a turn of the 34-bit
    clock or by half of it, a silence of more than 12 days, a trigger of a channel above 31.

    >>> import io
    >>> stream = io.BytesIO()
    >>> made = writer(stream, (34, 34), {})
    >>> made.write([10, 20], [1, 2], [3, 4], [1, 0])
    >>> made.close()
    >>> stream.getvalue()[-12:].hex(" ", 4)
    '00000080 03088012 04100005'
    """
    return Writer(stream, ENCODING, resolution, metadata, rebase=rebase)
