"""Read each format to four columns, against the packages that read it too: the same real files.

Peers that are not installed are left out. `pip install evstore[peers]`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.bars import Bar, Settings, worst
from bench.child import run
from bench.recordings import data_folder
from bench.timing import Spread, times_faster
from evstore.formats import registry
from evstore.formats.reading import ReadOptions

Read = Callable[[Path], int]

ROUNDS = 15  # most files take a millisecond


class Match(NamedTuple):
    """A format, the peer that reads it, the files, and what must be reached."""

    format: str
    peer: str  # the package, by its name for `import`
    read: Read
    files: tuple[str, ...]
    must: float


def ours(path: Path, name: str) -> int:
    """Every batch in fresh arrays; how many events there were."""
    with open(path, "rb", buffering=0) as file:
        reading = registry.by_name(name).read(file, ReadOptions(), name)
        reading.events_only = True
        return sum(len(batch.t) for batch in reading.batches)


def columns(events: Any, names: tuple[str, ...]) -> int:
    """The columns of a structured array; how many events there are."""
    made = [np.ascontiguousarray(events[name]) for name in names]
    return len(made[0])


def expelliarmus_dat(path: Path) -> int:
    from expelliarmus import Wizard

    return columns(Wizard(encoding="dat").read(path), ("t", "x", "y", "p"))


def aedat(path: Path) -> int:
    import aedat

    packets = (packet for packet in aedat.Decoder(str(path)) if "events" in packet)
    return sum(columns(packet["events"], ("t", "x", "y", "on")) for packet in packets)


def dv(path: Path) -> int:
    import dv_processing

    recording, count = dv_processing.io.MonoCameraRecording(str(path)), 0
    while (batch := recording.getNextEventBatch()) is not None:
        count += columns(batch.numpy(), ("timestamp", "x", "y", "polarity"))
    return count


def event_stream(path: Path) -> int:
    import event_stream

    with event_stream.Decoder(str(path)) as decoder:
        atis = decoder.type == "atis"
        count = 0
        for packet in decoder:
            events = packet[~packet["exposure"]] if atis else packet
            count += columns(events, ("t", "x", "y", "polarity" if atis else "on"))
        return count


def loadtxt(path: Path) -> int:
    t, x, y, p = np.loadtxt(path).T
    made = np.rint(t * 1e6).astype(np.int64), x.astype("u2"), y.astype("u2"), p.astype("u1")
    return len(made[0])


def arrow_csv(path: Path) -> int:
    from pyarrow import csv

    names = csv.ReadOptions(column_names=["t", "x", "y", "p"])
    table = csv.read_csv(path, names, csv.ParseOptions(delimiter=" "))
    t, x, y, p = (column.to_numpy() for column in table.columns)
    made = np.rint(t * 1e6).astype(np.int64), x.astype("u2"), y.astype("u2"), p.astype("u1")
    return len(made[0])


def eventcv(path: Path) -> int:
    import eventcv

    events = eventcv.load(str(path))
    return len(events)


AEDAT4 = (
    "inivation/dvxplorer_lz4.aedat4", "inivation/davis346_lz4.aedat4",
    "made/gen3_vga_a_zstd.aedat4", "made/gen3_vga_a_none.aedat4",
)  # fmt: skip
ES = ("eventstream/dvs.es", "eventstream/atis.es")
RPG = ("text/rpg_boxes_rotation.txt", "text/rpg_shapes_rotation.txt")
MATCHES = (
    Match("dat", "expelliarmus", expelliarmus_dat, ("prophesee/evk4_hd.dat",), 1),
    Match("aedat4", "aedat", aedat, AEDAT4, 3),
    Match("aedat4", "dv_processing", dv, AEDAT4, 1.5),
    Match("es", "event_stream", event_stream, ES, 2),
    Match("rpg", "numpy", loadtxt, RPG, 10),
    Match("rpg", "pyarrow", arrow_csv, RPG, 1),
    Match("rosbag", "eventcv", eventcv, ("made/davis240_boxes_60k.bag",), 1),
)


def times(match: Match, name: str, rounds: int) -> Spread:
    """How many times as fast a file of the data set is read. Run it in a process of its own."""
    folder = data_folder()
    assert folder is not None
    path = folder / name
    counts = ours(path, match.format), match.read(path)
    assert counts[0] == counts[1], f"{path} has {counts[0]} events or {counts[1]}"
    return times_faster(rounds, lambda: ours(path, match.format), lambda: match.read(path))


def compare(number: int, rounds: int) -> Bar:
    """Each file in a process of its own: what was read before changes how memory is given."""
    match = MATCHES[number]
    parts: dict[str, Spread] = {}
    for name in match.files:
        done = run("-m", "bench.formats", str(number), name, str(rounds))
        parts[Path(name).name] = Spread(**json.loads(done.stdout))
    title = f"read {match.format}, against {match.peer}"
    note = "the file where evstore does worst; a peer gives its own batches, as columns"
    return Bar(title, "x", "more", match.must, None, worst(parts, "more"), parts, note)


def measure(settings: Settings) -> list[Bar]:
    if data_folder() is None:
        return []
    found = [k for k, match in enumerate(MATCHES) if find_spec(match.peer) is not None]
    return [compare(number, max(settings.rounds, ROUNDS)) for number in found]


if __name__ == "__main__":
    chosen, file, count = sys.argv[1:]
    print(json.dumps(asdict(times(MATCHES[int(chosen)], file, int(count)))))
