"""evstore dataset"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from evstore.cli import failures, printing
from evstore.cli.selection_flags import parsed
from evstore.errors import ArgumentError

if TYPE_CHECKING:
    from evstore.datasets.manifest import Manifest
    from evstore.datasets.stats import Numbers

JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group("dataset")
def command() -> None:
    """List, merge, split, count or index a packed dataset.

    FOLDER is what `evstore pack` made: shards and manifest.parquet.
    """


def parse_fractions(text: str) -> dict[str, float]:
    """Splits and their shares, of ``train=0.8,test=0.2``.

    >>> parse_fractions("train=0.8, test=0.2")
    {'train': 0.8, 'test': 0.2}
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, share = (one.strip() for one in part.partition("="))
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not equals or not name or name in found or not 0 < value <= 1:
            raise ArgumentError(
                f"fractions are NAME=SHARE,..., as in train=0.8,test=0.2, got {text!r}"
            )
        found[name] = value
    return found


# ---------------------------------------------------------------------------------------- ls


@command.command("ls")
@click.argument("folder", metavar="FOLDER")
@click.option("--split", metavar="NAME", help="Only the recordings of this split.")
@click.option("--label", metavar="LABEL", help="Only those of this class, by name or number.")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@JSON
def ls(folder: str, split: str | None, label: str | None, limit: int | None, as_json: bool) -> int:
    """List the recordings, a line each."""
    from itertools import islice

    from evstore.datasets.manifest import read_manifest

    manifest = read_manifest(folder)
    matching = [
        one
        for one in _recordings(manifest)
        if (split is None or one["split"] == split)
        and (label is None or label in (one["class"], _value(one["label"])))
    ]
    shown = list(islice(matching, limit))
    if as_json:
        printing.echo_json(shown)
        return failures.DONE
    head = ["ID", "SPLIT", "LABEL", "RESOLUTION", "EVENTS", "DURATION", "SHARD"]
    printing.table(head, [_line(one) for one in shown], left=3)
    if len(matching) > len(shown):
        printing.echo(f"and {len(matching) - len(shown):,} more")
    return failures.DONE


