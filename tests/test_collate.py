"""Batches: padded frames, masks, sparse tensors and the columns of events."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.datasets.loading.collate import pad_collate
from evstore.errors import ArgumentError
from evstore.events import Events

torch = pytest.importorskip("torch")

DTYPES = ["i1", "i2", "i4", "i8", "u1", "u2", "f2", "f4", "f8", "?", ">i2"]


def frames(lengths: list[int], dtype: str, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    return [
        (rng.integers(0, 3, (n, 2, 3, 4)) * (rng.random() < 0.9)).astype(dtype) for n in lengths
    ]


def padded(parts: list[np.ndarray[Any, Any]], batch_first: bool) -> np.ndarray[Any, Any]:
    longest = max(len(part) for part in parts)
    rows = [np.pad(p, [(0, longest - len(p))] + [(0, 0)] * (p.ndim - 1)) for p in parts]
    return np.stack(rows, 0 if batch_first else 1)


LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=5)


@given(LENGTHS, st.sampled_from(DTYPES), st.booleans(), st.booleans(), st.integers(0, 99))
def test_frames(
    lengths: list[int], dtype: str, batch_first: bool, tensors: bool, seed: int
) -> None:
    parts = frames(lengths, dtype, seed)
    if tensors and dtype != ">i2":
        data: list[Any] = [torch.from_numpy(part) for part in parts]
    else:
        data = parts
    batch = pad_collate([(part, i) for i, part in enumerate(data)], batch_first=batch_first)
    expected = padded(parts, batch_first)
    assert batch.data.numpy().dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(batch.data.numpy(), expected)
    assert batch.data.is_contiguous()
    assert batch.lengths.tolist() == lengths
    assert batch.targets.tolist() == list(range(len(lengths)))
    assert batch.mask.dtype == torch.bool
    mask = batch.mask if batch_first else batch.mask.T
    assert mask.sum(1).tolist() == lengths
    for row, length in zip(mask.tolist(), lengths, strict=True):
        assert row == [True] * length + [False] * (max(lengths) - length)


@given(LENGTHS, st.sampled_from(DTYPES), st.booleans(), st.integers(0, 99))
def test_sparse(lengths: list[int], dtype: str, batch_first: bool, seed: int) -> None:
    parts = frames(lengths, dtype, seed)
    made = [(part, 0) for part in parts]
    batch = pad_collate(made, batch_first=batch_first, sparse=True)
    dense = pad_collate(made, batch_first=batch_first)
    assert batch.data.layout == torch.sparse_coo
    assert batch.data.is_coalesced()
    assert batch.data.dtype == dense.data.dtype
    at = batch.data.indices()
    assert np.array_equal(at.numpy(), np.nonzero(dense.data.numpy()))
    assert np.array_equal(batch.data.values().numpy(), dense.data.numpy()[tuple(at.numpy())])
    assert batch.data.shape == dense.data.shape
    assert torch.equal(batch.mask, dense.mask)


def test_bfloat_tensors_and_one_axis() -> None:
    parts = [torch.ones(2, dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)]
    batch = pad_collate([(part, 0) for part in parts])
    assert batch.data.dtype == torch.bfloat16
    assert batch.data.tolist() == [[1, 1, 0], [1, 1, 1]]


def test_arrays_that_cannot_be_written_to_and_views() -> None:
    array = np.arange(24, dtype=np.int16).reshape(4, 6)[::-1, ::2]
    array.flags.writeable = False
    batch = pad_collate([(array, 0)])
    assert np.array_equal(batch.data[0].numpy(), array)
    sparse = pad_collate([(array, 0)], sparse=True)
    assert np.array_equal(sparse.data.to_dense()[0].numpy(), array)


@pytest.mark.parametrize(
    ("targets", "kept"),
    [
        ([1, 2], False), ([np.int16(1), np.uint8(2)], False), ([1, np.array(2)], False),
        ([torch.tensor(1), 2], False), ([1, 2.0], True), ([True, False], True),
        ([np.bool_(True), 2], True), ([None, 1], True), (["a", "b"], True),
        ([np.array([1]), np.array([2])], True), ([torch.tensor(1.0), 1], True),
        ([torch.tensor([1]), 1], True), ([torch.tensor(True), 1], True), ([{"boxes": 1}, 1], True),
    ],
)  # fmt: skip
def test_targets(targets: list[Any], kept: bool) -> None:
    made = pad_collate([(np.zeros((1, 1)), target) for target in targets]).targets
    if kept:
        assert made == targets
    else:
        assert made.dtype == torch.int64
        assert made.tolist() == [1, 2]


TONIC = np.dtype([("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")])


@pytest.mark.parametrize("kind", ["events", "structured"])
def test_events_lie_one_sample_after_the_other(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [
        Events(np.sort(rng.integers(0, 1 << 40, n)), rng.integers(0, 34, n),
               rng.integers(0, 34, n), rng.integers(0, 2, n))
        for n in (3, 0, 5)
    ]  # fmt: skip
    data = samples if kind == "events" else [part.to_structured(TONIC) for part in samples]
    batch = pad_collate([(part, 7) for part in data])
    whole = Events.concatenate(samples)
    dtypes = {"t": "i8", "x": "u2", "y": "u2", "p": "u1"} if kind == "events" else TONIC.fields
    assert list(batch.data) == [*dtypes, "batch"]
    for name, dtype in dtypes.items():
        column = batch.data[name].numpy()
        assert column.dtype == (dtype if kind == "events" else dtype[0])
        assert np.array_equal(column, getattr(whole, name))
    assert batch.data["batch"].tolist() == [0] * 3 + [2] * 5
    assert batch.lengths.tolist() == [3, 0, 5]
    assert batch.mask is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([np.zeros((1, 2), "i2"), np.zeros((1, 2), "i4")], "sample 1 of the batch has int32"),
        ([np.zeros((1, 2)), np.zeros((1, 3))], "one shape but for time"),
        ([np.zeros((1, 2)), torch.zeros(1, 2)], "numpy arrays only"),
        ([np.zeros(()), np.zeros(())], "ndarray. Give collate="), ([3], "is int. Give collate="),
        ([{"a": 1}], "is dict"), ([np.zeros(1, TONIC), np.zeros((1, 2))], "all alike"),
        ([np.zeros((1, 2), "U3")], "no tensors of"),
        ([np.zeros(1, TONIC), np.zeros(1, [("t", "i8")])], "one has no 'x'"),
        ([np.zeros(1, [("t", "i8")]), np.zeros(1, [("t", "i4")])], "int32 and int64"), ([], "one"),
    ],
)  # fmt: skip
def test_what_makes_no_batch(data: list[Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        pad_collate([(part, 0) for part in data])
    if data and getattr(data[0], "dtype", None) == TONIC:
        with pytest.raises(ArgumentError, match=r"sparse as they are|all alike"):
            pad_collate([(part, 0) for part in data], sparse=True)


def test_pickles() -> None:
    collate = pickle.loads(pickle.dumps(partial(pad_collate, batch_first=False)))
    assert collate([(np.zeros((2, 3)), 0)]).data.shape == (2, 1, 3)
    batch = pickle.loads(pickle.dumps(pad_collate([(np.ones((2, 3), "f2"), 0)])))
    assert batch.data.dtype == torch.float16


def test_tonic_promotes_where_this_does_not() -> None:
    collation = pytest.importorskip("tonic.collation")
    samples = [(np.ones((n, 2, 3, 3), np.int16), n) for n in (1, 3)]
    theirs, targets = collation.PadTensors()(samples)
    ours = pad_collate(samples)
    assert theirs.dtype == torch.float32
    assert ours.data.dtype == torch.int16
    assert torch.equal(theirs, ours.data.float())
    assert torch.equal(targets, ours.targets)
