"""One format, fuzzed, in the process that may be lost by it: `bench.fuzz` starts this.

    python -m bench.fuzz_child MODULE FOLDER INTO --copies N --seed N --seconds S

Copies begin from the folder's vectors and bad files; those that show something new are copied in
their turn. Before a copy is read it is written to INTO, so that it is there if the process ends.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import resource
import signal
import sys
import time
import tracemalloc
from collections.abc import Hashable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType

from bench.fuzz_coverage import Lines, behaviour, sites, words
from bench.fuzz_kept import Entry, how_to_read, keep, note
from bench.fuzz_mutate import Material, changed
from bench.fuzz_packed import change_packed
from bench.fuzz_tokens import tokens
from evstore.formats import conformance, conformance_damage
from evstore.formats.conformance_case import NotConforming
from evstore.formats.conformance_damage import MEMORY, Judged
from evstore.formats.untrusted.child import BASE_MEMORY, limit

CURRENT = "current"  # the name of the copy that is being read
HANGS = 10  # times the seconds of a copy, by the clock, after which the process ends itself
MOST_KEPT = 2000  # copies that showed something new
MOST_OF_A_KIND = 66  # of what may come of a copy: every number of bits, but not every name
MOST_FAULTS = 20  # of one run, each of another kind
SAID_EVERY = 500  # copies
RECENT = 64  # of the corpus: half of the copies are made of these
PACKED = 0.5  # of the copies: changed inside what is compressed, where there is such
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


@dataclass
class Fuzz:
    """What is known so far of one format."""

    module: ModuleType
    into: Path
    current: int  # the open file of the copy that is being read
    seconds: float
    corpus: list[Entry]
    tokens: list[bytes]
    lines: Lines
    shown: dict[Hashable, set[Hashable]] = field(default_factory=dict)
    faults: dict[Hashable, str] = field(default_factory=dict)


def begin(module: ModuleType, folder: Path, into: Path, seconds: float) -> Fuzz:
    """Read all files of the folder: kernels are compiled, and what they show is not new."""
    kinds = [kind for kind in ("vectors", "bad") if (folder / kind).is_dir()]
    paths = [path for kind in kinds for path in conformance.files(folder, kind)]
    corpus = [Entry(conformance.case(path, module), path.read_bytes()) for path in paths]
    for entry in corpus:
        conformance_damage.judge(entry.case, entry.content, seconds=600.0)
    home = Path(str(module.__file__)).parent
    current = os.open(into / CURRENT, os.O_WRONLY | os.O_CREAT)
    fuzz = Fuzz(module, into, current, seconds, corpus, tokens(home), Lines(home))
    fuzz.lines.start()
    for entry in corpus:
        is_new(fuzz, conformance_damage.judge(entry.case, entry.content, seconds=600.0))
    fuzz.lines.stop()
    return fuzz


def run(fuzz: Fuzz, copies: int, seed: int) -> None:
    """Read so many copies. What is done depends on the seed alone."""
    chance = random.Random(seed)
    began = time.monotonic()
    fuzz.lines.start()
    tracemalloc.start()
    for copy in range(copies):
        entry = _copy(fuzz, chance)
        try:
            found = judged(fuzz, entry)
        except NotConforming as wrong:
            keep_fault(fuzz, entry, wrong, f"seed {seed}, copy {copy}")
            if len(fuzz.faults) >= MOST_FAULTS:
                break
        else:
            if is_new(fuzz, found) and len(fuzz.corpus) < MOST_KEPT:
                fuzz.corpus.append(entry)
        if copy % SAID_EVERY == 0:
            say(fuzz, copy + 1, time.monotonic() - began)
    say(fuzz, copy + 1, time.monotonic() - began)
    tracemalloc.stop()
    fuzz.lines.stop()


def _copy(fuzz: Fuzz, chance: random.Random) -> Entry:
    corpus = fuzz.corpus
    entry = chance.choice(corpus[-RECENT:] if chance.random() < 0.5 else corpus)
    material = Material(chance.choice(corpus).content, fuzz.tokens)

    def change(content: bytes) -> bytes:
        return changed(content, material, chance)

    packed = chance.random() < PACKED
    content = change_packed(entry.content, change, chance) if packed else None
    return Entry(entry.case, change(entry.content) if content is None else content)


def judged(fuzz: Fuzz, entry: Entry) -> Judged:
    """Read one copy under all limits. Raises NotConforming."""
    note(fuzz.current, entry)
    before = _most_memory()
    signal.setitimer(signal.ITIMER_REAL, HANGS * fuzz.seconds)
    try:
        found = conformance_damage.judge(entry.case, entry.content, fuzz.seconds)
    except NotConforming as wrong:
        # As --untrusted answers it: a library in C asks for what it is told to.
        if isinstance(wrong.__cause__, MemoryError) and getattr(fuzz.module, "C_PARSED", False):
            return Judged(None, [], None)
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    # Kernels and libraries take memory that tracemalloc does not see.
    grew = _most_memory() - before
    if grew > MEMORY + 4 * len(entry.content):
        raise NotConforming(f"the process grew by {grew:,} bytes of memory")
    return found


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def is_new(fuzz: Fuzz, found: Judged) -> bool:
    """Whether lines were run, or something came of it, as of no copy before."""
    new = fuzz.lines.took_new()
    for kind, value in behaviour(found):
        values = fuzz.shown.setdefault(kind, set())
        if value not in values and len(values) < MOST_OF_A_KIND:
            values.add(value)
            new = True
    return new


def keep_fault(fuzz: Fuzz, entry: Entry, wrong: NotConforming, where: str) -> None:
    """Write down a copy that shows a fault which no other has shown."""
    cause = wrong.__cause__
    place = list(sites(cause.__traceback__))[-1:] if cause else []
    kind = (words(str(wrong)) if cause is None else type(cause).__name__, *place)
    if kind not in fuzz.faults:
        path = fuzz.into / f"fault{len(fuzz.faults)}{entry.case.path.suffix}"
        keep(path, entry.content, how_to_read(entry.case))
        at = "{} line {}, ".format(*place[0]) if place else ""
        fuzz.faults[kind] = f"{wrong} ({at}{where}): {path}"


def say(fuzz: Fuzz, copies: int, seconds: float) -> None:
    told = {
        "copies": copies,
        "seconds": round(seconds, 1),
        "lines": len(fuzz.lines.seen),
        "kept": len(fuzz.corpus),
        "faults": list(fuzz.faults.values()),
    }
    print(json.dumps(told), flush=True)


def main(arguments: list[str]) -> int:
    """What it found goes to the output as lines of JSON, of which the last counts."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz_child")
    parser.add_argument("module")
    parser.add_argument("folder", type=Path)
    parser.add_argument("into", type=Path)
    parser.add_argument("--copies", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    said = parser.parse_args(arguments)
    faulthandler.enable()
    # A hang: the traceback, then what the signal does anyway, even inside a library.
    faulthandler.register(signal.SIGALRM, chain=True)
    fuzz = begin(import_module(said.module), said.folder, said.into, said.seconds)
    limit(BASE_MEMORY + MEMORY)
    run(fuzz, said.copies, said.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
