"""Where the records of a run end on disk: at its last checkpoint, once it is resumed."""

from __future__ import annotations

import os


def cut_at(path: str | os.PathLike[str], size: int) -> None:
    """Leave the first ``size`` bytes of a file, which is made where it is not.

    What a run wrote behind its last checkpoint, a resumed one writes again.
    """
    with open(path, "ab") as file:
        file.truncate(min(size, os.fstat(file.fileno()).st_size))


def size_now(path: str | os.PathLike[str]) -> int:
    """Bytes of a file, after they are on the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
