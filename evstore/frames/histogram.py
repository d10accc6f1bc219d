"""Frames of events counted by pixel: `to_frames` and what is made of it."""

from __future__ import annotations

from typing import Any

from evstore.errors import ArgumentError
from evstore.frames.columns import columns_of, is_tensors
from evstore.frames.filler import Filler
from evstore.frames.spec import FIELDS, Frames


def to_frames(
    events: Any,
    spec: Frames | None = None,
    *,
    resolution: tuple[int, int] | None = None,
    out: Any = None,
    **fields: Any,
) -> Any:
    """Frames of events, (frames, channels, height, width) in the spec's dtype.

    ``events`` are `Events`, a structured array with the fields t, x, y, p as tonic has them, or
    torch tensors by these names (`Events.to_torch`): then the frames are a tensor on their device.
    What frames, and what is in them, says a `Frames` or its fields by name. ``resolution`` is the
    sensor's (width, height), not needed where the events have one. ``out`` is an array to fill.

    Raises ArgumentError for events outside the resolution, for numbers that the dtype does not
    hold, and for what does not fit together.

    >>> from evstore.events import Events
    >>> events = Events([0, 5, 12, 20], [0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 1], (2, 1))
    >>> to_frames(events, duration=10).tolist()
    [[[[0, 0]], [[1, 1]]], [[[0, 1]], [[0, 0]]]]
    """
    spec = _spec(spec, fields)
    if is_tensors(events):
        from evstore.frames import tensors

        return tensors.histogram(events, spec, resolution, out)
    columns = columns_of(events, resolution)
    t, x, y, p, sides = columns
    # Whether times step back is known for nothing once they are counted; most never do.
    guess = (int(t[0]), int(t[-1]) + 1) if t.size else (0, 0)
    try:
        filler = Filler(
            spec, sides, *(guess if guess[0] <= guess[1] else columns.extent()), t.size, out
        )
        filler.add(t, x, y, p)
        wrong_guess = filler.stepped_back
    except ArgumentError:
        # What does not fit, ``out`` perhaps, may fit the times that there really are.
        if not (t[1:] < t[:-1]).any():
            raise
        wrong_guess = True
    if wrong_guess:
        filler = Filler(spec, sides, *columns.extent(), t.size, out)
        filler.add(t, x, y, p)
    return filler.result()


def to_image(
    events: Any, *, resolution: tuple[int, int] | None = None, out: Any = None, **fields: Any
) -> Any:
    """All events in one frame, (channels, height, width); the rest as for `to_frames`.

    >>> from evstore.events import Events
    >>> to_image(Events([0, 9], [1, 1], [0, 0], [1, 1], (2, 1)), kind="merged").tolist()
    [[[0, 2]]]
    """
    within = out if out is None else out[None]
    spec = _spec(Frames(count=(1 << 63) - 1, **_checked(fields)), {})
    return to_frames(events, spec, resolution=resolution, out=within)[0]


def to_binary(
    events: Any,
    spec: Frames | None = None,
    *,
    resolution: tuple[int, int] | None = None,
    out: Any = None,
    **fields: Any,
) -> Any:
    """`to_frames` with 1 for any number of events, of uint8 unless another dtype is given.

    >>> from evstore.events import Events
    >>> to_binary(Events([0, 9], [1, 1], [0, 0], [1, 1], (2, 1)), bins=1, kind="merged").tolist()
    [[[[0, 1]]]]
    """
    if spec is None:
        fields = {"dtype": "uint8", **fields, "binary": True}
    elif not spec.binary:
        raise ArgumentError("the spec must say binary=True")
    return to_frames(events, spec, resolution=resolution, out=out, **fields)


def _spec(spec: Frames | None, fields: dict[str, Any]) -> Frames:
    if spec is None:
        return Frames(**_checked(fields))
    if fields:
        raise ArgumentError(f"give a Frames or its fields, not both: {', '.join(fields)}")
    return spec


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise ArgumentError(f"unknown: {', '.join(unknown)}. A Frames has {', '.join(FIELDS)}")
    return fields
