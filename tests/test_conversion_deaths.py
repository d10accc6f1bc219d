"""Conversions that are killed: nothing looks finished that is not, and resuming completes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import evstore
from command_line import environment, files_below, raw_bytes, run, some_events, start, write_raw
from evstore.conversion import Job, Options, Receipt
from evstore.conversion import run as run_jobs
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.shard.output import PartFile
from evstore.shard.verify import verify_shard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send")

EVENTS = some_events(400_000)


def read(path: Path) -> Events:
    with evstore.open(path) as recording:
        return recording[:]


def wait_for(what: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.002)
    return False


def seen(folder: Path) -> set[str]:
    return files_below(folder) if folder.exists() else set()


def whole(folder: Path) -> list[Path]:
    """Everything that looks finished is finished."""
    found = sorted(folder.rglob("*.evs"))
    for path in found:
        verify_shard(path)
    return found


def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    """A conversion of 12 files, killed again and again, and resumed each time."""
    random = np.random.default_rng(seed)
    first = write_raw(tmp_path / "in" / "0.raw", EVENTS)
    for k in range(1, 12):
        os.link(first, first.with_name(f"{k}.raw"))
    out = tmp_path / "out"
    arguments = ["convert", tmp_path / "in", out, "--resume", "--jobs"]
    for k in range(5):
        process = start(*arguments, 1 + k % 2, stdout=subprocess.DEVNULL)
        have = len(seen(out))
        while process.poll() is None and len(seen(out)) == have:
            time.sleep(0.002)  # before the first byte is written there is nothing to see
        time.sleep(random.uniform(0, 0.25))
        process.kill()
        process.communicate()
        whole(out)
    assert run(*arguments, 2, "--verify", "--on-error", "skip").code == 0
    done = whole(out)
    assert len(done) == 12
    assert files_below(out) == {path.name for path in done}
    for path in done[:2]:
        assert read(path) == EVENTS


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    """An orphan that went on writing would meet the process that resumes its work."""
    script = """
        import os, sys, time
        from evstore.conversion import Job, Options, run
        import evstore.conversion.pool as pool

        def slow(work, job):
            open(job.target, "w").write(str(os.getpid()))
            time.sleep(60)

        pool._work = slow
        if __name__ == "__main__":
            run([Job(str(k), f"{sys.argv[1]}/{k}") for k in range(2)], Options(), 2)
    """
    path = tmp_path / "slow.py"
    path.write_text(textwrap.dedent(script))
    out = tmp_path / "out"
    out.mkdir()
    process = subprocess.Popen([sys.executable, str(path), str(out)], env=environment())
    assert wait_for(lambda: [p.stat().st_size > 0 for p in out.iterdir()] == [True, True])
    workers = [int(p.read_text()) for p in out.iterdir()]
    process.kill()
    process.wait()
    assert wait_for(lambda: not any(map(alive, workers)), 10)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # A dead child of a dead parent may wait for whoever adopts it.
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


# ---------------------------------------------------------------- a worker that dies


def deadly(work: object, job: Job) -> Receipt:
    """Stands in for the work: some jobs kill their process, always or only once."""
    name = os.path.basename(job.source)
    Path(f"{job.target}.part").write_bytes(b"half")
    if name.startswith("slow"):
        time.sleep(0.3)
    once = Path(f"{job.target}.tried")
    if name.startswith("always") or (name.startswith("once") and not once.exists()):
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    os.replace(f"{job.target}.part", job.target)
    return Receipt(job.source, job.target)


def jobs_of(tmp_path: Path, *names: str) -> list[Job]:
    return [Job(name, str(tmp_path / name)) for name in names]


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evstore.conversion.pool._work", deadly)
    # Workers are new processes, which must find this module.
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])


@pytest.mark.usefixtures("dying")
def test_a_killed_worker_costs_its_own_job_only(tmp_path: Path) -> None:
    todo = jobs_of(tmp_path, "slow1", "always", "slow2", "once", "a", "slow3")
    receipts = run_jobs(todo, Options(), 2, on_error="skip")
    assert {r.source: r.status for r in receipts} == {
        "slow1": "done", "always": "failed", "slow2": "done", "once": "done",
        "a": "done", "slow3": "done",
    }  # fmt: skip
    (failed,) = (r for r in receipts if r.status == "failed")
    assert failed.error_kind == "Killed"
    assert "died 3 times" in (failed.error or "")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.usefixtures("dying")
def test_a_killed_worker_and_stop(tmp_path: Path) -> None:
    todo = jobs_of(tmp_path, "always", "slow1", "slow2", "slow3", "slow4", "slow5")
    receipts = run_jobs(todo, Options(), 2)
    assert [r.status for r in receipts].count("failed") == 1
    assert len(receipts) < 6
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted_by_the_parent_alone(tmp_path: Path, jobs: int) -> None:
    """`kill -INT` of the process, not of its group: the workers learn of it from their parent."""
    first = write_raw(tmp_path / "in" / "0.raw", EVENTS)
    for k in range(1, 60):
        os.link(first, first.with_name(f"{k}.raw"))
    out = tmp_path / "out"
    process = start("convert", tmp_path / "in", out, "--jobs", jobs, stdout=subprocess.DEVNULL)
    assert wait_for(lambda: out.exists() and any(out.glob("*.evs")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert 0 < len(whole(out)) < 60
    assert not list(out.glob("*.part"))


# ------------------------------------------------------------------- live and shared parts


def test_a_killed_pipe_keeps_all_but_its_last_second(tmp_path: Path) -> None:
    part = tmp_path / "a.evs.part"
    process = start("convert", "-", tmp_path / "a.evs", stdin=subprocess.PIPE)
    assert process.stdin is not None
    content = raw_bytes(EVENTS)
    process.stdin.write(content[: len(content) // 2])
    process.stdin.flush()
    assert wait_for(lambda: part.exists() and part.stat().st_size > 100_000)
    time.sleep(1.6)
    process.kill()
    process.communicate()
    assert files_below(tmp_path) == {"a.evs.part"}
    again = start("convert", "-", tmp_path / "a.evs", stdin=subprocess.PIPE)
    _, err = again.communicate(content)
    assert again.returncode == 2
    assert b"a.evs.part" in err
    report = evstore.recover(part, tmp_path / "saved.evs")
    # Half of the file came; what waits in buffers on the way is under two batches.
    assert len(EVENTS) // 2 - 2 * 65_536 - 20_000 < report.events <= len(EVENTS) // 2 + 10_000
    assert read(tmp_path / "saved.evs") == EVENTS[: report.events]


def test_two_writers_of_one_part(tmp_path: Path) -> None:
    one = PartFile(tmp_path / "a.evs", overwrite=True)
    one.append([b"first"])
    with pytest.raises(ArgumentError, match="another process is writing"):
        PartFile(tmp_path / "a.evs", overwrite=True)
    assert (tmp_path / "a.evs.part").read_bytes() == b"first"
    one.finish()
    two = PartFile(tmp_path / "a.evs", overwrite=True)
    two.append([b"second"])
    assert (tmp_path / "a.evs").read_bytes() == b"first"
    two.close()
    three = PartFile(tmp_path / "a.evs", overwrite=True)  # left behind, by one who is gone
    assert (tmp_path / "a.evs.part").read_bytes() == b""
    three.discard()
    assert files_below(tmp_path) == {"a.evs"}
