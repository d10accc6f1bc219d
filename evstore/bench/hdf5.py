"""HDF5 through h5py: columns with several filters, DSEC's layout, Prophesee's, tonic's cache."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfColumns, OfRecords, variant
from evstore.events import COLUMNS, PACKED_DTYPE, Events

FAMILY = "HDF5"
CHUNK = 65_536  # events
ECF = 0x8ECF  # the filter's registered number
ECF_CHUNK = 16_384
ECF_DTYPE = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
ECF_STEP_US = 2_000
ECF_MOST_XY = 2_047


class Hdf5(OfColumns):
    """Four datasets with h5py's own filters."""

    name, family = "HDF5, plain", FAMILY
    packages = ("h5py",)
    filters: ClassVar[dict[str, Any]] = {}

    def write(self, taken: Events) -> None:
        import h5py

        chunks = {"chunks": (min(CHUNK, len(taken)),)} if self.filters else {}
        with h5py.File(self.path + ".h5", "w") as file:
            for name in COLUMNS:
                file.create_dataset(name, data=getattr(taken, name), **chunks, **self.filters)

    def read(self) -> list[NDArray[Any]]:
        import h5py

        with h5py.File(self.path + ".h5", "r") as file:
            return [file[name][:] for name in COLUMNS]


class Dsec(OfColumns):
    """As the DSEC data set: 32-bit times from ``t_offset``, blosc, and the first event of each
    millisecond in ``ms_to_idx``."""

    name, family = "HDF5 as DSEC, blosc zstd 5", FAMILY
    packages = ("h5py", "hdf5plugin")
    has_open = has_windows = True
    shuffle: ClassVar[str] = "SHUFFLE"

    def write(self, taken: Events) -> None:
        import h5py
        import hdf5plugin

        offset = int(taken.t.min())
        t = taken.t - offset
        if int(t.max()) >> 32:
            raise ValueError("times of 32 bits hold 71 minutes")
        shuffle = getattr(hdf5plugin.Blosc, self.shuffle)
        filters = dict(hdf5plugin.Blosc(cname="zstd", clevel=5, shuffle=shuffle))
        firsts = np.searchsorted(t, 1000 * np.arange(int(t.max()) // 1000 + 2, dtype=np.int64))
        data: dict[str, NDArray[Any]] = {f"events/{name}": getattr(taken, name) for name in "xyp"}
        data |= {"events/t": t.astype(np.uint32), "ms_to_idx": firsts.astype(np.uint64)}
        with h5py.File(self.path + ".h5", "w") as file:
            file["t_offset"] = offset
            for place, column in data.items():
                chunks = (min(CHUNK, len(column)),)
                file.create_dataset(place, data=column, chunks=chunks, **filters)

    def read(self) -> list[NDArray[Any]]:
        import h5py
        import hdf5plugin  # noqa: F401 - its filters are found once it is imported

        with h5py.File(self.path + ".h5", "r") as file:
            t, *rest = (file[f"events/{name}"][:] for name in COLUMNS)
            return [np.add(t, file["t_offset"][()], dtype=np.int64), *rest]

    def open(self) -> None:
        import h5py
        import hdf5plugin  # noqa: F401

        self._file = h5py.File(self.path + ".h5", "r")
        self._offset = int(self._file["t_offset"][()])
        self._firsts = self._file["ms_to_idx"][:]
        self._columns = [self._file[f"events/{name}"] for name in COLUMNS]

    def window(self, start: int, stop: int) -> list[NDArray[Any]]:
        start, stop, last = start - self._offset, stop - self._offset, len(self._firsts) - 1
        low = int(self._firsts[min(start // 1000, last)])
        high = int(self._firsts[min(-(-stop // 1000), last)])
        t = self._columns[0][low:high]
        first, end = np.searchsorted(t, (start, stop))
        piece = slice(low + int(first), low + int(end))
        rest = (column[piece] for column in self._columns[1:])
        return [np.add(t[first:end], self._offset, dtype=np.int64), *rest]

    def close(self) -> None:
        self._file.close()


class Ecf(OfRecords):
    """As Prophesee's HDF5 files: rows by the filter ECF, and a row of the index each 2 ms."""

    name, family = "HDF5, Prophesee ECF", FAMILY
    packages = ("h5py",)
    has_open = has_windows = True

    @classmethod
    def missing(cls) -> str | None:
        why = super().missing()
        if why is None:
            import h5py

            if not h5py.h5z.filter_avail(ECF):
                why = "build github.com/prophesee-ai/hdf5_ecf and set HDF5_PLUGIN_PATH"
        return why

    def take(self, events: Events) -> NDArray[Any]:
        if max(int(events.x.max()), int(events.y.max())) > ECF_MOST_XY:
            raise ValueError(f"ECF holds x and y up to {ECF_MOST_XY}")
        return events.to_structured(ECF_DTYPE)

    def write(self, taken: NDArray[Any]) -> None:
        import h5py

        t = taken["t"]
        steps = np.arange(int(t[0]) // ECF_STEP_US, int(t[-1]) // ECF_STEP_US + 2) * ECF_STEP_US
        index = np.empty(len(steps), [("id", "<u8"), ("ts", "<i8")])
        index["id"], index["ts"] = np.searchsorted(t, steps), steps
        chunks = (min(ECF_CHUNK, len(taken)),)
        with h5py.File(self.path + ".h5", "w") as file:
            file.create_dataset("CD/events", data=taken, chunks=chunks, compression=ECF)
            file["CD/indexes"] = index

    def read(self) -> Any:
        import h5py

        with h5py.File(self.path + ".h5", "r") as file:
            return file["CD/events"][:]

    def open(self) -> None:
        import h5py

        self._file = h5py.File(self.path + ".h5", "r")
        self._events, self._index = self._file["CD/events"], self._file["CD/indexes"][:]

    def window(self, start: int, stop: int) -> Any:
        ids, steps = self._index["id"], self._index["ts"]
        low = max(int(np.searchsorted(steps, start, "right")) - 1, 0)
        high = min(int(np.searchsorted(steps, stop)), len(ids) - 1)
        rows = self._events[int(ids[low]) : int(ids[high])]
        first, end = np.searchsorted(rows["t"], (start, stop))
        return rows[first:end].copy()

    def close(self) -> None:
        self._file.close()


class TonicCache(OfRecords):
    """What tonic's DiskCachedDataset writes for a sample: by tonic's own two functions."""

    name, family = "tonic disk cache", FAMILY
    packages = ("tonic",)

    def take(self, events: Events) -> NDArray[Any]:
        return events.to_structured(PACKED_DTYPE)

    def write(self, taken: NDArray[Any]) -> None:
        from tonic.cached_dataset import save_to_disk_cache

        save_to_disk_cache(taken, 0, self.path + ".hdf5")

    def read(self) -> Any:
        from tonic.cached_dataset import load_from_disk_cache

        return load_from_disk_cache(self.path + ".hdf5")[0]


CONTENDERS: tuple[type[Contender], ...] = (
    Hdf5,
    variant(Hdf5, "HDF5, lzf", filters={"compression": "lzf", "shuffle": True}),
    variant(
        Hdf5,
        "HDF5, gzip 4",
        filters={"compression": "gzip", "compression_opts": 4, "shuffle": True},
    ),
    Dsec,
    variant(Dsec, "HDF5 as DSEC, bitshuffle", shuffle="BITSHUFFLE"),
    Ecf,
    TonicCache,
)
