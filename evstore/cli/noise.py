"""evstore noise"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from evstore.cli import failures, printing
from evstore.cli.converting import carry_out
from evstore.cli.input_flags import input_flags
from evstore.cli.selection_flags import parsed, selection_flags, with_flags
from evstore.codec.presets import DEFAULT_PRESET, PRESETS
from evstore.errors import ArgumentError
from evstore.selection import Selection, parse_time

if TYPE_CHECKING:
    from evstore.conversion.masking import HotPixelRule
    from evstore.noise import Measurement, Transform


@click.group("noise")
def command() -> None:
    """Add a sensor's noise, filter it, or measure it.

    A step is NAME or NAME:PARAMETER=VALUE,...; `evstore noise steps` lists them, and what each
    parameter may be. Several numbers of one parameter are as region=0,0,20,20 or region=0/0/20/20,
    pixels as pixels=3/0,12/7; images are paths to .npy or .png. Steps are done in the order given.

    \b
        evstore noise add clean.evs noisy.evs hot-pixels:count=20 background:rate_hz=5
        evstore noise filter noisy.evs quiet.evs refractory:period_us=500 activity:window_us=5000
        evstore noise measure noisy.evs --json > noise.json
        evstore noise add clean.evs like-it.evs --params noise.json
    """


def parse_span(text: str) -> tuple[int, int]:
    """Start and stop of ``0s,10s``, in microseconds.

    >>> parse_span("0,1.5s")
    (0, 1500000)
    """
    times = [parse_time(part) for part in text.split(",")]
    if len(times) != 2:
        raise ArgumentError(f"times are START,STOP, as in 0s,10s, got {text!r}")
    if times[1] < times[0]:
        raise ArgumentError(f"times are START,STOP: STOP lies before START in {text!r}")
    return times[0], times[1]


JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
MIN_RATE = click.option(
    "--min-rate-hz",
    type=click.FloatRange(1e-3, 1e6),
    default=50.0,
    show_default=True,
    help="What a pixel fires at least, beyond those around it, to be hot.",
)
WRITING = (
    click.option("--preset", type=click.Choice(list(PRESETS)), default=DEFAULT_PRESET,
                 show_default=True, help="balanced: small; fast: larger, and faster to read."),
    click.option("--output-format", metavar="NAME",
                 help="Write this format (see `evstore formats`); else by OUT's suffix."),
    click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
                 help="Processes."),
    click.option("--overwrite", is_flag=True, help="Replace targets that exist."),
    click.option("--resume", is_flag=True, help="Leave finished targets as they are."),
    click.option("--verify", is_flag=True, help="Decode what was written and compare."),
    click.option("--json", "as_json", is_flag=True, help="Print receipts as JSON."),
)  # fmt: skip


def _writing(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say how to write."""
    return with_flags(WRITING, verb)


@command.command("add")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.argument("steps", metavar="STEP...", nargs=-1)
@click.option(
    "--params",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Steps of a JSON file, as `measure --json` prints it; before those given.",
)
@click.option(
    "--times",
    "span",
    metavar="START,STOP",
    callback=parsed(parse_span),
    help="Noise comes in these times, all of IN's events too; unless given, from first to last.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Another seed gives other noise.",
)
@_writing
@selection_flags
@input_flags
def add(source: str, target: str, steps: tuple[str, ...], **options: Any) -> int:
    """Add noise to IN, a recording or a folder of them, and write OUT.

    Labels, metadata and side streams are kept; what was done is kept beside them, in shards: other
    formats have no place for it. Hot pixels are the same ones in all recordings of one seed; all
    else depends on each one's id or, where it has none, on its file's name.
    """
    from evstore.noise.steps import ADDED

    return _write(source, target, steps, "noise", ADDED, **options)


@command.command("filter")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.argument("steps", metavar="STEP...", nargs=-1, required=True)
@_writing
@selection_flags
@input_flags
def filter_(source: str, target: str, steps: tuple[str, ...], **options: Any) -> int:
    """Take noise out of IN, a recording or a folder of them, and write OUT.

    Labels, metadata and side streams are kept; what was done is kept beside them, in shards: other
    formats have no place for it.
    """
    from evstore.noise.steps import FILTERS

    return _write(source, target, steps, "filter", FILTERS, **options)


def _write(
    source: str,
    target: str,
    texts: tuple[str, ...],
    kind: str,
    names: dict[str, str],
    *,
    selection: Selection,
    said: dict[str, Any],
    jobs: int,
    as_json: bool,
    seed: int = 0,
    params: str | None = None,
    span: tuple[int, int] | None = None,
    **options: Any,
) -> int:
    from evstore.conversion import Options, plan

    transform = _transform(texts, params, seed, kind, names)
    chosen = Options(
        selection=selection,
        transform=transform,
        noise_span=span,
        folder=source if os.path.isdir(source) else None,
        **said,
        **options,
    )
    return carry_out(plan([source], target, chosen, []), chosen, jobs=jobs, as_json=as_json)


def _transform(
    texts: tuple[str, ...], params: str | None, seed: int, kind: str, names: dict[str, str]
) -> Transform:
    from evstore.noise import Compose
    from evstore.noise.steps import composed, parse_step

    for text in texts:
        _check_kind(text.partition(":")[0].strip(), kind, names)
    made = [parse_step(text) for text in texts]
    if params is not None:
        read = _read_steps(params)
        first = composed(read).transforms
        for step in read:
            _check_kind(step["step"], kind, names, f"{params}: ")
        made = [*first, *made]
    if not made:
        raise ArgumentError("no step is given: name some, or give --params")
    return Compose(*made, seed=seed)


