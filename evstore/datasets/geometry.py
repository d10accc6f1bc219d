"""What is done to coordinates, of events and of boxes alike: crop, scale down, flip."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.labels import Boxes
from evstore.errors import ArgumentError
from evstore.events import Events

LARGEST_SIDE = 65_536

#: From where on, how long, to how many pixels, and whether backwards: of one axis.
Axis = tuple[int, int, int, bool]


@dataclass(frozen=True)
class Geometry:
    """First ``crop`` (x0, y0, x1, y1), x1 and y1 outside; then ``size`` (w, h); then flips.

    A pixel x of the crop goes to ``(x - x0) * w // (x1 - x0)``: several come together where the
    size is less, as in `evstore.frames`; where it is more, pixels stay empty. ``flip_x`` puts a
    pixel x to ``w - 1 - x``. None leaves as it is. Raises ArgumentError for what is no region and
    no size.

    >>> half = Geometry(crop=(2, 0, 10, 8), size=(4, 4), flip_x=True)
    >>> half.events(Events([1, 2], [2, 11], [7, 0], [1, 0], (12, 8))).x.tolist()
    [3]
    >>> half.boxes(Boxes([1], [2], [6], [2], [2], [0])).to_structured()[["x", "y", "w", "h"]].item()
    (3.0, 3.0, 1.0, 1.0)
    """

    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    flip_x: bool = False
    flip_y: bool = False

    def __post_init__(self) -> None:
        if self.crop is not None:
            x0, y0, x1, y1 = crop = _whole("crop", self.crop, 4)
            if not (0 <= x0 < x1 <= LARGEST_SIDE and 0 <= y0 < y1 <= LARGEST_SIDE):
                raise ArgumentError(
                    f"crop is (x0, y0, x1, y1) with x0 < x1 and y0 < y1 in 0..65536, got {crop}"
                )
            object.__setattr__(self, "crop", crop)
        if self.size is not None:
            size = _whole("size", self.size, 2)
            if not all(1 <= side <= LARGEST_SIDE for side in size):
                raise ArgumentError(f"size is (width, height) in 1..65536, got {size}")
            object.__setattr__(self, "size", size)

    @property
    def is_identity(self) -> bool:
        """Whether nothing is done at all."""
        return self == Geometry()

    def resolution_after(self, resolution: tuple[int, int] | None) -> tuple[int, int] | None:
        """What (width, height) becomes; None only where that is not known and nothing says it.

        Raises ArgumentError for a crop that reaches beyond the resolution.
        """
        if self.crop is not None and resolution is not None:
            width, height = resolution
            if self.crop[2] > width or self.crop[3] > height:
                raise ArgumentError(
                    f"crop {self.crop} reaches beyond the resolution {width}x{height}"
                )
        if self.size is not None:
            return self.size
        if self.crop is not None:
            return self.crop[2] - self.crop[0], self.crop[3] - self.crop[1]
        return resolution

    def maps(self, resolution: tuple[int, int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Where each column and each row goes: int32, -1 where it is outside the crop.

        Raises ArgumentError for a crop that reaches beyond the resolution.
        """
        x, y = self._tables(resolution)
        return x.copy(), y.copy()

    def events(self, events: Events) -> Events:
        """The events inside the crop, in order, moved; fresh arrays, whatever is done.

        Raises ArgumentError for events outside their own resolution where there is no crop, and
        where the resolution must be known, but is not.
        """
        if self.is_identity:
            return Events.concatenate([events])
        resolution = events.resolution
        if resolution is None and self.crop is not None:
            resolution = self.crop[2:]
        if resolution is None:
            raise ArgumentError("events without a resolution can be cropped only: state it")
        after = self.resolution_after(events.resolution)
        found = _moved(events, *self._tables(resolution), after)
        if self.crop is None and len(found) != len(events):
            raise ArgumentError(
                f"{len(events) - len(found):,} of {len(events):,} events lie outside the "
                f"resolution {resolution}. State a larger one, or crop"
            )
        return found

    def boxes(
        self,
        boxes: Boxes,
        resolution: tuple[int, int] | None = None,
        *,
        min_share: float = 0.0,
    ) -> Boxes:
        """The boxes, moved and scaled as events are, and clipped to the crop where there is one.

        Dropped are boxes of which nothing is left, or less than ``min_share`` of their area. An
        event's pixel is one that the box of the event touches; where sizes are whole fractions a
        box around pixels touches no others. Corners are computed in float64, and then rounded to
        the dtype that the boxes have. ``resolution`` is that of the recording: a size or a flip
        without a crop needs it.
        """
        if not 0.0 <= min_share <= 1.0:
            raise ArgumentError(f"min_share must lie in 0..1, got {min_share}")
        if self.is_identity:
            return boxes[:]
        axes = self._axes(resolution)
        clips = self.crop is not None
        x, w, share_x = _along(boxes.x, boxes.w, axes[0], clips)
        y, h, share_y = _along(boxes.y, boxes.h, axes[1], clips)
        share = share_x * share_y
        keep = (share > 0) & (share >= min_share)
        place = {"x": x, "y": y, "w": w, "h": h}
        columns = {**boxes.columns(), **{k: v.astype(boxes.x.dtype) for k, v in place.items()}}
        return Boxes(**{name: column[keep] for name, column in columns.items()})

    def _tables(self, resolution: tuple[int, int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        x, y = self._axes(resolution)
        return _map(resolution[0], *x), _map(resolution[1], *y)

    def _axes(self, resolution: tuple[int, int] | None) -> tuple[Axis, Axis]:
        after = self.resolution_after(resolution)
        if self.crop is not None:
            x0, y0, x1, y1 = self.crop
        elif resolution is not None:
            x0, y0, (x1, y1) = 0, 0, resolution
        else:
            raise ArgumentError("a size or a flip without a crop needs the resolution: state it")
        assert after is not None
        return (x0, x1 - x0, after[0], self.flip_x), (y0, y1 - y0, after[1], self.flip_y)


@lru_cache(maxsize=64)  # 16 MiB at most: for a small window making them is half of the work
def _map(side: int, start: int, length: int, size: int, flip: bool) -> NDArray[np.int32]:
    table = np.full(side, -1, np.int32)
    moved = np.arange(length, dtype=np.int64) * size // length
    table[start : start + length] = size - 1 - moved if flip else moved
    return table


def _moved(
    events: Events,
    map_x: NDArray[np.int32],
    map_y: NDArray[np.int32],
    resolution: tuple[int, int] | None,
) -> Events:
    from evstore.datasets.geometry_kernels import count_kept, move

    t, x, y, p = _plain(events.t), _plain(events.x), _plain(events.y), _plain(events.p)
    found = Events.empty(resolution, count_kept(x, y, map_x, map_y))
    move(t, x, y, p, map_x, map_y, found.t, found.x, found.y, found.p)
    return found


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """As kernels know it: they would be compiled again for read-only arrays, and for strides."""
    return column if column.flags.c_contiguous and column.flags.writeable else column.copy()


def _along(
    at: NDArray[np.floating], length: NDArray[np.floating], axis: Axis, clips: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Place and length of boxes along one axis afterwards, and the share of it that is left."""
    start, span, size, flip = axis
    first = at.astype(np.float64) - start
    last = first + length
    left, share = length.astype(np.float64), np.ones(len(first))
    if clips:
        whole = (first >= 0) & (last <= span)  # these keep their length to the last bit
        # A box without a width is left where its place is.
        share = ((first >= 0) & (first < span)).astype(np.float64)
        cut = np.clip(last, 0, span) - np.clip(first, 0, span)
        np.divide(cut, left, out=share, where=(left > 0) & ~whole)
        left = np.where(whole, left, cut)
        first, last = np.clip(first, 0, span), np.clip(last, 0, span)
    if flip:
        first = span - last
    return first * size / span, left * size / span, share


def _whole(name: str, values: object, count: int) -> tuple[int, ...]:
    try:
        found = tuple(operator.index(value) for value in values)  # type: ignore[attr-defined]
    except TypeError:
        found = ()
    if len(found) != count:
        raise ArgumentError(f"{name} must be {count} integers, got {values!r}")
    return found
