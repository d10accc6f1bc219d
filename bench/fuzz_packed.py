"""Changes to what is compressed inside a file: no flipped bit of the file gets that far.

What was changed is compressed again, and lengths that the bytes before it say are put right: a
parser would refuse the copy at once otherwise.
"""

from __future__ import annotations

import io
import random
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Literal, NamedTuple

import zstandard

Change = Callable[[bytes], bytes]

MOST = 1 << 20  # bytes of a part, unpacked
NEAR = 64  # bytes before a part that may say its length
MAGIC = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18")
LENGTHS: tuple[tuple[int, Literal["little", "big"]], ...] = (
    *((8, "little"), (4, "little"), (4, "big")),
)


class Part(NamedTuple):
    """Compressed bytes in a file: where, what they hold, and how to compress other bytes."""

    start: int
    stop: int
    unpacked: bytes
    pack: Callable[[bytes], bytes]


def change_packed(content: bytes, change: Change, chance: random.Random) -> bytes | None:
    """A copy with one packed part changed; None where there is none."""
    if content.startswith(b"PK\x03\x04"):
        return _change_member(content, change, chance)
    places = [found.start() for found in MAGIC.finditer(content)]
    chance.shuffle(places)
    for place in places:
        part = _part(content, place)
        if part is not None:
            return _with_part(content, part, change(part.unpacked))
    return None


def _with_part(content: bytes, part: Part, unpacked: bytes) -> bytes:
    packed = part.pack(unpacked)
    head = content[: part.start]
    head = _said_anew(head, part.stop - part.start, len(packed))
    head = _said_anew(head, len(part.unpacked), len(unpacked))
    return head + packed + content[part.stop :]


def _said_anew(head: bytes, old: int, new: int) -> bytes:
    """With another number in the last place, near its end, that says the old one."""
    for width, order in LENGTHS:
        at = head.rfind(old.to_bytes(width, order), max(0, len(head) - NEAR))
        if at >= 0:
            return head[:at] + new.to_bytes(width, order) + head[at + width :]
    return head


def _part(content: bytes, start: int) -> Part | None:
    """What begins there, if it can be unpacked to its end."""
    rest = content[start:]
    try:
        if rest[:1] == b"\x78":
            inflater = zlib.decompressobj()
            unpacked = inflater.decompress(rest, MOST)
            whole, after = inflater.eof, inflater.unused_data
            return (
                Part(start, len(content) - len(after), unpacked, zlib.compress) if whole else None
            )
        if rest[:1] == b"\x28":
            zstd = zstandard.ZstdDecompressor(max_window_size=MOST).decompressobj()
            unpacked = zstd.decompress(rest)
            pack = zstandard.ZstdCompressor().compress
            return Part(start, len(content) - len(zstd.unused_data), unpacked, pack)
        return _lz4_part(content, start)
    except (zlib.error, zstandard.ZstdError, RuntimeError):
        return None


def _lz4_part(content: bytes, start: int) -> Part | None:
    try:
        import lz4.frame
    except ImportError:
        return None
    unpacker = lz4.frame.LZ4FrameDecompressor()
    unpacked = unpacker.decompress(content[start:], max_length=MOST)
    if not unpacker.eof:
        return None
    return Part(
        start, len(content) - len(unpacker.unused_data or b""), unpacked, lz4.frame.compress
    )


def _change_member(content: bytes, change: Change, chance: random.Random) -> bytes | None:
    """A ZIP with one member changed, under a checksum that is right."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info, archive.read(info)) for info in archive.infolist()[:20]
                       if info.file_size <= MOST]  # fmt: skip
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError,
            RuntimeError):  # fmt: skip
        return None
    if not members:
        return None
    chosen = chance.randrange(len(members))
    into = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(into, "w") as archive:
        warnings.simplefilter("ignore")  # two members of one name are what a parser must expect
        for k, (info, data) in enumerate(members):
            how = info.compress_type
            archive.writestr(info.filename, change(data) if k == chosen else data, how)
    return into.getvalue()
