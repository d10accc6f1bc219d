"""Which format a file is: by its content; and what is said where it is none."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from evstore.errors import ArgumentError, FormatError, UnsupportedError
from evstore.formats import registry

TEXT = b"This is a note, not a recording.\nIt has two lines.\n"
BIN40 = b"".join(bytes([1, 2, 0, 0, k]) for k in range(20))


def detect(content: bytes, suffix: str = "") -> str:
    name: str = registry.detect(content[:65_536], len(content), suffix).NAME
    return name


def raw(*lines: str, payload: bytes = bytes(16)) -> bytes:
    return "".join(f"% {line}\n" for line in lines).encode() + payload


def test_empty_file() -> None:
    with pytest.raises(FormatError, match="empty"):
        detect(b"", ".raw")


def test_text_named_raw_lists_what_is_readable() -> None:
    with pytest.raises(FormatError, match=r"--input-format: .*evt2, evt21, .*evt3, dat, dat-v1"):
        detect(TEXT, ".raw")


@pytest.mark.parametrize("suffix", [".raw", ".dat", ".bin", ""])
def test_the_suffix_does_not_matter(suffix: str) -> None:
    assert detect(raw("evt 3.0", "end"), suffix) == "evt3"
    assert detect(raw("evt 2.0", "end"), suffix) == "evt2"
    assert detect(raw("Version 2", payload=b"\x0c\x08" + bytes(8)), suffix) == "dat"


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["format EVT4;height=720;width=1280"], "EVT4"),
        (["format AER", "end"], "AER"),
        (["format HISTO3D;height=320;width=320", "end"], "HISTO3D"),
        (["evt 7.5", "end"], "EVT 7.5"),
    ],
)
def test_other_encodings_are_named(lines: list[str], name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        detect(raw(*lines), ".raw")


def test_contradicting_header_is_named() -> None:
    with pytest.raises(FormatError, match="contradicts"):
        detect(raw("evt 3.0", "format EVT2", "end"), ".raw")


def test_dat_of_triggers_is_named() -> None:
    with pytest.raises(UnsupportedError, match="external triggers"):
        detect(raw("Version 2", payload=b"\x0e\x08" + bytes(8)), ".dat")


def test_bin40_needs_suffix_size_and_plausible_events() -> None:
    assert detect(BIN40, ".bin") == detect(BIN40, ".BS2") == "bin40"
    refused = [
        (BIN40, ".raw"),
        (BIN40 + b"\x00", ".bin"),
        (bytes([1, 2, 127, 0, 0]) + BIN40, ".bin"),  # time steps back by 8 s
        (bytes([1, 250, 0, 0, 0]) + BIN40, ".bin"),  # a row that no such sensor has
    ]
    for content, suffix in refused:
        with pytest.raises(FormatError):
            detect(content, suffix)


def test_bin40_may_step_back_by_what_a_marker_adds() -> None:
    marker = bytes([0, 240, 0, 0, 0])
    assert detect(bytes([1, 1, 0, 31, 255]) + marker + bytes([1, 1, 0, 0, 1]), ".bin") == "bin40"


def test_size_unknown_on_a_pipe() -> None:
    head = raw("evt 3.0", "end", payload=struct.pack("<H", 0x8000))
    assert registry.detect(head, None).NAME == "evt3"


def test_by_name() -> None:
    assert registry.by_name("dat-v1") is registry.by_name("dat")
    with pytest.raises(ArgumentError, match="evt3"):
        registry.by_name("evt5")


def test_order() -> None:
    names = [module.NAME for module in registry.all_formats()]
    assert names == [name for name in registry.NAMES if name in names]
    assert {"evt2", "evt3", "dat", "bin40"} <= set(names)


# ------------------------------------------------------------------- formats of other packages


class Point:
    """An entry point, as far as the registry looks at it."""

    def __init__(self, name: str, found: Any) -> None:
        self.name = name
        self._found = found

    def load(self) -> Any:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def other(name: str = "celex", **more: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(
        NAME=name, TITLE="CeleX", SUFFIXES=(".clx",), INPUT_FORMATS=(name,), WRITES=False,
        SEEKS=False, probe=lambda head, size: head.startswith(b"CLX"), read=None,
    )  # fmt: skip
    module.__dict__.update(more)
    return module


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, Any]], None]]:
    def install(found: dict[str, Any]) -> None:
        points = [Point(name, module) for name, module in found.items()]
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
        registry._of_others.cache_clear()

    yield install
    registry._of_others.cache_clear()


def test_a_format_of_another_package(others: Callable[[dict[str, Any]], None]) -> None:
    module = other()
    others({"celex": module})
    assert registry.detect(b"CLX" + bytes(20), 23) is module
    assert registry.by_name("celex") is module
    assert registry.all_formats()[-1] is module


def test_one_that_cannot_be_is_left_out_with_a_warning(
    others: Callable[[dict[str, Any]], None],
) -> None:
    half = other("half")
    del half.probe
    others({"a": ImportError("no celex"), "b": half, "c": other("evt3")})
    with pytest.warns(UserWarning, match="format") as warned:
        names = [module.NAME for module in registry.all_formats()]
    assert names == [name for name in registry.NAMES if name in names]
    said = [str(one.message) for one in warned]
    assert "cannot be loaded: ImportError('no celex')" in said[0]
    assert "format 'b' lacks probe" in said[1]
    assert "'evt3' is there already" in said[2]
