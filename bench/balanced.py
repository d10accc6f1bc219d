"""The preset `balanced` against its bars: of codecs.json what is there, the rest measured."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import evstore
from bench.bars import Bar, Settings, over_recordings, worst
from bench.child import run
from bench.codecs_summary import Data, all_beaten, measured, rows_of, window
from bench.recordings import ROOT, data_folder, recordings
from bench.size import bits
from bench.timing import Spread, exact

CODECS = ROOT / "bench" / "results" / "codecs.json"
OURS, FAST, PCODEC = "evstore, balanced", "evstore, fast", "pcodec 8, in memory"
DSEC = ("HDF5 as DSEC, blosc zstd 5", "HDF5 as DSEC, bitshuffle")
EVENTCV = "EVT2, eventcv"
DENSE = "gen3_vga_a"  # of which windows are taken

FIRST = """
import sys, time
began = time.perf_counter()
import numba
imported = time.perf_counter()
import evstore
with evstore.open(sys.argv[1]) as rec:
    rec[:200_000]
print(imported - began, time.perf_counter() - imported)
"""


def by_recording(data: Data, of: Callable[[Any, Any], float]) -> dict[str, Spread]:
    """A number of our row and pcodec's on each recording."""
    theirs = {row["recording"]: row for row in measured(rows_of(data, PCODEC))}
    return {
        row["recording"]: exact(of(row, theirs[row["recording"]]))
        for row in measured(rows_of(data, OURS))
        if row["recording"] in theirs
    }


def mean(parts: dict[str, Spread]) -> Spread:
    values = [part.median for part in parts.values()]
    return Spread(statistics.mean(values), min(values), max(values))


def compared(data: Data) -> list[Bar]:
    """Size and speed against pcodec, on all recordings of the corpus."""
    size = by_recording(data, lambda ours, theirs: ours["bits"] / theirs["bits"])
    decode = by_recording(data, lambda ours, _: ours["decode"]["times_pcodec"])
    encode = by_recording(data, lambda ours, _: ours["encode"]["times_pcodec"])
    fast = {row["recording"]: exact(row["bits"]) for row in measured(rows_of(data, FAST))}
    beaten = sum(len(those) for those in all_beaten(data).values())
    return [
        Bar("`balanced`: size against pcodec 8, mean",
            "x", "less", 0.93, 0.88, mean(size), size),
        Bar("`balanced`: size against pcodec 8, worst",
            "x", "less", 0.9999, 0.96, worst(size, "less")),
        Bar("`balanced`: decode from a file, against pcodec 8 in memory",
            "x", "more", 0.85, 1.5, over_recordings(decode), decode),
        Bar("`balanced`: encode, against pcodec 8, median",
            "x", "more", 1, 2, over_recordings(encode), encode),
        Bar("`balanced`: encode, against pcodec 8, worst",
            "x", "more", 0.7, None, worst(encode, "more")),
        Bar("`fast`: size, mean", "bits", "less", 24.5, 22, mean(fast), fast),
        Bar("peers both smaller and faster than a preset, on any recording",
            "", "less", 0, None, exact(beaten)),
    ]  # fmt: skip


def windows(data: Data) -> list[Bar]:
    """Windows of a dense recording, each against the faster of its peers."""
    bars = []
    for length in ("1000", "10000"):
        times = {
            row["name"]: found
            for row in data["rows"]
            if row["recording"] == DENSE and (found := window(row, length)) is not None
        }
        title = f"`balanced`: time of {int(length) // 1000} ms windows"
        others = min(times[name] for name in DSEC)
        bars += [
            Bar(f"{title}, against DSEC's HDF5",
                "x", "less", 0.3, 0.15, exact(times[OURS] / others)),
            Bar(f"{title}, against eventcv on EVT2",
                "x", "less", 2, 1, exact(times[OURS] / times[EVENTCV])),
        ]  # fmt: skip
    return bars


def first_decode(shard: Path, rounds: int) -> list[Bar]:
    """A fresh process with no compiled kernels, then with all."""
    with tempfile.TemporaryDirectory() as cache:
        runs = (run("-c", FIRST, str(shard), NUMBA_CACHE_DIR=cache) for _ in range(rounds + 1))
        cold, *cached = (tuple(map(float, ran.stdout.split())) for ran in runs)
    return [
        Bar("`balanced`: first decode of a process, never compiled",
            "s", "less", 8, 4, exact(cold[1])),
        Bar("`balanced`: first decode of a process, kernels cached, against importing numba",
            "x", "less", 1.5, 1.2, Spread.of(after / numba for numba, after in cached),
            note="numba's import comes before it, and is not part of it; where scipy is installed, "
            "numba imports that too with its first kernel"),
    ]  # fmt: skip


def tiny(folder: Path, files: Path) -> Bar:
    """1,100 recordings of N-MNIST in one shard, everything included."""
    path, events = folder / "tiny.evs", 0
    with evstore.create(path, overwrite=True, flush_s=None) as out:
        for file in sorted(files.rglob("*.bin")):
            with evstore.open(file) as rec:
                one = rec[:]
            events += len(one)
            with out.recording(str(file.relative_to(files)), resolution=one.resolution) as to:
                to.write(one)
    return Bar("`balanced`: size of 1,100 recordings of N-MNIST in one shard",
               "bits", "less", 20, 18, bits(path.stat().st_size, events))  # fmt: skip


def measure(settings: Settings) -> list[Bar]:
    bars = []
    if not CODECS.is_file():
        print("size and speed of `balanced` are not known: python -m bench codecs --json", CODECS)
    else:
        data = json.loads(CODECS.read_text(encoding="utf-8"))
        bars += compared(data) + windows(data)
    recording = next(recordings(settings, (DENSE,)))
    bars += first_decode(recording.shard("balanced"), settings.rounds)
    folder = data_folder()
    if folder is not None and (folder / "nmnist_small").is_dir():
        bars.append(tiny(settings.folder, folder / "nmnist_small"))
    return bars
