"""What becomes of the items of a run, station by station."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from visionquery.images.content import Content
from visionquery.types import Facts, Vector

__all__ = ["Encoded", "Failed", "Known", "Loaded", "Outcome", "Ready", "Several"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Item]):
    """What there is to decode of an item's file."""

    item: Item
    content: Content
    read_seconds: float


@dataclass(frozen=True, slots=True)
class Failed(Generic[Item]):
    """An item that gave no usable picture. Where that `may_pass`, as when its bytes were not had,
    it is worth trying again; otherwise the verdict holds until the file changes. `image_id` is
    "" where it is not known."""

    item: Item
    reason: str
    image_id: str = ""
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class Several(Generic[Item]):
    """An item whose file holds several pictures, each an item of its own."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Known(Generic[Item]):
    """An item whose image needs no encoding."""

    item: Item
    image_id: str
    read_seconds: float


@dataclass(frozen=True, slots=True)
class Ready(Generic[Item]):
    """An item whose image is decoded: `prepared` is the encoder's input, float32 (3, S, S)."""

    item: Item
    image_id: str
    facts: Facts
    prepared: NDArray[np.float32]
    read_seconds: float
    decode_seconds: float


@dataclass(frozen=True, slots=True)
class Encoded(Generic[Item]):
    """An item whose image has its vector. Seconds are those that threads spent on it."""

    item: Item
    image_id: str
    facts: Facts
    vector: Vector
    read_seconds: float
    decode_seconds: float
    encode_seconds: float


Outcome = Failed[Item] | Known[Item] | Encoded[Item]
