"""How large a Parquet file becomes when it is read, looked at before any of it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evstore.errors import FormatError

#: What any file may become, and how many times its own size a larger one. A manifest's own rows
#: are 160 bytes in memory and at least 2 in the file: a million copies of one recording come to
#: 80 times, any with recordings of their own, whose roots are 32 bytes that nothing compresses, to
#: 3 to 10 times.
MOST_BYTES = 256 << 20
MOST_TIMES = 256

#: Bytes of a value in memory, as Parquet's physical types are; texts have an offset beside them.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}
_TEXT, _FIXED, _OFFSET = "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY", 8


def read_bounded(path: str | os.PathLike[str]) -> Any:
    """The table of a Parquet file that is no larger than a file of its size can honestly be.

    What each column takes is told by the file's metadata, which is believed; of texts that are
    stored once and meant many times only in part, and those are looked at, as far as it takes.
    A file whose metadata lie is not found out. Raises FormatError for one that becomes too large,
    and as pyarrow does for what is no Parquet.
    """
    from pyarrow import parquet

    most = max(MOST_BYTES, MOST_TIMES * os.path.getsize(path))
    with parquet.ParquetFile(path, memory_map=True) as file:
        size, texts = _columns(file.metadata)
        if size > most:
            raise _too_large(path, size, most)
        few = (most - size) // (len(texts) or 1)  # what each may take without a closer look
        for one in texts:
            for bound in (_if_all_are_all, _if_all_are_longest, _of_each):  # ever closer, dearer
                if (at_most := bound(path, one)) <= few:
                    break
            size += at_most
        if size > most:
            raise _too_large(path, size, most)
        return file.read()


def _too_large(path: str | os.PathLike[str], size: int, most: int) -> FormatError:
    return FormatError(
        "becomes larger in memory than a file of its size can be meant to",
        path=Path(path),
        expected=f"{most:,} bytes or less",
        got=f"{size:,} or more",
        hint="if it is right, write it again without compression and dictionaries",
    )


class _Texts(NamedTuple):
    """A column of texts in one row group that has a dictionary of them."""

    group: int
    name: str
    values: int
    stored: int  # bytes, uncompressed


def _columns(metadata: Any) -> tuple[int, list[_Texts]]:
    """Bytes that columns take, texts with a dictionary as they are stored; and these."""
    size, texts = 0, []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for k in range(group.num_columns):
            column, schema = group.column(k), metadata.schema.column(k)
            values = max(column.num_values, group.num_rows)
            stored = column.total_uncompressed_size
            width = schema.length if column.physical_type == _FIXED else _OFFSET
            size += max(stored, values * _WIDTHS.get(column.physical_type, width))
            if column.physical_type == _TEXT and column.has_dictionary_page:
                texts.append(_Texts(number, schema.path, values, stored))
    return size, texts


def _if_all_are_all(path: str | os.PathLike[str], texts: _Texts) -> int:
    """Bytes of the texts, if each were all that is stored."""
    return texts.values * texts.stored


def _if_all_are_longest(path: str | os.PathLike[str], texts: _Texts) -> int:
    """Bytes of the texts, if each were the longest of the dictionary; or stands for itself."""
    for lengths, _ in _lengths(path, texts, 1):
        return texts.values * int(lengths.max(initial=0)) + texts.stored
    return 0


def _of_each(path: str | os.PathLike[str], texts: _Texts) -> int:
    """Bytes of the texts."""
    return sum(int(lengths[which].sum()) for lengths, which in _lengths(path, texts, 1 << 16))


def _lengths(path: str | os.PathLike[str], texts: _Texts, rows: int) -> Iterator[tuple[Any, Any]]:
    """Of so many rows at a time: the lengths of the texts in the dictionary, and which are meant.

    In each there is all of the file's own dictionary.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path, memory_map=True, read_dictionary=[texts.name]) as file:
        for batch in file.iter_batches(rows, [texts.group], [texts.name]):
            (column,) = batch.columns
            if not hasattr(column, "dictionary"):  # of a list: no column of ours or of anyone's
                yield np.array([texts.stored]), np.zeros(texts.values, np.int8)
                return
            offsets = column.dictionary.cast("large_binary").buffers()[1]
            lengths = np.diff(np.frombuffer(offsets, np.int64)[: len(column.dictionary) + 1])
            yield lengths, column.indices.drop_null().to_numpy(zero_copy_only=False)
