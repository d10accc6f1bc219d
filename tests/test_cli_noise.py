"""evstore noise: steps, what is written, what is kept, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import evstore
from command_line import RESOLUTION, run, some_events, write_raw
from evstore.errors import ArgumentError
from evstore.noise import BackgroundActivity, Compose, Flicker, HotPixels, Leak
from evstore.noise.steps import STEPS, composed, described, make_step, parse_step, said

EVENTS = some_events()


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "clean.evs"
    with (
        evstore.create(path) as out,
        out.recording(
            "a/1", resolution=RESOLUTION, label=3, metadata={"lens": "wide"}
        ) as recording,
    ):
        recording.write(EVENTS)
        recording.append_rows("triggers", {"t": EVENTS.t[:4].copy(), "id": np.zeros(4, np.uint8),
                                           "p": np.ones(4, np.uint8)})  # fmt: skip
    return path


def test_add_is_what_the_transform_gives(shard: Path, tmp_path: Path) -> None:
    target = tmp_path / "noisy.evs"
    ran = run("noise", "add", shard, target, "hot-pixels:count=3", "background:rate_hz=50",
              "--seed", 5, "--verify")  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    assert "verified" in ran.out
    noise = Compose(HotPixels(count=3), BackgroundActivity(rate_hz=50), seed=5)
    with evstore.open(target) as found:
        assert found[:] == noise(EVENTS, sample="a/1", epoch=0)
        assert (found.id, found.label, found.resolution) == ("a/1", 3, RESOLUTION)
        assert found.metadata["lens"] == "wide"
        assert found.metadata["noise"] == [said(noise)]
        assert found.triggers is not None
        assert found.triggers["t"].tolist() == EVENTS.t[:4].tolist()


def test_what_was_done_adds_up(shard: Path, tmp_path: Path) -> None:
    first, second, copy = (tmp_path / f"{n}.evs" for n in "123")
    assert run("noise", "add", shard, first, "leak:rate_hz=9").code == 0
    assert run("noise", "add", first, second, "background").code == 0
    assert run("convert", second, copy).code == 0
    assert "noise       leak, background" in run("info", copy).out
    for path, steps in ((second, ["leak", "background"]), (copy, ["leak", "background"])):
        with evstore.open(path) as found:
            assert [one["steps"][0]["step"] for one in found.metadata["noise"]] == steps


def test_foreign_files_and_folders(tmp_path: Path) -> None:
    write_raw(tmp_path / "in" / "a.raw", EVENTS)
    write_raw(tmp_path / "in" / "deep" / "b.raw", EVENTS)
    assert (
        run("noise", "add", tmp_path / "in", tmp_path / "out", "background:rate_hz=100").code == 0
    )
    found = []
    for name in ("a.evs", "deep/b.evs"):
        with evstore.open(tmp_path / "out" / name) as recording:
            found.append(recording[:])
    assert all(len(one) > len(EVENTS) for one in found)
    target = tmp_path / "noisy.csv"
    assert (
        run("noise", "add", tmp_path / "in" / "a.raw", target, "background:rate_hz=100").code == 0
    )
    with evstore.open(target, resolution=RESOLUTION) as recording:
        assert len(recording) == len(found[0])


def test_selection_comes_first(shard: Path, tmp_path: Path) -> None:
    target = tmp_path / "part.evs"
    ran = run("noise", "add", shard, target, "leak:rate_hz=0", "--roi", "0,0,20,20")
    assert ran.code == 0
    with evstore.open(target) as found:
        assert 0 < len(found) < len(EVENTS)
        assert int(found[:].x.max()) < 20


def test_empty_recordings_get_noise_where_times_are_given(tmp_path: Path) -> None:
    empty = tmp_path / "empty.evs"
    evstore.save(empty, evstore.Events.empty(RESOLUTION))
    assert run("noise", "add", empty, tmp_path / "1.evs", "background").code == 0
    ran = run("noise", "add", empty, tmp_path / "2.evs", "background", "--times", "1s,3s")
    assert ran.code == 0
    with evstore.open(tmp_path / "1.evs") as found:
        assert len(found) == 0
    with evstore.open(tmp_path / "2.evs") as found:
        assert 25_000 < len(found) < 36_000
        assert found.t_start >= 10**6
        assert found.t_stop <= 3 * 10**6


def test_resume_knows_what_was_asked(shard: Path, tmp_path: Path) -> None:
    target = tmp_path / "noisy.evs"
    raw = write_raw(tmp_path / "a.raw", EVENTS)
    assert run("noise", "add", raw, target, "leak:rate_hz=40").code == 0
    assert "done already" in run("noise", "add", raw, target, "leak:rate_hz=40", "--resume").out
    assert "done already" not in run("noise", "add", raw, target, "leak", "--resume").out
    assert "exists already" in run("noise", "add", raw, target, "leak").error


def test_params_of_a_file(shard: Path, tmp_path: Path) -> None:
    steps = [{"step": "background", "rate_hz": 30}, {"step": "hot-pixels", "count": 2}]
    file = tmp_path / "noise.json"
    for content in (steps, {"steps": steps, "more": 1}):
        file.write_text(json.dumps(content))
        target = tmp_path / f"{type(content).__name__}.evs"
        assert run("noise", "add", shard, target, "leak", "--params", file).code == 0
        with evstore.open(target) as found:
            wanted = Compose(BackgroundActivity(rate_hz=30), HotPixels(count=2), Leak())
            assert found[:] == wanted(EVENTS, sample="a/1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["blah"], "no step is called 'blah'"),
        (["backgruond"], "did you mean 'background'?"),
        (["leak:rate=2"], "leak has no parameter 'rate'; it has "),
        (["leak:rate_hz"], "a step is NAME:PARAMETER=VALUE"),
        (["leak:rate_hz=-2"], "rate_hz must be a number in 0.."),
        (["leak:rate_hz=many"], "rate_hz must be a number in 0.."),
        ([], "no step is given"),
        (["timestamp-quantise"], "timestamp-quantise needs step_us: timestamp-quantise:step_us="),
        (["--params", "BAD"], "is no JSON"),
        (["--params", "NOSTEPS"], 'has no list of "steps"'),
        (["--params", "NONAME"], 'a step is an object with "step"'),
        (["leak", "--params", "FILTER"], "FILTER: 'stcf' is no noise step; there are "),
        (["--params", "UNKNOWN"], "no step is called 'blah'"),
        (["stcf:window_us=500"], "'stcf' is no noise step; there are "),
        (["flicker:region=0,0,a,20"], "a step is NAME:PARAMETER=VALUE,..., got 'a'"),
        (["leak", "--times", "10s,5s"], "STOP lies before START"),
        (["flicker:region=60/40/70/50"], "lies outside of the sensor of 64x48"),
        (["leak", "--times", "0,1ms"], "cannot stop at 1000 us, before its last event"),
        (["leak", "--times", "20ms,1s"], "lies before the start that was given, 20000 us"),
    ],
)
def test_mistakes(shard: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    files = {"BAD": "{", "NOSTEPS": "{}", "NONAME": "[3]",
             "FILTER": '{"steps": [{"step": "stcf", "window_us": 5}]}',
             "UNKNOWN": '[{"step": "blah"}]'}  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    given = [str(tmp_path / one) if one in files else one for one in arguments]
    ran = run("noise", "add", shard, tmp_path / "out.evs", *given)
    assert message in ran.error
    assert ran.code in (1, 2)
    assert not list(tmp_path.glob("out*"))


def test_source_is_kept(shard: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="not deleted where its events are changed"):
        evstore.convert(
            shard, tmp_path / "o.evs", verify=True, delete_source=True, transform=Leak()
        )


# ---------------------------------------------------------------------- steps


def test_steps_are_listed() -> None:
    listed = run("noise", "steps")
    found = run("noise", "steps", "--json").json
    names = {name for kind in found.values() for name in kind}
    assert names == set(STEPS)
    assert all(name in listed.out for name in names)
    assert found["add"]["leak"]["rate_hz"] == "0.1"


@pytest.mark.parametrize("name", STEPS)
def test_a_step_says_what_it_is(name: str, tmp_path: Path) -> None:
    needed = [key for key, usual in described(name) if usual == "required"]
    given = {key: [(1, 2)] if key == "pixels" else 7 for key in needed}
    given |= {"pixel-drop": {"fraction": 0.5}}.get(name, {})
    if name == "recorded":
        given = {"path": str(tmp_path / "noise.evs")}
        evstore.save(given["path"], EVENTS)
    found = said(make_step(name, given))
    assert found["step"] == name
    assert set(found) == {"step", *given}


def test_what_is_said_makes_the_same_again() -> None:
    mask = np.zeros((4, 6))
    mask[1, 2] = 0.5
    noise = Compose(
        HotPixels(count=3, periodic=True), Flicker(region=(1, 2, 3, 4), phase=0.5, seed=4),
        Flicker(mask=mask), BackgroundActivity(rate_hz=1.5, spread_decades=0.0), seed=8,
    )  # fmt: skip
    text = json.dumps(said(noise))
    again = composed(json.loads(text)["steps"], seed=json.loads(text)["seed"])
    empty = evstore.Events.empty((6, 4))
    assert again(empty, start=0, stop=10**6) == noise(empty, start=0, stop=10**6)
    assert len(noise(empty, start=0, stop=10**6))


def test_values() -> None:
    step = parse_step("flicker:region=(1, 2, 3, 4),phase=none,waveform=pwm,burst-us=1e2")
    assert isinstance(step, Flicker)
    assert (step.region, step.phase, step.waveform, step.burst_us) == (
        (1, 2, 3, 4),
        None,
        "pwm",
        100,
    )
    for text in ("1/2/3/4", "1,2,3,4", "[1,2,3,4]"):
        step = parse_step(f"flicker:region={text},burst_us=9")
        assert isinstance(step, Flicker)
        assert (tuple(step.region or ()), step.burst_us) == ((1, 2, 3, 4), 9)
    assert parse_step("hot-pixels:periodic=true").periodic is True  # type: ignore[attr-defined]


# ---------------------------------------------------------------------- filter, measure, mask


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A second of noise alone."""
    path = tmp_path / "noisy.evs"
    sensor = Compose(
        HotPixels(count=6, low_hz=150, high_hz=400), BackgroundActivity(rate_hz=6),
        Flicker(frequency_hz=100, region=(8, 8, 40, 40)), seed=1,
    )  # fmt: skip
    evstore.save(path, sensor(evstore.Events.empty(RESOLUTION), start=0, stop=2_000_000))
    return path


