"""What the random numbers of a sample depend on: seed, epoch and the sample, nothing else.

Not the worker, the rank or the order in which samples are read, and not how a stream is cut into
batches: the numbers are counted, not drawn from a generator that is passed around.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xxhash

from evstore.errors import ArgumentError
from evstore.noise.batch import Batch
from evstore.noise.epoch import epoch_now


class Key(NamedTuple):
    """The sample that noise is for, and the place of a transform among several.

    ``sample``: what names the sample, or a digest of its events.
    """

    epoch: int
    sample: bytes
    place: bytes = b""

    def number(self, seed: int, use: str) -> int:
        """63 bits to count random numbers from, of this sample in this epoch alone."""
        return _hashed(b"sample", use, seed, self.place, self.epoch, self.sample)

    def sensor_number(self, seed: int, use: str) -> int:
        """63 bits for what a sensor keeps in all samples: which of its pixels are hot, say."""
        return _hashed(b"sensor", use, seed, self.place)

    def within(self, seed: int, place: int) -> Key:
        """For the transform at that place among several that have a seed together."""
        return self._replace(place=self.place + f"{seed}\0{place}\0".encode())


def _hashed(*parts: bytes | str | int) -> int:
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    # Each with its length, so that no two lists of parts make one text.
    text = b"".join(len(part).to_bytes(8, "little") + part for part in encoded)
    return xxhash.xxh3_64_intdigest(text) >> 1


def sample_key(epoch: int | None, sample: str | int | None, batch: Batch) -> Key:
    """The key of a sample; one that nobody names is known by its events."""
    if epoch is None:
        epoch = epoch_now()
    if isinstance(epoch, bool) or not isinstance(epoch, (int, np.integer)) or epoch < 0:
        raise ArgumentError(f"epoch must be an integer of at least 0, got {epoch!r}")
    if sample is None:
        return Key(int(epoch), b"events\0" + _digest(batch))
    if isinstance(sample, bool) or not isinstance(sample, (str, int, np.integer)):
        raise ArgumentError(f"sample must be an id or a number, got {sample!r}")
    return Key(int(epoch), f"named\0{sample}".encode("utf-8", "surrogatepass"))


def _digest(batch: Batch) -> bytes:
    digest = xxhash.xxh3_64()
    for column in (batch.t, batch.x, batch.y, batch.p):
        digest.update(column.view(np.uint8).data)
    return digest.digest()
