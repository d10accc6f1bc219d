"""Noise in datasets and loaders: of seed, epoch and sample alone, before all else is done."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from batches_in_hand import AHEAD, equal
from evstore import Dataset, Frames, Geometry, Loader, Windows
from evstore.datasets.indexing import index_shards, shards_below
from evstore.datasets.manifest import write_manifest
from evstore.datasets.sample_events import Window, sample_name
from evstore.errors import ArgumentError
from evstore.noise import BackgroundActivity, Compose, HotPixels, Transform, mask_to_metadata
from evstore.noise.batch import Batch, Sensor, empty_batch, merged
from evstore.noise.epoch import epoch_now, reading_epoch
from evstore.noise.key import Key
from evstore.noise.labels import BACKGROUND
from evstore.noise.random_kernels import random_words
from evstore.shard.writer import ShardWriter
from some_datasets import RESOLUTION, Made, make_dataset, random_events

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)

STEP_US = 1000


@dataclass(frozen=True)
class Ticking(Transform):
    """An event each millisecond since the start, somewhere."""

    makes_events = True

    def expected_hz(self, sensor: Sensor) -> float:
        return 1e6 / STEP_US

    def begin(self, sensor: Sensor, key: Key, start: int) -> _Ticking:
        return _Ticking(sensor, key.number(self.seed, "ticks"), start)


class _Ticking:
    def __init__(self, sensor: Sensor, seed: int, start: int) -> None:
        self.sensor, self.seed, self.next, self.made = sensor, seed, start, 0

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        made = empty_batch(max(0, -(-(until - self.next) // STEP_US)))
        words = np.empty(made.size, np.uint64)
        random_words(self.seed, self.made, words)
        made.t[:] = self.next + STEP_US * np.arange(made.size)
        made.x[:], made.y[:] = words % self.sensor.width, (words >> 20) % self.sensor.height
        made.p[:], made.label[:] = (words >> 40) % 2, BACKGROUND
        self.made += made.size
        self.next += STEP_US * made.size
        return merged(batch, made), until


@dataclass(frozen=True)
class OnlyOn(Transform):
    """A filter: ON events."""

    def begin(self, sensor: Sensor, key: Key, start: int) -> OnlyOn:
        return self

    def push(self, batch: Batch, until: int, last: bool) -> tuple[Batch, int]:
        return batch.at(batch.p == 1), until


NOISE = Ticking(seed=7)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_dataset(tmp_path_factory.mktemp("noise"), count=600)


def noisy(events: evstore.Events, name: str, epoch: int = 0) -> evstore.Events:
    found: evstore.Events = NOISE(events, sample=name, epoch=epoch)
    return found


# ------------------------------------------------------------------------ samples


def test_whole_recordings(made: Made) -> None:
    dataset = Dataset(made.folder, output="events", noise=NOISE)
    for k, id in enumerate(dataset.ids):
        events, _ = dataset[k]
        assert events == noisy(made.events[id], id)
        assert events.resolution == RESOLUTION
        assert len(events) > len(made.events[id]) + 90
        assert dataset.sample(k).data == events
    plain = Dataset(made.folder, output="events")
    assert dataset.samples_digest == plain.samples_digest
    assert dataset.n_events.tolist() == plain.n_events.tolist()


def test_before_geometry_and_relative_times(made: Made) -> None:
    where = Geometry(crop=(3, 2, 30, 28), flip_x=True)
    dataset = Dataset(made.folder, dtype="packed", noise=NOISE, geometry=where, relative=True)
    for k in range(3):
        id = dataset.ids[k]
        wanted = where.events(noisy(made.events[id], id))
        wanted.t -= made.events[id].t[0]
        assert (dataset[k][0] == wanted.to_structured()).all()


@pytest.mark.parametrize("windows", [Windows(duration=7_000, stride=5_000), Windows(count=50)])
def test_windows(made: Made, windows: Windows) -> None:
    """In the window's times, events or none; a name of its own for each."""
    dataset = Dataset(made.folder, output="events", windows=windows, noise=NOISE)
    plain = Dataset(made.folder, output="events", windows=windows)
    by_time = windows.count is None
    for k in range(0, len(dataset), 7):
        start, stop = dataset._plan.bounds(k)  # type: ignore[union-attr]
        name = sample_name(dataset.ids[k], Window(start, stop, by_time))
        events = plain[k][0]
        span = (start, stop) if by_time else (int(events.t[0]), int(events.t[-1]) + 1)
        wanted = NOISE(events, sample=name, epoch=0, start=span[0], stop=span[1])
        assert dataset[k][0] == wanted
    first, second = dataset[0][0], dataset[1][0]
    assert not np.array_equal(first.x[:5], second.x[:5])


