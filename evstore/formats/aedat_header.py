"""The ``#`` text header of AEDAT 1.0 to 3.1 files, and the sensors that it names.

https://docs.inivation.com/software/software-advanced-usage/file-formats/index.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.records import BUFFER_BYTES, fill, read_head

#: jAER writes all its preferences into the header: 175 kB have been seen.
HEADER_LIMIT = 4_194_304
LINES_LIMIT = 65_536

#: Versions that some module of evstore reads; the others are refused by name.
VERSIONS = ("1.0", "2.0", "3.1", "4.0")

DVS128, DAVIS = "DVS128", "DAVIS"

_VERSION = re.compile(rb"#!AER-DAT([0-9]{1,3}\.[0-9]{1,3})\r?\n")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PACKAGE = re.compile(r"\w+\.(?=[A-Za-z_])")
_END = re.compile(rb"#[! ]*end(?: of ascii header|-header) *", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """A header: its own bytes, its lines without ``#``, and payload bytes read behind it."""

    raw: bytes
    lines: tuple[str, ...]
    rest: bytes
    ended: bool  # by a line that says so

    @property
    def version(self) -> str | None:
        """`2.0` of ``#!AER-DAT2.0``; None where there is no such line."""
        return version(self.raw)

    def values(self, key: str) -> list[str]:
        """What the lines ``# key: value`` say, in order; keys are taken as case-insensitive."""
        pairs = (line.partition(":") for line in self.lines)
        return [value.strip() for name, _, value in pairs if name.strip().lower() == key]


class Sensor(NamedTuple):
    """A sensor: how its addresses are laid out (`DVS128` or `DAVIS`), and its size if known."""

    layout: str
    size: tuple[int, int] | None


#: Sensors by a part of their name; the longer names come first.
_SENSORS = {
    "davis128": Sensor(DAVIS, (128, 128)),
    "davis208": Sensor(DAVIS, (208, 192)),
    "davis240": Sensor(DAVIS, (240, 180)),
    "davis346": Sensor(DAVIS, (346, 260)),
    "davis640": Sensor(DAVIS, (640, 480)),
    "davisrgbw640": Sensor(DAVIS, (640, 480)),
    "sbret10": Sensor(DAVIS, (240, 180)),
    "secdvs": Sensor(DAVIS, None),
    "davis": Sensor(DAVIS, None),
    "dvs128": Sensor(DVS128, (128, 128)),
    "tmpdiff128": Sensor(DVS128, (128, 128)),
}


def sensor(name: str) -> Sensor | None:
    """The sensor that a chip, an interface or a user names; None where it is unknown.

    >>> sensor("eu.seebetter.ini.chips.davis.Davis346red").size
    (346, 260)
    """
    short = short_name(name).lower()
    # A pair of sensors says in bit 15 which of the two it was.
    if "stereo" in short:
        return None
    return next((found for part, found in _SENSORS.items() if part in short), None)


def short_name(name: str) -> str:
    """A chip's name without the Java package of its class.

    >>> short_name("eu.seebetter.ini.chips.davis.DAVIS240C")
    'DAVIS240C'
    """
    return _PACKAGE.sub("", name)


def version(head: bytes) -> str | None:
    """The version that the first line names; None where there is no such line.

    >>> version(b"#!AER-DAT3.1\\r\\n")
    '3.1'
    """
    found = _VERSION.match(head)
    return None if found is None else found[1].decode("ascii")


def refusal(head: bytes) -> UnsupportedError | None:
    """Why an AEDAT file is not read: its version; None where it is none, or a known one."""
    found = version(head)
    if found is None or found in VERSIONS:
        return None
    return UnsupportedError(f"an AEDAT {found} file", expected=" or ".join(VERSIONS))


def read(stream: BinaryIO) -> Header:
    """The header, which may be missing altogether; the stream stands behind ``rest``.

    Raises FormatError for an empty file, TruncatedError where it ends inside the header and
    CorruptError where the header does not end within 4 MiB and 65,536 lines.
    """
    data = bytearray(read_head(stream))
    if not data:
        raise FormatError("the file is empty: there are no bytes to read")
    end, more, ended = _parse(data, 0)
    while more:
        size = len(data)
        if size >= HEADER_LIMIT or data.count(b"\n") > LINES_LIMIT:
            raise CorruptError(
                "the header is too long",
                expected=f"at most {HEADER_LIMIT} bytes and {LINES_LIMIT} lines",
            )
        data.extend(bytes(BUFFER_BYTES))
        got = fill(stream, memoryview(data)[size:])
        del data[size + got :]
        if got == 0 and data[end : end + 1] == b"#":
            raise TruncatedError("the file ends inside its header", safe_events=0, offset=end)
        if got == 0:
            break
        end, more, ended = _parse(data, end)
    lines = data[:end].decode("latin-1").split("\n")[:-1]
    return Header(
        bytes(data[:end]), tuple(line[1:].rstrip("\r") for line in lines), bytes(data[end:]), ended
    )


def _parse(data: bytearray, start: int) -> tuple[int, bool, bool]:
    """Where the lines from ``start`` end, whether more bytes may hold more of them, and whether
    one says that it is the last.

    A line is text: without a line that ends the header, the first record may begin with ``#``.
    """
    position = start
    while data[position : position + 1] == b"#":
        stop = data.find(b"\n", position)
        line = data[position : stop if stop >= 0 else len(data)].removesuffix(b"\r")
        if _NO_TEXT.search(line):
            return position, False, False
        if stop < 0:
            return position, True, False
        position = stop + 1
        if _END.fullmatch(line):
            return position, False, True
    return position, position == len(data), False


def metadata(header: Header) -> dict[str, Any]:
    """What the header says of the recording."""
    found: dict[str, Any] = {}
    if header.version is not None:
        found["aedat_version"] = header.version
    for key, name in _KEPT.items():
        if values := header.values(key):
            found[name] = values[0]
    for line in header.lines:
        if line.startswith(" created "):
            found.setdefault("created", line[9:].strip())
    milliseconds = _MILLISECONDS.fullmatch(found.pop("creation_time", ""))
    if milliseconds:
        found["creation_time_ms"] = int(milliseconds[1])
    return found


_MILLISECONDS = re.compile(r"System\.currentTimeMillis\(\) *([0-9]{1,16})")
_KEPT = {
    "aechip": "aechip",
    "hardwareinterface": "hardware_interface",
    "creation date": "created",
    "creation time": "creation_time",
    "start-time": "start_time",
}
