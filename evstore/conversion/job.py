"""What is asked of a conversion, and what it says when it is done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from evstore.codec.presets import DEFAULT_PRESET
from evstore.errors import ArgumentError
from evstore.selection import Selection

if TYPE_CHECKING:
    from evstore.conversion.masking import HotPixelRule
    from evstore.noise import Transform

#: Options that say how a source is to be read.
SAID = (
    *("recording", "input_format", "columns", "time_unit"),
    *("resolution", "sensor", "grow", "drop_outside", "untrusted"),
)


@dataclass(frozen=True)
class Options:
    """How to read, what to keep and how to write; the same for every job of a run."""

    preset: str = DEFAULT_PRESET
    input_format: str | None = None
    output_format: str | None = None
    columns: tuple[str, ...] | None = None
    time_unit: str | None = None
    resolution: tuple[int, int] | None = None
    sensor: str | None = None
    grow: bool = False
    drop_outside: bool = False
    untrusted: bool = False
    overwrite: bool = False
    resume: bool = False
    verify: bool = False
    delete_source: bool = False
    rebase: bool = False
    recording: str | None = None
    selection: Selection = field(default_factory=Selection)
    #: What is done to the events, and the times of the file's own clock that noise comes in.
    transform: Transform | None = None
    noise_span: tuple[int, int] | None = None
    #: Have each recording's hot pixels found, and its mask put in its metadata.
    hot_pixel_rule: HotPixelRule | None = None
    #: The folder whose files are converted, if it is one: noise tells them apart by their place.
    folder: str | None = None
    #: What is said of each recording beside what its source says.
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.delete_source and not self.verify:
            raise ArgumentError("the source is deleted only after --verify: pass both")
        if self.delete_source and not self.selection.is_everything:
            raise ArgumentError("the source is not deleted where only a part of it is converted")
        if self.resume and self.overwrite:
            raise ArgumentError("resume keeps finished targets, overwrite replaces them: pass one")
        if self.delete_source and not self._keeps_events:
            raise ArgumentError("the source is not deleted where its events are changed")
        if self.grow and self.drop_outside:
            raise ArgumentError("--grow and --drop-outside exclude each other")

    @property
    def keeps_all(self) -> bool:
        """Whether every event of the source is wanted, as it is."""
        return self.selection.is_everything and self._keeps_events

    @property
    def _keeps_events(self) -> bool:
        drops = self.hot_pixel_rule is not None and self.hot_pixel_rule.drop
        return self.transform is None and not drops

    def said(self) -> dict[str, Any]:
        """How the source is to be read: arguments of `evstore.open`."""
        return {name: getattr(self, name) for name in SAID}

    def asked(self) -> dict[str, Any]:
        """What makes a conversion give other events, as JSON; what was not asked is left out."""
        chosen = {"selection": asdict(self.selection), **self.said()}
        usual = {"selection": asdict(Selection()), **dict.fromkeys(SAID)}
        del chosen["untrusted"]  # gives the same events
        asked = {k: v for k, v in chosen.items() if v != usual[k] and v is not False}
        if self.hot_pixel_rule is not None:  # what follows of it stands in the mask
            asked["hot_pixels"] = self.hot_pixel_rule.asked()
        elif self.transform is not None:
            from evstore.noise.steps import said

            asked["noise"] = said(self.transform, brief=True)
            asked["noise_span"] = self.noise_span
        derived = () if self.hot_pixel_rule is None else ("hot_pixels", "noise")
        if more := {k: v for k, v in self.metadata.items() if k not in derived}:
            asked["metadata"] = more
        found: dict[str, Any] = json.loads(json.dumps(asked))
        return found


@dataclass(frozen=True)
class Job:
    """One file to convert."""

    source: str
    target: str


@dataclass
class Receipt:
    """What a conversion did. ``dropped`` counts by kind what of the source was not kept."""

    source: str
    target: str
    status: str = "done"  # done, skipped or failed
    format: str | None = None
    events: int = 0
    recordings: int = 1
    triggers: int = 0
    side_streams: dict[str, int] = field(default_factory=dict)  # rows of each, triggers among them
    restored: str | None = None  # "byte for byte" or "event for event", of a source's own format
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    hot_pixels: int | None = None  # found, where masks of them were asked for
    partial: bool = False  # only a selection was converted, or what a transform made of it
    verified: bool = False
    deleted_source: bool = False
    roots: list[str] = field(default_factory=list)  # of a shard's recordings
    digest: dict[str, str] | None = None  # of another format's columns
    error: str | None = None
    error_kind: str | None = None
    kept_part: str | None = None

    @property
    def lossless(self) -> bool:
        """Whether everything of the source is in the target."""
        return self.status == "done" and not self.dropped and not self.partial

    def to_json(self) -> dict[str, Any]:
        """All fields, and ``lossless``."""
        return {**asdict(self), "lossless": self.lossless}
