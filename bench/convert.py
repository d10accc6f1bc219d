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
        source, made = recording.raw(), []

        def read(source: object = source) -> None:
            with evstore.open(source) as rec:  # type: ignore[arg-type]
                for _ in rec.batches():
                    pass

        def convert(source: Path = source, made: list[Path] = made) -> None:
            # A new file each time: to free the one before would take a part of the time.
            made.append(settings.folder / f"converted-{len(made)}.evs")
            evstore.convert(source, made[-1], overwrite=True)

        parts[recording.name] = times_longer(settings.rounds, convert, read)
        for path in made:
            path.unlink()
    return [
        Bar(
            "time to convert EVT2, against reading it alone",
            *("x", "less", 3, 2, worst(parts, "less"), parts),
            note="one process; hash of the source, root and fsync included; the slower recording",
        )
    ]
