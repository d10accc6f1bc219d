"""Each neuron of a layer as a pixel: how often it spikes, and which never or always do."""

from __future__ import annotations

import base64
import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from evstore.snn.report.html import Html, tag
from evstore.snn.report.reading import Arrays
from evstore.snn.report.words import percent, short

#: Places in the palette: nothing, a dead neuron, a saturated one; rates are those between.
EMPTY, DEAD, SATURATED, FIRST = 0, 1, 2, 3
#: From a rate of 0 to the greatest: dark violet to yellow, readable on black and on white.
ANCHORS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
LARGEST = 1 << 20  # pixels: more are thinned out


def neuron_strip(label: str, arrays: Arrays) -> Html:
    """A picture of all neurons: maps of channels side by side, or rows of them."""
    rates = np.nan_to_num(arrays["rate_per_step"].astype(np.float64))
    if not rates.size:
        return Html("")
    top = float(rates.max())
    shade = rates / top if top > 0 else np.zeros_like(rates)
    levels = np.minimum(FIRST + shade * (255 - FIRST), 255).astype(np.uint8)
    levels[arrays["saturated"].astype(bool)] = SATURATED
    levels[arrays["dead"].astype(bool)] = DEAD
    pixels = _tiled(levels)
    thinner = math.ceil(math.sqrt(pixels.size / LARGEST))
    pixels = pixels[::thinner, ::thinner]
    height, width = pixels.shape
    data = base64.b64encode(png(pixels)).decode()
    image = tag("image", href=f"data:image/png;base64,{data}", width=width, height=height,
                style="image-rendering: pixelated")  # fmt: skip
    wide = f"max-width: {max(width * max(1, 320 // width), 160)}px"
    title = f"neurons of {label}: rate of each"
    picture = tag("svg", image, viewBox=f"0 0 {width} {height}", role="img", aria_label=title,
                  style=wide)  # fmt: skip
    dead, saturated = percent(arrays["dead"].mean()), percent(arrays["saturated"].mean())
    said = (
        f"violet: hardly ever, to yellow: {short(top)} spikes a step; "
        f"red: dead ({dead}), white: saturated ({saturated})"
    )
    if thinner > 1:
        said += f"; one neuron of {thinner}x{thinner} shown"
    return tag("figure", picture, tag("figcaption", tag("b", "each neuron's rate"), " ", said))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of palette colours (W3C PNG, colour type 3); place 0 is transparent."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", header),
            (b"PLTE", _palette()),
            (b"tRNS", b"\0"),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        )
    )


def _palette() -> bytes:
    special = [(0, 0, 0), (200, 30, 30), (255, 255, 255)]
    at = np.linspace(0, len(ANCHORS) - 1, 256 - FIRST)
    shades = [np.interp(at, range(len(ANCHORS)), [a[c] for a in ANCHORS]) for c in range(3)]
    return bytes(np.vstack([special, np.array(shades).T]).astype(np.uint8).tobytes())


def _tiled(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One image: of (..., H, W) the maps side by side, with a line of nothing in between."""
    if levels.ndim < 3:
        flat = levels.reshape(-1)
        if levels.ndim == 2 and min(levels.shape) > 1:
            return levels
        width = min(flat.size, max(32, math.ceil(math.sqrt(flat.size * 4))))
        rows = math.ceil(flat.size / width)
        return np.pad(flat, (0, rows * width - flat.size)).reshape(rows, width)
    maps = levels.reshape(-1, *levels.shape[-2:])
    across = min(len(maps), max(1, math.ceil(math.sqrt(len(maps) * 2))))
    down = math.ceil(len(maps) / across)
    maps = np.pad(maps, ((0, across * down - len(maps)), (0, 1), (0, 1)))
    height, width = maps.shape[1:]
    grid = maps.reshape(down, across, height, width).swapaxes(1, 2)
    return grid.reshape(down * height, across * width)[:-1, :-1]
