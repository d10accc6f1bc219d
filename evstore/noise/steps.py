"""Transforms by name, as a command line or a file of parameters says them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from typing import Any

import numpy as np

from evstore import noise
from evstore.errors import ArgumentError
from evstore.noise.compose import Compose
from evstore.noise.step_values import (
    IMAGE,
    PIXELS,
    VALUE,
    allowed,
    from_file,
    goes_on,
    kind_of,
    value_of,
)
from evstore.noise.transform import Transform

#: Names of what adds noise, and of what a sensor or its readout does to events.
ADDED = {
    "hot-pixels": "HotPixels",
    "background": "BackgroundActivity",
    "leak": "Leak",
    "flicker": "Flicker",
    "recorded": "RecordedNoise",
    "pixel-drop": "PixelDrop",
    "event-drop": "EventDrop",
    "time-jitter": "TimeJitter",
    "spatial-jitter": "SpatialJitter",
    "bandwidth-limit": "BandwidthLimit",
    "timestamp-quantise": "TimestampQuantise",
    "polarity-flip": "PolarityFlip",
    "missing-rows": "MissingRows",
    "refractory": "Refractory",
}
#: Names of filters.
FILTERS = {
    "hot-pixel-mask": "HotPixelMask",
    "refractory": "Refractory",
    "activity": "ActivityFilter",
    "stcf": "Stcf",
    "pixel-rate-limit": "PixelRateLimit",
    "rate-limit": "RateLimit",
    "decimation": "Decimation",
    "anti-flicker": "AntiFlicker",
}
STEPS = ADDED | FILTERS
BRIEF = 4096  # numbers that each of many recordings may well have in its metadata
COMMON = ("resolution",)  # what the stream says itself


def transform_class(name: str) -> type[Transform]:
    """The transform of that name; raises ArgumentError where there is none."""
    if name not in STEPS:
        import difflib

        near = difflib.get_close_matches(name, STEPS, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(STEPS)}"
        raise ArgumentError(f"no step is called {name!r}; {hint}")
    found: type[Transform] = getattr(noise, STEPS[name])
    return found


def parse_step(text: str) -> Transform:
    """The transform of ``name:parameter=value,...``.

    >>> step = parse_step("background:rate_hz=2.5,on_fraction=0.4")
    >>> step.rate_hz, step.on_fraction, parse_step("leak").rate_hz
    (2.5, 0.4, 0.1)
    >>> parse_step("flicker:region=0,0,20,10").region, parse_step("flicker:region=0/0/9/9").region
    ((0, 0, 20, 10), (0, 0, 9, 9))
    """
    name, _, said = text.partition(":")
    kinds = _kinds(name.strip())
    given: dict[str, str] = {}
    last = ""
    for part in _parts(said):
        key, equals, value = part.partition("=")
        if equals and key.strip():
            last = key.strip().replace("-", "_")
            if last in given:
                raise ArgumentError(f"{last} is given twice in {text!r}: give it once")
            given[last] = value.strip()
        elif last and goes_on(kinds.get(last, VALUE), part):
            given[last] += f",{part}"
        else:
            raise ArgumentError(f"a step is NAME:PARAMETER=VALUE,..., got {part!r} in {text!r}")
    return make_step(
        name.strip(),
        {key: value_of(kinds.get(key, VALUE), value.strip()) for key, value in given.items()},
    )


def make_step(name: str, given: Mapping[str, Any]) -> Transform:
    """The transform of a name and parameters, of which images and pixels may be paths of files.

    Raises ArgumentError for parameters that it does not have, OSError for files that cannot be
    read.
    """
    kind, kinds = transform_class(name), _kinds(name)
    known = list(kinds)
    for key in given:
        if key not in known:
            raise ArgumentError(f"{name} has no parameter {key!r}; it has {', '.join(known)}")
    missing = [key for key, usual in described(name) if usual == "required" and key not in given]
    if missing:
        raise ArgumentError(f"{name} needs {' and '.join(missing)}: {name}:{missing[0]}=...")
    read = {
        key: from_file(kinds[key], key, value)
        if isinstance(value, str) and kinds[key] in (IMAGE, PIXELS)
        else value
        for key, value in given.items()
    }
    try:
        return kind(**read)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ArgumentError):
            raise
        # Of another type than is asked for.
        raise ArgumentError(f"{name}: {error}") from None


def composed(steps: Iterable[Mapping[str, Any]], seed: int = 0) -> Compose:
    """One transform of several that are said as ``{"step": name, parameter: value, ...}``."""
    made = []
    for step in steps:
        if not isinstance(step, Mapping) or not isinstance(step.get("step"), str):
            raise ArgumentError(f'a step is an object with "step", its name, got {step!r}')
        made.append(make_step(step["step"], {k: v for k, v in step.items() if k != "step"}))
    return Compose(*made, seed=seed)


def said(transform: Transform, brief: bool = False) -> Any:
    """What a transform is, as JSON values: all that is not as it is unless said.

    ``brief``: of images and pixels of more than BRIEF numbers, their shape and a digest.
    """
    if isinstance(transform, Compose):
        steps = [said(one, brief) for one in transform.transforms]
        return {"seed": transform.seed, "steps": steps}
    kind = type(transform)
    name = next((name for name, home in STEPS.items() if home == kind.__name__), kind.__name__)
    found: dict[str, Any] = {"step": name}
    for field in fields(transform):
        value = getattr(transform, field.name)
        if field.init and field.name not in COMMON and not _is_usual(value, field.default):
            found[field.name] = _digest(value) if brief and _is_long(value) else _plain(value)
    return found


def _is_long(value: Any) -> bool:
    return isinstance(value, (np.ndarray, tuple, list)) and np.size(value) > BRIEF


def _digest(value: Any) -> dict[str, Any]:
    if np.asarray(value).dtype.kind in "biuf":
        octets = np.ascontiguousarray(value, np.float32).tobytes()  # as images are held
    else:  # paths
        octets = json.dumps(_plain(value)).encode()
    return {"shape": list(np.shape(value)), "sha256": hashlib.sha256(octets).hexdigest()}


def steps_of(parameters: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """Steps of parameters by the names of classes, as `Measurement.parameters` gives them."""
    return [said(getattr(noise, name)(**given)) for name, given in parameters.items()]


def described(name: str) -> list[tuple[str, str]]:
    """The parameters of a step, and what each is unless said."""
    found = []
    for field in _parameters(name):
        has = "default" if type(field.default).__name__ == "_MISSING_TYPE" else ""
        found.append((field.name, "required" if has else repr(field.default)))
    return found


def choices(name: str) -> dict[str, str]:
    """What each parameter of a step may be, in words, where that is known."""
    needed = [key for key, usual in described(name) if usual == "required"]
    found = {f.name: allowed(transform_class(name), f, needed) for f in _parameters(name)}
    return {key: words for key, words in found.items() if words}


def _parameters(name: str) -> list[Field[Any]]:
    return [f for f in fields(transform_class(name)) if f.init and f.name not in COMMON]


def _kinds(name: str) -> dict[str, str]:
    """How each parameter of a step is written."""
    return {field.name: kind_of(field) for field in _parameters(name)}


def as_text(step: Mapping[str, Any]) -> str:
    """A step as the command line has it.

    >>> as_text({"step": "leak", "rate_hz": 0.5})
    'leak:rate_hz=0.5'
    """
    given = []
    for key, value in step.items():
        if key == "step":
            continue
        given.append(f"{key}={_text(value)}")
    return ":".join([step["step"], *filter(None, [",".join(given)])])


def _text(value: Any) -> str:
    """A value as `parse_step` reads it; numbers to ten digits."""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list) and all(isinstance(one, int) for one in value):
        return "/".join(map(str, value))
    return repr(value).replace(" ", "") if isinstance(value, list) else str(value)


def _is_usual(value: Any, default: Any) -> bool:
    return not isinstance(value, np.ndarray) and bool(value == default)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.astype(np.uint8 if value.dtype == np.bool_ else value.dtype).tolist()
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _parts(text: str) -> list[str]:
    """Cut at commas that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]
