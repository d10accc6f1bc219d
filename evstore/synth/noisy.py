"""Events that noise makes pixels ask for, besides those of the scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise import Transform
from evstore.noise.batch import Sensor, empty_batch
from evstore.noise.key import sample_key
from evstore.synth.retina_kernels import crossings_of
from evstore.synth.scene_kernels import random_bits


class Noise:
    """A transform of `evstore.noise` at work on pixels that see nothing."""

    def __init__(self, noise: Transform, size: tuple[int, int], seed: int) -> None:
        self.stage = noise.begin(Sensor(*size), sample_key(0, seed, empty_batch()), 0)
        self.seed = random_bits(seed, 12)
        self.made = 0

    def crossings(self, begin: int, duration: int) -> NDArray[np.int64]:
        """Those of a step of so many ns; what comes too late for its step is of the next one."""
        batch, _ = self.stage.push(empty_batch(), (begin + duration) // 1000, False)
        out = np.empty(batch.size, np.int64)
        columns = (batch.t, batch.x, batch.y, batch.p)
        crossings_of(*columns, begin, duration, self.seed, self.made, out)
        self.made += out.size
        return out
