"""The groups of a dataset: which recordings are of sensors on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.access import Shards
from evstore.datasets.groups import Group
from evstore.errors import ArgumentError, UnsupportedError
from evstore.recording.in_shard import ShardRecording
from evstore.recording.masked import MaskedRecording
from evstore.shard.shard import Shard


class Groups(Sequence[Group]):
    """Groups by number, or by name: each is opened when it is asked for.

    A sensor is called what its recording's id has behind the group's name and a slash, else by
    its whole id; all by whole ids where two would be called the same. A recording of no group is
    a group of its own, under its id; ArgumentError where a group is called so, too.
    """

    def __init__(
        self, shards: Shards, recordings: NDArray[np.int64], drops_hot_pixels: bool = False
    ) -> None:
        self._shards = shards
        self._kind = MaskedRecording if drops_hot_pixels else ShardRecording
        names = shards.catalogue.of_recordings("group")
        ids = shards.catalogue.ids
        groups = {name for name in names if name is not None}
        self._members: dict[str, list[int]] = {}
        for k in recordings.tolist():
            if names[k] is None and ids[k] in groups:
                raise ArgumentError(
                    f"recording {ids[k]!r} is of no group, but one is called so: which of both is "
                    "meant, no name would tell"
                )
            self._members.setdefault(ids[k] if names[k] is None else names[k], []).append(k)

    @property
    def names(self) -> list[str]:
        """The groups' names, in the order of their first recordings."""
        return list(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Group]:
        return map(self.open, self._members)

    @overload
    def __getitem__(self, which: int | str) -> Group: ...
    @overload
    def __getitem__(self, which: slice) -> list[Group]: ...
    def __getitem__(self, which: int | str | slice) -> Group | list[Group]:
        if isinstance(which, str):
            return self.open(which)
        if isinstance(which, slice):
            return [self.open(name) for name in self.names[which]]
        return self.open(self.names[which])

    def open(self, name: str) -> Group:
        """The group of that name. Raises ArgumentError where there is none."""
        if name not in self._members:
            near = ", ".join(map(repr, self.names[:10]))
            raise ArgumentError(f"the dataset has no group {name!r}; it has {near} ...")
        members = self._members[name]
        ids = [self._shards.catalogue.ids[k] for k in members]
        sensors = [_sensor(id, name) for id in ids]
        if len(set(sensors)) < len(sensors):
            sensors = ids
        found: dict[str, ShardRecording] = {}
        try:
            for sensor, k in zip(sensors, members, strict=True):
                found[sensor] = self._recording(k)
        except BaseException:
            for recording in found.values():
                recording.close()
            raise
        return Group(found, name)

    def _recording(self, number: int) -> ShardRecording:
        catalogue = self._shards.catalogue
        rows = catalogue.rows(number)
        if len(rows) > 1:
            raise UnsupportedError(
                f"recording {catalogue.ids[number]!r} lies in {len(rows)} parts: windows of groups "
                "need it in one",
                path=self._shards.folder,
            )
        shard = Shard(self._shards.path(int(catalogue.row_shards[rows[0]])))
        try:
            return self._kind(shard, self._shards.info(shard, rows[0]))
        except BaseException:
            shard.close()
            raise


def _sensor(id: str, group: str) -> str:
    return id[len(group) + 1 :] if id.startswith(f"{group}/") else id
