"""The same from torch tensors, on their own device: nothing is copied to the host but a few sums.

Integers stay integers: counts are summed in int32 and become the dtype that was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evstore.errors import ArgumentError, MissingDependencyError
from evstore.events import COLUMNS
from evstore.frames.faults import full, outside
from evstore.frames.spec import CHANNELS, Frames, check_resolution

if TYPE_CHECKING:
    import torch

MAX_EVENTS = (1 << 31) - 1


class _Tensors(NamedTuple):
    """Columns on one device, as int64: what indexing takes."""

    t: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    p: torch.Tensor
    resolution: tuple[int, int]

    def extent(self) -> tuple[int, int]:
        if not self.t.numel():
            return 0, 0
        return int(self.t.min()), int(self.t.max()) + 1


def histogram(
    events: Mapping[str, Any], spec: Frames, resolution: tuple[int, int] | None, out: Any = None
) -> torch.Tensor:
    """`to_frames` of tensors ``t``, ``x``, ``y``, ``p`` of one length and device.

    ``out`` is a tensor to fill. Signed numbers are held against the dtype once all are added.
    """
    torch = _torch()
    given = _columns(events, resolution)
    starts, stops = spec.edges(*given.extent(), given.t.numel())
    shape = spec.shape(given.resolution, len(starts))
    _check_out(out, shape, spec.dtype, given.t.device)
    counts = torch.zeros(math.prod(shape), dtype=torch.int32, device=given.t.device)
    keys = given.t if spec.by_time else torch.arange(given.t.numel(), device=given.t.device)
    place, kept = _places(given, spec, shape)
    amounts = 2 * given.p - 1 if spec.kind == "signed" else torch.ones_like(given.p)
    begin, end = (torch.from_numpy(edge).to(given.t.device) for edge in (starts, stops))
    latest = torch.searchsorted(begin, keys, right=True) - 1
    for back in range(_overlap(starts, stops)):
        frame = latest - back
        inside = kept & (frame >= 0) & (keys < end[frame.clamp(min=0)])
        index = frame[inside] * math.prod(shape[1:]) + place[inside]
        counts.index_add_(0, index, amounts[inside].to(torch.int32))
    return _held(counts, spec, shape, out)


def voxel_grid(
    events: Mapping[str, Any],
    bins: int,
    scale: float,
    resolution: tuple[int, int] | None,
    dtype: np.dtype[Any],
    out: Any = None,
) -> torch.Tensor:
    """`to_voxel_grid` of tensors, where the last event lies at ``scale`` bins."""
    torch = _torch()
    given = _columns(events, resolution)
    width, height = given.resolution
    shape = bins, 1, height, width
    made_of = getattr(torch, dtype.name)
    _check_out(out, shape, dtype.name, given.t.device)
    grid = torch.zeros(math.prod(shape), dtype=made_of, device=given.t.device)
    t_start, t_stop = given.extent()
    # The difference of any two times, where that of int64 wraps.
    since = given.t - t_start
    since = since.double() + (since < 0) * 2.0**64
    place = scale * since / float(max(1, t_stop - 1 - t_start))
    before = place.floor()
    part = place - before
    sign = (2 * given.p - 1).double()
    cell = (before.long() * height + given.y) * width + given.x
    for index, value in ((cell, sign * (1.0 - part)), (cell + width * height, sign * part)):
        inside = index < grid.numel()
        grid.index_add_(0, index[inside], value[inside].to(made_of))
    made = grid.view(shape)
    return made if out is None else out.copy_(made)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError("torch", "train", "frames of tensors") from None
    return torch


def _columns(events: Mapping[str, Any], resolution: tuple[int, int] | None) -> _Tensors:
    torch = _torch()
    sides = check_resolution(resolution)
    columns: list[Any] = [events.get(name) for name in COLUMNS]
    if not all(isinstance(column, torch.Tensor) for column in columns):
        raise ArgumentError(f"events must be tensors t, x, y, p, got {', '.join(map(str, events))}")
    for name, column in zip(COLUMNS, columns, strict=True):
        if column.is_floating_point() or column.is_complex() or column.ndim != 1:
            raise ArgumentError(
                f"tensor {name!r} must hold integers in one dimension, got {column.dtype} with "
                f"shape {tuple(column.shape)}"
            )
    lengths = {column.numel() for column in columns}
    if len(lengths) != 1 or max(lengths) > MAX_EVENTS:
        raise ArgumentError(
            f"tensors must be of one length, at most {MAX_EVENTS:,}, got {sorted(lengths)}"
        )
    t, x, y, p = (column.long() for column in columns)
    given = _Tensors(t, x, y, p, sides)
    _check_values(given)
    return given


def _check_values(given: _Tensors) -> None:
    width, height = given.resolution
    wrong = (given.x < 0) | (given.x >= width) | (given.y < 0) | (given.y >= height)
    if bool(wrong.any()):
        k = int(wrong.nonzero()[0])
        raise outside(int(wrong.sum()), int(given.x[k]), int(given.y[k]), given.resolution)
    if bool(((given.p < 0) | (given.p > 1)).any()):
        raise ArgumentError("polarity must be 0 (OFF) or 1 (ON): map it first, as in (p > 0)")


def _places(
    given: _Tensors, spec: Frames, shape: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each event's cell of a frame, and whether it lies within the crop."""
    map_x, map_y = (
        _torch().from_numpy(places).to(given.t.device).long()
        for places in spec.maps(given.resolution)
    )
    column, row = map_x[given.x], map_y[given.y]
    place = row * shape[3] + column
    if CHANNELS[spec.kind] == 2:
        place += given.p * (shape[2] * shape[3])
    return place, (column >= 0) & (row >= 0)


def _overlap(starts: Any, stops: Any) -> int:
    """In how many frames an event may be."""
    if len(starts) == 1:
        return 1
    return -(-int(stops[0] - starts[0]) // int(starts[1] - starts[0]))


def _held(counts: torch.Tensor, spec: Frames, shape: tuple[int, ...], out: Any) -> torch.Tensor:
    """Counts as the dtype wanted, or the error that it does not hold one."""
    torch = _torch()
    holds = spec.holds
    if spec.binary:
        counts.clamp_(max=1)
    elif spec.overflow == "saturate":
        counts.clamp_(holds.least, holds.greatest)
    else:
        beyond = (counts > holds.greatest) | (counts < holds.least)
        if bool(beyond.any()):
            raise full(spec, shape, int(beyond.nonzero()[0]))
    made = counts.view(shape)
    return made.to(getattr(torch, str(spec.dtype))) if out is None else out.copy_(made)


def _check_out(out: Any, shape: tuple[int, ...], dtype: Any, device: Any) -> None:
    if out is None:
        return
    torch = _torch()
    got = tuple(out.shape), out.dtype, out.device
    if got != (shape, getattr(torch, str(dtype)), device):
        raise ArgumentError(
            f"out must be a tensor of {dtype} with shape {shape} on {device}, got {got[1]} with "
            f"{got[0]} on {got[2]}"
        )
