"""What a file holds: a shard by its index, others by their header, and by their events where
these are soon read.

A shard is described without numpy and numba, so that `evstore info` answers at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from evstore.errors import ArgumentError, FormatError
from evstore.formats.registry import SHARD_MAGIC
from evstore.shard.index import RecordingInfo
from evstore.shard.shard import Shard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evstore.recording.base import Recording

PACKED_BYTES = 13  # of an event as t int64, x and y uint16, p uint8: what ratios compare with
GAP_TIMES = 100  # a gap is so many times longer than its events take at the mean rate ...
SHORTEST_GAP_US = 10_000  # ... and not shorter than this
MOST_JUMPS = 1000  # the longest silences of a scan that are remembered

#: A foreign file of at most so many bytes is read whole unless asked not to: about a second.
SCANNED_BYTES = 64 << 20

#: What only the events of a foreign file tell.
SCANNED = (
    *("events", "t_first", "t_last", "t_start", "t_stop", "duration_us", "events_per_s"),
    *("time_ordered", "gaps", "on_events", "side_streams", "dropped"),
)

#: Header fields that say which sensor it was, in the order they are shown.
SENSOR_KEYS = (
    *("sensor", "sensor_name", "integrator_name", "camera_integrator_name"),
    *("plugin_name", "generation", "sensor_generation", "system_id", "serial_number"),
)


def describe(path: str, *, scan: bool | None = None, **said: Any) -> dict[str, Any]:
    """What a file holds, as JSON values: totals, and ``recordings``, a list.

    Of a shard only the tail and the index are read. ``scan``: whether to read the events of a
    foreign file; else what they would tell is None, and ``stated`` has the counts that the file
    itself claims. None: where it is small. Damage that is met then does not hide the header:
    ``damage`` says what it is. ``said`` is as for `evstore.open`.

    Raises FormatError, ArgumentError, OSError.

    >>> describe("drive.evs")["events"]                      # doctest: +SKIP
    1218618
    """
    if said.get("input_format") in (None, "evs") and is_shard(path):
        return _of_shard(path, said.get("recording"))
    from evstore.recording.opening import open_all

    name = path if os.path.exists(path) else _split(path)[0]
    n_bytes = os.path.getsize(name) if path != "-" else None
    small = n_bytes is not None and n_bytes <= SCANNED_BYTES
    recordings = open_all(path, **said)
    found = []
    try:
        for recording in recordings:
            found.append(_of_foreign(recording, small if scan is None else scan, scan is None))
            recording.close()  # there may be thousands
    finally:
        for recording in recordings:
            recording.close()
    formats = [one.pop("format") for one in found]
    return _totals(path, formats[0], n_bytes, found)


def is_shard(path: str) -> bool:
    """Whether a path leads to a shard, or to a recording in one (``shard.evs#id``)."""
    name = _split(path)[0]
    if name == "-" or os.path.isdir(name):
        return False
    with open(name, "rb") as file:
        head = file.read(len(SHARD_MAGIC))
    return head == SHARD_MAGIC or (bool(head) and name.endswith((".evs", ".evs.part")))


def files_in(paths: Iterable[str]) -> Iterator[str]:
    """The files themselves, and those in folders at any depth, except hidden and `.part` ones."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for base, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith(".") and not name.endswith(".part"):
                    yield os.path.join(base, name)


def all_small(paths: Iterable[str]) -> bool:
    """Whether the foreign files among them, together, are soon read."""
    total = 0
    for path in files_in(paths):
        with suppress(OSError):  # one that cannot be read is told of when its turn comes
            if os.path.isfile(path) and not is_shard(path):
                total += os.path.getsize(path)
        if total > SCANNED_BYTES:
            return False
    return True


def shards_in(paths: Iterable[str]) -> list[str]:
    """The files themselves, and the shards in folders; ArgumentError where there are none."""
    paths = list(paths)
    named = {path for path in paths if not os.path.isdir(path)}
    found = [path for path in files_in(paths) if path in named or is_shard(path)]
    if not found:
        raise ArgumentError(f"found no shards in {', '.join(paths)}")
    return found


def _split(path: str) -> tuple[str, str | None]:
    """(file, recording id); a file that exists under the whole name wins."""
    if "#" not in path or os.path.exists(path):
        return path, None
    name, _, id = path.partition("#")
    return name, id


def _of_shard(path: str, recording: str | None) -> dict[str, Any]:
    name, within = _split(path)
    wanted = recording if recording is not None else within
    with Shard(name) as shard:
        infos = shard.recordings if wanted is None else [shard.find(wanted)]
        return _totals(name, "evs", shard.size, [_of_recording(shard, info) for info in infos])


def _totals(
    path: str, format: str, n_bytes: int | None, recordings: list[dict[str, Any]]
) -> dict[str, Any]:
    counts = [one["events"] for one in recordings]
    events = None if None in counts else sum(counts)
    chunks = [one["chunks"] for one in recordings]
    return {
        "path": path,
        "format": format,
        "bytes": n_bytes,
        "events": events,
        "chunks": None if None in chunks else sum(chunks),
        "bits_per_event": 8 * n_bytes / events if events and n_bytes else None,
        "times_smaller": PACKED_BYTES * events / n_bytes if events and n_bytes else None,
        "recordings": recordings,
    }


def _of_recording(shard: Shard, info: RecordingInfo) -> dict[str, Any]:
    """A shard's recording by its chunks, each seen once and forgotten."""
    metadata = info.metadata
    times = _Times()
    on = chunk_bytes = 0
    for chunk in shard.chunks(info):
        on += chunk.n_on
        chunk_bytes += chunk.size
        times.add(chunk.count, chunk.t_first, chunk.t_last, chunk.t_min, chunk.t_max, chunk.ordered)
    return {
        "recording": info.id,
        "resolution": list(info.resolution) if info.resolution else None,
        "resolution_from": metadata.get("resolution_from"),
        "events": info.n_events,
        "chunks": info.n_chunks,
        "chunk_bytes": chunk_bytes,
        **times.summary(),
        "on_events": on,
        **_of_metadata(metadata),
        "label": metadata.get("label"),
        "side_streams": {name: sum(part[2] for part in info.side[name]) for name in info.side},
        "dropped": _mapping(metadata.get("dropped")),
        "source": _source(metadata),
        "converter": metadata.get("converter"),
        "noise": _noise(metadata),
        "hot_pixels": _hot_pixels(metadata),
        "root": info.root.hex(),
    }


def _noise(metadata: dict[str, Any]) -> list[str]:
    """The steps of `evstore noise` that were done, in order."""
    done = metadata.get("noise")
    steps = [
        step
        for one in (done if isinstance(done, list) else [])
        for step in _list(_mapping(one).get("steps"))
    ]
    return [str(_mapping(step).get("step")) for step in steps]


def _hot_pixels(metadata: dict[str, Any]) -> int | None:
    """How many the recording's mask has; None without one."""
    mask = metadata.get("hot_pixels")
    return len(_list(_mapping(mask).get("pixels"))) if mask is not None else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _source(metadata: dict[str, Any]) -> dict[str, Any]:
    source = dict(_mapping(metadata.get("source")))
    if isinstance(metadata.get("source_sha256"), str):
        source["sha256"] = metadata["source_sha256"]
    return source


def _of_foreign(recording: Recording, scan: bool, forgive: bool) -> dict[str, Any]:
    """``forgive`` damage that only the events show."""
    from evstore.recording.foreign import ForeignRecording

    found: dict[str, Any] = {**dict.fromkeys(SCANNED), "stated": {}, "damage": None}
    stated = None
    if isinstance(recording, ForeignRecording):
        stated, found["stated"] = recording.stated_resolution, dict(recording.stated)
    if scan:
        try:
            found |= _scanned(recording)
        except FormatError as error:
            if not forgive:
                raise
            found["damage"], scan = str(error), False
    resolution = stated or (recording.resolution if scan else None)
    inferred = "events" if resolution else None
    metadata = recording.metadata
    return {
        "format": recording.format,
        "recording": recording.id,
        "resolution": list(resolution) if resolution else None,
        "resolution_from": metadata.get("resolution_from") if stated else inferred,
        "chunks": None,
        **found,
        **_of_metadata(metadata),
        "label": recording.label,
        "metadata": metadata,
    }


def _scanned(recording: Recording) -> dict[str, Any]:
    """What the events tell, in one pass, and what lies beside them."""
    import numpy as np

    from evstore.recording.foreign import ForeignRecording

    times = _Times()
    events = on = 0
    foreign = recording if isinstance(recording, ForeignRecording) else None
    batches: Iterable[Any] = recording.batches() if foreign is None else foreign.raw_batches()
    for batch in batches:
        if not len(batch.t):
            continue
        events += len(batch.t)
        on += int(np.count_nonzero(batch.p))
        _add_batch(times, batch.t)
    return {
        "events": events,
        **times.summary(),
        "on_events": on,
        "side_streams": dict(recording.side_rows),
        "dropped": dict(recording.dropped),
    }


def _add_batch(times: _Times, t: NDArray[Any]) -> None:
    """Add a batch, parted at its longest silences, so that they are seen as gaps."""
    import numpy as np

    steps = np.diff(t)
    places = np.flatnonzero(steps >= SHORTEST_GAP_US)
    if places.size > MOST_JUMPS:
        longest = np.argpartition(steps[places], -MOST_JUMPS)[-MOST_JUMPS:]
        places = np.sort(places[longest])
    for part in np.split(t, places + 1):
        ordered = bool((part[1:] >= part[:-1]).all())
        low, high = int(part.min()), int(part.max())
        times.add(part.size, int(part[0]), int(part[-1]), low, high, ordered, whole=True)


class _Times:
    """Times of consecutive pieces of a recording, and the silences in and between them."""

    def __init__(self) -> None:
        self._events = 0
        self._first: int | None = None
        self._last = 0
        self._least = self._most = 0
        self._ordered = True
        self._between: list[tuple[int, int]] = []  # silences: (start, stop)
        self._within: list[tuple[int, int, int]] = []  # slow pieces: (start, stop, events)
        self._paces: list[float] = []  # microseconds an event, of pieces

    def add(
        self,
        count: int,
        first: int,
        last: int,
        least: int,
        most: int,
        ordered: bool,
        whole: bool = False,
    ) -> None:
        """The next piece: its number of events, its times, whether they never step back.

        ``whole``: no silence lies within it.
        """
        if self._first is None:
            self._first, self._least, self._most = first, least, most
        else:
            self._ordered = self._ordered and first >= self._last
            self._least, self._most = min(self._least, least), max(self._most, most)
            if first - self._last >= SHORTEST_GAP_US:
                self._between.append((self._last, first))
        if not whole and last - first >= SHORTEST_GAP_US:
            self._within.append((first, last, count))
        self._paces.append((last - first) / count)
        self._ordered = self._ordered and ordered
        self._last = last
        self._events += count

    def summary(self) -> dict[str, Any]:
        """Range, duration, mean rate, order and gaps."""
        if self._first is None:
            nothing: dict[str, Any] = dict.fromkeys(("t_first", "t_last", "t_start", "t_stop"))
            return nothing | {
                "duration_us": 0,
                "events_per_s": None,
                "time_ordered": True,
                "gaps": [],
            }
        duration = self._most + 1 - self._least
        return {
            "t_first": self._first,
            "t_last": self._last,
            "t_start": self._least,
            "t_stop": self._most + 1,
            "duration_us": duration,
            "events_per_s": self._events * 1e6 / duration,
            "time_ordered": self._ordered,
            "gaps": self._gaps(duration / self._events),
        }

    def _gaps(self, mean_us: float) -> list[list[int]]:
        """[start, stop] of silences, in order of time; a few events may lie in one."""
        limit = GAP_TIMES * mean_us
        found = [[start, stop] for start, stop in self._between if stop - start > limit]
        pace = sorted(self._paces)[len(self._paces) // 2]
        for start, stop, events in self._within:
            if stop - start > max(limit, GAP_TIMES * pace * events):
                found.append([start, stop])
        return sorted(found)


def _of_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Which sensor it was, and where its origin is."""
    said = {**_mapping(metadata.get("sensor")), **metadata}
    lower = {key.lower(): value for key, value in said.items()}
    fields = {key: lower[key] for key in SENSOR_KEYS if key in lower}
    sensor = {key: value for key, value in fields.items() if isinstance(value, (str, int, float))}
    return {"sensor": sensor, "origin": metadata.get("origin")}


def _mapping(value: Any) -> dict[str, Any]:
    """What should be a JSON object, if it is one: anybody may have written the metadata."""
    return value if isinstance(value, dict) else {}
