"""States that carry from call to call, and networks that are only asked, for as long as wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from evstore.snn.models import TimeSequential
from evstore.snn.states import reset_states


@contextlib.contextmanager
def carrying(model: torch.nn.Module) -> Iterator[None]:
    """States are zero at first, and carry from call to call until the ``with`` block ends.

    Every `TimeSequential` in ``model`` has ``reset=False`` meanwhile. Afterwards states are zero
    and ``reset`` is as it was.

    >>> from evstore.snn import IAFSqueeze
    >>> model = TimeSequential(torch.nn.Linear(1, 1, bias=False), IAFSqueeze(batch_size=1))
    >>> _ = torch.nn.init.constant_(model[0].weight, 0.5)
    >>> with carrying(model):
    ...     [model(torch.ones(1, 1, 1)).item() for _ in range(4)]
    [0.0, 1.0, 0.0, 1.0]
    """
    begun = [(part, part.reset) for part in model.modules() if isinstance(part, TimeSequential)]
    reset_states(model)
    for part, _ in begun:
        part.reset = False
    try:
        yield
    finally:
        for part, reset in begun:
            part.reset = reset
        reset_states(model)


@contextlib.contextmanager
def inferring(model: torch.nn.Module) -> Iterator[None]:
    """In evaluation mode and without gradients; afterwards each module's mode is as it was.

    >>> model = torch.nn.Dropout()
    >>> with inferring(model):
    ...     model.training, torch.is_grad_enabled()
    (False, False)
    >>> model.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
