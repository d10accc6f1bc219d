"""What a recording in a shard is called on a command line and in messages: ``shard.evs#id``.

And the file that lists the shards of a folder.
"""

from __future__ import annotations

import os

#: The file that makes a folder of shards a dataset.
MANIFEST = "manifest.parquet"


def address(path: str, id: str) -> str:
    """The file's name alone where the recording has no id.

    >>> address("many.evs", "train/3"), address("one.evs", "")
    ('many.evs#train/3', 'one.evs')
    """
    return f"{path}#{id}" if id else path


def split_address(path: str) -> tuple[str, str | None]:
    """(file, recording id) of ``shard.evs#id``; a file that exists under the whole name wins.

    >>> split_address("many.evs#train/3/00123")
    ('many.evs', 'train/3/00123')
    """
    if "#" in path and not os.path.exists(path):
        name, _, id = path.partition("#")
        if os.path.exists(name):
            return name, id
        if name.endswith((".evs", ".evs.part")):
            return name, id
    return path, None
