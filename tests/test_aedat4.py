"""AEDAT 4 against a slow reading of its bytes, against its peers, and against hostile packets."""

from __future__ import annotations

import importlib
import importlib.util
import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evstore
import vectors
from evstore.errors import (
    ArgumentError,
    CorruptError,
    EvstoreError,
    MissingDependencyError,
    TruncatedError,
    UnsupportedError,
)
from evstore.formats import aedat4, aedat4_sides
from evstore.formats.reading import Batch, ReadOptions, Triggers
from evstore.recording.foreign import ForeignRecording
from vectors import Decoded, consume, join

EPOCH = 1_700_000_000_000_000
COMPRESSIONS = ("none", "lz4", "lz4_high", "zstd", "zstd_high")


def read(content: bytes, **options: Any) -> Decoded:
    return join(list(aedat4.read(io.BytesIO(content), ReadOptions(**options)).batches))


def made(batches: list[Batch], compression: str = "zstd", **metadata: Any) -> bytes:
    if compression.startswith("lz4"):
        pytest.importorskip("lz4")
    stream = io.BytesIO()
    writer = aedat4.writer(stream, (346, 260), metadata, compression=compression)
    for batch in batches:
        writer.write_batch(batch)
    writer.close()
    return stream.getvalue()


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


def without_packets(compression: str) -> bytes:
    """A header that promises no table."""
    pipe = Pipe()
    aedat4.writer(pipe, (346, 260), {}, compression=compression).close()
    return pipe.getvalue()


def events(count: int, start: int = EPOCH) -> Batch:
    k = np.arange(count)
    return Batch(
        start + 3 * k,
        (k * 7 % 346).astype(np.uint16),
        (k * 11 % 260).astype(np.uint16),
        (k % 3 % 2).astype(np.uint8),
    )


def beside() -> Batch:
    """Events, and of every other stream something."""
    k = np.arange(9000)
    imu = {"t": EPOCH + k, "temperature": (k / 4).astype(np.float32)}
    imu["magnetometer_z"] = (-k / 2).astype(np.float32)
    images = {
        "t": np.array([EPOCH, EPOCH + 40]),
        "width": np.array([5, 2], np.uint16),
        "height": np.array([3, 1], np.uint16),
        "channels": np.array([3, 1], np.uint8),
        "bits": np.array([8, 16], np.uint8),
        "size": np.array([45, 4]),
        "offset_x": np.array([-2, 0], np.int16),
        "exposure_start": np.array([EPOCH - 5, EPOCH + 35]),
    }
    pixels = np.arange(49, dtype=np.uint8)
    types = np.arange(10, dtype=np.uint8)
    rising = np.array([0, 1, 0, 1, 1, 0, 1, 0, 1, 0], np.uint8)
    side: dict[str, dict[str, Any]] = {
        "imu": imu,
        "images": images,
        "image_bytes": {"value": pixels},
    }
    return events(20_000)._replace(
        triggers=Triggers(EPOCH + types.astype(np.int64), types, rising), side=side
    )


def assert_holds(decoded: Decoded, batches: list[Batch]) -> None:
    """All that the batches hold was decoded, and beside it only zeros."""
    expected = join(batches)
    for column, other in zip(decoded.columns, expected.columns, strict=True):
        assert np.array_equal(column, other)
    for column, other in zip(decoded.triggers, expected.triggers, strict=True):
        assert np.array_equal(column, other)
    assert decoded.side.keys() == expected.side.keys()
    for stream, columns in decoded.side.items():
        for name, column in columns.items():
            if name != "format":
                assert np.array_equal(column, expected.side[stream].get(name, 0 * column)), name


