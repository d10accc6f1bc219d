"""evstore noise --resume: what is finished is kept, what was made otherwise is not replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

import evstore
from command_line import RESOLUTION, run, some_events, write_raw
from evstore.conversion import Job, Options, convert_one

EVENTS = some_events()
ADD = ("noise", "add")
KEPT = "with other steps, another seed or other flags, so that --resume leaves it as it is"


def many(path: Path, seed: int = 1) -> Path:
    """A shard of three recordings that no conversion made."""
    with evstore.create(path, overwrite=True) as out:
        for number in range(3):
            with out.recording(f"r{number}", resolution=RESOLUTION) as recording:
                recording.write(some_events(500, seed + number))
    return path


def converted(path: Path, seed: int = 1) -> Path:
    """A shard that says of which file it was made."""
    raw = write_raw(path.with_suffix(".raw"), some_events(seed=seed))
    path.unlink(missing_ok=True)
    assert run("convert", raw, path).code == 0
    return path


@pytest.mark.parametrize("make", [converted, many])
@pytest.mark.parametrize(
    "verb", [("add", "background:rate_hz=5"), ("filter", "refractory:period_us=9"), ("mask",)]
)
def test_shards_are_done_already(tmp_path: Path, make, verb: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    source, target = make(tmp_path / "a.evs"), tmp_path / "z.evs"
    asked = ("noise", verb[0], source, target, *verb[1:])
    assert run(*asked).code == 0
    before = target.stat()
    again = run(*asked, "--resume", "--verify")
    assert (again.code, again.err) == (0, "")
    assert "done already" in again.out
    assert target.stat().st_mtime_ns == before.st_mtime_ns
    make(source, seed=7)  # another recording of that name: what was made of it is due again
    assert "done already" not in run(*asked, "--resume").out
    assert "done already" in run(*asked, "--resume").out


def test_a_folder_of_shards_is_completed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for seed, name in enumerate("abc"):
        converted(tmp_path / "in" / f"{name}.evs", seed).with_suffix(".raw").unlink()
    asked = (*ADD, tmp_path / "in", tmp_path / "out", "leak:rate_hz=50")
    assert run(*asked).code == 0
    wanted = (tmp_path / "out" / "b.evs").read_bytes()
    (tmp_path / "out" / "b.evs").unlink()
    ran = run(*asked, "--resume", "--json")
    assert ran.code == 0
    assert [one["status"] for one in ran.json["receipts"]] == ["skipped", "done", "skipped"]
    with (
        evstore.open(tmp_path / "out" / "b.evs") as found,
        evstore.open(_saved(tmp_path / "w.evs", wanted)) as before,
    ):
        assert found[:] == before[:]


def _saved(path: Path, octets: bytes) -> Path:
    path.write_bytes(octets)
    return path


def test_one_recording_of_many(tmp_path: Path) -> None:
    source, target = many(tmp_path / "many.evs"), tmp_path / "z.evs"
    assert run(*ADD, f"{source}#r1", target, "leak").code == 0
    assert "done already" in run(*ADD, f"{source}#r1", target, "leak", "--resume").out
    assert "exists already" in run(*ADD, f"{source}#r2", target, "leak", "--resume").error
    plain = tmp_path / "plain.evs"
    assert run("convert", f"{source}#r1", plain).code == 0
    assert "done already" in run("convert", f"{source}#r1", plain, "--resume").out


@pytest.mark.parametrize("shard", [True, False])
@pytest.mark.parametrize(
    "other",
    [["event-drop:fraction=0.5"], ["event-drop", "--seed", "5"], ["event-drop", "--end", "9ms"]],
)
def test_results_of_other_steps_are_not_replaced(
    tmp_path: Path, shard: bool, other: list[str]
) -> None:
    source = converted(tmp_path / "a.evs") if shard else write_raw(tmp_path / "a.raw", EVENTS)
    target = tmp_path / "z.evs"
    assert run(*ADD, source, target, "event-drop").code == 0
    before = target.read_bytes()
    ran = run(*ADD, source, target, *other, "--resume")
    assert ran.code == 2
    assert KEPT in ran.error
    assert "--overwrite replaces it" in ran.error
    assert target.read_bytes() == before
    assert run(*ADD, source, target, *other, "--overwrite").code == 0
    assert target.read_bytes() != before


def test_plain_conversions_do_not_replace_noise(tmp_path: Path) -> None:
    raw, target = write_raw(tmp_path / "a.raw", EVENTS), tmp_path / "z.evs"
    assert run(*ADD, raw, target, "event-drop").code == 0
    assert KEPT in run("convert", raw, target, "--resume").error
    assert run("convert", raw, target, "--overwrite").code == 0
    assert KEPT in run(*ADD, raw, target, "event-drop", "--resume").error


def test_a_plain_copy_in_another_format_is_not_noise(tmp_path: Path) -> None:
    raw, target = write_raw(tmp_path / "a.raw", EVENTS), tmp_path / "z.csv"
    assert run("convert", raw, target).code == 0
    assert "exists already" in run(*ADD, raw, target, "event-drop", "--resume").error


def test_copies_do_not_say_what_their_source_was_made_of(tmp_path: Path) -> None:
    source, noisy, copy = many(tmp_path / "a.evs"), tmp_path / "b.evs", tmp_path / "c.evs"
    assert run(*ADD, source, noisy, "leak").code == 0
    assert run("convert", noisy, copy).code == 0
    with evstore.open(f"{noisy}#r0") as made, evstore.open(f"{copy}#r0") as copied:
        assert made.metadata["copied_from"]["name"] == "a.evs"
        assert "copied_from" not in copied.metadata
    again = convert_one(Job(str(noisy), str(copy)), Options(resume=True))
    assert again.status == "skipped"


def test_other_formats_are_completed(tmp_path: Path) -> None:
    """Nothing in them says what was done: it is done again, and compared."""
    for name in "abc":
        write_raw(tmp_path / "in" / f"{name}.raw", EVENTS)
    asked = [*ADD, tmp_path / "in", tmp_path / "out", "leak", "--output-format", "csv"]
    assert run(*asked).code == 0
    before = (tmp_path / "out" / "b.csv").read_bytes()
    (tmp_path / "out" / "b.csv").unlink()
    ran = run(*asked, "--resume", "--json")
    assert ran.code == 0
    assert [one["status"] for one in ran.json["receipts"]] == ["skipped", "done", "skipped"]
    assert (tmp_path / "out" / "b.csv").read_bytes() == before
    ran = run(*asked, "--seed", "2", "--resume")
    assert ran.code == 2
    assert "exists already" in ran.error
    masked = ["noise", "mask", tmp_path / "in" / "a.raw", tmp_path / "m.csv", "--drop"]
    assert run(*masked).code == 0
    assert "done already" in run(*masked, "--resume").out
