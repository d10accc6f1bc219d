"""What torch.compile leaves as it is, and compiles around."""

from __future__ import annotations

from typing import Any

import torch


def uncompiled(function: Any) -> Any:
    """The function, into which torch.compile does not look: it sees nothing in kernels of ours.

    Not by torch.compiler.disable, which imports all of the compiler, for seconds: torch's own
    optimisers use this one.

    >>> uncompiled(lambda x: x + 1)(0)
    1
    """
    return torch._disable_dynamo(function)
