"""The ``%`` text header of Prophesee RAW and DAT files.

Lines are ``%``, space, key, space, value, LF; keys are taken as case-insensitive; the last line
may be ``% end``. https://docs.prophesee.ai/stable/data/file_formats/raw.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats.records import HEAD_BYTES

#: Longest line that is taken for header text; beyond it the bytes are payload.
MAX_LINE = 4096

#: What the keys `evt` and `format` call each encoding of a RAW file.
ENCODING_OF_VERSION = {"2.0": "EVT2", "2.1": "EVT21", "3.0": "EVT3", "4.0": "EVT4"}
READABLE_ENCODINGS = ("EVT2", "EVT21", "EVT3")

VGA, HD, SMALL = (640, 480), (1280, 720), (320, 320)

#: Sensors by a part of `plugin_name`; the longer names come first.
RESOLUTION_OF_PLUGIN = {
    "genx320": SMALL,
    "imx636": HD,
    "imx646": HD,
    "gen31": VGA,
    "gen41": HD,
    "gen3": VGA,
    "gen4": HD,
}

#: Sensors by `system_ID` (bit 7 only says how the board is attached), as named in
#: prophesee-ai/openeb, system_id.h.
RESOLUTION_OF_SYSTEM = {
    **dict.fromkeys((0x15, 0x17, 0x19, 0x1D, 0x21), VGA),  # Gen3
    **dict.fromkeys((0x1C, 0x22, 0x23, 0x28, 0x29), VGA),  # Gen3.1
    **dict.fromkeys((0x1A, 0x1E, 0x1F, 0x20, 0x2E), HD),  # Gen4
    **dict.fromkeys((0x27, 0x30), HD),  # Gen4.1
    **dict.fromkeys((0x31, 0x32, 0x35, 0x3A), HD),  # IMX636, IMX646
    0x40: SMALL,  # GenX320
}
SYSTEM_ATTACHMENT_BIT = 0x80

_TEXT = frozenset(range(0x20, 0x7F)) | {0x09}


@dataclass(frozen=True)
class Header:
    """A parsed header: its own bytes, its fields by lower-case key, and whether it is whole."""

    raw: bytes
    fields: dict[str, str] = field(default_factory=dict)
    whole: bool = True


def parse(head: bytes) -> Header | None:
    """The header at the start of ``head``, None where there is none.

    A line counts only if all its bytes are printable ASCII: in files without ``% end`` the
    payload may begin with the bytes of ``% `` (0x2025 is an EVT3 word).

    >>> parse(b"% evt 3.0\\n% geometry 34x34\\n% end\\n").fields["geometry"]
    '34x34'
    """
    position = 0
    fields: dict[str, str] = {}
    while head[position : position + 2] == b"% ":
        stop = head.find(b"\n", position, position + MAX_LINE)
        line = head[position : stop if stop >= 0 else position + MAX_LINE].removesuffix(b"\r")
        if not _TEXT.issuperset(line):
            break
        if stop < 0:
            if len(head) - position >= MAX_LINE:
                break
            return Header(head[:position], fields, whole=False)
        position = stop + 1
        key, _, value = line[2:].decode("ascii").strip().partition(" ")
        if key.lower() == "end":
            break
        if key:
            fields[key.lower()] = value.strip()
    return Header(head[:position], fields) if position or head[:2] == b"% " else None


def read(head: bytes) -> Header:
    """The header, or the error that says why there is none to read.

    Raises FormatError where the file has no header, TruncatedError where it ends inside one and
    CorruptError where the header does not end within 64 KiB.
    """
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    header = parse(head)
    if header is None or not (header.fields or not header.whole):
        raise FormatError(
            "no Prophesee header", offset=0, expected="lines that begin with '% '", got=head[:16]
        )
    if len(header.raw) >= HEAD_BYTES or (not header.whole and len(head) >= HEAD_BYTES):
        raise CorruptError("the header is too long", expected=f"less than {HEAD_BYTES} bytes")
    if not header.whole:
        raise TruncatedError(
            "the file ends inside its header", safe_events=0, offset=len(header.raw)
        )
    return header


def encoding(header: Header) -> str | None:
    """`EVT2`, `EVT21`, `EVT3`, ... as `format` and `evt` say; None where neither is there.

    Raises CorruptError where they disagree.

    >>> encoding(Header(b"", {"evt": "3.0", "format": "EVT3;height=720;width=1280"}))
    'EVT3'
    """
    version = header.fields.get("evt")
    name = header.fields.get("format")
    by_version = None if version is None else ENCODING_OF_VERSION.get(version, f"EVT {version}")
    by_name = None if name is None else _format_parts(name)[0]
    if by_version and by_name and by_version != by_name:
        raise CorruptError(
            "the header contradicts itself", field="evt", expected=by_name, got=version
        )
    return by_name or by_version


def endianness(header: Header) -> str | None:
    """The byte order that ``format`` or a key of its own states; None where neither does.

    Raises CorruptError where they disagree.

    >>> endianness(Header(b"", {"format": "EVT21;endianness=legacy;height=720;width=1280"}))
    'legacy'
    """
    by_format = _format_parts(header.fields.get("format", ""))[1].get("endianness")
    by_key = header.fields.get("endianness", "").lower() or None
    if by_format and by_key and by_format != by_key:
        raise CorruptError(
            "the header contradicts itself", field="endianness", expected=by_format, got=by_key
        )
    return by_format or by_key


def require_encoding(header: Header, wanted: str, orders: tuple[str, ...] = ("little",)) -> None:
    """Raise unless the header says ``wanted``, in one of the byte ``orders`` where it says one.

    UnsupportedError names the other encoding; FormatError says that none is named.
    """
    found = encoding(header)
    if found is None:
        raise FormatError(
            "the header does not name its encoding", expected=f"'% evt' or '% format' ({wanted})"
        )
    if found != wanted:
        raise _refuse(found, wanted)
    order = endianness(header)
    if order is not None and order not in orders:
        raise UnsupportedError(
            f"{wanted} in another byte order",
            field="endianness",
            expected=" or ".join(orders),
            got=order,
        )


def says(head: bytes, wanted: str) -> bool:
    """Whether the header at the start of ``head`` names the encoding ``wanted``."""
    header = parse(head)
    try:
        return header is not None and encoding(header) == wanted
    except FormatError:
        return False


def refusal(head: bytes) -> FormatError | None:
    """Why a file with a RAW header is not read: its encoding, or a contradiction in it."""
    header = parse(head)
    try:
        found = encoding(header) if header is not None else None
    except FormatError as error:
        return error
    if found is None or found in READABLE_ENCODINGS:
        return None
    return _refuse(found, " or ".join(READABLE_ENCODINGS))


def resolution(header: Header) -> tuple[tuple[int, int] | None, str | None]:
    """(width, height) and the key it comes from; (None, None) where the header is silent.

    Raises CorruptError for a geometry that is no size, or two that differ.

    >>> resolution(Header(b"", {"plugin_name": "hal_plugin_gen3_fx3"}))
    ((640, 480), 'plugin_name')
    """
    fields = header.fields
    stated = []
    if "geometry" in fields:
        stated.append((_size("geometry", *_pair(fields["geometry"])), "geometry"))
    parts = _format_parts(fields.get("format", ""))[1]
    if "width" in parts or "height" in parts:
        size = _size("format", parts.get("width", ""), parts.get("height", ""))
        stated.append((size, "format"))
    if "width" in fields or "height" in fields:
        size = _size("width", fields.get("width", ""), fields.get("height", ""))
        stated.append((size, "width"))
    if len({size for size, _ in stated}) > 1:
        raise CorruptError("the header states two geometries", got=stated)
    return stated[0] if stated else resolution_of_sensor(header)


def metadata(header: Header, key: str | None) -> dict[str, Any]:
    """The header's fields, and which of them the resolution comes from."""
    found: dict[str, Any] = dict(header.fields)
    if key is not None:
        found["resolution_from"] = key
    return found