def test_filter(noisy: Path, tmp_path: Path) -> None:
    target = tmp_path / "quiet.evs"
    steps = ["refractory:period_us=500", "activity:window_us=2000", "anti-flicker:frequency_hz=100"]
    assert run("noise", "filter", noisy, target, *steps, "--verify").code == 0
    with evstore.open(noisy) as before, evstore.open(target) as after:
        wanted = Compose(*map(parse_step, steps))(before[:])
        assert after[:] == wanted
        assert 0 < len(after) < len(before) / 2
    error = run("noise", "filter", noisy, tmp_path / "o.evs", "background").error
    assert "'background' is no filter step; there are" in error
    assert run("noise", "filter", noisy, tmp_path / "o.evs").code == 2


@pytest.mark.parametrize("name", ["noise.xyz", "noise"])
def test_a_plot_of_no_kind(noisy: Path, tmp_path: Path, name: str) -> None:
    ran = run("noise", "measure", noisy, "--plot", tmp_path / name)
    assert ran.code in (1, 2)
    assert "a plot ends with .png, .svg, .pdf" in ran.error
    assert "fault of evstore" not in ran.error
    assert not list(tmp_path.glob("noise*"))


def test_measure_and_add_the_same_again(noisy: Path, tmp_path: Path) -> None:
    shown = run("noise", "measure", noisy)
    assert shown.code == 0
    assert "hot pixels: 6" in shown.out
    assert "flicker: 100.0" in shown.out
    found = run("noise", "measure", noisy, "--json").json
    assert [step["step"] for step in found["steps"]] == ["hot-pixels", "background", "flicker"]
    assert found["measured"]["background"]["rate_hz"] == pytest.approx(6, rel=0.1)
    params, empty = tmp_path / "noise.json", tmp_path / "empty.evs"
    params.write_text(json.dumps(found))
    evstore.save(empty, evstore.Events.empty(RESOLUTION))
    like = tmp_path / "like.evs"
    assert run("noise", "add", empty, like, "--params", params, "--times", "0,2s").code == 0
    again = run("noise", "measure", like, "--json").json["measured"]
    assert len(again["hot_pixels"]) == 6
    assert again["background"]["rate_hz"] == pytest.approx(6, rel=0.15)
    assert again["flicker"]["frequency_hz"] == pytest.approx(100, abs=0.5)
    assert again["flicker"]["events_per_cycle"] == pytest.approx(1, rel=0.1)
    # What it prints for people is a command that runs.
    command = shown.out.splitlines()[-1].partition("evstore noise add IN OUT ")[2].split()
    assert run("noise", "add", empty, tmp_path / "o.evs", *command, "--times", "0,9ms").code == 0


