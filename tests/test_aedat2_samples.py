"""AEDAT 2.0: images and IMU samples of a DAVIS, whole and not."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import run
from evstore.errors import TruncatedError
from evstore.formats import aedat2_sample_kernels as kernels
from evstore.formats import aedat2_side, aedat_header
from evstore.formats.conformance import consume, join
from naive_aedat2 import Record, slow
from pure import pure
from test_aedat2 import DAVIS346, HEAD, expect, read

END = b"#End Of ASCII Header\r\n"
DAVIS128 = HEAD + b"# AEChip: eu.seebetter.ini.chips.davis.Davis128\r\n" + END
GIVEN = {"sensor": "DAVIS"}


def packed(records: list[Record]) -> bytes:
    return b"".join(struct.pack(">II", address, t % (1 << 32)) for address, t in records)


def aps(place: tuple[int, int], kind: int, value: int) -> int:
    return 1 << 31 | place[1] << 22 | place[0] << 12 | kind << 10 | value


def imu(t: int, source: random.Random) -> list[Record]:
    return [(0x80000C00 | k << 28 | source.getrandbits(16) << 12, t) for k in range(7)]


def readout(width: int, height: int, corner: tuple[int, int]) -> list[list[tuple[int, int]]]:
    """Columns of pixels, as they are read from this corner on."""
    columns = [[(x, y) for y in range(height)] for x in range(width)]
    columns = columns[:: -1 if corner[0] else 1]
    return [column[:: -1 if corner[1] else 1] for column in columns]


def frame(columns: list[list[tuple[int, int]]], lag: int, source: random.Random) -> list[int]:
    """The words of an image whose signals are read so many columns behind the resets."""
    words = []
    for k in range(len(columns) + lag):
        if k >= lag:
            words += [aps(place, 1, source.randrange(700)) for place in columns[k - lag]]
        if k < len(columns):
            words += [aps(place, 0, source.randrange(600, 1024)) for place in columns[k]]
    return words


def some_recording(source: random.Random, size: tuple[int, int], faults: int) -> list[Record]:
    """Images, samples and events, of which some words are lost, doubled or none of the sensor's."""
    columns = readout(*size, (source.randrange(2), source.randrange(2)))
    records: list[Record] = []
    t = (1 << 32) - 300
    for _ in range(12):
        lag = source.choice((1, size[0] - 1, size[0], size[0] + 3)) or 1
        words = frame(columns, lag, source)
        for word in words:
            t += source.randrange(3)
            records.append((word, t))
            if source.random() < 0.1:
                records += [(source.getrandbits(30) << 1 & 0x7FFFFBFF, t)]
            if source.random() < 0.05:
                records += imu(t, source)
    for _ in range(faults):
        at = source.randrange(len(records) or 1)
        records = records or [(1 << 31, t)]
        kind = source.randrange(5)
        if kind == 0:
            del records[at]
        elif kind == 1:
            records.insert(at, records[at])
        elif kind == 2:
            del records[at : at + source.randrange(100)]
        elif kind == 3:
            records.insert(at, (1 << 31 | source.getrandbits(31), records[at][1]))
        else:
            records[at] = (records[at][0], records[at][1] + 1)
    return [(address, t % (1 << 32)) for address, t in records]


@pytest.mark.parametrize("batch_events", [1, 7, 65_536])
@pytest.mark.parametrize("size", [(3, 2), (2, 3), (5, 4), (1, 4), (4, 1), (1, 1), (7, 7)])
def test_any_samples_as_the_slow_decoder(
    size: tuple[int, int], batch_events: int, seed: int
) -> None:
    source = random.Random(f"{seed} {size} {batch_events}")
    for faults in (0, 1, 2, 5, 20):
        records = some_recording(source, size, faults)
        reading = read(
            HEAD + END + packed(records), **GIVEN, resolution=size, batch_events=batch_events
        )
        expected = slow(records, "DAVIS", size)
        expect(reading, expected)
        # Of a sensor with two columns, the first column's signals may look like an image's end.
        if not faults and size[0] > 2:
            assert expected[3] == {}
            assert len(expected[2]["images"]["t"]) == 12


