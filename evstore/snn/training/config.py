"""A configuration from TOML and from the command line, and back to TOML."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from evstore.errors import ArgumentError
from evstore.snn.training.schema import Config

#: How each type of a field is called in an error.
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "list[int]": "a list of whole numbers",
    "list[str]": "a list of texts",
    "dict[str, Any]": "a table",
}


def load_config(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Config:
    """The configuration of a TOML file, with ``key=value`` texts said over it.

    Raises ArgumentError for unknown keys, with the nearest known one, and for values of another
    type or range; OSError for a file that cannot be read.

    >>> load_config("examples/nmnist.toml", ["training.lr=1e-2"]).training.lr    # doctest: +SKIP
    0.01
    """
    with open(path, "rb") as file:
        return make_config(_parsed(file.read().decode("utf-8", "replace"), str(path)), overrides)


def make_config(said: Mapping[str, Any], overrides: Iterable[str] = ()) -> Config:
    """The configuration of a mapping of sections, as TOML has them; raises as `load_config`.

    >>> made = make_config({"data": {"root": "set", "bins": 10}}, ["bins=20", "schedule=constant"])
    >>> made.data.bins, made.training.schedule
    (20, 'constant')
    """
    sections = {name: dict(_table(name, value)) for name, value in said.items()}
    for text in overrides:
        key, value = parse_override(text)
        put(sections, key.split("."), value, key)
    made: dict[str, Any] = {}
    for name, values in sections.items():
        kind = _section(name)
        made[name] = _table(name, values) if kind is None else _filled(name, kind, values)
    config = Config(**made)
    config.check()
    return config


def parse_override(text: str) -> tuple[str, Any]:
    """The whole key and the value of ``key=value``; the section may be left out where one has it.

    >>> parse_override("training.lr=1e-3"), parse_override("bins = 20")
    (('training.lr', 0.001), ('data.bins', 20))
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise ArgumentError(f"an override is KEY=VALUE, as in training.lr=1e-3, got {text!r}")
    key = whole_key(key)
    if _type_of(key) == "str" and value[:1] not in ("'", '"'):
        return key, value  # a word, which a shell would have taken the quotes of
    try:
        return key, _parsed(f"value = {value}", text)["value"]
    except ArgumentError:
        hint = "; a list is wanted, as in ['a', 'b']" if _type_of(key).startswith("list") else ""
        raise ArgumentError(f"{key}: {value!r} is no value of TOML{hint}") from None


def whole_key(key: str) -> str:
    """``section.key`` of a key whose section may be left out; raises ArgumentError where unknown.

    >>> whole_key("lr"), whole_key("losses.synops")
    ('training.lr', 'losses.synops')
    """
    section = key.partition(".")[0]
    known = known_keys()
    if key in known or section == "losses" or key.startswith("model.args."):
        return key
    found = [one for one in known if one.partition(".")[2] == key]
    if len(found) == 1:
        return found[0]
    if found:
        raise ArgumentError(f"{key!r} may be {' or '.join(found)}: say which")
    raise ArgumentError(_unknown(key))


def known_keys() -> list[str]:
    """Every key that there is, as ``section.key``."""
    sections = dataclasses.fields(Config)
    kinds = {one.name: _section(one.name) for one in sections}
    return [
        f"{name}.{one.name}"
        for name, kind in kinds.items()
        if kind is not None
        for one in dataclasses.fields(kind)
    ]


def differing(a: Config, b: Config) -> list[str]:
    """The keys whose values differ, as ``section.key``."""
    first, second = flat(a), flat(b)
    return [key for key in {**first, **second} if first.get(key) != second.get(key)]


def absolute(config: Config) -> Config:
    """The configuration with whole paths, whatever folder a process works in."""
    data = dataclasses.replace(config.data, root=os.path.abspath(config.data.root))
    weights = config.model.weights and os.path.abspath(config.model.weights)
    model = dataclasses.replace(config.model, weights=weights)
    return dataclasses.replace(config, data=data, model=model)


