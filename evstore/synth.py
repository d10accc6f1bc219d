"""A simulated event sensor: recordings of any size, rate and length, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evstore.errors import ArgumentError
from evstore.events import COLUMN_DTYPES, COLUMNS, Events

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOG_UNIT = 2048  # of log intensity: so many make a factor e
CONTRAST = 3000  # plateaus of the scene lie so far above and below its mean, in log units
# Of the scene's texture: the cell as a part of the coarsest, the amplitude before clipping.
OCTAVES = ((1, 40_000), (2, 20_000), (8, 3_000))
PIXEL = 1 << 16  # of position
LEG_STEPS = 16  # of the scene while the rate rises and falls once, or more
# Sixteen headings of length 256.
HEADINGS = (
    *((256, 0), (237, 98), (181, 181), (98, 237), (0, 256), (-98, 237), (-181, 181), (-237, 98)),
    *((-256, 0), (-237, -98), (-181, -181), (-98, -237), (0, -256), (98, -237)),
    *((181, -181), (237, -98)),
)
EVENTS_A_STEP = 0.2  # of the pixels: a scan of the sensor is worth its time
STEPS = 16  # of the scene while the rate rises and falls once, or more
LONGEST_STEP = 1 / 64  # of a cell: an edge is six times wider, so light changes linearly
RATE_SWING = 0.5  # the rate rises and falls by this part of its mean,
RATE_PERIOD_NS = 100_000_000  # about ten times a second
SHORTEST_NS = 1000  # of a step: the clock goes on even where nothing is seen
MAX_PIXELS = 1 << 26


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


def simulate(
    resolution: tuple[int, int] = (640, 480),
    duration_us: int = 1_000_000,
    *,
    events_per_s: float = 5_000_000,
    threshold: float = 0.25,
    mismatch: float = 0.01,
    refractory_us: int = 20,
    noise_hz: float = 0.1,
    row_ns: int = 180,
    seed: int = 0,
    batch_events: int = 65_536,
) -> Iterator[Events]:
    """Events of a sensor that looks at a moving texture, in batches of bounded memory.

    Times start at 0, end before ``duration_us`` and never step back. A batch has
    ``batch_events`` events or up to a row of the sensor more; the last one may have fewer. The
    same arguments give the same events on every machine, and ``batch_events`` changes only where
    batches end.

    What is modelled:

    - A pixel fires when the logarithm of its light has changed by its threshold since its last
      event: ``threshold`` (of the natural logarithm) is the mean over the pixels, ON and OFF
      apart, ``mismatch`` the deviation [1]. Light between two positions of the scene is
      interpolated linearly in the logarithm, as in [2].
    - After it is read, a pixel is blind for ``refractory_us``; a change in that time is lost.
    - Rows are read one at a time, each in ``row_ns``, with all its pixels that wait and one time
      for them, so that fast scenes give long rows and late times, as in row-readout sensors
      [3]. The arbiter goes on to the nearest waiting row and turns round now and then.
      (Gen3 and Gen4.1 recordings of 11 and 25 million events/s have 5.6 and 6.8 rows a us.)
    - Noise: ``noise_hz`` events a second and pixel, of random pixel, time and polarity.
    - The scene is plateaus with soft edges that repeats after 1024 pixels and moves on a smooth
      path, as fast as it takes for ``events_per_s`` on the mean; within a tenth of a second the
      rate swings by half. It is met within a few percent where there are many events.

    What is not: the finite bandwidth of a pixel and its latency in the dark, leak and shot noise
    that depend on light [4], hot pixels, the reset of a pixel by its noise, flicker, several
    motions at once, rotation, lens and perspective, a readout that drops events, and triggers.

    Raises ArgumentError where a value is out of range, or the rate above what pixels can fire.

    [1] Lichtsteiner et al., IEEE JSSC 43(2), 2008, doi:10.1109/JSSC.2007.914337
    [2] Rebecq et al., ESIM, CoRL 2018
    [3] Finateu et al., ISSCC 2020, doi:10.1109/ISSCC19947.2020.9063149
    [4] Hu et al., v2e, CVPRW 2021, arXiv:2006.07722

    >>> events = Events.concatenate(simulate((34, 34), 10_000, events_per_s=100_000, seed=1))
    >>> 900 < len(events) < 1100, events.resolution, bool(events.t[-1] < 10_000)
    (True, (34, 34), True)
    """
    width, height = resolution
    sensor = Sensor(
        width, height, events_per_s, threshold, mismatch, refractory_us, noise_hz, row_ns, seed
    )
    _check(sensor, duration_us, batch_events)
    return _run(sensor, duration_us, batch_events)


def _check(sensor: Sensor, duration_us: int, batch_events: int) -> None:
    pixels = sensor.width * sensor.height
    # A tenth of the pixels at once: beyond, the refractory time and not the scene sets the rate.
    fastest = pixels / max(sensor.refractory_us, 1) * 1e5
    noise = pixels * sensor.noise_hz
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
        ("events_per_s", sensor.events_per_s, max(noise / 0.9, 1e-3), fastest),
    ):
        if not low <= value <= high:
            raise ArgumentError(f"{name} must lie in {low:g}..{high:g}, got {value}")


def _run(sensor: Sensor, duration_us: int, batch_events: int) -> Iterator[Events]:
    size = (sensor.width, sensor.height)
    retina = _Retina(sensor)
    pace = _Pace(sensor, retina, duration_us)
    readout = _Readout(sensor)
    columns, count = _columns(batch_events + sensor.width), 0
    begin = 0
    while begin < duration_us * 1000:
        found = retina.move(pace.pixels_a_step)
        duration = pace.step_ns(begin, found)
        crossings = retina.crossings(found, duration)
        readout.start(begin, duration, crossings)
        made = 0
        while True:
            before = count
            count = readout.read(columns, count, batch_events)
            made += count - before
            if count < batch_events:
                break
            yield from _whole(columns, count, duration_us, size)
            columns, count = _columns(batch_events + sensor.width), 0
        pace.made(made)
        begin += duration
    yield from _whole(columns, count, duration_us, size)


def _columns(length: int) -> tuple[NDArray[Any], ...]:
    return tuple(np.empty(length, COLUMN_DTYPES[name]) for name in COLUMNS)


def _whole(
    columns: tuple[NDArray[Any], ...], count: int, stop_us: int, size: tuple[int, int]
) -> Iterator[Events]:
    """The events before ``stop_us``, where there are any."""
    count = int(np.searchsorted(columns[0][:count], stop_us))
    if count:
        t, x, y, p = (column[:count] for column in columns)
        yield Events(t, x, y, p, size)


class _Pace:
    """How far the scene moves in a step, and how long that lasts, so that the rate is met."""

    def __init__(self, sensor: Sensor, retina: _Retina, duration_us: int) -> None:
        pixels = sensor.width * sensor.height
        duration = duration_us * 1000
        self.noise_ns = sensor.noise_hz * pixels / 1e9
        self.scene_ns = sensor.events_per_s / 1e9 - self.noise_ns
        self.period_ns = duration / max(1, round(duration / RATE_PERIOD_NS))
        wanted = min(EVENTS_A_STEP * pixels, self.scene_ns * self.period_ns / STEPS)
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


class _Retina:
    """The scene, its path, and pixels that find level crossings."""

    def __init__(self, sensor: Sensor) -> None:
        from evstore import synth_kernels as kernels

        self.kernels = kernels
        self.size = (sensor.width, sensor.height)
        self.seeds = [kernels.random_bits(sensor.seed & (2**62 - 1), i) for i in range(9)]
        pixels = sensor.width * sensor.height
        self.stride = kernels.TILE + sensor.width + 1
        # The coarsest cell of the texture: some of them fit a sensor of usual size.
        self.cell = next(c for c in (256, 128, 64, 32) if 3 * c <= max(*self.size, 96))
        self.tile = self._texture()
        self.on, self.off, self.upper, self.lower, self.before, self.now = (
            np.zeros(pixels, np.int16) for _ in range(6)
        )
        kernels.draw_thresholds(
            self.on,
            self.off,
            self.seeds[4],
            round(sensor.threshold * LOG_UNIT),
            round(sensor.mismatch * LOG_UNIT),
        )
        self.marks = np.zeros((sensor.width + 7) // 8 * 8, np.uint8)
        self.rows = (
            np.zeros(sensor.width, np.int32),
            np.zeros(sensor.width + 1, np.int32),
            self.marks,
            self.marks.view(np.uint64),
            np.zeros(self.marks.size + 1, np.int64),
        )
        self.found = np.zeros(pixels // 2 + 1024, np.int64)
        self.sorted = np.zeros_like(self.found)
        self.bins = np.zeros(kernels.BINS + 1, np.int64)
        self.noise_ns = sensor.noise_hz * pixels / 1e9
        self.noise_due, self.noise_made = 0.0, 0
        self.steps, self.heading = 0, self.seeds[5] % len(HEADINGS)
        self.next_heading = self.heading
        self.x = self.y = 0.0
        self.upper[:], self.lower[:] = 32767, -32768
        self._scan()
        kernels.settle(self.now, self.upper, self.lower, self.on, self.off, self.seeds[6])

    def _texture(self) -> NDArray[np.int16]:
        side = self.kernels.TILE
        noise = np.zeros(side * side, np.int32)
        for octave, (part, amplitude) in enumerate(OCTAVES):
            self.kernels.add_octave(noise, self.seeds[octave], self.cell // part, amplitude)
        tile = np.empty(side * self.stride, np.int16)
        self.kernels.clip_into_tile(noise, CONTRAST, tile, self.stride)
        return tile

    def _scan(self) -> int:
        self.before, self.now = self.now, self.before
        count: int = self.kernels.scan(
            self.tile,
            self.stride,
            int(self.x * PIXEL),
            int(self.y * PIXEL),
            self.size,
            self.upper,
            self.lower,
            self.on,
            self.off,
            self.before,
            self.now,
            *self.rows,
            self.found,
        )
        return count

    def move(self, pixels: float) -> int:
        """Move the scene so far along its path; how many crossings that makes."""
        into_leg = self.steps % LEG_STEPS
        if into_leg == 0:
            self.heading = self.next_heading
            turn = self.kernels.random_bits(self.seeds[7], self.steps) % 5 - 2
            self.next_heading = (self.heading + turn) % len(HEADINGS)
        self.steps += 1
        (x0, y0), (x1, y1) = HEADINGS[self.heading], HEADINGS[self.next_heading]
        part = into_leg / LEG_STEPS
        side = self.kernels.TILE
        self.x = (self.x + pixels * (x0 + (x1 - x0) * part) / 256) % side
        self.y = (self.y + pixels * (y0 + (y1 - y0) * part) / 256) % side
        return self._scan()

    def warm_up(self) -> float:
        """Move the scene a little; the crossings found, of all pixels, as it moves by one."""
        found, steps = 0, 0
        while steps < 8 or (found < 100 and steps < 512):
            found += self.move(0.5)
            steps += 1
        return max(found, 1) / (steps * 0.5)

    def crossings(self, found: int, duration: int) -> NDArray[np.int64]:
        """The crossings found and those of noise, in order, of a step of so many ns."""
        self.noise_due += self.noise_ns * duration
        amount = int(self.noise_due)
        self.noise_due -= amount
        count = self.kernels.add_noise(
            self.found, found, self.seeds[8], self.noise_made, amount, *self.size
        )
        self.noise_made += amount
        self.kernels.sort_crossings(self.found[:count], self.bins, self.sorted)
        return self.sorted[:count]


class _Readout:
    """Pixels that wait to be read, and the arbiter that reads their rows."""

    def __init__(self, sensor: Sensor) -> None:
        from evstore import synth_kernels as kernels

        self.kernels = kernels
        words = (sensor.width + 63) // 64 * sensor.height
        self.settings = (
            sensor.width,
            sensor.row_ns,
            sensor.refractory_us * 1000,
            sensor.seed & (2**62 - 1),
        )
        self.state = np.zeros(kernels.READOUT_STATE, np.int64)
        self.pixels: tuple[NDArray[Any], ...] = (
            np.full(sensor.width * sensor.height, kernels.NEVER, np.int64),
            np.zeros(words, np.uint64),
            np.zeros(words, np.uint64),
            np.zeros((sensor.height + 63) // 64, np.uint64),
            np.full(sensor.height, words, np.int64),
            np.full(sensor.height, -1, np.int64),
        )
        self.step: tuple[NDArray[np.int64], int, int]

    def start(self, begin: int, duration: int, crossings: NDArray[np.int64]) -> None:
        """A step of so many ns, and the crossings in it."""
        self.step = (crossings, begin, duration)
        self.state[self.kernels.NEXT] = 0

    def read(self, columns: tuple[NDArray[Any], ...], count: int, enough: int) -> int:
        """Read rows into ``columns``; the new count, below ``enough`` when the step is over."""
        arguments: tuple[Any, ...] = (
            *(*self.step, *self.settings, self.state),
            *(*self.pixels, count, enough, *columns),
        )
        return int(self.kernels.read_out(*arguments))
