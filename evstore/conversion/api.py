"""`evstore.convert`: the conversion as one call from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from evstore.conversion.job import Options, Receipt
from evstore.conversion.one import convert_one
from evstore.conversion.plan import plan
from evstore.conversion.run import run


def convert(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    jobs: int = 1,
    on_error: str = "stop",
    **options: Any,
) -> Receipt | list[Receipt]:
    """Convert a recording to a shard (or, by the target's suffix, to another format).

    One file gives one Receipt and raises what goes wrong. A folder (its tree is mirrored), a
    glob or a list gives a list of Receipts, whose ``status`` is done, skipped or failed.
    ``options`` are those of `evstore.conversion.Options`: ``verify=True``, ``resume=True`` ...

    >>> evstore.convert("drive.raw", "drive.evs", verify=True).lossless     # doctest: +SKIP
    True
    """
    several = not isinstance(source, (str, os.PathLike))
    given = [source] if isinstance(source, (str, os.PathLike)) else source
    sources = [os.fspath(path) for path in given]
    if len(sources) == 1 and os.path.isdir(sources[0]):
        options.setdefault("folder", sources[0])
    chosen = Options(**options)
    todo = plan(sources, os.fspath(target), chosen)
    if not several and len(todo) == 1 and todo[0].source == sources[0]:
        return convert_one(todo[0], chosen)
    return run(todo, chosen, jobs, on_error)
