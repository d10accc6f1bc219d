"""Records as lines of JSON: read by anything, while the run still goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from evstore.snn.monitor.plain import plain


class JsonLines:
    """Append each record to ``path``, a JSON object a line; what is not finite is null.

    A line is written at once, whole: who reads meanwhile sees whole lines only. Where a run was
    killed amid one, the next run's records begin on a line of their own. The folder is made.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/metrics.jsonl"
    >>> with JsonLines(path) as write:
    ...     write({"kind": "step", "loss": float("nan")})
    >>> with open(path) as lines:
    ...     print(lines.read(), end="")
    {"kind": "step", "loss": null}
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        if self._file.tell():
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._write(b"\n")

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Write one record. Raises OSError where the disk is full, ValueError once closed."""
        self._write(json.dumps(plain(record), allow_nan=False).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        while line:
            line = line[self._file.write(line) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
