"""What was measured of a recording's noise, and as parameters that make it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.again import background_again, hot_again
from evstore.noise.measuring.background import Background

MANY_US = 10_000_000  # from which a time is told to three digits
WHOLE = 0.9  # of its bounding box: an area is a region, not a mask


#: The greatest values that the classes of `evstore.noise` take: of few events, any may be found.
MOST = {
    ("HotPixels", "low_hz"): 1e6, ("HotPixels", "high_hz"): 1e6,
    ("BackgroundActivity", "rate_hz"): 1e6, ("BackgroundActivity", "spread_decades"): 2.0,
    ("BackgroundActivity", "most_hz"): 1e6,
    ("Leak", "rate_hz"): 1e5, ("Flicker", "events_per_cycle"): 62.0,
    ("Refractory", "period_us"): (1 << 30) - 1,
}  # fmt: skip


def within_range(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a class, none greater than it takes."""
    return {key: min(value, MOST.get((name, key), value)) if np.ndim(value) == 0 else value
            for key, value in given.items()}  # fmt: skip


@dataclass(frozen=True)
class Flickering:
    """``frequency_hz`` of the light, and the pixels that show it, ``area`` (height, width).

    ``events_per_cycle``: ON events of a pixel of the area, and as many OFF, as `Flicker` has it;
    ``share``: of all events, estimated. Both are without the background, but where all flickers and
    none could be told.
    """

    frequency_hz: float
    events_per_cycle: float
    share: float
    area: NDArray[np.bool_]

    @property
    def region(self) -> tuple[int, int, int, int]:
        """The box around the area: left, top, and, not of it any more, right and bottom."""
        y, x = np.nonzero(self.area)
        return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


@dataclass(frozen=True)
class Intervals:
    """Times between two events of a pixel: ``counts`` by bins between ``edges_us``.

    ``all``: of all pixels. ``still``: while it was quiet around both events.
    """

    edges_us: NDArray[np.float64]
    all: NDArray[np.int64]
    still: NDArray[np.int64]

    def still_quantiles_us(self, shares: tuple[float, ...]) -> tuple[float, ...]:
        """The intervals of still pixels that these shares of them do not exceed; NaN of none."""
        below = np.concatenate([[0], np.cumsum(self.still)])
        if not below[-1]:
            return tuple(float("nan") for _ in shares)
        found = np.interp(np.array(shares) * below[-1], below, np.log(self.edges_us))
        return tuple(float(value) for value in np.exp(found))


