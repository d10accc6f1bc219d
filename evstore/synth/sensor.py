"""What is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evstore.errors import ArgumentError
from evstore.noise.limits import check_choice, check_integer

if TYPE_CHECKING:
    from evstore.noise import Transform

MAX_PIXELS = 1 << 26
SEEDS = 2**62 - 1  # what is taken of a seed
READOUTS = ("nearest", "tree", "frames")
ROW_ORDERS = ("x", "off_first", "tree")  # as row_kernels numbers them
LEAST_WITH_NOISE = 100  # events/s of the scene: steps are longer the fewer they are


class Sensor(NamedTuple):
    """What is simulated; `simulate` explains each value."""

    width: int
    height: int
    events_per_s: float
    threshold: float
    mismatch: float
    refractory_us: int
    noise_hz: float
    row_ns: int
    seed: int
    event_ns: int
    readout: str
    row_order: str
    frame_us: int
    jitter_us: float
    moving: float
    texture: float


def check(sensor: Sensor, duration_us: int, batch_events: int) -> None:
    """Raises ArgumentError where a value is out of range."""
    check_choice("readout", sensor.readout, READOUTS)
    check_choice("row_order", sensor.row_order, ROW_ORDERS)
    check_integer("event_ns", sensor.event_ns, 0, 10**6)
    check_integer("frame_us", sensor.frame_us, 0, 10**6)
    pixels = sensor.width * sensor.height
    # A tenth of the pixels at once: beyond, the refractory time and not the scene sets the rate.
    fastest = pixels * sensor.moving / max(sensor.refractory_us, 1) * 1e5
    noise = pixels * sensor.noise_hz
    latest = pixels * sensor.moving / max(sensor.events_per_s, 1e-3) * 5e4
    for name, value, low, high in (
        ("width", sensor.width, 1, 65_535),
        ("height", sensor.height, 1, 65_535),
        ("width * height", pixels, 1, MAX_PIXELS),
        ("duration_us", duration_us, 0, 10**14),
        ("threshold", sensor.threshold, 0.05, 2),
        ("mismatch", sensor.mismatch, 0, 0.5),
        ("refractory_us", sensor.refractory_us, 0, 10**9),
        ("noise_hz", sensor.noise_hz, 0, 10**6),
        ("row_ns", sensor.row_ns, 1, 10**6),
        ("batch_events", batch_events, 1, 10**9),
        ("moving", sensor.moving, 1e-4, 1),
        ("texture", sensor.texture, 0, 1),
        ("events_per_s", sensor.events_per_s, max(noise / 0.9, 1e-3), fastest),
        # What is under way, up to 7 times as long, stays below a third of the pixels that see.
        ("jitter_us", sensor.jitter_us, 0, min(latest, 1e6)),
    ):
        if not low <= value <= high:
            raise ArgumentError(f"{name} must lie in {low:g}..{high:g}, got {value}")


def check_noise(noise: Transform, sensor: Sensor) -> None:
    """Raises ArgumentError unless it makes events, in steps that are short enough for its times."""
    from evstore.noise import Transform

    if not isinstance(noise, Transform) or not noise.makes_events:
        raise ArgumentError(f"noise must be sources of evstore.noise, got {noise!r}")
    if sensor.events_per_s < LEAST_WITH_NOISE:
        raise ArgumentError(
            f"events_per_s must be at least {LEAST_WITH_NOISE} with noise, got "
            f"{sensor.events_per_s}: for noise alone, give the transform no events"
        )
