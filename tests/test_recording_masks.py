"""Hot pixels in a shard's metadata: left out on every read where that is asked, else kept."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from evstore.errors import ArgumentError, CorruptError
from evstore.frames import Filler
from evstore.noise import mask_from_metadata, mask_to_metadata
from evstore.noise.masks import without
from some_datasets import RESOLUTION, random_events

HOT = [(0, 0), (33, 29), (5, 7), (5, 8), (20, 3)]
ABOUT = {"hot_pixels": mask_to_metadata(HOT, RESOLUTION, learned_from="dark", rule="50 Hz")}


def is_hot(events: evstore.Events) -> Any:
    table = np.zeros((RESOLUTION[1], RESOLUTION[0]), bool)
    for x, y in HOT:
        table[y, x] = True
    return table[events.y, events.x]


def hot_events(seed: int = 0, count: int = 40_000) -> evstore.Events:
    """Each fourth of a masked pixel."""
    events = random_events(seed, count)
    hot = np.array(HOT)[np.arange(-(-count // 4)) % len(HOT)]
    events.x[::4], events.y[::4] = hot[:, 0], hot[:, 1]
    return events


@pytest.fixture(scope="module", params=["fast", "balanced"])
def shard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, evstore.Events]:
    path = tmp_path_factory.mktemp("masks") / "one.evs"
    events = hot_events()
    events.t[9000:9100] -= 2000  # time steps back
    evstore.save(path, events, metadata=ABOUT, preset=request.param)
    return path, events


def left(events: evstore.Events) -> evstore.Events:
    return events[~is_hot(events)]


def test_kept_unless_asked(shard: tuple[Path, evstore.Events]) -> None:
    path, events = shard
    with evstore.open(path) as rec:
        assert rec[:] == events
        assert rec.metadata["hot_pixels"] == ABOUT["hot_pixels"]
    with pytest.raises(ArgumentError, match="'keep' or 'drop', got 'no'"):
        evstore.open(path, hot_pixels="no")


def test_every_read_drops(shard: tuple[Path, evstore.Events]) -> None:
    path, events = shard
    t0 = int(events.t[0])
    with evstore.open(path, hot_pixels="drop") as rec:
        assert rec.n_events == len(rec) == len(events)
        assert (rec.t_start, rec.t_stop) == (int(events.t.min()), int(events.t.max()) + 1)
        for which in (slice(None), slice(100, 20_000), slice(None, None, 3), slice(900, 10, -7)):
            assert rec[which] == left(events[which])
        assert rec[-1] == left(events[-1])
        assert len(rec[4]) == 0
        assert len(rec[5]) == 1
        for start, stop in ((t0 + 10_000, t0 + 70_000), (t0, t0), (0, 1 << 60)):
            inside = (events.t >= start) & (events.t < stop)
            assert rec.between(start, stop) == left(events[inside])
        some = rec.between(0, 50_000, roi=(0, 0, 20, 30), polarity=1, relative=True)
        inside = (events.t < t0 + 50_000) & (events.x < 20) & (events.p == 1)
        assert some == left(events[inside])
        assert evstore.Events.concatenate(rec.batches()) == left(events)
        assert rec.position > 0
        chosen = evstore.recording.base.Selection(t0 + 5, t0 + 9000)
        inside = (events.t >= t0 + 5) & (events.t < t0 + 9000)
        assert evstore.Events.concatenate(rec.batches(chosen)) == left(events[inside])


def test_windows_drop(shard: tuple[Path, evstore.Events]) -> None:
    """They are cut as without a mask, so that both go together."""
    path, _ = shard
    with evstore.open(path) as rec, evstore.open(path, hot_pixels="drop") as masked:
        for how in (
            {"duration": 7000},
            {"duration": 7000, "stride": 20_000, "partial": True},
            {"duration": 30_000, "stride": 5000, "start": 5_010_000},
            {"count": 3000},
            {"count": 3000, "stride": 5000, "partial": True},
        ):
            wanted = [left(events) for events in rec.windows(**how)]  # type: ignore[arg-type]
            assert list(masked.windows(**how)) == wanted  # type: ignore[arg-type]
            assert len(wanted) > 2


def test_read_columns(shard: tuple[Path, evstore.Events]) -> None:
    path, events = shard
    wanted = left(events[1000:9000])
    with evstore.open(path, hot_pixels="drop") as rec:
        found = rec.read(1000, 9000, ("t", "p"), threads=2)
        assert list(found) == ["t", "p"]
        assert found["t"].tolist() == wanted.t.tolist()
        out = {"x": np.full(8000, 7, np.uint16)}
        found = rec.read(1000, 9000, out=out)
        assert np.shares_memory(found["x"], out["x"])
        assert found["x"].tolist() == wanted.x.tolist()
        with pytest.raises(ArgumentError, match="must lie in"):
            rec.read(0, len(rec) + 1)
        with pytest.raises(ArgumentError, match="columns are t, x, y and p"):
            rec.read(0, 1, ("z",))
        with pytest.raises(ArgumentError, match="must be a contiguous"):
            rec.read(0, 100, out={"x": np.zeros(50, np.uint16)})


def test_frames_of_batches_and_pickles(shard: tuple[Path, evstore.Events]) -> None:
    path, events = shard
    with evstore.open(path, hot_pixels="drop") as rec:
        again = pickle.loads(pickle.dumps(rec))
        wanted = evstore.to_frames(left(events), duration=10_000)
        assert (evstore.to_frames(again[:], duration=10_000) == wanted).all()
        again.close()
        filler = Filler(evstore.Frames(bins=1), RESOLUTION, rec.t_start, rec.t_stop, 0)
        for batch in rec.batches():
            filler.add(batch.t, batch.x, batch.y, batch.p)
        assert all(filler.result()[..., y, x].sum() == 0 for x, y in HOT)


def test_many_recordings(tmp_path: Path) -> None:
    path = tmp_path / "many.evs"
    with evstore.create(path) as out:
        for k in range(2):
            with out.recording(f"r{k}", resolution=RESOLUTION, metadata=ABOUT) as one:
                one.write(hot_events(k, 100))
    for k, rec in enumerate(evstore.open_all(path, hot_pixels="drop")):
        with rec:
            assert rec[:] == left(hot_events(k, 100))
    with evstore.open(f"{path}#r1", hot_pixels="drop") as rec:
        assert rec[:] == left(hot_events(1, 100))


def test_without_a_mask(tmp_path: Path) -> None:
    path = tmp_path / "one.evs"
    evstore.save(path, hot_events(0, 10))
    with pytest.raises(ArgumentError, match=r"one.evs has no mask .* learns one"):
        evstore.open(path, hot_pixels="drop")
    with pytest.raises(ArgumentError, match="has no mask"):
        evstore.open_all(path, hot_pixels="drop")
    np.save(tmp_path / "one.npy", hot_events(0, 10).to_structured())
    with pytest.raises(ArgumentError, match="is for shards, which hold a mask"):
        evstore.open(tmp_path / "one.npy", resolution=RESOLUTION, hot_pixels="drop")


def test_a_mask_travels(tmp_path: Path) -> None:
    """Through conversion and packing; what a foreign header calls so is no mask of ours."""
    events = hot_events(0, 1000)
    evstore.save(tmp_path / "a.evs", events, metadata=ABOUT, label=1)
    evstore.convert(tmp_path / "a.evs", tmp_path / "b.evs")
    with evstore.open(tmp_path / "b.evs", hot_pixels="drop") as rec:
        assert rec[:] == left(events)
    (tmp_path / "in" / "train").mkdir(parents=True)
    (tmp_path / "b.evs").rename(tmp_path / "in" / "train" / "b.evs")
    evstore.pack(tmp_path / "in", tmp_path / "packed")
    dataset = evstore.Dataset(tmp_path / "packed", output="events", hot_pixels="drop")
    assert dataset[0][0] == left(events)


# ------------------------------------------------------------------------ masks as JSON


def test_masks_from_arrays_and_pairs() -> None:
    mask = mask_from_metadata(ABOUT, RESOLUTION)
    assert mask is not None
    assert mask.shape == (30, 34)
    assert sorted(map(tuple, np.argwhere(mask)[:, ::-1].tolist())) == sorted(HOT)
    again = mask_to_metadata(mask, RESOLUTION)
    assert sorted(again["pixels"]) == sorted(map(list, HOT))
    assert mask_to_metadata(np.array([[1, 2], [1, 2]], np.uint8), (4, 4)) == {"pixels": [[1, 2]]}
    assert mask_to_metadata([], (4, 4)) == {"pixels": []}
    assert mask_from_metadata({}, RESOLUTION) is None
    nothing = mask_from_metadata({"hot_pixels": {"pixels": []}}, None)
    assert nothing is not None
    assert not nothing.any()


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        ([(34, 0)], r"within 34x30, got \[34, 0\]"),
        ([(0, 30)], "within 34x30"),
        ([(-1, 0)], "within 34x30"),
        ([(1.0, 2.0)], "got float64"),
        ([(1, 2, 3)], "of shape"),
        ([1, 2], "of shape"),
        (np.zeros((34, 30), bool), r"shape \(30, 34\), got \(34, 30\)"),
    ],
)
def test_wrong_pixels(pixels: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        mask_to_metadata(pixels, RESOLUTION)


@pytest.mark.parametrize(
    "value",
    [
        3, "x", [[1, 2]], {}, {"pixels": 5}, {"pixels": {"a": 1}}, {"pixels": [5]},
        {"pixels": [[1]]}, {"pixels": [[1, 2], [3]]}, {"pixels": [[1, 2, 3]]},
        {"pixels": [[1, 30]]}, {"pixels": [[34, 1]]}, {"pixels": [[-1, 1]]},
        {"pixels": [[True, 1]]}, {"pixels": [[1.0, 1]]}, {"pixels": [["1", 1]]},
        {"pixels": [[None, 1]]}, {"pixels": [[1 << 70, 1]]}, {"pixels": [[[1], [2]]]},
        {"pixels": [[0, 0]] * (34 * 30 + 1)},
    ],
    ids=lambda value: f"{value!r:.30}",
)  # fmt: skip
def test_hostile_masks(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CorruptError, match="mask of hot pixels"):
        mask_from_metadata({"hot_pixels": value}, RESOLUTION)
    path = tmp_path / "one.evs"
    evstore.save(path, hot_events(0, 10), metadata={"hot_pixels": value})
    with evstore.open(path) as rec:  # harmless unless it is wanted
        assert len(rec[:]) == 10
    with pytest.raises(CorruptError, match=r"one\.evs: mask of hot pixels"):
        evstore.open(path, hot_pixels="drop")


def test_kernel_bounds() -> None:
    """Events outside of the mask's sensor, of a forged shard, are of no masked pixel."""
    rng = np.random.default_rng(5)
    mask = rng.random((3, 5)) < 0.5
    mask[0, 0] = mask[2, 4] = True
    x, y = rng.integers(0, 8, 500), rng.integers(0, 6, 500)
    x[0], y[0] = 65_535, 65_535
    events = evstore.Events(np.arange(500), x, y, np.ones(500, int))
    inside = (x < 5) & (y < 3)
    hot = inside & mask[np.where(inside, y, 0), np.where(inside, x, 0)]
    assert without(evstore.Events.concatenate([events]), mask) == events[~hot]
    assert len(without(evstore.Events.empty(), mask)) == 0
