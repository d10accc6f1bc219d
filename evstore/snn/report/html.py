"""Pieces of a page. Whatever comes from a file is escaped here, and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def esc(text: object) -> Html:
    """Any text as HTML; what is HTML stays.

    >>> esc("a < b"), esc(Html("<b>"))
    ('a &lt; b', '<b>')
    """
    return text if isinstance(text, Html) else Html(html.escape(str(text)))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """An element; `class_` is class.

    >>> tag("a", "x & y", href='"')
    '<a href="&quot;">x &amp; y</a>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{said}>{''.join(map(esc, content))}</{name}>")


def joined(parts: Iterable[object]) -> Html:
    """One after the other."""
    return Html("".join(map(esc, parts)))


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """A table that scrolls by itself where the screen is narrow."""
    top = tag("tr", *(tag("th", cell) for cell in head))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return tag("div", tag("table", tag("thead", top), tag("tbody", *body)), class_="wide")


def document(title: str, *content: object) -> str:
    """A whole page."""
    head = joined(
        (
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", title),
            tag("style", Html(STYLE)),
        )
    )
    body = joined(content)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #667; --line: #d5d8dd; --back: #fff;
  --box: #f5f6f8; --bad: #b3261e;
  --c0: #1f6fb2; --c1: #c8531c; --c2: #2e8540; --c3: #8e44ad; --c4: #a67c00; --c5: #00838f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e7ea; --soft: #9aa0aa; --line: #3a3e45;
  --back: #16181b; --box: #1f2226; --bad: #ff8a80;
  --c0: #6db3f2; --c1: #ff9b6a; --c2: #7bd389; --c3: #cf9ff0; --c4: #e5c15c; --c5: #5fd4df; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  margin: 0 auto; max-width: 70rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
.soft, figcaption { color: var(--soft); font-size: .875rem; }
.findings { border-left: .25rem solid var(--bad); background: var(--box); margin: .5rem 0;
  padding: .5rem 1rem .5rem 2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
  gap: 1rem; }
figure { margin: 0; min-width: 0; } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); } .line { fill: none; stroke-width: 1.75; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); }
.s3 { stroke: var(--c3); } .s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); }
.f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); }
.f3 { fill: var(--c3); } .f4 { fill: var(--c4); } .f5 { fill: var(--c5); }
.key { display: inline-block; margin-right: .8rem; white-space: nowrap; }
.key svg { display: inline-block; width: .7rem; height: .7rem; margin-right: .3rem; }
pre { background: var(--box); padding: .75rem; overflow-x: auto; font-size: .8125rem; }
details { border-top: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; }
a { color: var(--c0); }
"""
