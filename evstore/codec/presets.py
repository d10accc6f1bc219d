"""Codecs by the name that users know. Imports nothing: `evstore convert --help` reads it too."""

from __future__ import annotations

PACKED = 1
MODELLED = 2
CODECS = (PACKED, MODELLED)
PRESETS = {"fast": PACKED, "balanced": MODELLED}
DEFAULT_PRESET = "balanced"
