"""Files that one process at a time may have for itself."""

from __future__ import annotations

import sys


def lock(handle: int) -> bool:
    """Lock an open file or folder; False where another process has it.

    The lock ends when the handle is closed, or with the process. On Windows, and on file systems
    that have no locks, nothing is locked and the answer is True.

    >>> import os, tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     lock(file.fileno())
    True
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        pass
    return True
