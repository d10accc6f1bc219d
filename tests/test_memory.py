"""The memory of a conversion does not grow with the file."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from command_line import environment
from conftest import ROOT

#: Bytes that a whole process may hold at most, Python, numpy and numba included.
MOST = 400 << 20

CONVERT = """
    import sys
    from bench.memory import peak_bytes
    from evstore.conversion import Job, Options, convert_one

    receipt = convert_one(Job(sys.argv[1], sys.argv[2]), Options(verify=True, overwrite=True))
    assert receipt.verified
    print(receipt.events, peak_bytes())
"""


def write_evt2(path: Path, n_events: int) -> None:
    """EVT2 as a busy sensor gives it: 64 us a time word, 16 events in it."""
    words = np.empty((4096, 17), "<u4")
    random = np.random.default_rng(1)
    with path.open("wb") as stream:
        stream.write(b"% evt 2.0\n% format EVT2;height=480;width=640\n% end\n")
        for first in range(0, n_events // 16, 4096):
            high = np.arange(first, first + 4096, dtype=np.uint32)
            words[:, 0] = np.uint32(8 << 28) | high
            low = np.sort(random.integers(0, 64, (4096, 16), np.uint32), axis=1)
            x, y = random.integers(0, 640, low.shape), random.integers(0, 480, low.shape)
            on = random.integers(0, 2, low.shape)
            words[:, 1:] = on << 28 | low << 22 | x << 11 | y
            stream.write(words[: min(4096, n_events // 16 - first)].tobytes())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no getrusage")
@pytest.mark.parametrize("suffix", [".evs", ".raw"])
def test_memory_is_bounded_and_the_same_for_any_length(tmp_path: Path, suffix: str) -> None:
    peaks = []
    for millions in (5, 20):
        path = tmp_path / f"{millions}.raw"
        write_evt2(path, millions * 1_000_000)
        ran = subprocess.run(
            [
                sys.executable,
                "-c",
                textwrap.dedent(CONVERT),
                str(path),
                str(tmp_path / f"a{suffix}"),
            ],
            cwd=ROOT,  # for bench
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        events, peak = map(int, ran.stdout.split())
        assert events == millions * 1_000_000
        path.unlink()
        peaks.append(peak)
    assert max(peaks) < MOST
    assert peaks[1] < 1.15 * peaks[0], peaks