def _recordings(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Each recording as JSON values, its parts joined."""
    from evstore.datasets.stats import class_name

    names = [name for name in manifest.table.column_names if name != "intervals"]
    columns = [manifest.values(name) for name in names]
    last: dict[str, Any] | None = None
    for values in zip(*columns, strict=True):
        row = dict(zip(names, values, strict=True))
        if last is not None and row["part"]:
            if row["events"]:
                low, high = (last, last) if last["events"] else (row, row)
                last["t_min"] = min(low["t_min"], row["t_min"])
                last["t_max"] = max(high["t_max"], row["t_max"])
            last["events"] += row["events"]
            last["boxes"] += row["boxes"]
            last["shards"].append(row["shard"])
            continue
        if last is not None:
            yield last
        last = {k: v for k, v in row.items() if k not in ("part", "first_event", "shard")}
        last |= {"root": row["root"].hex(), "shards": [row["shard"]]}
        last["class"] = class_name(manifest.classes, row["label"])
    if last is not None:
        yield last


def _line(one: dict[str, Any]) -> list[str]:
    duration = one["t_max"] + 1 - one["t_min"] if one["events"] else 0
    resolution = None if one["width"] is None else (one["width"], one["height"])
    return [
        one["id"],
        _value(one["split"]),
        one["class"] or _value(one["label"]),
        printing.resolution(resolution),
        f"{one['events']:,}",
        printing.duration(duration),
        one["shards"][0] + (" ..." if len(one["shards"]) > 1 else ""),
    ]


def _value(value: Any) -> str:
    """A label or a split, as it is typed."""
    import json

    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


# ------------------------------------------------------------------------------------- merge


@command.command("merge")
@click.argument("datasets", metavar="FOLDER...", nargs=-1, required=True)
@click.argument("out", metavar="OUT")
@click.option("--overwrite", is_flag=True, help="Replace other shards in OUT.")
@click.option("--copy", is_flag=True, help="Copy shards; else they are linked where that can be.")
@JSON
def merge(datasets: tuple[str, ...], out: str, overwrite: bool, copy: bool, as_json: bool) -> int:
    """Join datasets in the folder OUT; they stay as they are.

    No id may be in two of them, and their classes must agree. Run it again after an interruption.
    """
    from evstore.datasets.merging import merge as join

    done = join(datasets, out, overwrite=overwrite, link=not copy)
    counts = {"linked": done.linked, "copied": done.copied, "kept": done.kept}
    if as_json:
        printing.echo_json({"recordings": _count(done.manifest), **counts})
    else:
        shards = ", ".join(f"{number:,} {how}" for how, number in counts.items() if number)
        recordings = printing.count(_count(done.manifest), "recording")
        printing.echo(f"{out}: {recordings}; shards: {shards}")
    return failures.DONE


def _count(manifest: Manifest) -> int:
    return sum(part == 0 for part in manifest.values("part"))


# ------------------------------------------------------------------------------------- split


@command.command("split")
@click.argument("folder", metavar="FOLDER")
@click.option(
    "--fractions",
    metavar="NAME=SHARE,...",
    callback=parsed(parse_fractions),
    help="As in train=0.8,test=0.2.",
)
@click.option("--by", metavar="COLUMN", help="A column's values are the splits.")
@click.option("--as-packed", is_flag=True, help="Back to the splits that the shards say.")
@click.option(
    "--stratify",
    metavar="COLUMN",
    default="label",
    show_default=True,
    help="Each value of it is split by the same fractions; none: all together.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another draw.")
@click.option("--part-groups", is_flag=True, help="Recordings of a group need not stay together.")
@JSON
def split(
    folder: str,
    fractions: dict[str, float] | None,
    by: str | None,
    as_packed: bool,
    stratify: str,
    seed: int,
    part_groups: bool,
    as_json: bool,
) -> int:
    """Give every recording a split, by fractions or by a column.

    It stands in the manifest only, with its rule, which `evstore dataset index` applies again.
    The same recordings, seed and labels give the same splits; their sizes are exact.
    """
    if (fractions is not None) + (by is not None) + as_packed != 1:
        raise ArgumentError("give one of --fractions, --by and --as-packed")
    if as_packed:
        from evstore.datasets.indexing import index as make_index

        made = make_index(folder, as_packed=True).manifest
    else:
        from evstore.datasets.splitting import split as divide

        column = None if stratify == "none" else stratify
        made = divide(folder, fractions, by=by, stratify=column, seed=seed, groups=not part_groups)
    counts = _splits(made)
    if as_json:
        printing.echo_json({"splits": counts, "rule": made.about.get("split")})
    else:
        printing.fields([(name, printing.count(n, "recording")) for name, n in counts.items()])
    return failures.DONE


def _splits(manifest: Manifest) -> dict[str, int]:
    from collections import Counter

    pairs = zip(manifest.values("split"), manifest.values("part"), strict=True)
    return dict(sorted(Counter(_value(split) for split, part in pairs if part == 0).items()))


# ------------------------------------------------------------------------------------- stats


@command.command("stats")
@click.argument("folder", metavar="FOLDER")
@JSON
def stats(folder: str, as_json: bool) -> int:
    """Count recordings, events and bytes, by split and class.

    Rates are events a second: over all of the time, and the least and greatest of a recording.
    """
    from evstore.datasets.stats import stats as count

    found = count(folder)
    if as_json:
        printing.echo_json(found.to_json())
        return failures.DONE
    head = [
        *("SPLIT", "CLASS", "RECORDINGS", "EVENTS", "DURATION", "RATE", "LEAST", "GREATEST"),
        *("SIZE", "BITS/EVENT", "RESOLUTION"),
    ]
    extra = [name for name in ("intervals", "boxes") if getattr(found.total, name)]
    rows = [
        [_value(one.split), one.name or _value(one.label), *_numbers(one, extra)]
        for one in found.classes
    ]
    several = [(s, n) for s, n in found.splits.items() if len(found.splits) > 1]
    rows += [[_value(name), "all", *_numbers(numbers, extra)] for name, numbers in several]
    rows.append(["all", "all", *_numbers(found.total, extra)])
    printing.table([*head, *(name.upper() for name in extra)], rows, left=2)
    for one in found.intervals:
        name = one["name"] or one["class_id"]
        length = printing.duration(one["duration_s"] * 1e6)
        printing.echo(f"labelled {name}: {printing.count(one['intervals'], 'interval')}, {length}")
    return failures.DONE


def _numbers(numbers: Numbers, extra: list[str]) -> list[str]:
    rates = (numbers.rate_mean, numbers.rate_min, numbers.rate_max)
    bits = numbers.bits_per_event
    sizes = numbers.resolutions
    return [
        f"{numbers.recordings:,}",
        f"{numbers.events:,}",
        printing.duration(numbers.duration_s * 1e6),
        *("-" if rate is None else printing.rate(rate) for rate in rates),
        printing.size(numbers.bytes),
        "-" if bits is None else f"{bits:.1f}",
        printing.resolution(sizes[0]) if len(sizes) == 1 else "several",
        *(f"{getattr(numbers, name):,}" for name in extra),
    ]


# ------------------------------------------------------------------------------------- index


@command.command("index")
@click.argument("folder", metavar="FOLDER")
@JSON
def index(folder: str, as_json: bool) -> int:
    """Make the manifest again of the shards.

    Where the old one has a rule of `evstore dataset split`, it is applied again.
    """
    from evstore.datasets.indexing import index as make_index

    made, lost = make_index(folder)
    rule = made.about.get("split")
    if lost is not None:
        click.echo(
            f"evstore: the old manifest cannot be read, splits are those of the shards: {lost}",
            err=True,
        )
    shards = len(set(made.values("shard")))
    if as_json:
        printing.echo_json({"recordings": _count(made), "shards": shards, "rule": rule})
    else:
        recordings = printing.count(_count(made), "recording")
        again = ", split as before" if rule else ""
        printing.echo(f"{folder}: {recordings}, {printing.count(shards, 'shard')}{again}")
    return failures.DONE
