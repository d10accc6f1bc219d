"""The proof of a recording: a hash tree over its events, side streams, labels and source header.

Leaves are LEAF_EVENTS events counted from the recording's start, whatever the chunks, parts
and workers. The bytes hashed are in formats/evs/SPEC.md, "Root".
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.events import dtype_name
from evstore.shard.layout import json_bytes
from evstore.shard.root_kernels import MOST_BITS, leaf_body, used_bits

LEAF_EVENTS = 65_536
_LEAF = struct.Struct("<4sIqBBBB")


def body_of(count: int = LEAF_EVENTS) -> NDArray[np.uint8]:
    """Room for the bitmaps of ``count`` events."""
    return np.empty(MOST_BITS * ((count + 7) // 8), np.uint8)


def leaf_hash(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8]
) -> bytes:
    """SHA-256 of up to LEAF_EVENTS events; the columns are contiguous and not empty."""
    body, bits = body_of(len(t)), used_bits(t, x, y)
    leaf_body(t, x, y, p, *bits, body)
    return hash_of_body(len(t), int(t[0]), bits, body)


def hash_of_body(
    count: int, t_first: int, bits: tuple[int, int, int], body: NDArray[np.uint8]
) -> bytes:
    """SHA-256 of a leaf that leaf_body has laid out: ``bits`` of t, of x and of y."""
    hasher = hashlib.sha256(_LEAF.pack(b"leaf", count, t_first, *bits, 0))
    hasher.update(body[: (sum(bits) + 1) * ((count + 7) // 8)].data)
    return hasher.digest()


class SideHash:
    """SHA-256 of a side stream: its columns' names, dtypes, lengths and little-endian values.

    Rows may come in batches of any lengths; the result is the same.
    """

    def __init__(self) -> None:
        self._columns: dict[str, tuple[str, Any]] = {}
        self.rows = 0

    def update(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Add rows; every batch has the same columns."""
        for name, values in columns.items():
            little = values.astype(values.dtype.newbyteorder("<"), copy=False)
            _, hasher = self._columns.setdefault(name, (dtype_name(little.dtype), hashlib.sha256()))
            hasher.update(np.ascontiguousarray(little).data)
        self.rows += len(next(iter(columns.values())))

    @property
    def dtypes(self) -> dict[str, str]:
        """Columns and their dtypes, as numpy writes them."""
        return {name: dtype for name, (dtype, _) in self._columns.items()}

    def digest(self) -> bytes:
        """The hash of the rows so far."""
        parts = {name: [d, self.rows, h.hexdigest()] for name, (d, h) in self._columns.items()}
        return hashlib.sha256(json_bytes(parts)).digest()


def source_header(metadata: Mapping[str, Any]) -> str:
    """The source's own header in a recording's metadata, "" where there is none."""
    source = metadata.get("source")
    return str(source.get("header", "")) if isinstance(source, dict) else ""


def recording_root(
    n_events: int,
    leaves: Iterable[bytes],
    sides: Mapping[str, bytes],
    label: Any,
    header: str,
) -> bytes:
    """The 32-byte root of a recording, from the hashes of its parts.

    ``sides`` maps a side stream's name to its hash; ``label`` is the recording's label (any
    JSON value) or None; ``header`` is the source's own header, "" where there is none.
    """
    tree = hashlib.sha256(b"tree" + b"".join(leaves)).digest()
    rest = {
        "header": hashlib.sha256(header.encode("utf-8", "surrogatepass")).hexdigest(),
        "label": label,
        "side": {name: value.hex() for name, value in sides.items()},
    }
    return hashlib.sha256(b"root" + struct.pack("<Q", n_events) + tree + json_bytes(rest)).digest()
