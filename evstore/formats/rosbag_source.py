"""Bytes of a bag, one after the other: of the file, or of one of its chunks, compressed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, cast

from evstore.errors import (
    CorruptError,
    FormatError,
    MissingDependencyError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats.records import fill
from evstore.memory import BIG, room

#: A chunk that is not compressed, and the file itself.
PLAIN = "none"

#: Bytes read or inflated at once.
PIECE = 262_144

#: Bytes that are read into memory that messages before had.
LARGE = 65_536

#: A message may take this, or as much as the whole file does: what does is not a bomb.
MESSAGE_BYTES = 16 << 20

#: A chunk may inflate to FREE_BYTES and to INFLATION times what it takes in the file.
FREE_BYTES = 1 << 20
INFLATION = 1000

#: Topics (with their publishers) that a bag may have.
CONNECTION_LIMIT = 10_000

ZSTD_WINDOW = 32 << 20


Octets = bytes | bytearray | memoryview


class Connection(NamedTuple):
    """A topic as one publisher wrote it. ``definition`` is the type's text, "" if not given."""

    id: int
    topic: str
    type: str
    serialization: str  # "ros1" or "cdr"; others are not read
    definition: str


class Message(NamedTuple):
    """A message; ``body`` is None for one that was not asked for."""

    connection: int
    body: Octets | None
    offset: int | None


class Count(NamedTuple):
    """What an index says: so many messages of a connection, in all or in a part."""

    connection: int
    messages: int


class Stated(NamedTuple):
    """How many connections the file says it has."""

    connections: int


Item = Connection | Message | Count | Stated


@dataclass
class Survey:
    """The connections of a bag, how many messages each has, and what ended the survey early."""

    connections: dict[int, Connection] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    stated: int | None = None
    error: FormatError | None = None


class Source:
    """``left`` bytes that ``fetch`` gives; ``offset`` is where in the file the next one is.

    In a compressed ``chunk`` it stays at the chunk, since nothing in it has a place in the file.
    ``cut`` says that what is beyond the end was there once. ``jump`` passes over bytes where that
    is faster than reading them.
    """

    def __init__(
        self,
        fetch: Callable[[int], Octets],
        left: int,
        offset: int,
        *,
        chunk: str = PLAIN,
        cut: bool = False,
        jump: Callable[[int], object] | None = None,
    ) -> None:
        self.left = left
        self.offset = offset
        self.chunk = chunk
        self._cut = cut
        self._fetch = fetch
        self._jump = jump
        self._step = 1 if chunk == PLAIN else 0

    def take(self, size: int, what: str) -> Octets:
        """The next ``size`` bytes; memory grows only with what is there."""
        if size > self.left:
            raise self._beyond(size, what)
        data: Octets = self._fetch(size) if size else b""
        if len(data) < size:
            data = self._rest(bytearray(data), size)
        self.left -= size
        self.offset += size * self._step
        return data

    def skip(self, size: int, what: str) -> None:
        """Pass over ``size`` bytes."""
        if size > self.left:
            raise self._beyond(size, what)
        if self._jump is None:
            while size > 0:
                size -= len(self.take(min(size, PIECE), what))
        else:
            self._jump(size)
            self._advance(size)

    def part(self, size: int) -> Source:
        """The next ``size`` bytes as they are, which `leave` then takes from this source."""
        there = min(size, self.left)
        return Source(self._fetch, there, self.offset, cut=there < size, jump=self._jump)

    def leave(self, chunk: Source, left: int) -> None:
        """Go to the end of a chunk that was read from here, behind which ``left`` bytes are."""
        if chunk.chunk == PLAIN:
            chunk.skip(chunk.left, "a chunk")
            self._advance(self.left - left)
            return
        # At its end a chunk that is not cut short is also checked by what compressed it.
        if chunk._fetch(1):
            raise CorruptError("a chunk inflates to more than it says", offset=self.offset)
        self.skip(self.left - left, "a chunk")

    def _advance(self, size: int) -> None:
        self.left -= size
        self.offset += size * self._step

    def _rest(self, data: bytearray, size: int) -> bytearray:
        while len(data) < size:
            more = self._fetch(size - len(data))
            if not more:
                raise CorruptError("a chunk inflates to less than it says", offset=self.offset)
            data += more
        return data

    def _beyond(self, size: int, what: str) -> FormatError:
        kind: type[CorruptError | TruncatedError]
        kind, words = CorruptError, f"{what} reaches beyond its chunk"
        if self._cut:
            kind, words = TruncatedError, f"the file ends inside {what}"
        return kind(
            words, offset=self.offset, expected=f"{size} bytes", got=f"{self.left} bytes left"
        )


def of_file(stream: BinaryIO, start: int) -> Source:
    """The file from ``start`` on."""
    size = stream.seek(0, 2)
    stream.seek(start)
    left = max(size - start, 0)

    def fetch(size: int) -> Octets:
        if size < LARGE:
            return stream.read(size)
        # Of few sizes, or none would be that of a message before.
        octets = room(1 << (size - 1).bit_length() if size < BIG else size).data[:size]
        return octets[: fill(stream, octets)]

    return Source(fetch, left, start, cut=True, jump=lambda count: stream.seek(count, 1))


