"""AEDAT 3.1 against a slow decoder of its own: packets of every kind, several sources, damage."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vectors
from evstore.errors import ArgumentError, CorruptError, EvstoreError, TruncatedError
from evstore.formats import aedat3, aedat3_kernels
from evstore.formats.reading import ReadOptions
from vectors import case, consume, join, name_of

HEAD = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS346\r\n#!END-HEADER\r\n"


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation("seek")


def read(content: bytes, pipe: bool = False, **options: Any) -> Any:
    stream = Pipe(content) if pipe else io.BytesIO(content)
    return aedat3.read(stream, ReadOptions(**options))


def packet(
    kind: int, size: int, events: list[bytes], source: int = 1, overflow: int = 0, spare: int = 0
) -> bytes:
    counts = (len(events) + spare, len(events), 0)
    head = struct.pack("<hhiiiiii", kind, source, size, 4, overflow, *counts)
    return head + b"".join(events)


def event(t: int, x: int = 1, y: int = 2, p: int = 1) -> bytes:
    return struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t)


def slow(content: bytes, source: int) -> tuple[list[Any], list[Any], list[int]]:
    """Events, triggers and the times of IMU samples, one after the other."""
    events, triggers, samples = [], [], []
    at = content.index(b"#!END-HEADER\r\n") + 14
    while at < len(content):
        kind, origin, size, _, overflow, _, number, _ = struct.unpack_from("<hhiiiiii", content, at)
        at += 28
        for _ in range(number):
            if origin == source and kind in (0, 1, 3):
                word, stored = struct.unpack_from("<II", content, at)
                bits, t = f"{word:032b}"[::-1], overflow * 2**31 + stored
                place = [int(bits[low:high][::-1], 2) for low, high in ((17, 32), (2, 17))]
                edge = {2: (0, 1), 3: (0, 0), 6: (1, 1), 7: (1, 0), 9: (2, 1), 10: (2, 0)}
                if bits[0] == "1" and kind == 1:
                    events.append((t, *place, int(bits[1])))
                elif bits[0] == "1" and kind == 3:
                    samples.append(t)
                elif bits[0] == "1" and (word & 255) >> 1 in edge:
                    triggers.append((t, *edge[(word & 255) >> 1]))
            at += size
    return events, triggers, samples


def some_packets(source: random.Random, count: int) -> bytes:
    content = HEAD
    for _ in range(count):
        kind = source.choice((0, 1, 1, 1, 3, 2, 5, 77))
        size = {0: 8, 1: 8, 3: 36}.get(kind, source.randrange(36, 71))
        number = source.choice((0, 1, 2, 30, 3000 if kind == 1 else 5))
        events = []
        for _ in range(number):
            octets = bytearray(source.randbytes(size))
            octets[7] &= 0x7F  # no negative time
            if kind == 2:
                octets[0] &= 0xFE  # an invalid frame: its size is anything
            events.append(bytes(octets))
        where = (source.choice((1, 1, 1, 2)), source.choice((0, 0, 1, 800_000)))
        content += packet(kind, size, events, *where, spare=source.choice((0, 0, 100)))
    return content


@pytest.mark.parametrize("batch_events", [1, 100, 65_536])
@pytest.mark.parametrize("pipe", [False, True])
def test_any_packets_as_the_slow_decoder(batch_events: int, pipe: bool, seed: int) -> None:
    source = random.Random(f"{seed} {batch_events} {pipe}")
    content = some_packets(source, 15 if batch_events == 1 else 120)
    for name in ("source1", "source2"):
        events, triggers, samples = slow(content, int(name[-1]))
        if not events:
            continue
        reading = read(content, pipe, stream=name, batch_events=batch_events)
        batches = list(reading.batches)
        assert all(batch.t.size <= batch_events for batch in batches)
        decoded = join(batches)
        assert list(zip(*(c.tolist() for c in decoded.columns), strict=True)) == events
        assert list(zip(*(c.tolist() for c in decoded.triggers), strict=True)) == triggers
        assert decoded.side.get("imu", {"t": np.array([])})["t"].tolist() == samples


def test_kernel_is_compiled_once() -> None:
    """Packets of odd sizes leave the events behind them unaligned."""
    content = HEAD + b"".join(
        packet(77, 9, [bytes(9)]) + packet(1, 8, [event(k)]) for k in range(9)
    )
    assert join(list(read(content).batches)).columns[0].tolist() == list(range(9))
    assert len(getattr(aedat3_kernels.decode, "signatures", [None])) == 1


@pytest.mark.parametrize(
    "path", [p for p in vectors.files("vectors") if "aedat3" in str(p)], ids=name_of
)
def test_every_prefix_gives_the_start_of_the_whole(path: Path) -> None:
    vector, content = case(path), path.read_bytes()
    whole = join(list(vector.reading().batches))
    named = {"stream": "source1", **vector.options}
    named["stream"] = "source3" if "unknown_device" in path.name else named["stream"]
    for length in range(1, len(content)):
        try:
            reading = aedat3.read(Pipe(content[:length]), ReadOptions(batch_events=7, **named))
        except EvstoreError:
            continue
        batches, error = consume(reading.batches)
        given = join(batches)
        for column, other in zip(given.columns, whole.columns, strict=True):
            assert np.array_equal(column, other[: given.columns[0].size])
        for column, other in zip(given.triggers, whole.triggers, strict=True):
            assert np.array_equal(column, other[: given.triggers[0].size])
        for stream, columns in given.side.items():
            for name, column in columns.items():
                assert np.array_equal(column, whole.side[stream][name][: column.size])
        if error is not None and not isinstance(error, ArgumentError):
            assert isinstance(error, TruncatedError)
            assert error.safe_events == given.columns[0].size


def test_what_is_whole_comes_before_damage() -> None:
    good = packet(1, 8, [event(1), event(2)])
    content = HEAD + good + packet(1, 8, [event(3), event(1 << 31)])
    batches, error = consume(read(content).batches)
    assert join(batches).columns[0].tolist() == [1, 2, 3]
    assert isinstance(error, CorruptError)
    assert error.offset == len(content) - 8
    batches, error = consume(read(HEAD + good + b"\xff" * 28).batches)
    assert join(batches).columns[0].tolist() == [1, 2]
    assert isinstance(error, CorruptError)
    assert (error.offset, error.field) == (len(HEAD + good), "eventType")


def test_streams_and_their_names() -> None:
    def names(content: bytes) -> list[str]:
        return aedat3.streams(io.BytesIO(content), ReadOptions())

    imu = packet(3, 36, [bytes(36)], 7)
    assert names(HEAD) == ["source1"]
    assert names(HEAD + imu) == ["source7"]
    assert names(HEAD + imu + packet(1, 8, [], 2) + packet(1, 8, [event(1)], 5)) == ["source5"]
    two = HEAD + packet(1, 8, [event(1)], 5) + packet(1, 8, [event(2)], 0)
    assert names(two) == names(two[:-1]) == ["source5", "source0"]
    with pytest.raises(ArgumentError, match="source5, source0"):
        read(two)
    with pytest.raises(ArgumentError, match="source5, source0"):
        list(read(two, pipe=True).batches)
    for pipe in (False, True):
        reading = read(two, pipe, stream="source0")
        assert join(list(reading.batches)).columns[0].tolist() == [2]
        assert reading.dropped == {"packets_of_other_sources": 1}
    with pytest.raises(ArgumentError, match="'left'"):
        read(two, pipe=True, stream="left")
    with pytest.raises(ArgumentError, match="source9"):
        list(read(two, pipe=True, stream="source9").batches)


def test_the_only_device_fits_any_source() -> None:
    content = HEAD + packet(1, 8, [event(1)], 4)
    for pipe in (False, True):
        reading = read(content, pipe)
        assert reading.resolution == (346, 260)
        assert reading.metadata["sensor"] == "DAVIS346"
        assert reading.metadata["sensor_from"] == "Source 1"


def test_images_end_a_batch_early() -> None:
    pixels = np.arange(346 * 260, dtype="<u2").tobytes()
    head = struct.pack("<I8i", 3, 5, 6, 7, 8, 346, 260, 0, 0)
    content = HEAD + packet(2, 36 + len(pixels), [head + pixels] * 20) + packet(1, 8, [event(9)])
    batches = list(read(content).batches)
    assert len(batches) > 2
    assert all(len(batch.side["image_bytes"]["value"]) < 2 << 20 for batch in batches if batch.side)
    side = join(batches).side
    assert side["images"]["size"].tolist() == [len(pixels)] * 20
    assert side["image_bytes"]["value"].tobytes() == pixels * 20


def test_other_formats_are_not_taken() -> None:
    for path in vectors.files("vectors"):
        if "aedat3" not in str(path):
            assert not aedat3.probe(path.read_bytes()[:65_536], None), path


@pytest.mark.parametrize("batch_events", [0, -1])
def test_batches_hold_something(batch_events: int) -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        read(HEAD, batch_events=batch_events)
