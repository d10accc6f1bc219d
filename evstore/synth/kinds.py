"""Sensors as far as they are known: what `simulate` takes to be like one of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

#: By name, what to give `simulate`: ``simulate(size, duration_us, **KINDS["gen41"])``. Resolution,
#: rate and scene are no matter of the kind. Readout times are those that dense recordings of one
#: sensor each show: how many rows and events there are in a microsecond at most, and how frames
#: follow each other. Mismatch is v2e's (arXiv:2006.07722); delays are of the order that is stated
#: for pixels in daylight, and vary with light and biases, as refractory times do.
KINDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # Prophesee Gen3, VGA: 66 million events/s at most (Gallego et al., TPAMI 44(1), 2022,
        # table 1), so 15 ns or more each.
        "gen3": MappingProxyType(
            {
                "readout": "tree",
                "row_order": "tree",
                "row_ns": 115,
                "event_ns": 30,
                "refractory_us": 10,
                "mismatch": 0.03,
                "jitter_us": 20,
            }
        ),
        # Prophesee Gen4.1 and IMX636: a row is read in parallel (Finateu et al., ISSCC 2020), and
        # comes as vectors of one polarity (EVT3).
        "gen41": MappingProxyType(
            {
                "readout": "tree",
                "row_order": "off_first",
                "row_ns": 147,
                "refractory_us": 400,
                "mismatch": 0.03,
                "jitter_us": 100,
            }
        ),
        # iniVation DVXplorer (Samsung, 320 x 240): "semi-synchronous readout" (libcaer).
        "dvxplorer": MappingProxyType(
            {
                "readout": "frames",
                "row_ns": 600,
                "frame_us": 197,
                "refractory_us": 0,
                "mismatch": 0.03,
                "jitter_us": 100,
            }
        ),
        # iniVation DAVIS240C and DAVIS346, DVS128, and ATIS: one event after the other.
        "davis": MappingProxyType(
            {
                "readout": "tree",
                "row_ns": 300,
                "event_ns": 100,
                "refractory_us": 1000,
                "mismatch": 0.03,
                "jitter_us": 100,
            }
        ),
    }
)
