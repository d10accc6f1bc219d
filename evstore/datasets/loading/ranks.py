"""Which of how many processes this one is."""

from __future__ import annotations

import os
import sys

from evstore.errors import ArgumentError


def rank_and_world(rank: int | None = None, world: int | None = None) -> tuple[int, int]:
    """This process's number and how many there are: what is given, else what is known.

    Known are torch.distributed, once it is initialised, then the environment's ``RANK`` and
    ``WORLD_SIZE`` (as torchrun sets them); else there is one process. Raises ArgumentError where
    only one of the two is given.
    """
    if (rank is None) != (world is None):
        raise ArgumentError(f"give both rank and world, or neither; got {rank=}, {world=}")
    if rank is not None and world is not None:
        return rank, world
    distributed = sys.modules.get("torch.distributed")  # not imported: not initialised
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank()), int(distributed.get_world_size())
    said = {name: os.environ.get(name) for name in ("RANK", "WORLD_SIZE")}
    if said["RANK"] is None and said["WORLD_SIZE"] is None:
        return 0, 1
    try:
        return int(said["RANK"] or ""), int(said["WORLD_SIZE"] or "")
    except ValueError:
        raise ArgumentError(
            f"the environment must have both RANK and WORLD_SIZE as integers, got {said}; "
            "or give rank= and world="
        ) from None
