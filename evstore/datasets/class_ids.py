"""Class ids of labelled times and boxes, held against the names of a dataset's classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from evstore.errors import CorruptError
from evstore.formats.sides import Table
from evstore.recording.in_shard import ShardRecording
from evstore.shard.reader import RecordingReader

NO_CLASS = -1  # of boxes whose table states none

#: The side streams that have class ids, what a row of each is called, and the least id.
STREAMS = {"labels": ("interval", 0), "boxes": ("box", NO_CLASS)}


def check_class_ids(
    stream: str, tables: Iterable[Table], classes: Sequence[str] | None, first_class: int = 0
) -> None:
    """Raise CorruptError for the first class id that is the number of none of the classes.

    ``tables``: the rows of the stream, in pieces, their ids counting from 0. ``first_class``: the
    number that the first class has where they come from, for the error. Where the classes have no
    names any number may be one.
    """
    if classes is None:
        return
    row, least = STREAMS[stream]
    before = 0
    for table in tables:
        ids = np.asarray(table.get("class_id", ()))
        wrong = (ids < least) | (ids >= len(classes))
        if wrong.any():
            k = int(np.argmax(wrong))
            raise CorruptError(
                f"{row} {before + k:,} is of a class that there is not",
                field="class_id",
                expected=f"{first_class} to {first_class + len(classes) - 1}: {_shown(classes)}",
                got=int(ids[k]) + first_class,
            )
        before += ids.size


def check_recording(
    recording: ShardRecording | RecordingReader, classes: Sequence[str] | None
) -> None:
    """Raise CorruptError where a recording of a shard has a class id that is no class's."""
    for stream in STREAMS if classes is not None else ():
        if stream not in recording.info.side:
            continue
        try:
            check_class_ids(stream, recording.side_tables(stream), classes)
        except CorruptError as error:
            error.what = f"recording {recording.info.id!r}: {error.what}"
            raise


def _shown(classes: Sequence[Any]) -> str:
    names = ", ".join(map(str, classes))
    return names if len(names) <= 80 else f"{names[:77]}..."
