"""How fast the scene moves."""

from __future__ import annotations

from evstore.synth.retina import Retina
from evstore.synth.sensor import Sensor

EVENTS_A_STEP = 0.2  # of the pixels: a scan of the sensor is worth its time
STEPS = 16  # of the scene while the rate rises and falls once, or more
LONGEST_STEP = 1 / 64  # of a cell: an edge is six times wider, so light changes linearly
RATE_SWING = 0.5  # the rate rises and falls by this part of its mean,
RATE_PERIOD_NS = 100_000_000  # about ten times a second
SHORTEST_NS = 1000  # of a step: the clock goes on even where nothing is seen


class Pace:
    """How far the scene moves in a step, and how long that lasts, so that the rate is met."""

    def __init__(self, sensor: Sensor, retina: Retina, duration_us: int) -> None:
        duration = duration_us * 1000
        self.noise_ns = sensor.noise_hz * sensor.width * sensor.height / 1e9
        self.scene_ns = sensor.events_per_s / 1e9 - self.noise_ns
        self.period_ns = duration / max(1, round(duration / RATE_PERIOD_NS))
        wanted = min(EVENTS_A_STEP * retina.seen_pixels, self.scene_ns * self.period_ns / STEPS)
        self.pixels_a_step = min(
            max(wanted / retina.warm_up(), 1 / 1024), LONGEST_STEP * retina.cell
        )
        self.surplus = 0.0  # events made beyond those due

    def step_ns(self, begin: int, crossings: int) -> int:
        """How long it takes to see so many crossings from ``begin`` on."""
        phase = (begin / self.period_ns + 0.75) % 1.0
        rate = self.scene_ns * (1 + RATE_SWING * (4 * abs(phase - 0.5) - 1))
        correction = min(max(self.surplus / 4, -crossings / 2), crossings)
        duration = max(int((crossings + correction) / rate), SHORTEST_NS)
        self.surplus -= duration * (rate + self.noise_ns)
        return duration

    def made(self, events: int) -> None:
        """So many events of the step were read."""
        self.surplus += events