def test_the_kernel_stays_inside_its_arrays(seed: int) -> None:
    source = random.Random(seed)
    functions = kernels.assemble, pure(kernels.assemble)
    for width, height in ((0, 0), (1, 1), (3, 2), (5, 9)):
        words = [word for word, _ in some_recording(source, (width or 1, height or 1), 20)]
        words += [1 << 31 | source.getrandbits(31) for _ in range(500)]
        found = []
        for assemble in functions:
            reads, pixels = (np.zeros(width * height, kind) for kind in ("i8", "u2"))
            rows, state = (
                [np.zeros(2, "i8"), np.zeros(14, "i2")],
                np.zeros(kernels.STATE_SIZE, "i8"),
            )
            position, columns = 0, (np.array(words, "u4"), np.arange(len(words)))
            while position < len(words):
                position = assemble(
                    *columns, position, len(words), width, height, reads, pixels, *rows, state
                )
                state[kernels.WHOLE] = state[kernels.IMU_ROWS] = 0
            found.append([a.tolist() for a in (reads, pixels, *rows, state)])
        assert found[0] == found[1]


@pytest.mark.parametrize("lag", [1, 5, 6, 9])
@pytest.mark.parametrize("lost", [0, 1, 17, 30, 59])
def test_one_lost_word_costs_the_images_that_it_touches(lag: int, lost: int) -> None:
    source = random.Random(f"{lag} {lost}")
    columns = readout(6, 5, (0, 1))
    frames = [frame(columns, lag, source) for _ in range(5)]
    del frames[1][lost]
    records = [(word, 10 * k) for k, words in enumerate(frames) for word in words]
    reading = read(HEAD + END + packed(records), **GIVEN, resolution=(6, 5))
    images = join(list(reading.batches)).side["images"]["t"].tolist()
    assert [images[0], *images[-2:]] == [0, 30, 40]
    assert reading.dropped


def test_a_file_that_begins_inside_an_image() -> None:
    source = random.Random(5)
    for lag in (1, 5, 6, 9):
        words = [w for _ in range(3) for w in frame(readout(6, 5, (1, 1)), lag, source)]
        for start in range(60):
            records = [(word, k) for k, word in enumerate(words[start:])]
            reading = read(HEAD + END + packed(records), **GIVEN, resolution=(6, 5))
            found = join(list(reading.batches)).side["images"]["t"].tolist()
            assert found == [60 * k - start for k in range(start > 0, 3)], (lag, start)


def davis128(count: int) -> tuple[bytes, list[Any]]:
    """Images of a whole sensor, and what they are."""
    columns = readout(128, 128, (0, 0))
    content, images = DAVIS128, []
    for k in range(count):
        words = frame(columns, 128, random.Random(k))
        content += packed([(k << 12, 1000 * k), *((word, 1000 * k) for word in words)])
        table = np.array([word & 1023 for word in words]).reshape(2, 128, 128)
        image = np.maximum(0, table[0] - table[1]).T[::-1] << 6
        images.append(image.astype(np.uint16))
    return content, images


def test_convert_keeps_images_and_imu(tmp_path: Path) -> None:
    content, images = davis128(5)
    samples = imu(9000, random.Random(1))
    (tmp_path / "davis.aedat").write_bytes(content + packed(samples))
    assert run("convert", tmp_path / "davis.aedat", tmp_path / "davis.evs").code == 0
    for name in ("davis.aedat", "davis.evs"):
        with evstore.open(tmp_path / name) as rec:
            assert rec.images is not None
            assert rec.imu is not None
            assert rec.images.t.tolist() == [0, 1000, 2000, 3000, 4000]
            for given, image in zip(rec.images, images, strict=True):
                assert given.pixels.dtype == np.uint16
                assert np.array_equal(given.pixels, image)
            assert rec.imu["t"].tolist() == [9000]
            assert rec.metadata["imu_scale_from"] == "assumed" or name == "davis.aedat"
    assert run("verify", tmp_path / "davis.evs").code == 0
    to = tmp_path / "davis.aedat4"
    assert run("convert", tmp_path / "davis.evs", to).code == 0
    with evstore.open(to) as rec:
        assert rec.images is not None
        assert all(np.array_equal(a.pixels, b) for a, b in zip(rec.images, images, strict=True))


def test_a_batch_ends_where_images_are_many() -> None:
    content, images = davis128(40)
    tracemalloc.start()
    for batch in read(content).batches:
        side = batch.side or {}
        size = side["image_bytes"]["value"].size if side else 0
        assert size <= aedat2_side.FULL_BYTES + images[0].nbytes
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_cut_file_gives_what_is_whole() -> None:
    content, _ = davis128(2)
    for cut, whole in ((0, 2), (8, 1), (3, 1), (11, 1)):
        reading = read(content[: len(content) - cut])
        batches, error = consume(reading.batches)
        assert isinstance(error, TruncatedError) if cut % 8 else error is None
        assert len(join(batches).side["images"]["t"]) == whole
        assert reading.dropped == ({"incomplete_images": 1} if cut else {})
    reading = read(content + packed(imu(5, random.Random(2)))[:-3])
    batches, error = consume(reading.batches)
    assert isinstance(error, TruncatedError)
    assert error.safe_events == 2
    assert reading.dropped == {"imu_words": 6}


