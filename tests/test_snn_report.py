"""`evstore report`: a page of a run, of several, of what is left of one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from command_line import environment, run
from evstore.snn import IAF, JsonLines, Monitor, reset_states
from evstore.snn.report.drawing import bars, curves, thinned
from evstore.snn.report.neuron_image import neuron_strip, png
from evstore.snn.report.reading import read_run
from runs_made_up import make_run, records, spiking, weighted

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """A page taken apart; fails where tags do not close each other."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.met: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.met.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data if not self.open or self.open[-1] != "style" else ""


def page_of(folder: Path) -> tuple[Page, str]:
    ran = run("report", folder)
    assert ran.code == 0, ran.err
    assert ran.out == f"{folder / 'report.html'}\n"
    text = (folder / "report.html").read_text(encoding="utf-8")
    return Page(text), text


def sentences(folder: Path) -> list[str]:
    shown = run("report", folder, "--text").out
    return [line[2:] for line in shown.splitlines() if line.startswith("! ")]


def test_a_whole_run(tmp_path: Path) -> None:
    page, text = page_of(make_run(tmp_path / "first"))
    for said in ("epochs = 2", "2.13.0", "abc123", "IAFSqueeze", "Conv2d", "2,400", "65.0 %",
                 "cross_entropy", "The bottleneck is backward: 47 % of a step.",
                 "Nothing stands out", "each neuron's rate", "steps from spike to spike",
                 "learning rate", "gradient norm", "0.4 %"):  # fmt: skip
        assert said in page.words, said
    titles = {attributes.get("aria-label") for tag, attributes in page.met if tag == "svg"}
    assert titles >= {
        "accuracy", "loss", "terms of the loss", "learning rate", "gradient norm",
        "a step's time", "SynOps a sample", "weights", "spikes in a step",
    }  # fmt: skip
    assert "prefers-color-scheme: dark" in text
    assert sorted(p.name for p in (tmp_path / "first").iterdir()) == [
        "config.toml", "metrics.jsonl", "neurons.npz", "report.html", "run.json",
    ]  # fmt: skip


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    page, text = page_of(make_run(tmp_path))
    assert not {tag for tag, _ in page.met} & {"script", "link", "iframe", "object"}
    for tag, attributes in page.met:
        for name in ("src", "href", "xlink:href"):
            if attributes.get(name):
                assert (attributes[name] or "").startswith(("data:", "#")), (tag, attributes)
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_whatever_a_file_says_is_only_text(tmp_path: Path) -> None:
    evil = "<script>alert('&\"1')</script>"
    found = records(**{evil: spiking(type=evil)})
    found += [{"kind": "epoch", "epoch": 1, "split": evil, "accuracy": 0.5}]
    for step in found:
        if step["kind"] == "step":
            step["terms"][evil] = 1.0
            step["seconds"][evil] = 1.0
    folder = make_run(
        tmp_path / "<b>run", found, error=evil, status="failed", **{evil: {evil: evil}}
    )
    (folder / "config.toml").write_text(evil)
    page, text = page_of(folder)
    assert "<script" not in text
    assert page.words.count(evil) > 10
    assert "<b>run" in page.words


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    found = records(
        **{
            "2": weighted(weight_to_threshold=2.5, gradient_norm=0.0),
            "3": spiking(dead=0.414, saturated=0.2, spikes_per_step=[10, 5, 2, 2, 1]),
            "4": weighted(gradient_norm=1e5, weights={"not_finite": 12}),
            "5": spiking(dead=1.0, min_v_mem=None, v_mem_mean=None),
            "6": weighted(weights={"zeros": 0.1, "quantised": {
                "zeros": 0.5, "relative_error": 0.25}}),
        }
    )  # fmt: skip
    for record in found:
        if record["kind"] == "step":
            record["seconds"] |= {"data": 0.2, "logging": 0.05}
            record["loss"] = None if record["step"] == 7 else record["loss"]
        if record["kind"] == "epoch" and record["split"] == "test":
            record["accuracy"] = 0.5 - 0.1 * record["epoch"]
    said = sentences(make_run(tmp_path, found, status="failed", error="no more memory"))
    for wanted in (
        "the run failed: no more memory",
        "the loss was not finite at step 7",
        r"layer 2 \(Conv2d\): its largest weight is 2.5 times the threshold",
        r"layer 2 \(Conv2d\): its gradient has a norm of 0: it does not learn",
        r"layer 3 \(IAFSqueeze\): 41 % of neurons never spiked",
        r"layer 3 \(IAFSqueeze\): 20 % of neurons spiked in nearly every step",
        r"layer 3 \(IAFSqueeze\): 50 % of its steps with spikes have several",
        r"layer 4 \(Conv2d\): 12 weights are not finite",
        r"layer 4 \(Conv2d\): its gradient has a norm of 100,000: it explodes",
        r"layer 5 \(IAFSqueeze\): no neuron ever spiked",
        "no min_v_mem in layer 5: discretised",
        r"layer 5 \(IAFSqueeze\): membrane potentials are not finite",
        r"layer 6 \(Conv2d\): 8 bits make 40 % of the weights 0",
        r"layer 6 \(Conv2d\): 8 bits change the weights by 25 %",
        "accuracy is 70.0 % on train and 40.0 % on test",
        "test accuracy was best in epoch 0, 50.0 %, and is 40.0 %",
        "training waits for data: 58 % of a step",
        "looking at layers takes 14 % of a step",
    ):
        assert any(re.match(wanted, sentence) for sentence in said), wanted
    assert len(said) == 18


