"""Kill a conversion at random moments, resume it, compare digests; again and again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import evstore
from bench.bars import Bar, Settings
from bench.child import environment
from bench.recordings import recordings
from bench.startup import exact
from evstore.errors import EvstoreError

KILLS = 100
QUICK_KILLS = 4
SEED = 5


def command(source: Path, target: Path, *flags: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "evstore", "convert", str(source), str(target), *flags],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def digest(path: Path) -> object:
    with evstore.open(path) as rec:
        return evstore.digest(rec)


def holds(path: Path, wanted: object) -> bool:
    """Whether a finished-looking shard is one, with the events of the source."""
    try:
        return digest(path) == wanted
    except (EvstoreError, OSError):
        return False


def killed(source: Path, target: Path, after: float) -> bool:
    """Start the conversion and kill it; whether it was still running."""
    process = command(source, target, "--resume")
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def measure(settings: Settings) -> list[Bar]:
    recording = next(recordings(settings, ("gen3_vga_b",)))
    if recording.source is None:
        return []
    source, target = recording.raw(), settings.folder / "soak.evs"
    recording.forget()
    target.unlink(missing_ok=True)
    wanted = digest(source)
    started = time.monotonic()
    assert command(source, target).wait() == 0
    whole = time.monotonic() - started
    moments = random.Random(SEED)
    half_made = wrong = kills = 0
    for _ in range(QUICK_KILLS if settings.quick else KILLS):
        target.unlink()
        while killed(source, target, moments.uniform(0, whole)):
            kills += 1
            half_made += target.exists() and not holds(target, wanted)
            if moments.random() < 0.5:
                break
        resumed = command(source, target, "--resume").wait()
        wrong += resumed != 0 or not holds(target, wanted)
    left = list(target.parent.glob(target.name + "*.part"))
    note = f"{kills} kills"
    return [
        Bar("killed conversions that leave a finished-looking file",
            "", "less", 0, None, exact(half_made), note=note),
        Bar("resumed conversions with another digest",
            "", "less", 0, None, exact(wrong), note=note),
        Bar("files left behind", "", "less", 0, None, exact(len(left)), note=note),
    ]  # fmt: skip