def flat(config: Config) -> dict[str, Any]:
    """Every value by its key."""
    return {
        f"{name}.{key}": value
        for name, section in dataclasses.asdict(config).items()
        for key, value in section.items()
    }


def to_toml(config: Config) -> str:
    """The configuration as TOML, every key said.

    >>> print(to_toml(Config()).splitlines()[1])
    root = ""
    """
    lines: list[str] = []
    for name, section in dataclasses.asdict(config).items():
        lines += [f"[{name}]", *(f"{_name(k)} = {_text(v)}" for k, v in section.items()), ""]
    return "\n".join(lines)


def _section(name: str) -> Any:
    """The dataclass of a section; None for one whose keys are free."""
    kinds = get_type_hints(Config)
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, 1, 0.5)
        hint = f"did you mean [{near[0]}]?" if near else f"there are {', '.join(kinds)}"
        raise ArgumentError(f"no section is called [{name}]; {hint}")
    return kinds[name] if dataclasses.is_dataclass(kinds[name]) else None


def _filled(name: str, kind: Any, values: Mapping[str, Any]) -> Any:
    types = {one.name: str(one.type) for one in dataclasses.fields(kind)}
    for key in values:
        if key not in types:
            raise ArgumentError(_unknown(f"{name}.{key}"))
    return kind(**{k: _typed(f"{name}.{k}", types[k], v) for k, v in values.items()})


def _typed(key: str, kind: str, value: Any) -> Any:
    """The value, a whole number as a float or a text where one is wanted (``workers = 2``)."""
    if kind in ("float", "str") and type(value) is int:
        value = float(value) if kind == "float" else str(value)
    fits = {
        "int": type(value) is int,
        "float": type(value) is float and math.isfinite(value),
        "bool": type(value) is bool,
        "str": type(value) is str,
        "list[int]": type(value) is list and all(type(one) is int for one in value),
        "list[str]": type(value) is list and all(type(one) is str for one in value),
        "dict[str, Any]": type(value) is dict,
    }
    if not fits[kind]:
        raise ArgumentError(f"{key} must be {_WORDS[kind]}, got {value!r}")
    return value


def _type_of(key: str) -> str:
    section, _, name = key.partition(".")
    kind = _section(section)
    if kind is None:
        return "Any"
    return next((str(f.type) for f in dataclasses.fields(kind) if f.name == name), "Any")


def put(table: dict[str, Any], names: list[str], value: Any, key: str) -> None:
    """Set a value in tables within tables, which are made where there are none."""
    for name in names[:-1]:
        table[name] = dict(_table(key, table.get(name, {})))
        table = table[name]
    table[names[-1]] = value


def _table(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{name} must be a section, as in [data], got {value!r}")
    return value


def _unknown(key: str) -> str:
    section, _, name = key.rpartition(".")
    known = known_keys()
    own = [one for one in known if one.startswith(f"{section}.")]
    found = [one for one in known if one.partition(".")[2] == name]  # it is of another section
    found = found or _near(name, own) or _near(name, known)
    sections = sorted({one.partition(".")[0] for one in known} | {"losses"})
    if name in sections and name != "losses" and not section:
        inside = [one for one in known if one.startswith(f"{name}.")]
        return f"{name!r} is a section: say {inside[0]}=..., or another of {', '.join(inside)}"
    if found:
        return f"no key is called {key!r}; did you mean {found[0]!r}?"
    where = f"[{section}] has" if own else "sections are"
    return f"no key is called {key!r}; {where} {', '.join(own or sections)}"


def _near(name: str, keys: list[str]) -> list[str]:
    """The key whose name is nearest, if one is near."""
    by_name = {key.partition(".")[2]: key for key in keys}
    return [by_name[one] for one in difflib.get_close_matches(name, by_name, 1, 0.6)]


def _parsed(text: str, where: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"{where}: no TOML: {error}") from None


def _text(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_name(k)} = {_text(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise ArgumentError(f"{value!r} cannot be written as TOML: use numbers, texts, lists, tables")


def _name(key: str) -> str:
    return (
        key
        if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
        else _quoted(key)
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    )
