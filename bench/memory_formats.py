"""Peak memory of converting a large file of every format to a shard, and of the way back."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import evstore
from bench.bars import Bar, Settings, worst
from bench.child import run
from bench.memory import peak_bytes
from bench.memory_sources import BLOCK, SOURCES, Source
from bench.timing import Spread

BLOCKS, QUICK_BLOCKS = 24, 2  # a million events each: 24, held at once, would take 312 MB more
LIMIT_MB = 400


def peak(source: Path, target: Path, events: int, said: dict[str, Any]) -> Spread:
    """Megabytes of a whole process that converts, and does nothing else."""
    done = run(
        "-m", "bench.memory_formats", str(source), str(target), json.dumps(said), check=False
    )
    if done.returncode:
        raise RuntimeError(f"{source}: {done.stderr.strip().splitlines()[-1]}")
    converted, peak = done.stdout.split()
    assert int(converted) == events, f"{source}: {converted} of {events} events converted"
    return Spread(*[int(peak) / 1e6] * 3)


def there_and_back(source: Source, blocks: int, folder: Path) -> tuple[Spread, Spread | None]:
    """The peak of both ways; None where evstore does not write the format.

    A block goes first: compiling kernels, which a machine does once, takes memory of its own.
    """
    _both(source, 1, folder)
    there, back = _both(source, blocks, folder)
    way_back = "" if back is None else f", back {back.median:.0f} MB"
    print(f"{source.name}: {there.median:.0f} MB{way_back}", flush=True)
    return there, back


def _both(source: Source, blocks: int, folder: Path) -> tuple[Spread, Spread | None]:
    path, shard = folder / f"source{source.suffix}", folder / "shard.evs"
    source.make(path, blocks)
    said = {"overwrite": True, **source.said}
    there = peak(path, shard, blocks * BLOCK, said)
    path.unlink()
    back = None
    if source.back is not None:
        back = peak(shard, path, blocks * BLOCK, {"overwrite": True, "output_format": source.back})
    return there, back


def measure(settings: Settings, names: tuple[str, ...] = ()) -> list[Bar]:
    blocks = QUICK_BLOCKS if settings.quick else BLOCKS
    reading: dict[str, Spread] = {}
    writing: dict[str, Spread] = {}
    for source in SOURCES:
        if names and source.name not in names:
            continue
        with tempfile.TemporaryDirectory(dir=settings.folder, prefix="memory-") as folder:
            there, back = there_and_back(source, blocks, Path(folder))
        reading[source.name] = there
        if back is not None:
            writing[source.name] = back
    note = (
        f"{blocks:,} M events; the interpreter and all it imports included, kernels compiled before"
    )
    return [
        Bar(f"peak memory of {what} {blocks} M events, the format that needs most",
            "MB", "less", LIMIT_MB, None, worst(parts, "less"), parts, note)
        for what, parts in (("reading", reading), ("writing", writing))
        if parts
    ]  # fmt: skip


def _convert(source: str, target: str, said: dict[str, Any]) -> None:
    if "columns" in said:
        said["columns"] = tuple(said["columns"])
    receipt = evstore.convert(source, target, **said)
    assert not isinstance(receipt, list)
    print(receipt.events, peak_bytes())


if __name__ == "__main__":
    _convert(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
