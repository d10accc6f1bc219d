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
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from evstore.errors import EvstoreError, TruncatedError
from evstore.formats import registry
from evstore.formats.reading import Batch, Reading, ReadOptions
from evstore.formats.sides import Sides, joined, rows_of

COLUMNS = ("t", "x", "y", "p")
DTYPES: dict[str, Any] = {"t": np.int64, "x": np.uint16, "y": np.uint16, "p": np.uint8}
DIGESTS = {"t": "t_i8", "x": "x_u2", "y": "y_u2", "p": "p_u1"}
TRIGGER_COLUMNS = ("t", "id", "p")
COPIES = 2000
DAMAGED_BATCH = 4096  # events of a batch of a damaged copy
MEMORY = 64 << 20  # bytes that a small file may take, beside four times its size
SECONDS = 5.0  # for one small file, on a slow machine


class NotConforming(AssertionError):  # noqa: N818 - it says what is wrong, as an assertion does
    """A format does not do what every format does."""


def _expect(true: bool, what: object) -> None:
    if not true:
        raise NotConforming(str(what))


@dataclass
class Case:
    """A file, the module that reads it, and what its JSON says."""

    path: Path
    module: ModuleType
    input_format: str
    options: dict[str, Any]
    expected: dict[str, Any]

    @property
    def guessable(self) -> bool:
        """Whether the content alone says the format."""
        return not self.options and "input_format" not in self.expected

    def reading(self, content: bytes | None = None, **options: Any) -> Reading:
        """The file (or other bytes in its place) being read."""
        stream = io.BytesIO(self.path.read_bytes() if content is None else content)
        given = ReadOptions(**{**self.options, **options})
        reading: Reading = self.module.read(stream, given, self.input_format)
        return reading


def case(path: Path, module: ModuleType | None = None) -> Case:
    """A vector or bad file; the module is the one that its folder is named after."""
    beside = path.with_suffix(".json")
    expected = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    options = dict(expected.get("options", {}))
    module = module or registry.by_name(path.parent.parent.name)
    named = expected.get("input_format", options.pop("input_format", module.NAME))
    lists = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    return Case(path, module, str(named), lists, expected)


def files(folder: Path, kind: str) -> list[Path]:
    """The files of ``vectors`` or ``bad``, without what is said about them."""
    return [
        path for path in sorted((folder / kind).iterdir()) if path.suffix not in (".json", ".md")
    ]


@dataclass
class Decoded:
    """All batches of a reading, joined, as far as they came."""

    columns: list[Any] = field(default_factory=list)
    triggers: list[Any] = field(default_factory=list)
    side: dict[str, dict[str, Any]] = field(default_factory=dict)


def join(batches: list[Batch]) -> Decoded:
    """All of several batches."""
    edges = [batch.triggers for batch in batches if batch.triggers is not None]
    return Decoded(
        [_joined([batch[k] for batch in batches]) for k in range(4)],
        [_joined([edge[k] for edge in edges]) for k in range(3)],
        join_side(batches),
    )


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.empty(0)


def join_side(batches: list[Batch]) -> Sides:
    """All rows of each side stream, by column."""
    parts = [batch.side or {} for batch in batches]
    for part in parts:
        for stream, columns in part.items():
            rows = {len(column) for column in columns.values()}
            _expect(len(rows) == 1, f"columns of {stream} are not of one length: {rows}")
    return joined(parts)


def consume(batches: Iterator[Batch]) -> tuple[list[Batch], BaseException | None]:
    """The batches up to the end or to an error, and that error."""
    found: list[Batch] = []
    try:
        for batch in batches:
            found.append(batch)
    except Exception as error:
        return found, error
    return found, None


# ---------------------------------------------------------------------------------- checks


def check_module(module: ModuleType) -> None:
    """It has what the registry asks for."""
    lacks = [name for name in registry.ATTRIBUTES if not hasattr(module, name)]
    _expect(not lacks, f"the module lacks {', '.join(lacks)}")
    _expect(bool(module.TITLE), "TITLE is empty")
    good = all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in module.SUFFIXES)
    _expect(good, f"SUFFIXES must be lower case, with a dot: {module.SUFFIXES}")
    _expect(hasattr(module, "writer") is module.WRITES, "WRITES says whether there is a writer")


def check_events(case: Case, decoded: Decoded) -> None:
    """Events, triggers and side streams are those of the JSON."""
    expected = case.expected
    count = decoded.columns[0].size
    _expect(count == expected["events"], f"{count} events, expected {expected['events']}")
    for name, column in zip(COLUMNS, decoded.columns, strict=True):
        if name in expected:
            _expect(column.tolist() == expected[name], f"{name}: {column.tolist()}"[:500])
        else:
            digest = hashlib.sha256(np.ascontiguousarray(column).tobytes()).hexdigest()
            _expect(digest == expected["sha256"][DIGESTS[name]], f"digest of {name}: {digest}")
    for name, column in zip(TRIGGER_COLUMNS, decoded.triggers, strict=True):
        wanted = expected.get("triggers", {}).get(name, [])
        _expect(column.tolist() == wanted, f"triggers, {name}: {column.tolist()}"[:500])
    side = {
        stream: {name: column.tolist() for name, column in columns.items()}
        for stream, columns in decoded.side.items()
    }
    _expect(side == expected.get("side", {}), f"side streams: {side}"[:500])


