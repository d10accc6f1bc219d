"""evstore verify"""

from __future__ import annotations

import os
from typing import Any

import click

from evstore.cli import failures, printing
from evstore.cli.input_flags import input_flags
from evstore.datasets import MANIFEST


@click.command("verify")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@input_flags
def command(paths: tuple[str, ...], as_json: bool, said: dict[str, Any]) -> int:
    """Check every byte, chunk and event of shards.

    Checksums, index and the proof of each recording are computed anew and compared. A foreign
    file is read to its end; it has no checksums that could be compared. Folders are searched
    for shards, and those with a manifest are datasets: it must be that of its shards. Exits with
    4 where something is wrong.
    """
    found, codes = [], []
    for path in _files(paths):
        try:
            found.append(_verify(path, said))
        except Exception as error:
            message = failures.message_of(error)
            codes.append(_code(error))
            failures.say(message)
            found.append({"path": path, "ok": False, "error": message})
        else:
            codes.append(failures.DONE)
            if not as_json:
                _print(found[-1])
    if as_json:
        printing.echo_json(found[0] if len(found) == 1 else found)
    elif len(found) > 1:
        wrong = sum(code != failures.DONE for code in codes)
        printing.echo(f"{len(found) - wrong:,} ok, {wrong:,} not")
    return max(codes)


def _files(paths: tuple[str, ...]) -> list[str]:
    """Shards, and the manifests of datasets behind them."""
    from evstore.info import files_in, shards_in

    manifests = [path for path in files_in(paths) if os.path.basename(path) == MANIFEST]
    if manifests and not any(path.endswith(".evs") for path in files_in(paths)):
        return manifests  # whose shards are gone
    return [path for path in shards_in(paths) if path not in manifests] + manifests


def _verify(path: str, said: dict[str, Any]) -> dict[str, Any]:
    from evstore.info import is_shard

    if os.path.basename(path) == MANIFEST:
        from evstore.datasets.checking import check_dataset

        agreed = check_dataset(os.path.dirname(path) or ".")
        return {"path": path, "ok": True, "recordings": agreed.recordings, "shards": agreed.shards}
    if said["input_format"] in (None, "evs") and is_shard(path):
        from dataclasses import asdict

        from evstore.shard.verify import verify_shard

        return {"path": path, "ok": True, "checksums": True, **asdict(verify_shard(path))}
    import evstore

    with evstore.open(path, **said) as recording:
        found = {"path": path, "ok": True, "checksums": False, "recordings": 1}
        return {**found, "events": recording.n_events, "format": recording.format}


def _print(found: dict[str, Any]) -> None:
    if "shards" in found:
        shards = printing.count(found["shards"], "shard")
        recordings = printing.count(found["recordings"], "recording")
        printing.echo(f"{found['path']}: ok, {recordings}, as {shards} say")
        return
    events = printing.count(found["events"], "event")
    if not found["checksums"]:
        printing.echo(
            f"{found['path']}: {events}, read to the end ({found['format']} has no checksums)"
        )
        return
    printing.echo(
        f"{found['path']}: ok, {events}, {printing.count(found['recordings'], 'recording')}, "
        f"{printing.count(found['chunks'], 'chunk')}, {printing.size(found['bytes'])}"
    )


def _code(error: Exception) -> int:
    from evstore.errors import FormatError

    return failures.UNVERIFIED if isinstance(error, FormatError) else failures.code_of(error)
