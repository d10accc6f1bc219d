"""Write the measured parts of README.md from bench/results: `python -m bench.readme [--check]`.

A part stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; NAME is a key of PARTS.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bench.bars import Bar, number, table
from bench.picture import medians, picture
from bench.recordings import ROOT

README = ROOT / "README.md"
RESULTS = ROOT / "bench" / "results" / "results.json"
PICTURE = RESULTS.with_name("size-speed.svg")
PART = re.compile(r"(<!-- bench:(?P<name>[a-z-]+) -->\n).*?(<!-- /bench:(?P=name) -->)", re.DOTALL)
#: Groups in the order of the table.
ORDER = (
    "decode", "size", "encode", "parse", "windows", "threads", "convert", "startup", "memory",
    "many", "fuzz", "soak",
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


def chart(results: Results) -> str:
    """Median size and speed of each way to keep events, the fastest first."""
    found = medians(results["chart"]["chart"])
    lines = ["| kept as | bits an event | decoding speed | recordings |", "|---|---|---|---|"]
    rows = [("numpy packed records", (104.0, 1.0), None)]
    rows += [(name, middle, len(all_)) for name, (middle, all_) in found.items()]  # type: ignore[misc]
    for name, (bits, speed), count in sorted(rows, key=lambda row: -row[1][1]):
        lines.append(f"| {name} | {number(bits)} | {number(speed)}x | {count or ''} |")
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


def image(results: Results) -> str:
    place = PICTURE.relative_to(ROOT).as_posix()
    return f"![Size against decoding speed of evstore and others]({place})"


PARTS: dict[str, Callable[[Results], str]] = {
    "bars": bars,
    "recordings": recordings,
    "chart": chart,
    "machine": machine,
    "picture": image,
}


def filled(text: str, results: Results) -> str:
    """The text with every part written anew."""

    def part(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in PARTS:
            raise SystemExit(f"README.md: no part is called {name!r}: {', '.join(PARTS)}")
        return f"{found[1]}{PARTS[name](results)}\n{found[3]}"

    return PART.sub(part, text)


def drawn(results: Results) -> str:
    """The picture of the chart."""
    found = results["chart"]
    count = len(found["chart"])
    kind = "recordings" if found["recordings"] == "real" else "simulated recordings"
    caption = (
        f"Small dots: {count} {kind}; large dots: their median. One thread, into fresh arrays, "
        "from the page cache."
    )
    return picture(found["chart"], caption)


def main() -> int:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    wanted = {README: filled(README.read_text(encoding="utf-8"), results)}
    if "chart" in results:
        wanted[PICTURE] = drawn(results)
    stale = []
    for path, text in wanted.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    print(f"{', '.join(stale) or 'nothing'} {'is stale' if '--check' in sys.argv else 'written'}")
    return int("--check" in sys.argv and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
