"""How near the vectors of an encoder are to those it should give, and whether that is enough."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix

__all__ = [
    "LEAST_COSINE",
    "LEAST_OVERLAP",
    "LEAST_PICTURES",
    "LEAST_SINGLE_COSINE",
    "Fidelity",
    "Vectors",
    "compare",
]

LEAST_COSINE = 0.99
"""Mean cosine of a picture's (and a text's) two vectors. Published files that damage an order have
0.955; above 0.99, what changes in an order is among pictures that lie equally near."""

LEAST_SINGLE_COSINE = 0.95
"""The same of the worst picture or text: a good mean must not hide one that became another."""

LEAST_OVERLAP = 0.9
"""Share of nearest neighbours, and of best pictures for a text, that stay: nine of ten."""

LEAST_PICTURES = 16
"""Below this an overlap says nothing: a quarter of so few are the neighbours of each."""

_NEAREST = 10


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """What an encoder makes of some pictures, (n, embed_dim), and texts, (m, embed_dim)."""

    pictures: Matrix
    texts: Matrix


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Cosines of the two vectors of each picture and text, and the share, 0..1, of the `nearest`
    pictures of each picture and text that are the same."""

    pictures: int
    texts: int
    nearest: int
    picture_cosine: float
    least_picture_cosine: float
    text_cosine: float
    least_text_cosine: float
    picture_overlap: float
    text_overlap: float

    @property
    def shortfalls(self) -> list[str]:
        """What is not good enough, in words; empty where everything is."""
        checks = (
            ("mean cosine of pictures", self.picture_cosine, LEAST_COSINE),
            ("least cosine of a picture", self.least_picture_cosine, LEAST_SINGLE_COSINE),
            ("mean cosine of texts", self.text_cosine, LEAST_COSINE),
            ("least cosine of a text", self.least_text_cosine, LEAST_SINGLE_COSINE),
            ("overlap of nearest pictures", self.picture_overlap, LEAST_OVERLAP),
            ("overlap of best pictures for a text", self.text_overlap, LEAST_OVERLAP),
        )
        return [
            f"{name} {value:.4f}, wanted {least:g}"
            for name, value, least in checks
            if not value >= least
        ]


def compare(before: Vectors, after: Vectors) -> Fidelity:
    """Compare vectors of the same pictures, LEAST_PICTURES at least, and texts, one at least."""
    nearest = min(_NEAREST, len(before.pictures) // 4)
    pictures, texts = _cosines(before.pictures, after.pictures), _cosines(before.texts, after.texts)
    return Fidelity(
        pictures=len(pictures),
        texts=len(texts),
        nearest=nearest,
        picture_cosine=float(pictures.mean()),
        least_picture_cosine=float(pictures.min()),
        text_cosine=float(texts.mean()),
        least_text_cosine=float(texts.min()),
        picture_overlap=_overlap(_among(before.pictures), _among(after.pictures), nearest),
        text_overlap=_overlap(
            before.texts @ before.pictures.T, after.texts @ after.pictures.T, nearest
        ),
    )


def _cosines(one: Matrix, other: Matrix) -> NDArray[np.float64]:
    return np.asarray((one * other).sum(axis=1), np.float64)


def _among(pictures: Matrix) -> NDArray[np.float32]:
    """Return the cosines of pictures with one another, and -2 of each with itself."""
    scores = np.asarray(pictures @ pictures.T)
    np.fill_diagonal(scores, -2)
    return scores


def _overlap(
    before: NDArray[np.float32], after: NDArray[np.float32], nearest: int
) -> float:
    """Return the mean share of the `nearest` best of each row that both have."""
    first, second = (np.argsort(-scores, axis=1, kind="stable")[:, :nearest]
                     for scores in (before, after))
    same = (first[:, :, None] == second[:, None, :]).any(axis=2)
    return float(same.mean())