def test_no_events(tmp_path: Path) -> None:
    """A window has noise all the same; a recording without a time or a sensor cannot."""
    folder = tmp_path / "none"
    folder.mkdir()
    with ShardWriter(folder / "a.evs", flush_s=None) as shard:
        for id, resolution, count in (("a", RESOLUTION, 2), ("b", RESOLUTION, 0), ("c", None, 0)):
            out = shard.recording(id, resolution=resolution)
            out.write(random_events(1, count, span=100_000))
            out.label([0], [5_000_000], [5_020_000])
            out.close()
        shard.close()
    write_manifest(index_shards(shards_below(folder), folder), folder)
    whole = Dataset(folder, output="events", noise=NOISE)
    assert [len(whole[k][0]) for k in (1, 2)] == [0, 0]
    by_labels = Dataset(folder, output="events", windows=Windows(labels=True), noise=NOISE)
    events = by_labels[1][0]
    assert (len(events), int(events.t[0]), events.resolution) == (20, 5_000_000, RESOLUTION)
    with pytest.raises(ArgumentError, match="recording 'c' has no events and no resolution"):
        by_labels[2]
    empty = Dataset(folder, windows=Windows(labels=True), noise=OnlyOn())
    assert len(empty[2][0]) == 0
    frames = Dataset(
        folder, frames=Frames(duration=5000), windows=Windows(labels=True), noise=NOISE
    )
    assert frames[1][0].sum(axis=(1, 2, 3)).tolist() == [5] * 4


SPECS = [
    Frames(duration=10_000),
    Frames(duration=7_000, stride=3_000, partial=True, dtype="uint8"),
    Frames(bins=7, kind="signed"),
    Frames(duration=20_000, crop=(3, 2, 30, 28), size=(9, 13), flip_x=True),
    Frames(duration=20_000, start=5_030_000, stop=5_070_000),
    Frames(count=300),
    Frames(event_bins=6),
]
CUTS = [None, Windows(duration=30_000, partial=True), Windows(count=200, stride=900)]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("windows", CUTS)
def test_frames_are_divided_as_without_noise(
    made: Made, spec: Frames, windows: Windows | None
) -> None:
    how: dict[str, Any] = {"windows": windows, "frames": spec}
    dataset, plain = Dataset(made.folder, noise=NOISE, **how), Dataset(made.folder, **how)
    events = Dataset(made.folder, output="events", windows=windows, noise=NOISE)
    without = Dataset(made.folder, output="events", windows=windows)
    for k in range(0, len(dataset), 11):
        found = dataset[k][0]
        if not spec.by_time:
            assert (found == evstore.to_frames(events[k][0], spec)).all()
            continue
        assert found.shape == plain[k][0].shape
        # What is more, is of the noise alone.
        own, before = events[k][0], without[k][0]
        at = dict.fromkeys(zip(before.t.tolist(), before.x, before.y, before.p, strict=True))
        more = [one not in at for one in zip(own.t.tolist(), own.x, own.y, own.p, strict=True)]
        assert sum(more) >= len(own) - len(before) - 2
        starts, stops = spec.edges(*_span(plain, k, before), len(before))
        for frame, start, stop in zip(range(len(found)), starts, stops, strict=True):
            inside = (own.t >= start) & (own.t < stop)
            moved = Geometry(spec.crop, spec.size, spec.flip_x, spec.flip_y).events(own[inside])
            signs = np.where(moved.p == 1, 1, -1) if spec.kind == "signed" else 1
            assert found[frame].sum() == np.sum(signs * np.ones(len(moved), int))


