"""The stream of codec 2: what its lanes take, put there in reverse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evstore.codec.model_format import LANES, NIBBLE_BITS
from evstore.codec.modelled_room import Workspace
from evstore.codec.rans_kernels import put_pair, put_symbol
from evstore.codec.vector_put import put_steps
from evstore.jit import kernel

U = np.uint64


@kernel
def put_events(
    n: int, token_bits: np.uint64, slot_bits: np.uint64, at: np.uint64, ws: Workspace
) -> np.uint64:
    """The stream of all events, the last first."""
    steps, rest = n // LANES, n % LANES
    at = put_step(steps * LANES, rest, token_bits, slot_bits, at, ws)
    left, at = put_steps(
        ws.tokens, ws.token_raw, ws.token_entries, token_bits,
        ws.leaves, ws.leaf_raw, ws.leaf_entries, slot_bits,
        ws.states, U(steps), ws.stream, at,
    )  # fmt: skip
    for step in range(int(left) - 1, -1, -1):
        at = put_step(step * LANES, LANES, token_bits, slot_bits, at, ws)
    return at


@kernel
def put_step(
    first: int,
    lanes: int,
    token_bits: np.uint64,
    slot_bits: np.uint64,
    at: np.uint64,
    ws: Workspace,
) -> np.uint64:
    """An event of each lane, the inverse of take_events; ``first`` is the first lane's."""
    tokens, leaves = ws.tokens[first : first + lanes], ws.leaves[first : first + lanes]
    raw = ws.leaf_raw[first : first + lanes]
    at = put_symbols(leaves, raw, ws.leaf_entries, slot_bits, at, ws)
    raw = ws.token_raw[first : first + lanes]
    return put_symbols(tokens, raw, ws.token_entries, token_bits, at, ws)


@kernel
def put_symbols(
    symbols: NDArray[np.uint16],
    raw: NDArray[np.uint32],
    entries: NDArray[np.uint32],
    bits: np.uint64,
    at: np.uint64,
    ws: Workspace,
) -> np.uint64:
    """A symbol of each lane and its raw bits, which are taken after it."""
    for second in (True, False):
        for lane in range(symbols.size - 1, -1, -1):
            entry = entries[symbols[lane]]
            ws.states[lane], at = put_pair(ws.states[lane], raw[lane], entry, second, ws.stream, at)
    for lane in range(symbols.size - 1, -1, -1):
        entry = entries[symbols[lane]]
        ws.states[lane], at = put_symbol(ws.states[lane], entry, bits, ws.stream, at)
    return at


@kernel
def put_nibbles(
    nibbles: NDArray[np.uint8], entries: NDArray[np.uint32], at: np.uint64, ws: Workspace
) -> np.uint64:
    """The inverse of take_nibbles."""
    for i in range(nibbles.size - 1, -1, -1):
        lane = i % LANES
        ws.states[lane], at = put_symbol(
            ws.states[lane], entries[nibbles[i]], U(NIBBLE_BITS), ws.stream, at
        )
    return at


@kernel
def gather_wrong(
    p: NDArray[np.uint8],
    predicted: np.uint64,
    sure: np.uint64,
    sure_from: np.uint64,
    nibbles: NDArray[np.uint8],
    contexts: NDArray[np.uint8],
) -> None:
    """Where predictions are wrong, four to a nibble: of events not sure, then of others."""
    n = p.size
    for k in range(nibbles.size):
        nibbles[k] = np.uint8(0)
    a = U(0)
    b = sure_from << U(2)
    for i in range(n):
        c = U(contexts[i])
        wrong = (U(p[i]) ^ (predicted >> c)) & U(1)
        s = (sure >> c) & U(1)
        k = b if s else a  # type: ignore[assignment]
        nibbles[k >> U(2)] |= np.uint8(wrong << (k & U(3)))
        b += s
        a += s ^ U(1)
