"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import os

from evstore.shard.output import part_file


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` beside ``path``, and give it that name once it is on the disk.

    What lay at ``path`` stays until then, and where writing fails; the rest is taken away. Raises
    OSError; ArgumentError for a folder, and where another process is writing ``path``.
    """
    with part_file(path) as part:
        part.append([content])
