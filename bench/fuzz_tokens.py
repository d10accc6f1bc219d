"""The words that a parser knows: what its code compares with is what chance would never write."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

LONGEST = 32  # bytes: what is longer, or has spaces, is a message
ANNOTATIONS = {*dir(builtins), "return", "self", "None"}  # as text they are constants, too


def tokens(folder: Path) -> list[bytes]:
    """Constants in the code of the modules of a folder that are imported, each once."""
    found: dict[bytes, None] = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        spec = find_spec(name) if file and Path(file).parent == folder else None
        if spec is None or not hasattr(spec.loader, "get_code"):
            continue
        for constant in _constants(spec.loader.get_code(name)):
            found.update(dict.fromkeys(_written(constant)))
    return list(found)


def _constants(code: CodeType) -> Iterator[Any]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _constants(constant)
        elif isinstance(constant, (tuple, frozenset)):
            yield from sorted(constant, key=repr)
        else:
            yield constant


def _written(constant: object) -> Iterator[bytes]:
    """How a constant may stand in a file."""
    if isinstance(constant, bytes) and 2 <= len(constant) <= LONGEST:
        yield constant
    elif isinstance(constant, str) and 2 <= len(constant) <= LONGEST:
        if not re.search(r"[ \[]", constant) and constant not in ANNOTATIONS:
            yield constant.encode()
    elif isinstance(constant, int) and 0x100 <= constant < 1 << 64:
        width = 2 if constant < 1 << 16 else 4 if constant < 1 << 32 else 8
        yield constant.to_bytes(width, "little")
        yield constant.to_bytes(width, "big")
