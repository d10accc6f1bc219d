"""Which files become which: files, folders (their tree is mirrored), globs and standard input."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence

from evstore.conversion.job import Job, Options
from evstore.errors import ArgumentError, FormatError
from evstore.formats import registry
from evstore.recording.opening import is_shard
from evstore.recording.stream import is_pipe
from evstore.shard.address import MANIFEST, split_address

#: What is written, and the suffix that says so; of two with one suffix the first.
SUFFIXES = {
    "evs": ".evs", "evt3": ".raw", "evt2": ".raw", "dat": ".dat", "prophesee_hdf5": ".hdf5",
    "aedat4": ".aedat4", "es": ".es", "hdf5": ".h5", "parquet": ".parquet", "arrow": ".arrow",
    "npz": ".npz", "csv": ".csv", "bin40": ".bin",
}  # fmt: skip


def output_format(target: str, options: Options) -> str:
    """The format to write: as named, or by the target's suffix, or evs.

    Raises ArgumentError for a format, or a suffix of one, that is not written.
    """
    named = options.output_format
    if named is None:
        suffix = os.path.splitext(target)[1].lower()
        named = {s: name for name, s in reversed(SUFFIXES.items())}.get(suffix)
    if named is None:
        if any(suffix in module.SUFFIXES for module in registry.all_formats()):
            # A shard of that name would be taken for another format's file.
            raise ArgumentError(
                f"{target}: no file is written as {suffix} unless you say what it is to be: "
                f"one of {', '.join(SUFFIXES)}, with --output-format"
            )
        return "evs"
    if named not in SUFFIXES:
        raise ArgumentError(f"evstore writes {', '.join(SUFFIXES)}; got {named!r}")
    return named


def plan(
    sources: Sequence[str], target: str, options: Options, left_out: list[str] | None = None
) -> list[Job]:
    """A job for every file that is to be converted.

    One file to a target that is no folder keeps the name given. A folder becomes a folder with
    the same tree; files of a folder that no format recognises are left out, and added to the
    list ``left_out``. Raises ArgumentError where nothing is to be done or two files would take
    one name.
    """
    if target == "-":
        raise ArgumentError("a conversion goes to a file; `evstore cat` writes to standard output")
    into_folder = target.endswith(("/", os.sep)) or os.path.isdir(target)
    found: list[tuple[str, str]] = []  # (file, its place below the target)
    for source in sources:
        if os.path.isdir(source):
            into_folder = True
            found += _of_folder(source, target, options, [] if left_out is None else left_out)
        elif source == "-" or os.path.exists(split_address(source)[0]):
            found.append((source, _place(source)))
        elif glob.has_magic(source):
            into_folder = True
            matches = sorted(glob.glob(source, recursive=True))
            found += [(m, os.path.basename(m)) for m in matches if os.path.isfile(m)]
            if not matches:
                raise ArgumentError(f"no file matches {source!r}")
        else:
            raise ArgumentError(f"{source}: no such file or folder")
    if not found:
        raise ArgumentError(f"found nothing to convert in {', '.join(sources)}")
    if len(found) > 1 and not into_folder:
        raise ArgumentError(
            f"{len(found)} files need a folder to go to; end {target!r} with a slash"
        )
    if not into_folder:
        return [Job(found[0][0], target)]
    return _named(found, target, options)


def _named(found: list[tuple[str, str]], target: str, options: Options) -> list[Job]:
    suffix = SUFFIXES[_folder_format(options)]
    stems = [os.path.splitext(place)[0] for _, place in found]
    count = Counter(stems)
    jobs: dict[str, Job] = {}
    for (source, place), stem in zip(found, stems, strict=True):
        # Two files that differ in their suffix only keep it.
        path = os.path.join(target, (place if count[stem] > 1 else stem) + suffix)
        if path in jobs:
            raise ArgumentError(f"{jobs[path].source} and {source} would both become {path}")
        jobs[path] = Job(source, path)
    return list(jobs.values())


def _folder_format(options: Options) -> str:
    return output_format("", options)


def _place(source: str) -> str:
    """Where a source that is named goes below the target."""
    if source == "-":
        return "stdin"
    path, recording = split_address(source)
    name, suffix = os.path.splitext(os.path.basename(path))
    if recording:
        name += "_" + recording.replace("/", "_").replace(os.sep, "_")
    return name + suffix


def _of_folder(
    folder: str, target: str, options: Options, left_out: list[str]
) -> list[tuple[str, str]]:
    found = []
    inside = os.path.abspath(target)
    # What an earlier conversion into the same folder gave is no source.
    own = SUFFIXES[_folder_format(options)] if inside == os.path.abspath(folder) else None
    for base, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(f for f in folders if os.path.abspath(os.path.join(base, f)) != inside)
        for name in sorted(files):
            path = os.path.join(base, name)
            if name.startswith(".") or name.endswith(".part") or (own and name.endswith(own)):
                continue
            if name == MANIFEST and any(file.endswith(".evs") for file in files):
                left_out.append(path)  # a dataset's list of its shards, and no events
            elif _readable(path, options):
                found.append((path, os.path.relpath(path, folder)))
            else:
                left_out.append(path)
    return found


def _raise(error: OSError) -> None:
    """A folder that cannot be read must not go unseen."""
    raise error


def _readable(path: str, options: Options) -> bool:
    """Whether a file found in a folder is a recording: the rest of a folder is not our business.

    A file that cannot be opened is tried all the same: its error must not go unseen.
    """
    if is_pipe(path):
        return False  # it would be waited for
    if options.input_format is not None:
        module = registry.by_name(options.input_format)
        return os.path.splitext(path)[1].lower() in module.SUFFIXES
    try:
        if is_shard(path):
            return True
        with open(path, "rb") as file:
            head = file.read(65_536)
        registry.detect(head, os.path.getsize(path), os.path.splitext(path)[1])
    except FormatError:
        return False
    except OSError:
        return True
    return True
