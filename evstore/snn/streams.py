"""Long streams: samples one after another, and a network that hears them without a pause.

A network that integrates without a leak never forgets: what it heard ten minutes ago is still in
its potentials. Tests on single samples, with states of zero before each, do not show it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError
from evstore.events import Events
from evstore.frames import Frames, to_frames
from evstore.shard.writer import whole_shard
from evstore.snn.answers import NONE, answers, classes_of
from evstore.snn.modes import carrying, inferring
from evstore.snn.states import reset_states


@dataclass(frozen=True)
class StreamAnswers:
    """What was answered to each of a stream's samples; ``answers`` is -1 where nothing was.

    Both int64, in the order of the stream's labels.

    >>> found = StreamAnswers(np.array([3, -1, 5, 6]), np.array([3, 4, 5, 5]))
    >>> found.accuracy, found.answered, found.in_parts(2)
    (0.5, 0.75, [0.5, 0.5])
    """

    answers: NDArray[np.int64]
    targets: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return float((self.answers == self.targets).mean())

    @property
    def answered(self) -> float:
        """The share that has an answer at all."""
        return float((self.answers != NONE).mean())

    def in_parts(self, parts: int) -> list[float]:
        """Accuracy of each of so many parts of the stream: does it fall?

        Raises ArgumentError for more parts than samples.
        """
        if not 1 <= parts <= len(self.answers):
            raise ArgumentError(
                f"{len(self.answers)} samples do not make {parts} parts: at least 1 a part"
            )
        right = np.array_split(self.answers == self.targets, parts)
        return [float(part.mean()) for part in right]


def write_stream(
    path: str | os.PathLike[str],
    samples: Iterable[tuple[Events, int]],
    *,
    gap_us: int = 0,
    overwrite: bool = False,
) -> int:
    """Write samples one after another, on one clock, as a shard of one recording; how many.

    Each begins ``gap_us`` after the last event of the one before, and 1 us more; its times are
    labelled with its class (`Recording.labels`), from its first event to just behind its last one.
    ``samples`` are (events, class), as ``Dataset(..., output="events")`` gives them; one is in
    memory at a time. Raises ArgumentError for samples without events and for resolutions that
    differ, and where ``path`` exists, unless ``overwrite``; then nothing is written.

    >>> write_stream("ten_minutes.evs", Dataset("digits/", output="events"))    # doctest: +SKIP
    2000
    """
    if gap_us < 0:
        raise ArgumentError(f"gap_us is a time without events: at least 0, got {gap_us}")
    source = iter(samples)
    first = next(source, None)
    if first is None:
        raise ArgumentError("a stream needs at least one sample")
    if not isinstance(first[0], Events):
        raise ArgumentError("samples of a stream are (Events, class), as Dataset(..., output="
                            f"'events') gives them; got {type(first[0]).__name__}")  # fmt: skip
    resolution = first[0].resolution
    starts, stops, classes, at = [], [], [], 0
    with (
        whole_shard(path, overwrite=overwrite) as shard,
        shard.recording("", resolution=resolution) as out,
    ):
        for number, (events, label) in enumerate(_again(first, source)):
            if not len(events):
                raise ArgumentError(f"sample {number} has no events: leave it out of the stream")
            if events.resolution != resolution:
                raise ArgumentError(
                    f"samples of a stream are of one sensor: expected {resolution}, got "
                    f"{events.resolution} for sample {number}"
                )
            t = events.t - events.t[0] + at
            out.write(Events(t, events.x, events.y, events.p, resolution))
            starts.append(at)
            at = int(t[-1]) + 1
            stops.append(at)
            at += gap_us
            classes.append(label)
        out.label(classes_of(classes, len(classes)), starts, stops)
    return len(classes)


def stream_frames(
    recording: Any, dt_us: int, *, steps: int = 100, **frames: Any
) -> Iterator[torch.Tensor]:
    """A recording's frames, (T, P, H, W), of ``dt_us`` each, ``steps`` at a time.

    So an hour of it never lies in memory. The last piece may be shorter, and an incomplete step at
    its end is left out. ``frames``: fields of `Frames` but for the times. Raises ArgumentError.
    """
    if dt_us < 1 or steps < 1:
        raise ArgumentError(f"dt_us and steps are at least 1, got {dt_us} and {steps}")
    start = recording.t_start
    whole = (recording.t_stop - start) // dt_us
    for first in range(0, whole, steps):
        begin, end = (start + dt_us * min(step, whole) for step in (first, first + steps))
        spec = Frames(duration=dt_us, start=begin, stop=end, **frames)
        events = recording.between(begin, end)
        yield torch.from_numpy(to_frames(events, spec, resolution=recording.resolution))


def follow_stream(
    model: torch.nn.Module, pieces: Iterable[torch.Tensor], resets: Iterable[int] = ()
) -> Iterator[torch.Tensor]:
    """Outputs (T, classes) to each piece (T, ...) of one stream; states carry between pieces.

    ``model``: (1, T, ...) -> (1, T, classes). States are zero at first, and again before each step
    of ``resets``; pieces are cut there. No gradients. Do not use the model meanwhile.

    >>> from evstore.snn import IAF
    >>> pieces = torch.full((6, 1), 0.4).split(2)
    >>> torch.cat([*follow_stream(IAF(), pieces)]).flatten().tolist()
    [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    >>> torch.cat([*follow_stream(IAF(), pieces, resets=[4])]).flatten().tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    cuts = np.unique(np.fromiter(resets, np.int64))
    at = 0
    with carrying(model):
        for piece in pieces:
            inside = cuts[(cuts >= at) & (cuts < at + len(piece))] - at
            for first, last in zip([0, *inside], [*inside, len(piece)], strict=True):
                if first in inside:
                    reset_states(model)
                if last > first:
                    with inferring(model):
                        outputs = model(piece[None, first:last])[0]
                    yield outputs
            at += len(piece)


def answer_intervals(outputs: Iterable[torch.Tensor], intervals: ArrayLike) -> NDArray[np.int64]:
    """The class of most spikes in each of ``intervals`` (n, 2) of steps, first and one behind last.

    ``outputs``: pieces (T, classes) of one stream, as `follow_stream` gives them. -1 where there is
    no answer (no spikes, or a tie). Intervals may overlap; of one that the stream ends in, what is
    there counts.

    >>> answer_intervals([torch.eye(2), torch.eye(2)], [[0, 1], [1, 3], [3, 4]]).tolist()
    [0, -1, 1]
    """
    spans = np.asarray(intervals, np.int64).reshape(-1, 2)
    totals: Any = None
    at = 0
    for piece in outputs:
        before = np.zeros((len(piece) + 1, piece.shape[1]))
        np.cumsum(piece.detach().cpu().double().numpy(), 0, out=before[1:])
        if totals is None:
            totals = np.zeros((len(spans), piece.shape[1]))
        low, high = np.clip(spans - at, 0, len(piece)).T
        met = high > low
        totals[met] += before[high[met]] - before[low[met]]
        at += len(piece)
    if totals is None:
        raise ArgumentError("the stream has no steps: is it shorter than one?")
    found: NDArray[np.int64] = answers(torch.from_numpy(totals)).numpy()
    return found


def answer_stream(
    model: torch.nn.Module,
    recording: Any,
    dt_us: int,
    *,
    reset: str | float = "never",
    steps: int = 100,
    device: Any = None,
    **frames: Any,
) -> StreamAnswers:
    """What a network answers to each labelled time of a long recording, heard without a pause.

    ``recording``: of a shard with labelled times (`write_stream`). It goes through the network in
    pieces of ``steps`` steps of ``dt_us``, states carry. ``reset``: "never"; "samples", before each
    labelled time, which nobody outside knows; or every so many seconds. A step belongs to the
    labelled time that its middle lies in, and the answer is the class of most spikes in there.
    ``frames``: fields of `Frames`. Raises ArgumentError for recordings without labelled times.

    >>> with evstore.open("ten_minutes.evs") as recording:                      # doctest: +SKIP
    ...     snn.answer_stream(model, recording, 10_000, reset=1.7).accuracy
    """
    if isinstance(recording, (str, os.PathLike)):
        raise ArgumentError(
            f"a recording is wanted, not its path: evstore.open({str(recording)!r})"
        )
    table = recording.side("labels")
    if table is None:
        raise ArgumentError(f"{recording!r} has no labelled times: write_stream writes them")
    spans = step_spans(table["t_start"], table["t_stop"], recording.t_start, dt_us)
    whole = (recording.t_stop - recording.t_start) // dt_us
    resets = _resets(reset, spans, whole, dt_us)
    pieces = (
        piece.to(device).float() for piece in stream_frames(recording, dt_us, steps=steps, **frames)
    )
    found = answer_intervals(follow_stream(model, pieces, resets), spans)
    return StreamAnswers(found, classes_of(table["class_id"], len(spans)))


def step_spans(
    t_start: NDArray[np.int64], t_stop: NDArray[np.int64], origin_us: int, dt_us: int
) -> NDArray[np.int64]:
    """Steps (n, 2), first and one behind last, whose middles lie in [t_start, t_stop).

    >>> step_spans(np.array([0, 14, 16]), np.array([14, 16, 30]), 0, 10).tolist()
    [[0, 1], [1, 2], [2, 3]]
    """
    twice = 2 * (np.stack([t_start, t_stop], 1) - origin_us) - dt_us
    return -(-twice // (2 * dt_us))


def _resets(
    reset: str | float, spans: NDArray[np.int64], steps: int, dt_us: int
) -> NDArray[np.int64]:
    if reset == "never":
        return np.empty(0, np.int64)
    if reset == "samples":
        return spans[:, 0]
    if isinstance(reset, (str, bool)) or not dt_us <= reset * 1e6 < float("inf"):
        raise ArgumentError(
            f'reset is "never", "samples" or seconds, at least a step of {dt_us} us: got {reset!r}'
        )
    every_us = round(reset * 1e6)
    times = np.arange(every_us, steps * dt_us, every_us, dtype=np.int64)
    return -(-times // dt_us)


def _again(
    first: tuple[Events, int], rest: Iterator[tuple[Events, int]]
) -> Iterator[tuple[Events, int]]:
    yield first
    yield from rest
