"""Which samples a dataset has, as one short text: two that differ are not the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from evstore.datasets.catalogue import Catalogue
from evstore.datasets.windows import Plan

PIECE = 1 << 18  # samples at a time: what is made of them stays small


def samples_digest(catalogue: Catalogue, recordings: NDArray[np.int64], plan: Plan | None) -> str:
    """Of the samples of these ``recordings`` (one a sample), windows of them if there is a plan.

    By the roots of the recordings that there are samples of, so that it does not depend on the
    other ones, nor on which shards they are in unless these have parts of one; by each sample's
    recording; by where each window begins and ends. XXH3: it tells apart what differs by mistake,
    not what was made to deceive.
    """
    chosen = np.zeros(len(catalogue), np.bool_)
    chosen[recordings] = True
    digest = xxhash.xxh3_64()
    rows = np.flatnonzero(np.repeat(chosen, catalogue.parts) if catalogue.has_parts else chosen)
    for piece in _pieces(rows):
        digest.update(np.ascontiguousarray(catalogue.roots[piece]).view(np.uint8).data)
    del rows
    number = np.cumsum(chosen, dtype=np.int32)
    for piece in _pieces(recordings):
        digest.update(_bytes(number[piece]))
    if plan is not None:
        digest.update(f"windows {plan.by_time} {plan.duration}".encode())
        for column in (plan.start, plan.stop, plan.class_id):
            for piece in _pieces(column if column is not None else ()):
                digest.update(_bytes(piece))
    return digest.hexdigest()


def ids_digest(ids: Sequence[Any]) -> str:
    """Of a text or number for each sample, as other datasets may have them; of others empty.

    These may show as where they lie in memory: no two runs would be of the same samples.
    """
    digest = xxhash.xxh3_64()
    names = map(_plain_name, ids)
    while some := list(islice(names, PIECE)):
        if None in some:
            return ""
        text = "".join(f"{name}\n" for name in some)
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _plain_name(id: Any) -> str | None:
    """As Python shows it, whichever numpy it may come from; None for what is no text or number."""
    plain = id.item() if isinstance(id, np.generic) else id
    return repr(plain) if isinstance(plain, (str, int)) else None


def _pieces(values: Any) -> Iterator[Any]:
    for start in range(0, len(values), PIECE):
        yield values[start : start + PIECE]


def _bytes(values: NDArray[np.int64]) -> memoryview:
    """The same on every machine."""
    return np.ascontiguousarray(values, "<i8").data
