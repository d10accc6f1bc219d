"""Starting is cheap and harmless: nothing heavy is imported, no child process is started."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conftest import ROOT

HEAVY = {"h5py", "numba", "pyarrow", "samna", "torch"}

# Runs code while watching what it imports and whether it starts a process; the audit hook sees
# C code and every module of the standard library alike.
PROBE = """
import json, sys
STARTS = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile",
          "os.system", "pty.spawn", "subprocess.Popen")
started = []
sys.addaudithook(lambda event, args: started.append(event) if event in STARTS else None)
code, report, *arguments = sys.argv[1:]
sys.argv = ["evstore", *arguments]
status = 0
try:
    exec(code)
except SystemExit as end:
    status = end.code or 0
with open(report, "w") as out:
    json.dump({"status": status, "started": started, "modules": sorted(sys.modules)}, out)
"""
RUN = "from evstore.cli import main; main()"


def watch(tmp_path: Path, code: str, *arguments: str) -> set[str]:
    """The top-level modules that ``code`` imports in a process of its own."""
    report = tmp_path / "report.json"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, code, str(report), *arguments],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(report.read_text())
    assert seen["status"] == 0, run.stderr
    assert seen["started"] == []
    return {name.split(".")[0] for name in seen["modules"]}


def verbs(group: click.Group, context: click.Context) -> Iterator[list[str]]:
    for name in group.list_commands(context):
        yield [name]
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            for below in verbs(command, click.Context(command, parent=context)):
                yield [name, *below]


def all_verbs() -> list[list[str]]:
    if not (ROOT / "evstore" / "cli" / "__init__.py").exists():
        return []
    module = importlib.import_module("evstore.cli")
    group = next(value for value in vars(module).values() if isinstance(value, click.Group))
    return list(verbs(group, click.Context(group)))


def test_import_evstore(tmp_path: Path) -> None:
    assert not watch(tmp_path, "import evstore") & HEAVY


def test_what_everything_asks_of_noise(tmp_path: Path) -> None:
    code = "from evstore import noise; import evstore.noise.epoch, evstore.noise.masks"
    assert not watch(tmp_path, code) & HEAVY


@pytest.mark.skipif(not all_verbs(), reason="there is no command line yet")
@pytest.mark.parametrize("options", [[], ["--text"]], ids=" ".join)
def test_report_of_a_run(tmp_path: Path, options: list[str]) -> None:
    """Where no network is trained, torch need not be."""
    record = {"kind": "epoch", "epoch": 0, "split": "test", "accuracy": 0.5, "loss": 1.0}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    assert not watch(tmp_path, RUN, "report", str(tmp_path / "run"), *options) & HEAVY


def test_a_configuration_needs_no_torch(tmp_path: Path) -> None:
    code = f"import evstore.snn as snn; snn.load_config({str(ROOT / 'examples/nmnist.toml')!r})"
    assert not watch(tmp_path, code) & HEAVY


@pytest.mark.parametrize("verb", all_verbs(), ids=" ".join)
def test_help_of_a_verb(tmp_path: Path, verb: list[str]) -> None:
    assert not watch(tmp_path, RUN, *verb, "--help") & HEAVY


@pytest.mark.skipif(not all_verbs(), reason="there is no command line yet")
def test_help(tmp_path: Path) -> None:
    assert not watch(tmp_path, RUN, "--help") & (HEAVY | {"numpy"})


@pytest.mark.skipif(not all_verbs(), reason="there is no command line yet")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=" ".join)
def test_info_of_a_shard(tmp_path: Path, options: list[str]) -> None:
    import evstore

    shard = tmp_path / "three.evs"
    events = evstore.Events([1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 1, 0], resolution=(34, 34))
    evstore.save(shard, events)
    assert not watch(tmp_path, RUN, "info", str(shard), *options) & (HEAVY | {"numpy"})


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess, sys; subprocess.run([sys.executable, '--version'])",
        "import os; os.system('exit 0')",
    ],
)
def test_the_probe_sees_a_process(tmp_path: Path, code: str) -> None:
    with pytest.raises(AssertionError, match=r"subprocess.Popen|os.system"):
        watch(tmp_path, code)
