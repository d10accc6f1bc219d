"""Random shifts and cuts in time of frames, a function of seed, epoch and position in it."""

from __future__ import annotations

import numpy as np
import torch

from evstore.snn.training.randomness import AUGMENT, numbers


def augmented(
    frames: torch.Tensor,
    positions: list[int],
    *,
    seed: int,
    epoch: int,
    shift_pixels: int = 0,
    time_crop: float = 1.0,
) -> torch.Tensor:
    """Frames (B, T, P, H, W) shifted, and cut in time, each sample by numbers of its own.

    A shift is by up to ``shift_pixels`` each way, both axes; what leaves is gone, zeros follow. Of
    its frames a sample keeps a run of at least the share ``time_crop``, anywhere, which is moved to
    the beginning; zeros follow. ``positions``: of the samples in the epoch, the same for any
    number of ranks and workers. The frames given stay as they are.

    >>> frames = torch.arange(3.0).reshape(1, 3, 1, 1, 1)
    >>> augmented(frames, [2], seed=0, epoch=0, time_crop=0.1).flatten().tolist()
    [2.0, 0.0, 0.0]
    """
    if shift_pixels == 0 and time_crop >= 1:
        return frames
    made = torch.zeros_like(frames)
    steps, (height, width) = frames.shape[1], frames.shape[3:]
    for row, position in enumerate(positions):
        random = np.random.default_rng(numbers(seed, AUGMENT, epoch, position))
        dx, dy = random.integers(-shift_pixels, shift_pixels + 1, 2).tolist()
        least = min(steps, max(1, round(time_crop * steps)))
        kept = int(random.integers(least, steps + 1))
        first = int(random.integers(0, steps - kept + 1))
        into_y, from_y = _overlap(dy, height)
        into_x, from_x = _overlap(dx, width)
        made[row, :kept, :, into_y, into_x] = frames[row, first : first + kept, :, from_y, from_x]
    return made


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    """Where an axis of so many pixels goes, and where that comes from."""
    shift = max(-side, min(side, shift))
    return slice(max(0, shift), side + min(0, shift)), slice(max(0, -shift), side - max(0, shift))
