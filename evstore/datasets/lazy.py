"""Attributes that are calculated when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801  # used as `property` is
    """`functools.cached_property` without its lock, which a fork may copy while it is held.

    (Python has dropped it in 3.12.) Two threads may both calculate, and keep either's result.
    """

    def __init__(self, calculate: Callable[[Any], T]) -> None:
        self.calculate = calculate
        self.__doc__ = calculate.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> lazy[T] | T:
        if instance is None:
            return self
        value = self.calculate(instance)
        instance.__dict__[self.name] = value  # found there before this is asked again
        return value
