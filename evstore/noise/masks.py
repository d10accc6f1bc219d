"""Masks of hot pixels as they stand in a recording's metadata, and what they leave out.

``metadata["hot_pixels"]`` is an object: ``pixels``, a list of ``[x, y]``, each once; beside it
texts that say how the mask came about, ``learned_from`` and ``rule``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evstore.errors import ArgumentError, CorruptError
from evstore.events import Events

HOT_PIXELS = "hot_pixels"
#: What is done about the pixels of a mask where a recording is read.
CHOICES = ("keep", "drop")


def mask_to_metadata(
    pixels: ArrayLike,
    resolution: tuple[int, int],
    *,
    learned_from: str | None = None,
    rule: str | None = None,
) -> dict[str, Any]:
    """What to put under ``metadata["hot_pixels"]`` of a recording of a sensor.

    ``pixels``: a bool array (height, width), True where a pixel is hot, or pairs (x, y).
    ``learned_from`` says of which recording, ``rule`` how. Raises ArgumentError for pixels outside
    of the sensor, and for what are no pixels.

    >>> mask_to_metadata([(3, 0), (1, 2)], (4, 3), rule="above 50 Hz at rest")
    {'pixels': [[3, 0], [1, 2]], 'rule': 'above 50 Hz at rest'}
    """
    width, height = resolution
    found = np.asarray(pixels)
    if found.dtype == np.bool_:
        if found.shape != (height, width):
            raise ArgumentError(
                f"a mask of the sensor must have the shape ({height}, {width}), got {found.shape}"
            )
        found = np.argwhere(found)[:, ::-1]
    if found.size and (found.dtype.kind not in "iu" or found.ndim != 2 or found.shape[1] != 2):
        raise ArgumentError(
            "hot pixels are a bool array (height, width) or pairs (x, y) of integers, got "
            f"{found.dtype} of shape {found.shape}"
        )
    pairs = found.reshape(-1, 2).tolist()
    for pair in pairs:
        if not _is_pixel(pair, width, height):
            raise ArgumentError(f"hot pixels must lie within {width}x{height}, got {pair}")
    each_once = dict.fromkeys(map(tuple, pairs))
    made: dict[str, Any] = {"pixels": [list(pair) for pair in each_once]}
    for name, text in (("learned_from", learned_from), ("rule", rule)):
        if text is not None:
            made[name] = str(text)
    return made


def mask_from_metadata(
    metadata: Mapping[str, Any], resolution: tuple[int, int] | None
) -> NDArray[np.bool_] | None:
    """The mask of a recording, (height, width), True where a pixel is hot; None where it has none.

    Raises CorruptError for what is no mask of the sensor: any program can have written it.

    >>> about = {"hot_pixels": {"pixels": [[3, 0], [1, 2]]}}
    >>> mask_from_metadata(about, (4, 3)).astype(int).tolist()
    [[0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    """
    said = metadata.get(HOT_PIXELS)
    if said is None:
        return None
    pairs = said.get("pixels") if isinstance(said, dict) else None
    if not isinstance(pairs, list):
        raise _corrupt('an object with "pixels", a list', type(said).__name__)
    width, height = resolution or (0, 0)
    if len(pairs) > width * height:
        raise _corrupt(f"at most the {width * height} pixels of the sensor", f"{len(pairs)}")
    for pair in pairs:  # before numpy sees them, of which long texts would take all memory
        if not _is_pixel(pair, width, height):
            raise _corrupt(f"pairs [x, y] within {width}x{height}", f"{pair!r:.80}")
    mask = np.zeros((height, width), np.bool_)
    x, y = np.array(pairs, np.intp).reshape(-1, 2).T
    mask[y, x] = True
    return mask


def mask_of(
    metadata: Mapping[str, Any], resolution: tuple[int, int] | None, what: str
) -> NDArray[np.bool_]:
    """The mask of a recording from which hot pixels are to be dropped.

    Raises ArgumentError where ``what``, the recording, has none.
    """
    found = mask_from_metadata(metadata, resolution)
    if found is None:
        raise ArgumentError(
            f"{what} has no mask of hot pixels in its metadata, which hot_pixels='drop' needs: "
            "`evstore noise mask IN OUT` learns one of each recording of a shard or folder (of a "
            "dataset, `evstore dataset index OUT` then lists them); or read it with "
            "hot_pixels='keep'"
        )
    return found


def drops(hot_pixels: str) -> bool:
    """Whether hot pixels are to be dropped; raises ArgumentError for what is no choice."""
    if hot_pixels not in CHOICES:
        raise ArgumentError(f"hot_pixels must be 'keep' or 'drop', got {hot_pixels!r}")
    return hot_pixels == "drop"


def without(events: Events, mask: NDArray[np.bool_]) -> Events:
    """Events without those of masked pixels: moved where they lie, so nobody else may have them."""
    from evstore.noise.mask_kernels import drop_masked

    t, x = np.ascontiguousarray(events.t), np.ascontiguousarray(events.x)
    y, p = np.ascontiguousarray(events.y), np.ascontiguousarray(events.p)
    kept = drop_masked(t, x, y, p, mask.reshape(-1).view(np.uint8), mask.shape[1])
    return Events.of(t[:kept], x[:kept], y[:kept], p[:kept], events.resolution)


def _is_pixel(pair: object, width: int, height: int) -> bool:
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    x, y = pair
    return type(x) is int and type(y) is int and 0 <= x < width and 0 <= y < height


def _corrupt(expected: str, got: str) -> CorruptError:
    return CorruptError(
        "mask of hot pixels is none", field=f"metadata.{HOT_PIXELS}", expected=expected, got=got
    )
