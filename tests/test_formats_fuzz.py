"""Damaged files give events or an EvstoreError: no crash, no hang, no memory without bound."""

from __future__ import annotations

from pathlib import Path

import pytest

import vectors
from evstore.formats import conformance
from vectors import case, name_of

# What a C library parses is tried in a process of its own: test_formats_fuzz_children.
VECTORS = [p for p in vectors.files("vectors") if not getattr(case(p).module, "C_PARSED", False)]


@pytest.mark.parametrize("path", VECTORS, ids=[name_of(path) for path in VECTORS])
def test_mutated_copies(path: Path, seed: int) -> None:
    conformance.check_damaged(case(path), seed)
