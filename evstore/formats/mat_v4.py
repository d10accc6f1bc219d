"""MAT v4: MATLAB's arrays one behind the other, each with a header of 20 bytes and a name.

https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

from __future__ import annotations

import re
import struct

import numpy as np

from evstore.errors import CorruptError, UnsupportedError
from evstore.formats.mat_elements import Matrix, Region

HEADER_BYTES = 20
NAME_LIMIT = 64  # bytes, the one behind the name among them

#: Digits of the first word: how numbers are stored, as numpy's codes.
STORAGE = ("f8", "f4", "i4", "i2", "u2", "u1")

#: Its thousands: the byte order. Beyond these are the numbers of a VAX or a Cray.
ORDERS = ("<", ">")
LAST_MACHINE = 4

#: Its units: numbers, text, sparse.
NUMERIC, LAST_CONTENT = 0, 2

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*\x00")


def order(head: bytes) -> str | None:
    """The byte order where ``head`` begins with an array of MAT v4; None where it does not.

    There is no mark: it is the name that tells, and four words that can hardly be others.
    """
    return next((o for k, o in enumerate(ORDERS) if _fields(head, o, (k,)) is not None), None)


def refusal(head: bytes) -> UnsupportedError | None:
    """Why a MAT v4 file is not read: its numbers are of another machine."""
    others = range(len(ORDERS), LAST_MACHINE + 1)
    if all(_fields(head, o, others) is None for o in ORDERS):
        return None
    return UnsupportedError(
        "a MAT v4 file with the numbers of a VAX or a Cray", expected="IEEE numbers"
    )


def matrices(region: Region, limit: int) -> tuple[list[Matrix], int | None]:
    """All arrays, the last one even if the file ends inside it, and where the file is cut."""
    found: list[Matrix] = []
    at = 0
    while at < region.size:
        head = region.array(at, np.dtype("u1"), HEADER_BYTES + NAME_LIMIT).tobytes()
        fields = _fields(head, region.order, (ORDERS.index(region.order),))
        if fields is None:
            if region.size - at < HEADER_BYTES + NAME_LIMIT and b"\x00" not in head[HEADER_BYTES:]:
                return found, region.size
            raise CorruptError("no array of MAT v4", offset=at, got=head[:HEADER_BYTES])
        kind, shape, is_complex, name = fields
        start = at + HEADER_BYTES + len(name) + 1
        dtype = np.dtype(region.order + STORAGE[kind // 10])
        at = start + dtype.itemsize * shape[0] * shape[1] * (1 + is_complex)
        numeric = kind % 10 == NUMERIC and not is_complex
        what = "numeric" if numeric else "other"
        found.append(Matrix(region, name, what, shape, start, at, dtype))
        if len(found) > limit:
            raise UnsupportedError("too many variables", expected=f"<= {limit}")
    return found, region.size if at > region.size else None


def _fields(
    head: bytes, order: str, machines: range | tuple[int, ...]
) -> tuple[int, tuple[int, int], bool, str] | None:
    """How an array is stored, its shape, whether it is complex, and its name."""
    if len(head) < HEADER_BYTES:
        return None
    kind, rows, columns, imaginary, length = struct.unpack(f"{order}5I", head[:HEADER_BYTES])
    machine, storage = kind // 1000, kind % 1000
    name = head[HEADER_BYTES : HEADER_BYTES + length] if length <= NAME_LIMIT else b""
    if machine not in machines or storage // 10 >= len(STORAGE) or storage % 10 > LAST_CONTENT:
        return None
    if max(rows, columns) >= 2**31 or imaginary > 1 or _NAME.fullmatch(name) is None:
        return None
    return storage, (rows, columns), bool(imaginary), name[:-1].decode("ascii")
