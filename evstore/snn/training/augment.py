"""Random shifts, turns and cuts in time of frames, a function of seed, epoch and position in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from evstore.snn.training.randomness import AUGMENT, numbers
from evstore.snn.training.schema import Augment

POINTS = 5  # of the coarse grid along each axis: a digit bends two or three times


def augmented(
    frames: torch.Tensor,
    positions: list[int],
    how: Augment,
    *,
    seed: int,
    epoch: int,
    lengths: Sequence[int] | None = None,
) -> torch.Tensor:
    """Frames (B, T, P, H, W) shifted, turned, and cut in time, each sample by numbers of its own.

    A shift is by up to ``shift_pixels`` each way, both axes; what leaves is gone, zeros follow.
    Turned, stretched, leaning or bent (elastically, after Simard, Steinkraus and Platt, 2003), each
    pixel has the count of the nearest one of the picture. Of
    its frames a sample keeps a run of at least the share ``time_crop``, anywhere, which is moved to
    the beginning; zeros follow. ``positions``: of the samples in the epoch, the same for any
    number of ranks and workers; ``lengths``: how many frames are a sample's own, where it is
    padded. The frames given stay as they are.

    >>> frames = torch.arange(3.0).reshape(1, 3, 1, 1, 1)
    >>> augmented(frames, [2], Augment(time_crop=0.1), seed=0, epoch=0).flatten().tolist()
    [2.0, 0.0, 0.0]
    """
    turned = bool(how.rotate_degrees or how.scale or how.shear or how.elastic_pixels)
    if how.shift_pixels == 0 and how.time_crop >= 1 and not turned:
        return frames
    draws = [np.random.default_rng(numbers(seed, AUGMENT, epoch, k)) for k in positions]
    made = torch.zeros_like(frames)
    steps, (height, width) = frames.shape[1], frames.shape[3:]
    for row, random in enumerate(draws):
        own = steps if lengths is None else int(lengths[row])
        dx, dy = random.integers(-how.shift_pixels, how.shift_pixels + 1, 2).tolist()
        least = min(own, max(1, round(how.time_crop * own)))
        kept = int(random.integers(least, own + 1))
        first = int(random.integers(0, own - kept + 1))
        into_y, from_y = _overlap(dy, height)
        into_x, from_x = _overlap(dx, width)
        made[row, :kept, :, into_y, into_x] = frames[row, first : first + kept, :, from_y, from_x]
    if not turned:
        return made
    maps = [_picked(how, random) for random in draws]
    bends = [random.uniform(-1, 1, (2, POINTS, POINTS)) for random in draws]
    return _turned(made, maps, how.elastic_pixels * torch.from_numpy(np.stack(bends)).float())


def _picked(how: Augment, random: np.random.Generator) -> list[list[float]]:
    """Where in the picture a pixel's count comes from: the matrix of an affine map."""
    angle, wide, high, lean = random.uniform(-1, 1, 4).tolist()
    angle *= math.radians(how.rotate_degrees)
    wide, high, lean = 1 + how.scale * wide, 1 + how.scale * high, how.shear * lean
    cosine, sine = math.cos(angle), math.sin(angle)
    return [[wide * cosine, lean - wide * sine, 0.0], [high * sine, high * cosine, 0.0]]


def _turned(
    frames: torch.Tensor, maps: list[list[list[float]]], bends: torch.Tensor
) -> torch.Tensor:
    """About the middle, and bent by ``bends`` (B, 2, POINTS, POINTS): pixels, x then y."""
    height, width = frames.shape[3:]
    theta = torch.tensor(maps, dtype=torch.float32, device=frames.device)
    theta[:, 0, 1] *= height / width  # grid_sample's units are half a side
    theta[:, 1, 0] *= width / height
    shape: Any = (len(maps), 1, height, width)
    grid = functional.affine_grid(theta, shape, align_corners=False)
    if bool(bends.any()):
        halves = torch.tensor([2 / width, 2 / height]).view(1, 2, 1, 1)
        size = (height, width)
        moved = functional.interpolate(bends * halves, size, mode="bicubic", align_corners=True)
        grid = grid + moved.permute(0, 2, 3, 1).to(grid.device)
    flat = frames.flatten(1, 2)
    floats = flat if flat.is_floating_point() else flat.float()
    made = functional.grid_sample(floats, grid, mode="nearest", align_corners=False)
    return made.to(frames.dtype).view_as(frames)


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    """Where an axis of so many pixels goes, and where that comes from."""
    shift = max(-side, min(side, shift))
    return slice(max(0, shift), side + min(0, shift)), slice(max(0, -shift), side - max(0, shift))
