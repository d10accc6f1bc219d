"""evstore noise mask: of shards of many, of folders and datasets, into what, said once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import evstore
from command_line import RESOLUTION, run, write_raw
from evstore.noise import BackgroundActivity, Compose, HotPixels

HOT = (4, 6, 2)


def noisy(number: int, seconds: int = 2) -> evstore.Events:
    """Noise alone, with so many hot pixels, others for each number."""
    sensor = Compose(
        HotPixels(count=HOT[number], low_hz=150, high_hz=400),
        BackgroundActivity(rate_hz=6),
        seed=number,
    )
    made = sensor(evstore.Events.empty(RESOLUTION), start=0, stop=seconds * 1_000_000)
    assert isinstance(made, evstore.Events)
    return made


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Recordings of different sensors, and one of nothing."""
    path = tmp_path / "many.evs"
    with evstore.create(path) as out:
        for number in range(3):
            with out.recording(f"r{number}", resolution=RESOLUTION, label=number) as recording:
                recording.write(noisy(number))
        with out.recording("nothing"):
            pass
    return path


def test_each_recording_gets_its_own(many: Path, tmp_path: Path) -> None:
    target = tmp_path / "masked.evs"
    ran = run("noise", "mask", many, target, "--verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("12 hot pixels found in 4 recordings\n")
    for number in range(3):
        one = tmp_path / f"{number}.evs"
        assert run("noise", "mask", f"{many}#r{number}", one).code == 0
        with evstore.open(f"{target}#r{number}") as found, evstore.open(one) as alone:
            assert found.metadata["hot_pixels"] == alone.metadata["hot_pixels"]
            assert len(found.metadata["hot_pixels"]["pixels"]) == HOT[number]
            assert (found.label, len(found)) == (number, len(alone))
    with evstore.open(f"{target}#nothing", hot_pixels="drop") as nothing:
        assert nothing.metadata["hot_pixels"]["pixels"] == []
        assert len(nothing[:]) == 0


def test_dropped_is_what_reading_drops(many: Path, tmp_path: Path) -> None:
    target, left = tmp_path / "masked.evs", tmp_path / "left.evs"
    assert run("noise", "mask", many, target).code == 0
    assert run("noise", "mask", many, left, "--drop").code == 0
    for number in range(3):
        name = f"{target}#r{number}"
        with (
            evstore.open(name, hot_pixels="drop") as wanted,
            evstore.open(f"{left}#r{number}") as found,
        ):
            assert found[:] == wanted[:]
    assert "hot-pixel-mask" in run("info", f"{left}#r0").out


def test_learned_from_another(many: Path, tmp_path: Path) -> None:
    target = tmp_path / "masked.evs"
    asked = ("noise", "mask", many, target, "--of", f"{many}#r1")
    assert "18 hot pixels found in 4 recordings" in run(*asked).out
    with evstore.open(f"{target}#r0") as found:
        assert found.metadata["hot_pixels"]["learned_from"] == "many.evs#r1"
    assert "done already" in run(*asked, "--resume").out
    other = run("noise", "mask", many, target, "--of", f"{many}#r2", "--resume")
    assert "with other steps" in other.error


def test_folders(tmp_path: Path) -> None:
    for number in range(2):
        write_raw(tmp_path / "in" / "deep" / f"{number}.raw", noisy(number))
    ran = run("noise", "mask", tmp_path / "in", tmp_path / "out", "--json")
    assert ran.code == 0
    assert [one["hot_pixels"] for one in ran.json["receipts"]] == [4, 6]
    with evstore.open(tmp_path / "out" / "deep" / "1.evs", hot_pixels="drop") as found:
        assert len(found[:]) < len(found)


def test_datasets(tmp_path: Path) -> None:
    for number, place in enumerate(("train/x/0.raw", "train/y/1.raw", "test/x/2.raw")):
        write_raw(tmp_path / "tree" / place, noisy(number, 1))
    packed, masked = tmp_path / "packed", tmp_path / "masked"
    assert run("pack", tmp_path / "tree", packed).code == 0
    with pytest.raises(evstore.errors.ArgumentError, match="of each recording of a shard or fold"):
        evstore.Dataset(packed, "train", hot_pixels="drop")[0]
    assert run("noise", "mask", packed, masked).code == 0
    assert run("dataset", "index", masked).code == 0
    data = evstore.Dataset(masked, "train", hot_pixels="drop")
    assert [data[k][1] for k in range(len(data))] == [0, 1]


def test_the_mask_is_said_once(many: Path, tmp_path: Path) -> None:
    for flags in ((), ("--drop",)):
        target = tmp_path / f"masked{len(flags)}.evs"
        assert run("noise", "mask", many, target, *flags).code == 0
        with evstore.open(f"{target}#r1") as found:
            pixel = json.dumps(found.metadata["hot_pixels"]["pixels"][0])
            assert json.dumps(found.metadata).count(pixel) == 1
            asked = found.metadata["asked"]["hot_pixels"]
            assert asked == {"min_rate_hz": 50.0, "drop": bool(flags)}


@pytest.mark.parametrize("suffix", [".csv", ".raw", ".npz"])
def test_other_formats_have_no_place_for_it(many: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    ran = run("noise", "mask", f"{many}#r0", target)
    assert ran.code == 2
    assert "no place for a mask of hot pixels: write a shard (.evs), or " in ran.error
    assert not target.exists()
    ran = run("noise", "mask", f"{many}#r0", target, "--drop")
    assert ran.code == 0
    assert "not kept: 1 label, 1 record_of_noise_steps" in ran.out
    hot = np.zeros(RESOLUTION, np.bool_)
    assert run("noise", "mask", f"{many}#r0", tmp_path / "m.evs").code == 0
    with evstore.open(tmp_path / "m.evs") as masked:
        hot[tuple(np.array(masked.metadata["hot_pixels"]["pixels"]).T)] = True
        events = masked[:]
    with evstore.open(target, resolution=None if suffix == ".raw" else RESOLUTION) as found:
        assert len(found) == np.count_nonzero(~hot[events.x, events.y])


def test_what_was_done_is_not_kept_elsewhere(many: Path, tmp_path: Path) -> None:
    for verb, step in (("add", "leak"), ("filter", "refractory:period_us=9")):
        ran = run("noise", verb, f"{many}#r0", tmp_path / f"{verb}.csv", step)
        assert "not kept: 1 label, 1 record_of_noise_steps" in ran.out
        ran = run("noise", verb, f"{many}#r0", tmp_path / f"{verb}.evs", step)
        assert "not kept" not in ran.out


def test_pipes_are_read_once() -> None:
    ran = run("noise", "mask", "-", "out.evs")
    assert ran.code == 2
    assert "is read twice for its hot pixels" in ran.error
    assert not Path("out.evs").exists()


def test_the_source_is_kept(many: Path, tmp_path: Path) -> None:
    from evstore.conversion.masking import HotPixelRule

    with pytest.raises(evstore.errors.ArgumentError, match="not deleted where its events are cha"):
        evstore.convert(many, tmp_path / "o.evs", verify=True, delete_source=True,
                        hot_pixel_rule=HotPixelRule(drop=True))  # fmt: skip


def test_a_header_that_names_what_is_ours(tmp_path: Path) -> None:
    """What a file says stands apart, and what was done under its own name."""
    source = write_raw(tmp_path / "a.raw", noisy(0))
    content = source.read_bytes()
    source.write_bytes(content.replace(b"% end", b"% noise low\n% hot_pixels none\n% end", 1))
    masked, added = tmp_path / "m.evs", tmp_path / "n.evs"
    assert run("noise", "mask", source, masked).code == 0
    with evstore.open(masked, hot_pixels="drop") as found:
        assert found.metadata["header_hot_pixels"] == "none"
        assert "pixels" in found.metadata["hot_pixels"]
    assert run("noise", "add", source, added, "leak").code == 0
    with evstore.open(added) as found:
        assert found.metadata["header_noise"] == "low"
        assert [one["steps"] for one in found.metadata["noise"]] == [[{"step": "leak"}]]
    assert run("noise", "mask", source, masked, "--drop", "--overwrite").code == 0
    with evstore.open(masked) as found:
        assert found.metadata["header_noise"] == "low"


def test_an_empty_recording_of_no_resolution_stays(many: Path, tmp_path: Path) -> None:
    target = tmp_path / "n.evs"
    assert run("noise", "add", many, target, "leak").code == 0
    with evstore.open(target, recording="nothing") as found:
        assert len(found) == 0
    ran = run("noise", "add", many, target, "leak", "--times", "0s,3s", "--overwrite")
    assert ran.code != 0
    assert "no events that tell its sensor" in ran.error
