"""A whole conversion from EVT2, against reading the file alone."""

from __future__ import annotations

from pathlib import Path

import evstore
from bench.bars import Bar, Settings, worst
from bench.parse import EVT2
from bench.recordings import data_folder, recordings
from bench.timing import times_longer


def measure(settings: Settings) -> list[Bar]:
    if data_folder() is None:
        return []
    parts = {}
    for recording in recordings(settings, EVT2):
        source, target = recording.raw(), settings.folder / "converted.evs"

        def read(source: Path = source) -> None:
            with evstore.open(source) as rec:
                for _ in rec.batches():
                    pass

        def convert(source: Path = source, target: Path = target) -> None:
            evstore.convert(source, target, preset="fast")

        def remove(target: Path = target) -> None:
            target.unlink(missing_ok=True)

        parts[recording.name] = times_longer(settings.rounds, convert, read, before=remove)
        remove()
    return [
        Bar(
            "time to convert EVT2 with `fast`, against reading it alone",
            *("x", "less", 3, 2, worst(parts, "less"), parts),
            note="one process; hash of the source, root and fsync included; the slower recording",
        )
    ]
