"""Small damage to bytes: what a broken disk, a cut-off copy or an attacker does to a file."""

import random
from collections.abc import Sequence

__all__ = ["KINDS", "Edit", "edited", "random_edits"]

KINDS = ("flip", "put", "insert", "cut", "remove", "repeat", "number")

Edit = tuple[str, int, bytes]
"""A kind, a place (taken modulo the length of what is edited) and the bytes it is done with."""

_NUMBERS = tuple(map(bytes.fromhex, ("00000000", "ffffffff", "7fffffff", "ffffff7f", "80000000")))
_MOST_EDITS = 6


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return data with edits done to it, one after the other."""
    for kind, place, patch in edits:
        data = _edited(data, kind, place % (len(data) + 1), patch)
    return data


def _edited(data: bytes, kind: str, place: int, patch: bytes) -> bytes:
    before, after = data[:place], data[place:]
    match kind:
        case "flip":
            bit = 1 << (len(patch) % 8)
            return before + bytes(byte ^ bit for byte in after[:1]) + after[1:]
        case "put":
            return before + patch + after[len(patch) :]
        case "insert":
            return before + patch + after
        case "cut":
            return before
        case "remove":
            return before + after[len(patch) :]
        case "repeat":
            return before + after[:64] * (1 + len(patch)) + after[64:]
        case _:
            number = _NUMBERS[len(patch) % len(_NUMBERS)]
            return before + number + after[len(number) :]


def random_edits(chance: random.Random) -> list[Edit]:
    """Return a few edits drawn by chance."""
    return [
        (chance.choice(KINDS), chance.randrange(1 << 20), chance.randbytes(chance.randrange(9)))
        for _ in range(chance.randint(1, _MOST_EDITS))
    ]
