"""Save what is whole of a damaged or cut file: a shard, or a foreign file that ends early."""

from __future__ import annotations

import os

from evstore.errors import TruncatedError
from evstore.events import Events
from evstore.formats.sides import with_triggers
from evstore.recording.base import Recording
from evstore.recording.foreign import ForeignRecording
from evstore.recording.opening import is_shard, open_all
from evstore.shard.address import split_address
from evstore.shard.recover import Recovery, recover_shard
from evstore.shard.writer import ShardWriter, whole_shard


def recover(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    **said: object,
) -> Recovery:
    """Write a new shard of all that is whole in ``path``; ``said`` as for `evstore.open`.

    A shard gives every complete chunk, each in its recording, whether or not it has an index.
    A foreign file gives every event before the place where it ends.
    """
    name, _ = split_address(os.fspath(path))
    if said.get("input_format") in (None, "evs") and is_shard(name):
        return recover_shard(name, out, overwrite)
    recordings = open_all(path, **said)
    try:
        return _recover_foreign(recordings, out, overwrite)
    finally:
        for recording in recordings:
            recording.close()


def _recover_foreign(
    recordings: list[Recording], out: str | os.PathLike[str], overwrite: bool
) -> Recovery:
    report = Recovery(recordings=len(recordings))
    with whole_shard(out, overwrite=overwrite) as shard:
        for recording in recordings:
            assert isinstance(recording, ForeignRecording)
            _copy(recording, shard, report)
        report.chunks = sum(info.n_chunks for info in shard.done)
    return report


def _copy(recording: ForeignRecording, shard: ShardWriter, report: Recovery) -> None:
    """What is whole of a recording."""
    source = {"name": os.path.basename(recording.path), "format": recording.format}
    writer = shard.recording(
        recording.id,
        resolution=None if recording.grows else recording.stated_resolution,
        label=recording.label,
        metadata={**recording.metadata, "source": source},
    )
    try:
        for batch in recording.raw_batches():
            for stream, table in with_triggers(batch.triggers, batch.side).items():
                writer.append_rows(stream, table)
            writer.write(Events.of(*batch[:4]))
    except TruncatedError as error:
        report.problems.append(str(error))
        writer.metadata["recovered"] = {"end": "lost"}
    if recording.dropped:
        writer.metadata["dropped"] = dict(recording.dropped)
    if recording.grows and recording.resolution_so_far is not None:
        writer.state_resolution(recording.resolution_so_far)
    writer.close()
    report.events += writer.n_events
