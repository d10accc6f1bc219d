"""`evstore report`: what a run's folder holds, as one page or as text.

Nothing here needs torch: a run can be looked at where none was trained.
"""

from __future__ import annotations

import os

from evstore.snn.report.many import HEAD, page_of_many, row_of
from evstore.snn.report.page import page_of_one
from evstore.snn.report.reading import find_runs, read_summary
from evstore.snn.report.summary import summary_rows
from evstore.snn.report.text import aligned, text_of
from evstore.snn.whole_file import write_whole

__all__ = ["as_html", "as_text", "write_page"]


def as_html(folder: str | os.PathLike[str]) -> str:
    """A run's page, or that of all runs below ``folder``: one HTML text that needs nothing else.

    Raises FormatError where the folder holds no run, FileNotFoundError where there is none.
    """
    runs = find_runs(folder)
    if len(runs) == 1 and os.path.samefile(runs[0].folder, folder):
        return page_of_one(runs[0])
    return page_of_many(runs, os.path.basename(os.path.abspath(folder)), read_summary(folder))


def as_text(folder: str | os.PathLike[str]) -> str:
    """The same essentials as lines for a terminal; raises as `as_html` does."""
    runs = find_runs(folder)
    tables = []
    if len(runs) > 1:
        summary = summary_rows(read_summary(folder))
        tables = [
            "\n".join(aligned(rows)) for rows in ([HEAD, *map(row_of, runs)], summary) if rows
        ]
    return "\n\n".join([*tables, *map(text_of, runs)])


def write_page(folder: str | os.PathLike[str], path: str | os.PathLike[str] | None = None) -> str:
    """Write the page whole, to ``path`` or as report.html in ``folder``; returns its path."""
    target = os.fspath(path) if path is not None else os.path.join(folder, "report.html")
    write_whole(target, as_html(folder).encode("utf-8", "replace"))
    return target
