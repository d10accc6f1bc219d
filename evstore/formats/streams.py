"""Files that hold several event streams: each is a recording, named by its stream.

A format module of such files has ``streams(stream, options)``, which lists their names in the
file's order; its ``read`` reads the one that ``options.stream`` names.
"""

from __future__ import annotations

from collections.abc import Sequence

from evstore.errors import ArgumentError

SHOWN = 10


def choose(names: Sequence[str], wanted: str | None) -> str:
    """The name of the stream to read. There is at least one.

    Raises ArgumentError where there is no such stream, or none is wanted of several.

    >>> choose(["left", "right"], "right")
    'right'
    """
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        assert wanted is not None
        return wanted
    listed = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    if wanted is None:
        raise ArgumentError(
            f"the file holds {len(names)} event streams: {listed}; "
            "name one with --recording, or as FILE#STREAM"
        )
    raise ArgumentError(f"the file has no event stream {wanted!r}, but {listed}")
