"""evstore train"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from evstore.cli import failures, printing


@click.command("train")
@click.argument("config", metavar="CONFIG", type=click.Path(exists=True, dir_okay=False))
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--out", metavar="FOLDER", help="Keep the run there.  [runs/NAME of CONFIG]")
@click.option("--resume", is_flag=True, help="Go on with the run that is there, exactly.")
@click.option(
    "--seeds", type=click.IntRange(1), default=1, help="So many runs, each from another seed."
)
@click.option("--sweep", "swept", metavar="KEY=V,V,...", help="A run with each value (bins=5,10).")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def command(
    config: str,
    overrides: tuple[str, ...],
    out: str | None,
    resume: bool,
    seeds: int,
    swept: str | None,
    as_json: bool,
) -> int:
    """Train a spiking network from the shards of a packed dataset.

    CONFIG is a TOML file; every key of it may be said after it, as in training.lr=1e-3 or bins=20.
    The folder of the run gets its whole configuration, metrics.jsonl and checkpoints. Ctrl-C ends
    it after the step, and --resume goes on as if it had never ended. Several seeds give mean,
    spread and interval, a sweep a table. Under torchrun the ranks share each batch.
    """
    from evstore.snn.training.config import load_config
    from evstore.snn.training.stopping import Interrupted

    sys.path.insert(0, os.getcwd())  # where model.name = "module:callable" may be
    asked = load_config(config, overrides)
    folder = Path(out) if out is not None else Path("runs") / Path(config).stem
    if resume and not folder.exists() and _is_first():
        click.echo(f"{folder}: there is no run yet to go on with; it begins", err=True)
    try:
        found = _found(asked, folder, resume, seeds, swept, as_json)
    except KeyboardInterrupt as interrupt:
        if _is_first():
            _say_how_to_resume(folder, saved=isinstance(interrupt, Interrupted))
        return failures.INTERRUPTED
    if _is_first():
        _print(found, folder, as_json)
    return failures.DONE


def _found(
    asked: Any, folder: Path, resume: bool, seeds: int, swept: str | None, quiet: bool
) -> dict[str, Any]:
    from evstore.snn.training.loop import train
    from evstore.snn.training.several import parse_sweep, sweep, train_seeds

    say = None if quiet else _say
    if swept is not None:
        key, values = parse_sweep(swept)
        return sweep(asked, folder, key, values, seeds=seeds, resume=resume, say=say)
    if seeds > 1:
        return train_seeds(asked, folder, seeds, resume=resume, say=say)
    return train(asked, folder, resume=resume, say=say)._asdict()


def _say(record: Mapping[str, Any]) -> None:
    """A line an epoch, as it comes."""
    if record["split"] == "train":
        run = f"{record['run']}: " if "run" in record else ""
        click.echo(
            f"{run}epoch {record['epoch']}: loss {record['loss']:.4f}, "
            f"{record['accuracy']:.1%} right, {record['seconds']:.1f} s",
            nl=False,
        )
    else:
        click.echo(
            f"; tested: {record['accuracy']:.1%} right, "
            f"{record['synops_per_sample']:,.0f} SynOps a sample"
        )


def _print(found: Mapping[str, Any], folder: Path, as_json: bool) -> None:
    from evstore.snn.report.summary import summary_rows

    if as_json:
        printing.echo_json(found)
    elif (rows := summary_rows(found)) is not None:
        for run in found.get("runs", ()):
            printing.echo(f"{run['run']}: {run['accuracy']:.2%} right")
        head = [rows[0][0], *(cell.upper() for cell in rows[0][1:])]
        printing.table(head, [list(row) for row in rows[1:]])
    else:
        printing.echo(
            f"{folder}: {found['accuracy']:.2%} right after {found['epochs']} epochs (the best, "
            f"after {found['best_epoch'] + 1}: {found['best_accuracy']:.2%})"
        )


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _say_how_to_resume(folder: Path, saved: bool) -> None:
    given = [one for one in click.get_current_context().obj if one != "--resume"]
    again = printing.shell([*given, "--resume"])
    ranks = os.environ.get("LOCAL_WORLD_SIZE", "1")
    if os.environ.get("WORLD_SIZE", "1") != "1":
        again = f"torchrun --nproc-per-node {ranks} -m {again}"
    what = "has all steps that were done" if saved else "goes on from its last checkpoint"
    if not folder.exists():
        what = "was not begun"
    failures.say(f"interrupted: {folder} {what}")
    click.echo(f"Go on with:\n  {again}", err=True)
