"""Pixels that wait to be read, and what reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evstore.synth import row_kernels as kernels
from evstore.synth.arbiter_kernels import NEXT, READOUT_STATE
from evstore.synth.column_kernels import read_out_columns
from evstore.synth.sensor import ROW_ORDERS, SEEDS, Sensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Readout(Protocol):
    """What turns crossings into events."""

    def start(self, begin: int, duration: int, crossings: NDArray[np.int64]) -> None:
        """A step of so many ns, and the crossings in it."""

    def read(self, columns: tuple[NDArray[Any], ...], count: int, enough: int) -> int:
        """Read into ``columns``; the new count, below ``enough`` when the step is over."""


def readout_of(sensor: Sensor) -> Readout:
    """The one that the sensor has."""
    return _Frames(sensor) if sensor.readout == "frames" else _Rows(sensor)


class _Waiting:
    """Pixels in lines of words; a line is a row of the sensor, or a column."""

    def __init__(self, sensor: Sensor, length: int, lines: int) -> None:
        words = (length + 63) // 64 * lines
        self.state = np.zeros(READOUT_STATE, np.int64)
        self.pixels: tuple[NDArray[Any], ...] = (
            np.full(sensor.width * sensor.height, kernels.NEVER, np.int64),
            np.zeros(words, np.uint64),
            np.zeros(words, np.uint64),
        )
        self.step: tuple[NDArray[np.int64], int, int]

    def start(self, begin: int, duration: int, crossings: NDArray[np.int64]) -> None:
        """A step of so many ns, and the crossings in it."""
        self.step = (crossings, begin, duration)
        self.state[NEXT] = 0


class _Rows(_Waiting):
    """An arbiter that reads the rows whose pixels ask."""

    def __init__(self, sensor: Sensor) -> None:
        super().__init__(sensor, sensor.width, sensor.height)
        height = sensor.height
        self.settings = (
            sensor.width,
            sensor.row_ns,
            sensor.refractory_us * 1000,
            sensor.seed & SEEDS,
            sensor.event_ns,
            max((height - 1).bit_length(), 1) if sensor.readout == "tree" else 0,
            ROW_ORDERS.index(sensor.row_order),
        )
        words = self.pixels[1].size
        self.rows: tuple[NDArray[Any], ...] = (
            np.zeros((height + 63) // 64, np.uint64),
            np.full(height, words, np.int64),
            np.full(height, -1, np.int64),
        )

    def read(self, columns: tuple[NDArray[Any], ...], count: int, enough: int) -> int:
        """Read rows into ``columns``."""
        arguments: tuple[Any, ...] = (
            *(*self.step, *self.settings, self.state),
            *(*self.pixels, *self.rows, count, enough, *columns),
        )
        return int(kernels.read_out(*arguments))


class _Frames(_Waiting):
    """All requests are held at once, and all columns are gone through."""

    def __init__(self, sensor: Sensor) -> None:
        super().__init__(sensor, sensor.height, sensor.width)
        self.settings = (
            *(sensor.width, sensor.height, sensor.row_ns),
            max(sensor.frame_us * 1000, sensor.width * sensor.row_ns),
            sensor.refractory_us * 1000,
        )

    def read(self, columns: tuple[NDArray[Any], ...], count: int, enough: int) -> int:
        """Read columns into ``columns``."""
        arguments: tuple[Any, ...] = (
            *(*self.step, *self.settings, self.state),
            *(*self.pixels, count, enough, *columns),
        )
        return int(read_out_columns(*arguments))
