"""The fuzzer of bench/ finds what is wrong with a toy format, and keeps the copy that shows it."""

from __future__ import annotations

import random
import sys
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT))  # bench is not installed
from bench import fuzz, fuzz_packed
from evstore.formats.conformance import NotConforming

# Two changes lead to FAULT. Both in one copy are too rare: the copy with the first must be kept.
TOY = """
import os, time
import numpy as np
from evstore.errors import CorruptError
from evstore.formats.reading import Batch, Reading

NAME = "toy"

def read(stream, options, input_format=NAME):
    content = stream.read()
    if not content.startswith(b"TOY"):
        raise CorruptError("no toy")
    if content[3:4] >= b"\\x80":
        version = 2
        if b"DEEP" in content:
            FAULT
    return Reading(NAME, None, batches())

ends = [0.25, 0.25, 0.25]

def burn(n):
    end = time.process_time() + (ends.pop() if ends else 0)
    while time.process_time() < end:
        pass

def batches():
    yield Batch(*(np.zeros(1, kind) for kind in (np.int64, np.uint16, np.uint16, np.uint8)))
"""


def fuzzed(
    fault: str, copies: int, folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.1
) -> fuzz.Fuzzed:
    """What is found in the toy with a fault: an expression of ``content``."""
    name = f"toy_{folder.name}"
    (folder / f"{name}.py").write_text(TOY.replace("FAULT", fault))
    vectors = folder / "vectors"
    vectors.mkdir()
    (vectors / "plain.toy").write_bytes(b"TOY1" + bytes(8))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    found = fuzz.fuzz(name, folder, folder / "into", copies, seed=3, seconds=seconds)
    for said in found.faults + found.lost:
        copy = Path(said.rpartition(": ")[2])
        assert copy.parent == folder / "into"
        assert copy.read_bytes().startswith(b"TOY")
        assert b"DEEP" in copy.read_bytes()
        if "lost" not in copy.name:
            with pytest.raises(NotConforming):
                fuzz.replay(name, copy, seconds)
    return found


def test_what_breaks_the_rule_is_kept_and_can_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = "[content.index, np.empty, burn][len(content) % 3](10 << 20)"
    found = fuzzed(fault, 3000, tmp_path, monkeypatch, seconds=0.2)
    assert not found.lost
    assert found.copies == 3000
    assert found.kept > 1
    for words in ("ValueError", "bytes of memory", "takes too long"):
        assert sum(words in said for said in found.faults) == 1, found.faults
    assert len(found.faults) == 3


def test_a_lost_process_leaves_its_copy_and_another_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "LOST", 2)
    first = str(tmp_path / "into" / "lost0")
    fault = f"while not os.path.exists({first!r}): pass\n            os.abort()"
    found = fuzzed(fault, 20_000, tmp_path, monkeypatch)
    assert not found.faults
    assert [said.split(":")[0] for said in found.lost] == ["it hangs", "ended by SIGABRT"]
    assert "toy_" in (tmp_path / "into" / "lost0.txt").read_text()  # the traceback


def test_a_good_format_has_no_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fuzzed("pass", 300, tmp_path, monkeypatch, seconds=2.0)
    assert (found.copies, found.faults, found.lost) == (300, [], [])


def test_what_is_compressed_is_changed_inside_and_its_length_put_right(seed: int) -> None:
    packed = zlib.compress(b"inside " * 9)
    content = b"head" + len(packed).to_bytes(4, "big") + packed + b"tail"
    changed = fuzz_packed.change_packed(content, lambda _: b"other", random.Random(seed))
    assert changed is not None
    size = int.from_bytes(changed[4:8], "big")
    assert zlib.decompress(changed[8 : 8 + size]) == b"other"
    assert changed.endswith(b"tail")
    assert fuzz_packed.change_packed(b"nothing", bytes, random.Random(seed)) is None


def test_a_changed_member_of_an_archive_has_its_checksum(seed: int) -> None:
    into = BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("a", b"inside")
    changed = fuzz_packed.change_packed(into.getvalue(), bytes.upper, random.Random(seed))
    assert changed is not None
    with zipfile.ZipFile(BytesIO(changed)) as archive:
        assert archive.read("a") == b"INSIDE"
