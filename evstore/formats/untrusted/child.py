"""The process that parses a file which is not trusted, and sends what it finds.

Started by `parent`: FORMAT, PATH, options as JSON, "read" or "streams", bytes of memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

from numpy.typing import NDArray

from evstore.errors import EvstoreError, FormatError, TruncatedError
from evstore.formats import registry
from evstore.formats.reading import Batch, ReadOptions
from evstore.formats.sides import with_triggers
from evstore.formats.untrusted.frames import Columns, frame

#: What numba, h5py and pyarrow map before a file is looked at.
BASE_MEMORY = 4 << 30


def limit(memory: int) -> None:
    """No more than so much memory, and no files written: where the system can be told so."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(arguments: list[str], out: BinaryIO) -> None:
    """Read and send until the end, or an error, which is sent, too."""
    name, path, said, what, memory = arguments
    given: dict[str, Any] = json.loads(said)
    lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    options = ReadOptions(**lists)
    module = registry.by_name(name)
    limit(int(memory))

    def send(kind: str, told: Mapping[str, Any], tables: Columns | None = None) -> None:
        for part in frame({"kind": kind, **told}, tables or {}):
            out.write(part)
        out.flush()

    try:
        with open(path, "rb") as stream:
            if what == "streams":
                send("streams", {"names": module.streams(stream, options)})
                return
            reading = module.read(stream, options, name)
            about = {
                "format": reading.format,
                "resolution": reading.resolution,
                "header": reading.header.decode("latin-1"),
                "label": reading.label,
                "stated": reading.stated,
            }
            send("reading", {**about, "metadata": reading.metadata, "dropped": reading.dropped})
            for batch in reading.batches:
                send("batch", {"dropped": reading.dropped}, _tables(batch))
            send("end", {"metadata": reading.metadata, "dropped": reading.dropped})
    except EvstoreError as error:
        send("error", _of_error(error))
    except MemoryError:
        what = "it asks for more memory than a file of its size may"
        send("error", {"class": "CorruptError", "what": what})


def _tables(batch: Batch) -> Columns:
    columns: dict[str, NDArray[Any]] = {"t": batch.t, "x": batch.x, "y": batch.y, "p": batch.p}
    return {"": columns, **with_triggers(batch.triggers, batch.side)}


def _of_error(error: EvstoreError) -> dict[str, Any]:
    told: dict[str, Any] = {"class": type(error).__name__, "what": str(error)}
    if isinstance(error, FormatError):
        told["what"] = error.what
        told["offset"] = error.offset
        for name in ("field", "expected", "got", "hint"):
            value = getattr(error, name)
            told[name] = None if value is None else str(value)
    if isinstance(error, TruncatedError):
        told["safe_events"] = error.safe_events
    return told


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout.buffer)
