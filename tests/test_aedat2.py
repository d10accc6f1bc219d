"""AEDAT 1.0 and 2.0 against a slow decoder of their own, twins, and every awkward header."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vectors
from evstore.errors import CorruptError, EvstoreError, TruncatedError, UnsupportedError
from evstore.formats import aedat2, aedat_header, dat, registry
from evstore.formats.reading import ReadOptions
from naive_aedat2 import slow
from vectors import case, consume, join, name_of

HEAD = b"#!AER-DAT2.0\r\n"
CHIP = b"# AEChip: eu.seebetter.ini.chips.davis."
DAVIS346 = HEAD + CHIP + b"Davis346red\r\n"
DVS128 = HEAD + b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
INTERESTING = (0, 1, 2, 3, 4, 0x400, 0x402, 0x403, 0x7FFF, 0x8000, 0x10000, 0x80000000, 0x80000C00)


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation("seek")


def read(content: bytes, input_format: str = "aedat2", pipe: bool = False, **options: Any) -> Any:
    stream = Pipe(content) if pipe else io.BytesIO(content)
    return aedat2.read(stream, ReadOptions(**options), input_format)


def some_records(source: random.Random, count: int, address_bits: int) -> list[tuple[int, int]]:
    t = source.choice((0, (1 << 31) - 50, (1 << 32) - 50))
    found = []
    for _ in range(count):
        step = source.choice((0, 0, 1, 2, 7, -3, 1 << 20, 1 << 31, -(1 << 31)))
        t = (t + step) % (1 << 32)
        address = source.choice((source.getrandbits(32), source.choice(INTERESTING)))
        found.append((address % (1 << address_bits), t))
    return found


def expect(reading: Any, expected: Any) -> None:
    events, triggers, side, dropped = expected
    decoded = join(list(reading.batches))
    assert list(zip(*(c.tolist() for c in decoded.columns), strict=True)) == events
    assert list(zip(*(c.tolist() for c in decoded.triggers), strict=True)) == triggers
    given = {
        stream: {name: column.tolist() for name, column in rows.items()}
        for stream, rows in decoded.side.items()
    }
    assert given == side
    assert reading.dropped == dropped


@pytest.mark.parametrize("layout", ["DVS128", "DAVIS346"])
@pytest.mark.parametrize("batch_events", [1, 3, 100, 65_536])
def test_any_records_as_the_slow_decoder(layout: str, batch_events: int, seed: int) -> None:
    source = random.Random(f"{seed} {layout} {batch_events}")
    for count in (0, 1, 2, 50, 1500):
        records = some_records(source, count, 32)
        content = (DVS128 if layout == "DVS128" else DAVIS346) + b"#End Of ASCII Header\r\n"
        content += b"".join(struct.pack(">II", *record) for record in records)
        expect(read(content, batch_events=batch_events), slow(records, layout, (346, 260)))


@pytest.mark.parametrize("batch_events", [1, 65_536])
def test_any_records_of_version_1_as_the_slow_decoder(batch_events: int, seed: int) -> None:
    source = random.Random(f"{seed} {batch_events}")
    for head in (b"", b"#!AER-DAT1.0\r\n#End Of ASCII Header\r\n"):
        records = [(0, 0), *some_records(source, 700, 16)]
        content = head + b"".join(struct.pack(">HI", *record) for record in records)
        reading = read(content, "aedat1", batch_events=batch_events)
        expect(reading, slow(records, "DVS128"))
        assert reading.resolution == (128, 128)


def test_records_across_the_buffer() -> None:
    records = [(k % 127 << 12 | k % 2 << 11, k) for k in range(100_000)]
    for head in (DAVIS346, DAVIS346 + b"# of some length\n"):
        content = head + b"".join(struct.pack(">II", *record) for record in records)
        expect(read(content), slow(records, "DAVIS346"))


def test_more_triggers_than_a_batch_holds() -> None:
    records = [(0x402 + k % 2, k) for k in range(5000)] + [(0, 9000)]
    content = DAVIS346 + b"".join(struct.pack(">II", *record) for record in records)
    expect(read(content), slow(records, "DAVIS346"))


@pytest.mark.parametrize(
    "path", [p for p in vectors.files("vectors") if "aedat2" in str(p)], ids=name_of
)
def test_every_prefix_gives_the_start_of_the_whole(path: Path) -> None:
    vector, content = case(path), path.read_bytes()
    whole = join(list(vector.reading().batches)).columns
    for length in range(1, len(content)):
        try:
            reading = vector.reading(content[:length], batch_events=7)
        except EvstoreError:
            continue
        batches, error = consume(reading.batches)
        given = join(batches).columns
        for column, other in zip(given, whole, strict=True):
            assert np.array_equal(column, other[: given[0].size])
        if error is not None:
            assert isinstance(error, TruncatedError)
            assert error.safe_events == given[0].size


def test_twins_of_poker_dvs(data_dir: Path) -> None:
    """The DAT holds the address's x, y and polarity; its times begin at 0."""
    with (data_dir / "inivation/dvs128_poker_di_17.aedat2.aedat").open("rb") as stream:
        reading = aedat2.read(stream, ReadOptions())
        mine = join(list(reading.batches)).columns
    with (data_dir / "prophesee/poker_di_17_headerless_v1.dat").open("rb") as stream:
        twin = join(list(dat.read(stream, ReadOptions(), "dat-v1").batches)).columns
    assert np.array_equal(mine[0] - 1_137_458, twin[0])
    for column, other in zip(mine[1:], twin[1:], strict=True):
        assert np.array_equal(column, other)
    assert reading.metadata["sensor_from"] == "inferred"
    assert reading.metadata["origin"] == "bottom-left"
    assert reading.metadata["mirror_x"] is True


