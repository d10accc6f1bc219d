"""Kernels work where their cache cannot be written, and where many processes fill it at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from conftest import ROOT

PROCESSES = 20

# One kernel that calls another, as most of ours do.
KERNELS = """
from evstore.jit import kernel

@kernel
def mix(value):
    return (value * 2654435761) & 0xFFFFFFFF

@kernel
def fold(values):
    total = 0
    for i in range(values.size):
        total = (total * 31 + mix(values[i] + i)) & 0xFFFFFFFF
    return total
"""

CALL = """
import numpy as np
import probe_kernels
values = np.arange(1000, dtype=np.int64)
print(int(probe_kernels.fold(values)), int(probe_kernels.fold.py_func(values)))
"""


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """This process's environment, with the modules of ``folder`` and no numba settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    return {**kept, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **changes}


def install(folder: Path) -> None:
    """A package of the kernels' decorator alone, and a module of kernels that uses it."""
    (folder / "evstore").mkdir(parents=True)
    (folder / "evstore" / "__init__.py").write_text('__version__ = "0"\n')
    for name in ("jit.py", "interrupts.py"):
        (folder / "evstore" / name).write_bytes((ROOT / "evstore" / name).read_bytes())
    (folder / "probe_kernels.py").write_text(KERNELS)


def test_cache_folders_that_cannot_be_written(tmp_path: Path) -> None:
    package = tmp_path / "package"
    install(package)
    # A file where a folder has to be stops root too, whom permissions do not.
    for blocked in (package / "__pycache__", package / "evstore" / "__pycache__"):
        blocked.touch()
    nowhere = tmp_path / "home"
    nowhere.touch()
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "USERPROFILE", "LOCALAPPDATA"), str(nowhere))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CALL],
        env=environment(package, **homes),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
    compiled, plain = run.stdout.split()
    assert compiled == plain
    assert not list(tmp_path.rglob("*.nb[ic]"))


def test_cache_folder_named_by_the_user_that_cannot_be_written(tmp_path: Path) -> None:
    package = tmp_path / "package"
    install(package)
    taken = tmp_path / "taken"
    taken.touch()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CALL],
        env=environment(package, NUMBA_CACHE_DIR=str(taken / "cache")),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr


def test_twenty_cold_processes_at_once(tmp_path: Path) -> None:
    package, cache, ready = tmp_path / "package", tmp_path / "cache", tmp_path / "ready"
    install(package)
    ready.mkdir()
    # Each imports what takes time, says so, and waits: then all compile and write at once.
    # They give way to whatever is tested beside them, some of which must be done within a second.
    wait = (
        "import os, sys, time\n"
        "if hasattr(os, 'nice'): os.nice(15)\n"
        "import numba\n"
        f"open(os.path.join({str(ready)!r}, str(os.getpid())), 'w').close()\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", wait + CALL],
            env=environment(package, NUMBA_CACHE_DIR=str(cache)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        deadline = time.monotonic() + 120
        while len(list(ready.iterdir())) < PROCESSES and time.monotonic() < deadline:
            assert all(process.poll() is None for process in processes), "one ended early"
            time.sleep(0.01)
        (tmp_path / "go").touch()
        results = [process.communicate(timeout=200) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * PROCESSES, results
    answers = {out.strip() for out, _ in results}
    assert len(answers) == 1, answers
    compiled, plain = answers.pop().split()
    assert compiled == plain
    assert list(cache.rglob("*.nbi")), "nothing was cached"


def test_a_processor_without_byte_shuffles_gets_the_plain_steps() -> None:
    """As where a cluster's machines share a cache of kernels for the least of them."""
    code = (
        "from evstore import Events\n"
        "from evstore.codec.chunk import decode_chunk, encode_chunk\n"
        "from evstore.codec.llvm import HAS_SHUFFLE\n"
        "n = 2000\n"
        "x, y = [k // 9 for k in range(n)], [k % 5 for k in range(n)]\n"
        "e = Events(range(n), x, y, [1, 0] * 1000)\n"
        "print(HAS_SHUFFLE, decode_chunk(encode_chunk(e), n) == e)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CPU_NAME": "generic"}
    ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert ran.stdout == "False True\n", ran.stderr


TOGETHER = """
import threading
import numpy as np
import probe_kernels
fold, values = probe_kernels.fold, np.arange(10, dtype=np.int64)
ready = threading.Barrier(4)

def call():
    ready.wait()
    fold(values)

threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
looked_for = fold._compile_for_args
fold._compile_for_args = lambda *args: print("looked for again") or looked_for(*args)
fold(values)
print(int(fold(values)) == int(fold.py_func(values)))
"""


def test_threads_that_call_first_leave_one_way_in(tmp_path: Path) -> None:
    install(tmp_path)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", TOGETHER],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "True\n"


INNER = """
from evstore.jit import kernel

@kernel
def step(value):
    return value + {number}
"""

OUTER = """
from evstore.inner import step
from evstore.jit import kernel

@kernel
def fold(values):
    total = 0
    for i in range(values.size):
        total += step(values[i])
    return total
"""


def test_a_kernel_is_compiled_anew_where_one_that_it_calls_has_changed(tmp_path: Path) -> None:
    """Even by another evstore, which leaves the file of the caller as it is."""
    install(tmp_path)
    (tmp_path / "probe_kernels.py").write_text(OUTER)
    for number in (1, 2):
        (tmp_path / "evstore" / "inner.py").write_text(INNER.format(number=number))
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", CALL],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.split() == [str(499_500 + 1000 * number)] * 2
    assert list(tmp_path.rglob("*.nbc"))


BY_TYPE = """
from typing import NamedTuple
from evstore.jit import by_type, kernel

class Sum(NamedTuple):
    start: int

class Product(NamedTuple):
    start: int
    factors: object

@kernel
def total(way, values):
    found = way.start
    for i in range(values.size):
        found += values[i]
    return found

@kernel
def product(way, values):
    found = way.start
    for i in range(values.size):
        found += values[i] * way.factors[i]
    return found

fold_one = by_type({Sum: total, Product: product})

@kernel
def fold(way, values):
    return fold_one(way, values)
"""

CALL_BY_TYPE = """
import numpy as np
from numba.core.errors import TypingError
from probe_kernels import Product, Sum, fold
values = np.arange(5, dtype=np.int64)
for way in (Sum(3), Product(1, values)):
    print(int(fold(way, values)), int(fold.py_func(way, values)))
try:
    fold((1,), values)
except TypingError:
    print("no such type")
"""


def test_by_type(tmp_path: Path) -> None:
    """The kernel that the type says, compiled and not; cached as all are."""
    package = tmp_path / "package"
    install(package)
    (package / "probe_kernels.py").write_text(BY_TYPE)
    cache, found = tmp_path / "cache", []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", CALL_BY_TYPE],
            env=environment(package, NUMBA_CACHE_DIR=str(cache)),
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.split("\n") == ["13 13", "31 31", "no such type", ""]
        found.append({path: path.stat().st_mtime_ns for path in cache.rglob("*.fold-*")})
    assert len(found[0]) == 3  # an index, and code for each type
    assert found[0] == found[1]
