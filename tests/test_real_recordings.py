"""Real recordings have the digests of independent decoders, before and after a conversion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from evstore.conversion import Job, Options, convert_one
from test_formats_real import FORMATS

SAMPLED = 40  # of nmnist_small


def expected(data_dir: Path) -> dict[str, Any]:
    listed: dict[str, Any] = json.loads((data_dir / "EXPECTED.json").read_text(encoding="utf-8"))
    return {name: entry for name, entry in listed.items() if entry["format"] in FORMATS}


def said(kind: str) -> dict[str, Any]:
    input_format, options = FORMATS[kind]
    return {"input_format": input_format, **options}


@pytest.mark.parametrize("kind", FORMATS)
def test_digests_before_and_after(kind: str, data_dir: Path, tmp_path: Path, preset: str) -> None:
    chosen = {n: e for n, e in expected(data_dir).items() if e["format"] == kind}
    assert chosen, f"EXPECTED.json lists no file of format {kind!r}"
    for name, entry in chosen.items():
        target = tmp_path / f"{Path(name).name}.evs"
        job = Job(str(data_dir / name), str(target))
        receipt = convert_one(job, Options(**said(kind), verify=True, preset=preset))
        assert receipt.verified, name
        with evstore.open(data_dir / name, **said(kind)) as before, evstore.open(target) as after:
            found = [evstore.digest(before), evstore.digest(after)]
            assert found[0] == found[1], name
            assert found[1] == {k: entry[k] for k in found[1]} | {
                # The events of a file that does not say its size may not reach its edges.
                k: found[1][k]
                for k in ("width", "height")
                if after.geometry_inferred
            }, name
            if not after.geometry_inferred:
                assert before.resolution == (entry["width"], entry["height"])
            source = after.metadata["source"]
            assert (source["name"], source["size"]) == (Path(name).name, entry["bytes"])
            # Where to find the hash of the source is told by `info`.
            assert after.metadata["source_sha256"] == entry["file_sha256"], name
            assert receipt.dropped == before.dropped == after.dropped
        target.unlink()


@pytest.mark.parametrize("name", ["prophesee/gen41_hd_burst_evt3.raw", "atis/nmnist_sample.bin"])
@pytest.mark.parametrize("suffix", [".raw", ".csv", ".npz"])
def test_digests_through_other_formats(
    name: str, suffix: str, data_dir: Path, tmp_path: Path
) -> None:
    entry = expected(data_dir)[name]
    shard, other = tmp_path / "a.evs", tmp_path / f"a{suffix}"
    convert_one(Job(str(data_dir / name), str(shard)), Options())
    receipt = convert_one(Job(str(shard), str(other)), Options(verify=True))
    assert receipt.digest == entry["sha256"]
    with evstore.open(other) as rec:
        assert evstore.digest(rec)["sha256"] == entry["sha256"]


def test_windows_of_a_real_recording(
    data_dir: Path, tmp_path: Path, preset: str, seed: int
) -> None:
    """Time steps back here: windows and regions against a mask over the whole."""
    name, target = "prophesee/gen41_hd_burst_evt3.raw", tmp_path / "a.evs"
    convert_one(Job(str(data_dir / name), str(target)), Options(preset=preset))
    random = np.random.default_rng(seed)
    with evstore.open(target) as rec:
        events = rec[:]
        for _ in range(50):
            start = int(random.integers(rec.t_start - 100, rec.t_stop + 100))
            stop = start + int(random.integers(0, 3000))
            x0, y0 = int(random.integers(0, 1200)), int(random.integers(0, 700))
            keep = (events.t >= start) & (events.t < stop)
            assert rec.between(start, stop) == events[keep]
            keep &= (events.x >= x0) & (events.x < x0 + 200) & (events.y >= y0) & (events.p == 1)
            roi = (x0, y0, x0 + 200, 720)
            assert rec.between(start, stop, roi=roi, polarity=1) == events[keep]


def test_nmnist(data_dir: Path, tmp_path: Path, preset: str, seed: int) -> None:
    folder = data_dir / "nmnist_small"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    files = sorted(folder.glob("*/*/*.bin"))
    for k in np.random.default_rng(seed).choice(len(files), min(SAMPLED, len(files)), False):
        path, target = files[int(k)], tmp_path / f"{k}.evs"
        receipt = convert_one(Job(str(path), str(target)), Options(verify=True, preset=preset))
        assert receipt.lossless, path
        # Five bytes an event, big end first: x, y, then polarity and 23 bits of time.
        raw = np.fromfile(path, np.uint8).reshape(-1, 5).astype(np.int64)
        t = (raw[:, 2] & 0x7F) << 16 | raw[:, 3] << 8 | raw[:, 4]
        with evstore.open(target) as rec:
            overflow = (raw[:, 1] == 240).any()
            assert not overflow
            assert rec[:] == evstore.Events(t, raw[:, 0], raw[:, 1], raw[:, 2] >> 7)
