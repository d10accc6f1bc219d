"""sinabs' layers in any network, made those that are computed at once over all steps."""

from __future__ import annotations

import sinabs.layers as sl
from torch import nn

from evstore.snn.neurons import IAF, LIF, IAFSqueeze, LIFSqueeze

_TWINS = ((sl.IAF, IAF), (sl.IAFSqueeze, IAFSqueeze), (sl.LIF, LIF), (sl.LIFSqueeze, LIFSqueeze))


def accelerate(model: nn.Module) -> nn.Module:
    """Make sinabs' IAF and LIF layers in ``model`` evstore's, and return it.

    In place: parameters, states, hooks, and whoever holds a layer, an optimiser say, stay. Layers
    of classes that derive from sinabs' are left as they are, since they may compute otherwise.

    >>> accelerate(nn.Sequential(sl.IAFSqueeze(batch_size=1)))[0].__module__
    'evstore.snn.neurons'
    """
    for layer in model.modules():
        # By identity: ours are equal to sinabs', and have options of their own to keep.
        ours = next((ours for theirs, ours in _TWINS if type(layer) is theirs), None)
        if ours is not None:
            layer.__class__ = ours
            layer.train_threshold = False
            threshold = layer.spike_threshold
            # The same parameter, but no longer in the memory of sinabs' default.
            if threshold is not None:
                threshold.data = threshold.data.clone()
    return model
