"""The tables of a ROS 2 bag kept by SQLite. https://github.com/ros2/rosbag2

SQLite opens a path, not a stream: what has none is spooled to a temporary file. The file is not
trusted: no views, no virtual tables, no computed columns; rows must go on, so that pages which
lead back to each other end; and the work done is bounded by the size of the file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.rosbag_source import (
    Connection,
    Count,
    Item,
    Message,
    Survey,
    gather,
)

if TYPE_CHECKING:
    import sqlite3

MAGIC = b"SQLite format 3\x00"
TITLE = "ROS 2 SQLite bag"

HEADER_BYTES = 100
PAGES_AT = 28  # u32, big-endian
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

#: Steps of SQLite's virtual machine: some, and some for each byte; a row takes about twenty.
FREE_STEPS = 1_000_000
STEPS_A_BYTE = 20
STEPS_AT_ONCE = 10_000


def is_bag(head: bytes) -> bool:
    """Whether the tables of a bag are named in the head, where SQLite keeps its schema."""
    return all(name in head for name in (b"topics", b"messages", b"serialization_format"))


def survey(stream: BinaryIO) -> Survey:
    """The topics and how many messages each has."""
    return gather(_survey(stream))


def messages(stream: BinaryIO, wanted: Callable[[int], bool]) -> Iterator[Message]:
    """The messages of the topics that are wanted, in the order in which they were written."""
    with _database(stream) as database:
        known = {topic.id for topic in _topics(database)}
        ids = {number for number in known if wanted(number)}
        chosen = ", ".join(map(str, sorted(ids))) or "NULL"
        body = f"CASE WHEN topic_id IN ({chosen}) THEN data END"
        for _, topic, data in _rows(database, f"topic_id, {body}", "messages"):
            if topic not in known:
                raise CorruptError("a message of no topic", got=f"{topic!r:.40}")
            if topic not in ids:
                continue
            if not isinstance(data, bytes):
                raise CorruptError("a message is no blob", got=type(data).__name__)
            if data.startswith(ZSTD_MAGIC):
                raise UnsupportedError(
                    "a bag whose messages are compressed one by one",
                    hint="`ros2 bag convert` writes it anew without compression",
                )
            yield Message(topic, data, None)


def _survey(stream: BinaryIO) -> Iterator[Item]:
    with _database(stream) as database:
        yield from _topics(database)
        query = "SELECT topic_id, count(*) FROM messages GROUP BY topic_id"
        for topic, count in database.execute(query):
            if isinstance(topic, int):
                yield Count(topic, count)


def _topics(database: sqlite3.Connection) -> Iterator[Connection]:
    columns = "id, name, type, serialization_format"
    for _, number, name, kind, serialization in _rows(database, columns, "topics"):
        texts = (name, kind, serialization)
        if not isinstance(number, int) or not all(isinstance(text, str) for text in texts):
            raise CorruptError("a topic is no number and three texts", got=f"{texts!r:.100}")
        yield Connection(number, name, kind, serialization, "")


def _rows(database: sqlite3.Connection, columns: str, table: str) -> Iterator[Any]:
    before = None
    for row in database.execute(f"SELECT rowid, {columns} FROM {table} ORDER BY rowid"):
        if before is not None and row[0] <= before:
            raise CorruptError(f"the rows of the table {table} do not go on", got=row[0])
        before = row[0]
        yield row


@contextmanager
def _database(stream: BinaryIO) -> Iterator[sqlite3.Connection]:
    """The database, open for reading; every error of SQLite's becomes a FormatError."""
    import sqlite3

    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(HEADER_BYTES)
    cut, pages = _cut(head, size)
    with _path(stream, pages, _page(head)) as path:
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as database:
                _distrust(database, size)
                _require_tables(database)
                yield database
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of its own messages
            raise cut or CorruptError(f"SQLite cannot read the file: {error}") from None
    if cut is not None:  # in pages that were not asked for
        raise cut


def _distrust(database: sqlite3.Connection, size: int) -> None:
    left = (FREE_STEPS + STEPS_A_BYTE * size) // STEPS_AT_ONCE

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    database.set_progress_handler(stop, STEPS_AT_ONCE)
    database.text_factory = lambda octets: octets.decode("utf-8", "replace")
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0"):
        database.execute(f"PRAGMA {pragma}")


def _require_tables(database: sqlite3.Connection) -> None:
    for table in ("topics", "messages"):
        query = "SELECT type, rootpage FROM sqlite_master WHERE name = ?"
        if not any(kind == "table" and page for kind, page in database.execute(query, [table])):
            raise FormatError(f"an SQLite file without a table {table}: it is no ROS 2 bag")
        if any(column[-1] for column in database.execute(f"PRAGMA table_xinfo({table})")):
            raise UnsupportedError(f"the table {table} has computed columns")


def _page(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    return 65_536 if size == 1 else size


def _stated(head: bytes) -> int:
    """The file's size as its header says it, 0 where that was not written with the rest."""
    return (
        int.from_bytes(head[PAGES_AT : PAGES_AT + 4], "big")
        * _page(head)
        * (head[24:28] == head[92:96])
    )


def _cut(head: bytes, size: int) -> tuple[TruncatedError | None, int]:
    """The error for a file that is shorter than it was, and the pages that are whole."""
    page, stated = _page(head), _stated(head)
    if size >= HEADER_BYTES and (size >= stated if stated else page == 0 or size % page == 0):
        return None, 0
    expected = f"{stated} bytes" if stated else "whole pages"
    cut = TruncatedError("the SQLite file is cut", expected=expected, got=f"{size} bytes")
    return cut, size // page if page else 0


@contextmanager
def _path(stream: BinaryIO, pages: int, page: int) -> Iterator[Path]:
    """The stream's file; or a copy, removed again, where it has none or is cut.

    Of a cut file SQLite would read nothing, since it is shorter than it says, and half a page as
    zeros: the copy has only the ``pages`` that are whole, and says so.
    """
    named = _named(stream)
    if named is not None and not pages:
        log = named.with_name(named.name + "-wal")
        if log.is_file() and log.stat().st_size:
            raise UnsupportedError(
                f"messages are still in {log.name}: the bag was not closed",
                hint=f"put them in: sqlite3 {named.name} 'PRAGMA wal_checkpoint'",
            )
        yield named
        return
    handle, name = tempfile.mkstemp(prefix="evstore-", suffix=".db3")
    try:
        with os.fdopen(handle, "wb") as copy:
            stream.seek(0)
            shutil.copyfileobj(stream, copy)
            if pages:
                copy.truncate(pages * page)
                copy.seek(PAGES_AT)
                copy.write(pages.to_bytes(4, "big"))
        yield Path(name)
    finally:
        os.unlink(name)


def _named(stream: BinaryIO) -> Path | None:
    name = getattr(stream, "name", None)
    try:
        if isinstance(name, (str, bytes)):
            path = Path(os.fsdecode(name))
            if os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                return path
    except (OSError, ValueError):  # gone, or the stream is no file
        pass
    return None
