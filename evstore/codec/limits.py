"""What encoder and reader both hold to. Imports nothing: `evstore info` reads it too."""

from __future__ import annotations

#: A chunk of one byte holds no more: what a reader allocates is bounded by the file's size.
#: The least that codec 1 needs is a descriptor of 24 bytes for 1024 events.
MAX_EVENTS_IN_BYTE = 64
