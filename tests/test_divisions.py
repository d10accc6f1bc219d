"""How many samples' events are divided at once: as `Frames.division` divides those of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evstore.errors import ArgumentError
from evstore.frames import Frames
from evstore.frames.divisions import divisions

TIMES = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-(1 << 63), (1 << 63) - 2),
    st.sampled_from([-(1 << 60), (1 << 60) - 1, 1 << 60, (1 << 62) + 5, (1 << 63) - 1]),
)
LENGTHS = st.one_of(st.integers(1, 50), st.sampled_from([1 << 35, 1 << 36, (1 << 62) + 1]))
MAYBE = st.one_of(st.none(), LENGTHS)


@st.composite
def specs(draw: st.DrawFn) -> Frames:
    kind = draw(st.sampled_from(["duration", "bins", "count", "event_bins"]))
    said: dict[str, Any] = {}
    said[kind] = draw(st.integers(1, 40) if kind.endswith("bins") else LENGTHS)
    if kind in ("duration", "count"):
        said |= {"stride": draw(MAYBE), "partial": draw(st.booleans())}
    if kind in ("duration", "bins") and draw(st.booleans()):
        start = draw(TIMES)
        said |= {"start": start, "stop": start + draw(LENGTHS)}
    try:
        return Frames(**said)
    except ArgumentError:
        return Frames(**{kind: said[kind]})


@given(specs(), st.lists(st.tuples(TIMES, LENGTHS, st.integers(0, 1000)), min_size=1, max_size=5))
def test_as_one_by_one(spec: Frames, samples: list[tuple[int, int, int]]) -> None:
    last = (1 << 63) - 1
    spans = [(t, min(t + length, last), n) for t, length, n in samples]
    columns = np.array(spans, np.int64).T
    wanted = outcome(lambda: [list(spec.division(least, most + 1, n)) for least, most, n in spans])
    if isinstance(wanted, list) and max(map(max, wanted)) > last:
        wanted = "OverflowError"
    got = outcome(lambda: divisions(spec, *columns).tolist())
    assert got == wanted


def outcome(of: Callable[[], Any]) -> Any:
    """What it gives, or the error that it raises, as text."""
    try:
        return of()
    except ArgumentError as error:
        return str(error)
    except OverflowError:
        return "OverflowError"


def test_of_none() -> None:
    none = np.empty(0, np.int64)
    assert divisions(Frames(bins=2), none, none, none).shape == (0, 4)
