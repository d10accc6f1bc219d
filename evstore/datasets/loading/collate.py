"""Samples into one batch: padded frames with lengths and a mask, or the columns of events.

Plain functions: `functools.partial(pad_collate, batch_first=False)` pickles, as workers that
are spawned need. No value changes its type on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evstore import memory
from evstore.datasets.together import ALONE, Team
from evstore.errors import ArgumentError, MissingDependencyError
from evstore.events import COLUMNS, Events

if TYPE_CHECKING:
    import torch


#: What makes the tensor of a batch, of a shape and a dtype; its values are not set.
Room = Callable[[tuple[int, ...], Any], Any]


class Batch(NamedTuple):
    """Samples of a training step.

    ``data``: a tensor, or of events a dictionary of columns. ``targets``: an int64 tensor where
    they are integers, else a list. ``lengths``: int64, frames (or events) of each sample.
    ``mask``: bool, True where a frame is a sample's own, of shape (B, T), or (T, B) where time
    comes first; None for events.
    """

    data: torch.Tensor | dict[str, torch.Tensor]
    targets: torch.Tensor | list[Any]
    lengths: torch.Tensor
    mask: torch.Tensor | None


def pad_collate(
    batch: Sequence[tuple[Any, Any]], *, batch_first: bool = True, sparse: bool = False
) -> Batch:
    """A list of ``(data, target)`` as a `Batch`.

    Frames, numpy arrays or tensors whose first axis is time, ``(T, ...)``, become a tensor of the
    same dtype, ``(B, T, ...)`` or with ``batch_first=False`` ``(T, B, ...)``; T is the longest of
    them, and zeros follow the shorter ones. ``sparse=True`` gives the same as a coalesced COO
    tensor (indices int64), made without the dense one. (torch 2.13 itself warns, once, that it
    checks no indices, where such a tensor comes from a worker process.)

    Events, structured arrays or `Events`, are laid one sample after the other: a tensor a field
    with that field's dtype, and ``batch``, int64, the sample that each event is of.

    Raises ArgumentError where samples differ in dtype or in any axis but time, and for other data.

    >>> made = pad_collate([(np.ones((2, 1), np.int16), 3), (np.ones((1, 1), np.int16), 4)])
    >>> made.data.tolist(), made.targets.tolist(), made.lengths.tolist()
    ([[[1], [1]], [[1], [0]]], [3, 4], [2, 1])
    """
    return pad_in(batch, empty, batch_first=batch_first, sparse=sparse)


def pad_in(
    batch: Sequence[tuple[Any, Any]], room: Room, *, batch_first: bool = True, sparse: bool = False
) -> Batch:
    """What `pad_collate` gives, dense frames in the tensor that ``room`` makes."""
    if not batch:
        raise ArgumentError("a batch needs at least one sample")
    data = [sample[0] for sample in batch]
    targets = _targets([sample[1] for sample in batch])
    if all(isinstance(part, Events) or _fields(part) for part in data):
        if sparse:
            raise ArgumentError("sparse=True is for frames: events are sparse as they are")
        return _events_batch(data, targets)
    lengths = _frame_lengths(data)
    if sparse:
        tensor = _sparse(data, lengths, batch_first)
    else:
        tensor = _dense(data, lengths, batch_first, room)
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    return Batch(
        tensor,
        targets,
        _tensor(np.array(lengths, np.int64)),
        _tensor(mask if batch_first else mask.T),
    )


def pad_together(
    dataset: Any, batches: Sequence[Sequence[int]], room: Room, team: Team = ALONE
) -> list[Batch] | None:
    """What `pad_in` gives of each batch of a dataset whose frames are made in the batch itself.

    None where the dataset does not make them so.
    """
    make = getattr(dataset, "frames_together", None)
    tensors: list[torch.Tensor] = []

    def room_for(shape: tuple[int, ...], dtype: Any) -> Any:
        tensors.append(room(shape, _dtype(dtype)))
        return tensors[-1].numpy()

    made = None if make is None else make(batches, room_for, team)
    if made is None:
        return None
    found = []
    for tensor, (_, lengths, targets) in zip(tensors, made, strict=True):
        sizes = np.array(lengths, np.int64)
        mask = np.arange(tensor.shape[1]) < sizes[:, None]
        sizes_and_mask = map(_torch().from_numpy, (sizes, mask))
        found.append(Batch(tensor, _targets(targets), *sizes_and_mask))
    return found


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError("torch", "train", "a batch of tensors") from None
    return torch


def _tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Of the same dtype; shares the memory of arrays that can be written to and are in order."""
    native = np.require(array, array.dtype.newbyteorder("="), ["C", "W"])
    try:
        return _torch().from_numpy(native)
    except TypeError:
        raise ArgumentError(f"torch has no tensors of {array.dtype}: convert it first") from None


@lru_cache(16)
def _dtype(dtype: np.dtype[Any]) -> torch.dtype:
    return _tensor(np.empty(0, dtype)).dtype


def _targets(targets: list[Any]) -> torch.Tensor | list[Any]:
    if set(map(type, targets)) == {int}:  # as nearly always: each need not be looked at
        return _tensor(np.array(targets, np.int64))
    if all(_is_integer(target) for target in targets):
        return _tensor(np.array([int(target) for target in targets], np.int64))
    return targets


