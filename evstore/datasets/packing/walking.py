"""Folders, as people left them: links, hidden files, names with numbers."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from evstore.datasets.natural import natural
from evstore.errors import ArgumentError

#: What a first folder may be called, and the split that it is.
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}

#: Beside what begins with a dot: what macOS puts into its archives, twins of every file.
_HIDDEN = ("__MACOSX",)


def hidden(name: str) -> bool:
    """Whether a name is none of the user's recordings."""
    return name.startswith(".") or name in _HIDDEN


def below(path: str, folder: str) -> str:
    """``path`` from ``folder`` on, with ``/`` between its parts."""
    return os.path.relpath(path, folder).replace(os.sep, "/")


@dataclass(frozen=True)
class Walked:
    """Files below a folder, by their path from it, and what was not followed, with why."""

    files: list[str] = field(default_factory=list)
    orphans: list[tuple[str, str]] = field(default_factory=list)


def walk(folder: str | os.PathLike[str]) -> Walked:
    """Every file below a folder, in natural order; what is hidden is passed over.

    Links to folders are followed after all others, each real folder once: a loop, and a folder
    that is reached twice, are orphans, and so is a link that leads nowhere. Raises ArgumentError
    where ``folder`` is none, OSError where one cannot be read.
    """
    top = os.fspath(folder)
    if not os.path.isdir(top):
        raise ArgumentError(f"{top}: no such folder")
    found = Walked()
    seen = {os.path.realpath(top): top}
    links: list[str] = []
    _walk(top, top, found, seen, links)
    while links:
        link = links.pop(0)
        real = os.path.realpath(link)
        inner = os.path.join(real, "")
        holder = next((path for path in seen if path.startswith(inner)), None)
        if real in seen:
            found.orphans.append((link, f"a link to {seen[real]}, which was walked"))
        elif holder is not None:
            found.orphans.append((link, f"a link to {real}, which holds {seen[holder]}"))
        else:
            seen[real] = link
            _walk(link, top, found, seen, links)
    found.files.sort(key=lambda path: [natural(part) for part in path.split("/")])
    return found


def _walk(base: str, top: str, found: Walked, seen: dict[str, str], links: list[str]) -> None:
    waiting = [base]
    while waiting:
        here = waiting.pop()
        with os.scandir(here) as listing:
            entries = sorted(listing, key=lambda entry: natural(entry.name))
        for entry in entries:
            if hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                real = os.path.realpath(entry.path)
                if real in seen:  # a link led into it before
                    found.orphans.append((entry.path, f"is {seen[real]}, which was walked"))
                else:
                    seen[real] = entry.path
                    waiting.append(entry.path)
            elif entry.is_dir():
                links.append(entry.path)
            elif entry.is_file():
                found.files.append(below(entry.path, top))
            else:
                gone = entry.is_symlink()
                why = "a link that leads nowhere" if gone else "no file: a pipe, a socket, a device"
                found.orphans.append((entry.path, why))


def listing(folder: str) -> tuple[list[str], list[str]]:
    """(names of the folders, names of everything else) in a folder, in natural order.

    What is hidden is left out; links are what they lead to.
    """
    with os.scandir(folder) as entries:
        shown = [(entry.name, entry.is_dir()) for entry in entries if not hidden(entry.name)]
    shown.sort(key=lambda pair: natural(pair[0]))
    return [n for n, is_dir in shown if is_dir], [n for n, is_dir in shown if not is_dir]
