"""Measure evstore against its bars: `python -m bench [NAME ...] [--json FILE] [--quick]`.

`python -m bench codecs` compares it with every other way to keep events, with options of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from bench import codecs
from bench.bars import Bar, Settings, number, table
from bench.codecs_results import rounded
from bench.machine import machine, versions
from bench.recordings import data_folder

SHORT = (
    "decode", "size", "encode", "parse", "formats", "windows", "threads", "convert", "startup",
    "many", "balanced", "frames", "datasets", "noise", "noise_filters", "realism",
    "noise_reality", "noise_calibration", "noise_flicker",
    "snn", "snn_memory", "snn_shards", "snn_fast",
)  # fmt: skip
LONG = (
    "memory", "memory_formats", "fuzz", "soak", "snn_accuracy", "snn_shown", "snn_gpu",
)  # fmt: skip
FULL, QUICK = (20_000_000, 7), (1_000_000, 3)  # events of a recording, rounds


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"{', '.join(SHORT)}; and by name only: {', '.join(LONG)}. None: the first. all: all",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="put the results in this file")
    parser.add_argument("--quick", action="store_true", help="short recordings: to try the code")
    said = parser.parse_args()
    names = said.names or list(SHORT)
    said.names = [*SHORT, *LONG] if names == ["all"] else names
    for name in said.names:
        if name not in SHORT + LONG:
            parser.error(f"no group is called {name!r}: {', '.join(SHORT + LONG)}")
    return said


def scratch() -> Path:
    """Where tiled recordings are kept between runs."""
    given = os.environ.get("EVSTORE_BENCH_FOLDER")
    folder = Path(given) if given else Path(tempfile.gettempdir()) / "evstore-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def measured(name: str, settings: Settings) -> dict[str, Any]:
    """What a group found, with all that is needed to read it later."""
    started = time.monotonic()
    found = import_module(f"bench.{name}").measure(settings)
    about: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "quick": settings.quick,
        "recordings": "real" if data_folder() else "simulated",
        "seconds": round(time.monotonic() - started, 1),
    }
    return {**about, "bars": [bar.to_json() for bar in found]}


def keep(path: Path, name: str, result: dict[str, Any]) -> None:
    """Put one group's result in the file, beside what is there of others."""
    groups = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    groups[name] = rounded(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(groups, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    if sys.argv[1:2] == ["codecs"]:
        return codecs.main(sys.argv[2:])
    said = arguments()
    events, rounds = QUICK if said.quick else FULL
    settings = Settings(events, rounds, said.quick, scratch())
    bars: list[Bar] = []
    for name in said.names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        result = measured(name, settings)
        bars += [Bar.from_json(bar) for bar in result.get("bars", ())]
        if said.json is not None:
            keep(said.json, name, result)
    print(table(bars))
    print()
    for about in (machine(), versions()):
        print(", ".join(f"{key} {value}" for key, value in about.items()))
    for bar in bars:
        for part, spread in bar.parts.items():
            numbers = " .. ".join(map(number, (spread.low, spread.median, spread.high)))
            print(f"{bar.name[:60]:60} | {part:30} | {numbers}", file=sys.stderr)
    if data_folder() is None:
        print("no real recordings (EVSTORE_TEST_DATA): simulated ones, and no bar is met by them")
    if said.quick:
        print("--quick: the code was tried, nothing was measured")
    return int(any(bar.met == "no" for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
