"""Damaged files give events or an EvstoreError: no crash, no hang, no memory without bound."""

from __future__ import annotations

import random
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

import vectors
from evstore.errors import EvstoreError
from vectors import case, consume, name_of

COPIES = 2000
MEMORY = 64 << 20
SECONDS = 5.0  # for one small file, on a slow machine
# What C libraries parse is tried in child processes, in test_formats_fuzz_children.py.
VECTORS = [
    path for path in vectors.files("vectors") if not getattr(case(path).module, "C_PARSED", False)
]


def mutate(content: bytes, random: random.Random) -> bytes:
    """A copy with a few bits flipped, bytes replaced, removed, doubled or inserted."""
    octets = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        if not octets:
            break
        at = random.randrange(len(octets))
        kind = random.randrange(6)
        if kind == 0:
            octets[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            octets[at] = random.choice((0, 0xFF, 0x7F, 0x80, random.randrange(256)))
        elif kind == 2:
            del octets[at : at + random.choice((1, 2, 7, 64))]
        elif kind == 3:
            octets[at:at] = octets[at : at + random.choice((1, 4, 33))]
        elif kind == 4:
            octets[at : at + 8] = random.randbytes(8)
        else:
            octets[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(octets)


@pytest.mark.parametrize("path", VECTORS, ids=[name_of(path) for path in VECTORS])
def test_mutated_copies(path: Path, seed: int) -> None:
    content = path.read_bytes()
    vector = case(path)
    list(vector.reading().batches)  # compiled before memory and time are watched
    source = random.Random(seed ^ zlib.crc32(name_of(path).encode()))
    tracemalloc.start()
    try:
        for copy in range(COPIES):
            damaged = mutate(content, source)
            where = f"EVSTORE_TEST_SEED={seed}, copy {copy} of {name_of(path)}"
            tracemalloc.reset_peak()
            began = time.monotonic()
            try:
                reading = vector.reading(damaged, batch_events=4096)
            except EvstoreError:
                continue
            _, error = consume(reading.batches)
            assert error is None or isinstance(error, EvstoreError), f"{where}: {error!r}"
            assert time.monotonic() - began < SECONDS, where
            assert tracemalloc.get_traced_memory()[1] <= MEMORY + 4 * len(damaged), where
    finally:
        tracemalloc.stop()