def slow(content: bytes) -> list[tuple[int, int, int, bool]]:
    """Events of an uncompressed file, one packet and one struct at a time."""
    at, found = 18 + struct.unpack_from("<I", content, 14)[0], []
    while at < len(content) and content[at + 8 : at + 12] != b"FTAB":
        size = struct.unpack_from("<i", content, at + 4)[0]
        body, at = content[at + 12 : at + 8 + size], at + 8 + size
        if body[4:8] == b"EVTS":
            root = struct.unpack_from("<I", body)[0]
            fields = root - struct.unpack_from("<i", body, root)[0]
            slot = root + struct.unpack_from("<H", body, fields + 4)[0]
            vector = slot + struct.unpack_from("<I", body, slot)[0]
            for k in range(struct.unpack_from("<I", body, vector)[0]):
                found.append(struct.unpack_from("<qhh?", body, vector + 4 + 16 * k))
    return found


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_is_written_is_read(compression: str) -> None:
    batches = [beside(), events(0), events(1, -5), events(8192, EPOCH - 9), beside()]
    content = made(batches, compression, trigger_ids="aedat4", source="<&>", ts_offset=EPOCH)
    reading = aedat4.read(io.BytesIO(content), ReadOptions())
    assert reading.resolution == (346, 260)
    assert reading.metadata["source"] == "<&>"
    assert reading.metadata["ts_offset"] == EPOCH
    assert reading.metadata["compression"] == compression.upper()
    assert_holds(join(list(reading.batches)), batches)
    assert_holds(read(content, batch_events=1000), batches)
    assert reading.dropped == {}


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.integers(0, 32_767),
            st.integers(0, 32_767),
            st.integers(0, 1),
        ),
        max_size=50,
    )
)
def test_any_events(listed: list[tuple[int, int, int, int]]) -> None:
    t, x, y, p = zip(*listed, strict=True) if listed else ((), (), (), ())
    batch = Batch(
        np.array(t, np.int64), np.array(x, np.uint16), np.array(y, np.uint16), np.array(p, np.uint8)
    )
    content = made([batch], "none")
    assert slow(content) == [(*event[:3], bool(event[3])) for event in listed]
    assert_holds(read(content, batch_events=7), [batch] if listed else [])


def test_a_pipe_gets_no_table_and_is_read_all_the_same() -> None:
    pipe = Pipe()
    writer = aedat4.writer(pipe, (346, 260), {}, compression="none")
    batch = events(100)
    writer.write_batch(batch)
    writer.close()
    assert b"FTAB" not in pipe.getvalue()
    assert_holds(read(pipe.getvalue()), [batch])


def test_writing_starts_where_the_stream_is() -> None:
    stream = io.BytesIO(b"before")
    stream.seek(6)
    writer = aedat4.writer(stream, (346, 260), {}, compression="none")
    writer.write_batch(events(5))
    writer.close()
    assert stream.getvalue() == b"before" + made([events(5)], "none")


def test_an_event_that_cannot_be_held_is_named() -> None:
    stream = io.BytesIO()
    writer = aedat4.writer(stream, (65_536, 65_536), {}, compression="none")
    writer.write([1, 2], [3, 4], [5, 6], [0, 1])
    with pytest.raises(UnsupportedError, match=r"event 3 \(t 8, x 9, y 32768\)"):
        writer.write([7, 8], [9, 9], [9, 32_768], [0, 1])
    writer.close()
    assert slow(stream.getvalue()) == [(1, 3, 5, False), (2, 4, 6, True)]


def test_channels_of_other_formats_become_external_edges() -> None:
    edges = Triggers(np.array([5, 6]), np.zeros(2, np.uint8), np.array([1, 0], np.uint8))
    decoded = read(made([events(1)._replace(triggers=edges)]))
    assert [column.tolist() for column in decoded.triggers] == [[5, 6], [1, 2], [1, 0]]
    edges.id[1] = 3
    with pytest.raises(UnsupportedError, match="trigger at 6 us"):
        made([events(1)._replace(triggers=edges)])
    with pytest.raises(UnsupportedError, match="a type of AEDAT 4"):
        made([events(1)._replace(triggers=edges)], trigger_ids="aedat4")


@pytest.mark.parametrize("stream", ["exposure", "image_other"])
def test_streams_that_have_no_place_are_refused(stream: str) -> None:
    with pytest.raises(UnsupportedError, match=stream):
        made([events(1)._replace(side={stream: {"t": np.array([1])}})])


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="none, lz4, lz4_high, zstd, zstd_high"):
        aedat4.writer(io.BytesIO(), (1, 1), {}, compression="brotli")
    with pytest.raises(ArgumentError, match="resolution"):
        aedat4.writer(io.BytesIO(), (0, 1), {})
    with pytest.raises(ArgumentError, match="batch_events"):
        read(made([events(1)]), batch_events=0)


def test_without_lz4_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(MissingDependencyError, match=r"evstore\[aedat4\]"):
        aedat4.writer(io.BytesIO(), (1, 1), {}, compression="lz4")


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_every_prefix_gives_every_whole_packet(compression: str) -> None:
    stream = io.BytesIO()
    if compression == "lz4":
        pytest.importorskip("lz4")
    writer = aedat4.writer(stream, (346, 260), {}, compression=compression)
    ends = [len(stream.getvalue())]
    batch = beside()._replace(side=None, triggers=None)
    for first in range(0, 30, 10):
        writer.write(*(column[first : first + 10] for column in batch[:4]))
        writer._flush()
        ends.append(len(stream.getvalue()))
    writer.close()
    content = stream.getvalue()
    for length in range(ends[0], len(content)):
        whole = sum(end <= length for end in ends[1:])
        reading = aedat4.read(io.BytesIO(content[:length]), ReadOptions(batch_events=7))
        found, error = consume(reading.batches)
        assert join(found).columns[0].tolist() == batch.t[: 10 * whole].tolist()
        if length < ends[-1]:
            assert isinstance(error, TruncatedError)
            assert error.safe_events == 10 * whole
        else:  # the table is cut, or gone: every packet before it is there
            assert error is None


