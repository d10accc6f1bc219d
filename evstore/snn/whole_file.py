"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from evstore.shard.output import sync_folder


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name beside ``path`` to write to; it becomes ``path``, synced, once that went well.

    What lay at ``path`` stays until then, and where writing fails; the rest is taken away.
    """
    target = os.path.abspath(os.fspath(path))
    part = f"{target}.{os.getpid()}.part"
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise
    sync_folder(os.path.dirname(target))