def _span(dataset: Dataset, k: int, events: evstore.Events) -> tuple[int, int]:
    if dataset.windows is not None and dataset.windows.count is None:
        spec = dataset._how.frames
        assert spec is not None
        sample = dataset.sample(k)
        return sample.t_start, sample.t_stop + (not spec.partial)
    return int(events.t[0]), int(events.t[-1]) + 1


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("windows", CUTS)
def test_batches_of_frames(made: Made, spec: Frames, windows: Windows | None) -> None:
    """Made in the batch, by threads that know nothing of the epoch, or one by one."""
    dataset = Dataset(made.folder, frames=spec, windows=windows, noise=NOISE)
    with reading_epoch(3):
        wanted = [dataset[k][0] for k in (4, 1, 7)]
        together = dataset.frames_together([[4, 1, 7]], np.empty)
    other_cuts = windows is not None and (windows.count is None) != spec.by_time
    assert (together is None) == (spec.count is not None or other_cuts)
    if together is not None:
        frames, lengths, _ = together[0]
        for own, length, one in zip(frames, lengths, wanted, strict=True):
            assert (own[:length] == one).all()
            assert not own[length:].any()


def test_filters_and_compositions(made: Made) -> None:
    both = Compose(NOISE, OnlyOn(), seed=3)
    dataset = Dataset(made.folder, output="events", noise=both)
    events = dataset[0][0]
    assert events.p.all()
    id = dataset.ids[0]
    assert events == both(made.events[id], sample=id, epoch=0)
    assert len(events) > np.count_nonzero(made.events[id].p) + 30


def test_labels_by_a_transform(made: Made) -> None:
    dataset = Dataset(made.folder, output="events", transform=partial(NOISE, labels=True))
    (events, labels), _ = dataset[0]
    assert np.count_nonzero(labels == BACKGROUND) == len(events) - dataset.n_events[0]


def test_other_shards_same_noise(made: Made, tmp_path: Path) -> None:
    again = make_dataset(tmp_path, count=600, a_shard=2, preset="fast")
    first, second = (Dataset(one.folder, output="events", noise=NOISE) for one in (made, again))
    assert list(first.ids) == list(second.ids)
    for k in range(len(first)):
        assert first[k][0] == second[k][0]
    chosen = first.select([5, 2])
    assert chosen[1][0] == first[2][0]


def test_what_is_no_noise(made: Made) -> None:
    with pytest.raises(ArgumentError, match=r"a transform of evstore\.noise, got 3"):
        Dataset(made.folder, noise=3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="hot_pixels must be 'keep' or 'drop'"):
        Dataset(made.folder, hot_pixels="no")


def test_the_last_time(tmp_path: Path) -> None:
    path = tmp_path / "a.evs"
    last = (1 << 63) - 1
    evstore.save(path, evstore.Events([last - 5, last], [1, 1], [1, 1], [1, 1], RESOLUTION))
    with pytest.raises(ArgumentError, match=f"up to {last} us, the latest time"):
        Dataset(path, noise=NOISE)[0]


# ------------------------------------------------------------------------ hot pixels

HOT = [(3, 4), (33, 29)]


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """Two recordings with a mask, one without."""
    about = {"hot_pixels": mask_to_metadata(HOT, RESOLUTION)}
    with ShardWriter(tmp_path / "a.evs", flush_s=None) as shard:
        for k in range(3):
            events = random_events(k, 900)
            events.x[::2], events.y[::2] = HOT[k % 2]
            metadata = {**(about if k < 2 else {}), "group": f"g{k}"}
            with shard.recording(f"r{k}", resolution=RESOLUTION, metadata=metadata) as out:
                out.write(events)
        shard.close()
    return tmp_path / "a.evs"


