"""Files that are not trusted are parsed in another process, which is not trusted either."""

from __future__ import annotations

import io
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.errors import ArgumentError, CorruptError, TruncatedError, UnsupportedError
from evstore.formats import conformance
from evstore.formats.reading import ReadOptions
from evstore.formats.untrusted import frames, parent
from vectors import FORMATS, case

BIN40 = FORMATS / "bin40" / "vectors" / "plain.bin"


def reader(content: bytes) -> Any:
    stream = io.BytesIO(content)

    def read(size: int) -> bytes:
        found = stream.read(size)
        if len(found) < size:
            raise EOFError
        return found

    return read


def test_frames_there_and_back() -> None:
    tables = {
        "": {"t": np.arange(5), "p": np.array([1, 0, 1, 1, 0], np.uint8)},
        "imu": {"a": np.array([0.5, np.nan], np.float32), "ok": np.array([True, False])},
        "none": {},
    }
    said, found = frames.take(reader(b"".join(frames.frame({"kind": "batch", "n": 5}, tables))))
    assert said == {"kind": "batch", "n": 5}
    assert found.keys() == tables.keys()
    for table, columns in tables.items():
        for name, column in columns.items():
            assert found[table][name].dtype == column.dtype
            assert found[table][name].tobytes() == column.tobytes()
            assert found[table][name].flags.writeable


@pytest.mark.parametrize(
    "said",
    [
        [], 5, {}, {"tables": 5}, {"tables": {"a": [["t"]]}}, {"tables": {"a": [["t", "|O8", 1]]}},
        {"tables": {"a": [["t", "<i8", -1]]}}, {"tables": {"a": [["t", "<i8", 1 << 60]]}},
        {"tables": {"a": [["t", "<i8", "many"]]}},
    ],
)  # fmt: skip
def test_frames_that_cannot_be(said: Any) -> None:
    head = json.dumps(said).encode()
    with pytest.raises(CorruptError, match="the process that read the file sent"):
        frames.take(reader(struct.pack("<I", len(head)) + head))


def test_a_frame_too_long_is_not_waited_for() -> None:
    with pytest.raises(CorruptError, match="bytes of JSON"):
        frames.take(reader(struct.pack("<I", 0xFFFFFFFF)))


def test_reading_is_the_same() -> None:
    for path in (BIN40, FORMATS / "evt3" / "vectors" / "triggers.raw"):
        if not path.is_file():
            path = next(iter(sorted((FORMATS / "evt3" / "vectors").glob("*.raw"))))
        vector = case(path)
        with path.open("rb") as stream:
            options = ReadOptions(**{**vector.options, "batch_events": 7})
            reading = parent.read(vector.input_format, stream, options)
            found = conformance.join(list(reading.batches))
        conformance.check_events(vector, found)
        plain = vector.reading()
        list(plain.batches)
        assert (reading.resolution, reading.header) == (plain.resolution, plain.header)
        assert (reading.dropped, reading.format) == (plain.dropped, plain.format)


def test_errors_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(BIN40.read_bytes()[:-1])
    with path.open("rb") as stream:
        reading = parent.read("bin40", stream, ReadOptions())
        with pytest.raises(TruncatedError, match="left over") as caught:
            list(reading.batches)
    assert caught.value.safe_events == len(BIN40.read_bytes()) // 5 - 1
    path.write_bytes(b"% evt 4.0\n% end\n")
    with path.open("rb") as stream, pytest.raises(UnsupportedError, match="EVT4"):
        parent.read("evt3", stream, ReadOptions())


def test_only_files_with_a_name() -> None:
    with pytest.raises(ArgumentError, match="by its name"):
        parent.read("bin40", io.BytesIO(b""), ReadOptions())


# ------------------------------------------------------------------ a process that goes wrong


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Another program in the child's place."""

    def put(program: str) -> None:
        script = tmp_path / "python"
        script.write_text(f"#!{sys.executable}\nimport os, signal, struct, sys, time\n{program}\n")
        script.chmod(0o755)
        monkeypatch.setattr(parent.sys, "executable", str(script))

    return put


def told(said: Any) -> str:
    head = json.dumps(said).encode()
    return f"sys.stdout.buffer.write({struct.pack('<I', len(head)) + head!r}); sys.stdout.flush()\n"


HEADER = told(
    {
        "kind": "reading", "format": "x", "resolution": None, "header": "", "label": None,
        "metadata": {}, "dropped": {}, "tables": {},
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal 11"),
        ("sys.exit(3)", "ended by exit code 3"),
        ("time.sleep(60)", "without a result"),
        (told({"kind": "reading", "tables": {}}), "sent no header"),
        (HEADER + "os.kill(os.getpid(), signal.SIGABRT)", "ended by signal 6"),
        (HEADER + told({"kind": "batch", "tables": {}}), "columns that cannot be"),
        (HEADER + told({"kind": "batch", "tables": {"": [["t", "<i8", 0]]}}), "columns that"),
        (told({"kind": "error", "class": "SystemExit", "what": "x", "tables": {}}), "^x"),
    ],
)
def test_a_process_that_goes_wrong(
    instead: Any, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(parent, "SECONDS", 1.0 if "sleep" in program else 60.0)
    instead(program)
    with BIN40.open("rb") as stream, pytest.raises(CorruptError, match=words):
        list(parent.read("bin40", stream, ReadOptions()).batches)