def resolution_of_sensor(header: Header) -> tuple[tuple[int, int] | None, str | None]:
    """The size of the sensor that the header names and the key that names it, or two None."""
    fields = header.fields
    plugin = fields.get("plugin_name", "").lower()
    for name, size in RESOLUTION_OF_PLUGIN.items():
        if name in plugin:
            return size, "plugin_name"
    # Another maker's numbers are its own.
    makers = {fields[k].lower() for k in _INTEGRATOR_KEYS if fields.get(k)}
    if makers <= {"prophesee"} and fields.get("system_id", "").isdecimal():
        system = int(fields["system_id"][:8]) & ~SYSTEM_ATTACHMENT_BIT
        if system in RESOLUTION_OF_SYSTEM:
            return RESOLUTION_OF_SYSTEM[system], "system_id"
    return None, None


_INTEGRATOR_KEYS = ("integrator_name", "camera_integrator_name", "plugin_integrator_name")


def _format_parts(value: str) -> tuple[str, dict[str, str]]:
    name, *rest = (part.strip() for part in value.split(";"))
    pairs = (part.partition("=") for part in rest)
    name = name.upper().replace(".", "")
    return {"EVT20": "EVT2", "EVT30": "EVT3", "EVT40": "EVT4"}.get(name, name), {
        key.strip().lower(): text.strip().lower() for key, _, text in pairs
    }


def _pair(value: str) -> tuple[str, str]:
    width, _, height = value.lower().partition("x")
    return width, height


def _size(key: str, width: str, height: str) -> tuple[int, int]:
    texts = (width.strip(), height.strip())
    if all(text.isdecimal() and text.isascii() and len(text) <= 5 for text in texts):
        size = (int(texts[0]), int(texts[1]))
        if 0 < size[0] <= 65_536 and 0 < size[1] <= 65_536:
            return size
    raise CorruptError(
        "the header's geometry is no size",
        field=key,
        expected="width and height, 1 to 65536",
        got=texts,
    )


def _refuse(found: str, wanted: str) -> UnsupportedError:
    name = {"EVT21": "EVT2.1 (EVT21)"}.get(found, found)
    hint = f"read it with --input-format {found.lower()}" if found in READABLE_ENCODINGS else None
    return UnsupportedError(
        f"the file is encoded as {name}", field="format", expected=wanted, got=found, hint=hint
    )
