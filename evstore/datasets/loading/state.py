"""Where in its epochs a run stands, as a small dictionary that can be saved with a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evstore.errors import ArgumentError


def make_state(
    fixed: Mapping[str, Any], seed: int, epoch: int, batches_done: int
) -> dict[str, Any]:
    """``fixed`` is what the order depends on besides the seed: a run goes on only with the same.

    Neither ranks nor workers are in it.
    """
    return {"seed": seed, "epoch": epoch, "batches_done": batches_done, **fixed}


def read_state(
    state: Mapping[str, Any], fixed: Mapping[str, Any], n_batches: int
) -> tuple[int, int, int]:
    """Seed, epoch and batches done of a state.

    Raises ArgumentError where it was of another order: with what it says, and what is here.
    """
    missing = [key for key in make_state(fixed, 0, 0, 0) if key not in state]
    if missing:
        raise ArgumentError(f"not the state of a loader: it has no {', '.join(missing)}")
    other = [
        f"{key} was {state[key]!r}, is {value!r}"
        for key, value in fixed.items()
        if state[key] != value
    ]
    if other:
        raise ArgumentError(
            f"the state is of another order: {'; '.join(other)}. Go on with the same samples and "
            "options (ranks and workers may change), or begin anew"
        )
    seed, epoch, done = (state[key] for key in ("seed", "epoch", "batches_done"))
    if not all(type(value) is int and value >= 0 for value in (seed, epoch, done)):
        raise ArgumentError(f"a state's seed, epoch and batches_done are integers, got {state}")
    if done > n_batches:
        raise ArgumentError(f"an epoch has {n_batches:,} batches, the state says {done:,} are done")
    return seed, epoch, done