@pytest.mark.parametrize("windows", [None, Windows(duration=20_000), Windows(count=200)])
def test_hot_pixels_dropped(masked: Path, windows: Windows | None) -> None:
    plain = Dataset(masked, output="events", windows=windows)
    dataset = Dataset(masked, output="events", windows=windows, hot_pixels="drop")
    frames = Dataset(masked, frames=Frames(bins=3), windows=windows, hot_pixels="drop")
    noise = Dataset(masked, output="events", windows=windows, hot_pixels="drop", noise=NOISE)
    for k in np.flatnonzero(np.array(plain.ids) != "r2").tolist():
        events = plain[k][0]
        hot = np.isin(events.x.astype(int) + 34 * events.y, [x + 34 * y for x, y in HOT])
        assert hot.sum() > 20
        assert dataset[k][0] == events[~hot]
        wanted = evstore.to_frames(events, Frames(bins=3))
        if windows is None or windows.count is not None:
            for x, y in HOT:
                wanted[:, :, y, x] = 0
            assert (frames[k][0] == wanted).all()
        assert 0 <= len(events[~hot]) - frames[k][0].sum() < 5  # those behind the last whole frame
        assert len(noise[k][0]) > len(dataset[k][0])
    with pytest.raises(ArgumentError, match=r"recording 'r2' has no mask .* learns one"):
        dataset[len(dataset) - 1]
    batch = next(iter(Loader(frames.filter(lambda row: row["id"] != "r2"), 2, shuffle=False)))
    assert (batch.data[0].numpy() == frames[0][0]).all()


def test_parts_drop_the_pixels_of_all_parts(tmp_path: Path) -> None:
    events = random_events(1, 900)
    events.x[::3], events.y[::3] = HOT[0]
    events.x[1::3], events.y[1::3] = HOT[1]
    for part in range(2):
        about = {"hot_pixels": mask_to_metadata(HOT[part : part + 1], RESOLUTION)}
        with ShardWriter(tmp_path / f"{part}.evs", flush_s=None) as shard:
            out = shard.recording(
                "r", resolution=RESOLUTION, part=part, first_event=450 * part, metadata=about
            )
            out.write(events[450 * part : 450 * part + 450])
            out.close()
            shard.close()
    write_manifest(index_shards(shards_below(tmp_path), tmp_path), tmp_path)
    at = events.x.astype(int) + 34 * events.y
    kept = events[np.isin(at, [x + 34 * y for x, y in HOT], invert=True)]
    assert 0 < len(kept) <= 300
    assert Dataset(tmp_path, output="events", hot_pixels="drop")[0][0] == kept


def test_groups_drop_too(masked: Path) -> None:
    dataset = Dataset(masked, output="events", hot_pixels="drop")
    with dataset.groups().open("g0") as group:
        ((_, found),) = group.between(0, 1 << 60).items()
        assert found.events == dataset[0][0]
    with pytest.raises(ArgumentError, match="#r2 has no mask"):
        dataset.groups().open("g2")


# ------------------------------------------------------------------------ loaders


def own_epochs(loader: Loader, epochs: int = 2) -> dict[tuple[int, str], Any]:
    """The frames of each sample of each epoch."""
    found = {}
    for _ in range(epochs):
        for batch in loader:
            current = loader.current
            assert current is not None
            for id, frames, n in zip(current.ids, batch.data, batch.lengths.tolist(), strict=True):
                found[current.epoch, id] = frames[:n].clone()
    return found


WAYS: dict[str, dict[str, Any]] = {
    "one process": {},
    "processes": AHEAD,
    "threads": {**AHEAD, "workers": "threads"},
    "one pool": {"num_workers": 1, "persistent_workers": True},
    "another order": {"seed": 9},
    "collated": {"collate": partial(evstore.pad_collate, batch_first=True)},
    "spawned": {"num_workers": 1, "multiprocessing_context": "spawn", "persistent_workers": True},
}


