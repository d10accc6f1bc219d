#!/usr/bin/env python3
"""Make the vectors and bad files of formats/evs that are not there yet.

A vector is what version 0.1 wrote, kept as it is: readers of later versions must still give
the events beside it, which stand here and in the JSON, not in the shard alone. So nothing is
written over what exists; a commit that drops golden files of 0.x says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import xxhash

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from evstore.events import Events  # noqa: E402
from evstore.shard import index, index_records, layout  # noqa: E402
from evstore.shard.chunks import parse_chunk  # noqa: E402
from evstore.shard.shard import Shard  # noqa: E402
from evstore.shard.writer import ShardWriter  # noqa: E402

FOLDER = ROOT / "formats" / "evs"
VERSION = "0.1"
PROVENANCE = "made by tools/make_vectors_evs.py"
MIN_T, MAX_T = -(1 << 63), (1 << 63) - 1

Event = tuple[int, int, int, int]


@dataclass
class Said:
    """A recording as it is given to the writer."""

    events: list[Event]
    id: str = ""
    resolution: tuple[int, int] | None = None
    label: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    part: int = 0
    first_event: int = 0
    triggers: list[tuple[int, int, int]] = field(default_factory=list)
    labels: list[tuple[int, int, int]] = field(default_factory=list)


def columns(rows: Iterable[tuple[int, ...]], names: str) -> dict[str, list[int]]:
    rows = list(rows)
    return {name: [row[k] for row in rows] for k, name in enumerate(names.split())}


def write(path: Path, recordings: list[Said], step: int, **options: Any) -> None:
    """Recordings, ``step`` events of each in turn."""
    with ShardWriter(path, flush_s=None, overwrite=True, **options) as shard:
        writers = [
            shard.recording(
                said.id,
                resolution=said.resolution,
                label=said.label,
                metadata=said.metadata,
                part=said.part,
                first_event=said.first_event,
            )
            for said in recordings
        ]
        longest = max((len(said.events) for said in recordings), default=0)
        for start in range(0, longest, step):
            for writer, said in zip(writers, recordings, strict=True):
                writer.write(Events(**columns(said.events[start : start + step], "t x y p")))
        for writer, said in zip(writers, recordings, strict=True):
            if said.triggers:
                writer.trigger(*columns(said.triggers, "t id p").values())
            if said.labels:
                start, stop, kind = columns(said.labels, "t_start t_stop class_id").values()
                writer.label(kind, start, stop)
            writer.close()


def vector(features: str, *recordings: Said, step: int = 1 << 30, **options: Any) -> None:
    path = FOLDER / "vectors" / f"{features}-{VERSION}.evs"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, list(recordings), step, **{"preset": "fast", **options})
    expected = {
        "format": "evs",
        "recordings": [
            {
                "id": said.id,
                "resolution": list(said.resolution) if said.resolution else None,
                "label": said.label,
                "metadata": said.metadata,
                "part": said.part,
                "first_event": said.first_event,
                **columns(said.events, "t x y p"),
                "triggers": columns(said.triggers, "t id p"),
                "labels": columns(said.labels, "t_start t_stop class_id"),
            }
            for said in recordings
        ],
        "provenance": PROVENANCE,
    }
    path.with_suffix(".json").write_text(json.dumps(expected) + "\n", encoding="utf-8")
    print(path.relative_to(ROOT), path.stat().st_size)


def plain(n: int, seed: int = 1) -> list[Event]:
    """Events of no meaning, from a fixed congruence: the same on every machine."""
    events, t, state = [], 0, seed
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        t += state >> 62
        events.append((t, (state >> 40) % 34, (state >> 20) % 34, state >> 55 & 1))
    return events


def runs(n: int) -> list[Event]:
    """Rows as a sensor reads them out: y stands still for 20 events, and jumps once, far."""
    return [
        (k // 7, k * 3 % 64, 65_535 if k == 500 else k // 20 % 48, k // 100 % 2) for k in range(n)
    ]


def drawn(n: int, bounds: tuple[int, ...], seed: int = 1) -> list[tuple[int, ...]]:
    """Numbers below the bounds, from a fixed congruence as those of ``plain``."""
    found, state = [], seed
    for _ in range(n):
        row = []
        for bound in bounds:
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            row.append((state >> 32) % bound)
        found.append(tuple(row))
    return found


def read_out_rows(n: int) -> list[Event]:
    """A sensor that is read out by rows: y moves on a little, one row has a few events."""
    events, t, y = [], 0, 0
    for d, up, x, p in drawn(n, (3, 12, 320, 2)):
        t, y = t + d, (y + (up == 0)) % 240
        events.append((t, x, y, p))
    return events


def edges(n: int) -> list[Event]:
    """Edges that move along rows: x goes on by a few, and p stays for a while."""
    events, t, x, y, on = [], 0, 0, 0, 0
    for d, far, over, up, turn in drawn(n, (9, 3, 25, 60, 40)):
        t, x = t + 10 * (d == 0), (x + 1 + far) % 640
        y = (y + 1 + up) % 480 if over == 0 else y
        on ^= int(turn == 0)
        events.append((t, x, y, on))
    return events


def hot_places(n: int) -> list[Event]:
    """Sixty places anywhere, each with a polarity that it seldom leaves."""
    places = drawn(60, (1280, 720, 2), 7)
    events, t = [], 0
    for d, k, other in drawn(n, (2000, 60, 12)):
        t += d
        x, y, p = places[k]
        events.append((t, x, y, p ^ (other == 0)))
    return events


def scattered_runs(n: int) -> list[Event]:
    """Runs of events in a row, of rows anywhere."""
    events, t, x, y = [], 0, 0, 0
    for d, far, over, row, p in drawn(n, (9, 3, 10, 1024, 2)):
        t, x, y = t + d, (x + 1 + far) % 1024, row if over == 0 else y
        events.append((t, x, y, p))
    return events


def turned(events: list[Event]) -> list[Event]:
    return [(t, y, x, p) for t, x, y, p in events]


def make_vectors_of_codec_2() -> None:
    """One form each, and what comes with any of them."""

    def balanced(features: str, events: list[Event], **options: Any) -> None:
        vector(features, Said(events), preset="balanced", **options)

    rows = read_out_rows(1500)
    noisy = [(t, x, y, p) for (t, x, _, _), (_, _, y, p) in zip(edges(1500), rows, strict=True)]
    balanced("modelled_steps", rows)
    balanced("modelled_steps_swapped", turned(rows))
    halves = [(t, x, y + 200 * (k // 150 % 2), 0) for k, (t, x, y, _) in enumerate(rows[:900])]
    balanced("modelled_empty_bands", halves)
    balanced("modelled_near", noisy)
    balanced("modelled_near_swapped", turned(noisy))
    balanced("modelled_tokens", [(t, x, y, y // 2 % 2) for t, x, y, _ in edges(1500)])
    balanced("modelled_map", hot_places(1500))
    balanced(
        "modelled_map_swapped", [(t, x % 256, y % 8 * 32, p) for t, x, y, p in hot_places(900)]
    )
    balanced("modelled_map_near", scattered_runs(1500))
    one_on = [(t, x, y, 1) for t, x, y, _ in edges(1500)]
    balanced("modelled_map_near_swapped", turned(one_on))
    back = [(t - 40 * (k % 30 == 29), *rest) for k, (t, *rest) in enumerate(rows[:600])]
    balanced("modelled_steps_back", back)
    gaps = [(t + 10**12 * (k // 90), *rest) for k, (t, *rest) in enumerate(rows[:600])]
    balanced("modelled_gaps", gaps)
    ends = [MIN_T, MAX_T, -1, 0, MAX_T - 1, MIN_T]
    any_times = [(ends[k // 300], *rest) for k, (_, *rest) in enumerate(rows)]
    balanced("modelled_any_times", any_times)
    places = drawn(400, (9, 65_536, 65_536))
    corners = [(0, 0, 0), (0, 65_535, 65_535), (0, 0, 65_535), (0, 65_535, 0)]
    everywhere = [(5 * k, x, y, 0) for k, (_, x, y) in enumerate(corners + places)]
    balanced("modelled_any_places", everywhere)
    balanced("modelled_ticks", [(1000 * t - 7, x, y, p) for t, x, y, p in rows[:500]])
    balanced("modelled_chunks", rows, chunk_events=400)


def make_vectors() -> None:
    vector("plain", Said(plain(200), resolution=(34, 34)))
    vector("example", Said([(1000, 5, 7, 1), (1001, 6, 7, 0), (1003, 5, 7, 0), (1003, 9, 7, 1)]))
    vector("no_recordings")
    vector("no_events", Said([], id="empty", resolution=(640, 480), label="nothing"))
    vector("one_event", Said([(MIN_T, 65_535, 0, 1)]))
    two_blocks = [(t, x, y, 1) for t, x, y, _ in plain(1024)] + plain(1025)[1024:]
    vector("two_blocks", Said(two_blocks, resolution=(34, 34)))
    vector("chunks", Said(plain(1000), resolution=(34, 34)), chunk_events=300)
    with mock.patch("evstore.shard.recording_writer.PAGE_CHUNKS", 2):
        pages = [Said(plain(100), id="long"), Said(plain(15, 2), id="short")]
        vector("pages", *pages, chunk_events=20)
    many = [Said(plain(70 + k, k), f"train/{k}", (34, 34), k % 2) for k in range(3)]
    many.append(Said(plain(9), "unsized", None, {"name": "walk", "classes": [1, 2]}))
    vector("interleaved", *many, step=25, chunk_events=30)

    back = [(t - (40 if k % 30 == 29 else 0), x, y, p) for k, (t, x, y, p) in enumerate(plain(300))]
    vector("time_steps_back", Said(back, resolution=(34, 34)))
    gaps = [
        (t + 10**6 * (k // 90) + (1 << 40) * (k > 200), x, y, p)
        for k, (t, x, y, p) in enumerate(plain(300))
    ]
    vector("time_gaps", Said(gaps, resolution=(34, 34)))
    ends = [MIN_T, MAX_T, -1, 0, 1, MIN_T + 1, MAX_T - 1, 0]
    far = [(ends[k % 8], (k * 40_503) % 65_536, (k * 65_521) % 65_536, k % 2) for k in range(80)]
    vector("any_values", Said(far))
    vector("runs", Said(runs(1200)))

    triggers = [(5, 0, 1), (-7, 255, 0), (1 << 50, 3, 1)]
    labels = [(0, 50, 7), (50, 60, -1)]
    vector("side_streams", Said(plain(40), triggers=triggers, labels=labels, resolution=(34, 34)))
    header = "% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n"
    source = {"name": "café.raw", "size": 12, "header": header}
    about = {"source": source, "dropped": {"others_words": 3}, "origin": "top left"}
    vector("metadata", Said(plain(10), "drive", (1280, 720), metadata=about))
    vector("part", Said(plain(50), "long", part=3, first_event=1 << 40))

    path = FOLDER / "vectors" / f"optional_record-{VERSION}.evs"
    if not path.exists():
        vector("optional_record", Said(plain(30)))
        path.write_bytes(before_directory(path.read_bytes(), layout.frame(b"z", b"of the future")))


# ------------------------------------------------------------------------------ bad files


def bad(name: str, content: bytes) -> None:
    path = FOLDER / "bad" / f"{name}.evs"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(path.relative_to(ROOT), len(content))


def before_directory(data: bytes, more: bytes) -> bytes:
    at = int.from_bytes(data[-40:-32], "little")
    directory = data[at:-40]
    return data[:at] + more + directory + layout.footer_bytes(at + len(more), len(directory))


def checked(data: bytes, at: int, change: Callable[[bytearray], None]) -> bytes:
    """A record's body changed, and its check made to fit."""
    record = layout.parse_record(data, at)
    body = bytearray(record.body)
    change(body)
    framed = data[at : record.body_offset] + bytes(body)
    size = layout.CHECK_SIZE.get(record.kind, 8)
    check = xxhash.xxh3_64_intdigest(framed).to_bytes(8, "little")[:size]
    return data[:at] + framed + check + data[at + record.size :]


