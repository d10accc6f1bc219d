"""What the scripts that make vectors share: a file, and beside it what it must decode to.

Nothing of evstore is imported, so that an error in a reader cannot hide in its vectors.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FORMATS = Path(__file__).resolve().parent.parent / "formats"
PROVENANCE = f"made by tools/{Path(sys.argv[0]).name}"

Event = tuple[int, int, int, int]


def vector(
    format_name: str,
    file_name: str,
    content: bytes,
    events: list[Event],
    resolution: tuple[int, int] | None,
    triggers: list[tuple[int, int, int]] | None = None,
    **more: Any,
) -> None:
    path = FORMATS / format_name / "vectors" / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    expect(path, events, resolution, triggers, **more)


def expect(
    path: Path,
    events: list[Event],
    resolution: tuple[int, int] | None,
    triggers: list[tuple[int, int, int]] | None = None,
    **more: Any,
) -> None:
    """What a vector must decode to, beside it."""
    expected: dict[str, Any] = {
        "format": path.parent.parent.name,
        "events": len(events),
        "resolution": list(resolution) if resolution else None,
    }
    for k, name in enumerate("txyp"):
        expected[name] = [event[k] for event in events]
    if triggers:
        expected["triggers"] = {n: [e[k] for e in triggers] for k, n in enumerate(("t", "id", "p"))}
    expected.update(more)
    expected["provenance"] = PROVENANCE
    path.with_suffix(".json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


def bad(format_name: str, file_name: str, content: bytes, **how: Any) -> None:
    path = FORMATS / format_name / "bad" / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if how:
        path.with_suffix(".json").write_text(json.dumps(how) + "\n", encoding="utf-8")


def write_bad(folder: str, rows: list[tuple[str, bytes, str, str, str, dict[str, Any]]]) -> None:
    """Bad files and their table: name, content, error, words, why, options."""
    table = "# Bad files\n\n| file | error | words in the message | why |\n|---|---|---|---|\n"
    for name, content, error, words, why, options in rows:
        bad(folder, name, content, **({"options": options} if options else {}))
        table += f"| `{name}` | {error} | {words} | {why} |\n"
    (FORMATS / folder / "bad" / "README.md").write_text(table, encoding="utf-8")