def test_a_packet_larger_than_any_buffer() -> None:
    """600,000 events in one packet, which most kinds of frames unpack in pieces."""
    zstandard = importlib.import_module("zstandard")
    batch = events(600_000)
    rows = np.zeros(batch.t.size, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "<u4")])
    for name, column in zip("txyp", batch[:4], strict=True):
        rows[name] = column
    body = struct.pack("<I4sHHH2xiII", 16, b"EVTS", 6, 8, 4, 8, 4, rows.size) + rows.tobytes()
    body = struct.pack("<I", len(body)) + body
    packers = {"none": bytes, "zstd": zstandard.ZstdCompressor(1).compress}
    unsized = zstandard.ZstdCompressor(1, write_content_size=False).compress
    if importlib.util.find_spec("lz4") is not None:
        packers["lz4"] = importlib.import_module("lz4.frame").compress
    for name, pack in [*packers.items(), ("zstd", unsized)]:
        packed = pack(body)
        content = without_packets(name)
        assert_holds(read(content + struct.pack("<ii", 0, len(packed)) + packed), [batch])


def bombs() -> dict[str, tuple[str, bytes]]:
    zstandard = importlib.import_module("zstandard")
    octets = bytes(64 << 20)
    found = {
        "zstd": ("zstd", zstandard.ZstdCompressor(1).compress(octets)),
        "unsized": ("zstd", zstandard.ZstdCompressor(1, write_content_size=False).compress(octets)),
    }
    if importlib.util.find_spec("lz4") is not None:
        found["lz4"] = ("lz4", importlib.import_module("lz4.frame").compress(octets))
    return found


@pytest.mark.parametrize("kind", ["zstd", "unsized", "lz4"])
def test_bombs_are_not_unpacked(kind: str) -> None:
    import tracemalloc

    if kind not in (found := bombs()):
        pytest.skip("needs lz4")
    compression, packed = found[kind]
    content = without_packets(compression)
    content += struct.pack("<ii", 0, len(packed)) + packed
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedError, match="too large when unpacked"):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < (64 << 20) + 4 * len(content)
    finally:
        tracemalloc.stop()


def test_rows_that_all_share_one_table_are_bounded() -> None:
    """A packet of offsets to one sample: four bytes that become a row of 48."""
    import tracemalloc

    count = 2_000_000
    content = without_packets("none")
    body = struct.pack("<I4sHHH2xiII", 16, b"IMUS", 6, 8, 4, 8, 4, count)
    start = len(body)
    offsets = (start + 4 * count + 8 - (start + 4 * np.arange(count))).astype("<u4")
    body += offsets.tobytes() + struct.pack("<HHHHiq", 6, 12, 4, 0, 8, EPOCH)
    body = struct.pack("<I", len(body)) + body
    content += struct.pack("<ii", 2, len(body)) + body
    rows = 0
    tracemalloc.start()
    try:
        for batch in aedat4.read(io.BytesIO(content), ReadOptions()).batches:
            assert batch.side is not None
            assert set(batch.side["imu"]["t"].tolist()) == {EPOCH}
            rows += batch.side["imu"]["t"].size
        assert tracemalloc.get_traced_memory()[1] < (64 << 20) + 4 * len(content)
    finally:
        tracemalloc.stop()
    assert rows == count


def test_streams_are_listed() -> None:
    path = vectors.FORMATS / "aedat4" / "vectors"
    with (path / "second_of_two_cameras.aedat4").open("rb") as stream:
        assert aedat4.streams(stream, ReadOptions()) == ["0", "1"]
    with (path / "empty.aedat4").open("rb") as stream:
        assert aedat4.streams(stream, ReadOptions()) == ["events"]
    with pytest.raises(ArgumentError, match="no event stream 'left'"):
        read((path / "second_of_two_cameras.aedat4").read_bytes(), stream="left")


