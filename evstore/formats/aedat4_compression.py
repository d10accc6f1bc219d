"""What packs an AEDAT 4 packet: nothing, an LZ4 frame or a Zstandard frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evstore.errors import ArgumentError, CorruptError, MissingDependencyError, UnsupportedError

NONE, LZ4, LZ4_HIGH, ZSTD, ZSTD_HIGH = 0, 1, 2, 3, 4
NAMES = ("NONE", "LZ4", "LZ4_HIGH", "ZSTD", "ZSTD_HIGH")

#: The most an unpacked packet may hold: 1.5 million events, an image of 4K in colour.
MAX_PACKET_BYTES = 25_165_824

#: What is unpacked of an LZ4 frame at once: all of it, mostly.
_PIECE_BYTES = 262_144

#: How much memory a Zstandard frame of unknown size may ask for.
_MAX_WINDOW_BYTES = 8_388_608

#: Levels of the writers: those of HIGH as in DV, the others what their libraries call default.
_LEVELS = {LZ4: 0, LZ4_HIGH: 9, ZSTD: 3, ZSTD_HIGH: 19}

Octets = bytes | bytearray | memoryview


def unpacker(compression: int) -> Callable[[memoryview], Octets]:
    """What unpacks packets of a file. It gives at most `MAX_PACKET_BYTES`, or a CorruptError.

    Raises UnsupportedError for a compression that is not known.
    """
    if compression == NONE:
        return _unpack_none
    if compression in (LZ4, LZ4_HIGH):
        return _lz4_unpacker()
    if compression in (ZSTD, ZSTD_HIGH):
        return _zstd_unpacker()
    raise UnsupportedError(
        "a compression evstore does not read",
        field="compression",
        expected=f"0..{ZSTD_HIGH}",
        got=compression,
    )


def packer(name: str) -> tuple[int, Callable[[bytes], bytes]]:
    """The number of a compression, and what packs with it. Frames carry a checksum."""
    if name.upper() not in NAMES:
        raise ArgumentError(f"compression must be one of {', '.join(NAMES).lower()}, got {name!r}")
    compression = NAMES.index(name.upper())
    if compression == NONE:
        return compression, bytes
    level = _LEVELS[compression]
    if compression in (ZSTD, ZSTD_HIGH):
        import zstandard

        return compression, zstandard.ZstdCompressor(level, write_checksum=True).compress
    frame = _lz4_frame()

    def pack(octets: bytes) -> bytes:
        packed: bytes = frame.compress(octets, compression_level=level, content_checksum=True)
        return packed

    return compression, pack


def _unpack_none(packed: memoryview) -> memoryview:
    return packed


def _lz4_frame() -> Any:
    try:
        import lz4.frame  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise MissingDependencyError("lz4", "aedat4", "AEDAT 4 compressed with LZ4") from None
    return lz4.frame


def _lz4_unpacker() -> Callable[[memoryview], Octets]:
    frame = _lz4_frame()
    context = frame.create_decompression_context()

    def unpack(packed: memoryview) -> Octets:
        frame.reset_decompression_context(context)
        try:
            octets, used, ended = frame.decompress_chunk(context, packed, _PIECE_BYTES)
            if not ended:
                octets, used, ended = _rest(octets, used, packed)
        except RuntimeError as error:
            raise CorruptError(f"a packet's LZ4 frame is damaged: {error}") from None
        if not ended:
            raise CorruptError("a packet's LZ4 frame does not end")
        if used != len(packed):
            raise _left_over(len(packed) - used)
        return octets  # type: ignore[no-any-return]

    def _rest(start: bytes, used: int, packed: memoryview) -> tuple[bytearray, int, bool]:
        octets, ended = bytearray(start), False
        while not ended:
            more, took, ended = frame.decompress_chunk(context, packed[used:], _PIECE_BYTES)
            octets += more
            used += took
            if len(octets) > MAX_PACKET_BYTES:
                raise _too_large(f"more than {MAX_PACKET_BYTES}")
            if not (took or more):
                break
        return octets, used, ended

    return unpack


def _zstd_unpacker() -> Callable[[memoryview], Octets]:
    import zstandard

    whole = zstandard.ZstdDecompressor()
    pieces = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)

    def unpack(packed: memoryview) -> Octets:
        try:
            size = zstandard.frame_content_size(packed)
            if size < 0:
                return _unsized(packed)
            if size > MAX_PACKET_BYTES:
                raise _too_large(size)
            octets: bytes = whole.decompress(packed, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CorruptError(f"a packet's Zstandard frame is damaged: {error}") from None
        return octets

    def _unsized(packed: memoryview) -> bytearray:
        """A frame that does not say how much it holds: a piece of its input at a time."""
        frame, octets, used = pieces.decompressobj(), bytearray(), 0
        while not frame.eof and used < len(packed):
            # A block gives at most 128 KiB, and takes at least 3 bytes.
            octets += frame.decompress(packed[used : used + 64])
            used += 64
            if len(octets) > MAX_PACKET_BYTES:
                raise _too_large(f"more than {MAX_PACKET_BYTES}")
        if not frame.eof:
            raise CorruptError("a packet's Zstandard frame does not end")
        left = len(frame.unused_data) + max(len(packed) - used, 0)
        if left:
            raise _left_over(left)
        return octets

    return unpack


def _too_large(size: object) -> UnsupportedError:
    return UnsupportedError(
        "a packet that is too large when unpacked",
        expected=f"at most {MAX_PACKET_BYTES} bytes",
        got=size,
        hint="no camera's driver writes such packets: the file is damaged, or made to exhaust "
        "memory",
    )


def _left_over(count: int) -> CorruptError:
    return CorruptError("bytes behind a packet's frame", expected="none", got=count)
