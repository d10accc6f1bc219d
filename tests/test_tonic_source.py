"""Datasets that are Python objects: tonic's, and whatever has their shape."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore.datasets.packing.tonic_source import ArraySource, find_tonic
from evstore.errors import ArgumentError
from trees import EVENTS, made

DTYPES = {
    "gesture": [("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")],
    "nmnist": [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")],
    "cifar": [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")],
    "floats": [("t", "<f8"), ("x", "<f4"), ("y", "<f4"), ("p", "<f4")],
    "swapped": [("p", "i1"), ("t", ">i4"), ("y", ">u2"), ("x", ">f8")],
}


class Samples:
    """A dataset of samples, as they are."""

    sensor_size: Any = (30, 30, 2)
    classes: Any = None

    def __init__(self, *samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> Any:
        return self.samples[i]


def array(dtype: Any = DTYPES["gesture"], **columns: Any) -> Any:
    """The usual events, with other columns where they are given."""
    table = np.zeros(len(EVENTS), dtype)
    for name, column in zip("txyp", zip(*EVENTS, strict=True), strict=True):
        if name in table.dtype.names:
            table[name] = columns.get(name, column)
    return table


@pytest.mark.parametrize("name", DTYPES)
def test_any_dtype(name: str) -> None:
    source = find_tonic(Samples((array(DTYPES[name]), 3)), "train")
    events, label = source.read(0)
    assert events == made((30, 30))
    assert events.resolution == (30, 30)
    assert label == 3
    assert source.id(0) == "train/000000"
    assert len(source) == 1


def test_ids() -> None:
    assert find_tonic(Samples()).id(12) == "000012"
    assert find_tonic(Samples(), "test").id(1_234_567) == "test/1234567"


def test_what_is_read_is_not_the_datasets_own() -> None:
    samples = Samples((array(DTYPES["nmnist"]), 0))
    events, _ = find_tonic(samples).read(0)
    events.t[:] = 0
    assert samples[0][0]["t"][0] == 1000


def test_times_that_step_back_are_kept() -> None:
    times = np.arange(len(EVENTS))[::-1] - 5
    events, _ = find_tonic(Samples((array(t=times), 0))).read(0)
    assert events.t.tolist() == times.tolist()


def test_polarities() -> None:
    signs = [1 if p else -1 for _, _, _, p in EVENTS]
    events, _ = find_tonic(Samples((array(DTYPES["nmnist"], p=signs), 0))).read(0)
    assert events == made((30, 30))
    for wrong in (2, -2):
        p = [wrong, *signs[1:]]
        with pytest.raises(ArgumentError, match="sample 0 of Samples has events that cannot be"):
            find_tonic(Samples((array(DTYPES["nmnist"], p=p), 0))).read(0)
    with pytest.raises(ArgumentError, match="cannot be"):
        find_tonic(Samples((array(DTYPES["nmnist"], p=[0, *signs[1:]]), 0))).read(0)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (array(), "is a ndarray of shape"),
        ((array(), 1, 2), "no pair"),
        ((np.zeros((5, 2, 30, 30)), 0), r"a ndarray of shape \(5, 2, 30, 30\).*Frames cannot"),
        (([1, 2], 0), "has a list"),
        (((array(), array()), 0), "has a tuple"),
        ((array().reshape(2, -1), 0), r"array of shape \(2, 10\)"),
        ((array([("t", "<i8"), ("x", "<i2"), ("p", "?")]), 0), "has no field y, but t, x, p"),
        ((array(DTYPES["floats"], t=0.5), 0), r"has t = .*0\.5.* in event 0"),
        ((array(DTYPES["floats"], t=2.0**60), 0), "no whole number that is exact"),
        ((array(DTYPES["floats"], x=np.nan), 0), "has x = .*nan"),
        ((array([("t", "U4"), ("x", "i2"), ("y", "i2"), ("p", "?")]), 0), "field 't' of <U4"),
        ((array(x=-1), 0), "has events that cannot be: column 'x' must lie in"),
        ((array(y=30), 0), "has 20 events outside 30x30, its sensor_size: x up to 29, y up to 30"),
        ((array(), np.zeros(3)), r"has a ndarray of shape \(3,\) for a target"),
        ((array(), {"boxes": 1}), "has a dict for a target"),
        ((array(), float("nan")), "has a float for a target"),
    ],
)
def test_what_cannot_be_packed(sample: Any, words: str) -> None:
    source = find_tonic(Samples((array(), 0), sample))
    source.read(0)
    with pytest.raises(ArgumentError, match=words) as caught:
        source.read(1)
    assert str(caught.value).startswith("sample 1 of Samples ")


def test_labels() -> None:
    torch = pytest.importorskip("torch")
    targets = [5, np.int64(5), np.array(5), torch.tensor(5), "cat", np.str_("cat"), 0.5, None, True]
    samples = Samples(*((array(), target) for target in targets))
    source = find_tonic(samples)
    labels = [source.read(i)[1] for i in range(len(source))]
    assert labels == [5, 5, 5, 5, "cat", "cat", 0.5, None, True]
    assert [type(label) for label in labels[:6]] == [int] * 4 + [str] * 2
    samples.classes = {"dog": 1, "cat": 0}
    source = find_tonic(samples)
    assert source.classes == ["cat", "dog"]
    assert source.read(4)[1] == 0
    samples.classes = ["dog"]
    with pytest.raises(ArgumentError, match="target 'cat', none of the classes"):
        find_tonic(samples).read(4)


def test_what_a_dataset_says_of_itself() -> None:
    samples = Samples((array(), 0))
    for size, resolution in {(30, 40, 2): (30, 40), None: None}.items():
        samples.sensor_size = size
        assert find_tonic(samples).resolution == resolution
    for wrong in ((30, 40), (30, 0, 2), "abc", 3):
        samples.sensor_size = wrong
        with pytest.raises(ArgumentError, match="sensor_size must be"):
            find_tonic(samples)
    samples.sensor_size = None
    assert find_tonic(samples).read(0)[0].resolution is None
    samples.classes = {"a": 1, "b": 2}
    with pytest.raises(ArgumentError, match="numbered from 0 on"):
        find_tonic(samples)
    for other in (3, (k for k in range(2))):
        with pytest.raises(ArgumentError, match="a dataset has a length"):
            find_tonic(other)
    for i in (-1, 1):
        with pytest.raises(ArgumentError, match="there is no sample"):
            find_tonic(Samples((array(), 0))).read(i)


def test_a_line_of_channels() -> None:
    samples = Samples((array([("t", "<i8"), ("x", "<i8"), ("p", "<i8")]), 0))
    samples.sensor_size = (700, 1, 1)
    events, _ = find_tonic(samples).read(0)
    assert events.resolution == (700, 1)
    assert not events.y.any()


def test_it_pickles() -> None:
    source = find_tonic(Samples((array(), 4)), "train")
    again: ArraySource = pickle.loads(pickle.dumps(source))
    assert again.read(0)[0] == source.read(0)[0]
    assert again.id(0) == "train/000000"


def test_no_events() -> None:
    empty = find_tonic(Samples((array(DTYPES["floats"])[:0], 0))).read(0)[0]
    assert len(empty) == 0


@given(st.lists(st.floats(width=64), max_size=20))
def test_floats_are_cast_exactly_or_refused(times: list[float]) -> None:
    table = np.zeros(len(times), DTYPES["floats"])
    table["t"] = times
    exact = all(t == t and abs(t) <= 2**53 and t == int(t) for t in times)
    source = find_tonic(Samples((table, 0)))
    if exact:
        assert source.read(0)[0].t.tolist() == [int(t) for t in times]
    else:
        with pytest.raises(ArgumentError, match="has t = "):
            source.read(0)


def test_a_dataset_of_tonics(tmp_path: Any) -> None:
    tonic = pytest.importorskip("tonic")

    base: Any = tonic.Dataset

    class Two(base):  # type: ignore[misc]
        sensor_size, classes = (30, 30, 2), ["a", "b"]

        def __init__(self, save_to: str) -> None:
            super().__init__(save_to)
            self.data, self.targets = [array(), array()], [1, 0]

        def __getitem__(self, i: int) -> Any:
            return self.data[i], self.targets[i]

        def __len__(self) -> int:
            return 2

        def _check_exists(self) -> bool:
            return True

    source = find_tonic(Two(str(tmp_path)), "train")
    assert [source.read(i)[1] for i in range(2)] == [1, 0]
    assert source.read(1)[0] == made((30, 30))
    assert source.classes == ["a", "b"]
    framed = Two(str(tmp_path))
    frames = tonic.transforms.ToFrame(sensor_size=(30, 30, 2), n_time_bins=3)
    sliced = [(frames(events), target) for events, target in (framed[i] for i in range(2))]
    with pytest.raises(ArgumentError, match="sample 0 of list has a ndarray of shape"):
        find_tonic(sliced).read(0)
