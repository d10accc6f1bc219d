"""Read EVT2 and EVT3, against the fastest packages that do the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.bars import Bar, Settings, worst
from bench.recordings import Recording, data_folder, recordings
from bench.timing import Spread, times_faster
from evstore.formats import registry
from evstore.formats.reading import BATCH_EVENTS, ReadOptions

EVT2 = ("gen3_vga_a", "gen3_vga_b")
EVT3 = ("evk4_hd", "gen41_hd_burst")


def ours(path: Path, name: str) -> int:
    """Every batch in fresh arrays; how many events there were."""
    with open(path, "rb", buffering=0) as file:
        reading = registry.by_name(name).read(file, ReadOptions())
        return sum(len(batch.t) for batch in reading.batches)


def expelliarmus_whole(path: Path) -> int:
    from expelliarmus import Wizard

    return len(Wizard(encoding="evt2").read(path))


def expelliarmus_chunks(path: Path) -> int:
    from expelliarmus import Wizard

    wizard = Wizard(encoding="evt2", fpath=path, chunk_size=BATCH_EVENTS)
    return sum(len(chunk) for chunk in wizard.read_chunk())


def evt3_whole(path: Path) -> int:
    import evt3

    return len(evt3.decode_file(str(path)))


def evt3_batches(path: Path) -> int:
    import evt3

    return sum(len(batch) for batch in evt3.decode_file_batches(str(path)))


Peers = dict[str, Callable[[Path], int]]


def compare(recording: Recording, name: str, peers: Peers, rounds: int) -> dict[str, Spread]:
    """Against each of the peer's ways to read the file."""
    path = recording.raw()
    found = {}
    for way, peer in peers.items():
        counts = ours(path, name), peer(path)
        assert counts[0] == counts[1], f"{path} has {counts[0]} events or {counts[1]}"
        found[way] = times_faster(rounds, lambda: ours(path, name), lambda peer=peer: peer(path))
    return found


def bar(name: str, title: str, files: tuple[str, ...], peers: Peers, settings: Settings) -> Bar:
    parts: dict[str, Spread] = {}
    for recording in recordings(settings, files):
        ways = compare(recording, name, peers, settings.rounds)
        parts |= {f"{recording.name}, {way}": spread for way, spread in ways.items()}
    hardest = worst(parts, "more")
    note = "the file and the peer's way of reading where evstore does worst"
    return Bar(title, "x", "more", 1, 1.5, hardest, parts, note)


def measure(settings: Settings) -> list[Bar]:
    if data_folder() is None:
        return []
    evt2: Peers = {"whole": expelliarmus_whole, "chunks of 65,536": expelliarmus_chunks}
    evt3: Peers = {"whole": evt3_whole, "batches": evt3_batches}
    return [
        bar("evt2", "read EVT2, against expelliarmus", EVT2, evt2, settings),
        bar("evt3", "read EVT3, against the evt3 package", EVT3, evt3, settings),
    ]