@dataclass(frozen=True)
class Measurement:
    """A recording's noise. ``None`` stands for what could not be told, or is not there.

    All rates are as they were seen: after what pixels lose while they rest, where there is a
    refractory time (`parameters` gives those before it). ``hot_pixels``: an array of x, y, rate_hz
    (beyond the pixels around) and on_fraction, by row; ``hot_jitter``: how much the intervals of
    these vary, as a part of their mean, where they are regular; None where they fire at random;
    ``never_hot_hz``: with a lower rate a pixel is not called hot, but for few.
    ``refractory_us``: the least time between events of a pixel. ``leak_rate_hz``: of ON events at
    regular intervals, beyond the background. ``spectrum``: its lines in Hz, and how far each is
    above the floor (1: not at all).
    """

    resolution: tuple[int, int]
    duration_us: int
    events: int
    hot_pixels: NDArray[np.void]
    hot_jitter: float | None
    never_hot_hz: float
    background: Background | None
    flicker: Flickering | None
    leak_rate_hz: float | None
    refractory_us: float | None
    intervals: Intervals
    spectrum: tuple[NDArray[np.float64], NDArray[np.float64]]

    def parameters(self, boxes: bool = False) -> dict[str, dict[str, Any]]:
        """What makes such noise again: by the name of a class of `evstore.noise`, its arguments.

        Where there is a refractory time, rates are those before it, since `Refractory`, the last
        step, takes as much away again. Of a background whose rates spread so widely that its
        fastest pixels would be called hot, these are left out (``most_hz``): hot pixels are a step
        of their own. Where it flickers is a mask of pixels; with ``boxes`` the region around them.
        """
        found: dict[str, dict[str, Any]] = {}
        if self.hot_pixels.size:
            found["HotPixels"] = hot_again(self)
        if self.background is not None:
            found |= background_again(self, self.background)
        elif self.leak_rate_hz is not None:
            found["Leak"] = {"rate_hz": self.leak_rate_hz}
        if self.flicker is not None:
            found["Flicker"] = self._flicker(self.flicker, boxes)
        if self.refractory_us is not None:
            found["Refractory"] = {"period_us": round(self.refractory_us)}
        return {name: within_range(name, given) for name, given in found.items()}

    def _flicker(self, flicker: Flickering, boxes: bool) -> dict[str, Any]:
        about: dict[str, Any] = {
            "frequency_hz": flicker.frequency_hz,
            "events_per_cycle": flicker.events_per_cycle,
        }
        left, top, right, bottom = flicker.region
        if not boxes and flicker.area.sum() < WHOLE * (right - left) * (bottom - top):
            return {**about, "mask": flicker.area}
        whole = (left, top, right, bottom) == (0, 0, *self.resolution)
        return about if whole else {**about, "region": flicker.region}

    def to_dict(self) -> dict[str, Any]:
        """All of it but maps, as JSON can hold it."""
        shares = (0.01, 0.1, 0.5, 0.9, 0.99)
        told = self.background is not None
        quantiles = self.intervals.still_quantiles_us(shares)
        return {
            "resolution": list(self.resolution),
            "duration_us": self.duration_us,
            "events": self.events,
            "hot_pixels": [
                {name: row[name].item() for name in self.hot_pixels.dtype.names or ()}
                for row in self.hot_pixels
            ],
            "hot_jitter": self.hot_jitter,
            "background": _background(self.background) if self.background and told else None,
            "flicker": _flickering(self.flicker) if self.flicker else None,
            "leak_rate_hz": self.leak_rate_hz,
            "refractory_us": self.refractory_us,
            "still_intervals_us": {
                f"{share:g}": value if np.isfinite(value) else None
                for share, value in zip(shares, quantiles, strict=True)
            },
        }

    def __str__(self) -> str:
        lines = [
            f"{self.events:,} events in {self.duration_us / 1e6:.3f} s of "
            f"{self.resolution[0]} x {self.resolution[1]} pixels"
        ]
        rates = self.hot_pixels["rate_hz"]
        hot = f", {rates.min():.0f} to {rates.max():.0f} Hz" if rates.size else ""
        lines.append(f"hot pixels: {rates.size}{hot}")
        lines.append(f"background: {_text_of_background(self.background)}")
        if self.leak_rate_hz is not None:
            lines.append(f"leak: {self.leak_rate_hz:.3g} Hz a pixel")
        lines.append(f"flicker: {_text_of_flicker(self.flicker)}")
        least = (
            "cannot be told" if self.refractory_us is None else _text_of_time(self.refractory_us)
        )
        lines.append(f"least time between events of a pixel: {least}")
        return "\n".join(lines)


def _text_of_time(us: float) -> str:
    return f"{us:,.0f} us" if us < MANY_US else f"{us:.3g} us"


def _background(found: Background) -> dict[str, Any]:
    return {
        "rate_hz": found.rate_hz,
        "on_fraction": found.on_fraction,
        "spread_decades": found.spread_decades,
        "pixels": found.pixels,
        "exposure_s": found.exposure_s,
        "bursts": None if found.bursts is None else asdict(found.bursts),
    }


def _flickering(found: Flickering) -> dict[str, Any]:
    return {
        "frequency_hz": found.frequency_hz,
        "events_per_cycle": found.events_per_cycle,
        "share": found.share,
        "region": list(found.region),
        "pixels": int(found.area.sum()),
    }


def _text_of_background(found: Background | None) -> str:
    if found is None:
        return "cannot be told: nowhere is it quiet for long enough"
    text = (
        f"{found.rate_hz:.3g} Hz a pixel, {found.on_fraction:.0%} ON, spread over "
        f"{found.spread_decades:.2f} decades; of {found.pixels:,} pixels"
    )
    if found.bursts is None:
        return text
    return (
        f"{text}\nbursts: {found.bursts.share:.0%} of it follow another event, after "
        f"{found.bursts.delay_us:,.0f} us (median; spread over {found.bursts.spread_decades:.2f} "
        f"decades), {found.bursts.flip:.0%} with the other polarity"
    )


def _text_of_flicker(found: Flickering | None) -> str:
    if found is None:
        return "none"
    return (
        f"{found.frequency_hz:.2f} Hz, {found.events_per_cycle:.2g} ON and OFF events a cycle, "
        f"{found.area.mean():.0%} of the pixels, {found.share:.0%} of the events"
    )