@pytest.mark.parametrize("spec", [Frames(duration=10_000), Frames(count=300)])
def test_loaders_agree(made: Made, spec: Frames) -> None:
    dataset = Dataset(made.folder, frames=spec, noise=NOISE)
    wanted = {}
    for epoch in range(2):
        with reading_epoch(epoch):
            for k, id in enumerate(dataset.ids):
                wanted[epoch, id] = torch.from_numpy(dataset[k][0])
    assert any(not torch.equal(wanted[0, id], wanted[1, id]) for id in dataset.ids)
    for name, how in WAYS.items():
        if name == "spawned" and spec.count:
            continue
        found = own_epochs(Loader(dataset, 4, **how))
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[key], wanted[key]) for key in wanted), name


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_agree(made: Made, world: int) -> None:
    dataset = Dataset(made.folder, frames=Frames(bins=5), noise=NOISE)
    wanted = own_epochs(Loader(dataset, 4))
    found = {}
    for rank in range(world):
        own = Loader(dataset, global_batch=4, rank=rank, world=world, num_workers=rank % 2)
        found |= own_epochs(own)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_resumed(made: Made) -> None:
    dataset = Dataset(made.folder, frames=Frames(bins=5), noise=NOISE)
    whole = Loader(dataset, 3, seed=2)
    wanted = [list(whole) for _ in range(2)]
    begun = Loader(dataset, 3, seed=2, num_workers=1)
    list(begun)
    next(iter(begun))
    state = begun.state_dict()
    again = Loader(pickle.loads(pickle.dumps(dataset)), 3, seed=2)
    again.load_state_dict(state)
    for batch, one in zip(again, wanted[1][1:], strict=True):
        equal(batch, one)


def test_sources(made: Made) -> None:
    """A sensor's hot pixels stay, whatever the sample; what they fire does not."""
    hot = HotPixels(count=4, low_hz=2000, high_hz=5000, seed=3)
    noise = Compose(BackgroundActivity(rate_hz=5), hot, seed=4)
    dataset = Dataset(made.folder, output="events", noise=noise, windows=Windows(duration=50_000))
    plain = Dataset(made.folder, output="events", windows=dataset.windows)
    found: dict[tuple[int, str], Any] = {}
    for how in ({}, {"num_workers": 2, "seed": 3}, {"num_workers": 2, "workers": "threads"}):
        loader = Loader(dataset, 3, collate=list, **how)  # type: ignore[arg-type]
        for _ in range(2):
            for batch in loader:
                assert loader.current is not None
                for number, (events, _) in zip(loader.current.numbers, batch, strict=True):
                    same = found.setdefault((loader.current.epoch, str(number)), events)
                    assert events == same
    assert len(found) == 2 * len(dataset)
    added = {}
    for (epoch, number), events in found.items():
        own = plain[int(number)][0]
        counts = [np.zeros(34 * 30, int) for _ in range(2)]
        for count, some in zip(counts, (events, own), strict=True):
            np.add.at(count, some.y.astype(int) * 34 + some.x, 1)
        added[epoch, number] = counts[0] - counts[1]
        assert added[epoch, number].min() >= 0
    total = np.sum(list(added.values()), axis=0)
    assert sorted(np.argsort(total)[-4:]) == sorted(np.flatnonzero(total > 1000))
    assert any((added[0, k] != added[1, k]).any() for _, k in found)


def test_seeds_differ(made: Made) -> None:
    one, other = (
        Dataset(made.folder, output="events", noise=Ticking(seed=seed)) for seed in (1, 2)
    )
    assert one[0][0] == one[0][0]
    assert one[0][0] != other[0][0]


@dataclass(frozen=True)
class TellingEpoch:
    """A transform that has nothing to do with evstore's."""

    def __call__(self, data: Any) -> Any:
        return np.full((1, 1), epoch_now(), np.int16)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "spawned"])
