"""Damaged copies of a format's files: events or an EvstoreError, and nothing else."""

from __future__ import annotations

import random
import time
import tracemalloc
import zlib
from dataclasses import dataclass

from evstore.errors import EvstoreError
from evstore.formats.conformance_case import Case, NotConforming, consume, expect, join_side
from evstore.formats.reading import Batch, Reading

COPIES = 2000
DAMAGED_BATCH = 4096  # events of a batch of a damaged copy
MEMORY = 64 << 20  # bytes that a small file may take, beside four times its size
SECONDS = 5.0  # for one small file, on a slow machine


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A copy with a few bits flipped, bytes replaced, removed, doubled or inserted."""
    octets = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if not octets:
            break
        at = chance.randrange(len(octets))
        kind = chance.randrange(6)
        if kind == 0:
            octets[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            octets[at] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
        elif kind == 2:
            del octets[at : at + chance.choice((1, 2, 7, 64))]
        elif kind == 3:
            octets[at:at] = octets[at : at + chance.choice((1, 4, 33))]
        elif kind == 4:
            octets[at : at + 8] = chance.randbytes(8)
        else:
            octets[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(octets)


@dataclass
class Judged:
    """What reading a damaged copy came to."""

    reading: Reading | None
    batches: list[Batch]
    error: BaseException | None


def judge(case: Case, content: bytes, seconds: float = SECONDS) -> Judged:
    """Read a damaged copy: events or an EvstoreError, no hang, no memory without bound.

    Raises NotConforming, whose cause is the error where there is one. Memory is watched while
    tracemalloc is on.
    """
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    began = time.process_time()  # not the clock's: other processes would be held against it
    judged = _read(case, content)
    took = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1] - before
    error = judged.error
    if error is not None and not isinstance(error, EvstoreError):
        raise NotConforming(repr(error)) from error
    expect(took < seconds, f"takes too long: {took:.1f} s")
    expect(peak <= MEMORY + 4 * len(content), f"{peak:,} bytes of memory")
    for batch in judged.batches:
        _check_batch(batch)
    return judged


def _read(case: Case, content: bytes) -> Judged:
    try:
        reading = case.reading(content, batch_events=DAMAGED_BATCH)
    except Exception as error:
        return Judged(None, [], error)
    return Judged(reading, *consume(reading.batches))


def _check_batch(batch: Batch) -> None:
    """Whatever the bytes were, what is given are events."""
    rows = {len(column) for column in batch[:4]}
    expect(len(rows) == 1 and max(rows) <= DAMAGED_BATCH, f"a batch with columns of {rows} rows")
    expect(not batch.p.size or batch.p.max() <= 1, "a polarity that is neither 0 nor 1")
    if batch.triggers is not None:
        rows = {len(column) for column in batch.triggers}
        expect(len(rows) == 1, f"columns of triggers are not of one length: {rows}")
    join_side([batch])


def check_damaged(case: Case, seed: int, copies: int = COPIES) -> None:
    """Damaged copies give events or an EvstoreError: no hang, no memory without bound."""
    content = case.path.read_bytes()
    list(case.reading().batches)  # compiled before memory and time are watched
    name = f"{case.module.NAME}/{case.path.name}"
    chance = random.Random(seed ^ zlib.crc32(name.encode()))
    tracemalloc.start()
    try:
        for copy in range(copies):
            try:
                judge(case, mutated(content, chance))
            except NotConforming as wrong:
                raise NotConforming(f"seed {seed}, copy {copy} of {name}: {wrong}") from wrong
    finally:
        tracemalloc.stop()
