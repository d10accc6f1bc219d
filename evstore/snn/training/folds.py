"""Folds that are the same whatever the shards: by label, recordings in the order of their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError


def folds_of(ids: Sequence[str], labels: Sequence[Any], folds: int) -> NDArray[np.int64]:
    """The fold of each recording: the i-th of its label, sorted by id, is in fold ``i mod folds``.

    So folds are stratified, and neither splits, shards nor a seed have a part in them. Raises
    ArgumentError for less than 2 folds, and for more than the recordings of some label.

    >>> folds_of(["b", "a", "d", "c"], [0, 0, 1, 1], 2).tolist()
    [1, 0, 1, 0]
    """
    if folds < 2:
        raise ArgumentError(f"folds must be 2 or more, got {folds}")
    of_label: dict[Any, list[int]] = {}
    for number, label in enumerate(labels):
        of_label.setdefault(label, []).append(number)
    found = np.empty(len(ids), np.int64)
    for label, numbers in of_label.items():
        if len(numbers) < folds:
            raise ArgumentError(
                f"label {label!r} has {len(numbers)} recordings, less than {folds} folds"
            )
        for place, number in enumerate(sorted(numbers, key=lambda number: ids[number])):
            found[number] = place % folds
    return found
