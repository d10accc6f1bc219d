"""Which formats there are, and which one a file is: by its content, not by its suffix."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from types import ModuleType

from evstore.errors import ArgumentError, FormatError

#: Module names, in the order they are listed to users.
NAMES = (
    "evs",
    "evt2",
    "evt21",
    "evt3",
    "dat",
    "prophesee_hdf5",
    "aedat2",
    "aedat3",
    "aedat4",
    "es",
    "hdf5",
    "rosbag",
    "mat",
    "mat73",
    "npz",
    "npy",
    "csv",
    "rpg",
    "bin40",
    "arrow",
    "parquet",
)

#: What each format module has.
ATTRIBUTES = (
    *("NAME", "TITLE", "SUFFIXES", "INPUT_FORMATS", "WRITES", "SEEKS"),
    *("probe", "read"),
)

#: A shard is known by its first bytes alone, before any other module is imported.
SHARD_MAGIC = b"\x89EVS\r\n\x1a\n"

#: Where other packages name their format modules, as in
#: ``[project.entry-points."evstore.formats"]`` ``celex = "celex_evstore.format"``.
GROUP = "evstore.formats"


def all_formats() -> list[ModuleType]:
    """Every format module, in the order of `NAMES`, then those of other packages."""
    return [*map(_module, NAMES), *_of_others()]


@cache
def _of_others() -> list[ModuleType]:
    """What is installed beside evstore. One that cannot be loaded is warned of, and left out."""
    from importlib.metadata import entry_points

    found: list[ModuleType] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            module = point.load()
            lacks = [name for name in ATTRIBUTES if not hasattr(module, name)]
        except Exception as error:  # whatever another package does
            warnings.warn(f"format {point.name!r} cannot be loaded: {error!r}", stacklevel=2)
            continue
        if lacks:
            warnings.warn(f"format {point.name!r} lacks {', '.join(lacks)}", stacklevel=2)
        elif module.NAME in (*NAMES, *(other.NAME for other in found)):
            warnings.warn(f"format {point.name!r}: {module.NAME!r} is there already", stacklevel=2)
        else:
            found.append(module)
    return found


def by_name(input_format: str) -> ModuleType:
    """The module that reads what ``--input-format`` names (`dat-v1` is read by `dat`).

    Raises ArgumentError for a name that no format has.
    """
    for module in all_formats():
        if input_format in module.INPUT_FORMATS:
            return module
    raise ArgumentError(
        f"no format is called {input_format!r}; --input-format takes {_input_formats()}"
    )


def detect(head: bytes, size: int | None, path_suffix: str = "") -> ModuleType:
    """The one format whose probe accepts the content.

    ``head`` is the file's first 64 KiB (all of it where it is shorter), ``size`` its length in
    bytes, None on a pipe. The suffix decides only where several formats accept, and is asked of
    formats without any mark of their own. Raises FormatError where none accepts or more than
    one does, UnsupportedError where the content is known but not read.
    """
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    if head.startswith(SHARD_MAGIC):
        return _module("evs")
    modules, suffix = all_formats(), path_suffix.lower()
    accepted = [module for module in modules if _accepts(module, head, size, suffix)]
    if len(accepted) > 1:
        accepted = [module for module in accepted if suffix in module.SUFFIXES] or accepted
    if len(accepted) == 1:
        return accepted[0]
    if accepted:
        names = " or ".join(module.NAME for module in accepted)
        raise FormatError(f"the file could be {names}", hint="say which with --input-format")
    raise _refusal(modules, head)


def _accepts(module: ModuleType, head: bytes, size: int | None, suffix: str) -> bool:
    if getattr(module, "NEEDS_SUFFIX", False) and suffix not in module.SUFFIXES:
        return False
    return bool(module.probe(head, size))


def _refusal(modules: list[ModuleType], head: bytes) -> FormatError:
    for module in modules:
        explain = getattr(module, "refusal", None)
        error = explain(head) if explain is not None else None
        if error is not None:
            assert isinstance(error, FormatError)
            return error
    hint = f"readable with --input-format: {_input_formats()}"
    return FormatError("the content is of no format evstore recognises", got=head[:16], hint=hint)


def _input_formats() -> str:
    return ", ".join(name for module in all_formats() for name in module.INPUT_FORMATS)


@cache
def _module(name: str) -> ModuleType:
    return import_module(f"{__package__}.{name}")
