"""A module imports only from layers above its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

PACKAGE = ROOT / "evstore"

# From the top down. The names of a line do not import each other; a package's modules may.
# A new module gets its place here and in ARCHITECTURE.md.
LAYERS = [
    ("errors",),
    ("interrupts", "locks", "memory"),
    ("jit",),
    ("events", "selection"),
    ("codec",),
    ("shard",),
    ("formats",),
    ("frames",),
    ("noise",),
    ("synth",),
    ("selection",),
    ("recording",),
    ("digests",),
    ("recovery",),
    ("conversion",),
    ("datasets",),
    ("snn",),
    ("speck",),
    ("info",),
    ("bench",),
    ("demo",),
    ("cli",),
]
DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> list[str]:
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def component(parts: list[str]) -> str:
    """The name of a layer: a module, its kernels, or all modules of a package."""
    return parts[0].removesuffix("_kernels")


def imports(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and dotted parts below evstore of every import, inside functions and for types too."""
    package = ["evstore", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "evstore":
                    yield node.lineno, alias.name.split(".")[1:]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            if base[:1] == ["evstore"]:
                for alias in node.names:
                    yield node.lineno, [*base[1:], alias.name]


def offences(path: Path) -> Iterator[str]:
    own = module_name(path)
    if not own or own == ["__main__"]:  # the package itself gathers what the layers offer
        return
    if component(own) not in DEPTH:
        yield f"{path.relative_to(ROOT)}: {component(own)!r} has no layer"
        return
    for line, target in imports(path):
        where = f"{path.relative_to(ROOT)}:{line}"
        if target == ["__version__"] or (not target and component(own) == "cli"):
            continue  # the command line may use the package as its users do
        if not target or component(target) not in DEPTH:
            yield f"{where}: imports evstore.{'.'.join(target)}, which has no layer"
        elif component(target) != component(own) and (
            DEPTH[component(target)] >= DEPTH[component(own)]
        ):
            yield f"{where}: {component(own)} imports {component(target)}, which is not above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_only_from_above(path: Path) -> None:
    assert list(offences(path)) == []


def test_finds_an_import_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evstore" / "codec").mkdir(parents=True)
    module = tmp_path / "evstore" / "codec" / "chunk.py"
    module.write_text(
        "from evstore import errors, shard\n"
        "from evstore.codec.bits import f\n"
        "from . import bits\n"
        "def f():\n    from ..formats.reading import Batch\n"
    )
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "evstore")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert [found.split(": ")[1] for found in offences(module)] == [
        "codec imports shard, which is not above it",
        "codec imports formats, which is not above it",
    ]
