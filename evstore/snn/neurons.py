"""IAF and LIF neurons: sinabs' layers, computed at once over all time steps."""

from __future__ import annotations

import sinabs.layers as sl


class LIF(sl.LIF):  # type: ignore[misc]
    """Leaky neurons."""


class LIFSqueeze(sl.LIFSqueeze):  # type: ignore[misc]
    """Leaky neurons over (B * T, ...)."""


class IAF(sl.IAF):  # type: ignore[misc]
    """Neurons without leak."""


class IAFSqueeze(sl.IAFSqueeze):  # type: ignore[misc]
    """Neurons without leak over (B * T, ...)."""
