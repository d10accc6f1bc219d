"""What every test may use: real recordings where there are some, a seed that is always printed.

Tests run on all cores, each beside any other: what takes long is told by `time.process_time`, and
a limit of the clock is only for what would wait for ever.
"""

from __future__ import annotations

import os
import random
import sys
import tracemalloc
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from evstore.codec.chunk import PRESETS

if find_spec("triton") is not None:  # its kernels run anywhere, if it is told so before its import
    import torch

    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"

ROOT = Path(__file__).resolve().parent.parent
SEED = int(os.environ.get("EVSTORE_TEST_SEED") or random.SystemRandom().randrange(2**32))
os.environ["EVSTORE_TEST_SEED"] = str(SEED)  # the same in all processes that pytest-xdist starts

# No deadline and no word about slow data: the first example pays for compiling the kernels.
settings.register_profile(
    "evstore", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("evstore")


def pytest_report_header() -> str:
    return f"EVSTORE_TEST_SEED={SEED}"


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Left on, it would make all tests that follow several times as slow."""
    if tracemalloc.is_tracing():
        tracemalloc.stop()
        pytest.fail("the test has left tracemalloc on")


@pytest.fixture(autouse=True)
def _sinabs_defaults_stay() -> Iterator[None]:
    """sinabs' default threshold is one tensor: who changes it in place changes all later tests."""
    yield
    layers = sys.modules.get("sinabs.layers")
    if layers is not None:
        for kind in (layers.IAF, layers.LIF):
            (default,) = [d for d in kind.__init__.__defaults__ if hasattr(d, "is_leaf")]
            changed = float(default) != 1.0
            default.data.fill_(1.0)
            assert not changed, "the test has changed sinabs' default threshold"


@pytest.fixture
def seed() -> int:
    """A different seed each run, printed at the top of it; EVSTORE_TEST_SEED repeats a run."""
    return SEED


@pytest.fixture(scope="session", params=sorted(PRESETS, key=PRESETS.__getitem__))
def preset(request: pytest.FixtureRequest) -> str:
    """Each in turn: what a shard holds is the same in all of them."""
    return str(request.param)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings."""
    folder = Path(os.environ.get("EVSTORE_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "EXPECTED.json").is_file():
        pytest.skip(f"no real recordings in {folder}: set EVSTORE_TEST_DATA to their folder")
    return folder
