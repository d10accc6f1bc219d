"""A dataset of recordings, or of windows of them, read straight from shards."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evstore.datasets.access import Shards
from evstore.datasets.catalogue import Catalogue, Ids
from evstore.datasets.choosing import chosen_rows, chosen_samples, of_split
from evstore.datasets.delivery import Delivery, deliver
from evstore.datasets.geometry import Geometry
from evstore.datasets.grouped import Groups
from evstore.datasets.identity import samples_digest
from evstore.datasets.labels import Boxes, Intervals, class_at
from evstore.datasets.lazy import lazy
from evstore.datasets.opening import open_source
from evstore.datasets.sample_events import Changes, Sample, Window
from evstore.datasets.sizes import sample_bytes
from evstore.datasets.targets import TARGETS, boxes_of, intervals_of, times_of
from evstore.datasets.together import ALONE, Team, frames_of
from evstore.datasets.windows import Windows
from evstore.errors import ArgumentError
from evstore.frames import Frames
from evstore.noise.epoch import epoch_now, reading_epoch_unless_said

if TYPE_CHECKING:
    from evstore.noise.transform import Transform


class Dataset:
    """Recordings, or windows of them, as (data, target): map-style, as torch and tonic have it.

    ``path``: a folder that `evstore pack` made, a shard, or a list of shards. ``split``: only the
    recordings of that split. ``windows`` cuts recordings (see `Windows`); without it a sample is a
    recording. ``frames`` delivers frames (T, P, H, W), made straight from chunks; otherwise
    ``output`` is "structured", a fresh array of ``dtype`` (a name: tonic, dvsgesture, nmnist, dsec,
    davis, packed; or a structured dtype with t, x, y, p), or "events". ``geometry`` crops, scales
    down and flips events, frames and boxes alike. ``relative``: times from the recording's first
    event on.

    ``noise``, a transform of `evstore.noise`, an injector or a filter, is done to the events as the
    sensor gave them, before all that: in the window's times, or from the recording's first event to
    its last one. It depends on its seed, the epoch, the recording's id and the window's bounds
    alone: not on shards, workers, ranks or the order. `Loader` says the epoch, `set_epoch` where
    another one reads. Frames by time are divided as without it; frames by number of events count
    those that there are with it. Numbers of events (``n_events``, windows by count) are without
    it. Which event is what, ``noise(events, sample=id, epoch=epoch, labels=True)`` tells of a
    recording; `functools.partial` of it as ``transform`` makes other noise: a digest names samples.
    ``hot_pixels="drop"`` first leaves out the events of the pixels in each recording's own mask, as
    `evstore.open` does; reading a recording that has none raises ArgumentError.

    ``target``: "label" of the recording (or class of the interval that a window by labels is of),
    "boxes" (`Boxes` of the window), "intervals" (`Intervals` that meet it), "none"; "auto" is the
    first of label, boxes and intervals that the dataset has. ``transform``, ``target_transform``
    and ``transforms`` are called as tonic's datasets call them.

    Processes may share it by pickling or forking, and threads: files are opened where they are
    read. Raises ArgumentError, MissingDependencyError, FormatError, OSError.

    >>> train = Dataset("nmnist-evs/", split="train", frames=Frames(bins=10))     # doctest: +SKIP
    >>> frames, label = train[0]                                                   # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        split: str | None = None,
        *,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        output: str | None = None,
        dtype: DTypeLike | str = "tonic",
        frames: Frames | None = None,
        windows: Windows | None = None,
        geometry: Geometry | None = None,
        relative: bool = False,
        target: str = "auto",
        noise: Transform | None = None,
        hot_pixels: str = "keep",
    ) -> None:
        if windows is not None and not isinstance(windows, Windows):
            raise ArgumentError(f"windows must be Windows(...), got {windows!r}")
        if target not in TARGETS:
            raise ArgumentError(f"target is one of {', '.join(TARGETS)}, got {target!r}")
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = transforms
        self._source = open_source(path)
        self.split = split
        self.windows = windows
        self._how = Delivery(
            output or ("structured" if frames is None else "frames"),
            dtype, frames, geometry or Geometry(), relative, Changes(hot_pixels, noise),
        )  # fmt: skip
        self._target = target
        self.epoch = 0
        self._begin(of_split(self._catalogue, split))

    def _begin(
        self, recordings: NDArray[np.int64], samples: NDArray[np.int64] | None = None
    ) -> None:
        """``samples``: which of all windows of the recordings there are, in their order."""
        self._recordings = recordings
        self._samples = samples
        self._shards = Shards(self._source.folder, self._catalogue)
        self._plan = (
            None if self.windows is None else self.windows.plan(self._catalogue, recordings)
        )
        if self._plan is not None and samples is not None:
            self._plan = self._plan.at(samples)

    @property
    def _catalogue(self) -> Catalogue:
        return self._source.catalogue

    @property
    def path(self) -> str:
        """The dataset's folder, or that of its shards."""
        return self._source.folder

    @property
    def classes(self) -> list[str] | None:
        """Names of the labels 0, 1, ...; None where the dataset does not name them."""
        return self._catalogue.manifest.classes

    def __len__(self) -> int:
        return len(self._of_samples)

    @property
    def _of_samples(self) -> NDArray[np.int64]:
        """The recording of each sample."""
        return self._recordings if self._plan is None else self._plan.recording

    @property
    def _chosen(self) -> NDArray[np.int64]:
        """The recordings that there are samples of, each once, in order."""
        found = np.zeros(len(self._catalogue), np.bool_)
        found[self._of_samples] = True
        return np.flatnonzero(found)

    def set_epoch(self, epoch: int) -> None:
        """Whose noise samples have where no `Loader` says it: at first that of epoch 0.

        For torch's own DataLoader: call it before each epoch. Workers that stay from epoch to epoch
        (``persistent_workers``) do not hear of it.
        """
        if not isinstance(epoch, (int, np.integer)) or epoch < 0:
            raise ArgumentError(f"epoch must be an integer of at least 0, got {epoch!r}")
        self.epoch = int(epoch)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        recording, window = self._place(index)
        with reading_epoch_unless_said(self.epoch):
            with self._shards.naming(recording):
                data = deliver(self._shards, recording, window, self._how)
                target = self._find_target(index, recording, window)
            if self.transform is not None:
                data = self.transform(data)
            if self.target_transform is not None:
                target = self.target_transform(target)
            if self.transforms is not None:
                data, target = self.transforms(data, target)
        return data, target

    def __getitems__(self, indices: Iterable[int]) -> list[tuple[Any, Any]]:
        """Several samples at once, as torch's loaders ask for them."""
        return [self[index] for index in indices]

    def frames_together(
        self,
        batches: Sequence[Sequence[int]],
        make: Callable[[tuple[int, ...], np.dtype[Any]], Any],
        team: Team = ALONE,
    ) -> list[tuple[Any, list[int], list[Any]]] | None:
        """Of each batch the frames in one array (B, T, P, H, W), their lengths and targets.

        ``make(shape, dtype)`` gives the array, into which chunks are decoded; zeros follow the
        frames of shorter samples. None where samples have to be made one by one: they are no
        frames, a transform wants them, or their shapes are not known or differ, or come of numbers
        that no int64 holds. ``team``: the threads that make them.
        """
        if self._how.frames is None or self.transform is not None or self.transforms is not None:
            return None
        places = [[self._place(index) for index in indices] for indices in batches]
        with reading_epoch_unless_said(self.epoch):
            made = frames_of(self._shards, places, self._how, make, team, epoch_now())
        if made is None:
            return None
        return [
            (frames, lengths, [self._own_target(*one) for one in zip(indices, own, strict=True)])
            for (frames, lengths), indices, own in zip(made, batches, places, strict=True)
        ]

    def _own_target(self, index: int, place: tuple[int, Window | None]) -> Any:
        """The target that goes with a sample's frames."""
        if self.target == "label":
            target = self._label(index, place[0])
        else:
            with self._shards.naming(place[0]):
                target = self._find_target(index, *place)
        return target if self.target_transform is None else self.target_transform(target)

    def sample(self, index: int) -> Sample:
        """A sample with all that is known of it; no transform is called."""
        recording, window = self._place(index)
        with self._shards.naming(recording), reading_epoch_unless_said(self.epoch):
            data = deliver(self._shards, recording, window, self._how)
            boxes, intervals = self._boxes(recording, window), self._intervals(recording, window)
            span = times_of(self._shards, recording, window)
        known = self._catalogue
        span = span or (int(known.t_min[recording]), int(known.t_max[recording]) + 1)
        label = self._label(index, recording)
        return Sample(data, label, boxes, intervals, known.ids[recording], *span)

    def _place(self, index: int) -> tuple[int, Window | None]:
        try:
            index = operator.index(index)
        except TypeError:
            raise TypeError(
                f"a sample's number is an integer, got {index!r}: select() takes several"
            ) from None
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"sample {index} of {count}")
        recording = int(self._of_samples[index])
        plan = self._plan
        if plan is None:
            return recording, None
        return recording, Window(*plan.bounds(index), plan.by_time)

    # ------------------------------------------------------------------ targets

    @lazy
    def target(self) -> str:
        """What is delivered beside the data: label, boxes, intervals or none."""
        if self._target != "auto":
            return self._target
        catalogue = self._catalogue
        if self._plan is not None and self._plan.class_id is not None:
            return "label"
        labels = catalogue.manifest.table.column("label")
        if labels.null_count < len(labels):
            return "label"
        if catalogue.boxes.any():
            return "boxes"
        return "intervals" if catalogue.has_intervals else "none"

    def _find_target(self, index: int, recording: int, window: Window | None) -> Any:
        kind = self.target
        if kind == "label":
            return self._label(index, recording)
        if kind == "boxes":
            return self._boxes(recording, window)
        return self._intervals(recording, window) if kind == "intervals" else None

    def _label(self, index: int, recording: int) -> Any:
        if self._plan is not None and self._plan.class_id is not None:
            return int(self._plan.class_id[index])
        return self._catalogue.labels[recording]

    def _boxes(self, recording: int, window: Window | None) -> Boxes:
        found = boxes_of(self._shards, recording, window, self._how.relative)
        if len(found) and not self._how.geometry.is_identity:
            width, height = self._catalogue.resolution[recording].tolist()
            found = self._how.geometry.boxes(found, (width, height) if width else None)
        return found

    def _intervals(self, recording: int, window: Window | None) -> Intervals:
        return intervals_of(self._shards, recording, window, self._how.relative)

    def class_at(self, index: int) -> int | None:
        """The class whose labelled times cover most of a window; None where none does."""
        recording, window = self._place(index)
        if window is None or not window.by_time:
            raise ArgumentError("the class at a time is asked of windows by time")
        met = intervals_of(self._shards, recording, window, relative=False)
        return class_at(met, window.start, window.stop)

    # ------------------------------------------------------------------ what samples are

    @property
    def labels(self) -> Any:
        """The label of each sample: an int64 array where all are integers, else a list."""
        if self._plan is not None and self._plan.class_id is not None:
            return self._plan.class_id
        column = self._catalogue.manifest.table.column("label")
        if str(column.type) == "int64" and not column.null_count:
            values = column.to_numpy()[self._catalogue.first_row]
            return values[self._of_samples]
        labels = self._catalogue.labels
        return [labels[recording] for recording in self._of_samples.tolist()]

    @property
    def targets(self) -> Any:
        """The labels, under the name that tonic's datasets have them."""
        return self.labels

    @property
    def ids(self) -> Sequence[str]:
        """The id of each sample's recording."""
        return Ids(self._catalogue.ids, self._of_samples)

    @property
    def n_events(self) -> NDArray[np.int64]:
        """How many events each sample has in its shard; of windows by time at most so many."""
        whole: NDArray[np.int64] = self._catalogue.events[self._of_samples]
        if self._plan is None or self._plan.by_time:
            return whole
        return self._plan.stop - self._plan.start

    @property
    def samples_digest(self) -> str:
        """One text for which samples there are, in their order, whatever is delivered of them."""
        return samples_digest(self._catalogue, self._of_samples, self._plan)

    @property
    def shard_numbers(self) -> NDArray[np.int32]:
        """The shard that each sample lies in."""
        rows = self._catalogue.first_row[self._of_samples]
        found: NDArray[np.int32] = self._catalogue.row_shards[rows]
        return found

    @property
    def sample_bytes(self) -> NDArray[np.int64]:
        """Bytes of each sample before transforms, at most.

        Windows by time are taken to have up to eight times the mean rate of their recording.
        Frames by duration or count are as many as the recording or the window has room for.
        """
        return sample_bytes(self._catalogue, self._of_samples, self._plan, self._how)

    @property
    def sensor_size(self) -> tuple[int, int, int] | None:
        """(width, height, 2) after geometry, as tonic has it; None where recordings differ."""
        sizes = np.unique(self._catalogue.resolution[self._chosen], axis=0)
        sizes = sizes[sizes[:, 0] > 0]
        after = {self._how.geometry.resolution_after((w, h)) for w, h in sizes.tolist()}
        if len(after) != 1:
            return None
        width, height = after.pop() or (0, 0)
        return width, height, 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of structured arrays, or of frames."""
        return np.dtype(self._how.frames.dtype if self._how.frames else self._how.dtype)

    @property
    def ordering(self) -> tuple[str, ...]:
        """The names of the fields of structured arrays, in order."""
        return tuple(np.dtype(self._how.dtype).names or ())

    # ------------------------------------------------------------------ parts of the dataset

    def filter(
        self, keep: Callable[[dict[str, Any]], bool] | None = None, **columns: Any
    ) -> Dataset:
        """The recordings whose columns are as given: ``filter(label=[1, 2], user=3)``.

        A list, tuple, set or array means any of them. ``keep`` is called with a dict of each
        recording's columns. Raises ArgumentError for a column that there is not.
        """
        rows = chosen_rows(self._catalogue, self._chosen, keep, columns)
        return self._at(np.flatnonzero(np.isin(self._of_samples, rows)))

    def select(self, indices: Iterable[int]) -> Dataset:
        """These samples, in this order, by number or by a mask of all.

        Raises IndexError, and ArgumentError for what are neither.
        """
        return self._at(chosen_samples(indices, len(self)))

    def groups(self) -> Groups:
        """The recordings by group, sensors on one clock: ``groups()[0].between(t0, t1)``.

        Each is opened when it is asked for, and closed by its ``with`` or `close`. They are read
        without noise.
        """
        return Groups(self._shards, self._chosen, self._how.changes.hot_pixels == "drop")

    def _at(self, which: NDArray[np.int64]) -> Dataset:
        """The samples of these numbers; the open shards are shared."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__.pop("target", None)
        if self._plan is None:
            made._recordings = self._recordings[which]
        else:
            made._samples = which if self._samples is None else self._samples[which]
            made._plan = self._plan.at(which)
        return made

    def __getstate__(self) -> dict[str, Any]:
        """The path and what was asked, not what is in the manifest: workers read that again."""
        state = dict(self.__dict__)
        for name in ("_shards", "_plan", "target"):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin(state["_recordings"], state["_samples"])

    def __repr__(self) -> str:
        what = "recordings" if self._plan is None else "windows"
        split = f", split={self.split!r}" if self.split else ""
        return f"<{type(self).__name__} {self.path}{split}: {len(self):,} {what}>"
