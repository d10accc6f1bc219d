"""What a compressed MAT element holds: its head in memory, all of it in a temporary file."""

from __future__ import annotations

import io
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

import numpy as np

from evstore.errors import CorruptError
from evstore.formats.mat_elements import TAG_BYTES, Region, Tag

#: Inflated bytes in which the header of an array must end.
HEAD_BYTES = 16_384

#: Bytes kept in memory; more go to a file of the temporary folder.
SPOOL_BYTES = 8_388_608

#: No deflate stream grows by more (https://zlib.net/zlib_tech.html); what claims to is a bomb.
DEFLATE_RATIO = 1032

READ_AT_ONCE = 65_536

_OCTETS = np.dtype(np.uint8)


class Spool(Region):
    """The inflated bytes of an element; its temporary file goes when this does."""

    def __init__(self, order: str) -> None:
        self.file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES))  # noqa: SIM115
        super().__init__(self.file, 0, order)
        weakref.finalize(self, self.file.close)  # which comes before a warning of the file's own

    def append(self, data: bytes) -> None:
        """Write behind what is there."""
        self.file.seek(self.size)
        self.file.write(data)
        self.size += len(data)


def head(region: Region, element: Tag) -> Region:
    """The first bytes that a compressed element holds: enough for an array's header."""
    inflater = zlib.decompressobj()
    raw = region.array(element.at, _OCTETS, min(element.size, HEAD_BYTES)).tobytes()
    try:
        data = inflater.decompress(raw, HEAD_BYTES)
    except zlib.error as error:
        raise _damaged(element, error) from error
    return Region(io.BytesIO(data), len(data), region.order)


def inflate(region: Region, element: Tag) -> Spool:
    """All of what a compressed element holds; less where the file ends inside it.

    Raises CorruptError where it is damaged, and where it claims more than it can hold.
    """
    whole = Spool(region.order)
    inflater = zlib.decompressobj()
    limit = HEAD_BYTES
    try:
        for piece in _inflated(region, element, inflater):
            whole.append(piece)
            if limit == HEAD_BYTES and whole.size >= TAG_BYTES:
                limit = _promised(whole, element)
            if whole.size > limit:
                raise CorruptError(
                    "a compressed element holds more than it says",
                    offset=element.at,
                    expected=f"{limit:,} bytes",
                )
    except zlib.error as error:
        raise _damaged(element, error) from error
    cut = element.at + element.size > region.size
    if not cut and not (inflater.eof and not inflater.unused_data and whole.size == limit):
        raise CorruptError(
            "a compressed element does not end where it says",
            offset=element.at,
            expected=f"{limit:,} bytes",
            got=f"{whole.size:,}",
        )
    return whole


def _inflated(region: Region, element: Tag, inflater: zlib._Decompress) -> Iterator[bytes]:
    """Pieces of at most READ_AT_ONCE bytes, read and inflated."""
    for done in range(0, min(element.size, region.size - element.at), READ_AT_ONCE):
        count = min(READ_AT_ONCE, element.size - done)
        data = region.array(element.at + done, _OCTETS, count).tobytes()
        while data and not inflater.eof:
            yield inflater.decompress(data, READ_AT_ONCE)
            data = inflater.unconsumed_tail
    while not inflater.eof and (piece := inflater.decompress(b"", READ_AT_ONCE)):
        yield piece


def _promised(whole: Region, element: Tag) -> int:
    """Bytes of the array inside, by its tag."""
    size = TAG_BYTES + whole.words(0, 2)[1]
    if size > element.size * DEFLATE_RATIO:
        raise CorruptError(
            "a compressed element claims more bytes than it can hold",
            offset=element.at,
            expected=f"at most {element.size * DEFLATE_RATIO:,}",
            got=f"{size:,}",
        )
    return size


def _damaged(element: Tag, error: Exception) -> CorruptError:
    return CorruptError(f"a compressed element is damaged: {error}", offset=element.at)
