"""Every kernel is compiled in one way, and the modules that hold kernels hold nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

MODULES = sorted((ROOT / "evstore").rglob("*.py"))
JIT = ROOT / "evstore" / "jit.py"
#: Plain functions with LLVM twins, tested equal, and what these are built of.
CODEC = ROOT / "evstore" / "codec"
VECTOR = [
    CODEC / f"{name}.py"
    for name in (
        "llvm",
        "vector_columns",
        "vector_copy",
        "vector_decoding",
        "vector_encoding",
        "vector_lanes",
        "vector_put",
        "vector_stream",
    )
]
FRAMES = ROOT / "evstore" / "frames"
VECTOR += [FRAMES / f"vector_{name}.py" for name in ("decay", "shares", "stage", "unpack")]
VECTOR += [ROOT / "evstore" / "formats" / "vector_marks.py"]
VECTOR += [ROOT / "evstore" / "noise" / f"vector_{name}.py" for name in ("kept", "merge")]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_numba(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] == "numba" for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba"


def is_kernel(function: ast.FunctionDef) -> bool:
    """Decorated with ``@kernel``, ``@kernel(...)`` or ``@inlined``, and nothing else."""
    if len(function.decorator_list) != 1:
        return False
    decorator = function.decorator_list[0]
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    return isinstance(decorator, ast.Name) and decorator.id in ("kernel", "inlined")


def is_constant(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return False
    names = [n for t in targets for n in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return all(isinstance(n, ast.Name) and n.id.isupper() for n in names)


def is_named_tuple(node: ast.stmt) -> bool:
    """A row of arrays and numbers that kernels hand on: fields only, no methods."""
    return (
        isinstance(node, ast.ClassDef)
        and [ast.unparse(base) for base in node.bases] == ["NamedTuple"]
        and not any(isinstance(inner, ast.FunctionDef) for inner in node.body)
    )


def strangers(tree: ast.Module) -> Iterator[str]:
    """What a module of kernels must not hold."""
    for node in tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for_types = (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        )
        if isinstance(node, ast.FunctionDef):
            if not is_kernel(node):
                yield f"line {node.lineno}: {node.name} is not decorated with @kernel alone"
        elif not (
            isinstance(node, (ast.Import, ast.ImportFrom))
            or docstring
            or for_types
            or is_constant(node)
            or is_named_tuple(node)
        ):
            yield f"line {node.lineno}: {type(node).__name__}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_module(path: Path) -> None:
    tree = parse(path)
    nodes = list(ast.walk(tree))
    assert not [n.arg for n in nodes if isinstance(n, ast.keyword) and n.arg == "fastmath"]
    if path not in (JIT, *VECTOR):
        found = [n.lineno for n in nodes if isinstance(n, (ast.stmt)) and imports_numba(n)]
        assert not found, f"numba is imported in jit.py only, not here at lines {found}"
    if "kernels" in path.stem:
        assert list(strangers(tree)) == []
    else:
        kernels = [n.name for n in nodes if isinstance(n, ast.FunctionDef) and is_kernel(n)]
        assert not kernels, f"{kernels} belong in a module named ..._kernels.py"


def test_jit_frees_the_gil_and_caches() -> None:
    tree = parse(JIT)
    known = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "njit"
        ):
            options: dict[str, object] = {}
            for keyword in node.keywords:
                if keyword.arg is None:  # **CONSTANT
                    assert isinstance(keyword.value, ast.Name)
                    options |= ast.literal_eval(known[keyword.value.id])
                else:
                    options[keyword.arg] = ast.literal_eval(keyword.value)
            calls.append(options)
    assert len(calls) >= 3
    assert all(call.get("nogil") is True for call in calls)
    assert any(call.get("cache") is True for call in calls)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""Words."""\nimport numpy as np\nA, _B = 1, 2\n@kernel\ndef f(): pass', 0),
        ("@inlined\ndef f(): pass", 0),
        ("@njit\ndef f(): pass", 1),
        ("@kernel\n@wraps\ndef f(): pass", 1),
        ("def f(): pass", 1),
        ("class A: pass", 1),
        ("lower = 1", 1),
        ("print(1)", 1),
    ],
)
def test_finds_strangers(source: str, found: int) -> None:
    assert len(list(strangers(ast.parse(source)))) == found
