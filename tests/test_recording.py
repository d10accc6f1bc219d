"""Recordings: shards and foreign files behind one interface, against a brute-force mask."""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import RESOLUTION, write_raw
from evstore.conversion import convert_one
from evstore.conversion.job import Job, Options
from evstore.errors import ArgumentError, CorruptError, FormatError, TruncatedError
from evstore.events import COLUMNS, Events
from evstore.formats import evt3
from evstore.formats.reading import ReadOptions
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.opening import open as open_recording
from evstore.recording.opening import open_all
from evstore.recording.saving import create, save
from evstore.selection import Selection


def jittering(count: int = 5000, seed: int = 3) -> Events:
    """Events whose time steps back now and then, by up to 300 us."""
    random = np.random.default_rng(seed)
    t = 20_000 + np.cumsum(random.integers(0, 12, count)) - random.integers(0, 300, count)
    x, y = random.integers(0, RESOLUTION[0], count), random.integers(0, RESOLUTION[1], count)
    return Events(t, x, y, random.integers(0, 2, count), RESOLUTION)


EVENTS = jittering()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same events as a shard, and as foreign files."""
    folder = tmp_path_factory.mktemp("files")
    paths = {kind: folder / f"a.{kind}" for kind in ("evs", "npz", "csv")}
    save(paths["evs"], EVENTS)
    for kind in ("npz", "csv"):
        convert_one(Job(str(paths["evs"]), str(paths[kind])), Options())
    return paths


@pytest.fixture(params=["evs", "npz", "csv", "npz in small batches"])
def recording(request: pytest.FixtureRequest, files: dict[str, Path]) -> Iterator[Recording]:
    kind = request.param
    if kind == "npz in small batches":
        options = ReadOptions(batch_events=333)
        made: Recording = ForeignRecording(str(files["npz"]), options, None, False, False)
    else:
        made = open_recording(files[kind])
    with made as rec:
        yield rec


def masked(start: int | None, stop: int | None, roi: Any = None, polarity: Any = None) -> Events:
    keep = np.ones(len(EVENTS), np.bool_)
    if start is not None:
        keep &= EVENTS.t >= start
    if stop is not None:
        keep &= EVENTS.t < stop
    if roi is not None:
        keep &= (EVENTS.x >= roi[0]) & (EVENTS.x < roi[2])
        keep &= (EVENTS.y >= roi[1]) & (EVENTS.y < roi[3])
    if polarity is not None:
        keep &= EVENTS.p == polarity
    return EVENTS[keep]


def joined(parts: Any) -> Events:
    return Events.concatenate(parts)


# ---------------------------------------------------------------------------- questions


def test_what_is_known(recording: Recording) -> None:
    assert (len(recording), recording.n_events) == (5000, 5000)
    assert (recording.t_start, recording.t_stop) == (EVENTS.t.min(), EVENTS.t.max() + 1)
    width, height = recording.resolution or (0, 0)
    assert (width, height) == RESOLUTION
    assert recording.triggers is None
    assert recording.label is None
    assert recording.dropped == {}
    assert recording.path in repr(recording)


def test_by_number(recording: Recording) -> None:
    for which in (
        slice(None), slice(0, 0), slice(10, 20), slice(-20, None), slice(None, -4990),
        slice(4995, 9999), slice(20, 10), slice(None, None, -1), slice(100, 3, -7),
        slice(3, 4000, 501), slice(-1, None), slice(3, 3, -1), slice(5, 2, 3),
    ):  # fmt: skip
        assert recording[which] == EVENTS[which], which
    for index in (0, -1, 4999, -5000, np.int64(7)):
        assert recording[index] == EVENTS[index]
    for index in (5000, -5001):
        with pytest.raises(IndexError):
            recording[index]


def test_read(recording: Recording) -> None:
    assert Events(**recording.read(0, 0)) == EVENTS[:0]
    assert Events(**recording.read(4990, 5000)) == EVENTS[4990:]
    found = recording.read(100, 200, ("p", "t"), threads=2)
    assert list(found) == ["p", "t"]
    assert found["t"].tolist() == EVENTS.t[100:200].tolist()
    out = {"x": np.zeros(120, np.uint16)}
    found = recording.read(100, 200, out=out)
    assert list(found) == ["x"]
    assert np.shares_memory(found["x"], out["x"])
    assert found["x"].tolist() == EVENTS.x[100:200].tolist()
    for start, stop in ((-1, 5), (5, 4), (0, 5001), (6000, 6001)):
        with pytest.raises(ArgumentError, match=r"0\.\.5000"):
            recording.read(start, stop)
    for wrong in ({"x": np.zeros(99, np.uint16)}, {"x": np.zeros(100, np.int64)}, {"q": out["x"]}):
        with pytest.raises(ArgumentError):
            recording.read(100, 200, out=wrong)
    with pytest.raises(ArgumentError, match="columns are"):
        recording.read(0, 1, ("q",))


def test_between(recording: Recording, seed: int) -> None:
    random = np.random.default_rng(seed)
    low, high = int(EVENTS.t.min()) - 50, int(EVENTS.t.max()) + 50
    for _ in range(12):
        start, stop = sorted(random.integers(low, high, 2).tolist())
        roi = (int(random.integers(0, 30)), 3, int(random.integers(31, 99)), 40)
        for region in (None, roi):
            for polarity in (None, 0, 1):
                found = recording.between(start, stop, roi=region, polarity=polarity)
                assert found == masked(start, stop, region, polarity)
    first = int(EVENTS.t[0])
    assert recording.between(0, 500, relative=True) == masked(first, first + 500)
    assert len(recording.between(700, 700)) == 0
    assert recording.between(-(1 << 63), 1 << 63) == EVENTS
    with pytest.raises(ArgumentError, match="after stop"):
        recording.between(5, 4)
    with pytest.raises(ArgumentError):
        recording.between(0, 5, roi=(5, 5, 5, 5))
    with pytest.raises(ArgumentError):
        recording.between(0, 5, polarity=7)


@pytest.mark.parametrize(
    "said",
    [
        {}, {"start": 25_000}, {"stop": 25_000}, {"start": 22_000, "stop": 22_000},
        {"roi": (3, 4, 20, 30), "polarity": 0}, {"start": 21_000, "polarity": 1},
    ],
)  # fmt: skip
def test_batches(recording: Recording, said: dict[str, Any]) -> None:
    expected = masked(said.get("start"), said.get("stop"), said.get("roi"), said.get("polarity"))
    assert joined(recording.batches(Selection(**said))) == expected
    if "start" in said or "stop" in said:
        first = int(EVENTS.t[0])
        times = {k: said[k] - first for k in ("start", "stop") if k in said}
        relative = Selection(**{**said, **times}, relative=True)
        assert joined(recording.batches(relative)) == expected


def test_windows_by_time(recording: Recording) -> None:
    start, end = recording.t_start, recording.t_stop
    for duration, stride in ((500, None), (3000, 700), (400, 1000), (10**9, None)):
        for partial in (False, True):
            for polarity in (None, 1):
                found = list(
                    recording.windows(duration, stride=stride, polarity=polarity, partial=partial)
                )
                times = range(start, end, stride or duration)
                kept = [t for t in times if partial or t + duration <= end]
                expected = [masked(t, t + duration, None, polarity) for t in kept]
                assert found == expected, (duration, stride, partial)


def test_windows_by_count(recording: Recording) -> None:
    for count, stride in ((1, 999), (1000, None), (700, 300), (300, 700), (9999, None)):
        for partial in (False, True):
            found = list(recording.windows(count=count, stride=stride, partial=partial))
            starts = range(0, 5000, stride or count)
            kept = [i for i in starts if partial or i + count <= 5000]
            assert found == [EVENTS[i : i + count] for i in kept], (count, stride, partial)


def test_windows_that_cannot_be(recording: Recording) -> None:
    for said in ({}, {"duration": 5, "count": 5}, {"duration": 0}, {"count": -1},
                 {"duration": 5, "stride": 0}, {"count": 5, "polarity": 1}):  # fmt: skip
        with pytest.raises(ArgumentError):
            recording.windows(**said)  # type: ignore[arg-type]


def test_windows_of_a_foreign_file_take_two_passes(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    plain = ForeignRecording.raw_batches
    monkeypatch.setattr(
        ForeignRecording, "raw_batches", lambda self, **how: passes.append(1) or plain(self, **how)
    )
    with open_recording(files["csv"]) as rec:
        assert len(list(rec.windows(duration=100))) > 200
        assert len(passes) == 2  # the first for where it starts and ends
        assert len(list(rec.windows(count=10))) == 500
        assert len(passes) == 3


def test_nothing_at_all(tmp_path: Path) -> None:
    save(tmp_path / "a.evs", Events.empty((3, 4)))
    convert_one(Job(str(tmp_path / "a.evs"), str(tmp_path / "a.npz")), Options())
    for name in ("a.evs", "a.npz"):
        with open_recording(tmp_path / name) as rec:
            assert (len(rec), rec.t_start, rec.t_stop, rec.resolution) == (0, 0, 0, (3, 4))
            assert list(rec.windows(10, partial=True)) == list(rec.windows(count=1)) == []
            assert len(rec[:]) == len(rec.between(0, 9, relative=True)) == 0
            assert [len(b) for b in rec.batches() if len(b)] == []


# ------------------------------------------------------------------------------ opening


def test_one_pass_ends_the_one_before(files: dict[str, Path]) -> None:
    with open_recording(files["csv"]) as rec:
        for _ in rec.batches():
            assert rec[:3] == EVENTS[:3]
            break
        assert joined(rec.batches()) == EVENTS


def test_addresses(tmp_path: Path) -> None:
    path = tmp_path / "many.evs"
    with create(path) as out:
        for k in range(3):
            with out.recording(f"train/{k}", resolution=(9, 9), label=k) as one:
                one.write(Events([k], [k], [k], [1]))
    with open_recording(f"{path}#train/1") as rec:
        assert (rec.id, rec.label, rec[:].t.tolist()) == ("train/1", 1, [1])
        assert repr(rec).endswith("many.evs#train/1>")
        again = pickle.loads(pickle.dumps(rec))
        assert again[:] == rec[:]
        again.close()
    with open_recording(path, recording="train/2") as rec:
        assert rec.label == 2
    with pytest.raises(ArgumentError, match="3 recordings"):
        open_recording(path)
    with pytest.raises(ArgumentError, match="did you mean"):
        open_recording(f"{path}#trian/1")
    several = open_all(path)
    assert [rec.id for rec in several] == ["train/0", "train/1", "train/2"]
    several[0].close()
    assert several[2][:].t.tolist() == [2]  # the last to be closed closes the file
    for rec in several:
        rec.close()
    (one,) = open_all(f"{path}#train/0")
    one.close()


def test_a_name_with_a_hash(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a#b.raw", EVENTS[:10])
    with open_recording(path) as rec:
        assert len(rec) == 10


def test_a_shard_of_no_recordings(tmp_path: Path) -> None:
    evstore.shard.writer.ShardWriter(tmp_path / "a.evs", flush_s=None).close()
    assert open_all(tmp_path / "a.evs") == []


def test_what_cannot_be_opened(tmp_path: Path, files: dict[str, Path]) -> None:
    with pytest.raises(FileNotFoundError):
        open_recording(tmp_path / "none.raw")
    with pytest.raises(ArgumentError, match="is a folder"):
        open_recording(tmp_path)
    (tmp_path / "note.raw").write_text("no recording at all\n" * 5)
    with pytest.raises(FormatError, match=r"note\.raw: .*of no format"):
        open_recording(tmp_path / "note.raw")
    (tmp_path / "empty.evs").write_bytes(b"")
    with pytest.raises(FormatError, match="empty"):
        open_recording(tmp_path / "empty.evs")
    (tmp_path / "wrong.evs").write_bytes(bytes(500))
    with pytest.raises(FormatError, match=r"wrong\.evs"):
        open_recording(tmp_path / "wrong.evs")
    with pytest.raises(ArgumentError, match="has no name"):
        open_recording(files["csv"], recording="a")
    with pytest.raises(ArgumentError, match="states its resolution"):
        open_recording(files["evs"], resolution=(5, 5))
    with pytest.raises(ArgumentError, match="no format is called"):
        open_recording(files["csv"], input_format="gif")
    with pytest.raises(ArgumentError, match="from a pipe"):
        open_recording("-", input_format="evs")


def test_a_cut_file_says_how_much_is_safe(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.raw", EVENTS_IN_ORDER)
    path.write_bytes(path.read_bytes()[:-1])
    with open_recording(path) as rec:
        with pytest.raises(TruncatedError, match=r"a\.raw") as caught:
            len(rec)
        assert caught.value.safe_events == len(EVENTS_IN_ORDER) - 1
        assert len(rec.read(0, 100)["t"]) == 100  # what lies before is there


EVENTS_IN_ORDER = Events(np.sort(EVENTS.t), EVENTS.x, EVENTS.y, EVENTS.p, RESOLUTION)


# ----------------------------------------------------------------------------- geometry


def far() -> Events:
    events = EVENTS_IN_ORDER[:1000]
    x = events.x.copy()
    x[[10, 500, 999]] = 100
    return Events(events.t, x, events.y, events.p, RESOLUTION)


def raw_of(tmp_path: Path, events: Events) -> Path:
    path = tmp_path / "far.raw"
    with path.open("wb") as stream:
        writer = evt3.writer(stream, events.resolution, {})
        writer.write(events.t, events.x, events.y, events.p)
        writer.close()
    return path


def test_events_outside_are_counted_grown_or_dropped(tmp_path: Path) -> None:
    path = raw_of(tmp_path, far())
    with (
        open_recording(path) as rec,
        pytest.raises(CorruptError, match=r"far\.raw: 3 events lie outside.*up to 100.*--grow"),
    ):
        rec[:]
    with open_recording(path, grow=True) as rec:
        assert rec[:] == far()
        assert rec.resolution == (101, RESOLUTION[1])
    with open_recording(path, drop_outside=True) as rec:
        assert rec[:] == far()[far().x < RESOLUTION[0]]
        assert (len(rec), rec.resolution) == (997, RESOLUTION)
        assert rec.dropped == {"events_outside_resolution": 3}
        assert len(rec) == 997
    with (
        pytest.raises(ArgumentError, match="exclude"),
        open_recording(path, grow=True, drop_outside=True) as rec,
    ):
        rec[:]


def test_a_given_resolution_overrides_the_header(tmp_path: Path) -> None:
    path = raw_of(tmp_path, far())
    with open_recording(path, resolution=(200, 100)) as rec:
        assert (rec.resolution, len(rec)) == ((200, 100), 1000)
    outside = int(np.count_nonzero((far().x >= 30) | (far().y >= 20)))
    with (
        open_recording(path, resolution=(30, 20)) as rec,
        pytest.raises(CorruptError, match=f"^{path}: {outside} events lie outside"),
    ):
        rec[:]
    with open_recording(path, resolution=(30, 20), grow=True) as rec:
        assert rec.resolution == (101, int(far().y.max()) + 1)
    with open_recording(path, resolution=(30, 20), drop_outside=True) as rec:
        assert len(rec) == 1000 - outside


def test_grow_never_shrinks(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.raw", EVENTS_IN_ORDER)
    with open_recording(path, resolution=(900, 20), grow=True) as rec:
        assert rec.resolution == (900, int(EVENTS.y.max()) + 1)


def test_a_silent_file_is_inferred(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, EVENTS.to_structured())
    with open_recording(path, time_unit="us") as rec:
        assert rec.geometry_inferred
        assert rec.resolution == (int(EVENTS.x.max()) + 1, int(EVENTS.y.max()) + 1)


# -------------------------------------------------------------------------------- pipes


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("size", [3000, 40_000])  # shorter and longer than what is looked at
def test_a_named_pipe_is_read_once_and_from_its_beginning(tmp_path: Path, size: int) -> None:
    events = Events(*(np.resize(getattr(EVENTS_IN_ORDER, n), size) for n in COLUMNS))
    events.t.sort()
    events.resolution = RESOLUTION
    whole = write_raw(tmp_path / "a.raw", events).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=pipe.write_bytes, args=(whole,))
    feeder.start()
    with open_recording(pipe) as rec:
        assert joined(rec.batches()) == events
        assert (len(rec), rec.position) == (size, 0)
        with pytest.raises(ArgumentError, match="read once only"):
            rec[:]
    feeder.join()


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = write_raw(tmp_path / "a.raw", EVENTS_IN_ORDER).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(whole)))
    with open_recording("-") as rec:
        assert joined(rec.batches()) == EVENTS_IN_ORDER
        with pytest.raises(ArgumentError, match="read once only"):
            rec[:]
    assert not sys.stdin.closed
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(whole)))
    with open_recording("-") as rec, pytest.raises(ArgumentError, match="read once only"):
        next(rec.windows(1000))
    archive = io.BytesIO()
    np.savez(archive, t=[1], x=[1], y=[1], p=[1])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(archive.getvalue())))
    with pytest.raises(ArgumentError, match="name the file"):
        open_recording("-")


# ------------------------------------------------------------------------------ writing


def test_save(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    save(path, EVENTS.to_structured(), label=[1], metadata={"sensor": "tiny"})
    with open_recording(path) as rec:
        assert rec[:] == EVENTS
        assert (rec.label, rec.metadata["sensor"], rec.geometry_inferred) == ([1], "tiny", True)
    with pytest.raises(ArgumentError, match="exists already"):
        save(path, EVENTS)
    save(path, EVENTS[:5], overwrite=True)
    with open_recording(path) as rec:
        assert len(rec) == 5
    with pytest.raises(ArgumentError, match="outside the resolution"):
        save(tmp_path / "b.evs", Events([1], [9], [9], [1], (5, 5)))
    assert sorted(os.listdir(tmp_path)) == ["a.evs"]


def test_save_of_arrays_that_are_read_only_strided_or_not_aligned(tmp_path: Path) -> None:
    packed = EVENTS.to_structured()
    packed.flags.writeable = False
    strided = Events.from_structured(packed)
    t = np.frombuffer(b"\0" * 3 + EVENTS.t.tobytes(), np.int64, offset=3)
    unaligned = Events.of(t, EVENTS.x, EVENTS.y, EVENTS.p)
    for k, events in enumerate((strided, unaligned)):
        save(tmp_path / f"{k}.evs", events)
        with open_recording(tmp_path / f"{k}.evs") as rec:
            assert rec[:] == EVENTS


def test_create_of_one_and_of_many(tmp_path: Path) -> None:
    with create(tmp_path / "a.evs", resolution=RESOLUTION, label="x") as out:
        out.write(EVENTS[:10])
        out.write(EVENTS[10:].to_structured())
        out.trigger(5, 1, 0)
        out.label(3, [0], [10])
        out.flush()
        with pytest.raises(ArgumentError, match="single recording"):
            out.recording("b")
    with open_recording(tmp_path / "a.evs") as rec:
        assert rec[:] == EVENTS
        assert rec.triggers is not None
        assert rec.triggers["t"].tolist() == [5]
    with create(tmp_path / "b.evs") as out:
        out.recording("one").close()
        with pytest.raises(ArgumentError, match="named recordings"):
            out.write(EVENTS)
    with create(tmp_path / "c.evs"):
        pass
    with open_recording(tmp_path / "c.evs") as rec:
        assert len(rec) == 0


def test_what_cannot_be_created_leaves_nothing(tmp_path: Path) -> None:
    before = set(threading.enumerate())  # one of another test may end meanwhile
    for said in ({"resolution": (0, 5)}, {"label": object()}, {"preset": "tiny"}):
        with pytest.raises(ArgumentError):
            create(tmp_path / "a.evs", **said)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []
    assert set(threading.enumerate()) - before == set()


def test_digests_and_differences(files: dict[str, Path]) -> None:
    from evstore.digests import digest, first_difference

    recordings = {kind: open_recording(path) for kind, path in files.items()}
    try:
        digests = [digest(rec) for rec in recordings.values()]
        assert digests[0] == digests[1]
        assert digests[0]["sha256"] == digests[2]["sha256"]
        assert (digests[0]["events"], digests[0]["t_first"]) == (5000, EVENTS.t[0])
        assert first_difference(recordings["evs"], recordings["csv"]) is None
        some = Selection(start=22_000, stop=30_000, polarity=1)
        assert digest(recordings["evs"], some) == digest(recordings["npz"], some)
    finally:
        for rec in recordings.values():
            rec.close()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda e: e[:4000], {"event": 4000, "b": None}),
        (lambda e: Events(e.t, np.where(np.arange(5000) == 4321, 0, e.x), e.y, e.p),
         {"event": 4321}),
        (lambda e: e[:0], {"event": 0, "b": None}),
    ],
)  # fmt: skip
def test_the_first_difference(
    files: dict[str, Path],
    tmp_path: Path,
    change: Callable[[Events], Events],
    found: dict[str, Any],
) -> None:
    from evstore.digests import first_difference

    save(tmp_path / "b.evs", change(EVENTS))
    with open_recording(files["csv"]) as a, open_recording(tmp_path / "b.evs") as b:
        there = first_difference(a, b)
        assert there is not None
        assert there["a"] == tuple(int(getattr(EVENTS, n)[there["event"]]) for n in COLUMNS)
        assert {key: there[key] for key in found} == found
        back = first_difference(b, a)
        assert back == {"event": there["event"], "a": there["b"], "b": there["a"]}
