"""Peak memory of a conversion, of a long recording and of one four times as long."""

from __future__ import annotations

import sys
from pathlib import Path

import evstore
from bench.bars import Bar, Settings
from bench.child import run
from bench.timing import Spread
from evstore.formats import evt3

RESOLUTION = (1280, 720)
EVENTS_PER_S = 25e6
EVENTS = (100_000_000, 400_000_000)
QUICK = (4_000_000, 16_000_000)
EQUAL_WITHIN = 1.1


def simulated(path: Path, events: int) -> None:
    """An EVT3 file of at least so many simulated events."""
    if path.is_file():
        return
    part = path.with_suffix(".part")
    written = seed = 0
    with open(part, "wb") as file:
        writer = evt3.writer(file, RESOLUTION, {})
        duration = int(events / EVENTS_PER_S * 1.2e6)
        for batch in evstore.simulate(RESOLUTION, duration, events_per_s=EVENTS_PER_S, seed=seed):
            batch = batch[: events - written]
            writer.write(batch.t, batch.x, batch.y, batch.p)
            written += len(batch)
            if written == events:
                break
        writer.close()
    assert written == events, f"{written} of {events} events simulated"
    part.replace(path)


def peak_bytes() -> int:
    """The greatest resident size of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss is inherited from the parent there
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_of_conversion(source: Path, target: Path, events: int) -> float:
    """Megabytes, in a process of its own."""
    done = run("-m", "bench.memory", str(source), str(target))
    converted, peak = done.stdout.split()
    assert int(converted) == events, f"{converted} of {events} events converted"
    return int(peak) / 1e6


def measure(settings: Settings) -> list[Bar]:
    target = settings.folder / "memory.evs"
    runs = 1 if settings.quick else 3
    peaks = {}
    for events in QUICK if settings.quick else EVENTS:
        source = settings.folder / f"simulated-{events}.raw"
        simulated(source, events)
        peaks[f"{events // 1_000_000} M events"] = Spread.of(
            peak_of_conversion(source, target, events) for _ in range(runs)
        )
    target.unlink()
    low, high = sorted(peak.median for peak in peaks.values())
    return [
        Bar(
            f"peak memory of a conversion, {' and '.join(peaks)}",
            *("MB", "less", 400, None, Spread.of(peak.median for peak in peaks.values()), peaks),
            note="the interpreter and all it imports included",
        ),
        Bar("the greater of these peaks over the smaller",
            "x", "less", EQUAL_WITHIN, None, Spread(high / low, high / low, high / low)),
    ]  # fmt: skip


if __name__ == "__main__":
    receipt = evstore.convert(sys.argv[1], sys.argv[2], overwrite=True)
    assert not isinstance(receipt, list)
    print(receipt.events, peak_bytes())