def forged(
    path: Path,
    chunk: dict[str, Any] | None = None,
    recording: dict[str, Any] | None = None,
    page: dict[str, Any] | None = None,
    rows: int = 1,
) -> bytes:
    """The shard with an index that says something else, under checks that fit."""
    with Shard(path) as shard:
        first = shard.page(0)[0]._replace(**chunk or {})
        chunks = [first._replace(first_event=k * first.count) for k in range(rows)]
        pages, recordings = shard.pages, shard.recordings
    data = path.read_bytes()
    at = pages[0].offset
    record = index_records.page_record(chunks)
    new = index.PageInfo(at, len(record), pages[0].recording, *index.summary(chunks))
    new = new._replace(**page or {})
    directory = index_records.directory_record([replace(recordings[0], **recording or {})], [new])
    start = data[:at] + record
    return start + directory + layout.footer_bytes(len(start), len(directory))


def set_words(start: int, **words: int) -> Callable[[bytearray], None]:
    """Set 16-bit words of a payload that starts at ``start`` of its record's body."""

    def change(body: bytearray) -> None:
        for name, value in words.items():
            at = start + 2 * int(name[1:])
            body[at : at + 2] = value.to_bytes(2, "little")

    return change


def make_bad() -> None:
    path = FOLDER / "vectors" / f"plain-{VERSION}.evs"
    data = path.read_bytes()
    with Shard(path) as shard:
        chunk = shard.page(0)[0]
        page = shard.pages[0].offset
    at = chunk.offset
    record = layout.parse_record(data, at)
    payload = len(record.body) - len(parse_chunk(record)[1])
    middle = at + chunk.size // 2

    bad("text", b"t,x,y,p\n" + b"1000,5,7,1\n" * 20)
    bad("zeros", bytes(200))
    bad("newlines", data.replace(b"\r\n", b"\n"))
    newer = layout.HEADER.pack(layout.MAGIC, 1, 0, 0)
    newer += xxhash.xxh3_64_intdigest(newer).to_bytes(8, "little")[:4]
    bad("major_version", newer + data[16:])
    bad("cut_in_header", data[:9])
    bad("cut_in_chunk", data[:middle])
    bad("cut_after_chunk", data[: at + chunk.size])
    bad("cut_in_footer", data[:-1])
    bad("flipped_in_header", data[:10] + b"\x01" + data[11:])
    bad("flipped_in_chunk", data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :])
    bad("flipped_in_footer", data[:-30] + bytes([data[-30] ^ 1]) + data[-29:])
    bad("bytes_between", before_directory(data, bytes(8)))
    bad("unknown_record", before_directory(data, layout.frame(b"Z", b"one must know this")))
    bad(
        "second_directory",
        before_directory(data, data[int.from_bytes(data[-40:-32], "little") : -40]),
    )

    bad("codec", forged(path, chunk={"codec": 9}))
    bad("many_events", forged(path, chunk={"count": 1 << 40}, recording={"n_events": 1 << 40}))
    rows = {"n_events": 4000 * chunk.count, "n_chunks": 4000}
    bad("chunk_repeated", forged(path, recording=rows, rows=4000))
    bad("chunk_outside", forged(path, chunk={"offset": 1 << 50}))
    bad("chunk_at_odd_place", forged(path, chunk={"offset": at + 1}))
    bad("chunk_of_another", forged(path, chunk={"recording": 5}))
    bad("events_missing", forged(path, recording={"n_events": chunk.count + 1}))
    bad("page_outside", forged(path, page={"offset": 1 << 50}))
    bad("page_says_another_time", forged(path, page={"t_max": chunk.t_max + 1}))
    bad("page_is_a_chunk", forged(path, page={"offset": at, "size": chunk.size}))
    bad("resolution", forged(path, recording={"resolution": (65_537, 4)}))
    bad("side_outside", forged(path, recording={"side": {"triggers": [[16, 1 << 60, 1]]}}))
    bad("side_is_a_chunk", forged(path, recording={"side": {"triggers": [[at, chunk.size, 1]]}}))
    bad(
        "page_of_too_many", checked(data, page, lambda body: body.__setitem__(slice(0, 1), b"\x7f"))
    )

    def chunk_with(**words: int) -> bytes:
        return checked(data, at, set_words(payload, **words))

    bad("time_form", chunk_with(w4=4 << 8))
    bad("time_width", chunk_with(w4=17))
    bad("more_exceptions_than_events", chunk_with(w5=0x3FFF))
    bad("polarity_form", chunk_with(w5=0xC000))
    bad("coordinate_form", chunk_with(w6=2 << 8))
    bad("more_runs_than_events", chunk_with(w8=1025))
    bad("runs_that_do_not_fit", chunk_with(w6=0x0102, w8=5))
    bad("sections_too_short", chunk_with(w9=0x0003))
    # 300 events, width 9: the first exception follows 12 + 192 words.
    gaps = (FOLDER / "vectors" / f"time_gaps-{VERSION}.evs").read_bytes()
    start = len(layout.parse_record(gaps, at).body) - len(
        parse_chunk(layout.parse_record(gaps, at))[1]
    )
    bad("exception_beyond", checked(gaps, at, set_words(start, w204=300)))


if __name__ == "__main__":
    make_vectors()
    make_vectors_of_codec_2()
    make_bad()
