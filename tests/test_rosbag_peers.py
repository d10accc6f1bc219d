"""ROS bags beside the rosbags library: bags that it writes, and real ones that it reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evstore.formats import rosbag
from evstore.formats.reading import ReadOptions
from vectors import join

pytest.importorskip("rosbags")

from rosbags import rosbag1, rosbag2
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

EVENT = "uint16 x\nuint16 y\n{time} ts\nbool polarity\n"
ARRAY = "std_msgs/Header header\nuint32 height\nuint32 width\ndvs_msgs/Event[] events\n"
PACKET = (
    "std_msgs/Header header\nuint32 height\nuint32 width\nuint64 seq\nuint64 time_base\n"
    "string encoding\nbool is_bigendian\nuint8[] events\n"
)
KIND, PACKET_KIND = "dvs_msgs/msg/EventArray", "event_camera_msgs/msg/EventPacket"


def store(ros1: bool) -> Any:
    made = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE)
    stamp = "time" if ros1 else "builtin_interfaces/Time"
    made.register(get_types_from_msg(EVENT.format(time=stamp), "dvs_msgs/msg/Event"))
    made.register(get_types_from_msg(ARRAY, KIND))
    made.register(get_types_from_msg(PACKET, PACKET_KIND))
    return made


def header(types: Any, ros1: bool) -> Any:
    stamp = types.types["builtin_interfaces/msg/Time"](sec=5, nanosec=6)
    number = {"seq": 1} if ros1 else {}
    return types.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera", **number)


def arrays(types: Any, ros1: bool, seed: int) -> tuple[list[Any], list[tuple[int, ...]]]:
    """Messages of 0 to 40 events, and these events."""
    source = np.random.default_rng(seed)
    time, event = types.types["builtin_interfaces/msg/Time"], types.types["dvs_msgs/msg/Event"]
    messages, expected = [], []
    for count in (0, 1, 2, 40):
        events = []
        for _ in range(count):
            sec, ns = int(source.integers(2**31)), int(source.integers(10**9))
            x, y, p = (
                int(source.integers(2**16)),
                int(source.integers(2**16)),
                source.random() < 0.5,
            )
            events.append(event(x=x, y=y, ts=time(sec=sec, nanosec=ns), polarity=p))
            expected.append((sec * 10**6 + ns // 1000, x, y, int(p)))
        head = header(types, ros1)
        messages.append(types.types[KIND](header=head, height=480, width=640, events=events))
    return messages, expected


def decoded(path: Path, **options: Any) -> Any:
    with path.open("rb") as stream:
        reading = rosbag.read(stream, ReadOptions(**options))
        columns = join(list(reading.batches)).columns
    assert reading.resolution == (640, 480)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("compression", [None, "BZ2", "LZ4"])
def test_bag_1(tmp_path: Path, compression: str | None, seed: int) -> None:
    types = store(ros1=True)
    messages, expected = arrays(types, True, seed)
    path = tmp_path / "made.bag"
    writer = rosbag1.Writer(path)
    if compression:
        writer.set_compression(getattr(rosbag1.Writer.CompressionFormat, compression))
    with writer:
        connection = writer.add_connection("/events", KIND, typestore=types)
        for k, message in enumerate(messages):
            writer.write(connection, k, types.serialize_ros1(message, KIND))
    assert decoded(path) == expected


@pytest.mark.parametrize("storage", ["SQLITE3", "MCAP", "zstd in MCAP"])
@pytest.mark.parametrize("little", [True, False])
def test_bag_2(tmp_path: Path, storage: str, little: bool, seed: int) -> None:
    types = store(ros1=False)
    messages, expected = arrays(types, False, seed)
    folder = tmp_path / "made"
    plugin = StoragePlugin[storage.rpartition(" ")[2]]
    writer = rosbag2.Writer(folder, version=9, storage_plugin=plugin)
    if storage.startswith("zstd"):
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/events", KIND, typestore=types)
        for k, message in enumerate(messages):
            data = types.serialize_cdr(message, KIND, little_endian=little)
            writer.write(connection, k, data)
    (path,) = [p for p in folder.iterdir() if p.suffix in (".db3", ".mcap")]
    assert decoded(path) == expected
    assert decoded(path, batch_events=3) == expected


def test_messages_compressed_one_by_one_are_named(tmp_path: Path, seed: int) -> None:
    types = store(ros1=False)
    messages, _ = arrays(types, False, seed)
    writer = rosbag2.Writer(tmp_path / "made", version=9)
    writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/events", KIND, typestore=types)
        writer.write(connection, 0, types.serialize_cdr(messages[-1], KIND))
    (path,) = (tmp_path / "made").glob("*.db3*")
    with path.open("rb") as stream:
        content = io.BytesIO(stream.read())
    with pytest.raises(rosbag.UnsupportedError, match="one by one"):
        list(rosbag.read(content, ReadOptions()).batches)


@pytest.mark.parametrize("name", ["ros/evt3_packets.bag", "ros/evt3_packets.db3", "ros/mono.db3"])
def test_real_messages_are_the_same(data_dir: Path, name: str) -> None:
    """Payload by payload: what stands before the events, as the library's decoder says."""
    from evstore.formats.rosbag_messages import parse

    path = data_dir / name
    ros1 = path.suffix == ".bag"
    types = store(ros1)
    kind = rosbag1 if ros1 else rosbag2
    with kind.Reader(path) as reader:
        for _, _, raw in reader.messages():
            deserialize = types.deserialize_ros1 if ros1 else types.deserialize_cdr
            message = deserialize(raw, PACKET_KIND)
            packet = parse(raw, "packet", not ros1, None)
            assert packet.geometry == (message.width, message.height)
            assert packet.time_base == message.time_base
            assert packet.encoding == message.encoding
            assert packet.words.view(np.uint8).tolist() == message.events.tolist()
