"""The traps of the text header of RAW and DAT files."""

from __future__ import annotations

import io
from typing import Any

import pytest

from evstore.errors import CorruptError, FormatError, TruncatedError
from evstore.formats import evt3, prophesee_header
from evstore.formats.prophesee_header import Header
from evstore.formats.reading import ReadOptions


def fields(**values: Any) -> Header:
    return Header(b"", {key: str(value) for key, value in values.items()})


def test_payload_that_begins_like_a_line_is_payload() -> None:
    text = b"% evt 3.0\n"
    for payload in (b"% \x80\x0a\n", b"% \x00", b"%\n", b"% " + b"\xff" * 5000):
        header = prophesee_header.parse(text + payload)
        assert header is not None
        assert (header.raw, header.whole) == (text, True)


def test_end_line_ends_the_header() -> None:
    header = prophesee_header.parse(b"% evt 3.0\n% end\n% geometry 5x5\n")
    assert header is not None
    assert header.fields == {"evt": "3.0"}


def test_header_that_does_not_end() -> None:
    many = b"% evt 3.0\n" + b"% key value\n" * 10_000
    with pytest.raises(CorruptError, match="too long"):
        evt3.read(io.BytesIO(many), ReadOptions())


def test_line_that_does_not_end_is_payload() -> None:
    content = b"% evt 3.0\n% " + b"a" * 8190
    reading = evt3.read(io.BytesIO(content), ReadOptions())
    assert reading.header == b"% evt 3.0\n"


def test_file_that_ends_in_its_header() -> None:
    with pytest.raises(TruncatedError) as caught:
        prophesee_header.read(b"% evt 3.0\n% geom")
    assert caught.value.safe_events == 0


@pytest.mark.parametrize("content", [b"", b"% ", b"no header", b"%", b"\n% evt 3.0\n"])
def test_no_header(content: bytes) -> None:
    with pytest.raises(FormatError):
        prophesee_header.read(content)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (fields(geometry="34x30"), (34, 30)),
        (fields(format="EVT3;height=720;width=1280"), (1280, 720)),
        (fields(format="EVT3; width=34 ;height=30;endianness=little"), (34, 30)),
        (fields(width=304, height=240), (304, 240)),
        (fields(plugin_name="hal_plugin_gen31_fx3"), (640, 480)),
        (fields(plugin_name="hal_plugin_gen41_evk3"), (1280, 720)),
        (fields(plugin_name="hal_plugin_imx636_evk4"), (1280, 720)),
        (fields(plugin_name="hal_plugin_genx320"), (320, 320)),
        (fields(system_id=21), (640, 480)),
        (fields(system_id=0x80 | 0x17), (640, 480)),
        (fields(system_id=49, integrator_name="Prophesee"), (1280, 720)),
        (fields(system_id=49, integrator_name="Somebody"), None),
        (fields(system_id=7), None),
        (fields(system_id="0x15"), None),
        (fields(), None),
        (fields(geometry="34x30", plugin_name="hal_plugin_gen41_evk3"), (34, 30)),
    ],
)
def test_resolution(header: Header, expected: tuple[int, int] | None) -> None:
    assert prophesee_header.resolution(header)[0] == expected


@pytest.mark.parametrize(
    "header",
    [
        fields(geometry=""),
        fields(geometry="0x5"),
        fields(geometry="5"),
        fields(geometry="1e3x5"),
        fields(geometry="٣x٣"),
        fields(format="EVT3;width=5"),
        fields(height=5),
        fields(geometry="5x5", format="EVT3;width=5;height=6"),
    ],
)
def test_resolution_that_is_none(header: Header) -> None:
    with pytest.raises(CorruptError):
        prophesee_header.resolution(header)


def test_where_the_resolution_comes_from_is_told() -> None:
    content = b"% evt 3.0\n% plugin_name hal_plugin_gen41_evk3\n% Date 2020-09-25\n"
    metadata = evt3.read(io.BytesIO(content), ReadOptions()).metadata
    assert metadata["resolution_from"] == "plugin_name"
    assert metadata["date"] == "2020-09-25"
