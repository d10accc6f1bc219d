"""Processes that bench starts: each with this checkout's evstore and bench."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.recordings import ROOT


def environment() -> dict[str, str]:
    """This process's, with the checkout first where Python looks for modules."""
    folders = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run this Python with these arguments and take what it prints."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(),
        check=check,
        capture_output=True,
        text=True,
    )
