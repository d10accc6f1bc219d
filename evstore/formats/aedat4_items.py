"""Where the items of an AEDAT 4 packet are, or why it cannot be read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats import aedat4_kernels as kernels
from evstore.formats.aedat4_header import EVENTS, IMU, TRIGGERS

IDENTIFIERS = {
    kind: int.from_bytes(kind.encode("ascii"), "little") for kind in (EVENTS, IMU, TRIGGERS)
}

_FAULTS = {
    kernels.SHORT: "is too short to be one",
    kernels.PREFIX: "does not say its own size",
    kernels.KIND: "is of another kind",
    kernels.TABLE: "has its table outside itself",
    kernels.VECTOR: "has its items outside itself",
}


def locate(octets: NDArray[np.uint8], kind: str, item_bytes: int) -> tuple[int, int]:
    """Where the items of a packet begin, and how many there are.

    Raises CorruptError where the packet is of another kind, or points outside itself.
    """
    start, count = kernels.locate(octets, octets.size, IDENTIFIERS[kind], item_bytes)
    if start < 0:
        raise fault(octets, kind, -start)
    return start, count


def fault(octets: NDArray[np.uint8], kind: str, number: int) -> CorruptError:
    """Why a packet cannot be read, as `kernels.locate` numbers it."""
    got = f"{bytes(octets[:12]).hex(' ', 4)} in {octets.size} bytes"
    return CorruptError(f"a packet in a stream of {kind} {_FAULTS[number]}", got=got)
