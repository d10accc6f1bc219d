"""From tonic to evstore: the same training data from the old lines and the new ones, compared.

    python examples/migrate_tonic.py DATA        with N-MNIST in DATA/NMNIST/{Train,Test}/0 .. 9

Needs tonic and torch beside evstore. On first use evstore packs the files into DATA/NMNIST-evs. A
dataset that evstore does not know is packed by ``evstore.pack(folder, target)``, or from any tonic
dataset object: ``evstore.pack(dataset, target, split="train")``.

tonic's transforms, its wrappers and torch's DataLoader work on evstore's datasets as they are, so
one import may be changed at a time. No cache is needed in front of them. What is not copied:

- ToFrame counts in int16, which wraps silently. Frames raise an error, or stay at the greatest
  number (``overflow="saturate"``), and other dtypes may be had.
- ToVoxelGrid of bool polarities, as DVSGesture has them, adds OFF events instead of subtracting.
- PadTensors makes float32 of what it pads, and does not say what is padding. `evstore.pad_collate`
  keeps the dtype, and gives lengths and a mask.
- An incomplete last frame is left out by both; with ``include_incomplete=True`` tonic may still
  lose the last event, with ``partial=True`` evstore keeps it.
- SlicedDataset reads every recording to learn where slices are: windows are planned from the index.
"""

from __future__ import annotations

import sys

import numpy as np

import evstore
from evstore.frames import to_frames, to_voxel_grid

WINDOW_US = 10_000


def old_dataset(data: str, **transform):
    import tonic

    class NMNIST(tonic.datasets.NMNIST):  # which looks in DATA/NMNIST
        def _check_exists(self) -> bool:
            return True  # tonic downloads where there are fewer files than it expects

    return NMNIST(save_to=data, train=False, **transform)


def new_dataset(data: str, **options) -> evstore.Dataset:
    from evstore.datasets import NMNIST

    return NMNIST(save_to=data, train=False, **options)


def old_batches(data: str):
    import tonic
    from torch.utils.data import DataLoader

    to_frame = tonic.transforms.ToFrame((34, 34, 2), time_window=WINDOW_US)
    dataset = old_dataset(data, transform=to_frame)
    return DataLoader(dataset, batch_size=16, collate_fn=tonic.collation.PadTensors())


def new_batches(data: str):
    # Frames are made straight from the shard. seed, ranks, resuming: see train_from_shards.py.
    dataset = new_dataset(data, frames=evstore.Frames(duration=WINDOW_US))
    return evstore.Loader(dataset, batch_size=16, shuffle=False)


def compare_samples(data: str) -> None:
    old, new = old_dataset(data), new_dataset(data)
    assert len(old) == len(new), (len(old), len(new))
    assert (old.sensor_size, old.ordering) == (new.sensor_size, new.ordering)
    for (before, label), (now, new_label) in zip(old, new, strict=True):
        assert before.dtype == now.dtype
        assert np.array_equal(before, now)
        assert label == new_label
    print(f"{len(new)} samples: events, dtype and labels are equal")


def compare_batches(data: str) -> None:
    old, new = old_batches(data), new_batches(data)
    for (before, labels), now in zip(old, new, strict=False):  # the Loader drops what is not full
        assert np.array_equal(before, now.data)
        assert np.array_equal(labels, now.targets)
        assert now.mask.sum() == now.lengths.sum()
    print(f"{len(new)} batches of frames are equal: {before.dtype} before, {now.data.dtype} now")


def show_quirks(data: str) -> None:
    from tonic import transforms

    dtype = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]
    busy = np.zeros(40_000, dtype)  # as many OFF events of one pixel
    busy["t"] = np.arange(len(busy))
    before = transforms.ToFrame((1, 1, 2), n_time_bins=1)(busy)
    now = to_frames(busy, bins=1, resolution=(1, 1), overflow="saturate")
    print(
        f"ToFrame of 40,000 OFF events of a pixel: {before.min()} before, {now.max()} at most now"
    )

    events = new_dataset(data, dtype="dvsgesture")[0][0]  # with bool polarities
    before = transforms.ToVoxelGrid((34, 34, 2), n_time_bins=4)(events.copy())
    now = to_voxel_grid(events, 4, resolution=(34, 34))
    print(f"ToVoxelGrid with bool polarities: least {before.min():.1f} before, {now.min():.1f} now")


def main(data: str) -> None:
    compare_samples(data)
    compare_batches(data)
    show_quirks(data)


if __name__ == "__main__":
    main(sys.argv[1])
