"""Open what a dataset is made of: a folder with a manifest, a shard, or several."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

from evstore.datasets.catalogue import Catalogue
from evstore.datasets.indexing import index_shards
from evstore.datasets.manifest import NAME, arrow, read_manifest
from evstore.errors import ArgumentError, CorruptError
from evstore.recording.opening import is_shard


class Source:
    """A dataset's folder, or shards, and the catalogue of their recordings.

    A pickle holds the paths only, and a hash of the recordings: who unpickles it reads the
    manifest again, and refuses another one.
    """

    def __init__(self, folder: str, shards: tuple[str, ...] | None) -> None:
        self.folder = folder
        self.shards = shards
        if shards is None:
            manifest = read_manifest(folder)
        else:
            manifest = index_shards([os.path.abspath(one) for one in shards], folder)
        self.catalogue = Catalogue(manifest)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "shards": self.shards, "check": self._check()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"], state["shards"])  # type: ignore[misc]
        if self._check() != state["check"]:
            raise CorruptError(
                "the dataset is another one than where it was pickled: its manifest has changed",
                path=self.folder,
            )

    def _check(self) -> str:
        """Of what every row stands for, and where it is."""
        table = self.catalogue.manifest.table
        found = hashlib.blake2b(b"".join(table.column("root").to_pylist()), digest_size=16)
        found.update(self.catalogue.column("position").tobytes())
        return found.hexdigest()


def open_source(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Source:
    """What a path, or a list of shards, holds. Raises ArgumentError, FormatError, OSError."""
    arrow("a dataset")
    if not isinstance(path, (str, os.PathLike)):
        paths = tuple(os.fspath(one) for one in path)
        if not paths:
            raise ArgumentError("a dataset of a list of shards needs one or more")
        folder = os.path.commonpath([os.path.dirname(os.path.abspath(one)) for one in paths])
        return Source(folder, paths)
    name = os.fspath(path)
    if not os.path.exists(name):
        raise ArgumentError(f"{name}: no such folder or shard")
    if os.path.isdir(name):
        return Source(name, None)
    if os.path.basename(name) == NAME:
        return Source(os.path.dirname(name) or ".", None)
    if not is_shard(name):
        raise ArgumentError(
            f"{name}: is no shard. `evstore pack` makes a dataset of recordings, evstore.open "
            "reads one"
        )
    return Source(os.path.dirname(os.path.abspath(name)), (name,))
