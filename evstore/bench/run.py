"""Let contenders keep the same events, each in a process of its own, and gather their rows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from evstore.bench import damage, process
from evstore.bench.contender import Contender
from evstore.bench.contenders import contenders
from evstore.bench.handed import ONCE, TILED, hand_over
from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.recording.base import Recording

EVENTS, ROUNDS = 4_000_000, 5
DAMAGE_S = 20.0
DAMAGE_MEMORY = 12 << 30
#: Above what any sound format needs; a writer that goes beyond is stopped.
BYTES_AN_EVENT, BYTES_MORE = 64, 64 << 20


@dataclass(frozen=True)
class Task:
    """Events in a folder, to be kept by one contender after the other."""

    folder: str
    counts: dict[str, int]  # events as they are, and tiled where they are
    rounds: int = ROUNDS
    seed: int = 0
    timeout_s: float = process.TIMEOUT_S

    def job(
        self, contender: type[Contender], work: str, folder: str, **more: Any
    ) -> dict[str, Any]:
        """What a process is told."""
        return {
            "module": contender.__module__,
            "name": contender.name,
            "work": work,
            "folder": folder,
            "events": self.folder,
            "rounds": self.rounds,
            "seed": self.seed,
            "most_bytes": BYTES_MORE + BYTES_AN_EVENT * max(self.counts.values()),
            **more,
        }


@contextmanager
def task(events: Events, tiled_events: int, **settings: Any) -> Iterator[Task]:
    """Hand the events over, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="evstore-bench-") as folder:
        yield Task(folder, hand_over(folder, events, tiled_events), **settings)


def bench(
    recording: Recording,
    *,
    most_events: int = EVENTS,
    rounds: int = ROUNDS,
    among: Sequence[type[Contender]] | None = None,
    damaged: bool = False,
    seed: int = 0,
    say: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Sizes and times of a recording's first ``most_events`` events, kept in different ways.

    Sizes are of the events as they are; where they are fewer, times are of the recording again
    and again. See `row` for what is said of each contender. ``say`` is told the name of each as
    its turn comes.

    Raises ArgumentError where there are no events.
    """
    events = first_events(recording, most_events)
    if not len(events):
        raise ArgumentError(f"{recording.path}: has no events to measure")
    rows = []
    with task(events, most_events, rounds=rounds, seed=seed) as given:
        for contender in contenders() if among is None else among:
            say(contender.name)
            rows.append(row(contender, given, damaged))
    return {
        "path": recording.path,
        "events": len(events),
        "timed_events": given.counts.get(TILED, len(events)),
        "resolution": list(events.resolution) if events.resolution else None,
        "duration_us": int(events.t.max()) + 1 - int(events.t.min()),
        "seed": seed,
        "rows": rows,
    }


def first_events(recording: Recording, most: int) -> Events:
    """At most so many events of a recording's beginning, in one piece."""
    parts, count = [], 0
    for batch in recording.batches():
        parts.append(batch[: most - count])
        count += len(parts[-1])
        if count >= most:
            break
    events = Events.concatenate(parts)
    events.resolution = recording.resolution
    return events


def row(contender: type[Contender], given: Task, damaged: bool = False) -> dict[str, Any]:
    """All that is found of one contender.

    ``status`` is ok; wrong, where other events came back; unable, where the format cannot hold
    them; missing, where a package is not installed; crash or hang, where its process came to such
    an end. ``why`` says more. Times are medians on one processor, from the page cache unless said
    otherwise, and also ratios against two references in the same process: ``times_records``
    (np.fromfile of packed records) and ``times_pcodec`` (pcodec 8 in memory), above 1 where the
    contender is faster.
    """
    about: dict[str, Any] = {"name": contender.name, "family": contender.family}
    about |= {"ours": contender.ours, "note": contender.note}
    about["tiled"] = contender.tiles and TILED in given.counts
    why = contender.missing()
    if why is not None:
        return {**about, "status": "missing", "why": why}
    with tempfile.TemporaryDirectory(prefix="evstore-bench-") as folder:
        files = os.path.join(folder, "files")
        os.mkdir(files)
        found = process.run(given.job(contender, "speed", files), given.timeout_s)
        found.pop("doing")
        found["status"] = found.pop("ended", None) or found["status"]
        if found["status"] == "ok":
            found |= _first_reads(contender, given, files)
            if damaged:
                found["damage"] = _damage(contender, given)
    return {**about, **found}


def _first_reads(contender: type[Contender], given: Task, files: str) -> dict[str, Any]:
    """Medians over processes; nothing where one of them does not end well."""
    timed = given.counts.get(TILED, given.counts[ONCE]) if contender.tiles else given.counts[ONCE]
    timed = min(timed, contender.most_events or timed)
    found = []
    for _ in range(min(contender.first_reads, given.rounds)):
        with tempfile.TemporaryDirectory(prefix="evstore-bench-") as small:
            job = given.job(contender, "fresh", files, small=small, timed_events=timed)
            told = process.run(job, given.timeout_s)
        if "ended" in told:
            return {"first_why": f"{told['ended']}: {told['why']}"}
        told.pop("doing")
        found.append(told)
    return {key: median(one[key] for one in found) for key in found[0]}


def _damage(contender: type[Contender], given: Task) -> dict[str, Any]:
    """{case: outcome}"""
    found = {}
    with tempfile.TemporaryDirectory(prefix="evstore-bench-") as folder:
        whole = os.path.join(folder, "whole")
        os.mkdir(whole)
        told = process.run(given.job(contender, "damage", whole), given.timeout_s)
        if "ended" in told:
            return {}
        more = {"most_memory": DAMAGE_MEMORY, "usual": told["warnings"]}
        for case in damage.CASES:
            spoilt = os.path.join(folder, "spoilt")
            shutil.copytree(whole, spoilt)
            damage.spoil(contender(spoilt).files(), case, given.seed)
            told = process.run(given.job(contender, "damage", spoilt, case=case, **more), DAMAGE_S)
            found[case] = told.get("outcome") or told["ended"]
            shutil.rmtree(spoilt)
    return found
