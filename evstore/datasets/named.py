"""Datasets by name, called as tonic's are: ``DVSGesture(save_to, train=True, transform=...)``.

Nothing is downloaded: where the files are not there, the error says where to get them and where
to put them. They are packed when they are first asked for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from evstore.datasets.dataset import Dataset
from evstore.datasets.known import KNOWN, Known
from evstore.datasets.manifest import NAME
from evstore.datasets.windows import Windows
from evstore.errors import ArgumentError


@dataclass(frozen=True)
class Named:
    """A dataset that evstore knows. Calling it gives a `Dataset`.

    >>> DVSGesture = Named("DVSGesture")
    >>> DVSGesture.sensor_size, DVSGesture.ordering
    ((128, 128, 2), ('x', 'y', 'p', 't'))
    """

    name: str

    @property
    def known(self) -> Known:
        """What is known of it: where to get it, and what its recordings are."""
        return KNOWN[self.name]

    @property
    def sensor_size(self) -> tuple[int, int, int] | None:
        """(width, height, polarities); None where recordings differ."""
        return self.known.sensor_size

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The dtype of its arrays of events."""
        return np.dtype(list(self.known.fields))

    @property
    def ordering(self) -> tuple[str, ...]:
        """The names of the fields."""
        return self.known.ordering

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes; None where its folders name them."""
        return None if self.known.classes is None else list(self.known.classes)

    def __call__(
        self,
        save_to: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        *,
        split: str | None = None,
        jobs: int = 1,
        **options: Any,
    ) -> Dataset:
        """The recordings of a split: train, or test where ``train`` is False, or ``split``.

        A dataset without official splits gives all of its recordings. The files lie in
        ``save_to/NAME`` and are packed by ``jobs`` processes into ``save_to/NAME-evs``.
        ``options`` are those of `Dataset`: frames, windows, geometry ... Raises ArgumentError
        where the files are not there.
        """
        folder = self._packed(os.fspath(save_to), jobs)
        if not self.known.splits:
            split = None
        elif split is None:
            split = "train" if train else "test"
        said: dict[str, Any] = {"dtype": self.dtype, **options}
        if self._cuts_labels(folder) and "windows" not in said:
            said["windows"] = Windows(labels=True)
        if self.known.targets == "name" and target_transform is None:
            names = Dataset(folder).classes or []
            target_transform = names.__getitem__
        return Dataset(
            folder, split, transform=transform, target_transform=target_transform,
            transforms=transforms, **said,
        )  # fmt: skip

    def _cuts_labels(self, folder: str) -> bool:
        """Whether a sample is a labelled time of a recording: gestures in IBM's own files."""
        from evstore.datasets.manifest import read_manifest

        return read_manifest(folder).about.get("layout") == "dvsgesture-ibm"

    def _packed(self, save_to: str, jobs: int) -> str:
        """The folder of the packed dataset, which is made if it is not there."""
        from evstore.datasets.packing.pack import pack

        source, target = os.path.join(save_to, self.name), os.path.join(save_to, f"{self.name}-evs")
        if os.path.exists(os.path.join(target, NAME)):
            return target
        if not os.path.isdir(source):
            raise ArgumentError(
                f"{source}: no such folder. evstore downloads nothing: get {self.name} from "
                f"{self.known.url}, and unpack {self.known.unpack}, so that it is {source}"
            )
        found = self._found(source)
        with _alone(f"{target}.lock"):
            if not os.path.exists(os.path.join(target, NAME)):  # else another process made it
                report = pack(found[1], target, layout=found[0], jobs=jobs)
                if report.manifest is None:
                    path, why = report.failed[0]
                    raise ArgumentError(f"{self.name} cannot be packed: {path}: {why}")
        return target

    def _found(self, source: str) -> tuple[str, str]:
        """The layout that the files have, and their folder. Raises what the first one says."""
        from evstore.datasets.packing.layouts import find_layout

        first: ArgumentError | None = None
        for layout in self.known.layouts:
            try:
                find_layout(layout, source)
            except ArgumentError as error:
                first = first or error
                continue
            return layout, source
        assert first is not None
        raise ArgumentError(
            f"{first}. Get {self.name} from {self.known.url}, and unpack {self.known.unpack}"
        )


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Wait until no other process is in here: of eight ranks that start at once, one packs."""
    try:
        import fcntl
    except ImportError:  # where there are no such locks, who comes second is told so by pack
        yield
        return
    with open(path, "w") as file:
        with contextlib.suppress(OSError):  # some network file systems have none
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.remove(path)


NMNIST = Named("NMNIST")
DVSGesture = Named("DVSGesture")
NCARS = Named("NCARS")
NCALTECH101 = Named("NCALTECH101")
CIFAR10DVS = Named("CIFAR10DVS")
DSEC = Named("DSEC")
PropheseeDetection = Named("PropheseeDetection")
