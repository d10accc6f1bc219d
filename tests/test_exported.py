"""What evstore says it exports is there."""

from __future__ import annotations

import evstore
from conftest import ROOT


def test_every_exported_name_resolves() -> None:
    missing = [name for name in evstore.__all__ if not hasattr(evstore, name)]
    assert not missing


def test_exported_once_each_and_listed() -> None:
    assert len(set(evstore.__all__)) == len(evstore.__all__)
    assert set(evstore.__all__) <= set(dir(evstore))


def test_the_version_is_the_packages() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{evstore.__version__}"\n' in project
