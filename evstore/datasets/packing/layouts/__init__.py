"""Known datasets, as their archives unpack: a module a layout."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

from evstore.datasets.packing.item import Found
from evstore.errors import ArgumentError

#: The name of each layout, and the module whose ``find`` reads it.
LAYOUTS = {
    "nmnist": "nmnist",
    "dvsgesture-ibm": "dvsgesture_ibm",
    "dvsgesture-tonic": "dvsgesture_tonic",
    "ncars": "ncars",
    "ncaltech101": "ncaltech101",
    "cifar10dvs": "cifar10dvs",
    "dsec": "dsec",
    "prophesee-detection": "prophesee_detection",
}


def finder(name: str) -> Callable[[str], Found]:
    """The function that reads a layout. Raises ArgumentError for a name that there is not."""
    if name not in LAYOUTS:
        raise ArgumentError(f"no layout is called {name!r}; there are {', '.join(LAYOUTS)}")
    find: Callable[[str], Found] = import_module(f"{__name__}.{LAYOUTS[name]}").find
    return find


def find_layout(name: str, root: str | os.PathLike[str]) -> Found:
    """The recordings of a known dataset below ``root``, with their official splits and labels.

    ``root`` may be one or two levels too high. Raises ArgumentError for an unknown name, and
    where the folder does not look like the layout: it says what was looked for and what is there.
    """
    return finder(name)(os.fspath(root))
