"""samna runs an installer when it is imported: nothing here may import it by being imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

FOLDERS = ("evstore", "tests", "tools", "bench", "examples")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def module_level(node: ast.AST) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported: also those in if, try, with and class."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from module_level(child)


def imports_samna(source: str) -> bool:
    for node in module_level(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        if any(name.split(".")[0] == "samna" for name in names):
            return True
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_module_level_samna(path: Path) -> None:
    assert not imports_samna(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import samna", True),
        ("try:\n    from samna.device import open\nexcept ImportError:\n    pass", True),
        ("class A:\n    import numpy, samna", True),
        ("def export():\n    import samna", False),
        ("import samna_like", False),
    ],
)
def test_finds_it_where_it_runs(source: str, found: bool) -> None:
    assert imports_samna(source) is found
