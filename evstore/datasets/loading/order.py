"""The order of an epoch's samples: a pure function of the seed and the epoch.

Random numbers are the raw 64-bit outputs of Philox4x64-10 (Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC 2011) under the key ``(seed, epoch)``. Those are fixed by the
paper and promised by numpy for good (NEP 19); what `numpy.random.Generator` makes of them, its
``permutation`` included, may change with any release of numpy, and a run that goes on under
another release must find the same order.

A shuffle is one sort of 64-bit keys: a group number, then random bits, then the sample's own
number. No two keys are equal, so that every way of sorting gives the same, and the sorted keys,
masked, are the order: 8 bytes a sample in all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evstore.errors import ArgumentError

Numbers: TypeAlias = NDArray[np.integer[Any]] | Sequence[int]

# The last word of Philox's counter: each use has outputs of its own.
SAMPLES, SHARDS, TURNS, DRAWS, REPLACEMENTS, WORKERS = range(6)

PIECE = 1 << 18  # samples whose keys are made in one go: what is made beside them stays in cache
MAX_SHARD = 1 << 24
LEAST_RANDOM_BITS = 16


def epoch_order(
    n: int,
    seed: int,
    epoch: int,
    *,
    shuffle: bool = True,
    shards: Numbers | None = None,
    window: int = 16,
    labels: Numbers | None = None,
) -> NDArray[np.int64]:
    """The numbers of the ``n`` samples of an epoch, int64, in the order in which they are read.

    With ``shards`` (n integers: where each sample lies) the shards are permuted, and samples
    shuffled within ``window`` shards that follow each other then, so that no more than those are
    read at a time. With ``labels`` (n integers) the classes take turns: any C that follow each
    other from a multiple of C on are one of each of the C classes; within a class all samples
    come before one comes again, so that a small class repeats and a large one is not read whole.
    There, reading is local as far as the classes are spread over the shards alike.
    ``shuffle=False`` gives 0 .. n - 1.

    The same on every machine and with every release of numpy. Raises ArgumentError.

    >>> epoch_order(8, seed=1, epoch=0).tolist()
    [3, 5, 2, 7, 0, 6, 1, 4]
    >>> epoch_order(8, seed=1, epoch=0, shards=[0, 0, 0, 0, 1, 1, 1, 1], window=1).tolist()
    [3, 2, 0, 1, 5, 7, 6, 4]
    """
    check_order(n, seed, epoch, window)
    if not shuffle:
        if labels is not None:
            raise ArgumentError("balanced samples are drawn: they need shuffle=True")
        return np.arange(n, dtype=np.int64)
    windows, n_windows = None, 1
    if shards is not None:
        windows, n_windows = _window_of_shard(_integers("shards", shards, n), window, seed, epoch)
        shards = np.asarray(shards)
    if labels is not None:
        which = None if windows is None else windows[shards]
        return _balanced(_integers("labels", labels, n), seed, epoch, which, n_windows)

    def group(start: int, stop: int) -> NDArray[Any]:
        assert windows is not None
        return windows[shards[start:stop]]  # type: ignore[index]

    raw = _philox(seed, epoch, SAMPLES).random_raw(n)
    return _shuffled(raw, n_windows, group)


def replacement(seed: int, epoch: int, position: int, attempt: int, n: int) -> int:
    """The sample read at ``position`` of the epoch, where ``attempt`` others could not be read.

    ``position`` counts samples of the epoch over all ranks, so that they agree.

    >>> [replacement(1, 0, 5, attempt, n=100) for attempt in (1, 2, 3)]
    [10, 45, 5]
    """
    check_order(n, seed, epoch, 1)
    return int(_philox(seed, epoch, REPLACEMENTS, position, attempt).random_raw()) % n


def worker_seed(seed: int, epoch: int, batch: int, rank: int) -> int:
    """What the random generators of workers begin with that start at this batch: 63 bits."""
    return int(_philox(seed, epoch, WORKERS, batch, rank).random_raw()) >> 1


def check_order(n: int, seed: int, epoch: int, window: int) -> None:
    """Raises ArgumentError for numbers that have no order."""
    for name, value, least, most in (
        ("the number of samples", n, 1, 1 << 40),
        ("seed", seed, 0, (1 << 64) - 1),
        ("epoch", epoch, 0, (1 << 63) - 1),
        ("window", window, 1, 1 << 40),
    ):
        if not isinstance(value, (int, np.integer)) or not least <= value <= most:
            raise ArgumentError(f"{name} must be an integer in {least}..{most}, got {value!r}")


def _philox(seed: int, epoch: int, use: int, first: int = 0, second: int = 0) -> np.random.Philox:
    return np.random.Philox(
        key=np.array([seed, epoch], np.uint64),
        counter=np.array([0, first, second, use], np.uint64),
    )


def _integers(name: str, values: Numbers, n: int) -> NDArray[np.integer[Any]]:
    array = np.asarray(values)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise ArgumentError(
            f"{name} must be {n:,} integers, one a sample, got {array.dtype} of shape {array.shape}"
        )
    return array


def _window_of_shard(
    shards: NDArray[np.integer[Any]], window: int, seed: int, epoch: int
) -> tuple[NDArray[np.int32], int]:
    """The window that each shard falls into (those without samples count as none), and how many."""
    low, high = int(shards.min()), int(shards.max())
    if low < 0 or high >= MAX_SHARD:
        raise ArgumentError(f"shards must lie in 0..{MAX_SHARD - 1:,}, got {low}..{high}")
    occurs = np.zeros(high + 1, bool)
    occurs[shards] = True
    present = np.flatnonzero(occurs)
    permuted = present[_shuffled(_philox(seed, epoch, SHARDS).random_raw(present.size))]
    windows = np.zeros(high + 1, np.int32)
    windows[permuted] = np.arange(permuted.size) // window
    return windows, -(-permuted.size // window)


def _shuffled(
    raw: NDArray[np.uint64],
    n_groups: int = 1,
    group: Callable[[int, int], NDArray[Any]] | None = None,
    n_numbers: int | None = None,
) -> NDArray[np.int64]:
    """Numbers by group, in each by ``raw``, which is written over and becomes the result.

    ``group(start, stop)`` gives the groups, 0 .. n_groups - 1, of those places. The number of a
    place is the place itself, modulo ``n_numbers`` where that is given.
    """
    number_bits = max(1, ((n_numbers or raw.size) - 1).bit_length())
    group_bits = (n_groups - 1).bit_length()
    if 64 - number_bits - group_bits < LEAST_RANDOM_BITS:
        raise ArgumentError(
            f"{raw.size:,} samples in {n_groups:,} windows are too many: use a larger window"
        )
    mask = np.uint64((1 << number_bits) - 1)
    for start in range(0, raw.size, PIECE):
        keys = raw[start : start + PIECE]
        stop = start + keys.size
        keys >>= np.uint64(group_bits)
        keys &= ~mask
        numbers = np.arange(start, stop, dtype=np.uint64)
        keys |= numbers if n_numbers is None else numbers % np.uint64(n_numbers)
        if group_bits and group is not None:
            keys |= group(start, stop).astype(np.uint64) << np.uint64(64 - group_bits)
    raw.sort()
    raw &= mask
    return raw.view(np.int64)


def _balanced(
    labels: NDArray[np.integer[Any]],
    seed: int,
    epoch: int,
    windows: NDArray[np.int32] | None,
    n_windows: int,
) -> NDArray[np.int64]:
    """Classes in turn; ``windows`` has the window of each sample."""
    n = labels.size
    members = np.argsort(labels, kind="stable")  # of the first class, of the second ...
    starts = np.flatnonzero(np.diff(labels[members], prepend=labels[members[0]] - 1))
    n_classes = starts.size
    n_turns = -(-n // n_classes)
    turns = _philox(seed, epoch, TURNS).random_raw(n_turns * n_classes)
    by_turn = _shuffled(turns, n_turns, lambda a, b: np.arange(a, b) // n_classes, n_classes)[:n]
    places = np.argsort(by_turn, kind="stable")  # of the first class, of the second ...
    wanted = np.bincount(by_turn, minlength=n_classes)
    out = np.empty(n, np.int64)
    draws = _philox(seed, epoch, DRAWS)
    taken = 0
    for own, count in zip(np.split(members, starts[1:]), wanted.tolist(), strict=True):
        out[places[taken : taken + count]] = _drawn(draws, own, count, windows, n_windows)
        taken += count
    return out


def _drawn(
    draws: np.random.Philox,
    members: NDArray[np.int64],
    count: int,
    windows: NDArray[np.int32] | None,
    n_windows: int,
) -> NDArray[np.int64]:
    """``count`` of the members of a class, all of them before one comes again."""
    size = members.size
    n_rounds = max(1, -(-count // size))
    own = 0 if windows is None else windows[members].astype(np.int64)

    def group(start: int, stop: int) -> NDArray[Any]:
        places = np.arange(start, stop)
        rounds = places // size * n_windows
        return rounds if windows is None else rounds + own[places % size]  # type: ignore[index]

    raw = draws.random_raw(n_rounds * size)
    return members[_shuffled(raw, n_rounds * n_windows, group, size)[:count]]