def test_a_table_position_at_a_packet_hides_nothing() -> None:
    content = bytearray(made([events(9000)], "zstd"))
    second = 18 + struct.unpack_from("<I", content, 14)[0]
    second += 8 + struct.unpack_from("<i", content, second + 4)[0]
    content[42:50] = struct.pack("<q", second)
    assert_holds(read(bytes(content)), [events(9000)])


def test_damage_in_the_middle_gives_what_is_before() -> None:
    content = bytearray(made([events(8192), events(8192)], "zstd"))
    content[-3000] ^= 0x55
    found, error = consume(aedat4.read(io.BytesIO(bytes(content)), ReadOptions()).batches)
    assert isinstance(error, (CorruptError, EvstoreError))
    assert_holds(join(found), [events(8192)])


def test_who_wants_events_alone_waits_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    content = made([beside(), events(100, EPOCH + 60_000)], trigger_ids="aedat4")

    def never(*_: Any) -> None:
        raise AssertionError("decoded what nobody asked for")

    monkeypatch.setattr(aedat4_sides.Sides, "add", never)
    reading = aedat4.read(io.BytesIO(content), ReadOptions())
    reading.events_only = True
    assert_holds(join(list(reading.batches)), [events(20_000), events(100, EPOCH + 60_000)])
    with pytest.raises(AssertionError, match="nobody"):
        read(content)


def test_windows_where_images_end_batches(tmp_path: Path) -> None:
    image = {"t": [EPOCH], "width": [1000], "height": [1100], "channels": [1], "bits": [8],
             "size": [1_100_000]}  # fmt: skip
    side = {
        "images": {name: np.array(values) for name, values in image.items()},
        "image_bytes": {"value": np.zeros(1_100_000, np.uint8)},
    }
    parts = [events(700, EPOCH + 3 * 700 * k)._replace(side=side) for k in range(4)]
    path = tmp_path / "a.aedat4"
    path.write_bytes(made(parts))
    with evstore.open(path) as recording:
        assert isinstance(recording, ForeignRecording)
        assert recording.side_rows["images"] == 4
        whole = list(recording.raw_batches())
        assert len(whole) > 1  # while events alone are one batch
        found = list(recording.windows(500, partial=True))
        assert found == [
            recording.between(EPOCH + k, EPOCH + k + 500) for k in range(0, 3 * 2800 - 2, 500)
        ]
        assert len(recording) == 2800
        assert recording.images is not None


def test_real_frames_without_events(data_dir: Path) -> None:
    with (
        (data_dir / "inivation" / "frame_only_gray16.aedat4").open("rb") as stream,
        pytest.raises(UnsupportedError, match="no event stream: it holds frames"),
    ):
        aedat4.read(stream, ReadOptions())


# --------------------------------------------------------------------------------- peers


def assert_events(found: Any, batch: Batch, names: tuple[str, ...]) -> None:
    for name, column in zip(names, batch[:4], strict=True):
        assert np.array_equal(found[name], np.asarray(column))


@pytest.fixture(params=COMPRESSIONS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Batch]:
    batch = beside()
    path = tmp_path / "written.aedat4"
    path.write_bytes(made([batch], request.param, trigger_ids="aedat4"))
    return str(path), batch


def test_aedat_reads_what_is_written(written: tuple[str, Batch]) -> None:
    aedat = pytest.importorskip("aedat")
    packets = list(aedat.Decoder(written[0]))
    found = np.concatenate([packet["events"] for packet in packets if "events" in packet])
    assert_events(found, written[1], ("t", "x", "y", "on"))
    imus = np.concatenate([packet["imus"] for packet in packets if "imus" in packet])
    assert written[1].side is not None
    assert np.array_equal(imus["temperature"], written[1].side["imu"]["temperature"])
    assert np.array_equal(imus["magnetometer_z"], written[1].side["imu"]["magnetometer_z"])


def test_dv_processing_reads_what_is_written(written: tuple[str, Batch]) -> None:
    dv = pytest.importorskip("dv_processing")
    recording = dv.io.MonoCameraRecording(written[0])
    parts = []
    while (part := recording.getNextEventBatch()) is not None:
        parts.append(part.numpy())
    assert_events(np.concatenate(parts), written[1], ("timestamp", "x", "y", "polarity"))
    assert tuple(recording.getEventResolution()) == (346, 260)
    samples = 0
    while (batch := recording.getNextImuBatch()) is not None:
        samples += len(batch)
    assert samples == 9000


def test_faery_reads_what_is_written(written: tuple[str, Batch]) -> None:
    faery = pytest.importorskip("faery")
    found = faery.events_stream_from_file(written[0]).to_array()
    assert_events(found, written[1], ("t", "x", "y", "on"))