def test_a_header_alone_is_an_empty_recording(data_dir: Path) -> None:
    with (data_dir / "inivation/header_only.aedat2.aedat").open("rb") as stream:
        reading = aedat2.read(stream, ReadOptions())
        assert list(reading.batches) == []
    assert reading.resolution == (346, 260)
    assert reading.metadata["creation_time_ms"] == 1_695_355_587_880
    assert reading.metadata["created"].startswith("Fri Sep 22")


def test_real_davis(data_dir: Path) -> None:
    """IMU words among the events, and a header of 175 kB; plain numpy says the same."""
    path = data_dir / "inivation/davis240_boxes.aedat2.aedat"
    with path.open("rb") as stream:
        reading = aedat2.read(stream, ReadOptions())
        decoded = join(list(reading.batches))
    table = np.fromfile(path, ">u4", offset=len(reading.header)).reshape(-1, 2).astype(np.int64)
    table = table[table[:, 0] < 1 << 31]
    assert np.array_equal(decoded.columns[0], table[:, 1])
    assert np.array_equal(decoded.columns[1], table[:, 0] >> 12 & 1023)
    assert reading.dropped == {"imu_words": 6}
    imu = decoded.side["imu"]
    assert imu["t"].size == 4833
    # It stands still: what it feels is its weight, by the scale that the header says.
    felt = np.sqrt(sum(imu[f"accelerometer_{axis}"] ** 2 for axis in "xyz"))
    assert abs(float(felt.mean()) - 1) < 0.02
    assert reading.metadata["imu_full_scale_g"] == 8
    assert reading.metadata["imu_full_scale_deg_s"] == 1000
    assert reading.metadata["imu_scale_from"] == "header"
    assert len(reading.header) == 175_268
    assert (decoded.columns[1].max(), decoded.columns[2].max()) == (239, 179)


@pytest.mark.parametrize("length", [65_520, 65_535, 65_536, 65_537, 131_072, 3_000_000])
@pytest.mark.parametrize("end", [b"", b"#End Of ASCII Header\r\n"])
def test_headers_longer_than_one_read(length: int, end: bytes) -> None:
    filler = length - len(DVS128) - len(end) - 3
    head = DVS128 + b"#" + b"x" * filler + b"\r\n" + end
    assert len(head) == length
    for payload in (b"", struct.pack(">II", 0x0100, 5)):
        reading = read(head + payload)
        assert reading.header == head
        assert join(list(reading.batches)).columns[0].tolist() == ([5] if payload else [])
    with pytest.raises(TruncatedError, match="inside its header"):
        read(head[: -len(end) - 1])


def slow_header(content: bytes) -> bytes:
    """Line by line: those that begin with # and are text, up to one that says it is the last."""
    at = 0
    while content[at : at + 1] == b"#" and b"\n" in content[at:]:
        stop = content.index(b"\n", at) + 1
        line = content[at:stop].removesuffix(b"\n").removesuffix(b"\r")
        if any((octet < 32 and octet != 9) or octet == 127 for octet in line):
            break
        at = stop
        if line.lower().strip(b" ") in (b"#end of ascii header", b"# end of ascii header"):
            break
    return content[:at]