def test_measure_draws(noisy: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "noise.png"
    assert run("noise", "measure", noisy, "--plot", target).code == 0
    assert target.read_bytes().startswith(b"\x89PNG")


def test_a_plot_that_cannot_be_written_is_told_at_once(noisy: Path, tmp_path: Path) -> None:
    ran = run("noise", "measure", noisy, "--plot", tmp_path / "none" / "a.png")
    assert (ran.code, ran.out) == (1, "")
    assert "none: no such folder for the plot" in ran.error
    there = tmp_path / "there.png"
    there.write_bytes(b"mine")
    ran = run("noise", "measure", noisy, "--plot", there)
    assert (ran.code, ran.out) == (2, "")
    assert "there.png: exists already; --overwrite replaces it" in ran.error
    assert there.read_bytes() == b"mine"
    pytest.importorskip("matplotlib")
    assert run("noise", "measure", noisy, "--plot", there, "--overwrite").code == 0
    assert there.read_bytes() != b"mine"


def test_a_plot_that_fails_leaves_what_was_measured(
    noisy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    from evstore.noise.measuring import plot

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "noise.png")

    monkeypatch.setattr(plot, "plot", full)
    for flags in ([], ["--json"]):
        ran = run("noise", "measure", noisy, "--plot", tmp_path / "noise.png", *flags)
        assert ran.code == 1
        assert "no space left on device" in ran.error
        assert "hot pixels: 6" in ran.out if not flags else ran.json["steps"]


def test_times_are_integers(tmp_path: Path) -> None:
    from dataclasses import replace

    from evstore.noise import measure

    found = measure(EVENTS)
    for us, text in ((10_213.4, "10,213 us"), (9_999_999, "9,999,999 us"), (1e9, "1e+09 us")):
        least = f"least time between events of a pixel: {text}"
        assert str(replace(found, refractory_us=us)).splitlines()[-1] == least


@pytest.mark.parametrize("verb", ["filter", "mask"])
def test_what_draws_nothing_takes_no_seed(noisy: Path, tmp_path: Path, verb: str) -> None:
    steps = ["refractory:period_us=5"] if verb == "filter" else []
    ran = run("noise", verb, noisy, tmp_path / "o.evs", *steps, "--seed", 3)
    assert ran.code == 2
    assert "No such option" in ran.error


def test_mask(noisy: Path, tmp_path: Path) -> None:
    target = tmp_path / "masked.evs"
    ran = run("noise", "mask", noisy, target)
    assert (ran.code, ran.out.splitlines()[0]) == (0, "6 hot pixels found")
    with evstore.open(noisy) as before, evstore.open(target) as after:
        assert after[:] == before[:]
        pixels = after.metadata["hot_pixels"]["pixels"]
        assert after.metadata["hot_pixels"]["learned_from"] == "noisy.evs"
        events = before[:]
    assert len(pixels) == 6
    hot = np.zeros(RESOLUTION, np.bool_)
    hot[tuple(np.array(pixels).T)] = True
    assert "hot pixels  6 in the mask" in run("info", target).out
    with evstore.open(target, hot_pixels="drop") as dropped:
        assert dropped[:] == events[~hot[events.x, events.y]]
    left_out = tmp_path / "left.evs"
    assert run("noise", "mask", noisy, left_out, "--drop", "--of", noisy).code == 0
    with evstore.open(left_out) as found:
        assert found[:] == events[~hot[events.x, events.y]]
