"""The first read of a process, and the memory it takes."""

from __future__ import annotations

import gc
import time
from typing import Any

from evstore.bench import measure, pco
from evstore.bench.child import Tell
from evstore.bench.contender import Contender
from evstore.bench.handed import ONCE, TILED, Handed

WARM_EVENTS = 2_000


def work(contender: type[Contender], job: dict[str, Any], tell: Tell) -> None:
    """Read a small file, so that all is imported and compiled, then the large one, once."""
    handed = Handed(job["events"], TILED if contender.tiles else ONCE)
    small = contender(job["small"])
    tell(doing="warm up")
    small.write(small.take(handed.events(WARM_EVENTS)))
    small.read()
    one = contender(job["folder"])
    if not one.has_open:
        one.open()
    gc.collect()
    measure.forget_peak()
    before = measure.peak_bytes()
    tell(doing="first read")
    started = time.perf_counter()
    found = one.read()
    seconds = time.perf_counter() - started
    after = measure.peak_bytes()
    del found
    tell(first_s=seconds, **_references(handed, seconds / job["timed_events"]))
    if before is not None and after is not None:
        tell(peak_bytes=after - before)


def _references(handed: Handed, seconds_an_event: float) -> dict[str, float]:
    """How many times as fast it was as each reference, read for the first time as well."""
    found = {"first_times_records": measure.once(handed.records)}
    packed = handed.packed()
    if packed is not None:
        pco.decompress(pco.compress(handed.events(WARM_EVENTS)))
        found["first_times_pcodec"] = measure.once(lambda: pco.decompress(packed))
    return {name: time / handed.count() / seconds_an_event for name, time in found.items()}
