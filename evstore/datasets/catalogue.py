"""The recordings of a manifest as arrays, one value for each, parts joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from evstore.datasets.lazy import lazy
from evstore.datasets.manifest import Manifest
from evstore.errors import CorruptError


class IntervalColumns(NamedTuple):
    """Labelled times of all recordings, in their order."""

    recording: NDArray[np.int64]
    t_start: NDArray[np.int64]
    t_stop: NDArray[np.int64]
    class_id: NDArray[np.int64]


class Ids(Sequence[str]):
    """The id of each sample, found when it is asked for: a loader asks for those of each batch."""

    def __init__(self, ids: list[str], recordings: NDArray[np.int64]) -> None:
        self._ids = ids
        self._recordings = recordings

    def __len__(self) -> int:
        return len(self._recordings)

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        if isinstance(which, slice):
            return [self._ids[k] for k in self._recordings[which].tolist()]
        return self._ids[int(self._recordings[which])]

    def __iter__(self) -> Iterator[str]:
        return map(self._ids.__getitem__, self._recordings.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:])


class Catalogue:
    """What a manifest says, by the number of a recording.

    ``first_row[k]`` is the manifest's row of recording k's first part; its others follow. Columns
    are made when they are asked for: opening costs what reading the manifest does.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        part = self.column("part")
        self.first_row: NDArray[np.int64] = np.flatnonzero(part == 0)
        self.has_parts = len(self.first_row) != len(part)
        if len(part) and part[0] != 0:
            raise CorruptError("manifest begins with a later part", field="part", got=int(part[0]))
        if self.has_parts:
            self._check_parts(part)

    def __len__(self) -> int:
        return len(self.first_row)

    def _check_parts(self, part: NDArray[Any]) -> None:
        """Raise unless the parts of a recording follow each other."""
        place = np.arange(len(part))
        begins = self.first_row[np.searchsorted(self.first_row, place, side="right") - 1]
        ids = self.manifest.values("id")
        for row in np.flatnonzero(part).tolist():
            if part[row] != row - begins[row] or ids[row] != ids[begins[row]]:
                raise CorruptError(
                    "parts of a recording do not follow each other in the manifest",
                    field="part",
                    got=f"part {part[row]} of {ids[row]!r}",
                )

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers, a value for each row."""
        array: NDArray[Any] = self.manifest.table.column(name).to_numpy()
        return array

    def rows(self, recording: int) -> range:
        """The manifest's rows of a recording, one for each of its parts."""
        after = recording + 1
        stop = self.first_row[after] if after < len(self.first_row) else len(self.manifest)
        return range(int(self.first_row[recording]), int(stop))

    def of_recordings(self, name: str) -> list[Any]:
        """A column as Python values, one for each recording."""
        values = self.manifest.values(name)
        return [values[row] for row in self.first_row.tolist()] if self.has_parts else values

    @lazy
    def events(self) -> NDArray[np.int64]:
        """How many events each recording has."""
        events = self.column("events")
        return np.add.reduceat(events, self.first_row) if self.has_parts else events

    @lazy
    def t_min(self) -> NDArray[np.int64]:
        """The least time of each."""
        return self._extreme("t_min", np.minimum)

    @lazy
    def t_max(self) -> NDArray[np.int64]:
        """The greatest time of each."""
        return self._extreme("t_max", np.maximum)

    def _extreme(self, name: str, of: np.ufunc) -> NDArray[np.int64]:
        column: NDArray[np.int64] = self.column(name)
        if not self.has_parts:
            return column
        # A part without events has no times, unless all are without.
        own = np.where(
            self.column("events") > 0, column, np.repeat(column[self._telling], self.parts)
        )
        found: NDArray[np.int64] = of.reduceat(own, self.first_row)
        return found

    @lazy
    def parts(self) -> NDArray[np.int64]:
        """How many parts each recording has."""
        return np.diff(self.first_row, append=len(self.manifest))

    @lazy
    def _telling(self) -> NDArray[np.int64]:
        """The row of each recording's first part that has events; of none its first one."""
        place = np.where(
            self.column("events") > 0, np.arange(len(self.manifest)), len(self.manifest)
        )
        first = np.minimum.reduceat(place, self.first_row)
        return np.where(first < len(self.manifest), first, self.first_row)

    @lazy
    def t_first(self) -> NDArray[np.int64]:
        """The first event's time of each."""
        rows = self._telling if self.has_parts else self.first_row
        found: NDArray[np.int64] = self.column("t_first")[rows]
        return found

    @lazy
    def resolution(self) -> NDArray[np.int64]:
        """(width, height) of each; 0 where it is not known."""
        filled = [
            self.manifest.table.column(n).fill_null(0).to_numpy() for n in ("width", "height")
        ]
        return np.stack(filled, axis=1).astype(np.int64)[self.first_row]

    @lazy
    def shard_names(self) -> list[str]:
        """The shards, each once."""
        names: list[str] = self.manifest.table.column("shard").unique().to_pylist()
        return sorted(names)

    @lazy
    def row_shards(self) -> NDArray[np.int32]:
        """The number of the shard of each row."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.index_in(self.manifest.table.column("shard"), pa.array(self.shard_names))
        shards: NDArray[np.int32] = found.to_numpy().astype(np.int32)
        return shards

    @lazy
    def positions(self) -> NDArray[np.int64]:
        """The number in its shard of each row's recording."""
        return self.column("position")

    @lazy
    def roots(self) -> NDArray[np.void]:
        """The root of each row, 32 bytes."""
        column = self.manifest.table.column("root").combine_chunks()
        return np.frombuffer(column.buffers()[1], "V32")[column.offset :][: len(column)]

    @lazy
    def row_ids(self) -> list[str]:
        """The id in each row: recordings in parts have several."""
        ids: list[str] = self.manifest.table.column("id").to_pylist()
        return ids

    @lazy
    def ids(self) -> list[str]:
        """The id of each recording."""
        if not self.has_parts:
            return self.row_ids
        return [self.row_ids[row] for row in self.first_row.tolist()]

    @lazy
    def labels(self) -> list[Any]:
        """The label of each recording."""
        return self.of_recordings("label")

    @lazy
    def intervals(self) -> IntervalColumns:
        """The labelled times of all recordings."""
        import pyarrow.compute as pc

        column = self.manifest.table.column("intervals").combine_chunks()
        rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False).astype(np.int64)
        values = pc.list_flatten(column)
        fields = [pc.struct_field(values, name) for name in ("t_start", "t_stop", "class_id")]
        start, stop, class_id = (field.to_numpy(zero_copy_only=False) for field in fields)
        if any(field.null_count for field in fields) or (start > stop).any():
            raise CorruptError("labelled times of the manifest cannot be", field="intervals")
        recording = np.searchsorted(self.first_row, rows, side="right") - 1
        return IntervalColumns(recording, start, stop, class_id)

    @lazy
    def has_intervals(self) -> bool:
        """Whether any recording has labelled times."""
        column = self.manifest.table.column("intervals")
        return bool(column.null_count < len(column))

    @lazy
    def boxes(self) -> NDArray[np.int64]:
        """How many boxes each recording has."""
        boxes = self.column("boxes")
        return np.add.reduceat(boxes, self.first_row) if self.has_parts else boxes
