"""Hot pixels of each recording, found before it is converted: into its metadata, or left out."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import Any

from evstore.conversion.job import Job, Options
from evstore.conversion.plan import output_format
from evstore.errors import ArgumentError
from evstore.noise.masks import HOT_PIXELS, mask_to_metadata
from evstore.recording.base import Recording
from evstore.recording.in_shard import ShardRecording
from evstore.recording.opening import open_all
from evstore.recording.stream import is_pipe
from evstore.selection import Selection
from evstore.shard.address import split_address


@dataclass(frozen=True)
class HotPixelRule:
    """Which pixels are hot: those of a recording's own, or ``pixels``, learned from another.

    ``drop``: their events are left out, beside naming them.
    """

    min_rate_hz: float = 50.0
    drop: bool = False
    learned_from: str | None = None
    pixels: tuple[tuple[int, int], ...] | None = None

    def asked(self) -> dict[str, Any]:
        """What makes it give another mask, as JSON; pixels by a digest, since the mask has them."""
        found: dict[str, Any] = {"min_rate_hz": self.min_rate_hz, "drop": self.drop}
        if self.pixels is not None:
            digest = hashlib.sha256(repr(sorted(self.pixels)).encode()).hexdigest()
            found |= {"learned_from": self.learned_from, "pixels": digest}
        return found


def find(recording: Recording, selection: Selection, min_rate_hz: float) -> Any:
    """Rows (x, y) of a recording's hot pixels; none where it has no events."""
    from evstore.noise import find_hot_pixels

    if recording.resolution is None:
        return ()
    batches = recording.batches(selection)
    return find_hot_pixels(batches, recording.resolution, min_rate_hz=min_rate_hz)


def check_can_be_done(job: Job, options: Options) -> None:
    """Raises ArgumentError for a target that keeps no mask, and a source that is read but once."""
    rule = options.hot_pixel_rule
    if rule is None:
        return
    kind = output_format(job.target, options)
    if kind != "evs" and not rule.drop:
        raise ArgumentError(
            f"{job.target}: {kind} has no place for a mask of hot pixels: write a shard (.evs), or "
            "leave their events out (--drop)"
        )
    if rule.pixels is None and is_pipe(job.source):
        raise ArgumentError(
            f"{job.source}: is read twice for its hot pixels, which a pipe cannot be: convert it "
            "to a shard first, or learn them from another recording (--of)"
        )


def each_its_own(job: Job, options: Options, count: int) -> list[Options]:
    """The options of each of a source's recordings, with its mask where masks are asked for."""
    rule = options.hot_pixel_rule
    if rule is None:
        return [options] * count
    found = []
    recordings = open_all(job.source, **options.said())
    try:
        for recording in recordings:
            found.append(_masked(recording, job, options, rule))
            recording.close()  # a file may hold thousands
    finally:
        for recording in recordings:
            recording.close()
    return found


def _masked(recording: Recording, job: Job, options: Options, rule: HotPixelRule) -> Options:
    from evstore.noise import HotPixelMask

    if rule.pixels is None:
        pixels = find(recording, options.selection, rule.min_rate_hz)
    else:
        pixels = rule.pixels
    size = recording.resolution
    if size is None:  # no event has told it: there are none to leave out
        pixels = ()
    own = os.path.basename(split_address(job.source)[0])
    said: dict[str, Any] = {
        HOT_PIXELS: mask_to_metadata(
            pixels,
            size or (1, 1),
            learned_from=own if rule.pixels is None else rule.learned_from,
            rule=f"{rule.min_rate_hz:g} Hz or more beyond the pixels around, most of the time",
        )
    }
    transform = HotPixelMask(pixels) if rule.drop and len(pixels) else None
    if transform is not None:  # whose pixels the mask has
        ours = isinstance(recording, ShardRecording)  # a foreign header may say anything
        before = recording.metadata.get("noise", []) if ours else []
        done = {"seed": 0, "steps": [{"step": "hot-pixel-mask"}]}
        said["noise"] = [*(before if isinstance(before, list) else [before]), done]
    return replace(options, transform=transform, metadata={**options.metadata, **said})
