"""From a shard to every format that is written, and back: the same events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import evstore
from evstore.conversion import convert_one
from evstore.conversion.job import Job, Options
from evstore.conversion.plan import SUFFIXES, output_format
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.formats import registry
from evstore.selection import Selection

NEEDS = {"hdf5": "hdf5plugin", "prophesee_hdf5": "h5py", "parquet": "pyarrow", "arrow": "pyarrow"}
WRITTEN = [name for name in SUFFIXES if name != "evs"]
TABLES = {"npz", "csv", "parquet", "arrow"}  # hold rows as they are, whatever the origin


def small(count: int = 5000, seed: int = 9) -> Events:
    """What every format can hold: few pixels, times that do not step back, below 2**23."""
    random = np.random.default_rng(seed)
    t = 100 + np.cumsum(random.integers(0, 9, count))
    x, y = random.integers(0, 34, count), random.integers(0, 30, count)
    return Events(t, x, y, random.integers(0, 2, count), (34, 30))


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    events = small()
    evstore.save(tmp_path / "a.evs", events)
    return tmp_path / "a.evs"


def test_what_is_written_has_a_writer_and_a_suffix() -> None:
    writers = {module.NAME for module in registry.all_formats() if module.WRITES}
    assert writers == set(WRITTEN)
    for name, suffix in SUFFIXES.items():
        assert suffix in registry.by_name(name).SUFFIXES
    assert output_format("a.raw", Options()) == "evt3"
    assert output_format("a.HDF5", Options()) == "prophesee_hdf5"
    assert output_format("a", Options()) == output_format("of.2026", Options()) == "evs"
    for target in ("a.mat", "a.MCAP", "a.npy", "a.txt"):
        with pytest.raises(ArgumentError, match="unless you say what it is to be"):
            output_format(target, Options())
    assert output_format("a.txt", Options(output_format="csv")) == "csv"


@pytest.mark.parametrize("name", WRITTEN)
def test_there_and_back(shard: Path, tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target = tmp_path / f"b{SUFFIXES[name]}"
    options = Options(output_format=name, verify=True)
    receipt = convert_one(Job(str(shard), str(target)), options)
    assert receipt.verified
    assert receipt.dropped == {}
    said = {"input_format": name}
    with evstore.open(target, **said) as rec:  # type: ignore[arg-type]
        found = rec[:]
        if name == "es":  # whose rows count from the bottom
            found.y[:] = 29 - found.y
        assert found == small()
    second = tmp_path / "c.evs"
    convert_one(Job(str(target), str(second)), Options(input_format=name, verify=True))
    again = tmp_path / f"d{SUFFIXES[name]}"
    restored = convert_one(Job(str(second), str(again)), Options(output_format=name))
    assert restored.restored in ("byte for byte", "event for event")
    assert (restored.restored == "byte for byte") == (again.read_bytes() == target.read_bytes())


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_from_the_bottom(tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    events = small()
    with evstore.create(
        tmp_path / "a.evs", resolution=(34, 30), metadata={"origin": "bottom-left"}
    ) as out:
        out.write(events)
    target = tmp_path / f"b{SUFFIXES[name]}"
    job = Job(str(tmp_path / "a.evs"), str(target))
    convert_one(job, Options(output_format=name, verify=True))
    with evstore.open(target, input_format=name) as rec:
        if name not in TABLES and name not in ("es", "bin40"):
            events.y[:] = 29 - events.y
        assert rec[:] == events


@pytest.mark.parametrize("name", ["evt2", "evt3", "dat", "bin40", "es"])
def test_rebase(tmp_path: Path, name: str) -> None:
    events = small()
    events.t += 1 << 45
    evstore.save(tmp_path / "a.evs", events)
    job = Job(str(tmp_path / "a.evs"), str(tmp_path / f"b{SUFFIXES[name]}"))
    convert_one(job, Options(output_format=name, rebase=True, verify=True))
    with evstore.open(job.target, input_format=name) as rec:
        found = rec[:]
        assert np.array_equal(found.t, events.t - events.t[0])


def test_rebase_is_refused_where_any_time_fits(shard: Path, tmp_path: Path) -> None:
    job = Job(str(shard), str(tmp_path / "b.npz"))
    with pytest.raises(ArgumentError, match="holds any time as it is"):
        convert_one(job, Options(rebase=True))


def test_a_selection_is_no_restored_original(shard: Path, tmp_path: Path) -> None:
    convert_one(Job(str(shard), str(tmp_path / "b.raw")), Options())
    convert_one(Job(str(tmp_path / "b.raw"), str(tmp_path / "c.evs")), Options())
    chosen = Options(selection=Selection(start=5000))
    job = Job(str(tmp_path / "c.evs"), str(tmp_path / "d.raw"))
    assert convert_one(job, chosen).restored is None
