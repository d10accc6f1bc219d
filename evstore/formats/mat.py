"""MAT v5, and v4: MATLAB's variables, compressed or not, in either byte order.

https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

from __future__ import annotations

from functools import partial
from typing import Any, BinaryIO

from evstore.errors import CorruptError, FormatError, TruncatedError, UnsupportedError
from evstore.formats import mat_spool, mat_streams, mat_v4
from evstore.formats.mat_elements import (
    MI_COMPRESSED,
    MI_MATRIX,
    TAG_BYTES,
    Matrix,
    Region,
    Tag,
    read_fields,
    read_matrix,
    read_tag,
)
from evstore.formats.mat_streams import Column, File, Variable
from evstore.formats.reading import Reading, ReadOptions

NAME = "mat"
TITLE = "MATLAB MAT v4/v5 (struct, N x 4 array, or vectors)"
SUFFIXES = (".mat",)
INPUT_FORMATS = (NAME,)
WRITES = False
SEEKS = True
KEEPS = ("exposure",)
CHECKED = ("files", "scipy")
ASKS = ("--columns", "--time-unit")
MEMORY = "bounded; what is compressed is inflated to a temporary file"

MAGIC = b"MATLAB 5.0 MAT-file"
HEADER_BYTES = 128
TEXT_BYTES = 116
VERSION = 0x0100
VARIABLE_LIMIT = 1000


def probe(head: bytes, size: int | None) -> bool:
    """Whether the header is there, of version 1.0 in either byte order, or an array of v4."""
    return (head.startswith(MAGIC) and _order(head) is not None) or mat_v4.order(head) is not None


def refusal(head: bytes) -> UnsupportedError | None:
    """Why a MAT v4 file is not read; None where it is none, or one that is read."""
    return mat_v4.refusal(head)


def streams(stream: BinaryIO, options: ReadOptions) -> list[str]:
    """Names of the event streams, in the file's order."""
    return mat_streams.names(_file(stream))


def read(stream: BinaryIO, options: ReadOptions, input_format: str = NAME) -> Reading:
    """The variables' headers now, events lazily.

    A variable that is compressed is inflated to a temporary file first, if it is large: all x
    stand before all t in it. Raises ArgumentError where the variable, its columns or the unit of
    time must be said.
    """
    return mat_streams.read(NAME, _file(stream), options)


def _file(stream: BinaryIO) -> File:
    if not stream.seekable():
        raise UnsupportedError("a MAT file cannot be read from a pipe", hint="read it from a file")
    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(HEADER_BYTES)
    if not head:
        raise FormatError("the file is empty: there are no bytes to read")
    if (refused := refusal(head)) is not None:
        raise refused
    if (order := mat_v4.order(head)) is not None:
        return _file_of_v4(Region(stream, size, order))
    if len(head) < HEADER_BYTES:
        raise TruncatedError("the file ends inside its header", safe_events=0, offset=len(head))
    order = _order(head)
    if not head.startswith(MAGIC[:6]) or order is None:
        raise FormatError(
            "no MAT v5 header",
            offset=0,
            expected=f"{MAGIC!r} and version {VERSION:#06x}",
            got=head[:20],
        )
    variables, cut_at = _variables(Region(stream, size, order))
    text = head[:TEXT_BYTES].rstrip(b" \x00").decode("ascii", "replace")
    return File(variables, cut_at, {"header": text})


def _file_of_v4(region: Region) -> File:
    found: dict[str, Variable] = {}
    arrays, cut_at = mat_v4.matrices(region, VARIABLE_LIMIT)
    for array in arrays:
        if array.name in found:
            raise CorruptError("several variables of one name", field=array.name)
        kind = array.kind
        if kind == "numeric":
            kind = mat_streams.kind_of(array.shape, array.name)
        found[array.name] = Variable(array.name, kind, array.count, partial(_columns, array))
    return File(list(found.values()), cut_at, {"mat_version": 4})


def _order(head: bytes) -> str | None:
    """The byte order that the header's end says; None where it says none, or another version."""
    version, mark = head[124:126], head[126:128]
    if mark == b"IM" and int.from_bytes(version, "little") == VERSION:
        return "<"
    return ">" if mark == b"MI" and int.from_bytes(version, "big") == VERSION else None


def _variables(region: Region) -> tuple[list[Variable], int | None]:
    """All variables, the last one even if the file ends inside it, and where the file is cut."""
    found: dict[str, Variable] = {}
    at, cut_at, elements = HEADER_BYTES, None, 0
    while at < region.size and cut_at is None:
        if region.size - at < TAG_BYTES:
            return list(found.values()), region.size
        element = read_tag(region, at, 2**63)
        cut_at = region.size if element.at + element.size > region.size else None
        try:
            variable = _variable(region, at, element)
        except TruncatedError:
            variable = None
            cut_at = region.size
        if variable is not None and variable.name in found:
            raise CorruptError("several variables of one name", offset=at, field=variable.name)
        if variable is not None:
            found[variable.name] = variable
        elements += 1
        if elements > VARIABLE_LIMIT:
            raise UnsupportedError("too many variables", expected=f"<= {VARIABLE_LIMIT}")
        at = element.next
    return list(found.values()), cut_at


def _variable(region: Region, at: int, element: Tag) -> Variable | None:
    """A variable by the header of its array; None for what has no name."""
    if element.type == MI_MATRIX:
        matrix = read_matrix(region, at, element.at + element.size)
    elif element.type == MI_COMPRESSED:
        head = mat_spool.head(region, element)
        matrix = read_matrix(head, 0, 2**63)
    else:
        raise CorruptError("no variable", offset=at, expected="type 14 or 15", got=element.type)
    if not matrix.name:
        return None

    def load() -> dict[str, Column | None]:
        if element.type == MI_MATRIX:
            return _columns(matrix)
        inside = mat_spool.inflate(region, element)
        return _columns(read_matrix(inside, 0, matrix.end))

    kind = matrix.kind
    if kind == "numeric":
        kind = mat_streams.kind_of(matrix.shape, matrix.name)
    elif matrix.count != 1:
        kind = "other"
    return Variable(matrix.name, kind, matrix.count, load, matrix.fields)


def _columns(matrix: Matrix) -> dict[str, Column | None]:
    """A vector, the columns of an N x 4 array, or the fields of a struct."""
    if matrix.kind == "struct":
        fields = read_fields(matrix)
        return {name: _vector(inner, name) for name, inner in fields.items()}
    if mat_streams.kind_of(matrix.shape, matrix.name) == "matrix":
        rows = matrix.shape[0]
        return {str(k): _Part(matrix, k * rows, rows) for k in range(mat_streams.ROW_COLUMNS)}
    return {matrix.name: matrix}


def _vector(matrix: Matrix, name: str) -> Column | None:
    is_vector = mat_streams.kind_of(matrix.shape, name) == "vector"
    return matrix if matrix.kind == "numeric" and is_vector else None


class _Part:
    """A column of an array."""

    def __init__(self, matrix: Matrix, start: int, count: int) -> None:
        self.dtype = matrix.dtype
        self.count = count
        self._matrix = matrix
        self._start = start

    def values(self, start: int, count: int) -> Any:
        """Some of its numbers; fewer where the file ends."""
        return self._matrix.values(self._start + start, max(0, min(count, self.count - start)))
