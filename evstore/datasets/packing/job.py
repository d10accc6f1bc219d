"""What is asked of packing, and what it says when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from evstore.codec.presets import DEFAULT_PRESET
from evstore.conversion.job import Options
from evstore.datasets.packing.item import Item
from evstore.errors import ArgumentError
from evstore.selection import Selection

#: Bytes of a shard, about: few files, and still one that can be fetched or checked in seconds.
SHARD_BYTES = 256 << 20


@dataclass(frozen=True)
class PackOptions:
    """How recordings are read and written; the same for every shard.

    ``grow`` and ``drop_outside``: of coordinates outside a stated resolution, as in `convert`.
    ``on_error``: "stop" ends at the first recording that fails, "skip" leaves it out.
    """

    preset: str = DEFAULT_PRESET
    grow: bool = False
    drop_outside: bool = False
    untrusted: bool = False
    verify: bool = False
    on_error: str = "stop"

    def __post_init__(self) -> None:
        if self.on_error not in ("stop", "skip"):
            raise ArgumentError(f"on_error is 'stop' or 'skip', got {self.on_error!r}")
        if self.grow and self.drop_outside:
            raise ArgumentError("--grow and --drop-outside exclude each other")


def how_to_read(item: Item, options: PackOptions) -> Options:
    """What `convert` would be told of an item's source."""
    return Options(
        grow=options.grow,
        drop_outside=options.drop_outside,
        untrusted=options.untrusted,
        selection=Selection(item.start, item.stop),
        **item.reading,
    )


@dataclass(frozen=True)
class PackJob:
    """One shard: the items that it gets, in order, and what is said of the dataset in it.

    ``source_bytes``: the size of each item's file, shared among the items that are of one file.
    """

    target: str
    items: tuple[Item, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    first_class: int = 0
    source_bytes: tuple[float, ...] = ()


@dataclass
class PackReceipt:
    """What became of one shard. ``failed``: (source, what is wrong) of recordings left out.

    ``bytes_in`` is of the sources that are in it: its share, of one that is in several shards.
    """

    target: str
    status: str = "done"  # done, skipped (it was there) or failed
    recordings: int = 0
    events: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    verified: bool = False
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


@dataclass
class PackReport:
    """What packing did. ``orphans``: (path, why) of files that no recording was made of."""

    folder: str
    receipts: list[PackReceipt] = field(default_factory=list)
    orphans: list[tuple[str, str]] = field(default_factory=list)
    manifest: str | None = None  # None where packing stopped before it

    @property
    def failed(self) -> list[tuple[str, str]]:
        """(source, what is wrong) of every recording left out, and of shards that failed."""
        found = [pair for receipt in self.receipts for pair in receipt.failed]
        return found + [(r.target, r.error) for r in self.receipts if r.error is not None]

    @property
    def dropped(self) -> dict[str, int]:
        """What of the sources is not kept, counted by kind."""
        found: dict[str, int] = {}
        for receipt in self.receipts:
            for what, count in receipt.dropped.items():
                found[what] = found.get(what, 0) + count
        return found

    def total(self, name: str) -> int:
        """The sum over all shards of ``recordings``, ``events``, ``bytes_in`` or ``bytes_out``."""
        return sum(getattr(receipt, name) for receipt in self.receipts)

    def to_json(self) -> dict[str, Any]:
        """All of it, and the sums."""
        sums = {name: self.total(name) for name in ("recordings", "events", "bytes_in")}
        return {
            **asdict(self), **sums, "bytes_out": self.total("bytes_out"),
            "dropped": self.dropped, "failed": self.failed,
        }  # fmt: skip