def check_vector(case: Case, batch_events: int) -> None:
    """It decodes to what its JSON says, in batches of at most so many events."""
    reading = case.reading(batch_events=batch_events)
    batches = list(reading.batches)
    for batch in batches:
        _expect(batch.t.size <= batch_events, f"a batch of {batch.t.size} events")
        columns: tuple[Any, ...] = batch[:4]
        for (name, dtype), column in zip(DTYPES.items(), columns, strict=True):
            good = column.dtype == dtype and column.flags.c_contiguous and column.flags.writeable
            _expect(good, f"{name} must be a contiguous, writeable {dtype.__name__} array")
    decoded = join(batches)
    check_events(case, decoded)
    rows = {"events": len(decoded.columns[0]), "triggers": len(decoded.triggers[0])}
    rows |= {stream: rows_of(table) for stream, table in decoded.side.items()}
    for stream, count in reading.stated.items():
        lossy = stream != "events" and bool(reading.dropped)  # some of its rows may be among them
        good = count is None or lossy or count == rows.get(stream, 0)
        _expect(good, f"stated {count} {stream}, there are {rows.get(stream, 0)}")
    alone = case.reading(batch_events=batch_events)
    alone.events_only = True
    others = join(list(alone.batches)).columns
    for name, column, other in zip(COLUMNS, decoded.columns, others, strict=True):
        _expect(np.array_equal(column, other), f"{name} differs where events alone are wanted")
    wanted = case.expected["resolution"]
    size = None if wanted is None else tuple(wanted)
    _expect(reading.resolution == size, f"resolution {reading.resolution}, expected {size}")
    dropped = case.expected.get("dropped", {})
    _expect(reading.dropped == dropped, f"dropped {reading.dropped}, expected {dropped}")
    _expect(reading.format == case.module.NAME, f"format {reading.format!r}")
    label = case.expected.get("label")
    _expect(reading.label == label, f"label {reading.label!r}, expected {label!r}")
    json.dumps(reading.metadata)


def check_recognised(case: Case) -> None:
    """Its content says the format, unless the JSON says that it does not."""
    content = case.path.read_bytes()
    found = registry.detect(content[:65_536], len(content), case.path.suffix)
    _expect(found is case.module, f"recognised as {found.NAME}")


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
        _expect(good, f"cut after {length} bytes: {error!r}")
        if not records:
            continue
        given = join(batches).columns
        count = given[0].size
        for column, other in zip(given, whole, strict=True):
            _expect(np.array_equal(column, other[:count]), f"cut after {length} bytes: others")
        if isinstance(error, TruncatedError):
            said = error.safe_events
            _expect(said == count, f"cut after {length} bytes: {said} safe events, gave {count}")


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A copy with a few bits flipped, bytes replaced, removed, doubled or inserted."""
    octets = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if not octets:
            break
        at = chance.randrange(len(octets))
        kind = chance.randrange(6)
        if kind == 0:
            octets[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            octets[at] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
        elif kind == 2:
            del octets[at : at + chance.choice((1, 2, 7, 64))]
        elif kind == 3:
            octets[at:at] = octets[at : at + chance.choice((1, 4, 33))]
        elif kind == 4:
            octets[at : at + 8] = chance.randbytes(8)
        else:
            octets[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(octets)


@dataclass
class Judged:
    """What reading a damaged copy came to."""

    reading: Reading | None
    batches: list[Batch]
    error: BaseException | None


def judge(case: Case, content: bytes, seconds: float = SECONDS) -> Judged:
    """Read a damaged copy: events or an EvstoreError, no hang, no memory without bound.

    Raises NotConforming, whose cause is the error where there is one. Memory is watched while
    tracemalloc is on.
    """
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    began = time.process_time()  # not the clock's: other processes would be held against it
    judged = _read(case, content)
    took = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1] - before
    error = judged.error
    if error is not None and not isinstance(error, EvstoreError):
        raise NotConforming(repr(error)) from error
    _expect(took < seconds, f"takes too long: {took:.1f} s")
    _expect(peak <= MEMORY + 4 * len(content), f"{peak:,} bytes of memory")
    for batch in judged.batches:
        _check_batch(batch)
    return judged


def _read(case: Case, content: bytes) -> Judged:
    try:
        reading = case.reading(content, batch_events=DAMAGED_BATCH)
    except Exception as error:
        return Judged(None, [], error)
    return Judged(reading, *consume(reading.batches))


def _check_batch(batch: Batch) -> None:
    """Whatever the bytes were, what is given are events."""
    rows = {len(column) for column in batch[:4]}
    _expect(len(rows) == 1 and max(rows) <= DAMAGED_BATCH, f"a batch with columns of {rows} rows")
    _expect(not batch.p.size or batch.p.max() <= 1, "a polarity that is neither 0 nor 1")
    if batch.triggers is not None:
        rows = {len(column) for column in batch.triggers}
        _expect(len(rows) == 1, f"columns of triggers are not of one length: {rows}")
    join_side([batch])


def check_damaged(case: Case, seed: int, copies: int = COPIES) -> None:
    """Damaged copies give events or an EvstoreError: no hang, no memory without bound."""
    content = case.path.read_bytes()
    list(case.reading().batches)  # compiled before memory and time are watched
    name = f"{case.module.NAME}/{case.path.name}"
    chance = random.Random(seed ^ zlib.crc32(name.encode()))
    tracemalloc.start()
    try:
        for copy in range(copies):
            try:
                judge(case, mutated(content, chance))
            except NotConforming as wrong:
                raise NotConforming(f"seed {seed}, copy {copy} of {name}: {wrong}") from wrong
    finally:
        tracemalloc.stop()


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
        _expect(type(error).__name__ == kind, f"{type(error).__name__}, expected {kind}")
        _expect(words in str(error), f"message {error}, expected {words!r} in it")
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
