"""Open a foreign file or a pipe, by its content, for a format module to read."""

from __future__ import annotations

import io
import os
import sys
from types import ModuleType
from typing import Any, BinaryIO

from evstore.errors import ArgumentError
from evstore.formats import registry
from evstore.formats.reading import Reading, ReadOptions

HEAD = 65_536


def is_pipe(path: str) -> bool:
    """Whether the bytes can be read once only: standard input (``-``), a named pipe, a device."""
    if path == "-":
        return True
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def open_stream(
    path: str, options: ReadOptions, input_format: str | None, untrusted: bool = False
) -> tuple[BinaryIO, Reading]:
    """Open a foreign file, or standard input for ``-``, by its content or as ``input_format``.

    ``untrusted``: what a C library parses is read in a process of its own.
    """
    if path != "-" and os.path.isdir(path):
        raise ArgumentError(f"{path}: is a folder, not a file")
    pipe = is_pipe(path)
    stream: BinaryIO = sys.stdin.buffer if path == "-" else open(path, "rb", buffering=0)  # noqa: SIM115
    try:
        head = _read_head(stream)
        module = _module_of(path, stream, head, pipe, input_format)
        if options.stream is not None and not hasattr(module, "streams"):
            raise ArgumentError(
                f"{path}: holds one recording, which has no name; got {options.stream!r}"
            )
        if not pipe:
            stream.seek(0)
        elif module.SEEKS:
            raise ArgumentError(f"{module.TITLE} cannot be read from a pipe: name the file")
        else:
            stream = io.BufferedReader(_Replayed(head, stream, owned=path != "-"), HEAD)
        name = input_format or module.INPUT_FORMATS[0]
        if untrusted and getattr(module, "C_PARSED", False):
            from evstore.formats.untrusted import parent

            return stream, parent.read(name, stream, options)
        return stream, module.read(stream, options, name)
    except BaseException:
        if stream is not sys.stdin.buffer:
            stream.close()
        raise


def stream_names(
    path: str, options: ReadOptions, input_format: str | None, untrusted: bool = False
) -> list[str]:
    """The event streams of a file, none where its format has only one, without a name."""
    if is_pipe(path) or os.path.isdir(path):
        return []
    with open(path, "rb", buffering=0) as stream:
        module = _module_of(path, stream, _read_head(stream), False, input_format)
        if not hasattr(module, "streams"):
            return []
        stream.seek(0)
        if untrusted and getattr(module, "C_PARSED", False):
            from evstore.formats.untrusted import parent

            return parent.streams(input_format or module.INPUT_FORMATS[0], stream, options)
        names: list[str] = module.streams(stream, options)
        return names


def _module_of(
    path: str, stream: BinaryIO, head: bytes, pipe: bool, input_format: str | None
) -> ModuleType:
    if input_format is not None:
        return registry.by_name(input_format)
    size = None if pipe else os.fstat(stream.fileno()).st_size
    return registry.detect(head, size, os.path.splitext(path)[1])


def _read_head(stream: BinaryIO) -> bytes:
    head = b""
    while len(head) < HEAD:
        more = stream.read(HEAD - len(head))
        if not more:
            break
        head += more
    return head


class _Replayed(io.RawIOBase):
    """A pipe whose head was looked at, from its start. Closes the pipe where it is its own."""

    def __init__(self, head: bytes, rest: BinaryIO, owned: bool) -> None:
        self._head = memoryview(head)
        self._rest = rest
        self._owned = owned

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._head:
            n = min(len(view), len(self._head))
            view[:n] = self._head[:n]
            self._head = self._head[n:]
            return n
        data = self._rest.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self._owned:
            self._rest.close()
        super().close()
