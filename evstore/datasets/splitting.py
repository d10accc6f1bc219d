"""Splits made after packing: a rule that gives every recording a split, kept in the manifest.

The shards keep the splits that they were packed with; only the manifest has the new ones, with
the rule, so that `evstore dataset index` applies it again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import Any

from evstore.datasets.manifest import NAME, Manifest, read_manifest, write_manifest
from evstore.errors import ArgumentError, CorruptError

RULE = "split"  # its key in Manifest.about
SUM_TOLERANCE = 1e-6  # of fractions such as 0.3333333


def split(
    folder: str | os.PathLike[str],
    fractions: Mapping[str, float] | None = None,
    *,
    by: str | None = None,
    stratify: str | None = "label",
    seed: int = 0,
    groups: bool = True,
) -> Manifest:
    """Give every recording of a dataset a split, by ``fractions`` or ``by`` a column's values.

    ``fractions``: ``{"train": 0.8, "test": 0.2}``, summing to 1. The sizes are the exact ones,
    rounded by largest remainder; within each value of the column ``stratify`` (None: all as one)
    they are as near as that allows: of two splits, within one recording of exact. Recordings of a
    group stay together, and such a group counts as one, unless ``groups`` is False.

    Who goes where is a pure function of seed, ids, groups and the values of ``stratify``: not of
    order, shards or machine. Adding recordings may move others, since sizes are exact.

    Raises ArgumentError for a rule that cannot be applied, and as `read_manifest` does.

    >>> split("set/", {"train": 0.8, "val": 0.2}, seed=1)                    # doctest: +SKIP
    """
    if (fractions is None) == (by is None):
        raise ArgumentError("a split is by fractions or by a column: give one of them")
    rule: dict[str, Any] = {"groups": groups}
    if fractions is None:
        rule["by"] = by
    else:
        given = {name: float(part) for name, part in fractions.items()}
        rule |= {"fractions": given, "stratify": stratify, "seed": seed}
    made = apply_rule(read_manifest(folder), rule)
    write_manifest(made, folder)
    return made


def rule_of(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The rule in a folder's manifest; None without one, or without a manifest.

    Raises CorruptError, and FormatError as `read_manifest` does.
    """
    if not (Path(folder) / NAME).is_file():
        return None
    rule = read_manifest(folder).about.get(RULE)
    if rule is not None and not isinstance(rule, dict):
        raise CorruptError("the rule of the split is none", path=Path(folder) / NAME, got=rule)
    return rule


def apply_rule(manifest: Manifest, rule: Mapping[str, Any]) -> Manifest:
    """The manifest with the splits, and the rule. Raises ArgumentError where it does not fit."""
    if "by" in rule:
        values = _column(manifest, rule["by"])
        splits = [None if value is None else _text(value) for value in values]
        if rule.get("groups", True):
            _check_groups(manifest, splits, rule["by"])
    elif isinstance(fractions := rule.get("fractions"), dict):
        units = _Units(manifest, rule.get("stratify"), bool(rule.get("groups", True)))
        strata: dict[str, list[str]] = {}
        for unit, stratum in sorted(units.of.items()):
            strata.setdefault(stratum, []).append(unit)
        seed = rule.get("seed", 0)
        if type(seed) is not int:
            raise ArgumentError(f"a seed is a whole number, got {seed!r}")
        chosen = assign(strata, fractions, seed)
        splits = [chosen[unit] for unit in units.rows]
    else:
        raise ArgumentError(f"the split's rule has neither fractions nor a column: {dict(rule)!r}")
    import pyarrow as pa

    at = manifest.table.column_names.index("split")
    field = manifest.table.schema.field(at)
    table = manifest.table.set_column(at, field, pa.array(splits, pa.string()))
    return Manifest(table, manifest.classes, {**manifest.about, RULE: dict(rule)})


