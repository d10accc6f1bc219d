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
_FIELD = re.compile(rb"^# ?([A-Za-z][A-Za-z0-9 -]{0,40}): *([^\r\n]*)", re.MULTILINE)
_CREATED = re.compile(rb"^# created ([^\r\n]+)", re.MULTILINE)
_MILLISECONDS = re.compile(r"System\.currentTimeMillis\(\) *([0-9]{1,16})")
_PACKAGE = re.compile(r"\w+\.(?=[A-Za-z_])")

_NO_MORE = re.compile(rb"\n(?!#)")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_TEXT = bytes({*range(256)} - {*range(32), 127} | {*b"\t\r\n"})
_END = re.compile(rb"^#[! ]*end(?: of ascii header|-header) *\r?\n", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """A header: its own bytes, what its lines ``# key: value`` say by lower-case key, payload
    bytes that were read behind it, and whether a line says that it ends.
    """

    raw: bytes
    fields: dict[str, list[str]]
    rest: bytes
    ended: bool

    @property
    def version(self) -> str | None:
        """`2.0` of ``#!AER-DAT2.0``; None where there is no such line."""
        return version(self.raw)


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
    "davi346": Sensor(DAVIS, (346, 260)),  # aedat4to2 writes it so
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
    raw = bytes(data[:end])
    fields: dict[str, list[str]] = {}
    for found in _FIELD.finditer(raw):
        key, value = (text.decode("latin-1").strip() for text in found.groups())
        fields.setdefault(key.lower(), []).append(value)
    return Header(raw, fields, bytes(data[end:]), ended)


def _parse(data: bytearray, start: int) -> tuple[int, bool, bool]:
    """Where the lines from ``start`` end, whether more bytes may hold more of them, and whether
    one says that it is the last.

    A line is text: without a line that ends the header, the first record may begin with ``#``.
    """
    if data[start : start + 1] != b"#":
        return start, start == len(data), False
    behind = _NO_MORE.search(data, start)
    end = behind.end() if behind else max(start, data.rfind(b"\n") + 1)
    odd = None if _is_text(data[start:end]) else _NO_TEXT.search(data, start, end)
    end = end if odd is None else max(start, data.rfind(b"\n", 0, odd.start()) + 1)
    last = _END.search(data, start, end) if b"header" in data[start:end].lower() else None
    if last:
        return last.end(), False, True
    cut_line = bytes(data[end:]).removesuffix(b"\r")
    more = end == len(data) or (cut_line[:1] == b"#" and not _NO_TEXT.search(cut_line))
    return end, odd is None and more, False


def _is_text(data: bytearray) -> bool:
    """What `_NO_TEXT` says, four times as fast where there is nothing to find."""
    return not data.translate(None, _TEXT) and data.count(b"\r") == data.count(b"\r\n")


def metadata(header: Header) -> dict[str, Any]:
    """What the header says of the recording."""
    found: dict[str, Any] = {}
    if header.version is not None:
        found["aedat_version"] = header.version
    for key, name in _KEPT.items():
        if key in header.fields:
            found[name] = header.fields[key][0]
    created = _CREATED.search(header.raw)
    if created:
        found.setdefault("created", created[1].decode("latin-1").strip())
    milliseconds = _MILLISECONDS.fullmatch(found.pop("creation_time", ""))
    if milliseconds:
        found["creation_time_ms"] = int(milliseconds[1])
    return found


_KEPT = {
    "aechip": "aechip",
    "hardwareinterface": "hardware_interface",
    "creation date": "created",
    "creation time": "creation_time",
    "start-time": "start_time",
}
