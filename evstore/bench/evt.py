"""Prophesee's EVT2, EVT3 and DAT, by each package that reads or writes them."""

# What each method does, Contender says.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evstore.bench.contender import (
    Contender,
    OfRecords,
    check_fits,
    resolution_of,
    variant,
)
from evstore.bench.event_packages import EventCV, Faery
from evstore.events import Events

FAMILY = "EVT and DAT"
#: expelliarmus works on aligned records of these fields.
WIZARD_DTYPE = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")], align=True)
T_BITS = {"evt2": 34, "dat": 32}
XY_BITS = {"evt2": 11, "dat": 14}


class Expelliarmus(OfRecords):
    """By expelliarmus."""

    family = FAMILY
    packages = ("expelliarmus",)
    encoding: ClassVar[str]

    def take(self, events: Events) -> NDArray[Any]:
        check_fits(events, self.encoding.upper(), T_BITS[self.encoding], XY_BITS[self.encoding])
        return events.to_structured(WIZARD_DTYPE)

    def write(self, taken: NDArray[Any]) -> None:
        self._wizard().save(fpath=self._file(), arr=taken)

    def read(self) -> Any:
        return self._wizard().read(self._file())

    def _file(self) -> str:
        return self.path + (".dat" if self.encoding == "dat" else ".raw")

    def _wizard(self) -> Any:
        from expelliarmus import Wizard

        return Wizard(encoding=self.encoding)


class Evt3OfEvstore(Contender):
    """EVT3 written and read by evstore."""

    name, family = "EVT3, evstore", FAMILY

    def write(self, taken: Events) -> None:
        from evstore.formats import evt3

        with open(self.path + ".raw", "wb") as stream:
            writer = evt3.writer(stream, resolution_of(taken), {})
            writer.write(taken.t, taken.x, taken.y, taken.p)
            writer.close()

    def read(self) -> Any:
        from evstore.formats import evt3
        from evstore.formats.reading import ReadOptions

        with open(self.path + ".raw", "rb", buffering=0) as stream:
            batches = list(evt3.read(stream, ReadOptions()).batches)
        return Events.concatenate(Events.of(*batch[:4]) for batch in batches)


class ExpelliarmusEvt3(Expelliarmus):
    """expelliarmus reads what evstore writes: its own files have times that only it reads."""

    name, encoding = "EVT3, expelliarmus", "evt3"
    note = "written by evstore: what expelliarmus writes is wrong to every other reader"
    writes = False

    def take(self, events: Events) -> Any:
        return events

    def write(self, taken: Any) -> None:
        Evt3OfEvstore(self.folder).write(taken)


class Evt3Package(Evt3OfEvstore):
    """The evt3 package reads what evstore writes."""

    name = "EVT3, evt3"
    packages = ("evt3",)
    note = "written by evstore: evt3 only reads"
    writes = False

    def read(self) -> Any:
        import evt3

        return evt3.decode_file(self.path + ".raw")

    def events_of(self, found: Any) -> Events:
        return Events(found.timestamp, found.x, found.y, found.polarity)


class Evt3OfEventCV(EventCV):
    """eventcv reads what evstore writes."""

    name, family = "EVT3, eventcv", FAMILY
    suffix = ".raw"
    note = "written by evstore: eventcv writes EVT2 only"
    writes = False

    def take(self, events: Events) -> Any:
        return events

    def write(self, taken: Events) -> None:
        Evt3OfEvstore(self.folder).write(taken)


class FaeryEvt(Faery):
    """By faery; the first time is in the header."""

    family = FAMILY
    suffix = ".raw"


class EventCVEvt2(EventCV):
    """By eventcv."""

    name, family, suffix = "EVT2, eventcv", FAMILY, ".raw"
    what = "evt2"

    def take(self, events: Events) -> Any:
        check_fits(events, self.what.upper(), T_BITS[self.what], XY_BITS[self.what])
        return super().take(events)


CONTENDERS: tuple[type[Contender], ...] = (
    variant(Expelliarmus, "EVT2, expelliarmus", encoding="evt2"),
    variant(FaeryEvt, "EVT2, faery", settings={"version": "evt2"}),
    EventCVEvt2,
    ExpelliarmusEvt3,
    variant(FaeryEvt, "EVT3, faery", settings={"version": "evt3"}),
    Evt3Package,
    Evt3OfEventCV,
    Evt3OfEvstore,
    variant(Expelliarmus, "DAT, expelliarmus", encoding="dat"),
    variant(FaeryEvt, "DAT, faery", suffix=".dat"),
    variant(EventCVEvt2, "DAT, eventcv", suffix=".dat", what="dat", has_windows=False),
)
