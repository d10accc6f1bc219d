"""What it takes to start the command and to open a shard."""

from __future__ import annotations

import os
from pathlib import Path

from bench.bars import Bar, Settings
from bench.child import run
from bench.recordings import recordings
from bench.timing import exact, times_longer
from evstore.shard.shard import Shard
from evstore.shard.source import FileSource

MAIN = "from evstore.cli import main; main()"  # what the installed script does
HEAVY = ("numba", "numpy", "torch", "h5py", "pyarrow")


class CountingSource(FileSource):
    """A file that counts what is read of it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.reads = self.bytes = 0

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.reads += 1
        self.bytes += len(buffer)
        super().read_into(offset, buffer)


def imported(*arguments: str) -> list[str]:
    """Which of the heavy packages the command imports."""
    code = (
        "import sys\nfrom evstore.cli import main\n"
        "try:\n    main()\nfinally:\n"
        f"    print('IMPORTED', *(m for m in {HEAVY} if m in sys.modules))"
    )
    return run("-c", code, *arguments).stdout.rsplit("IMPORTED", 1)[1].split()


def opening(path: Path) -> tuple[int, int]:
    """Reads and bytes to open a shard and find its one recording."""
    source = CountingSource(path)
    with Shard(source) as shard:
        shard.find(None)
    return source.reads, source.bytes


def measure(settings: Settings) -> list[Bar]:
    recording = next(recordings(settings, ("gen3_vga_a",)))
    shard = recording.shard()
    recording.forget()
    rounds = 3 if settings.quick else 15
    bars = []
    for title, arguments in {
        "`evstore --help`": ("--help",),
        "`evstore info SHARD`": ("info", str(shard)),
    }.items():
        longer = times_longer(
            rounds,
            lambda arguments=arguments: run("-c", MAIN, *arguments),
            lambda: run("-c", "import click"),
        )
        note = f"imports of {', '.join(HEAVY)}: {', '.join(imported(*arguments)) or 'none'}"
        name = f'time of {title}, against `python -c "import click"`'
        bars.append(Bar(name, "x", "less", 3, 2, longer, note=note))
    reads, size = opening(shard)
    heavy = imported("info", str(shard))
    bars += [
        Bar("reads to open a shard of one recording", "reads", "less", 1, None, exact(reads)),
        Bar("bytes read to open it", "B", "less", 65_536, None, exact(size)),
        Bar("times numba is imported for it", "", "less", 0, None, exact(heavy.count("numba"))),
    ]
    return bars
