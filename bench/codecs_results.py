"""The rows of `bench codecs` in their file: what is there already is not measured again."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from bench.machine import machine, versions
from bench.recordings import ROOT
from evstore import Events
from evstore.bench.contender import Contender
from evstore.bench.contenders import contenders
from evstore.events import COLUMNS


class Results:
    """The file's content in ``data``: about, recordings by name, rows."""

    def __init__(self, path: Path | None, **settings: Any) -> None:
        self.path = path
        self.settings = settings
        self.data: dict[str, Any] = {"about": {}, "recordings": {}, "rows": []}
        if path is not None and path.is_file():
            self.data = json.loads(path.read_text(encoding="utf-8"))
        self._packages = packages_distributions()
        self._code = code_digest()
        self._turns = {one.name: turn for turn, one in enumerate(contenders())}

    def begin(self, name: str, sensor: str, events: Events) -> None:
        """The recording whose rows come next."""
        self.data["about"] = self.about()
        self.data["recordings"][name] = {
            "sensor": sensor,
            "events": len(events),
            "resolution": list(events.resolution) if events.resolution else None,
            "duration_us": int(events.t.max()) - int(events.t.min()) + 1,
            "checksum": checksum(events),
        }

    def about(self) -> dict[str, Any]:
        """On what and with what it is measured."""
        names = {package for one in contenders() for package in one.packages}
        peers = {name: found for name in sorted(names) if (found := self._version(name))}
        return {
            "machine": machine(),
            "versions": {**versions(), **peers},
            **self.settings,
        }

    def made_with(self, name: str, contender: type[Contender]) -> dict[str, Any]:
        """All that a row depends on."""
        depends = {package: self._version(package) for package in ("numpy", *contender.packages)}
        if contender.ours or contender.name.endswith("evstore"):
            depends["evstore"] = self._code
        return {
            **self.settings,
            "checksum": self.data["recordings"][name]["checksum"],
            "machine": machine()["processor"],
            "versions": depends,
        }

    def has(self, name: str, contender: type[Contender], damaged: bool = False) -> bool:
        """Whether this row is there, with the same versions and settings; and with damage."""
        wanted = self.made_with(name, contender)
        return any(
            row["recording"] == name
            and row["name"] == contender.name
            and row["made_with"] == wanted
            and row["status"] != "missing"
            and ("damage" in row or row["status"] != "ok" or not damaged)
            for row in self.data["rows"]
        )

    def add(self, name: str, contender: type[Contender], found: dict[str, Any]) -> None:
        """Put a row in place of one that was there, and save the file."""
        row = {**found, "recording": name, "made_with": self.made_with(name, contender)}
        others = [
            r for r in self.data["rows"] if (r["recording"], r["name"]) != (name, row["name"])
        ]
        self.data["rows"] = sorted([*others, rounded(row)], key=self._order)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_name(self.path.name + ".part")
            part.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
            os.replace(part, self.path)

    def _order(self, row: dict[str, Any]) -> tuple[int, int]:
        """Recordings as they came, contenders in the order of their turns."""
        recordings = list(self.data["recordings"])
        return recordings.index(row["recording"]), self._turns.get(row["name"], len(self._turns))

    def _version(self, package: str) -> str | None:
        for name in self._packages.get(package, [package]):
            try:
                return version(name)
            except PackageNotFoundError:
                continue
        return None


def checksum(events: Events) -> int:
    """Tells one recording from another."""
    found = 0
    for name in COLUMNS:
        found = zlib.crc32(getattr(events, name).tobytes(), found)
    return found


def code_digest() -> str:
    """Of evstore's source: its version stays while it changes."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "evstore").rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def rounded(value: Any) -> Any:
    """Five digits that count: no measured time has more."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value
