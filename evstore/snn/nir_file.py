"""Files of NIR, which are HDF5: looked through before anything of them is read."""

from __future__ import annotations

import os
from typing import Any

import h5py
import nir
import numpy as np

from evstore.errors import CorruptError, FormatError

#: What deflate makes of a byte at most; data beyond it is not in the file.
_MOST = 1032
_SLACK = 1 << 20
_BROKEN = (
    KeyError, ValueError, TypeError, AttributeError, AssertionError, IndexError, RuntimeError,
    OSError, UnicodeError, OverflowError, MemoryError,
)  # fmt: skip


def read_graph(path: str | os.PathLike[str]) -> Any:
    """The NIRGraph that ``path`` holds.

    Raises FormatError where it is no HDF5 file or holds no graph, CorruptError where it is damaged,
    links to other files, or claims to hold more than it can; OSError where it cannot be read.
    """
    name = os.fspath(path)
    with open(name, "rb"):  # what the system has to say comes as it is
        pass
    try:
        if not h5py.is_hdf5(name):
            raise FormatError("no NIR file: it is not HDF5", path=name)
        with h5py.File(name, "r") as file:
            declared = _declared(file, {h5py.h5o.get_info(file.id).addr})
            if declared > _MOST * os.path.getsize(name) + _SLACK:
                raise CorruptError("it claims more data than it can hold", path=name, got=declared)
        with np.errstate(all="ignore"):  # it divides by strides, whatever they are
            graph = nir.read(name)
    except FormatError as error:
        raise error.at(name) from None
    except _BROKEN as error:
        raise CorruptError(f"no NIR graph, or damaged: {type(error).__name__}: {error}",
                           path=name) from None  # fmt: skip
    if not isinstance(graph, nir.NIRGraph):
        raise FormatError("it holds a node, not a graph", path=name, got=type(graph).__name__)
    return graph


def _declared(group: Any, seen: set[int]) -> int:
    """Bytes of all data below ``group``, without reading any; links out of the file are refused."""
    total = 0
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise CorruptError(f"{name!r} is a link to elsewhere")
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            raise CorruptError(f"{name!r} lies in several places, or in itself")
        seen.add(address)
        if isinstance(item, h5py.Group):
            total += _declared(item, seen)
        elif item.external or item.is_virtual:
            raise CorruptError(f"the data of {name!r} lies in another file")
        else:
            total += item.nbytes
    return total
