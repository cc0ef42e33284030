"""The words that every room speaks: arrays, facts of a picture, identity of a model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Calibration",
    "Curve",
    "Decoded",
    "Facts",
    "KnownImage",
    "Line",
    "Matrix",
    "ModelIdentity",
    "Pixels",
    "Vector",
    "is_address",
]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_address(place: str) -> bool:
    """Return whether a place is an address (`s3://bucket/photos`), not a path of this machine.
    One letter is the name of a disk."""
    return _ADDRESS.match(place) is not None


Pixels = NDArray[np.uint8]
"""RGB picture, shape (height, width, 3), 0..255."""

Vector = NDArray[np.float32]
"""One unit-length embedding, shape (embed_dim,)."""

Matrix = NDArray[np.float32]
"""Unit-length embeddings as rows, shape (n, embed_dim)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of its picture. `width` and `height` are pixels as a person sees it,
    after the orientation mark is applied; `taken_at` is ISO 8601 to the second, in the
    camera's local time, with an offset only where the file has one; degrees are WGS 84."""

    width: int
    height: int
    format: str
    size_bytes: int
    camera: str | None = None
    taken_at: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What a library knows of an image: its id, what its file says, all absolute `paths` where it
    was seen, and the text that was read in it, "" when nothing stands there, None when nobody has
    looked. `fragments` says, of those paths whose file holds several images, which one it is."""

    image_id: str
    facts: Facts
    paths: tuple[str, ...]
    text: str | None = None
    fragments: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture ready for an encoder.

    `pixels` may be smaller than the picture (`facts.width` × `facts.height`) when the decoder
    was told that less is enough; the aspect is kept to within a pixel.
    """

    pixels: Pixels
    facts: Facts


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model made a vector. `fingerprint` covers everything that can change one;
    `source` is what `--model` was given to find it: a catalog name or a folder."""

    name: str
    fingerprint: str
    embed_dim: int
    source: str


@dataclass(frozen=True, slots=True)
class Line:
    """slope * (evidence - midpoint), in log-odds; `slope` is above 0."""

    slope: float
    midpoint: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The monotone curve of a model from evidence to confidence, for one kind of query.

    The confidence in an image is the probability that anything here matches (`presence`, None
    where that is not asked) times the probability that it is this image (`match`). Evidence is
    counted in spreads of what does not match: for a match how far a cosine lies above the query's
    usual ones; for presence how far the best lie above what the best of other queries get, and,
    `tail` times, above the query's usual ones.
    """

    match: Line
    presence: Line | None = None
    tail: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted for a model on labelled pictures.

    `text` and `picture` are the curves of the two kinds of queries. `exclusion` is the evidence
    of a match from which on an image counts as what a query excludes. `words` is what an image
    gains, in log-odds, whose own words (names, caption, keywords) hold all words of the query: the
    weight of words in a convex combination with the visual score, words / (1 + words), at the
    scale of that score.
    """

    text: Curve
    picture: Curve
    exclusion: float
    words: float
