"""The vectors and bad files of formats/, and how tests read them."""

from __future__ import annotations

from pathlib import Path

from conftest import ROOT
from evstore.formats import conformance
from evstore.formats.conformance import (  # noqa: F401 - what tests of formats take from here
    COLUMNS,
    DIGESTS,
    Case,
    Decoded,
    case,
    consume,
    join,
)
from evstore.formats.reading import ReadOptions  # noqa: F401

FORMATS = ROOT / "formats"

# Folders that hold no events, and so have no format module.
NO_EVENTS = {"speck_config"}

# Shards are read by evstore.shard; their vectors and bad files have tests of their own.
SHARDS = {"evs"}


def folders() -> list[Path]:
    found = (path for path in FORMATS.iterdir() if path.is_dir() and path.name not in NO_EVENTS)
    return sorted(found)


def files(kind: str) -> list[Path]:
    """All files of every format's vectors/ or bad/, without what is said about them."""
    of_events = [folder for folder in folders() if folder.name not in SHARDS]
    return [path for folder in of_events for path in conformance.files(folder, kind)]


def name_of(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.name}"
