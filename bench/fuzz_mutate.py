"""Changed copies of a file: by chance, but where and how parsers tend to break."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

MOST = 128 << 10  # bytes of a copy
HEAD = 256  # bytes: half of the changes are made to what looks like a header
BLOCKS = (1, 2, 3, 4, 7, 8, 16, 33, 64, 512)
POWERS = (4, 7, 8, 10, 11, 12, 15, 16, 23, 24, 31, 32, 39, 40, 47, 48, 62, 63, 64)
INTERESTING = (0, 1, 2, *(n for k in POWERS for n in ((1 << k) - 1, 1 << k, (1 << k) + 1)))
NUMBERS = (
    *(b"", b"0", b"-1", b"1", b"255", b"256", b"65535", b"65536", b"2147483648", b"4294967296"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"1e9", b"1e400"),
    *(b"0.5", b"nan", b"inf", b"-inf", b"0x10", b"1_0", b"9" * 40, b"+7", b" 3 ", b"\xd9\xa3"),
)


class Material(NamedTuple):
    """What copies may be made with."""

    other: bytes  # another file of the corpus
    tokens: Sequence[bytes]  # words that the parser knows


def changed(content: bytes, material: Material, chance: random.Random) -> bytes:
    """A copy with one or a few changes."""
    octets = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        chance.choice(CHANGES)(octets, material, chance)
        del octets[MOST:]
    return bytes(octets)


def _place(octets: bytearray, chance: random.Random) -> int:
    most = len(octets)
    return chance.randrange(min(most, HEAD) if chance.random() < 0.5 else most) if most else 0


def _block(source: bytes | bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(source)) if source else 0
    return bytes(source[at : at + chance.choice(BLOCKS)])


def _put(octets: bytearray, piece: bytes, chance: random.Random) -> None:
    """Over what is there, or between."""
    at = _place(octets, chance)
    octets[at : at + (len(piece) if chance.random() < 0.6 else 0)] = piece


def flip_bit(octets: bytearray, material: Material, chance: random.Random) -> None:
    if octets:
        octets[_place(octets, chance)] ^= 1 << chance.randrange(8)


def set_byte(octets: bytearray, material: Material, chance: random.Random) -> None:
    if octets:
        octets[_place(octets, chance)] = chance.randrange(256)


def integer(octets: bytearray, material: Material, chance: random.Random) -> None:
    """One that parsers trip over, of some width and byte order."""
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice((*INTERESTING, len(octets), len(octets) - 1, len(octets) + 1))
    value = -value if chance.random() < 0.25 else value
    order = _order(chance)
    at = _place(octets, chance)
    octets[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


def add(octets: bytearray, material: Material, chance: random.Random) -> None:
    """A little to an integer of some width and byte order."""
    width, order = chance.choice((1, 2, 4, 8)), _order(chance)
    at = _place(octets, chance)
    value = int.from_bytes(octets[at : at + width], order) + chance.randint(-35, 35)
    if at + width <= len(octets):
        octets[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


def _order(chance: random.Random) -> str:
    return "little" if chance.random() < 0.75 else "big"


def remove(octets: bytearray, material: Material, chance: random.Random) -> None:
    at = _place(octets, chance)
    del octets[at : at + chance.choice(BLOCKS)]


def repeat(octets: bytearray, material: Material, chance: random.Random) -> None:
    """A block right behind itself, once or many times."""
    at = _place(octets, chance)
    block = bytes(octets[at : at + chance.choice(BLOCKS)])
    octets[at:at] = block * chance.choice((1, 1, 2, 9, 100))


def copy(octets: bytearray, material: Material, chance: random.Random) -> None:
    """A block of the file to another place."""
    _put(octets, _block(octets, chance), chance)


def take(octets: bytearray, material: Material, chance: random.Random) -> None:
    """A block of another file."""
    _put(octets, _block(material.other, chance), chance)


def splice(octets: bytearray, material: Material, chance: random.Random) -> None:
    """The beginning of this file and the end of another."""
    at = _place(octets, chance)
    there = at if chance.random() < 0.5 else chance.randrange(len(material.other) + 1)
    octets[at:] = material.other[there:]


def random_bytes(octets: bytearray, material: Material, chance: random.Random) -> None:
    count = chance.choice(BLOCKS)
    one = chance.choice((b"\x00", b"\xff", b" ", b"\n"))
    _put(octets, one * count if chance.random() < 0.4 else chance.randbytes(count), chance)


def cut(octets: bytearray, material: Material, chance: random.Random) -> None:
    """Mostly a little of the end."""
    if chance.random() < 0.7:
        del octets[max(0, len(octets) - chance.choice(BLOCKS)) :]
    else:
        del octets[_place(octets, chance) :]


def token(octets: bytearray, material: Material, chance: random.Random) -> None:
    """A word of the parser or of the file."""
    words = material.tokens
    if not words or chance.random() < 0.3:
        words = re.findall(rb"[\w#%.:/]{2,24}", octets[: 4 * HEAD]) or [b"\x00"]
    word = chance.choice(words)
    known = chance.choice(words)
    at = octets.find(known) if chance.random() < 0.5 else -1
    if at >= 0:
        octets[at : at + len(known)] = word
    else:
        _put(octets, word, chance)


def number(octets: bytearray, material: Material, chance: random.Random) -> None:
    """One that is written in digits."""
    found = re.compile(rb"-?\d+(\.\d+)?").search(octets, _place(octets, chance))
    if found:
        octets[found.start() : found.end()] = chance.choice(NUMBERS)


CHANGES: tuple[Callable[[bytearray, Material, random.Random], None], ...] = (
    *(flip_bit, set_byte, integer, integer, integer, add, add, remove, repeat, copy, take),
    *(splice, random_bytes, cut, token, token, number),
)
