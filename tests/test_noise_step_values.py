"""Parameters of steps as text: paths, images, pixels, given twice, and what they may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evstore
from command_line import RESOLUTION, run, some_events
from evstore.errors import ArgumentError
from evstore.noise import Compose, Flicker, HotPixelMask, RecordedNoise
from evstore.noise.steps import STEPS, choices, described, parse_step, said

EVENTS = some_events()
SHARE = np.zeros(RESOLUTION[::-1], np.float32)
SHARE[:8, :9] = 0.5


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with images, pixels and recordings of noise."""
    monkeypatch.chdir(tmp_path)
    np.save("share.npy", SHARE)
    np.save("bool.npy", SHARE > 0)
    np.save("rows.npy", np.array([[1, 2], [3, 4]]))
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    Path("text.npy").write_text("no numbers")
    Path("text.png").write_text("no picture")
    evstore.save("clean.evs", EVENTS)
    for folder in ("2024/05", "7"):
        Path(folder).mkdir(parents=True)
        evstore.save(f"{folder}/dark.evs", EVENTS)
    evstore.save("with,comma.evs", EVENTS)
    return tmp_path


def get(text: str, name: str) -> Any:
    return getattr(parse_step(text), name)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("2024/05", "2024/05"),
        ("7", "7"),
        ("with,comma.evs", "with,comma.evs"),
        ("['with,comma.evs','7']", ("with,comma.evs", "7")),
    ],
)
def test_paths_are_text(here: Path, text: str, path: Any) -> None:
    step = parse_step(f"recorded:path={text},rate=0.5,crop=none,flip-x=true")
    paths = list(path) if isinstance(path, tuple) else path
    assert said(step) == {"step": "recorded", "path": paths, "rate": 0.5, "flip_x": True}
    assert run("noise", "add", "clean.evs", "out.evs", f"recorded:path={text}").code == 0


def test_words_are_text() -> None:
    assert get("hot-pixels:count=1,redraw=never", "redraw") == "never"
    with pytest.raises(ArgumentError, match="waveform must be one of 'sine', 'pwm', got '7'"):
        parse_step("flicker:waveform=7")


@pytest.mark.parametrize("text", ["rate_hz=5,rate_hz=60", "rate-hz=5,bursts=0.1,rate_hz=5"])
def test_given_twice(text: str) -> None:
    with pytest.raises(ArgumentError, match="rate_hz is given twice in 'background:rate"):
        parse_step(f"background:{text}")


def test_images_are_files(here: Path) -> None:
    assert np.array_equal(get("flicker:mask=share.npy,phase=0.5", "mask"), SHARE)
    assert np.array_equal(get("background:light=bool.npy", "light"), SHARE > 0)
    assert get("flicker:mask=none", "mask") is None
    assert run("noise", "add", "clean.evs", "out.evs", "flicker:mask=share.npy").code == 0
    Path("p.json").write_text(json.dumps([{"step": "flicker", "mask": "share.npy"}]))
    assert run("noise", "add", "clean.evs", "same.evs", "--params", "p.json").code == 0
    with evstore.open("out.evs") as one, evstore.open("same.evs") as other:
        assert one[:] == other[:]
        assert one[:] == Compose(Flicker(mask=SHARE))(EVENTS, sample="clean.evs")
        assert len(one) > len(EVENTS)


