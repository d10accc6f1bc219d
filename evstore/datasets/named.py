"""Datasets by name, called as tonic's are: ``DVSGesture(save_to, train=True, transform=...)``.

Nothing is downloaded: where the files are not there, the error says where to get them and where
to put them. They are packed when they are first asked for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Any

import numpy as np

from evstore.datasets.dataset import Dataset
from evstore.datasets.known import KNOWN, Known
from evstore.datasets.manifest import NAME, Manifest, read_manifest
from evstore.datasets.packing.item import Found
from evstore.datasets.windows import Windows
from evstore.errors import ArgumentError

#: Layouts whose samples are the labelled times of a recording: gestures in IBM's own files.
CUT_BY_LABELS = ("dvsgesture-ibm",)


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
        ``save_to/NAME`` and are packed by ``jobs`` processes into ``save_to/NAME-evs``: by the
        first of several processes that ask for it at once, while the others wait. ``options`` are
        those of `Dataset`: frames, windows, geometry ... Raises ArgumentError where the files are
        not there.
        """
        if not isinstance(train, bool):  # tonic's classes without splits have transform there
            raise ArgumentError(
                f"train is True or False, got {train!r}: name what comes after save_to, "
                "as in transform=... or split=..."
            )
        folder = self._packed(os.path.expanduser(os.fspath(save_to)), jobs)
        manifest = read_manifest(folder)
        if not self.known.splits:
            split = None
        else:
            split = split or ("train" if train else "test")
            self._check_split(split, manifest, folder)
        said: dict[str, Any] = {"dtype": self.dtype, **options}
        if manifest.about.get("layout") in CUT_BY_LABELS:
            said.setdefault("windows", Windows(labels=True))
        if self.known.targets == "name" and target_transform is None:
            target_transform = (manifest.classes or []).__getitem__
        return Dataset(
            folder, split, transform=transform, target_transform=target_transform,
            transforms=transforms, **said,
        )  # fmt: skip

    def _check_split(self, split: str, manifest: Manifest, folder: str) -> None:
        """A split may not have been there yet when the dataset was packed."""
        there = [one for one in manifest.table.column("split").unique().to_pylist() if one]
        if split in self.known.splits and split not in there:
            raise ArgumentError(
                f"{folder}: was packed when {self.name} had no split {split!r}, only "
                f"{', '.join(map(repr, there)) or 'none'}. {self._get}; then remove "
                f"{folder}, and it is packed anew"
            )

    @property
    def _get(self) -> str:
        return f"Get {self.name} from {self.known.url}, and unpack {self.known.unpack}"

    def _packed(self, save_to: str, jobs: int) -> str:
        """The folder of the packed dataset, which is made if it is not there."""
        from evstore.datasets.packing.pack import pack

        source, target = os.path.join(save_to, self.name), os.path.join(save_to, f"{self.name}-evs")
        if os.path.exists(os.path.join(target, NAME)):
            return target
        if not os.path.isdir(source):
            raise ArgumentError(
                f"{source}: no such folder, and evstore downloads nothing. {self._get}, so that "
                f"it is {source}"
            )
        layout, found = self._found(source)
        with _alone(f"{target}.lock"):
            if not os.path.exists(os.path.join(target, NAME)):  # else another process made it
                report = pack(found, target, layout=layout, jobs=jobs)
                if report.manifest is None:
                    path, why = report.failed[0]
                    raise ArgumentError(f"{self.name} cannot be packed: {path}: {why}")
        return target

    def _found(self, source: str) -> tuple[str, Found]:
        """The layout that the files have, and what is there. Raises what the first one says."""
        from evstore.datasets.packing.layouts import find_layout

        first: ArgumentError | None = None
        for layout in self.known.layouts:
            try:
                return layout, find_layout(layout, source)
            except ArgumentError as error:
                first = first or error
        assert first is not None
        raise ArgumentError(f"{first}. {self._get}")


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Wait until no other process is in here: of eight ranks that start at once, one packs."""
    if find_spec("fcntl") is None:  # no such locks: who comes second is told so by pack
        yield
        return
    file = _locked(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.remove(path)
        file.close()


def _locked(path: str) -> IO[str]:
    """A lock's file, once this process alone has it; closing it lets go of it."""
    import fcntl

    while True:
        file = open(path, "w")  # noqa: SIM115 - whoever asked for the lock closes it
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()  # who had it before has removed it: another process may hold a new one


NMNIST = Named("NMNIST")
DVSGesture = Named("DVSGesture")
NCARS = Named("NCARS")
NCALTECH101 = Named("NCALTECH101")
CIFAR10DVS = Named("CIFAR10DVS")
DSEC = Named("DSEC")
PropheseeDetection = Named("PropheseeDetection")
