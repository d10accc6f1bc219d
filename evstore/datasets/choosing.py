"""Some of a dataset's recordings: by split, by the values of columns, by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.catalogue import Catalogue
from evstore.errors import ArgumentError

Numbers = NDArray[np.int64]


def of_split(catalogue: Catalogue, split: str | None) -> Numbers:
    """The recordings of a split, or all. Raises ArgumentError, which names the splits there are."""
    if split is None:
        return np.arange(len(catalogue))
    import pyarrow.compute as pc

    column = catalogue.manifest.table.column("split")
    found = np.empty(0, np.int64)
    if isinstance(split, str):
        mask = pc.equal(column, split).fill_null(False).to_numpy()[catalogue.first_row]
        found = np.flatnonzero(mask)
    if not len(found):
        there = sorted(s for s in column.unique().to_pylist() if s is not None)
        names = ", ".join(map(repr, there)) or "none at all"
        raise ArgumentError(f"the dataset has no split {split!r}; its splits are {names}")
    return found


def chosen_rows(
    catalogue: Catalogue,
    recordings: Numbers,
    keep: Callable[[dict[str, Any]], bool] | None,
    columns: Mapping[str, Any],
) -> Numbers:
    """Those of the recordings that have the values wanted, and of which ``keep`` says so."""
    names = catalogue.manifest.table.column_names
    unknown = [name for name in columns if name not in names]
    if unknown:
        raise ArgumentError(f"no column is called {unknown[0]!r}; there are {', '.join(names)}")
    for name, wanted in columns.items():
        values = catalogue.of_recordings(name)
        is_wanted = _is_any_of(wanted)
        is_in = [is_wanted(values[k]) for k in recordings.tolist()]
        recordings = recordings[np.array(is_in, dtype=np.bool_)]
    if keep is not None:
        table = {name: catalogue.of_recordings(name) for name in names}
        kept = [
            bool(keep({name: values[k] for name, values in table.items()}))
            for k in recordings.tolist()
        ]
        recordings = recordings[np.array(kept, dtype=np.bool_)]
    return recordings


def chosen_samples(indices: Iterable[int], count: int) -> Numbers:
    """The numbers 0 .. count - 1 that are meant: by number, from the end if negative, or a mask."""
    given = np.asarray(indices if hasattr(indices, "__array__") else list(indices))
    if given.dtype == np.bool_ and given.shape == (count,):
        return np.flatnonzero(given)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ArgumentError(
            f"samples are chosen by integers, or by a mask of all {count:,}; "
            f"got {given.dtype} of shape {given.shape}"
        )
    if given.size and not (-count <= int(given.min()) and int(given.max()) < count):
        raise IndexError(f"samples {given.min()}..{given.max()} of {count}")
    chosen = given.astype(np.int64)
    return np.where(chosen < 0, chosen + count, chosen)


def _is_any_of(wanted: Any) -> Callable[[Any], bool]:
    """Whether a value is the one wanted, or one of these."""
    many = isinstance(wanted, (list, tuple, set, frozenset, range))
    values = wanted.tolist() if isinstance(wanted, np.ndarray) else wanted if many else [wanted]
    try:
        fast = frozenset(values)
    except TypeError:  # lists, as JSON has them
        return list(values).__contains__

    def is_any(value: Any) -> bool:
        try:
            return value in fast
        except TypeError:
            return False

    return is_any
