"""The members of an NPZ: checked against each other's sizes before anything is read."""

from __future__ import annotations

import errno
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

import numpy as np

from evstore.errors import CorruptError, EvstoreError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.npy_header import Header, read_header, take

#: No deflate stream grows by more (https://zlib.net/zlib_tech.html); what claims to is a bomb.
DEFLATE_RATIO = 1032

#: Members a file of events may have.
MEMBER_LIMIT = 1000

#: Bytes of a member up to which it may be a scalar: header and value.
SCALAR_BYTES = 1024

READ_AT_ONCE = 1 << 20  # bytes

SUFFIX = ".npy"

_END_OF_DIRECTORY = b"PK\x05\x06"
_END_SEARCH_BYTES = 65_557  # the record and the longest comment behind it
_ENCRYPTED = 1


@dataclass(frozen=True)
class Member:
    """One array of the archive."""

    name: str
    header: Header
    compressed: bool
    archive: zipfile.ZipFile

    def start(self) -> BinaryIO:
        """A new stream of the member, from its first byte, that seeks forward."""
        return cast(BinaryIO, _Forward(self.archive.open(self.name + SUFFIX)))

    def values(self) -> BinaryIO:
        """A new stream of the values behind the header."""
        stream = self.start()
        take(stream, len(self.header.raw), self.name + SUFFIX)
        return stream


class _Forward:
    """A member of which every byte is read: its checksum needs them.

    From Python 3.13 on zipfile's own seek leaves bytes out, and reads wrong ones after it in
    3.13.0 and 3.13.1 (https://github.com/python/cpython/issues/127847).
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._at = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._at += len(data)
        return data

    def seek(self, place: int) -> int:
        while self._at < place and self.read(min(place - self._at, READ_AT_ONCE)):
            pass
        return self._at


class Archive:
    """A zip of arrays. ``names`` are those of the arrays, ``others`` those of other members.

    Raises TruncatedError for a zip that is cut (its directory stands at the end), CorruptError
    for one that is damaged.
    """

    def __init__(self, stream: BinaryIO) -> None:
        if not stream.seekable():
            raise UnsupportedError("an NPZ cannot be read from a pipe", hint="read it from a file")
        self._size = stream.seek(0, 2)
        _require_directory(stream, self._size)
        stream.seek(0)
        with zip_errors():
            self._zip = zipfile.ZipFile(stream)
        files = [info.filename for info in self._zip.infolist() if not info.filename.endswith("/")]
        if len(files) > MEMBER_LIMIT:
            raise CorruptError("too many members", expected=f"<= {MEMBER_LIMIT}", got=len(files))
        if len(set(files)) != len(files):
            raise CorruptError("several members of one name", got=f"{sorted(files)!r:.200}")
        self.names = [name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)]
        self.others = [name for name in files if not name.endswith(SUFFIX)]

    def member(self, name: str) -> Member:
        """An array, its header read and checked against the sizes the zip says.

        Raises CorruptError where they do not fit, UnsupportedError for encryption and for
        compressions that numpy does not write.
        """
        info = self._zip.getinfo(name + SUFFIX)
        _require_sizes(info, self._size)
        with zip_errors(), self._zip.open(info) as stream:
            header = read_header(cast(BinaryIO, stream))
        whole = len(header.raw) + header.data_bytes
        if whole != info.file_size:
            raise CorruptError(
                "an array does not fill its member",
                field=info.filename,
                expected=f"{whole:,} bytes by its header",
                got=f"{info.file_size:,}",
            )
        compressed = info.compress_type != zipfile.ZIP_STORED
        return Member(name, header, compressed, self._zip)

    def scalar(self, name: str) -> bool | int | float | None:
        """One plain number (eventcv writes width with shape (1,)); None for any other array."""
        if self._zip.getinfo(name + SUFFIX).file_size > SCALAR_BYTES:
            return None
        try:
            member = self.member(name)
            dtype, shape = member.header.dtype, member.header.shape
            if dtype.kind not in "iufb" or dtype.itemsize > 8 or shape not in ((), (1,)):
                return None
            with zip_errors():
                raw = take(member.values(), dtype.itemsize, name + SUFFIX)
        except FormatError:
            return None
        value: bool | int | float = np.frombuffer(raw, dtype)[0].item()
        return value if math.isfinite(value) else None


@contextmanager
def zip_errors() -> Iterator[None]:
    """What zipfile and zlib raise for damaged archives, as CorruptError."""
    try:
        yield
    except EvstoreError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, OverflowError) as error:
        raise CorruptError(f"the zip archive is damaged: {error}") from error
    except (
        RuntimeError,
        ValueError,
        IndexError,
    ) as error:  # an unknown method; a seek before the beginning
        raise CorruptError(f"the zip archive is damaged: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # zipfile seeks to where a damaged field points
            raise
        raise CorruptError("the zip archive is damaged: an offset cannot be") from error


def _require_directory(stream: BinaryIO, size: int) -> None:
    stream.seek(max(0, size - _END_SEARCH_BYTES))
    if _END_OF_DIRECTORY not in stream.read(_END_SEARCH_BYTES):
        raise TruncatedError(
            "the zip archive ends before its directory",
            safe_events=0,
            offset=size,
            hint="a zip is readable only when whole",
        )


def _require_sizes(info: zipfile.ZipInfo, size: int) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise UnsupportedError("an encrypted archive", field=info.filename)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsupportedError(
            "a compression that numpy does not write",
            field=info.filename,
            expected="stored or deflated",
            got=info.compress_type,
        )
    stored = info.compress_type == zipfile.ZIP_STORED
    most = min(info.compress_size, size) * (1 if stored else DEFLATE_RATIO)
    if info.compress_size > size or info.file_size > most:
        raise CorruptError(
            "a member claims more bytes than the archive can hold",
            field=info.filename,
            expected=f"at most {most:,}",
            got=f"{info.file_size:,}",
        )