def test_dead_neurons_are_those_of_the_whole_epoch(tmp_path: Path) -> None:
    folder = make_run(tmp_path, records(**{"1": spiking(dead=0.9)}))
    assert sentences(folder) == []  # neurons.npz says 1 of 40
    (folder / "neurons.npz").unlink()
    assert "90 % of neurons never spiked (160 samples" in sentences(folder)[0]


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    folder = make_run(tmp_path, status="running", finished=None)
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "ste')
    page, _ = page_of(folder)
    assert "its last line is not whole" in page.words
    assert "still going on, or was killed" in page.words
    assert "20 written down" in page.words


def test_of_steps_done_again_the_last_counts(tmp_path: Path) -> None:
    again = [{**record, "loss": 100.0} for record in records() if record["kind"] == "step"]
    folder = make_run(tmp_path, [*records(), *again[15:]])
    losses = [step["loss"] for step in read_run(str(folder), "run").steps]
    assert len(losses) == 20
    assert losses[14] < 1
    assert losses[15:] == [100.0] * 5


@pytest.mark.parametrize("name", ["config.toml", "run.json", "metrics.jsonl", "neurons.npz"])
@pytest.mark.parametrize("how", ["gone", "empty", "cut", "noise"])
def test_what_is_left_of_a_run(tmp_path: Path, name: str, how: str) -> None:
    path = make_run(tmp_path) / name
    content = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, 2000).astype(np.uint8).tobytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "noise": noise}[how])
    page, _ = page_of(tmp_path)
    if name != "config.toml" or how == "gone":  # any text is a config
        assert name in page.words
        assert "Not all of the run's files could be read" in page.words
        assert name in run("report", tmp_path, "--text").out


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "step", "step": "x", "loss": []}',
        '{"kind": "step", "step": 3, "loss": {}, "terms": 5, "seconds": [1], "lr": "fast"}',
        '{"kind": "step", "step": 3, "seconds": {"data": -1, "forward": "long"}}',
        '{"kind": "step", "step": 1e400, "loss": NaN}',
        '{"kind": "layers", "step": 99, "layers": [1, 2]}',
        '{"kind": "layers", "step": 99, "layers": {"0": 3, "1": {}}}',
        '{"kind": "layers", "step": 99, "layers": {"1": {"spikes_per_step": ["a", -1, {}], '
        '"intervals_steps": 7, "type": 3, "dead": "many", "weights": 5, "neurons": null}}}',
        '{"kind": "layers", "step": 99, "layers": {"1": {"weights": {"histogram": '
        '{"low": 1, "counts": [0]}, "quantised": 1, "min": {}}, "gradient_norm": []}}}',
        '{"kind": "epoch", "epoch": null, "split": 3}',
        '{"kind": "epoch", "epoch": 9, "split": ["test"], "accuracy": "all"}',
        '{"kind": 5}',
        "[1, 2]",
        "[" * 100_000,
    ],
)
def test_records_of_any_shape(tmp_path: Path, line: str) -> None:
    for found in (records(), []):
        folder = make_run(tmp_path, found)
        with open(folder / "metrics.jsonl", "a") as file:
            file.write(line + "\n")
        page_of(folder)
        assert run("report", folder, "--text").code == 0