def test_any_header_ends_where_the_slow_parser_says(seed: int) -> None:
    source = random.Random(seed)
    pieces = (b"#", b"\n", b"\r\n", b"\r", b"# a: b\r\n", b"#\n", b"x", b"\t", b"\x80", b"\x00")
    pieces += (b"#End Of ASCII Header\r\n", b"# End of ASCII Header \n", b"\n#", b"#End\n")
    for _ in range(3000):
        tail = b"".join(source.choice(pieces) for _ in range(source.randrange(12)))
        content = HEAD + tail + b"\x00\n"  # so that it never ends inside its header
        assert aedat_header.read(io.BytesIO(content)).raw == slow_header(content), content


@pytest.mark.parametrize("line", [b"#\n", b"#" + b"x" * 1000 + b"\n", b"#" + b"x" * 9_000_000])
def test_headers_without_end(line: bytes) -> None:
    with pytest.raises(CorruptError, match="too long"):
        read(DVS128 + line * max(1, 9_000_000 // len(line)))


def test_one_polarity_of_many_events_is_noted() -> None:
    for bit in (0, 1):
        for count, noted in ((999, False), (1000, True)):
            content = DVS128 + struct.pack(">II", bit, 7) * count
            reading = read(content)
            list(reading.batches)
            assert reading.metadata.get("constant_polarity") == ((1 - bit) if noted else None)
    reading = read(DVS128 + struct.pack(">II", 1, 7) * 5000 + struct.pack(">II", 0, 7))
    list(reading.batches)
    assert "constant_polarity" not in reading.metadata


def test_a_wide_address_is_an_error_before_the_first_event_or_on_a_pipe_when_it_comes() -> None:
    good, wide = struct.pack(">II", 0x0203, 5), struct.pack(">II", 0x12345678, 6)
    content = HEAD + good * 100_000 + wide + good
    with pytest.raises(UnsupportedError, match="0x12345678") as caught:
        read(content)
    assert caught.value.offset == len(HEAD) + 800_000
    reading = read(content, pipe=True)
    batches, error = consume(reading.batches)
    assert sum(batch.t.size for batch in batches) <= 100_000
    assert isinstance(error, UnsupportedError)
    assert (error.offset, "--sensor" in str(error)) == (len(HEAD) + 800_000, True)
    assert join(list(read(content, sensor="davis240").batches)).columns[0].size


def test_what_names_the_sensor() -> None:
    interface = HEAD + b"# HardwareInterface: DAVIS FX2 84010032\n"
    said = (
        (interface, {}, None, "HardwareInterface", "DAVIS FX2 84010032"),
        (interface + CHIP + b"DAVIS240C\n", {}, (240, 180), "AEChip", "DAVIS240C"),
        (DVS128, {"sensor": "DAVIS640"}, (640, 480), "option", "DAVIS640"),
        (HEAD, {}, (128, 128), "inferred", "DVS128"),
    )
    for head, options, size, said_by, name in said:
        reading = read(head, **options)
        assert reading.resolution == size
        assert reading.metadata["sensor_from"] == said_by
        assert reading.metadata["sensor"] == name


def test_other_formats_are_not_taken() -> None:
    for path in vectors.files("vectors"):
        head = path.read_bytes()[:65_536]
        if "aedat2" not in str(path):
            assert not aedat2.probe(head, None), path


@pytest.mark.parametrize("version", ["3.0", "5.0", "2.1"])
def test_other_versions_are_refused_by_name(version: str) -> None:
    with pytest.raises(UnsupportedError, match=f"AEDAT {version}"):
        registry.detect(f"#!AER-DAT{version}\r\n".encode() + bytes(100), None)
    assert aedat_header.refusal(HEAD) is None


def test_eventcv_gives_the_same(data_dir: Path) -> None:
    """It counts y from the top."""
    eventcv = pytest.importorskip("eventcv")
    path = data_dir / "inivation/davis240_boxes.aedat2.aedat"
    other = np.asarray(eventcv.load(str(path)).numpy())
    with path.open("rb") as stream:
        t, x, y, p = join(list(aedat2.read(stream, ReadOptions()).batches)).columns
    assert np.array_equal(other[:, 0], x)
    assert np.array_equal(179 - other[:, 1].astype(np.int64), y)
    assert np.array_equal(other[:, 2], t)
    assert np.array_equal(other[:, 3], p)