def assign(
    strata: Mapping[str, Sequence[str]], fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """The split of each unit; of each stratum as near to the fractions as exact totals allow.

    >>> chosen = assign({"a": ["1", "2", "3"], "b": ["4", "5"]}, {"x": 0.6, "y": 0.4}, 0)
    >>> sorted(chosen.values())
    ['x', 'x', 'x', 'y', 'y']
    """
    parts = _parts(fractions)
    totals = _rounded(sum(map(len, strata.values())), parts)
    left = {name: sorted(units, key=lambda u: _hash(seed, u)) for name, units in strata.items()}
    chosen: dict[str, str] = {}
    rest = Fraction(1)
    for split, part in parts.items():
        counts = _shares(left, part / rest, totals[split], seed, split)
        for name, count in counts.items():
            chosen |= dict.fromkeys(left[name][:count], split)
            left[name] = left[name][count:]
        rest -= part
    return chosen


def _parts(fractions: Mapping[str, float]) -> dict[str, Fraction]:
    """The fractions as what was typed, which sum to 1 exactly; the largest first."""
    numbers = [part for part in fractions.values() if isinstance(part, (int, float))]
    if not numbers or len(numbers) < len(fractions) or not all(0 < n <= 1 for n in numbers):
        raise ArgumentError(f"fractions lie above 0 and up to 1, got {dict(fractions)!r}")
    if not all(isinstance(name, str) and name for name in fractions):
        raise ArgumentError(f"a split needs a name, got {list(fractions)!r}")
    exact = {name: Fraction(str(part)) for name, part in fractions.items()}
    total = sum(exact.values())
    if abs(float(total) - 1) > SUM_TOLERANCE:
        raise ArgumentError(f"fractions must sum to 1, got {dict(fractions)!r}: {float(total):g}")
    # Not in the order that they were given in: the manifest does not keep it.
    ordered = sorted(exact.items(), key=lambda pair: (-pair[1], pair[0]))
    return {name: part / total for name, part in ordered}


def _rounded(count: int, parts: Mapping[str, Fraction]) -> dict[str, int]:
    """Whole numbers with that sum, by largest remainder; of equals the first."""
    quotas = {name: count * part for name, part in parts.items()}
    sizes = {name: int(quota) for name, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda name: sizes[name] - quotas[name])
    for name in by_remainder[: count - sum(sizes.values())]:
        sizes[name] += 1
    return sizes


def _shares(
    left: Mapping[str, Sequence[str]], part: Fraction, total: int, seed: int, split: str
) -> dict[str, int]:
    """How many of each stratum: ``total`` in all, as near to ``part`` of each as that allows."""
    quotas = {name: len(units) * part for name, units in left.items()}
    counts = {name: int(quota) for name, quota in quotas.items()}

    def shortfall(name: str) -> tuple[Fraction, bytes]:
        return counts[name] - quotas[name], _hash(seed, f"{split} {name}")

    while (missing := total - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        can = [name for name in counts if 0 <= counts[name] + step <= len(left[name])]
        for name in sorted(can, key=shortfall, reverse=step < 0)[: abs(missing)]:
            counts[name] += step
    return counts


def _hash(seed: int, text: str) -> bytes:
    return blake2b(f"{seed} {text}".encode("utf-8", "surrogateescape"), digest_size=16).digest()


class _Units:
    """What goes to one split as one: ``of`` maps each to its stratum, ``rows`` is each row's."""

    def __init__(self, manifest: Manifest, stratify: str | None, groups: bool) -> None:
        ids, of_group = manifest.values("id"), manifest.values("group")
        self.rows = [
            f"id {id}" if group is None or not groups else f"group {group}"
            for id, group in zip(ids, of_group, strict=True)
        ]
        met: dict[str, set[str]] = {}
        values = [None] * len(ids) if stratify is None else _column(manifest, stratify)
        for unit, value in zip(self.rows, values, strict=True):
            met.setdefault(unit, set()).add(json.dumps(value, sort_keys=True))
        self.of = {unit: json.dumps(sorted(found)) for unit, found in met.items()}


def _column(manifest: Manifest, name: str) -> list[Any]:
    have = [column for column in manifest.table.column_names if column != "split"]
    if name not in have:
        raise ArgumentError(f"the dataset has no column {name!r} to split by: {', '.join(have)}")
    return manifest.values(name)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check_groups(manifest: Manifest, splits: Sequence[str | None], by: str) -> None:
    of = [pair for pair in zip(manifest.values("group"), splits, strict=True) if pair[0]]
    parted = [group for group, n in Counter(group for group, _ in set(of)).items() if n > 1]
    if parted:
        raise ArgumentError(
            f"group {min(parted)!r} has recordings of several values of {by!r}: its sensors would "
            "be in several splits; pass groups=False (--part-groups) to have it so"
        )
