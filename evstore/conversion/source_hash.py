"""The SHA-256 of a source, computed as far as it has been read."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Executor, Future
from contextlib import closing

import numpy as np

HASH_AT_ONCE = 2 << 20


class SourceHash:
    """SHA-256 of a file, a stretch at a time, by the thread of ``pool`` where there is one.

    ``reach`` says how far the file has been read: what lies before is in the system's cache.
    ``known``: the hash, where the file was hashed before; it is not read again.
    """

    def __init__(self, path: str, pool: Executor | None = None, known: str | None = None) -> None:
        reads = known is None and os.path.isfile(path)
        self._file = open(path, "rb", buffering=0) if reads else None  # noqa: SIM115
        self._known = known
        self._pool = pool
        self._asked = 0
        self._at_it: Future[None] | None = None  # one stretch at a time: they have an order
        self._hasher = hashlib.sha256()
        self._buffer = np.empty(HASH_AT_ONCE if self._file else 0, np.uint8).data

    def reach(self, position: int, here: bool = False) -> None:
        """Have the bytes up to ``position`` hashed, unless others still are; ``here``: now."""
        if self._pool is None or self._file is None or position <= self._asked:
            return
        if self._at_it is not None:
            if not self._at_it.done():
                return
            self._at_it.result()
            self._at_it = None
        if here:
            position = min(position, self._asked + HASH_AT_ONCE)
            self._hash(position - self._asked)
        else:
            self._at_it = self._pool.submit(self._hash, position - self._asked)
        self._asked = position

    def result(self) -> str | None:
        """The hash of the whole file; None of what is none."""
        if self._file is None:
            return self._known
        if self._at_it is not None:
            self._at_it.result()
        self._hash(None)
        return self._hasher.hexdigest()

    def _hash(self, size: int | None) -> None:
        """Hash the next ``size`` bytes, or all that follow."""
        assert self._file is not None
        while size is None or size > 0:
            room = self._buffer if size is None else self._buffer[:size]
            count = self._file.readinto(room)
            if not count:
                break
            self._hasher.update(room[:count])
            size = None if size is None else size - count

    def close(self) -> None:
        """Let go of the file, once no thread is at it."""
        if self._file is not None:
            self._file.close()


def hash_file(path: str) -> str | None:
    """SHA-256 of a file; None of what is none."""
    with closing(SourceHash(path)) as source:
        return source.result()