def test_images_that_begin_with_every_word_take_no_longer() -> None:
    records = [(1 << 31, k) for k in range(100_000)]  # each gives up the one before
    head = HEAD + b"# AEChip: eu.seebetter.ini.chips.davis.Davis640\r\n" + END
    list(read(head + packed(records[:9])).batches)
    began = time.process_time()
    reading = read(head + packed(records))
    assert list(reading.batches) == []
    assert time.process_time() - began < 2
    assert reading.dropped == {"incomplete_images": 100_000}


@pytest.mark.parametrize(
    ("chip", "given", "size"),
    [
        ("DAVIS240C", None, (240, 180)),
        ("Davis346red", (3, 2), (346, 260)),
        ("DavisRGBW640", None, (0, 0)),
        ("SecDvs", None, (0, 0)),
        ("DAVIS", None, (0, 0)),
        ("DAVIS", (20, 10), (20, 10)),
        ("DAVIS", (1025, 10), (0, 0)),
        ("DAVIS", (10, 513), (0, 0)),
    ],
)
def test_the_sensor_says_what_images_there_can_be(
    chip: str, given: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    sensor = aedat_header.sensor(chip)
    assert sensor is not None
    assert aedat2_side.image_size(sensor, chip, given) == size


def test_without_a_size_words_of_images_are_counted() -> None:
    records = [(aps((0, 0), kind, 5), 1) for kind in (0, 1, 2)]
    reading = read(HEAD + END + packed(records), **GIVEN)
    assert list(reading.batches) == []
    assert reading.dropped == {"aps_words": 3}


@pytest.mark.parametrize(
    ("lines", "scale"),
    [
        ([], (4, 500, "assumed")),
        (["DAVIS240C.IMU.AccelScale=ImuAccelScaleG2"], (4, 500, "assumed")),
        (
            [
                "DAVIS240C.IMU.AccelScale=ImuAccelScaleG2",
                "DAVIS240C.IMU.GyroScale=GyroFullScaleDegPerSec250",
            ],
            (2, 250, "header"),
        ),
        (
            ["ImuAccelScale=ImuAccelScaleG16", "ImuGyroScale=GyroFullScaleDegPerSec2000"],
            (16, 2000, "header"),
        ),
        (
            [
                "DAVIS240B.IMU.AccelScale=ImuAccelScaleG16",
                "DAVIS240B.IMU.GyroScale=GyroFullScaleDegPerSec250",
            ],
            (4, 500, "assumed"),
        ),
        (
            ["ImuAccelScale=ImuAccelScaleG3", "ImuGyroScale=GyroFullScaleDegPerSec2000"],
            (4, 500, "assumed"),
        ),
        (
            ["ImuAccelScale=GyroFullScaleDegPerSec2000", "ImuGyroScale=ImuAccelScaleG2"],
            (4, 500, "assumed"),
        ),
    ],
)
def test_the_scale_of_the_imu(lines: list[str], scale: tuple[int, int, str]) -> None:
    text = HEAD.decode() + "# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n"
    for line in lines:
        key, value = line.split("=")
        text += f'#                <entry key="{key}" value="{value}"/>\r\n'
    content = (text.encode() + END) + packed(imu(77, random.Random(3)))
    per_g = {2: 16384, 4: 8192, 16: 2048}[scale[0]]
    per_deg_s = {250: 131, 500: 65.5, 2000: 16.4}[scale[1]]
    reading = read(content)
    expected = slow(imu(77, random.Random(3)), "DAVIS", (240, 180), per_g, per_deg_s)
    expect(reading, expected)
    said = [reading.metadata[f"imu_{name}"] for name in ("full_scale_g", "full_scale_deg_s")]
    assert (*said, reading.metadata["imu_scale_from"]) == scale


def test_no_scale_is_named_where_there_is_no_sample() -> None:
    reading = read(DAVIS346 + END + packed([(5 << 12, 1)]))
    list(reading.batches)
    assert "imu_scale_from" not in reading.metadata
