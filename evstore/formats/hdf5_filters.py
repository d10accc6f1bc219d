"""The filters of an HDF5 dataset: which are read, and what a packed chunk claims to be.

Filters are C code that allocates what a chunk's own header claims, without regard to the
chunk. Headers: https://github.com/HDFGroup/hdf5_plugins, and the libraries' own documentation.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

from evstore.errors import CorruptError, MissingDependencyError, UnsupportedError

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
LZF, BLOSC, LZ4, BITSHUFFLE, ZSTD = 32000, 32001, 32004, 32008, 32015

#: The names of the filters that are read, and of others that people meet.
NAMES = {
    DEFLATE: "gzip",
    SHUFFLE: "shuffle",
    FLETCHER32: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    LZF: "lzf",
    BLOSC: "blosc",
    LZ4: "lz4",
    BITSHUFFLE: "bitshuffle",
    ZSTD: "zstd",
    32026: "blosc2",
    36559: "Prophesee ECF",
}

#: No deflate stream grows by more (https://zlib.net/zlib_tech.html).
DEFLATE_RATIO = 1032

#: Bytes that hold every header read here.
HEADER_BYTES = 18

INFLATE_AT_ONCE = 1 << 20  # bytes


def _blosc(head: bytes) -> int:
    return int.from_bytes(head[4:8], "little")


def _total(head: bytes) -> int:
    """lz4 and bitshuffle say the whole's bytes in 8, big-endian."""
    return int.from_bytes(head[:8], "big")


def _zstd(head: bytes) -> int:
    """The content size of a frame (RFC 8878, 3.1.1.1); 0 where it does not say it."""
    if head[:4] != b"\x28\xb5\x2f\xfd":
        return 0
    flags = head[4]
    single = flags >> 5 & 1
    at = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
    length = (single, 2, 4, 8)[flags >> 6]
    return int.from_bytes(head[at : at + length], "little") + (256 if length == 2 else 0)


_CLAIMS: dict[int, Callable[[bytes], int]] = {
    BLOSC: _blosc,
    LZ4: _total,
    ZSTD: _zstd,
}
_READ = {DEFLATE, SHUFFLE, FLETCHER32, LZF, BLOSC, LZ4, BITSHUFFLE, ZSTD}
_BESIDE = {SHUFFLE, FLETCHER32}


class Pipeline:
    """The filters of one dataset; false where there are none."""

    def __init__(self, dataset: Any, path: str) -> None:
        create = dataset.id.get_create_plist()
        filters = [create.get_filter(k) for k in range(create.get_nfilters())]
        codes = [code for code, *_ in filters]
        for code in codes:
            _require(code, path)
        packing = [k for k, code in enumerate(codes) if code not in _BESIDE]
        if len(packing) > 1 or (packing and SHUFFLE in codes[packing[0] :]):
            raise UnsupportedError(
                f"the dataset {path!r} is packed in a way that is not read",
                expected="at most one compression, with shuffle before it",
                got=", ".join(NAMES[code] for code in codes),
            )
        self._path = path
        self._count = len(codes)
        self._at = packing[0] if packing else -1
        self._code = codes[self._at] if packing else 0
        self._values: tuple[int, ...] = filters[self._at][2] if packing else ()
        self._before = [(code, tuple(said)) for code, _, said, *_ in filters[: max(0, self._at)]]

    def __bool__(self) -> bool:
        return self._count > 0

    def deflates(self, item_bytes: int) -> bool:
        """Whether it is gzip alone, or gzip behind one shuffle of values of so many bytes."""
        known = self._before in ([], [(SHUFFLE, (item_bytes,))])
        return self._code == DEFLATE and self._count == self._at + 1 and known

    @property
    def shuffles(self) -> bool:
        """Whether there is a shuffle before the compression."""
        return any(code == SHUFFLE for code, _ in self._before)

    def check(
        self, stream: BinaryIO, place: int, packed: int, mask: int, size: int, room: int
    ) -> None:
        """Raises CorruptError where a packed chunk claims more than the ``size`` of a chunk.

        It stands at ``place``, ``packed`` bytes long; a bit of ``mask`` says that a filter was
        left out. ``room`` bytes may be unpacked without asking.
        """
        if self._at < 0 or mask >> self._at & 1:
            return
        stream.seek(place)
        if self._code == DEFLATE:
            # Twice the work is for large chunks only; small ones cannot grow beyond the room.
            claim = _inflated(stream, packed, size) if packed * DEFLATE_RATIO > room else 0
        else:
            claim = self._claim(stream.read(min(HEADER_BYTES, packed)).ljust(HEADER_BYTES))
        if claim > size:
            raise CorruptError(
                f"a {NAMES[self._code]} chunk of {self._path!r} claims more bytes than a chunk has",
                offset=place,
                expected=f"<= {size:,}",
                got=f"{claim:,}",
            )

    def _claim(self, head: bytes) -> int:
        if self._code == LZF:
            return int(self._values[2]) if len(self._values) > 2 else 0
        if self._code == BITSHUFFLE:
            packs = len(self._values) > 4 and self._values[4]
            return _total(head) if packs else 0
        return _CLAIMS[self._code](head)


def _inflated(stream: BinaryIO, packed: int, size: int) -> int:
    """Bytes that a deflate stream unpacks to, or more than ``size`` as soon as it does."""
    inflate, total = zlib.decompressobj(), 0
    while total <= size and not inflate.eof and (packed or inflate.unconsumed_tail):
        data = inflate.unconsumed_tail
        if not data:
            data = stream.read(min(packed, INFLATE_AT_ONCE))
            packed = packed - len(data) if data else 0
        try:
            total += len(inflate.decompress(data, INFLATE_AT_ONCE))
        except zlib.error as error:
            raise CorruptError(f"a gzip chunk is damaged: {error}") from error
    return total


def _require(code: int, path: str) -> None:
    """The filter can be checked, and is installed."""
    import h5py

    if code not in _READ:
        raise UnsupportedError(
            f"the dataset {path!r} is packed with a filter that is not read",
            expected=", ".join(NAMES[known] for known in sorted(_READ)),
            got=NAMES.get(code, code),
            hint="make it readable: h5repack -f GZIP=1 IN OUT",
        )
    if h5py.h5z.filter_avail(code):
        return
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401 - it registers its filters
    if not h5py.h5z.filter_avail(code):
        purpose = f"reading {path!r}, which is packed with {NAMES[code]},"
        raise MissingDependencyError("hdf5plugin", "hdf5", purpose)
