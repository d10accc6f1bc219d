"""What `evstore formats` says of a format is so."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import evstore
import vectors
from command_line import run
from conftest import ROOT
from evstore.formats import conformance, registry
from evstore.formats.facts import facts

MODULES = [module for module in registry.all_formats() if module.NAME != "evs"]
each = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.NAME)


@cache
def said_of(name: str, kind: str = "vectors") -> list[dict[str, object]]:
    """What stands beside the vectors (or bad files) of a format."""
    paths = conformance.files(vectors.FORMATS / name, kind)
    beside = [path.with_suffix(".json") for path in paths]
    return [json.loads(path.read_text(encoding="utf-8")) for path in beside if path.is_file()]


@cache
def sources_of_tests() -> dict[str, str]:
    paths = (ROOT / "tests").glob("test_*.py")
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path != Path(__file__)}


@each
def test_what_it_keeps_is_in_its_vectors(module: ModuleType) -> None:
    met: set[str] = set()
    for said in said_of(module.NAME):
        met |= {name for name in ("triggers", "label") if said.get(name) is not None}
        met |= set(said.get("side", {}))  # type: ignore[call-overload]
    assert met - {"image_bytes"} == set(module.KEEPS)


@each
def test_what_its_writer_takes_is_kept_by_its_reader(module: ModuleType) -> None:
    assert set(facts(module)["takes"]) <= set(module.KEEPS)


@each
def test_what_it_asks_for_is_given_with_a_vector(module: ModuleType) -> None:
    given = {
        f"--{name.replace('_', '-')}"
        for said in [*said_of(module.NAME), *said_of(module.NAME, "bad")]
        for name in said.get("options", {})  # type: ignore[attr-defined]
    }
    assert given - {"--stream"} == set(module.ASKS if hasattr(module, "ASKS") else ())


@each
def test_the_packages_are_in_the_tests(module: ModuleType) -> None:
    """In a file of tests that is about this format."""
    for package in facts(module)["packages"]:
        words = rf'\bimport {package}\b|importorskip\("{package}|"{package}"'
        used = re.compile(r"\bnp\.(load|save)" if package == "numpy" else words)
        about = re.compile(rf'\b{module.NAME}\b|"{module.NAME}')
        files = [
            name
            for name, text in sources_of_tests().items()
            if used.search(text) and about.search(text)
        ]
        assert files, f"no test has {package} and {module.NAME}"


def test_the_files_of_others_are_in_the_catalogue(data_dir: Path) -> None:
    listed = json.loads((data_dir / "EXPECTED.json").read_text(encoding="utf-8"))
    met = set()
    for name in listed:
        path = data_dir / name
        with open(path, "rb") as file:
            head = file.read(65_536)
        if "headerless" not in name:
            met.add(registry.detect(head, path.stat().st_size, path.suffix).NAME)
    assert met == {module.NAME for module in MODULES if facts(module)["files_of_others"]}


@pytest.mark.parametrize(
    "name",
    ["atis/nmnist_sample.bin", "eventstream/poker_trcl0.es", "prophesee/gen3_vga_b_evt2.raw",
     "prophesee/ncars_type0.dat", "eventstream/atis.es"],
)  # fmt: skip
def test_how_files_of_others_come_back(data_dir: Path, tmp_path: Path, name: str) -> None:
    evstore.convert(data_dir / name, tmp_path / "a.evs")
    with evstore.open(data_dir / name) as rec:
        module = registry.by_name(rec.format)
    target = tmp_path / f"b{Path(name).suffix}"
    receipt = evstore.convert(tmp_path / "a.evs", target, output_format=module.NAME)
    assert not isinstance(receipt, list)
    claimed = facts(module)["restores"]
    if "atis.es" in name:
        assert "ATIS: event for event" in claimed
        claimed = "event for event"
    assert receipt.restored == claimed.partition(" (")[0]


@pytest.mark.parametrize("module", registry.all_formats(), ids=lambda module: module.NAME)
def test_all_of_one(module: ModuleType) -> None:
    shown = run("formats", module.NAME)
    assert shown.code == 0
    assert f"formats/{module.NAME}/SPEC.md" in shown.out
    found = run("formats", module.NAME, "--json").json
    assert found == facts(module)
    assert found["pipe"] is not module.SEEKS
    assert found["several_streams"] == (hasattr(module, "streams") or module.NAME == "evs")
    assert ("--untrusted" in shown.out) == getattr(module, "C_PARSED", False)
    assert (ROOT / found["spec"]).is_file()


def test_the_table() -> None:
    lines = run("formats").out.splitlines()
    assert max(map(len, lines)) <= 100
    assert len([line for line in lines if "files" in line]) > 10
    assert run("formats", "evt5").code == 2


def test_a_module_of_another_package_may_say_nothing() -> None:
    module = ModuleType("celex")
    module.__dict__.update(
        NAME="celex", TITLE="CeleX", SUFFIXES=(".clx",), INPUT_FORMATS=("celex",), WRITES=False,
        SEEKS=False,
    )  # fmt: skip
    found = facts(module)
    assert (found["keeps"], found["packages"], found["writes"]) == ([], [], False)
