"""Write, read and compare: the sizes and times of one contender, in this process."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import Any

from evstore.bench import measure, pco
from evstore.bench.child import Tell, said
from evstore.bench.contender import Contender
from evstore.bench.handed import ONCE, TILED, Handed
from evstore.bench.truth import difference
from evstore.events import Events

WINDOWS_US = (1_000, 10_000)
WINDOWS, CHECKED = 40, 6
AGAIN_TO = 500_000  # events: a short recording is read more than once between looks at the clock
AGAIN_MOST = 50
ENCODE_ENOUGH_S = 0.7
ENCODES = 3
REFERENCE_EVENTS = 500_000
OPENS = 9
COLD = 2


def work(contender: type[Contender], job: dict[str, Any], tell: Tell) -> None:
    """All of it, told piece by piece."""
    one = contender(job["folder"])
    once = Handed(job["events"], ONCE)
    tell(doing="write")
    try:
        events = once.events()
        kept = one.take(events)
        _write(one, kept)
    # Whatever a peer raises, a panic of its runtime too, is its answer and not our end.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        tell(status="unable", why=said(error))
        return
    tell(bytes=one.size(), bits=8 * one.size() / len(events))
    try:
        right = _is_right(one, events, tell)
        handed = Handed(job["events"], TILED) if contender.tiles else once
        if contender.tiles:
            del kept
            events = handed.events(contender.most_events)
            kept = one.take(events)
            _write(one, kept)
            right = right and _is_right(one, events, tell)
        tell(timed_events=len(events))
        right = _time(one, kept, events, handed, job, tell) and right
        if right:
            tell(status="ok")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        tell(status="wrong", why=said(error))


def _write(one: Contender, kept: Any) -> float:
    shutil.rmtree(one.folder)
    os.mkdir(one.folder)
    with measure.without_waiting_for_disks():
        seconds = measure.once(partial(one.write, kept))
    one.keep()
    return seconds


def _is_right(one: Contender, events: Events, tell: Tell) -> bool:
    tell(doing="read")
    differs = difference(one.events_of(one.read()), events)
    if differs:
        tell(status="wrong", why=differs)
    return differs is None


def _time(
    one: Contender, kept: Any, events: Events, handed: Handed, job: dict[str, Any], tell: Tell
) -> bool:
    """Whether all that was read on the way was right."""
    right = True
    if one.writes:
        tell(doing="encode")
        tell(encode=_encoding(one, kept, events, job["rounds"]))
    del kept
    tell(doing="decode")
    references = _references(handed)
    tell(decode=_paired(one.read, references, len(events), handed, job["rounds"]))
    if one.has_reuse:
        tell(doing="decode into buffers")
        one.buffers()
        differs = difference(one.events_of(one.reuse()), events)
        if differs:
            tell(status="wrong", why=f"into buffers: {differs}")
            right = False
        tell(decode_reused=_paired(one.reuse, references, len(events), handed, job["rounds"]))
    if one.has_open:
        tell(doing="open")
        tell(open=measure.summary(_opening(one) for _ in range(OPENS)))
    if one.has_windows:
        tell(doing="windows")
        tell(windows=_windows(one, events, job["seed"], tell))
    tell(doing="decode from the disk")
    if measure.uncached(one.files()):
        tell(cold=measure.summary(_cold(one) for _ in range(COLD)))
    return right


def _encoding(one: Contender, kept: Any, events: Events, rounds: int) -> dict[str, Any]:
    """As often as there is time for, at least once; pcodec encodes a part after each."""
    part = events[:REFERENCE_EVENTS] if find_spec("pcodec") else events[:0]
    times: list[float] = []
    ratios: list[float] = []
    while len(times) < min(rounds, ENCODES) and sum(times) < ENCODE_ENOUGH_S:
        times.append(_write(one, kept))
        if len(part):
            reference = measure.once(partial(pco.compress, part))
            ratios.append(reference / len(part) * len(events) / times[-1])
    found: dict[str, Any] = {**measure.summary(times), "rounds": len(times)}
    if ratios:
        found["times_pcodec"] = median(ratios)
    return found


def _references(handed: Handed) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {"records": handed.records}
    packed = handed.packed()
    if packed is not None:
        found["pcodec"] = lambda: pco.decompress(packed)
    return found


def _paired(
    run: Callable[[], Any],
    references: dict[str, Callable[[], Any]],
    events: int,
    handed: Handed,
    rounds: int,
) -> dict[str, Any]:
    """Times of a run over ``events``, and how many times as fast as each reference it is."""
    again = max(1, min(AGAIN_MOST, AGAIN_TO // events))
    runs = [run, *references.values()]
    found = measure.rounds_of(rounds, *(partial(_again, one, again) for one in runs))
    result: dict[str, Any] = measure.summary(times[0] / again for times in found)
    result["rounds"] = len(found)
    for place, name in enumerate(references, 1):
        ratios = [times[place] / times[0] for times in found]
        result[f"times_{name}"] = median(ratios) * events / handed.count()
    return result


def _again(run: Callable[[], Any], times: int) -> None:
    for _ in range(times):
        run()


def _opening(one: Contender) -> float:
    seconds = measure.once(one.open)
    one.close()
    return seconds


def _cold(one: Contender) -> float:
    measure.uncached(one.files())
    return measure.once(one.read)


def places(events: Events, seed: int) -> dict[int, list[int]]:
    """Where windows of each length begin, the same for every contender."""
    chance = random.Random(seed)
    low, high = int(events.t.min()), int(events.t.max()) + 1
    return {
        length: [chance.randrange(low, high - length + 1) for _ in range(WINDOWS)]
        for length in WINDOWS_US
        if high - low >= length
    }


def _windows(one: Contender, events: Events, seed: int, tell: Tell) -> dict[str, Any]:
    """Median and 95 of 100 for each length; nothing where one of the first few is wrong."""
    found = {}
    for length, starts in places(events, seed).items():
        with _opened(one):
            differs = _first_wrong(one, events, length, starts[:CHECKED])
        if differs:
            tell(windows_why=f"a window of {length} us gives {differs}")
            return {}
        with _opened(one):  # anew: what it keeps of windows read before would help it
            times = [measure.once(partial(one.window, s, s + length)) for s in starts]
        found[str(length)] = {**measure.summary(times), "p95_s": measure.percentile(times, 0.95)}
    return found


def _first_wrong(one: Contender, events: Events, length: int, starts: list[int]) -> str | None:
    for start in starts:
        inside = (events.t >= start) & (events.t < start + length)
        got = one.events_of(one.window(start, start + length))
        if differs := difference(got, events[inside]):
            return differs
    return None


@contextmanager
def _opened(one: Contender) -> Iterator[None]:
    one.open()
    try:
        yield
    finally:
        one.close()
