"""The scene, its path, and pixels that see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evstore.synth import retina_kernels as kernels
from evstore.synth.scene_kernels import TILE, add_octave, add_to_tile, clip_into_tile, random_bits
from evstore.synth.sensor import SEEDS, Sensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evstore.synth.noisy import Noise

LOG_UNIT = 2048  # of log intensity: so many make a factor e
CONTRAST = 3000  # plateaus of the scene lie so far above and below its mean, in log units
# Of the scene's texture: the cell as a part of the coarsest, the amplitude before clipping.
OCTAVES = ((1, 40_000), (2, 20_000), (8, 3_000))
TEXTURE = (4, 8)  # parts of the coarsest cell too: of what surfaces have of texture
PIXEL = 1 << 16  # of position
LEG_STEPS = 16  # of the scene while the rate rises and falls once, or more
# Sixteen headings of length 256.
HEADINGS = (
    *((256, 0), (237, 98), (181, 181), (98, 237), (0, 256), (-98, 237), (-181, 181), (-237, 98)),
    *((-256, 0), (-237, -98), (-181, -181), (-98, -237), (0, -256), (98, -237)),
    *((181, -181), (237, -98)),
)


class Retina:
    """The scene, its path, and pixels that find level crossings."""

    def __init__(self, sensor: Sensor) -> None:
        self.size = (sensor.width, sensor.height)
        self.seeds = [random_bits(sensor.seed & SEEDS, i) for i in range(15)]
        pixels = sensor.width * sensor.height
        self.region = self._region(sensor.moving)
        _, left, right, first, end = self.region
        seen = (right - left, end - first)
        self.seen_pixels = seen[0] * seen[1]
        self.stride = TILE + seen[0] + 1
        # The coarsest cell of the texture: some of them fit a sensor of usual size.
        self.cell = next(c for c in (256, 128, 64, 32) if 3 * c <= max(*seen, 96))
        self.tile = self._scene(round(sensor.texture * LOG_UNIT))
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
        self.marks = np.zeros((seen[0] + 7) // 8 * 8, np.uint8)
        self.rows = (
            np.zeros(seen[0], np.int32),
            np.zeros(seen[0] + 1, np.int32),
            self.marks,
            self.marks.view(np.uint64),
            np.zeros(self.marks.size + 1, np.int64),
        )
        self.found = np.zeros(pixels // 2 + 1024, np.int64)
        self.jitter_ns = round(sensor.jitter_us * 1000)
        held = self.found.size if self.jitter_ns else 0
        self.held = (np.zeros(1, np.int64), np.zeros(held, np.int64), np.zeros(held, np.int64))
        self.delayed = 0
        self.noise: Noise | None = None
        self.on_top = 0  # crossings of that noise in the last step
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

    def _region(self, moving: float) -> tuple[int, int, int, int, int]:
        """The sensor's width, columns and rows of where the scene moves: of the sensor's shape."""
        width, height = (max(1, round(side * moving**0.5)) for side in self.size)
        left = self.seeds[9] % (self.size[0] - width + 1)
        first = self.seeds[10] % (self.size[1] - height + 1)
        return self.size[0], left, left + width, first, first + height

    def _scene(self, texture: int) -> NDArray[np.int16]:
        side = TILE
        noise = np.zeros(side * side, np.int32)
        for octave, (part, amplitude) in enumerate(OCTAVES):
            add_octave(noise, self.seeds[octave], self.cell // part, amplitude)
        tile = np.empty(side * self.stride, np.int16)
        clip_into_tile(noise, CONTRAST, tile, self.stride)
        if texture:
            noise[:] = 0
            for seed, part in zip(self.seeds[13:], TEXTURE, strict=True):
                add_octave(noise, seed, self.cell // part, texture)
            add_to_tile(noise, tile, self.stride)
        return tile

    def _scan(self) -> int:
        self.before, self.now = self.now, self.before
        count: int = kernels.scan(
            self.tile,
            self.stride,
            int(self.x * PIXEL),
            int(self.y * PIXEL),
            self.region,
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
            turn = random_bits(self.seeds[7], self.steps) % 5 - 2
            self.next_heading = (self.heading + turn) % len(HEADINGS)
        self.steps += 1
        (x0, y0), (x1, y1) = HEADINGS[self.heading], HEADINGS[self.next_heading]
        part = into_leg / LEG_STEPS
        side = TILE
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

    def crossings(self, found: int, begin: int, duration: int) -> NDArray[np.int64]:
        """The crossings found and those of noise, in order, of a step of so many ns."""
        if self.jitter_ns:
            made = found
            found = kernels.delay(
                *(self.found, found, begin, duration, self.jitter_ns, self.seeds[11]),
                *(self.delayed, *self.held),
            )
            self.delayed += made
        self.noise_due += self.noise_ns * duration
        amount = int(self.noise_due)
        self.noise_due -= amount
        count = kernels.add_noise(
            self.found, found, self.seeds[8], self.noise_made, amount, *self.size
        )
        self.noise_made += amount
        if self.noise is not None:  # which may come all at one time: too many for a bin
            more = self.noise.crossings(begin, duration)
            self.on_top = more.size
            return np.sort(np.concatenate([self.found[:count], more]))
        kernels.sort_crossings(self.found[:count], self.bins, self.sorted)
        return self.sorted[:count]
