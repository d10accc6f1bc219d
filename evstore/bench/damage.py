"""What a bit flipped or an end cut off does to a reader, in a process of its own."""

from __future__ import annotations

import os
import random
import warnings
from typing import Any

from evstore.bench.child import Tell, said
from evstore.bench.contender import Contender
from evstore.bench.handed import ONCE, Handed
from evstore.events import Events

FLIPS = 3
CASES = (*(f"flip {number}" for number in range(1, FLIPS + 1)), "cut")
CUT_AT = 0.6
BODY = (0.05, 0.95)  # headers and ends apart
UNHARMED = "no harm"
DETECTED, SILENT, PREFIX = "detected", "silently wrong", "prefix silently"


def spoil(files: list[str], case: str, seed: int) -> None:
    """Flip a bit somewhere in the bytes of all files, or cut the largest one."""
    sizes = [os.path.getsize(path) for path in files]
    if case == "cut":
        largest = sizes.index(max(sizes))
        os.truncate(files[largest], int(CUT_AT * sizes[largest]))
        return
    chance = random.Random(f"{seed} {case}")
    low, high = (int(part * sum(sizes)) for part in BODY)
    at, bit = chance.randrange(low, max(high, low + 1)), chance.randrange(8)
    for path, size in zip(files, sizes, strict=True):
        if at < size:
            with open(path, "r+b") as file:
                file.seek(at)
                (octet,) = file.read(1)
                file.seek(at)
                file.write(bytes([octet ^ 1 << bit]))
            return
        at -= size


def work(contender: type[Contender], job: dict[str, Any], tell: Tell) -> None:
    """Write the events and read them; or, for a case, read what was spoilt and say what came.

    Warnings that the whole file brings, too, warn of nothing.
    """
    one = contender(job["folder"])
    events = Handed(job["events"], ONCE).events()
    if job.get("case") is None:
        one.write(one.take(events))
        one.keep()
    tell(doing="read")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            if not one.has_open:
                one.open()
            found = one.read()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            tell(outcome=DETECTED + recovered(one, events), why=said(error))
            return
    texts = {str(warning.message) for warning in warned}
    tell(outcome=outcome(one, found, events, bool(texts - set(job.get("usual", ())))))
    tell(warnings=sorted(texts))


def recovered(one: Contender, events: Events) -> str:
    """What more the package can do."""
    if not one.has_recover:
        return ""
    return f", recovers {len(one.recover()):,} of {len(events):,}"


def outcome(one: Contender, found: Any, events: Events, warned: bool) -> str:
    """What a read was that raised nothing."""
    try:
        got = one.events_of(found)
    except Exception:  # values that no event can have: the reader did not mind
        return SILENT
    if got == events:
        return UNHARMED
    if len(got) < len(events) and got == events[: len(got)]:
        count = f"{len(got):,} of {len(events):,}"
        return f"recovers {count}, with a warning" if warned else f"{PREFIX}, {count}"
    return f"{SILENT}, with a warning" if warned else SILENT