def _check_kind(name: str, kind: str, names: dict[str, str], where: str = "") -> None:
    from evstore.noise.steps import transform_class

    if name not in names:
        transform_class(name)  # says what there is, unless it is of the other kind
        raise ArgumentError(f"{where}{name!r} is no {kind} step; there are {', '.join(names)}")


def _read_steps(path: str) -> list[Any]:
    import json

    with click.open_file(path) as file:
        try:
            found = json.load(file)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"{path}: is no JSON: {error}") from None
    steps = found.get("steps") if isinstance(found, dict) else found
    if not isinstance(steps, list):
        raise ArgumentError(f'{path}: has no list of "steps", as `evstore noise measure` prints it')
    return steps


@command.command("measure")
@click.argument("source", metavar="IN")
@MIN_RATE
@click.option(
    "--plot", type=click.Path(dir_okay=False), metavar="FILE", help="Draw it: png, svg, pdf."
)
@click.option("--overwrite", is_flag=True, help="Replace a plot that exists.")
@JSON
@selection_flags
@input_flags
def measure_(
    source: str,
    min_rate_hz: float,
    plot: str | None,
    overwrite: bool,
    as_json: bool,
    selection: Selection,
    said: dict[str, Any],
    recording: str | None,
) -> int:
    """Measure a recording's noise: hot pixels, background, flicker, refractory time.

    Prints the steps that make such noise again; --json gives a file for `add --params`.
    """
    import evstore
    from evstore.noise import measure

    if plot is not None:
        from evstore.noise.measuring.plot import check_target

        check_target(plot, overwrite)  # before all the work
    with evstore.open(source, recording=recording, **said) as opened:
        found = measure(opened.batches(selection), opened.resolution, min_rate_hz=min_rate_hz)
    _print_measured(found, as_json)
    if plot is not None:  # last: should it fail, what was measured is not lost
        from evstore.noise.measuring.plot import plot as draw

        draw(found, plot)
    return failures.DONE


def _print_measured(found: Measurement, as_json: bool) -> None:
    from evstore.noise.steps import as_text, steps_of

    if as_json:
        printing.echo_json({"measured": found.to_dict(), "steps": steps_of(found.parameters())})
        return
    printing.echo(str(found))
    if texts := [as_text(step) for step in steps_of(found.parameters(boxes=True))]:
        printing.echo("such noise: evstore noise add IN OUT " + " ".join(texts))


@command.command("mask")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@MIN_RATE
@click.option("--of", "learned_from", metavar="FILE", help="Learn from this recording, not IN.")
@click.option("--drop", is_flag=True, help="Leave their events out, beside naming them.")
@_writing
@selection_flags
@input_flags
def mask(
    source: str,
    target: str,
    min_rate_hz: float,
    learned_from: str | None,
    drop: bool,
    selection: Selection,
    said: dict[str, Any],
    recording: str | None,
    jobs: int,
    as_json: bool,
    **options: Any,
) -> int:
    """Find IN's hot pixels, and write OUT with their mask in its metadata.

    IN is a recording, a shard of many or a folder: each recording gets the mask of its own. All
    events stay; `evstore.open(OUT, hot_pixels="drop")` leaves those of hot pixels out. Of a packed
    dataset, `evstore dataset index OUT` lists the shards afterwards.
    """
    from evstore.conversion import Options, plan

    how = Options(
        selection=selection, recording=recording,
        hot_pixel_rule=_rule(min_rate_hz, drop, learned_from, said),
        **said, **options,
    )  # fmt: skip
    return carry_out(plan([source], target, how, []), how, jobs=jobs, as_json=as_json)


def _rule(
    min_rate_hz: float, drop: bool, learned_from: str | None, said: dict[str, Any]
) -> HotPixelRule:
    import evstore
    from evstore.conversion.masking import HotPixelRule, find

    if learned_from is None:
        return HotPixelRule(min_rate_hz, drop)
    with evstore.open(learned_from, **said) as opened:
        if opened.resolution is None:
            raise ArgumentError(
                f"{learned_from}: has no events, and no hot pixels that could be found"
            )
        pixels = tuple((int(x), int(y)) for x, y in find(opened, Selection(), min_rate_hz))
    return HotPixelRule(min_rate_hz, drop, os.path.basename(learned_from), pixels)


@command.command("steps")
@JSON
def steps(as_json: bool) -> int:
    """List the steps, their parameters, what these are unless given, and what they may be."""
    from evstore.noise.steps import ADDED, FILTERS, choices, described, transform_class

    kinds = {"add": ADDED, "filter": FILTERS}
    if as_json:
        printing.echo_json(
            {kind: {name: dict(described(name)) for name in names} for kind, names in kinds.items()}
        )
        return failures.DONE
    for kind, names in kinds.items():
        printing.echo(f"evstore noise {kind}")
        for name in names:
            what = (transform_class(name).__doc__ or "").strip().splitlines()[0]
            printing.echo(f"  {name}: {what}")
            may_be = choices(name)
            for parameter, usual in described(name):
                if (kind, parameter) == ("filter", "seed"):
                    continue  # filters draw nothing
                words = may_be.get(parameter)
                printing.echo(f"      {parameter}={usual}" + (f"  ({words})" if words else ""))
    return failures.DONE
