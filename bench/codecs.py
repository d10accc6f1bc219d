"""Every way to keep events on every recording: `python -m bench codecs [FILE ...]`.

A FILE is a recording that evstore reads, or the name of one of the corpus; none: the corpus. Rows
that the JSON file has, of the same versions and settings, are not measured again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import evstore
from bench.codecs_results import Results
from bench.corpus import CORPUS, corpus
from bench.recordings import data_folder
from evstore import Events
from evstore.bench.contender import Contender
from evstore.bench.contenders import chosen
from evstore.bench.run import EVENTS, ROUNDS, first_events, row, task
from evstore.errors import EvstoreError

QUICK = (200_000, 2)  # events, rounds
#: Damage is done to one recording: what a reader does with it hardly depends on which.
DAMAGED = "gen3_vga_a"

Given = tuple[str, str, Events]  # name, sensor, events


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench codecs", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--events", type=int, help=f"of a tiled recording; {EVENTS:,} if not said")
    parser.add_argument("--rounds", type=int, help=f"of what is timed; {ROUNDS} if not said")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these contenders")
    parser.add_argument("--quick", action="store_true", help="few events: to try the code")
    parser.add_argument("--again", action="store_true", help="measure rows that are there, too")
    parser.add_argument("--report-only", action="store_true", help="of --json as it is")
    parser.add_argument("--seed", type=int, default=0, help="of windows and damage")
    parser.add_argument("--json", type=Path, metavar="FILE", help="rows are put in this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report there")
    parser.add_argument(
        "--chart",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.svg|.png",
        help="draw it there; may be given twice",
    )
    said = parser.parse_args(words)
    events, rounds = QUICK if said.quick else (EVENTS, ROUNDS)
    said.events, said.rounds = said.events or events, said.rounds or rounds
    if said.report_only and not (said.json and said.json.is_file()):
        parser.error("--report-only needs --json FILE")
    return said


def recordings(files: Sequence[str], most: int) -> Iterator[Given]:
    """What is to be kept, one after the other."""
    if not files:
        if data_folder() is None:
            raise SystemExit("no corpus here (EVSTORE_TEST_DATA): name files of yours")
        yield from corpus()
    for file in files:
        if not Path(file).exists() and file in CORPUS:
            yield from corpus([file])
            continue
        with evstore.open(file) as opened:
            events = first_events(opened, most)
        size = "x".join(map(str, events.resolution)) if events.resolution else "unknown"
        yield Path(file).stem, f"sensor of {size}", events


def measure(said: argparse.Namespace, results: Results) -> None:
    """Fill the rows that are not there, one by one, each saved as it comes."""
    among = chosen(said.only)
    for number, (name, sensor, events) in enumerate(recordings(said.files, said.events)):
        if not len(events):
            print(f"{name}: no events", file=sys.stderr)
            continue
        results.begin(name, sensor, events)
        damaged = name == DAMAGED or (number == 0 and DAMAGED not in (said.files or CORPUS))
        wanted = [one for one in among if said.again or not results.has(name, one, damaged)]
        if wanted:
            _rows(said, results, name, events, wanted, damaged)


def _rows(
    said: argparse.Namespace,
    results: Results,
    name: str,
    events: Events,
    wanted: Sequence[type[Contender]],
    damaged: bool,
) -> None:
    with task(events, said.events, rounds=said.rounds, seed=said.seed) as given:
        for place, contender in enumerate(wanted, 1):
            begun = f"{name}: {place} of {len(wanted)}: {contender.name}"
            print(begun, end=" ", flush=True, file=sys.stderr)
            started = time.monotonic()
            found = row(contender, given, damaged)
            results.add(name, contender, {**found, "took_s": time.monotonic() - started})
            print(told(found), flush=True, file=sys.stderr)


def told(found: dict[str, Any]) -> str:
    """A row in a few words."""
    if "decode" not in found:
        return f"{found['status']}: {found['why']}"
    speed = found["timed_events"] / found["decode"]["median_s"] / 1e6
    status = "" if found["status"] == "ok" else f" {found['status']}: {found.get('why', '')}"
    return f"{found['bits']:.2f} bits, {speed:.0f} M/s{status}"


def report(said: argparse.Namespace, results: Results) -> None:
    """Write what was asked for; where nothing was, print the Markdown."""
    from bench.codecs_report import markdown

    text = markdown(results.data)
    if said.markdown is not None:
        said.markdown.write_text(text, encoding="utf-8")
    elif not said.chart:
        print(text)
    if said.chart:
        from bench.codecs_chart import draw

        for path in said.chart:
            draw(results.data, path)


def main(words: Sequence[str] | None = None) -> int:
    said = arguments(words)
    settings = {"events": said.events, "rounds": said.rounds, "seed": said.seed}
    results = Results(said.json, **settings, quick=said.quick)
    stopped = False
    if not said.report_only:
        try:
            measure(said, results)
        except KeyboardInterrupt:
            stopped = True
            kept = f"; what is measured stays in {said.json}" if said.json else ""
            print(f"\nstopped{kept}", file=sys.stderr)
        except EvstoreError as error:
            print(f"python -m bench codecs: {error}", file=sys.stderr)
            return 2
    if results.data["rows"]:
        report(said, results)
    return 130 if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
