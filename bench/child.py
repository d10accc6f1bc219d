"""Processes that bench starts: each with this checkout's evstore and bench."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.recordings import ROOT


def environment(**changes: str) -> dict[str, str]:
    """This process's, with the checkout first where Python looks for modules, and changes."""
    folders = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), **changes}


def run(*arguments: str, check: bool = True, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with these arguments, and changes of the environment; take what it prints."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(**changes),
        check=check,
        capture_output=True,
        text=True,
    )
