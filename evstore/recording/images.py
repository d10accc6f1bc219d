"""Pictures of a camera beside the events of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from evstore.errors import CorruptError
from evstore.formats.sides import Table

Bytes = Callable[[int, int], NDArray[np.uint8]]


class Image(NamedTuple):
    """A picture: its time in microseconds, its pixels, and what else the file says of it.

    ``pixels`` is (height, width) or (height, width, channels), uint8 or uint16.
    """

    t: int
    pixels: NDArray[Any]
    about: dict[str, int]


class Images(Sequence[Image]):
    """The images of a recording, each read when it is asked for.

    ``t`` holds the time of each. Raises CorruptError for one whose sizes do not fit.
    """

    def __init__(self, table: Table, octets: Bytes, ends: NDArray[np.int64] | None = None) -> None:
        self.t: NDArray[np.int64] = table["t"]
        self._table = table
        self._octets = octets
        self._ends = np.cumsum(table["size"]) if ends is None else ends  # of each one's bytes

    def between(self, start: int, stop: int) -> Images:
        """The images with ``start <= t < stop``; none of them is read."""
        keep = (self.t >= start) & (self.t < stop)
        table = {name: column[keep] for name, column in self._table.items()}
        return Images(table, self._octets, self._ends[keep])

    def __len__(self) -> int:
        return len(self.t)

    @overload
    def __getitem__(self, which: int) -> Image: ...

    @overload
    def __getitem__(self, which: slice) -> list[Image]: ...

    def __getitem__(self, which: int | slice) -> Image | list[Image]:
        if isinstance(which, slice):
            return [self[i] for i in range(*which.indices(len(self)))]
        i = which + len(self) if which < 0 else which
        if not 0 <= i < len(self):
            raise IndexError(f"image {which} of {len(self)}")
        about = {name: int(column[i]) for name, column in self._table.items()}
        stop = int(self._ends[i])
        octets = self._octets(stop - about["size"], stop)
        return Image(about["t"], _pixels(octets, about), about)

    def __iter__(self) -> Iterator[Image]:
        return (self[i] for i in range(len(self)))


def _pixels(octets: NDArray[np.uint8], about: dict[str, int]) -> NDArray[Any]:
    kind = np.dtype("<u2") if about["bits"] > 8 else np.dtype("u1")
    shape = (about["height"], about["width"], about["channels"])
    if octets.size != kind.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise CorruptError(
            "an image has another size than its width and height say",
            field="size", expected=shape, got=octets.size,
        )  # fmt: skip
    pixels = octets.view(kind).reshape(shape)
    return pixels[:, :, 0] if about["channels"] == 1 else pixels
