"""Recordings to measure on: real ones tiled with shifting time, or simulated ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import evstore
from bench.bars import Settings
from evstore import Events
from evstore.bench.handed import tile

ROOT = Path(__file__).resolve().parent.parent

#: Files of the folder of real recordings; evk4_hd.dat is left out, being evk4_hd_evt3.raw again.
FILES = {
    "evk4_hd": "prophesee/evk4_hd_evt3.raw",
    "gen3_vga_a": "prophesee/gen3_vga_a_evt2.raw",
    "gen3_vga_b": "prophesee/gen3_vga_b_evt2.raw",
    "gen41_hd_burst": "prophesee/gen41_hd_burst_evt3.raw",
    "ncars_obj_004418": "prophesee/ncars_obj_004418.dat",
    "ncars_type0": "prophesee/ncars_type0.dat",
    "poker_di_17": "prophesee/poker_di_17_headerless_v1.dat",
    "rpg_boxes_rotation": "text/rpg_boxes_rotation.txt",
    "rpg_shapes_rotation": "text/rpg_shapes_rotation.txt",
}
INPUT_FORMATS = {"poker_di_17": "dat-v1"}
DENSE = ("gen3_vga_a", "gen3_vga_b", "gen41_hd_burst")
#: Stand-ins where the folder is absent: name, resolution and rate; bars on them are no bars met.
SIMULATED = {"sim_vga": ((640, 480), 10e6), "sim_hd": ((1280, 720), 25e6)}
ALIGNED = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1"), ("padding", "u1", (3,))])
WRITE_AT_ONCE = 1 << 20


def data_folder() -> Path | None:
    """The folder of real recordings, None where there is none."""
    folder = Path(os.environ.get("EVSTORE_TEST_DATA") or ROOT.parent / "shared" / "data")
    return folder if (folder / "EXPECTED.json").is_file() else None


@dataclass(frozen=True)
class Recording:
    """A recording of many events, and files of it that are made when they are asked for."""

    name: str
    source: Path | None  # None where it is simulated
    settings: Settings

    @cached_property
    def once(self) -> Events:
        """The recording as it was made, not tiled."""
        if self.source is None:
            resolution, rate = SIMULATED[self.name]
            return Events.concatenate(
                evstore.simulate(resolution, 100_000, events_per_s=rate, seed=1)
            )
        with evstore.open(self.source, input_format=INPUT_FORMATS.get(self.name)) as rec:
            batches = list(rec.batches())
            return replace_resolution(Events.concatenate(batches), rec.resolution)

    @cached_property
    def events(self) -> Events:
        """The tiled recording; `forget` lets go of it."""
        return tile(self.once, self.settings.events)

    def forget(self) -> None:
        """Let go of the arrays. Files stay: see `recordings`."""
        self.__dict__.pop("events", None)
        self.__dict__.pop("once", None)

    def shard(self, preset: str = "fast") -> Path:
        """A shard of it, written anew once a process: the code may have changed."""
        path = self._path(f"{preset}.evs")
        if path not in _FRESH:
            evstore.save(path, self.events, preset=preset, overwrite=True)
            _FRESH.add(path)
        return path

    def packed(self) -> Path:
        """Its events as records of 13 bytes."""
        return self._made("rec", lambda path: write_packed(path, self.events))

    def aligned(self) -> Path:
        """A structured .npy of 16 bytes an event: numpy searches its times where they lie."""

        def write(path: Path) -> None:
            array = np.zeros(len(self.events), ALIGNED)
            for name in "txyp":
                array[name] = getattr(self.events, name)
            with open(path, "wb") as file:
                np.save(file, array)

        return self._made("aligned.npy", write)

    def columns(self) -> dict[str, Path]:
        """A .npy a column."""

        def write(path: Path, name: str) -> None:
            with open(path, "wb") as file:
                np.save(file, getattr(self.events, name))

        return {
            name: self._made(f"{name}.npy", lambda path, name=name: write(path, name))
            for name in "txyp"
        }

    def raw(self) -> Path:
        """Its EVT2 or EVT3 file, tiled word by word."""
        from bench.raw import tile_raw

        assert self.source is not None
        source = self.source
        return self._made("raw", lambda path: tile_raw(source, path, self.settings.events))

    def _path(self, suffix: str) -> Path:
        return self.settings.folder / f"{self.name}-{self.settings.events}.{suffix}"

    def _made(self, suffix: str, write) -> Path:  # type: ignore[no-untyped-def]
        path = self._path(suffix)
        if not path.is_file():
            part = path.with_name(path.name + ".part")
            write(part)
            part.replace(path)
        return path


_FRESH: set[Path] = set()


def recordings(
    settings: Settings, names: tuple[str, ...] = (), files: dict[str, str] = FILES
) -> Iterator[Recording]:
    """The recordings of these names, or all, one after the other; each is forgotten in between."""
    folder = data_folder()
    found: dict[str, Path | None] = dict.fromkeys(SIMULATED)
    if folder is not None:
        found = {name: folder / files[name] for name in names or files}
    for name, path in found.items():
        recording = Recording(name, path, settings)
        yield recording
        recording.forget()


def replace_resolution(events: Events, resolution: tuple[int, int] | None) -> Events:
    return Events.of(events.t, events.x, events.y, events.p, resolution)


def write_packed(path: Path, events: Events) -> None:
    """Records of 13 bytes, without padding."""
    with open(path, "wb") as file:
        for at in range(0, len(events), WRITE_AT_ONCE):
            events[at : at + WRITE_AT_ONCE].to_structured().tofile(file)
