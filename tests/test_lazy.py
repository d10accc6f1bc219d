"""Attributes calculated once, without a lock that a fork could leave held."""

from __future__ import annotations

from evstore.datasets.lazy import lazy


class Thing:
    asked = 0

    @lazy
    def number(self) -> int:
        """A number."""
        self.asked += 1
        return 7


def test_once_for_each() -> None:
    one, other = Thing(), Thing()
    assert [one.number, one.number, other.number] == [7, 7, 7]
    assert (one.asked, other.asked) == (1, 1)
    one.__dict__.pop("number")
    assert (one.number, one.asked) == (7, 2)
    assert isinstance(Thing.number, lazy)
    assert Thing.number.__doc__ == "A number."
