"""All contenders, in the order they take their turns."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from evstore.bench.contender import Contender
from evstore.errors import ArgumentError

#: A process that measures one contender imports only the module it stands in.
MODULES = (
    "evstore.bench.own",
    "evstore.bench.numpy_files",
    "evstore.bench.pco",
    "evstore.bench.compressors",
    "evstore.bench.hdf5",
    "evstore.bench.tables",
    "evstore.bench.evt",
    "evstore.bench.aedat4",
    "evstore.bench.es",
)


def contenders(modules: tuple[str, ...] = MODULES) -> list[type[Contender]]:
    """The contenders of these modules."""
    return [one for module in modules for one in import_module(module).CONTENDERS]


def chosen(only: Sequence[str]) -> list[type[Contender]]:
    """The contenders whose names hold one of these words, or all; ArgumentError where none does."""
    found = contenders()
    for word in only:
        if not any(word.lower() in one.name.lower() for one in found):
            names = ", ".join(repr(one.name) for one in found)
            raise ArgumentError(f"no contender is called {word!r}: {names}")
    wanted = [word.lower() for word in only]
    return [o for o in found if not wanted or any(w in o.name.lower() for w in wanted)]


def named(module: str, name: str) -> type[Contender]:
    """The contender of a module that has this name."""
    found: list[type[Contender]] = import_module(module).CONTENDERS
    return next(one for one in found if one.name == name)