def test_images_are_pictures(here: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    grey = np.round(SHARE * 255).astype(np.uint8)
    image.imsave("grey.png", np.repeat(grey[..., None], 3, 2))
    found = get("flicker:mask=grey.png", "mask")
    assert np.allclose(found, SHARE, atol=0.01)


def test_pictures_need_matplotlib(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.image", None)
    with pytest.raises(evstore.errors.MissingDependencyError, match="mask of a PNG needs matplot"):
        parse_step("flicker:mask=text.png")


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("1/2", [(1, 2)]),
        ("3/4,1/2", [(1, 2), (3, 4)]),
        ("1/2;3/4", [(1, 2), (3, 4)]),
        ("[[1,2],[3,4]]", [(1, 2), (3, 4)]),
        ("rows.npy", [(1, 2), (3, 4)]),
        ("bool.npy", [(x, y) for x in range(9) for y in range(8)]),
    ],
)
def test_pixels(here: Path, text: str, pixels: list[tuple[int, int]]) -> None:
    step = parse_step(f"hot-pixel-mask:pixels={text}")
    assert isinstance(step, HotPixelMask)
    assert step.pixels == tuple(pixels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flicker:mask=3", "mask is a path to .npy or .png, .* got '3'"),
        ("flicker:mask=text.npy", "mask: text.npy is no .npy of numbers$"),
        ("flicker:mask=objects.npy", "mask: objects.npy is no .npy of numbers$"),
        ("flicker:mask=rows.npy", "mask must be an image .* of numbers in 0..1"),
        ("background:light=clean.evs", "light is a path to .npy or .png"),
        ("hot-pixel-mask:pixels=1,2", "pixels is x/y of each, as in 3/0,12/7, or a path to .npy"),
        ("hot-pixel-mask:pixels=text.png", "pixels is x/y of each"),
        ("hot-pixel-mask:pixels=share.npy", "pixels must be rows of integers"),
        ("leak:rate_hz=1,b", "got 'b' in 'leak:rate_hz=1,b'"),
    ],
)
def test_mistakes(here: Path, text: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        parse_step(text)


def test_files_that_are_none(here: Path) -> None:
    with pytest.raises(FileNotFoundError):
        parse_step("flicker:mask=none.npy")
    pytest.importorskip("matplotlib")
    with pytest.raises(ArgumentError, match=r"mask: text.png is no PNG"):
        parse_step("flicker:mask=text.png")


def test_large_images_are_said_briefly(here: Path) -> None:
    for number, path in enumerate(("large.npy", "other.npy")):
        np.save(path, np.full((720, 1280), 0.25 * (1 + number), np.float32))
    evstore.save("hd.evs", evstore.Events([1, 1000], [1, 2], [1, 2], [1, 0], (1280, 720)))
    add = ("noise", "add", "hd.evs", "out.evs")
    assert run(*add, "flicker:mask=large.npy").code == 0
    assert Path("out.evs").stat().st_size < 100_000
    assert "done already" in run(*add, "flicker:mask=large.npy", "--resume").out
    assert "with other steps" in run(*add, "flicker:mask=other.npy", "--resume").error
    with evstore.open("out.evs") as found:
        (step,) = found.metadata["noise"][0]["steps"]
        assert step["mask"]["shape"] == [720, 1280]


@pytest.mark.parametrize("name", STEPS)
def test_what_parameters_may_be(name: str) -> None:
    """All are told but those of which nothing more is to be said."""
    assert set(choices(name)) == {key for key, _ in described(name)}


def test_steps_tell_what_parameters_may_be() -> None:
    shown = run("noise", "steps").out
    for line in (
        "waveform='sine'  (one of 'sine', 'pwm')",
        "duty=0.5  (a number in 0.01..0.99)",
        "most_hz=None  (a number in rate_hz..1e+06)",
        "support=2  (an integer in 1..neighbours)",
        "light=None  (a path to .npy or .png, (height, width) of 0..1)",
        "pixels=required  (x/y of each, as in 3/0,12/7, or a path to .npy)",
        "region=None  (x0,y0,x1,y1)",
        "same_polarity=False  (True or False)",
    ):
        assert line in shown
    assert "seed=" not in shown.partition("evstore noise filter")[2]


def test_many_paths_are_said_in_brief(tmp_path: Path) -> None:
    shard = tmp_path / "a.evs"
    evstore.save(shard, evstore.Events([1], [2], [3], [1], (34, 34)))
    found = said(RecordedNoise([shard] * 5000), brief=True)
    assert found["path"]["shape"] == [5000]
    assert len(found["path"]["sha256"]) == 64


def test_a_value_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="count must be an integer"):
        parse_step("hot-pixels:count={[]:1}")
