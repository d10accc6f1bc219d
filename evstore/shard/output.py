"""Where a shard's bytes go: a `.part` file that takes its name only when it is whole."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from evstore.errors import ArgumentError
from evstore.interrupts import interrupts_held
from evstore.locks import lock

VECTORED = hasattr(os, "writev")
MOST_VIEWS = 512  # of one vectored write: systems take 1024
LARGE = 1 << 17  # bytes that are written at once as they are, not gathered first
SYNC_BYTES = 8 << 20  # written between two syncs of the second thread


class PartFile:
    """Append-only file at ``path.part``; ``finish`` fsyncs and renames it to ``path``.

    ``part`` names another file to use meanwhile, in the same folder. ``gather``: so many bytes
    are written at once, which is four times faster than a chunk at a time, and the disk begins
    with them meanwhile; 0: all of them now.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        overwrite: bool = False,
        part: str | None = None,
        gather: int = 0,
    ) -> None:
        self.path = os.fspath(path)
        self.part = part or self.path + ".part"
        if os.path.isdir(self.path):
            raise ArgumentError(f"{self.path}: is a folder, not a file")
        self._overwrite = overwrite
        self._check_free()
        if os.path.exists(self.part) and not overwrite:
            raise ArgumentError(
                f"{self.part}: exists, left by a writer that did not finish or has not yet; "
                "`evstore recover` saves what it holds. Remove it, or pass overwrite"
            )
        self._file = open_alone(self.part)
        self.at = 0  # where the next record goes: what waits counts
        self._waiting = np.empty(gather, np.uint8).data
        self._filled = 0
        self._synced = 0  # bytes that the disk was told to take
        self._syncing: Future[None] | None = None
        self._sync_error: BaseException | None = None
        self._pool = ThreadPoolExecutor(1, "evstore-sync") if gather else None
        self.finished = False  # it has its name, or is removed

    def _check_free(self) -> None:
        if os.path.exists(self.path) and not self._overwrite:
            raise ArgumentError(
                f"{self.path}: exists already; pass overwrite (--overwrite) to replace it"
            )

    @property
    def file(self) -> io.FileIO:
        """The part, for who writes it without `append`."""
        return self._file

    def append(self, parts: Iterable[bytes | memoryview]) -> None:
        """Write all of the parts, in order; or none of them, where that fails (a full disk)."""
        views = [memoryview(part).cast("B") for part in parts]
        size = sum(map(len, views))
        large = size >= LARGE
        if large or self._filled + size > len(self._waiting):
            self.flush()
        if large or size > len(self._waiting):
            self._sync_soon()  # what came before: where it fails, nothing is written
            self._write(views)
            self.at += size
            return
        stop = self._filled
        for view in views:
            self._waiting[stop : stop + len(view)] = view
            stop += len(view)
        self._filled, self.at = stop, self.at + size

    def flush(self) -> None:
        """Write what waits; it goes on waiting where that fails."""
        if self._filled:
            self._sync_soon()
            self._write([self._waiting[: self._filled]])
            self._filled = 0

    def _write(self, views: list[memoryview]) -> None:
        start = self._file.tell()
        try:
            while views:
                if len(views) > 1 and VECTORED and isinstance(self._file, io.FileIO):
                    wrote = os.writev(self._file.fileno(), views[:MOST_VIEWS])
                else:
                    wrote = self._file.write(views[0])
                views = _behind(views, wrote)
        except BaseException:
            with contextlib.suppress(OSError):
                self._file.seek(start)
                self._file.truncate()
            raise

    def _sync_soon(self) -> None:
        """Have a second thread sync, so that little is left to wait for at the end."""
        busy = self._syncing is not None and not self._syncing.done()
        if self._pool is None or busy or self.at - self._synced < SYNC_BYTES:
            return
        self._wait_for_sync()
        self._synced = self.at
        self._syncing = self._pool.submit(os.fsync, self._file.fileno())

    def _wait_for_sync(self) -> None:
        """Raise what went wrong in the second thread, for good: the system says it only once."""
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            self._sync_error = syncing.exception()
        if self._sync_error is not None:
            raise self._sync_error

    def sync(self) -> None:
        """Have the operating system write what it holds to the disk."""
        self.flush()
        self._wait_for_sync()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """fsync, rename, close, fsync the folder."""
        try:
            self.sync()
            self._check_free()
            if os.name == "nt":  # renames no open file
                self._close()
            os.replace(self.part, self.path)
        finally:
            self._close()
        self.finished = True
        sync_folder(os.path.dirname(os.path.abspath(self.path)))

    def close(self) -> None:
        """Close and keep the part, with all that fits on the disk."""
        if not self._file.closed:
            with contextlib.suppress(OSError):
                self.flush()
        self._close()

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()  # the thread has the file's number, which others may get
        self._file.close()

    def discard(self) -> None:
        """Close and remove the part."""
        self.finished = True
        if os.name == "nt":  # removes no open file
            self._close()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.part)
        self._close()  # which may wait for the disk


@contextlib.contextmanager
def part_file(path: str | os.PathLike[str]) -> Iterator[PartFile]:
    """A file that takes its name, for one of before, when the block ends; or is gone where the
    block fails."""
    file: PartFile | None = None
    try:
        with interrupts_held():
            file = PartFile(path, overwrite=True)
        yield file
        file.finish()
    except BaseException:
        if file is not None:
            file.discard()
        raise


def _behind(views: list[memoryview], wrote: int) -> list[memoryview]:
    """What is left to write."""
    done = 0
    while done < len(views) and wrote >= len(views[done]):
        wrote -= len(views[done])
        done += 1
    rest = views[done:]
    return [rest[0][wrote:], *rest[1:]] if rest else []


def open_alone(path: str) -> io.FileIO:
    """Open for writing, empty; raises ArgumentError where another process is writing it.

    Two writers of one file would both give it the final name, with the bytes of either.
    """
    while True:
        # Not "wb": that would empty the file before the lock is there.
        file = io.FileIO(path, "w", opener=lambda p, flags: os.open(p, flags & ~os.O_TRUNC, 0o666))
        try:
            if not lock(file.fileno()):
                raise ArgumentError(f"{path}: another process is writing it")
            if _is_at(file, path):
                file.truncate(0)
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # it got its final name meanwhile


def _is_at(file: io.FileIO, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def sync_folder(folder: str) -> None:
    """fsync a folder, so that a rename in it survives a power cut; nothing where that cannot be."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems refuse; the file itself is synced
        pass
    finally:
        os.close(handle)