def of_chunk(file: Source, compression: str, stored: int, size: int) -> Source:
    """What a chunk of ``stored`` bytes, the next in ``file``, inflates to: ``size`` bytes.

    Raises UnsupportedError for an unknown compression and for one that inflates without bound.
    """
    where = file.offset
    if compression == PLAIN:
        if size != stored:
            raise CorruptError(
                "a chunk that is not compressed has two sizes",
                offset=where,
                expected=size,
                got=stored,
            )
        return file.part(size)
    if size > FREE_BYTES + INFLATION * stored:
        raise UnsupportedError(
            "a chunk inflates too much",
            offset=where,
            expected=f"at most {FREE_BYTES + INFLATION * stored} bytes of {stored}",
            got=size,
        )
    pieces = _Pieces(_inflating(file, compression, stored))
    return Source(pieces.read, size, where, chunk=compression)


def message_limit(file: Source) -> int:
    """The longest message that is read; ``file`` is at its start."""
    return max(MESSAGE_BYTES, file.left)


def require_message(size: int, limit: int, offset: int) -> None:
    """Raises UnsupportedError for a message that would take memory without bound."""
    if size > limit:
        raise UnsupportedError(
            "a message is too long", offset=offset, expected=f"at most {limit} bytes", got=size
        )


def gather(items: Iterator[Item]) -> Survey:
    """What a walk through a bag tells, up to its end or to what is wrong."""
    found = Survey()
    try:
        for item in items:
            if isinstance(item, Connection):
                found.connections.setdefault(item.id, item)
                if len(found.connections) > CONNECTION_LIMIT:
                    raise UnsupportedError("too many topics", expected=f"<= {CONNECTION_LIMIT}")
            elif isinstance(item, Stated):
                found.stated = item.connections
            else:
                more = item.messages if isinstance(item, Count) else 1
                if item.connection in found.counts or len(found.counts) < CONNECTION_LIMIT:
                    found.counts[item.connection] = found.counts.get(item.connection, 0) + more
    except FormatError as error:
        found.error = error
    return found


#: Walks through a bag from its start: which connections' messages are wanted, and whether to
#: look inside of chunks.
Walk = Callable[[BinaryIO, Callable[[int], bool], bool], Iterator[Item]]


def survey(walk: Walk, stream: BinaryIO) -> Survey:
    """The connections, from the index at the end, or from everything where that is not whole."""
    found = gather(walk(stream, _none, False))
    if found.error is None and found.connections and len(found.connections) == found.stated:
        return found
    return gather(walk(stream, _none, True))


def messages(walk: Walk, stream: BinaryIO, wanted: Callable[[int], bool]) -> Iterator[Message]:
    """The messages of the connections that are wanted, as they stand in the file."""
    for item in walk(stream, wanted, True):
        if isinstance(item, Message) and item.body is not None:
            yield item


def _none(connection: int) -> bool:
    return False


class _Pieces:
    """Pieces of any length, read in others."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        if self._at == len(self._piece):
            self._piece, self._at = next(self._pieces, b""), 0
        got = self._piece[self._at : self._at + size]
        self._at += len(got)
        return got


class _Stored:
    """The compressed bytes of a chunk, as a file that zstandard reads."""

    def __init__(self, file: Source, left: int) -> None:
        self._file = file
        self._left = left

    def read(self, size: int = -1) -> bytes:
        size = min(size if size >= 0 else PIECE, PIECE, self._left)
        self._left -= size
        return bytes(self._file.take(size, "a chunk"))


def _inflating(file: Source, compression: str, stored: int) -> Iterator[bytes]:
    """Pieces of what the chunk inflates to, each of bounded length."""
    where, source = file.offset, _Stored(file, stored)
    if compression == "zstd":
        import zstandard

        context = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
        with context.stream_reader(cast("BinaryIO", source)) as reader:
            try:
                while piece := reader.read(PIECE):
                    yield piece
            except zstandard.ZstdError as error:
                raise _damaged(compression, where, error) from None
        return
    codec = _codec(compression, where)
    while not codec.eof:
        data = b""
        if codec.needs_input and not (data := source.read(65_536)):
            return
        try:
            piece = codec.decompress(data, PIECE)
        except (OSError, EOFError, RuntimeError, ValueError) as error:
            raise _damaged(compression, where, error) from None
        if piece:
            yield piece


def _codec(compression: str, where: int) -> Any:
    if compression == "bz2":
        import bz2

        return bz2.BZ2Decompressor()
    if compression == "lz4":
        try:
            import lz4.frame
        except ImportError:
            raise MissingDependencyError("lz4", "ros", "reading a bag with lz4 chunks") from None
        return lz4.frame.LZ4FrameDecompressor()
    raise UnsupportedError(
        f"chunks compressed by {compression!r:.40}",
        offset=where,
        expected="none, bz2, lz4 or zstd",
        hint="write the bag anew without compression",
    )


def _damaged(compression: str, where: int, error: Exception) -> CorruptError:
    return CorruptError(f"a chunk is no {compression} data: {error}", offset=where)
