"""Codec 2's steps in vector registers mean what the plain ones do."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from conftest import ROOT
from evstore.codec import vector_columns as columns
from evstore.codec import vector_copy, vector_lanes
from evstore.codec.cell_kernels import CONTEXTS, forget, tell_polarity
from evstore.codec.frequency_kernels import share_slots
from evstore.codec.llvm import HAS_LANES, PAST_ALIGN
from evstore.codec.model_format import (
    LANES,
    LARGE_CELLS,
    MOST_LEAF_BITS,
    NIBBLE_BITS,
    SLOTS,
    SMALL_CELLS,
    STEP_BASE,
    STEP_RAW,
    TIME_BASE,
    TIME_RAW,
    TOKEN_BITS,
)
from evstore.codec.model_table_kernels import fill_table
from evstore.codec.modelled_lanes_kernels import Model, take_events
from evstore.codec.rans_kernels import LEAST, lane_start, refill, take_symbol
from evstore.codec.vector_decoding import drain
from evstore.codec.vector_stream import STEP_WORDS
from evstore.jit import kernel
from guards import FILL, GUARD
from modelled import digest

U = np.uint64


@kernel
def take_nibble_steps(
    lanes: Any, table: Any, bits: Any, count: Any, words: Any, at: Any, out: Any, to: Any
) -> Any:
    return vector_lanes.take_nibble_steps(lanes, table, bits, count, words, at, out, to)


@kernel
def take_steps(
    steps: Any, near: Any, token_bits: Any, leaf_bits: Any, shift: Any, bands: Any,
    tokens: Any, leaves: Any, lanes: Any, count: Any, words: Any, at: Any, times: Any, places: Any,
) -> Any:  # fmt: skip
    return vector_lanes.take_steps(
        steps, near, token_bits, leaf_bits, shift, bands,
        tokens, leaves, lanes, count, words, at, times, places,
    )  # fmt: skip


@kernel
def lay_out_times(
    times: Any, at: Any, unit: Any, base: Any, firsts: Any, lane: Any, step: Any, t: Any
) -> None:
    columns.lay_out_times(times, at, unit, base, firsts, lane, step, t)


@kernel
def lay_out_flags(times: Any, at: Any, firsts: Any, lane: Any, step: Any, p: Any) -> None:
    columns.lay_out_flags(times, at, firsts, lane, step, p)


@kernel
def lay_out_halves(
    places: Any, at: Any, shift: Any, low: Any, firsts: Any, lane: Any, step: Any, out: Any
) -> None:
    columns.lay_out_halves(places, at, shift, low, firsts, lane, step, out)


@kernel
def lay_out_cells(
    places: Any, at: Any, minor_bits: Any, firsts: Any, lane: Any, step: Any, cells: Any
) -> None:
    columns.lay_out_cells(places, at, minor_bits, firsts, lane, step, cells)


@kernel
def copy_past(source: Any, target: Any, count: Any) -> None:
    vector_copy.copy_past(source, target, count)
    drain()


# ------------------------------------------------------------------------------------- lanes


def numbers(rng: np.random.Generator, bits: int, size: int) -> Any:
    """As uint64, a third of them extremes."""
    found = rng.integers(0, 1 << bits, size, dtype=np.uint64)
    ends = rng.choice(np.array([0, 1, (1 << bits) - 1], np.uint64), size)
    return np.where(rng.random(size) < 0.3, ends, found)


def table_of(rng: np.random.Generator, bits: int, about: Any) -> Any:
    """A table of 2**bits slots of so many symbols at most."""
    classes = rng.integers(0, 32, min(len(about), 1 << bits)).astype(np.uint8)
    classes[rng.integers(0, len(classes))] = rng.integers(1, 32)
    slots, table = np.zeros(len(classes), np.uint32), np.zeros(1 << bits, np.uint64)
    assert share_slots(classes, U(bits), slots)
    fill_table(table, slots, about)
    return table


def token_tables(rng: np.random.Generator, model: Model) -> Any:
    """One, or of each polarity one, as read_tokens makes them."""
    count = int(rng.choice([1, 3, 400]))
    times = rng.integers(0, len(TIME_BASE), count)
    steps = rng.integers(0, len(STEP_BASE) if model.steps else 2, count)
    p = rng.integers(0, 2, count).astype(np.uint64) if model.in_tokens else np.zeros(count, U)
    about = TIME_RAW[times] | (STEP_RAW[steps] << U(4)) | (STEP_BASE[steps] << U(24))
    about |= (TIME_BASE[times] | (p << U(15))) << U(8)
    tables = 2 if model.in_tokens else 1
    return np.concatenate([table_of(rng, int(model.token_bits), about) for _ in range(tables)])


def leaf_tables(rng: np.random.Generator, model: Model) -> Any:
    """Of each band one, any numbers in them."""
    tables = []
    for _ in range(int(model.bands) + model.near):
        count = int(rng.choice([1, 2, 300]))
        about = rng.integers(0, MOST_LEAF_BITS + 1, (count, 2)).astype(np.uint64) @ [U(1), U(16)]
        about |= (numbers(rng, 16, count) << U(8)) | (numbers(rng, 16, count) << U(24))
        tables.append(table_of(rng, int(model.leaf_bits), about))
    return np.concatenate([*tables, np.zeros(SLOTS, np.uint64)])[:SLOTS]


def models(rng: np.random.Generator) -> list[Model]:
    found = []
    for steps, near, in_tokens in np.ndindex(2, 2, 2):
        if in_tokens and not steps:
            continue
        leaf_bits, bands = int(rng.integers(0, 9)), int(rng.integers(1, 32 - near))
        found.append(
            Model(
                bool(steps), bool(in_tokens), bool(near), U(TOKEN_BITS - in_tokens),
                U(leaf_bits), U(rng.integers(0, 16)), U(bands if steps else 1),
            )
        )  # fmt: skip
    return found


def lanes_of(rng: np.random.Generator, model: Model) -> Any:
    """States, sums of times and places before, and room."""
    sums = numbers(rng, 32 if model.in_tokens else 31, LANES)
    return np.concatenate([states_of(rng), sums, numbers(rng, 32, LANES), np.zeros(64, U)])


def states_of(rng: np.random.Generator) -> Any:
    """None is below LEAST, in a spoilt payload neither: each is refilled as soon as it is."""
    return np.maximum(numbers(rng, 32, LANES), LEAST)


@pytest.mark.parametrize("case", range(20))
def test_events_of_all_lanes(case: int, seed: int) -> None:
    rng = np.random.default_rng([seed, case])
    for model in models(rng):
        tokens, leaves = token_tables(rng, model), leaf_tables(rng, model)
        fast, count = lanes_of(rng, model), int(rng.choice([0, 1, 9]))
        at = int(rng.integers(0, 40))
        size = at + STEP_WORDS + int(rng.choice([-1, 0, 1, 300, 2500]))
        words = numbers(rng, 16, size).astype(np.uint16)
        plain = fast.copy()
        got, expected = np.full((2, 2, (count + 1) * LANES), FILL, np.uint32)
        told = (model.token_bits, model.leaf_bits, model.shift, model.bands, tokens, leaves)
        done, behind = take_steps(
            model.steps, model.near, *told, fast, U(count), words, U(at), got[0], got[1]
        )
        assert done <= count
        if HAS_LANES and size >= at + STEP_WORDS * max(count, 1):
            assert done == count
        states, sums, before, about, raw = plain.reshape(5, LANES)
        place = U(at)
        for k in range(int(done)):
            place = take_events(
                model, tokens, leaves, U(LANES), states, sums, before, about, raw,
                words, place, U(size), expected[0], expected[1], U(k * LANES),
            )  # fmt: skip
        assert int(behind) == int(place) <= size
        assert fast[: 3 * LANES].tolist() == plain[: 3 * LANES].tolist()
        assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("case", range(20))
def test_nibbles_of_all_lanes(case: int, seed: int) -> None:
    rng = np.random.default_rng([seed, case])
    table = table_of(rng, NIBBLE_BITS, np.arange(16, dtype=np.uint64) << U(8))
    fast, count, at = states_of(rng), int(rng.integers(0, 30)), int(rng.integers(0, 40))
    size = at + STEP_WORDS + int(rng.choice([-1, 0, 1, 300, 2500]))
    words = numbers(rng, 16, size).astype(np.uint16)
    plain = fast.copy()
    got = np.full(2 * GUARD + LANES // 2 * count, FILL, np.uint8)
    told = (fast, table, U(NIBBLE_BITS), U(count), words, U(at), got, U(GUARD))
    done, behind = take_nibble_steps(*told)
    assert bool(done) == bool(HAS_LANES and count and size >= at + STEP_WORDS)
    expected, place = np.full(len(got), FILL, np.uint8), U(at)
    for step in range(int(done)):
        for lane in range(LANES):
            state, entry = take_symbol(plain[lane], table, U(0), U(NIBBLE_BITS))
            plain[lane], place = refill(state, words, place, U(size))
            k = GUARD + (step * LANES + lane) // 2
            v = int(entry) >> 8
            expected[k] = expected[k] | v << 4 if lane % 2 else v
    assert int(behind) == int(place)
    assert fast.tolist() == plain.tolist()
    assert got.tolist() == expected.tolist()


# ----------------------------------------------------------------------------------- columns


def expect_same(rng: np.random.Generator, dtype: Any, plain: Any, fast: Any, *told: Any) -> None:
    """16 steps of 16 lanes from values that lie where ``told`` says, to the same places."""
    n = int(rng.integers(16 * LANES, 40 * LANES))
    firsts = np.array([lane_start(U(lane), U(n)) for lane in range(LANES)], np.uint64)
    values = numbers(rng, 32, 20 * LANES).astype(np.uint32)
    step, lane = int(rng.integers(0, n // LANES - 15)), int(rng.choice([0, 16]))
    at = U(int(rng.integers(0, 5)) * LANES + lane)
    expected, got = np.full((2, n + 2 * GUARD), FILL, dtype)
    place = (firsts, U(lane), U(step))
    with np.errstate(over="ignore"):
        plain(values, at, *told, *place, expected[GUARD:])
    fast(values, at, *told, *place, got[GUARD:])
    assert got.tolist() == expected.tolist()


def test_times_to_their_column(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for unit in (1, 2, 1000, 65_535):
        for bits in (10, 63, 64):
            told = (U(unit), numbers(rng, bits, LANES))
            expect_same(rng, np.int64, columns.lay_out_times, lay_out_times, *told)


def test_polarities_of_times_to_their_column(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(10):
        expect_same(rng, np.uint8, columns.lay_out_flags, lay_out_flags)


@pytest.mark.parametrize("low", [0, 1, 300, 0x7FFF, 0x8000, 0xFFFF])
@pytest.mark.parametrize("shift", [0, 16])
def test_coordinates_to_their_columns(low: int, shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = (U(shift), np.uint16(low))
    for _ in range(3):
        expect_same(rng, np.uint16, columns.lay_out_halves, lay_out_halves, *told)


@pytest.mark.parametrize("minor_bits", range(17))
def test_cells_of_places(minor_bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    expect_same(rng, np.uint32, columns.lay_out_cells, lay_out_cells, U(minor_bits))


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.uint8])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 200])
def test_copies_past_the_cache(dtype: Any, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 127, count + 70).astype(dtype)
    per_16_bytes = PAST_ALIGN // source.itemsize
    for off in (0, 1, per_16_bytes - 1, per_16_bytes, 3 * per_16_bytes):
        got = np.full(count + 2 * GUARD, FILL, dtype)
        expected = got.copy()
        a = GUARD + off
        expected[a : a + count] = source[3 : 3 + count]
        copy_past(source[3:], got[a : a + count], U(count))
        assert got.tolist() == expected.tolist()


# ---------------------------------------------------------------------------------- polarity


def told_one_by_one(
    cells: Any, predicted: int, sure: int, unsure_bits: Any, sure_bits: Any
) -> tuple[list[int], int]:
    """(polarities, how many were sure): what tell_polarity means."""
    small, large = [0] * SMALL_CELLS, [0] * LARGE_CELLS
    wrong = (iter(unsure_bits), iter(sure_bits))
    found, count = [], 0
    for cell in cells.tolist():
        a, b = cell & 0xFFFF, cell >> 16
        context = small[a] | large[b] << 2
        is_sure = int(sure >> context) & 1
        p = predicted >> context & 1 ^ int(next(wrong[is_sure]))
        small[a], large[b] = 2 | p, (large[b] << 1 | p) & 3
        count += is_sure
        found.append(p)
    return found, count


@pytest.mark.parametrize("n", [1, 7, 39, 40, 41, 64, 80, 333])
def test_polarity_is_told_bit_by_bit(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    small, large = np.zeros(SMALL_CELLS, np.uint8), np.zeros(LARGE_CELLS, np.uint8)
    for sure in (0, 0xFFFF, 0x5A5A, int(rng.integers(1 << CONTEXTS))):
        predicted = int(rng.integers(1 << CONTEXTS))
        spread = int(rng.choice([1, 5, 1000]))
        cells = rng.integers(0, spread, n) * 65_537 % (1 << 30)
        cells = cells.astype(np.uint32)
        bits = rng.integers(0, 2, (2, n)).astype(np.uint8)
        sure_from = n // 8 + 8
        wrong = rng.integers(0, 256, 2 * (n // 8 + 16)).astype(np.uint8)
        for row, start in zip(bits, (0, sure_from), strict=True):
            packed = np.packbits(row, bitorder="little")
            wrong[start : start + len(packed)] = packed
        p = np.full(n + 2, FILL, np.uint8)
        forget(cells, small, large)
        told = (cells, U(predicted), U(sure), wrong, U(sure_from), small, large, p[1:-1])
        count = tell_polarity(*told)
        assert (p[1:-1].tolist(), int(count)) == told_one_by_one(cells, predicted, sure, *bits)
        assert p[0] == p[-1] == FILL


# ------------------------------------------------------------------------------------- whole


def test_a_processor_without_avx512_codes_the_same(seed: int) -> None:
    """Payloads, events and what is wrong with spoilt ones, of all forms."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_CPU")}
    environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    environ["NUMBA_CPU_NAME"] = "generic"
    command = [sys.executable, str(ROOT / "tests" / "modelled.py"), str(seed)]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=250)
    assert ran.stdout == f"False {digest(seed)}\n", ran.stderr
