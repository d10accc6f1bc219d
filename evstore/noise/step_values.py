"""Parameters of steps as text: how each is written, and what it may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import Field
from typing import Any

import numpy as np

from evstore.errors import ArgumentError, MissingDependencyError

VALUE, TEXT, PATH, IMAGE, PIXELS = "value", "text", "path", "image", "pixels"
#: How parameters are written that are no numbers, truths or words.
SPELLINGS = {
    PATH: "a path; of several a list, as in ['a.evs','b.evs']",
    IMAGE: "a path to .npy or .png, (height, width) of 0..1",
    PIXELS: "x/y of each, as in 3/0,12/7, or a path to .npy",
}
#: Of ranges that end where another parameter is: which end, and the other's name.
ENDS_AT = {"high_hz": (0, "low_hz"), "most_hz": (0, "rate_hz"), "support": (1, "neighbours")}
_PAIRS = re.compile(r"\s*\d+/\d+\s*([,;]\s*\d+/\d+\s*)*")


def kind_of(parameter: Field[Any]) -> str:
    """How a parameter is written: one of the names above."""
    said = str(parameter.type)
    if "PathLike" in said:
        return PATH
    if said.startswith("str"):
        return TEXT
    if "NDArray" in said:
        return IMAGE
    return PIXELS if parameter.name == "pixels" else VALUE


def goes_on(kind: str, part: str) -> bool:
    """Whether what follows a comma and names no parameter belongs to the one before."""
    return kind in (PATH, IMAGE, PIXELS) or part.strip().isdigit()


def value_of(kind: str, text: str) -> Any:
    """What a text says; of images and pixels that are files it is their path still.

    >>> value_of(VALUE, "1/2/3"), value_of(VALUE, "1e2"), value_of(TEXT, "7"), value_of(PATH, "7")
    ((1, 2, 3), 100.0, '7', '7')
    >>> value_of(PIXELS, "3/0;12/7"), value_of(PATH, "['a.evs','b.evs']")
    ([(3, 0), (12, 7)], ['a.evs', 'b.evs'])
    """
    if kind == TEXT:
        return text
    if kind == PIXELS and _PAIRS.fullmatch(text):
        return [tuple(map(int, pair.split("/"))) for pair in re.split("[,;]", text)]
    found = _literal(text)
    if kind == PATH:
        several = isinstance(found, (list, tuple)) and all(isinstance(one, str) for one in found)
        return found if several else text
    if kind in (IMAGE, PIXELS):
        rows = isinstance(found, (list, tuple)) and all(
            isinstance(row, (list, tuple)) for row in found
        )
        return found if found is None or rows else text
    return found


def _literal(text: str) -> Any:
    """A number, a truth, a tuple (``1/2/3``, which a shell leaves alone); else the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if "/" in text and all(part.strip().lstrip("-").isdigit() for part in text.split("/")):
        return tuple(int(part) for part in text.split("/"))
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def from_file(kind: str, name: str, path: str) -> Any:
    """The image or the pixels of a file.

    Raises ArgumentError for a file of another kind, OSError for one that cannot be read,
    MissingDependencyError for a PNG without matplotlib.
    """
    suffix = path.lower()[-4:]
    if suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, EOFError):  # numpy says how to read it all the same, which is unsafe
            raise ArgumentError(f"{name}: {path} is no .npy of numbers") from None
    if suffix == ".png" and kind == IMAGE:
        return _grey(name, path)
    raise ArgumentError(f"{name} is {SPELLINGS[kind]}; got {path!r}")


def _grey(name: str, path: str) -> Any:
    """A PNG in 0..1: its grey, or the mean of its colours; its transparency says nothing."""
    try:
        from matplotlib.image import imread
    except ImportError:
        raise MissingDependencyError("matplotlib", "bench", f"{name} of a PNG") from None
    try:
        image = np.asarray(imread(path), np.float32)
    except (ValueError, SyntaxError) as error:
        raise ArgumentError(f"{name}: {path} is no PNG: {error}") from None
    return image if image.ndim == 2 else image[..., :3].mean(axis=-1)


def allowed(make: type[Any], parameter: Field[Any], required: Iterable[str]) -> str:
    """What a parameter may be, as its check says it to what it may not; "" where that is silent."""
    kind, name = kind_of(parameter), parameter.name
    if kind in SPELLINGS:
        return SPELLINGS[kind]
    if name == "region":
        return "x0,y0,x1,y1"
    try:
        make(**{**dict.fromkeys(required, 1), name: "?"})
    except ArgumentError as error:
        found = re.match(rf"{name} must be (.*), got ", str(error))
    else:
        found = None
    if found is None:
        return "True or False" if parameter.type == "bool" else ""
    if name not in ENDS_AT:
        return found[1]
    what, _, span = found[1].rpartition(" ")
    ends = span.split("..")
    end, other = ENDS_AT[name]
    ends[end] = other
    return f"{what} {'..'.join(ends)}"
