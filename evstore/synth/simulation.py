"""A simulated event sensor: what `evstore.simulate` runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from evstore.events import COLUMN_DTYPES, COLUMNS, Events
from evstore.synth.sensor import SEEDS, Sensor, check, check_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evstore.noise import Transform


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
    event_ns: int = 0,
    readout: str = "nearest",
    row_order: str = "x",
    frame_us: int = 0,
    jitter_us: float = 0,
    moving: float = 1,
    texture: float = 0,
    noise: Transform | None = None,
    seed: int = 0,
    batch_events: int = 65_536,
) -> Iterator[Events]:
    """Events of a sensor that looks at a moving texture, in batches of bounded memory.

    Times start at 0, end before ``duration_us`` and never step back. A batch has
    ``batch_events`` events or up to a row of the sensor more; the last one may have fewer. The
    same arguments give the same events on every machine, and ``batch_events`` changes only where
    batches end.

    What is modelled (`evstore.synth.KINDS` has the values of some sensors, to be given as
    ``simulate(size, duration_us, **KINDS["gen41"])``):

    - A pixel fires when the logarithm of its light has changed by its threshold since its last
      event: ``threshold`` (of the natural logarithm) is the mean over the pixels, ON and OFF
      apart, ``mismatch`` the deviation [1]. Light between two positions of the scene is
      interpolated linearly in the logarithm, as in [2].
    - It asks to be read some time later, ``jitter_us`` being the deviation of that delay, which
      goes from 0 to 7 times as much: latency and jitter of a pixel are much the same [5]. 0: at
      once, and at the times that integers of light and position allow, so that events of slow
      scenes share times that those of sensors do not.
    - After it is read, a pixel is blind for ``refractory_us``; a change in that time is lost.
    - ``readout``: ``"nearest"`` and ``"tree"`` read rows one at a time, each in ``row_ns`` and
      ``event_ns`` for each event, with all its pixels that wait, so that fast scenes give long
      rows and late times, as in row-readout sensors [3]. All of a row have one time, or, with
      ``event_ns``, each its own. The arbiter goes on to the nearest waiting row and turns round
      now and then; or is a tree of arbiters [6] that sweeps fairly through all rows, the halves
      of each node in an order of its own. ``row_order``: the events of a row from left to right
      (``"x"``), OFF before ON as EVT3 has them (``"off_first"``), or ON before OFF and columns
      by a tree too (``"tree"``).
    - ``readout="frames"``: requests are held once in ``frame_us``, and all columns are gone
      through from the right, each in ``row_ns``, as in the sensors of [7].
    - Noise: ``noise_hz`` events a second and pixel, of random pixel, time and polarity; they are
      part of ``events_per_s``. ``noise``: sources of `evstore.noise` (hot pixels, background
      activity, leak, flicker; several in a `Compose`), for the sample that ``seed`` names. What
      they make comes on top, and is held up and lost by the readout as all else is.
    - The scene is plateaus with soft edges that repeats after 1024 pixels and moves on a smooth
      path, as fast as it takes for ``events_per_s`` on the mean; within a tenth of a second the
      rate swings by half. It is met within a few percent where there are many events, and where
      no refractory time or frame of the readout loses them. ``moving``: in this share of the
      sensor, a box of its shape; nothing moves in the rest of it. ``texture``: plateaus are not
      flat, but rise and fall by up to twice as much (of the natural logarithm) within an eighth
      and a quarter of the scene's coarsest cell, so that pixels fire now and then between edges.

    What is not: the finite bandwidth of a pixel, and its latency in the dark, leak and shot noise
    that depend on light [4], the reset of a pixel by its noise, several motions at once, rotation,
    lens and perspective, a readout that drops events, and triggers.

    Raises ArgumentError where a value is out of range, or the rate above what pixels can fire.

    [1] Lichtsteiner et al., IEEE JSSC 43(2), 2008, doi:10.1109/JSSC.2007.914337
    [2] Rebecq et al., ESIM, CoRL 2018
    [3] Finateu et al., ISSCC 2020, doi:10.1109/ISSCC19947.2020.9063149
    [4] Hu et al., v2e, CVPRW 2021, arXiv:2006.07722
    [5] Prophesee, https://support.prophesee.ai/portal/en/kb/articles/evk-latency
    [6] Boahen, IEEE TCAS-II 47(5), 2000, doi:10.1109/82.842110
    [7] Son et al., ISSCC 2017, doi:10.1109/ISSCC.2017.7870263

    >>> events = Events.concatenate(simulate((34, 34), 10_000, events_per_s=100_000, seed=1))
    >>> 900 < len(events) < 1100, events.resolution, bool(events.t[-1] < 10_000)
    (True, (34, 34), True)

    One of a Prophesee Gen4.1, in a tenth of which something moves:

    >>> from evstore.synth import KINDS
    >>> batches = simulate((1280, 720), 10_000, moving=0.1, texture=0.4, **KINDS["gen41"])
    >>> 45_000 < len(Events.concatenate(batches)) < 55_000
    True
    """
    width, height = resolution
    sensor = Sensor(
        *(width, height, events_per_s, threshold, mismatch, refractory_us, noise_hz, row_ns, seed),
        *(event_ns, readout, row_order, frame_us, jitter_us, moving, texture),
    )
    check(sensor, duration_us, batch_events)
    if noise is not None:
        check_noise(noise, sensor)
    return _run(sensor, duration_us, batch_events, noise)


def _run(
    sensor: Sensor, duration_us: int, batch_events: int, noise: Transform | None
) -> Iterator[Events]:
    from evstore.synth.noisy import Noise
    from evstore.synth.pace import Pace
    from evstore.synth.readout import readout_of
    from evstore.synth.retina import Retina

    size = (sensor.width, sensor.height)
    retina = Retina(sensor)
    if noise is not None:
        retina.noise = Noise(noise, size, sensor.seed & SEEDS)
    pace = Pace(sensor, retina, duration_us)
    readout = readout_of(sensor)
    longest = batch_events + max(size)
    columns, count = _columns(longest), 0
    begin = 0
    while begin < duration_us * 1000:
        found = retina.move(pace.pixels_a_step)
        duration = pace.step_ns(begin, found)
        crossings = retina.crossings(found, begin, duration)
        readout.start(begin, duration, crossings)
        made = -retina.on_top
        while True:
            before = count
            count = readout.read(columns, count, batch_events)
            made += count - before
            if count < batch_events:
                break
            yield from _whole(columns, count, duration_us, size)
            columns, count = _columns(longest), 0
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
