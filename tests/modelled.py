"""Made-up chunks of codec 2 in every form that it has, whatever form is the cheapest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
import xxhash
from numpy.typing import NDArray

from evstore.codec.chunk import blocks_of
from evstore.codec.llvm import HAS_LANES
from evstore.codec.model_format import NEAR, STEPS, SWAPPED
from evstore.codec.modelled_decode_kernels import decode_chunks
from evstore.codec.modelled_encode_kernels import encode_modelled
from evstore.codec.modelled_room import Room, decode_room, encode_room
from evstore.codec.modelled_shape_kernels import IN_TOKENS
from evstore.events import Events
from streams import COORDINATES, POLARITIES, TIMES, piece

Words = NDArray[np.uint16]
FLAGS = {"steps": STEPS, "swapped": SWAPPED, "near": NEAR, "tokens": IN_TOKENS}
#: By name: tokens can hold the polarity only beside steps.
FORMS = {
    "+".join(name for name, flag in FLAGS.items() if form & flag) or "plain": form
    for form in range(16)
    if form & STEPS or not form & IN_TOKENS
}


def encode_as(form: int, events: Events, encode: Callable[..., int] = encode_modelled) -> Words:
    """The payload of a chunk in a form of FORMS; what cannot be in it is as near as can be."""
    n = len(events)
    words = np.zeros(20_000 + 12 * n, np.uint16)
    t, x, y, p = events.t, events.x, events.y, events.p
    extents = (x.min(), x.max(), y.min(), y.max())
    used = encode(t, x, y, p, extents, int(p.sum()), form, words, encode_room(n))
    assert used > 0
    return words[:used]


def whole_chunk(words: Words, n: int) -> NDArray[np.int64]:
    """What decode_chunks is told of a chunk that fills ``words``."""
    return np.array([0, len(words), n, 0, blocks_of(n), 0])


def decoded(
    words: Words,
    n: int,
    room: Room | None = None,
    past: bool = False,
    decode: Callable[..., int] = decode_chunks,
) -> tuple[int, Events]:
    """(what is wrong, events)"""
    back = Events.of(np.zeros(n, np.int64), *np.zeros((2, n), np.uint16), np.zeros(n, np.uint8))
    columns = (back.t, back.x, back.y, back.p)
    code = decode(words, whole_chunk(words, n), *columns, past, room or decode_room(n))
    return int(code), back


def walk(n: int, seed: int = 1) -> Events:
    """As a moving edge gives them: near each other in place and polarity, with a few far steps."""
    rng = np.random.default_rng(seed)
    t = 1000 + np.cumsum(rng.integers(0, 9, n))
    t[rng.random(n) < 0.02] -= 40
    x = 100 + np.cumsum(rng.integers(-2, 3, n))
    y = 60 + np.cumsum(rng.random(n) < 0.1)
    far = rng.random(n) < 0.05
    x, y = np.where(far, rng.integers(0, 640, n), x), np.where(far, rng.integers(0, 480, n), y)
    p = (np.cumsum(rng.random(n) < 0.06) & 1).astype(np.uint8)
    return Events(t, np.clip(x, 0, 639), np.clip(y, 0, 479), p)


def made_up(lengths: tuple[int, ...], seed: int) -> Iterator[tuple[int, Events]]:
    """(form, events) of all forms: a walk, and a piece of kinds picked by the seed."""
    rng = np.random.default_rng(seed)
    for form in FORMS.values():
        for n in lengths:
            yield form, walk(n, int(rng.integers(1 << 30)))
            kinds = [str(rng.choice(sorted(table))) for table in (TIMES, *[COORDINATES] * 2)]
            polarity = str(rng.choice(sorted(POLARITIES)))
            yield form, piece(n, *kinds, polarity, int(rng.integers(1 << 30)))


AWKWARD = (0, 1, 2, 15, 16, 17, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)


def mutate(words: Words, rng: np.random.Generator) -> Words:
    """A payload with some words changed, many of the head and the tables, or cut, or longer."""
    words = words.copy()
    for _ in range(int(rng.integers(1, 4))):
        near = int(rng.choice([16, 16 + int(words[11]), len(words)]))
        at = rng.integers(0, min(near, len(words)))
        words[at] = rng.choice(AWKWARD) if rng.random() < 0.4 else rng.integers(0, 65_536)
    kind = rng.random()
    if kind < 0.1:
        return words[: rng.integers(0, len(words))].copy()
    if kind < 0.2:
        return np.concatenate([words, words[: rng.integers(0, len(words))]])
    return words


def digest(seed: int, lengths: tuple[int, ...] = (1, 31, 33, 700, 5000)) -> str:
    """Of payloads, of what they decode to, and of what spoilt ones do."""
    rng = np.random.default_rng(seed)
    hashed = xxhash.xxh3_128()
    for k, (form, events) in enumerate(made_up(lengths, seed)):
        n = len(events)
        words = encode_as(form, events)
        hashed.update(words.tobytes())
        assert decoded(words, n, past=bool(k % 2)) == (0, events)
        for _ in range(4):
            spoilt = mutate(words, rng)
            code, back = decoded(spoilt, n)
            hashed.update(repr(code).encode())
            if not code:
                hashed.update(back.t.tobytes() + back.x.tobytes())
                hashed.update(back.y.tobytes() + back.p.tobytes())
    return hashed.hexdigest()


if __name__ == "__main__":
    print(HAS_LANES, digest(int(sys.argv[1])))
