"""Bytes in: a file, read in ranges. Nothing here interprets them."""

from __future__ import annotations

import os
import threading
from typing import Protocol

from evstore.errors import ArgumentError, TruncatedError

AT_PLACE = hasattr(os, "preadv")  # whether threads can read a file at once


class Source(Protocol):
    """What a shard reader needs of wherever the bytes are."""

    name: str

    def size(self) -> int:
        """Length in bytes, now."""

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; TruncatedError where the file is shorter."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; TruncatedError where the file is shorter."""

    def close(self) -> None:
        """Let go of the file."""


class FileSource:
    """A local file. Threads may read at once; a fork or a pickle reopens it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        if os.path.isdir(self.name):
            raise ArgumentError(f"{self.name}: is a folder, not a file")
        self._lock = threading.Lock()
        self._file = open(self.name, "rb", buffering=0)  # noqa: SIM115

    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, length: int) -> bytes:
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        done = 0
        while done < len(buffer):
            got = self._read_some(offset + done, buffer[done:])
            if got <= 0:
                raise TruncatedError(
                    "file is shorter than its index says",
                    path=self.name,
                    offset=offset + done,
                    expected=f"{len(buffer) - done} more bytes",
                    got=0,
                )
            done += got

    def _read_some(self, offset: int, buffer: memoryview) -> int:
        if AT_PLACE:
            return os.preadv(self._file.fileno(), [buffer], offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(buffer) or 0

    def close(self) -> None:
        self._file.close()

    def __getstate__(self) -> dict[str, str]:
        return {"name": self.name}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(state["name"])  # type: ignore[misc]
