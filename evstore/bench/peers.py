"""Other people's packages, where they are installed. Each is used as its documentation shows."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import Contender, OfColumns
from evstore.bench.own import write_evt3
from evstore.events import COLUMNS, Events

#: expelliarmus works on aligned records of these fields.
WIZARD_DTYPE = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")], align=True)
LEAST, MOST_T, MOST_XY = 0, (1 << 34) - 1, 2047


class Pcodec(OfColumns):
    """pcodec level 8 on each column; it wants p in 16 bits."""

    name = "pcodec 8 on columns"
    package = "pcodec"
    has_reuse = True

    def write(self, events: Events) -> None:
        from pcodec import ChunkConfig, standalone

        config = ChunkConfig(compression_level=8)
        for name in COLUMNS:
            column = np.ascontiguousarray(getattr(events, name))
            if name == "p":
                column = column.astype(np.uint16)
            with open(f"{self.path}.{name}.pco", "wb") as file:
                file.write(standalone.simple_compress(column, config))

    def open(self) -> None:
        self._buffers = self.read()

    def read(self) -> list[NDArray[Any]]:
        from pcodec import standalone

        return [standalone.simple_decompress(self._bytes(name)) for name in COLUMNS]

    def reuse(self) -> list[NDArray[Any]]:
        from pcodec import standalone

        for name, buffer in zip(COLUMNS, self._buffers, strict=True):
            standalone.simple_decompress_into(self._bytes(name), buffer)
        return self._buffers

    def _bytes(self, name: str) -> bytes:
        with open(f"{self.path}.{name}.pco", "rb") as file:
            return file.read()


class ExpelliarmusEvt2(Contender):
    """EVT2 by expelliarmus. (Its EVT3 has wrong times and is not tried.)"""

    name = "expelliarmus, EVT2"
    package = "expelliarmus"
    encoding, suffix = "evt2", ".raw"

    def write(self, events: Events) -> None:
        low, high = int(events.t.min()), int(events.t.max())
        widest = max(int(events.x.max()), int(events.y.max()))
        if low < LEAST or high > MOST_T or widest > MOST_XY:
            raise ValueError(f"{self.encoding} holds t < 2^34 us and x, y < 2048 only")
        self._wizard().save(fpath=self.path + self.suffix, arr=events.to_structured(WIZARD_DTYPE))

    def read(self) -> NDArray[Any]:
        found: NDArray[Any] = self._wizard().read(self.path + self.suffix)
        return found

    def events_of(self, found: NDArray[Any]) -> Events:
        return Events.from_structured(found)

    def _wizard(self) -> Any:
        from expelliarmus import Wizard

        return Wizard(encoding=self.encoding)


class ExpelliarmusDat(ExpelliarmusEvt2):
    """DAT by expelliarmus."""

    name = "expelliarmus, DAT"
    encoding, suffix = "dat", ".dat"


class Evt3Package(Contender):
    """The `evt3` package reads what evstore writes as EVT3."""

    name = "evt3 package, EVT3"
    package = "evt3"

    def write(self, events: Events) -> None:
        with open(self.path + ".raw", "wb") as stream:
            write_evt3(events, stream)

    def read(self) -> Any:
        import evt3

        return evt3.decode_file(self.path + ".raw")

    def events_of(self, found: Any) -> Events:
        return Events(found.timestamp, found.x, found.y, found.polarity)


class Hdf5(OfColumns):
    """HDF5 columns in chunks, gzip 4 and shuffle."""

    name = "h5py, gzip and shuffle"
    package = "h5py"
    chunk = 65_536

    def write(self, events: Events) -> None:
        import h5py

        with h5py.File(self.path + ".h5", "w") as file:
            for name in COLUMNS:
                column = getattr(events, name)
                file.create_dataset(
                    name,
                    data=column,
                    chunks=(min(self.chunk, len(column)),),
                    compression="gzip",
                    compression_opts=4,
                    shuffle=True,
                )

    def read(self) -> list[NDArray[Any]]:
        import h5py

        with h5py.File(self.path + ".h5", "r") as file:
            return [file[name][:] for name in COLUMNS]
