"""Accuracy against the time since a sample's onset: when could the answer have been had?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evstore.errors import ArgumentError
from evstore.snn.answers import NONE, answers, classes_of
from evstore.snn.each_sample import each_sample
from evstore.snn.modes import inferring
from evstore.snn.states import reset_states


@dataclass(frozen=True)
class Latency:
    """What would be right if the answer were taken after each step, float64 of shape (T,).

    ``accuracy`` is the share of all samples that are right by then; ``answered`` the share that
    say anything: no answer, or a tie, is wrong. ``dt_us`` is the length of a step, where known.
    """

    accuracy: NDArray[np.float64]
    answered: NDArray[np.float64]
    samples: int
    dt_us: float | None = None

    @property
    def times(self) -> NDArray[np.float64]:
        """When each step has ended, since onset: in microseconds, without ``dt_us`` in steps."""
        return np.arange(1, len(self.accuracy) + 1, dtype=np.float64) * float(self.dt_us or 1)

    def settled(self, points: float = 2.0) -> float:
        """The time from which accuracy is never again more than ``points`` % below its last one.

        In the unit of `times`.

        >>> accuracy = np.array([0.1, 0.97, 0.5, 0.97, 0.98])
        >>> Latency(accuracy, np.ones(5), 100, dt_us=1000).settled()
        4000.0
        """
        below = np.flatnonzero(self.accuracy < self.accuracy[-1] - points / 100 - 1e-12)
        return float(self.times[below[-1] + 1 if below.size else 0])


#: Answers (B, T) of frames (B, T, ...) of so many steps each (B,).
_Asked = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def latency(
    model: torch.nn.Module, loader: Iterable[Any], *, dt_us: float | None = None, device: Any = None
) -> Latency:
    """Of a spiking network: after each step the class with most output spikes so far.

    ``model``: (B, T, ...) -> spikes (B, T, classes); states are zero before each batch. ``loader``
    gives batches as `evstore.Loader` does, of which the ``lengths`` count, or pairs of frames and
    targets (an `evstore.Loader` with ``pad=True``, so that it leaves none out).
    A sample that has ended keeps its last answer. Frames and model are to be on ``device``
    where that is given. Raises ArgumentError for outputs or targets of another shape and for no
    samples.

    >>> from evstore.snn import IAF
    >>> frames = torch.zeros(2, 4, 3)
    >>> frames[0, 1:, 2] = frames[1, 3, 0] = 1.0
    >>> found = latency(IAF(), [(frames, [2, 1])])
    >>> found.accuracy.tolist(), found.answered.tolist()
    ([0.0, 0.5, 0.5, 0.5], [0.0, 0.5, 0.5, 1.0])
    """

    def asked(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        reset_states(model)
        spikes = model(frames)
        if spikes.dim() != 3 or spikes.shape[:2] != frames.shape[:2]:
            raise ArgumentError(
                f"the model gives (B, T, classes): expected {(*frames.shape[:2], 'classes')}, got "
                f"{tuple(spikes.shape)}"
            )
        return answers(_own(spikes, lengths).double().cumsum(1))

    return _measure(model, loader, asked, dt_us, device)


def frame_latency(
    model: torch.nn.Module,
    loader: Iterable[Any],
    *,
    whole: bool = False,
    dt_us: float | None = None,
    device: Any = None,
) -> Latency:
    """Of a network on single frames: after each step its answer to the frame of all events so far.

    ``model``: (B, ...) -> (B, classes), float; all else as for `latency`. With ``whole`` it is
    asked as it was trained, if with whole frames: once each sample's frame is complete, not before.

    >>> frames = torch.tensor([[[1.0, 0.0], [0.0, 3.0], [0.0, 0.0]]])
    >>> model = torch.nn.Identity()
    >>> frame_latency(model, [(frames, [1])]).accuracy.tolist()
    [0.0, 1.0, 1.0]
    >>> frame_latency(model, [(frames, [1])], whole=True).answered.tolist()
    [0.0, 0.0, 1.0]
    """

    def asked(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        steps = frames.shape[1]
        found = torch.full((len(frames), steps), NONE, device=frames.device)
        so_far = torch.zeros_like(frames[:, 0])
        for step in range(steps):
            so_far += frames[:, step] * _within(lengths, step, frames[:, step].dim())
            if whole and not (lengths <= step + 1).any():
                continue
            totals = model(so_far)
            if totals.dim() != 2 or len(totals) != len(frames):
                raise ArgumentError(
                    f"the model gives (B, classes): expected {(len(frames), 'classes')}, got "
                    f"{tuple(totals.shape)}"
                )
            found[:, step] = answers(totals)
            if whole:
                found[lengths > step + 1, step] = NONE
        return found

    return _measure(model, loader, asked, dt_us, device)


def _measure(
    model: torch.nn.Module, loader: Iterable[Any], asked: _Asked, dt_us: float | None, device: Any
) -> Latency:
    if dt_us is not None and not dt_us > 0:
        raise ArgumentError(f"dt_us is the length of a step: above 0, got {dt_us}")
    given, wanted = [], []
    with inferring(model):
        for data, targets, _, lengths in each_sample(loader):
            frames, targets, lengths = _parts(data, targets, lengths, device)
            given.append(asked(frames, lengths).cpu().numpy())
            wanted.append(classes_of(targets, len(frames)))
        reset_states(model)
    if not given:
        raise ArgumentError("the loader gives no samples: there is no accuracy of none")
    steps = max(part.shape[1] for part in given)
    longer = [np.pad(part, ((0, 0), (0, steps - part.shape[1])), "edge") for part in given]
    found = np.concatenate(longer)
    right = found == np.concatenate(wanted)[:, None]
    return Latency(right.mean(0), (found != NONE).mean(0), len(found), dt_us)


def _parts(
    data: Any, targets: Any, lengths: Any, device: Any
) -> tuple[torch.Tensor, Any, torch.Tensor]:
    """Frames in float, targets, and how many steps each sample has."""
    frames = torch.as_tensor(data, device=device)
    if frames.dim() < 3 or 0 in frames.shape[:2]:
        raise ArgumentError(f"frames have axes (B, T, ...), none empty: got {tuple(frames.shape)}")
    frames = frames if frames.is_floating_point() else frames.float()
    if lengths is None:
        lengths = torch.full((len(frames),), frames.shape[1])
    targets = targets.cpu() if isinstance(targets, torch.Tensor) else targets
    return frames, targets, lengths.to(frames.device)


def _own(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """``values`` (B, T, ...), zero behind each sample's end."""
    steps = torch.arange(values.shape[1], device=values.device)
    return values.masked_fill((steps >= lengths[:, None])[:, :, None], 0.0)


def _within(lengths: torch.Tensor, step: int, axes: int) -> torch.Tensor:
    return (lengths > step).reshape(-1, *[1] * (axes - 1))