def test_neurons_that_do_not_fit(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    np.savez(folder / "neurons.npz", **{"1/rate_per_step": np.zeros(3), "1/dead": np.zeros(4)})
    page, _ = page_of(folder)
    assert "what it has of layer 1 does not fit together" in page.words


def test_several_runs(tmp_path: Path) -> None:
    for seed in (0, 2, 10):
        make_run(tmp_path / f"seed-{seed}")
    accuracy = {"n": 3, "mean": 0.65, "std": 0.1, "interval_95": [0.4, 1.2]}
    summary = {"accuracy": accuracy, "runs": [{"seed": 0, "a": None}]}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    page, _ = page_of(tmp_path)
    links = [attributes.get("href") for tag, attributes in page.met if tag == "a"]
    anchors = [f"#{attributes['id']}" for tag, attributes in page.met if "id" in attributes]
    assert links == anchors == ["#run-0", "#run-1", "#run-2"]
    assert page.words.index("seed-2") < page.words.index("seed-10")
    assert "40.00% .. 100.00%" in page.words
    assert "accuracy on test" in page.words
    shown = run("report", tmp_path, "--text").out
    assert shown.count("20 steps written down") == 3
    assert re.search(r"^seed-2 +done +2 +65.0 % +65.0 % +2,400 +0$", shown, re.MULTILINE)
    assert re.search(r"^all +3 +65.00% \+- 10.00 +40.00% .. 100.00% +- +-$", shown, re.MULTILINE)
    (tmp_path / "summary.json").write_text(json.dumps({"accuracy": 3, "of": [{"a": [0.6, 0.7]}]}))
    page, _ = page_of(tmp_path)
    assert "0.6, 0.7" in page.words
    assert run("report", tmp_path, "--text").code == 0


def test_a_sweep_of_seeds(tmp_path: Path) -> None:
    make_run(tmp_path / "bins-5" / "seed-0")
    make_run(tmp_path / "bins-10" / "seed-0")
    (tmp_path / "summary.json").write_text("[")
    page, _ = page_of(tmp_path)
    assert os.path.join("bins-5", "seed-0") in page.words


def test_output_elsewhere(tmp_path: Path) -> None:
    folder, target = make_run(tmp_path / "run"), tmp_path / "page.html"
    target.write_text("of before")
    ran = run("report", folder, "--output", target)
    assert ran.out == f"{target}\n"
    assert Page(target.read_text()).words
    assert not (folder / "report.html").exists()
    assert run("report", folder, "--text", "--output", target).code == 2
    ran = run("report", folder, "--output", tmp_path / "nowhere" / "page.html")
    assert ran.code == 1
    assert "nowhere" in ran.error


def test_no_run(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    for options in ([], ["--text"]):
        ran = run("report", tmp_path, *options)
        assert ran.code == 1
        assert "holds no run" in ran.error
        assert "metrics.jsonl" in ran.error
    assert "no such file" in run("report", tmp_path / "nothing").error
    assert "not a directory" in run("report", tmp_path / "note.txt").error
    (tmp_path / "config.toml").write_text("")  # begun a moment ago
    assert "No epoch has ended." in page_of(tmp_path)[0].words


def test_text(tmp_path: Path) -> None:
    shown = run("report", make_run(tmp_path / "first"), "--text")
    lines = shown.out.splitlines()
    assert lines[0] == "first: done, 20 steps written down"
    assert any(re.fullmatch(r"1 +test +65.0 % +0.9 +2,400 +3.5 s", line) for line in lines)
    assert any(line.startswith("1 IAFSqueeze  ") and " 5 %" in line for line in lines)
    assert any(line.startswith("The bottleneck is backward: 47 %") for line in lines)
    assert shown.out.isascii()


def test_of_a_real_network(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 40), IAF(), torch.nn.Linear(40, 2), IAF())
    with torch.no_grad():
        model[0].weight[:20], model[0].bias[:] = -1.0, 0.0  # half of the neurons cannot spike
        model[0].weight[20:] = 0.5
    path = tmp_path / "metrics.jsonl"
    with Monitor(model, every=2, dt_us=1000, writers=[JsonLines(path)]) as monitor:
        for frames in monitor.reading([torch.ones(2, 10, 3)] * 5):
            with monitor.phase("forward"):
                reset_states(model)
                loss = model(frames).sum()
            with monitor.phase("backward"):
                loss.backward()
            monitor.step(loss=loss, epoch=0)
        monitor.end_epoch(0)
    page, _ = page_of(tmp_path)
    assert "layer 1 (IAF): 50 % of neurons never spiked (6 samples looked at in epoch 0)" in (
        page.words
    )
    assert "no min_v_mem in layers 1, 3: discretised" in page.words
    assert "each neuron's rate" in page.words


def test_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules.update(torch=None, sinabs=None, numba=None)\n"
        "from evstore.snn.report import write_page; write_page(sys.argv[1])"
    )
    folder = make_run(tmp_path)
    subprocess.run([sys.executable, "-c", code, folder], check=True, env=environment())
    assert (folder / "report.html").exists()


