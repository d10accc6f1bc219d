"""A measurement as a picture: the background's map, hot pixels, the spectrum, intervals."""

from __future__ import annotations

import errno
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError, MissingDependencyError
from evstore.noise.measuring.measurement import Measurement

SHOWN_HZ = 1000
KINDS = (".png", ".svg", ".pdf")


def plot(measurement: Measurement, path: str | os.PathLike[str]) -> None:
    """Draw it into a file of the kind that its name says: PNG, SVG, PDF.

    Raises ArgumentError for any other name, MissingDependencyError without matplotlib.
    """
    check_kind(path)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise _missing() from None
    figure: Any = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    (rates, hot), (spectrum, intervals) = figure.subplots(2, 2)
    _rates(figure, rates, measurement)
    _hot(hot, measurement)
    _spectrum(spectrum, measurement)
    _intervals(intervals, measurement)
    figure.savefig(os.fspath(path))


def check_target(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raises what `plot` would for this file, and ArgumentError where it is there already.

    FileNotFoundError or PermissionError where its folder cannot be written to.
    """
    import importlib.util

    check_kind(path)
    name = os.fspath(path)
    folder = os.path.dirname(name) or os.curdir
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "no such folder for the plot", folder)
    if os.path.exists(name) and not overwrite:
        raise ArgumentError(f"{name}: exists already; --overwrite replaces it")
    if not os.access(name if os.path.exists(name) else folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    if importlib.util.find_spec("matplotlib") is None:
        raise _missing()


def _missing() -> MissingDependencyError:
    return MissingDependencyError("matplotlib", "bench", "a plot of noise")


def check_kind(path: str | os.PathLike[str]) -> None:
    """Raises ArgumentError unless the name says one of the kinds that are drawn."""
    if not os.fspath(path).lower().endswith(KINDS):
        raise ArgumentError(f"{os.fspath(path)}: a plot ends with {', '.join(KINDS)}")


def _rates(figure: Any, axes: Any, found: Measurement) -> None:
    axes.set_title("background, Hz (white: not told)")
    if found.background is None:
        axes.text(0.5, 0.5, "cannot be told", ha="center", transform=axes.transAxes)
        return
    rates = found.background.rate_map
    top = float(np.nanquantile(rates, 0.99)) if np.isfinite(rates).any() else 1.0
    image = axes.imshow(rates, vmin=0, vmax=max(top, 1e-6), interpolation="nearest")
    figure.colorbar(image, ax=axes)


def _hot(axes: Any, found: Measurement) -> None:
    width, height = found.resolution
    axes.set_title(f"{found.hot_pixels.size} hot pixels, and where it flickers")
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    if found.flicker is not None:
        axes.imshow(found.flicker.area, cmap="Oranges", alpha=0.4, interpolation="nearest")
    hot = found.hot_pixels
    sizes = 10 + 10 * np.log10(np.maximum(hot["rate_hz"], 1.0))
    axes.scatter(hot["x"], hot["y"], s=sizes, facecolors="none", edgecolors="red")


def _spectrum(axes: Any, found: Measurement) -> None:
    frequencies, ratio = found.spectrum
    shown = (frequencies > 0) & (frequencies <= SHOWN_HZ)
    name = "none" if found.flicker is None else f"{found.flicker.frequency_hz:.2f} Hz"
    axes.set_title(f"spectrum of ON minus OFF; flicker: {name}")
    axes.semilogy(frequencies[shown], np.maximum(ratio[shown], 0.1), linewidth=0.7)
    axes.set(xlabel="Hz", ylabel="power above the floor")


def _intervals(axes: Any, found: Measurement) -> None:
    axes.set_title("times between events of a pixel")
    for name, counts in (("all pixels", found.intervals.all), ("still", found.intervals.still)):
        starts, dense = by_width(found.intervals.edges_us, counts)
        used = np.flatnonzero(dense)
        if used.size:
            part = slice(int(used[0]), int(used[-1]) + 1)
            axes.step(starts[part], dense[part], where="post", label=name)
            axes.set(xscale="log", yscale="log")
            axes.legend()
    axes.set(xlabel="us", ylabel="intervals per us")


def by_width(
    edges_us: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where bins begin that hold whole microseconds, and what they count by how many they hold.

    Bins are twice as wide in each octave as in the one before, and the least hold no time at all.
    """
    whole = np.ceil(edges_us)
    width = np.diff(whole)
    some = width > 0
    return whole[:-1][some], counts[some] / width[some]
