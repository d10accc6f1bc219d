"""Codec 2 where every index is checked: as plain Python, and as numba compiles it when asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from conftest import ROOT
from evstore.codec.bit_kernels import put_bits, put_golomb
from evstore.codec.model_format import BANDS, HEAD, SIDES, STATE_WORDS, TABLE_WORDS, UNIT
from evstore.codec.modelled_decode_kernels import decode_chunks
from evstore.codec.packed_decode_kernels import BAD_FORM, BAD_LENGTH
from modelled import Words, decoded, encode_as, made_up, mutate
from pure import pure
from test_modelled_chunks import old_numpy


def of_leaves(whole: int, halved: int, forced: int = 12) -> Words:
    """A payload whose only tree has so many leaves at its ``forced`` depth, and half ones there."""
    words = np.zeros(9000, np.uint16)
    section = words[HEAD:]
    at = put_bits(section, 0, 1, 12)  # one token
    at = put_golomb(section, put_golomb(section, at, 0, 0), 0, 1)
    at = put_bits(section, put_bits(section, at, 1, 1), forced, 5)
    for k in range(whole + halved):
        if k >= whole:
            at = put_bits(section, at, 1, 1)  # a cut
        for _ in range(2 if k >= whole else 1):
            # No cut, a leaf that is there, of the same class as the last.
            at = put_golomb(section, put_bits(section, at, 2, 2), 0, 1)
    words[UNIT], words[SIDES], words[BANDS] = 1, 16 << 8 | 16, 1 << 8 | 12 << 4
    words[TABLE_WORDS] = (int(at) + 15) // 16
    end = HEAD + int(words[TABLE_WORDS])
    words[end + 1 : end + STATE_WORDS : 2] = 1
    return words[: end + STATE_WORDS]


@old_numpy
def test_more_leaves_than_there_may_be() -> None:
    python = pure(decode_chunks)
    for told, expected in (
        ((4096, 0), BAD_LENGTH),  # the tables are good
        ((4095, 1), BAD_FORM),
        ((0, 4096), BAD_FORM),
        ((4096, 0, 13), BAD_FORM),  # levels that no word tells of
    ):
        words = of_leaves(*told)
        assert decoded(words, 40)[0] == expected, told
        assert decoded(words, 40, decode=python)[0] == expected, told


@old_numpy
def test_spoilt_payloads_are_read_in_bounds_as_python(seed: int) -> None:
    rng = np.random.default_rng(seed)
    decode = pure(decode_chunks)
    for form, events in made_up((40,), seed):
        words = mutate(encode_as(form, events), rng)
        code, found = decoded(words, 40)
        again, plain = decoded(words, 40, decode=decode)
        assert again == code
        assert code or plain == found


CHECKED = """
import sys
import numpy as np
from modelled import decode_room, decoded
given = np.load(sys.argv[1])
room = decode_room(1100)
for start, stop, n in given["rows"].tolist():
    print(decoded(given["words"][start:stop], n, room)[0])
try:
    from evstore.codec.bit_kernels import long_at
    print(long_at(np.zeros(2, np.uint16), np.uint64(1)))
except IndexError:
    print("checked")
"""


def test_spoilt_payloads_are_read_in_bounds_where_numba_checks(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    payloads, codes, rows, at = [], [], [], 0
    for form, events in made_up((1, 33, 300, 1100), seed):
        given = encode_as(form, events)
        for words in (given, *(mutate(given, rng) for _ in range(12))):
            rows.append((at, at + len(words), len(events)))
            payloads.append(words)
            codes.append(decoded(words, len(events))[0])
            at += len(words)
    np.savez(tmp_path / "given.npz", words=np.concatenate(payloads), rows=np.array(rows))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    asked = {
        "BOUNDSCHECK": "1",
        "CPU_NAME": "generic",
        "OPT": "0",
        "CACHE_DIR": str(tmp_path / "c"),
    }
    environ = {**kept, **{f"NUMBA_{name}": value for name, value in asked.items()}}
    environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    command = [sys.executable, "-c", CHECKED, str(tmp_path / "given.npz")]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=250)
    assert ran.stdout.split() == [*map(str, codes), "checked"], ran.stderr