@pytest.mark.parametrize("shape", [(1,), (7,), (500,), (3, 5), (1, 9), (2, 3, 4), (5, 2, 3, 4)])
def test_a_pixel_for_each_neuron(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    arrays: dict[str, Any] = {"rate_per_step": random.random(shape)}
    arrays["dead"] = random.random(shape) < 0.3
    arrays["saturated"] = ~arrays["dead"] & (random.random(shape) < 0.3)
    drawn = neuron_strip("x", arrays)
    pixels = decoded(re.findall(r"base64,([^\"]+)", drawn)[0])
    assert (pixels == 1).sum() == arrays["dead"].sum()
    assert (pixels == 2).sum() == arrays["saturated"].sum()
    assert (pixels != 0).sum() == arrays["dead"].size


def decoded(text: str) -> Any:
    """A PNG of palette colours without filters, as array."""
    import base64

    data = base64.b64decode(text)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, {}
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        found[kind] = data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + found[kind]) == int.from_bytes(data[at + 8 + size :][:4], "big")
        at += 12 + size
    width, height = (int.from_bytes(found[b"IHDR"][i : i + 4], "big") for i in (0, 4))
    assert len(found[b"PLTE"]) == 3 * 256
    rows = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]


def test_many_neurons_are_thinned_out() -> None:
    many = np.zeros((1100, 1100))
    drawn = neuron_strip("x", {"rate_per_step": many, "dead": many == 0, "saturated": many == 1})
    assert "one neuron of 2x2 shown" in drawn
    assert len(png(np.zeros((550, 550), np.uint8))) < len(drawn) < 20_000


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [1e-12, 1e12], [-3.0, 0.0], [0.0] * 3])
@pytest.mark.parametrize("log", [False, True])
def test_curves_of_any_range(values: list[float], log: bool) -> None:
    drawn = curves("t", {"a": list(enumerate(values)), "none": []}, log=log)
    Page(drawn)
    places = [float(n) for n in re.findall(r'(?:y1|cy|y)="([^"]+)"', drawn)]
    assert all(0 <= place <= 200 for place in places)
    assert curves("t", {"none": []}) == ""
    Page(bars("t", ["a"], [0.0]))


def test_long_curves_are_thinned_out() -> None:
    points = thinned([(float(x), float(x)) for x in range(100_001)])
    assert len(points) == 240
    assert all(x == y for x, y in points)
    assert points == sorted(points)


def test_of_runs_one_after_the_other_the_last_is_shown(tmp_path: Path) -> None:
    def record(kind: str, step: int, **said: Any) -> str:
        return json.dumps({"kind": kind, "step": step, **said}) + "\n"

    first = [record("step", step, loss=1.0) for step in range(60)]
    again = [record("step", step, loss=2.0) for step in (0, 1, 2, 2, 3)]  # one of them again
    (tmp_path / "metrics.jsonl").write_text("".join([*first, *again]))
    found = read_run(str(tmp_path), "run")
    assert [(one["step"], one["loss"]) for one in found.steps] == [(k, 2.0) for k in range(4)]
    assert "metrics.jsonl: holds 2 runs, of which this is the last" in found.problems