def test_transforms_see_the_epoch(made: Made, way: str) -> None:
    loader = Loader(Dataset(made.folder, transform=TellingEpoch()), 4, **WAYS[way])
    for epoch in range(3):
        for batch in loader:
            assert batch.data.tolist() == [[[epoch]]] * 4
    assert epoch_now() == 0


def test_torchs_own_loader(made: Made) -> None:
    """Samples of the epoch that the dataset was set to; a Loader knows better."""
    dataset = Dataset(made.folder, frames=Frames(bins=5), noise=NOISE)
    for epoch in (0, 2):
        dataset.set_epoch(epoch)
        for workers in (0, 1):
            loader = torch.utils.data.DataLoader(dataset, 4, num_workers=workers)
            found = torch.cat([frames for frames, _ in loader])
            with reading_epoch(epoch):
                wanted = [dataset[k][0] for k in range(len(dataset))]
            assert (found.numpy() == np.stack(wanted)).all()
    transformed = Dataset(made.folder, transform=TellingEpoch())
    transformed.set_epoch(5)
    assert transformed[0][0].item() == 5
    assert pickle.loads(pickle.dumps(transformed)).select([1])[0][0].item() == 5
    for batch in Loader(transformed, 4):
        assert not batch.data.any()
    with pytest.raises(ArgumentError, match="at least 0, got -1"):
        dataset.set_epoch(-1)


def test_tonic_compose(made: Made) -> None:
    transforms = pytest.importorskip("tonic.transforms")
    to_frame = transforms.ToFrame(sensor_size=(*RESOLUTION, 2), n_time_bins=4)
    own = Ticking(seed=7, resolution=(*RESOLUTION, 2))
    dataset = Dataset(made.folder, transform=transforms.Compose([own, to_frame]))
    plain = Dataset(made.folder)
    frames = {}
    for epoch in range(2):
        with reading_epoch(epoch):
            frames[epoch] = dataset[0][0]
            assert (frames[epoch] == to_frame(own(plain[0][0]))).all()
        assert frames[epoch].sum() >= 690
    assert (frames[0] != frames[1]).any()


def test_tonics_datasets(made: Made, tmp_path: Path) -> None:
    """One that keeps what it has made keeps its noise; one of slices has some in each slice."""
    tonic = pytest.importorskip("tonic")
    from tonic.slicers import SliceByTime

    own = Ticking(seed=7, resolution=(*RESOLUTION, 2))
    plain = Dataset(made.folder)
    noisy = Dataset(made.folder, noise=NOISE)
    kept = tonic.DiskCachedDataset(noisy, cache_path=str(tmp_path / "kept"))
    for _ in range(2):
        assert (kept[1][0] == noisy[1][0]).all()
    slicer = SliceByTime(time_window=20_000)
    sliced = tonic.SlicedDataset(
        plain, slicer=slicer, transform=own, metadata_path=str(tmp_path / "slices")
    )
    assert (sliced[1][0] == own(slicer.slice(plain[0][0], None)[0][1])).all()


# ------------------------------------------------------------------------ memory


@pytest.mark.parametrize(
    "windows", [None, Windows(duration=10_000), Windows(count=100), Windows(labels=True)]
)
@pytest.mark.parametrize("how", [{}, {"frames": Frames(count=50)}, {"frames": Frames(bins=3)}])
def test_sizes_count_the_noise(
    tmp_path: Path, windows: Windows | None, how: dict[str, Any]
) -> None:
    folder = make_dataset(tmp_path, recordings=4, count=600, intervals=True).folder
    dataset = Dataset(folder, windows=windows, noise=Compose(NOISE, Ticking(seed=2)), **how)
    sizes = dataset.sample_bytes
    for k in range(len(dataset)):
        assert dataset[k][0].nbytes <= sizes[k]
    plain = Dataset(folder, windows=windows, **how).sample_bytes
    assert (sizes >= plain).all()
    assert (sizes > plain).any() == (how.get("frames") != Frames(bins=3))
