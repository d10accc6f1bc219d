"""Write the measured parts of README.md from bench/results: `python -m bench.readme [--check]`.

A part stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; NAME is a key of PARTS, or
of CODECS: those are left as they are until bench/results/codecs.json has been measured.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bench import (
    codecs_report,
    noise_calibration,
    noise_flicker,
    noise_reality,
    realism,
    snn_accuracy,
)
from bench.bars import Bar, number, table
from bench.codecs_summary import Data, paced, points
from bench.recordings import ROOT

README = ROOT / "README.md"
RESULTS = ROOT / "bench" / "results" / "results.json"
CODECS_RESULTS = RESULTS.with_name("codecs.json")
PICTURE = RESULTS.with_name("size-speed.svg")
PART = re.compile(r"(<!-- bench:(?P<name>[a-z-]+) -->\n).*?(<!-- /bench:(?P=name) -->)", re.DOTALL)
#: Groups in the order of the table.
ORDER = (
    "decode", "size", "encode", "parse", "formats", "windows", "threads", "convert", "startup",
    "memory", "memory_formats", "many", "fuzz", "soak", "balanced",
    "frames", "datasets", "noise", "noise_filters", "noise_calibration",
    "noise_flicker",
    "snn", "snn_memory", "snn_shards", "snn_fast", "snn_accuracy", "snn_gpu",
)  # fmt: skip

Results = Mapping[str, Any]


def bars_of(results: Results, *groups: str) -> list[Bar]:
    return [
        Bar.from_json(bar)
        for group in groups or ORDER
        for bar in results.get(group, {}).get("bars", ())
    ]


def bars(results: Results) -> str:
    """Every bar, and what was measured beside them for comparison."""
    return table(bars_of(results))


def recordings(results: Results) -> str:
    """Size and decoding speed of each recording."""
    fresh, new, reused, _ = bars_of(results, "decode")
    size = bars_of(results, "size")[0]
    lines = [
        "| recording | bits an event | into fresh arrays | the first time | reused buffers |",
        "|---|---|---|---|---|",
    ]
    for name, bits in size.parts.items():
        speeds = (f"{number(bar.parts[name].median)}x" for bar in (fresh, new, reused))
        lines.append(f"| {name} | {number(bits.median)} | {' | '.join(speeds)} |")
    return "\n".join(lines)


def machine(results: Results) -> str:
    """What it was measured on and with, a line for each that differs."""
    lines = []
    for group in results.values():
        about = group["machine"]
        versions = ", ".join(f"{name} {number}" for name, number in group["versions"].items())
        line = (
            f"{about['processor']}, {about['cores']} cores, {about['memory']}, "
            f"{about['system']}; {versions}."
        )
        if group["quick"]:
            line += " **A quick run: no measurement.**"
        if group["recordings"] != "real":
            line += " **On simulated recordings.**"
        if line not in lines:
            lines.append(line)
    return "\n\n".join(lines)


def simulated(results: Results) -> str:
    """How far what `simulate` gives is from real recordings."""
    return realism.distances_table(bars_of(results, "realism"))


def simulated_numbers(results: Results) -> str:
    """What the distances are of."""
    return realism.numbers_table(bars_of(results, "realism"))


def noise_again(results: Results) -> str:
    """How far noise that is measured and made again is from that of real recordings."""
    return noise_reality.distances_table(bars_of(results, "noise_reality"))


def calibration(results: Results) -> str:
    """What is found of noise that was put into scenes."""
    return noise_calibration.errors_table(bars_of(results, "noise_calibration"))


def flicker(results: Results) -> str:
    """What is dropped of flicker, and kept of all else."""
    return noise_flicker.shares_table(bars_of(results, "noise_flicker"))


def denoising(results: Results) -> str:
    """How well each filter tells noise from signal, scene by scene."""
    found = [bar for bar in bars_of(results, "noise_filters") if bar.name.startswith("STCF's AUC")]
    names = list(found[0].parts)
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for bar in found:
        scene = bar.name.removeprefix("STCF's AUC, ")
        areas = " | ".join(f"{bar.parts[name].median:.3f}" for name in names)
        lines.append(f"| {scene} | {areas} |")
    return "\n".join(lines)


def digits(results: Results) -> str:
    """What networks reach on digits, with its interval."""
    return snn_accuracy.digits_table(bars_of(results, "snn_accuracy"))


PARTS: dict[str, Callable[[Results], str]] = {
    "denoising": denoising,
    "bars": bars,
    "recordings": recordings,
    "machine": machine,
    "realism": simulated,
    "realism-numbers": simulated_numbers,
    "noise-reality": noise_again,
    "noise-calibration": calibration,
    "noise-flicker": flicker,
    "digits": digits,
}


def chart(data: Data) -> str:
    """Of each family what is smallest and what is fastest, and all of ours."""
    found = points(paced(data))
    shown = {point["name"] for point in found if point["ours"]}
    for family in {point["family"] for point in found}:
        own = [p for p in found if p["family"] == family and p["right"]]
        if own:
            shown.add(min(own, key=lambda point: point["bits"])["name"])
            shown.add(max(own, key=lambda point: point["speed"])["name"])
    return codecs_report.medians(data, shown)


def image(_: Data) -> str:
    place = PICTURE.relative_to(ROOT).as_posix()
    return f"![Size against decoding speed of evstore and others]({place})"


CODECS: dict[str, Callable[[Data], str]] = {
    "chart": chart,
    "frontier": codecs_report.frontier,
    "codecs-machine": codecs_report.about,
    "picture": image,
}


def filled(text: str, results: Results, data: Data | None = None) -> str:
    """The text with every part written anew, but those of CODECS where ``data`` is None."""

    def part(found: re.Match[str]) -> str:
        name = found["name"]
        if name in CODECS:
            body = None if data is None else CODECS[name](data)
        elif name in PARTS:
            body = PARTS[name](results)
        else:
            known = ", ".join([*PARTS, *CODECS])
            raise SystemExit(f"README.md: no part is called {name!r}: {known}")
        return found[0] if body is None else f"{found[1]}{body}\n{found[3]}"

    return PART.sub(part, text)


def main() -> int:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    data = None
    if CODECS_RESULTS.is_file():
        data = json.loads(CODECS_RESULTS.read_text(encoding="utf-8"))
    text = README.read_text(encoding="utf-8")
    wanted = filled(text, results, data)
    if wanted == text:
        print("nothing is stale" if "--check" in sys.argv else "nothing to write")
        return 0
    if "--check" in sys.argv:
        print("README.md is stale")
        return 1
    README.write_text(wanted, encoding="utf-8")
    print("README.md written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
