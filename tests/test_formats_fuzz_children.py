"""Damaged files of formats that a C library parses, read in child processes with limits.

What leaves Python must be an EvstoreError. A child that is ended by a signal, or that does not
end, met the known limit of the C library, which a process of its own answers: it is counted, and
the rest of the batch goes on in another child.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import vectors
from evstore.formats.conformance_damage import COPIES, mutated
from vectors import case, name_of

pytest.importorskip("h5py")

MEMORY = 4 << 30  # of addresses: numba and libhdf5 reserve more than they use
SECONDS = 20
PATIENCE = 10  # children that may be lost on one vector
PATHS = [p for p in vectors.files("vectors") if getattr(case(p).module, "C_PARSED", False)]

# Reads the copies of a vector from a number on; says each number before it is tried.
CHILD = """
import random, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from evstore.errors import EvstoreError
from evstore.formats.conformance_damage import mutated
from vectors import case, consume
path, seed, first, copies = Path(sys.argv[2]), *map(int, sys.argv[3:6])
content, vector = path.read_bytes(), case(path)
list(vector.reading().batches)
for copy in range(first, copies):
    print(copy, flush=True)
    damaged = mutated(content, random.Random(seed + copy))
    try:
        reading = vector.reading(damaged, batch_events=4096)
    except EvstoreError:
        continue
    _, error = consume(reading.batches)
    assert error is None or isinstance(error, EvstoreError), repr(error)
"""


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def attempt(path: Path, seed: int, first: int, copies: int) -> tuple[int, str, bool]:
    """The last copy that was tried, what the child said on its way out, and whether it ended."""
    here = str(Path(__file__).parent)
    arguments = [sys.executable, "-c", CHILD, here, str(path), str(seed), str(first), str(copies)]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limited
    ) as child:
        try:
            out, err = child.communicate(timeout=SECONDS)
            lost = child.returncode < 0
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            lost = True
    last = int(out.split()[-1]) if out.split() else first - 1
    return last, "" if lost or child.returncode == 0 else err, lost


@pytest.mark.parametrize("path", PATHS, ids=[name_of(path) for path in PATHS])
def test_mutated_copies(path: Path, seed: int) -> None:
    start = seed ^ zlib.crc32(name_of(path).encode())
    first, lost = 0, []
    while first < COPIES // 5:
        last, error, ended = attempt(path, start, first, COPIES // 5)
        where = f"EVSTORE_TEST_SEED={seed}, copy {last} of {name_of(path)}"
        assert not error, f"{where}: {error[-2000:]}"
        if not ended:
            break
        lost.append(last)
        assert len(lost) <= PATIENCE, f"{where}: the C library is lost on {lost}"
        first = last + 1
    if lost:
        print(f"{name_of(path)}: libhdf5 did not survive copies {lost} of seed {start}")


def test_copies_differ() -> None:
    content = bytes(range(256))
    assert len({mutated(content, random.Random(k)) for k in range(20)}) > 10
