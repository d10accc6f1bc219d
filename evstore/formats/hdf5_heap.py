"""Global heaps of HDF5, where texts of any length lie: what libhdf5 does not check of them.

It goes from object to object by the sizes that they state (HDF5 File Format Specification,
III.E). Sizes of zero keep it where it is for ever, others take it out of the block.
"""

from __future__ import annotations

import struct

_COLLECTION = struct.Struct("<4sB3sQ")  # signature, version, reserved, bytes in all
_OBJECT = struct.Struct("<HHIQ")  # index, references, reserved, bytes of the content
_BEGIN = b"GCOL\x01\0\0\0"


def heap_bytes(block: memoryview) -> int:
    """How long the heap that a block begins with says it is; 0 where there is none."""
    if len(block) < _COLLECTION.size or bytes(block[: len(_BEGIN)]) != _BEGIN:
        return 0
    size: int = _COLLECTION.unpack_from(block)[3]
    return size


def leads_astray(block: memoryview) -> bool:
    """Whether a block is a heap, or its beginning, whose objects do not follow one another."""
    size, at = heap_bytes(block), _COLLECTION.size
    while at + _OBJECT.size <= min(size, len(block)):
        index, _, _, content = _OBJECT.unpack_from(block, at)
        # Index 0 is free space: its size has the header in it. Others are padded to 8 bytes.
        step = content if index == 0 else _OBJECT.size + content + -content % 8
        if step < _OBJECT.size or step > size - at:
            return True
        at += step
    return False