def _is_integer(target: Any) -> bool:
    if isinstance(target, int):
        return not isinstance(target, bool)
    if isinstance(target, (np.ndarray, np.generic)):
        return target.shape == () and target.dtype.kind in "iu"
    dtype = getattr(target, "dtype", None)  # a tensor's
    whole = dtype is not None and not (dtype.is_floating_point or dtype.is_complex)
    return whole and target.ndim == 0 and dtype != _torch().bool


def _fields(part: Any) -> tuple[str, ...]:
    return getattr(getattr(part, "dtype", None), "names", None) or ()


def _frame_lengths(data: list[Any]) -> list[int]:
    """T of each sample, once all are known to fit together."""
    first = data[0]
    for number, part in enumerate(data):
        is_array = hasattr(part, "dtype") and hasattr(part, "shape")
        if not is_array or len(part.shape) == 0 or _fields(part):
            raise ArgumentError(
                "pad_collate takes frames (arrays or tensors, time first), structured arrays or "
                f"Events, all alike; sample {number} of the batch is {type(part).__name__}. "
                "Give collate= for others"
            )
        if isinstance(part, np.ndarray) != isinstance(first, np.ndarray):
            raise ArgumentError("a batch must hold numpy arrays only, or tensors only")
        if part.dtype != first.dtype or part.shape[1:] != first.shape[1:]:
            raise ArgumentError(
                f"samples must have one dtype and one shape but for time; sample {number} of the "
                f"batch has {part.dtype} {tuple(part.shape)}, the first has "
                f"{first.dtype} {tuple(first.shape)}"
            )
    return [int(part.shape[0]) for part in data]


def _dense(data: list[Any], lengths: list[int], batch_first: bool, room: Room) -> torch.Tensor:
    numpy = isinstance(data[0], np.ndarray)
    dtype = _tensor(np.empty(0, data[0].dtype)).dtype if numpy else data[0].dtype
    shape = (max(lengths), len(data)) if not batch_first else (len(data), max(lengths))
    out = room(shape + tuple(data[0].shape[1:]), dtype)
    rows = out if batch_first else out.transpose(0, 1)
    rows = rows.numpy() if numpy else rows
    for row, part, length in zip(rows, data, lengths, strict=True):
        row[:length] = part
        row[length:] = 0
    return out


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """A tensor that is not set; in a worker, in the memory through which it will be handed over.

    As torch's own collation does: else the whole batch would be copied there once more.
    """
    torch = _torch()
    from torch.utils.data import get_worker_info

    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    if get_worker_info() is not None:
        return new_shared(size).view(dtype).reshape(shape)
    octets = torch.from_numpy(memory.room(size))  # of batches before, if there is
    return octets.view(dtype).view(shape)


def new_shared(size: int) -> torch.Tensor:
    """Bytes that torch's queues hand over as they are; all 0 at first."""
    torch = _torch()
    storage = torch.UntypedStorage._new_shared(size)
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (size,))


def _sparse(data: list[Any], lengths: list[int], batch_first: bool) -> torch.Tensor:
    torch = _torch()
    indices, values = [], []
    for number, part in enumerate(data):
        if isinstance(part, np.ndarray):
            at = np.nonzero(part)
            own, value = _tensor(np.stack(at)), _tensor(part[at])
        else:
            own = part.nonzero().T
            value = part[tuple(own)]
        values.append(value)
        indices.append(torch.cat([torch.full_like(own[:1], number), own]))
    entries, value = torch.cat(indices, 1), torch.cat(values)
    leading = (len(data), max(lengths))
    if not batch_first:  # the entries of a coalesced tensor lie in the order of its axes
        entries = entries[[1, 0, *range(2, len(entries))]]
        leading = leading[::-1]
        order = torch.argsort(entries[0], stable=True)
        entries, value = entries[:, order], value[order]
    size = leading + tuple(data[0].shape[1:])
    # Not checked: the entries are in order and within the size, as they were made
    return torch.sparse_coo_tensor(entries, value, size, is_coalesced=True, check_invariants=False)


def _events_batch(data: list[Any], targets: torch.Tensor | list[Any]) -> Batch:
    names = COLUMNS if isinstance(data[0], Events) else _fields(data[0])
    columns: dict[str, torch.Tensor] = {}
    for name in names:
        parts = [_column(part, name) for part in data]
        kinds = {part.dtype for part in parts}
        if len(kinds) != 1:
            raise ArgumentError(
                f"events of a batch must have one dtype, field {name!r} has "
                f"{' and '.join(sorted(map(str, kinds)))}"
            )
        columns[name] = _tensor(np.concatenate(parts))
    lengths = np.array([len(part) for part in data], np.int64)
    columns["batch"] = _tensor(np.repeat(np.arange(len(data)), lengths))
    return Batch(columns, targets, _tensor(lengths), None)


def _column(part: Any, name: str) -> np.ndarray[Any, Any]:
    if isinstance(part, Events):
        return getattr(part, name)  # type: ignore[no-any-return]
    if name not in _fields(part):
        raise ArgumentError(f"events of a batch must have the same fields: one has no {name!r}")
    return part[name]  # type: ignore[no-any-return]
