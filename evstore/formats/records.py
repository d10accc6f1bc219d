"""Bytes in: a stream's head, then its fixed-size records through one reused buffer."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evstore.memory import room

#: Bytes a probe sees, and the most a header may take.
HEAD_BYTES = 65_536

#: Bytes read at once: large enough to hide the call, small enough to stay in the L2 cache.
BUFFER_BYTES = 262_144


def fill(stream: BinaryIO, view: memoryview) -> int:
    """Read until ``view`` is full or the stream ends; returns the bytes read.

    A pipe gives what it has, so one read is not enough.
    """
    readinto = getattr(stream, "readinto", None)
    done = 0
    while done < len(view):
        if readinto is not None:
            got = readinto(view[done:]) or 0
        else:
            piece = stream.read(len(view) - done)
            got = len(piece)
            view[done : done + got] = piece
        if got == 0:
            break
        done += got
    return done


def read_head(stream: BinaryIO) -> bytes:
    """The first 64 KiB of a stream, or all of it where it is shorter."""
    head = bytearray(HEAD_BYTES)
    got = fill(stream, memoryview(head))
    return bytes(head[:got])


def length_of(stream: BinaryIO) -> int | None:
    """Bytes of the whole stream, which stays where it is; None where it cannot seek."""
    if not stream.seekable():
        return None
    here = stream.tell()
    length = stream.seek(0, 2)
    stream.seek(here)
    return length


class Records:
    """Whole records of ``dtype`` from a stream, ``record_bytes`` each, a bounded buffer at a time.

    ``start`` holds payload bytes that were read together with the header; ``offset`` is where
    in the file they begin, and afterwards where the records of the last `read` begin.
    ``tail`` is the number of bytes left over at the end: a record that is cut.
    """

    def __init__(
        self,
        stream: BinaryIO,
        dtype: DTypeLike,
        record_bytes: int,
        start: bytes = b"",
        offset: int = 0,
    ) -> None:
        self.offset = offset
        self.tail = 0
        self._stream = stream
        self._dtype = np.dtype(dtype)
        self._record_bytes = record_bytes
        self._buffer = room(max(BUFFER_BYTES, len(start)))
        self._view = self._buffer.data
        self._view[: len(start)] = start
        self._kept = len(start)
        self._used = 0

    def read(self) -> NDArray[Any]:
        """The next whole records, a view that the next call overwrites; empty at the end."""
        self.offset += self._used
        if self.tail:
            self._view[: self.tail] = bytes(self._view[self._used : self._used + self.tail])
            self._kept = self.tail
        filled = self._kept + fill(self._stream, self._view[self._kept :])
        self._kept = 0
        self.tail = filled % self._record_bytes
        self._used = filled - self.tail
        count = self._used // self._dtype.itemsize
        return np.frombuffer(self._buffer, self._dtype, count)
