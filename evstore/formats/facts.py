"""How well each format is read and written, as its module says; `evstore formats` shows it.

Beside what the registry asks for (`registry.ATTRIBUTES`), a module may say:

- ``KEEPS``: what is kept beside events: side streams, and "label".
- ``TAKES``: side streams that its writer takes.
- ``CHECKED``: what its reader or writer is tested against, beside vectors made here: "files" of
  others, whose events other decoders gave, and packages, which read or write it too.
- ``ASKS``: options that it may need, since a file cannot say it all.
- ``RESTORES``: how a recording of another camera's or package's software comes back: "event for
  event" unless it says more. A conversion tells it of each file.
- ``MEMORY``: where that is not bounded by a few megabytes whatever the file's size.
- ``C_PARSED``: a library in C parses it, which ``--untrusted`` runs in a process of its own.

Tests hold what evstore's own modules say.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

FILES = "files"


def facts(module: ModuleType) -> dict[str, Any]:
    """What is known of a format, as JSON values."""
    shard = module.NAME == "evs"
    writes = bool(module.WRITES) or shard
    takes = list(getattr(module, "TAKES", ()))
    checked = list(getattr(module, "CHECKED", ()))
    return {
        "name": module.NAME,
        "names": list(module.INPUT_FORMATS),
        "title": module.TITLE,
        "suffixes": list(module.SUFFIXES),
        "reads": True,
        "writes": writes,
        "restores": getattr(module, "RESTORES", "event for event")
        if writes and not shard
        else None,
        "keeps": list(getattr(module, "KEEPS", ())),
        "takes": [stream for stream in takes if stream != "image_bytes"],
        "several_streams": shard or hasattr(module, "streams"),
        "seeks_by_time": shard,  # of other files, all that comes before is read
        "pipe": not module.SEEKS,
        "by_content": not getattr(module, "NEEDS_SUFFIX", False),
        "c_parsed": bool(getattr(module, "C_PARSED", False)),
        "memory": getattr(module, "MEMORY", "bounded"),
        "asks": list(getattr(module, "ASKS", ())),
        "files_of_others": FILES in checked,
        "packages": [name for name in checked if name != FILES],
        "spec": f"formats/{module.NAME}/SPEC.md",
    }
