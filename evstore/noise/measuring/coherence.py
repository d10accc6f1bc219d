"""Whether a line in a spectrum is of light that goes on, or of something that passed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.noise.measuring.series import AT_ONCE, BIN_US, Series

SEGMENTS = 4
STEADY = 0.45  # of the mean power: so much of each quarter goes on as the others


def steady(series: Series, frequency_hz: float, lit: NDArray[np.bool_]) -> bool:
    """Whether blocks that are ``lit`` have a wave of that frequency all of the time."""
    return bool(lit.any() and (shares(series, frequency_hz, lit) > STEADY).all())


def shares(series: Series, frequency_hz: float, lit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How far each quarter of the last one to two seconds has the wave of the three others.

    The mean over the blocks that are ``lit``, which may have phases of their own: 1 of each quarter
    if light goes on as it was, in phase and height; near 0 of some where the wave of others was an
    edge that passed, or chance. The frequency is refined by what turns from quarter to quarter.
    """
    found = waves(series.last(lit).sum(1), frequency_hz)
    if not found.size:
        return np.zeros(SEGMENTS)
    turned = np.angle((found[:, 1:] * found[:, :-1].conj()).sum())
    found *= np.exp(-1j * turned * np.arange(SEGMENTS))
    others = found.sum(1, keepdims=True) - found
    along = (found * others.conj()).real / (SEGMENTS - 1)
    power = (abs(found) ** 2).mean(1, keepdims=True)
    shared: NDArray[np.float64] = np.mean(along / np.maximum(power, 1e-30), 0)
    return shared


def waves(seen: NDArray[np.integer], frequency_hz: float) -> NDArray[np.complex128]:
    """The wave of that frequency in each quarter of some series, (series, `SEGMENTS`).

    None where they are too short, or empty.
    """
    length = seen.shape[-1] // SEGMENTS
    if not length or not seen.any():
        return np.empty((0, SEGMENTS), np.complex128)
    seen = seen[:, -length * SEGMENTS :].reshape(-1, SEGMENTS, length)
    at = np.arange(SEGMENTS * length).reshape(SEGMENTS, length) * (BIN_US / 1e6)
    wave = np.exp(-2j * np.pi * frequency_hz * at) * np.hanning(length + 2)[1:-1]
    found = np.empty(seen.shape[:2], np.complex128)
    for first in range(0, len(seen), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        np.einsum("bsl,sl->bs", seen[some].astype(np.float64), wave, out=found[some])
    return found
