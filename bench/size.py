"""Bits an event, of the whole file."""

from __future__ import annotations

import evstore
from bench.bars import Bar, Settings, worst
from bench.recordings import DENSE, INPUT_FORMATS, recordings
from bench.timing import Spread, exact


def bits(size: int, events: int) -> Spread:
    return exact(size * 8 / events)


def measure(settings: Settings) -> list[Bar]:
    tiled, converted = {}, {}
    for recording in recordings(settings):
        tiled[recording.name] = bits(recording.shard().stat().st_size, len(recording.events))
        if recording.source is None:
            continue
        target = settings.folder / "converted.evs"
        kind = INPUT_FORMATS.get(recording.name)
        receipt = evstore.convert(
            recording.source, target, overwrite=True, preset="fast", input_format=kind
        )
        converted[recording.name] = bits(target.stat().st_size, receipt.events)  # type: ignore[union-attr]
    dense = {name: tiled[name] for name in DENSE if name in tiled} or tiled
    bars = [
        Bar(
            "size of each recording, container included (the largest)",
            *("bits", "less", 28, 26, worst(tiled, "less"), tiled),
        ),
        Bar(
            "size of the dense recordings, container included (the largest)",
            *("bits", "less", 20, 18, worst(dense, "less"), dense),
        ),
    ]
    if converted:
        bars.append(
            Bar(
                "size of each file as it is, header and provenance kept (the largest)",
                *("bits", "less", None, None, worst(converted, "less"), converted),
                note="files of 2,000 events and more, for comparison",
            )
        )
    return bars
