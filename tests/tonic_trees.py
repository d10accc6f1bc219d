"""Small trees of datasets as tonic unpacks them, read by tonic's own classes and packed by evstore.

tonic's classes would download what is not whole: `as_tonic` tells them that it is.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

GESTURES = ("user02_lab", "user02_led", "user10_natural")
SPLITS = {True: "Train", False: "Test"}


def nmnist_tree(root: Path, data_dir: Path, each: int = 2) -> Path:
    """The first recordings of every digit of both splits."""
    for split in SPLITS.values():
        for folder in sorted((data_dir / "nmnist_small" / split).iterdir()):
            to = root / "NMNIST" / split / folder.name
            to.mkdir(parents=True)
            for file in sorted(folder.glob("*.bin"))[:each]:
                shutil.copy(file, to)
    return root


def gesture_tree(root: Path, seed: int, count: int = 3000) -> Path:
    """Gestures of three trials each: whole milliseconds, as float64 and as int64."""
    rng = np.random.default_rng(seed)
    for split in SPLITS.values():
        for number, trial in enumerate(GESTURES):
            folder = root / "DVSGesture" / f"ibmGesture{split}" / trial
            folder.mkdir(parents=True)
            for label in (10, 0, 2):
                rows = rng.integers(0, (128, 128, 2, 900), (count + 100 * label, 4))
                rows = rows[np.argsort(rows[:, 3], kind="stable")] + (0, 0, 0, 40 * label)
                np.save(folder / f"{label}.npy", rows.astype(float) if number else rows)
    return root


def as_tonic(name: str, root: Path, **options: Any) -> Any:
    """tonic's dataset of this name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tonic import datasets

    made = getattr(datasets, name)
    with mock.patch.object(made, "_check_exists", return_value=True):
        return made(str(root), **options)


def ids_of(theirs: Any) -> list[str]:
    """evstore's ids of the recordings of a dataset of tonic's, in its order."""
    ids = []
    for path in map(Path, theirs.data):
        split, *rest = path.relative_to(theirs.location_on_system).with_suffix("").parts
        ids.append("/".join([split.removeprefix("ibmGesture").lower(), *rest]))
    return ids
