"""What every format is held to: ours in our tests, another package's with

    python -m evstore.formats.conformance MODULE FOLDER

MODULE is the format's module; FOLDER holds ``vectors/`` and ``bad/`` (formats/README.md says how
they look). Each check raises NotConforming, which says what is wrong.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from evstore.errors import EvstoreError, TruncatedError
from evstore.formats import registry
from evstore.formats.conformance_case import (
    Case,
    Decoded,
    NotConforming,
    case,
    consume,
    expect,
    files,
    join,
)
from evstore.formats.conformance_damage import COPIES, check_damaged
from evstore.formats.reading import ReadOptions
from evstore.formats.sides import rows_of

COLUMNS = ("t", "x", "y", "p")
DTYPES: dict[str, Any] = {"t": np.int64, "x": np.uint16, "y": np.uint16, "p": np.uint8}
DIGESTS = {"t": "t_i8", "x": "x_u2", "y": "y_u2", "p": "p_u1"}
TRIGGER_COLUMNS = ("t", "id", "p")


def check_module(module: ModuleType) -> None:
    """It has what the registry asks for."""
    lacks = [name for name in registry.ATTRIBUTES if not hasattr(module, name)]
    expect(not lacks, f"the module lacks {', '.join(lacks)}")
    expect(bool(module.TITLE), "TITLE is empty")
    good = all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in module.SUFFIXES)
    expect(good, f"SUFFIXES must be lower case, with a dot: {module.SUFFIXES}")
    expect(hasattr(module, "writer") is module.WRITES, "WRITES says whether there is a writer")


def check_events(case: Case, decoded: Decoded) -> None:
    """Events, triggers and side streams are those of the JSON."""
    expected = case.expected
    count = decoded.columns[0].size
    expect(count == expected["events"], f"{count} events, expected {expected['events']}")
    for name, column in zip(COLUMNS, decoded.columns, strict=True):
        if name in expected:
            expect(column.tolist() == expected[name], f"{name}: {column.tolist()}"[:500])
        else:
            digest = hashlib.sha256(np.ascontiguousarray(column).tobytes()).hexdigest()
            expect(digest == expected["sha256"][DIGESTS[name]], f"digest of {name}: {digest}")
    for name, column in zip(TRIGGER_COLUMNS, decoded.triggers, strict=True):
        wanted = expected.get("triggers", {}).get(name, [])
        expect(column.tolist() == wanted, f"triggers, {name}: {column.tolist()}"[:500])
    side = {
        stream: {name: column.tolist() for name, column in columns.items()}
        for stream, columns in decoded.side.items()
    }
    expect(side == expected.get("side", {}), f"side streams: {side}"[:500])


def check_vector(case: Case, batch_events: int) -> None:
    """It decodes to what its JSON says, in batches of at most so many events."""
    reading = case.reading(batch_events=batch_events)
    batches = list(reading.batches)
    for batch in batches:
        expect(batch.t.size <= batch_events, f"a batch of {batch.t.size} events")
        columns: tuple[Any, ...] = batch[:4]
        for (name, dtype), column in zip(DTYPES.items(), columns, strict=True):
            good = column.dtype == dtype and column.flags.c_contiguous and column.flags.writeable
            expect(good, f"{name} must be a contiguous, writeable {dtype.__name__} array")
    decoded = join(batches)
    check_events(case, decoded)
    rows = {"events": len(decoded.columns[0]), "triggers": len(decoded.triggers[0])}
    rows |= {stream: rows_of(table) for stream, table in decoded.side.items()}
    for stream, count in reading.stated.items():
        lossy = stream != "events" and bool(reading.dropped)  # some of its rows may be among them
        good = count is None or lossy or count == rows.get(stream, 0)
        expect(good, f"stated {count} {stream}, there are {rows.get(stream, 0)}")
    alone = case.reading(batch_events=batch_events)
    alone.events_only = True
    others = join(list(alone.batches)).columns
    for name, column, other in zip(COLUMNS, decoded.columns, others, strict=True):
        expect(np.array_equal(column, other), f"{name} differs where events alone are wanted")
    wanted = case.expected["resolution"]
    size = None if wanted is None else tuple(wanted)
    expect(reading.resolution == size, f"resolution {reading.resolution}, expected {size}")
    dropped = case.expected.get("dropped", {})
    expect(reading.dropped == dropped, f"dropped {reading.dropped}, expected {dropped}")
    expect(reading.format == case.module.NAME, f"format {reading.format!r}")
    label = case.expected.get("label")
    expect(reading.label == label, f"label {reading.label!r}, expected {label!r}")
    json.dumps(reading.metadata)


def check_recognised(case: Case) -> None:
    """Its content says the format, unless the JSON says that it does not."""
    content = case.path.read_bytes()
    found = registry.detect(content[:65_536], len(content), case.path.suffix)
    expect(found is case.module, f"recognised as {found.NAME}")


class Trickle(io.RawIOBase):
    """A pipe: no seeking, and a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """A few bytes."""
        piece = self._content[self._at : self._at + min(len(buffer), 1 + self._at % 97)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def check_pipe(case: Case) -> None:
    """It decodes from a pipe."""
    stream: Any = Trickle(case.path.read_bytes())
    reading = case.module.read(stream, ReadOptions(**case.options), case.input_format)
    check_events(case, join(list(reading.batches)))


def check_prefixes(case: Case, lengths: Iterable[int] | None = None, records: bool = False) -> None:
    """A cut file gives events or an EvstoreError; ``records``: the first events of the whole."""
    content = case.path.read_bytes()
    whole = join(list(case.reading(content).batches)).columns if records else []
    for length in range(len(content)) if lengths is None else lengths:
        try:
            reading = case.reading(content[:length], batch_events=1000)
        except EvstoreError:
            continue
        batches, error = consume(reading.batches)
        good = error is None or isinstance(error, EvstoreError)
        expect(good, f"cut after {length} bytes: {error!r}")
        if not records:
            continue
        given = join(batches).columns
        count = given[0].size
        for column, other in zip(given, whole, strict=True):
            expect(np.array_equal(column, other[:count]), f"cut after {length} bytes: others")
        if isinstance(error, TruncatedError):
            said = error.safe_events
            expect(said == count, f"cut after {length} bytes: {said} safe events, gave {count}")


def rows_of_bad(folder: Path) -> dict[str, tuple[str, str]]:
    """(error class, words of its message) of each bad file, from the folder's table."""
    text = (folder / "bad" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", text, re.M)
    cells = [[cell.strip().strip("`") for cell in row] for row in rows]
    return {row[0]: (row[1], row[2]) for row in cells if "." in row[0]}


def check_bad(case: Case) -> None:
    """A bad file raises what its table says."""
    kind, words = rows_of_bad(case.path.parent.parent)[case.path.name]
    try:
        list(case.reading().batches)
    except EvstoreError as error:
        expect(type(error).__name__ == kind, f"{type(error).__name__}, expected {kind}")
        expect(words in str(error), f"message {error}, expected {words!r} in it")
    else:
        raise NotConforming(f"read without an error, expected {kind}")


def checks(module: ModuleType, folder: Path, seed: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """(name, check) of all that a format is held to."""
    yield "module", partial(check_module, module)
    for path in files(folder, "vectors"):
        vector = case(path, module)
        for events in (1, 7, 65_536):
            yield f"{path.name} by {events}", partial(check_vector, vector, events)
        if vector.guessable:
            yield f"{path.name} recognised", partial(check_recognised, vector)
        if not module.SEEKS:
            yield f"{path.name} from a pipe", partial(check_pipe, vector)
        yield f"{path.name} cut", partial(check_prefixes, vector)
        if not getattr(module, "C_PARSED", False):
            yield f"{path.name} damaged", partial(check_damaged, vector, seed, COPIES)
    for path in files(folder, "bad"):
        yield path.name, partial(check_bad, case(path, module))


def main(arguments: list[str]) -> int:
    """Run all checks of a format; prints what is wrong."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    module, folder = import_module(arguments[0]), Path(arguments[1])
    seed, done, wrong = random.randrange(1 << 32), 0, 0
    for name, check in checks(module, folder, seed):
        try:
            check()
            done += 1
        except (NotConforming, EvstoreError) as error:
            wrong += 1
            print(f"{module.NAME}: {name}: {error}")
    print(f"{module.NAME}: {done} checks passed, {wrong} failed (seed {seed})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
