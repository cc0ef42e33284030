"""The encoder: pictures and words into one space, by the two towers of a model."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import ModelError
from visionquery.models.preprocess import prepare
from visionquery.models.session import Session, open_session
from visionquery.models.spec import Artifact, ModelSpec, Tower, artifacts
from visionquery.models.tokenizer import TextTokenizer, open_tokenizer
from visionquery.models.weights import require
from visionquery.types import Calibration, Decoded, Matrix, ModelIdentity

__all__ = ["Encoder", "ImageTower", "OnnxEncoder", "PictureEncoder", "load_encoder"]

_TEXTS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class ImageTower:
    """An image tower opened for many pictures: `encode` returns what `Encoder.encode_images`
    does and is safe in several threads; on the CPU it computes in the calling one alone, so that
    as many calls go on at once as there are threads for it. `provider` is what it runs on."""

    provider: str
    encode: Callable[[NDArray[np.float32]], Matrix]


class PictureEncoder(Protocol):
    """The half of an encoder that takes pictures, as far as indexing many of them needs it."""

    @property
    def image_side(self) -> int:
        """Pixels of a side of the image tower's square; a decoder is asked for twice that."""

    def prepare(self, decoded: Decoded) -> NDArray[np.float32]:
        """Return a picture as the image tower takes it, (3, side, side). Safe in many threads."""

    def image_tower(self) -> ImageTower:
        """Open the image tower for many pictures; it is gone with the last reference to it.

        Raises ModelError when it does not work.
        """


class Encoder(PictureEncoder, Protocol):
    """What turns pictures and texts into vectors that can be compared."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""

    @property
    def logit_scale(self) -> float:
        """What the model multiplies cosines with."""

    @property
    def calibration(self) -> Calibration | None:
        """What was fitted for the model's confidence, None where nothing was."""

    def encode_images(self, prepared: NDArray[np.float32]) -> Matrix:
        """Return unit rows, (n, embed_dim), of prepared pictures, (n, 3, side, side)."""

    def encode_texts(self, texts: Sequence[str]) -> Matrix:
        """Return unit rows, (n, embed_dim), of texts, in their order."""


def load_encoder(spec: ModelSpec, *, threads: int = 0) -> Encoder:
    """Return the encoder of a model whose files are here; each tower is opened when first used.

    `threads` is how many compute in a tower, 0 for one per core. Never touches the network.
    Raises WeightsMissingError when a file is not here. The first use of a tower raises ModelError
    for a file that does not work or does not fit its description, and ChecksumMismatchError for a
    file of a folder that is not the one its description names.
    """
    require(spec, *artifacts(spec), verify=False)
    return OnnxEncoder(spec, threads)


@dataclass(slots=True)
class OnnxEncoder:
    """An encoder whose towers are ONNX files."""

    spec: ModelSpec
    threads: int
    _opening: threading.Lock = field(default_factory=threading.Lock)
    _sessions: dict[Artifact, Session] = field(default_factory=dict)
    _tokenizer: TextTokenizer | None = None

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self.spec.identity

    @property
    def logit_scale(self) -> float:
        """What the model multiplies cosines with."""
        return self.spec.logit_scale

    @property
    def calibration(self) -> Calibration | None:
        """What was fitted for the model's confidence, None where nothing was."""
        return self.spec.calibration

    @property
    def image_side(self) -> int:
        """Pixels of a side of the image tower's square."""
        return self.spec.preprocess.size

    def prepare(self, decoded: Decoded) -> NDArray[np.float32]:
        """Return a picture as the image tower takes it, (3, side, side)."""
        return prepare(decoded, self.spec.preprocess)

    def encode_images(self, prepared: NDArray[np.float32]) -> Matrix:
        """Return unit rows, (n, embed_dim), of prepared pictures, (n, 3, side, side).

        Raises ModelError when the tower does not work.
        """
        if len(prepared) == 0:
            return np.empty((0, self.spec.embed_dim), np.float32)
        return self._encode(prepared, self._session(self.spec.image, tuned_for="batches"))

    def image_tower(self) -> ImageTower:
        """Open the image tower for many pictures; it is gone with the last reference to it.

        Raises ModelError when it does not work.
        """
        session = self._opened(self.spec.image, threads=1, tuned_for="batches")
        return ImageTower(session.provider, lambda prepared: self._encode(prepared, session))

    def _encode(self, prepared: NDArray[np.float32], session: Session) -> Matrix:
        tower = self.spec.image
        step = tower.max_batch or len(prepared)
        rows = [
            session.run({tower.inputs[0]: prepared[start : start + step]}, tower.output)
            for start in range(0, len(prepared), step)
        ]
        return self._unit(rows, tower, session)

    def encode_texts(self, texts: Sequence[str]) -> Matrix:
        """Return unit rows, (n, embed_dim), of texts, in their order.

        Raises ModelError when the tower or the tokenizer does not work.
        """
        if len(texts) == 0:
            return np.empty((0, self.spec.embed_dim), np.float32)
        tower = self.spec.text
        session = self._session(tower, tuned_for="first_answer")
        tokenizer = self._text_tokenizer()
        encoded = tokenizer.encode(texts)
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
        step = tower.max_batch or _TEXTS_AT_ONCE
        rows = []
        for start in range(0, len(order), step):
            tokens = tokenizer.pad([encoded[index] for index in order[start : start + step]])
            feeds = dict(zip(tower.inputs, (tokens.ids, tokens.mask), strict=False))
            rows.append(session.run(feeds, tower.output))
        sorted_rows = self._unit(rows, tower, session)
        result = np.empty_like(sorted_rows)
        result[order] = sorted_rows
        return result

    def _session(
        self, tower: Tower, *, tuned_for: Literal["batches", "first_answer"]
    ) -> Session:
        with self._opening:
            session = self._sessions.get(tower.artifact)
            if session is None:
                session = self._opened(tower, threads=self.threads, tuned_for=tuned_for)
                self._sessions[tower.artifact] = session
        return session

    def _opened(
        self, tower: Tower, *, threads: int, tuned_for: Literal["batches", "first_answer"]
    ) -> Session:
        (file,) = require(self.spec, tower.artifact, verify=True)
        session = open_session(file, threads=threads, tuned_for=tuned_for)
        session.check(required=tower.inputs[0], known=self._known(tower), output=tower.output)
        return session

    def _known(self, tower: Tower) -> tuple[str, ...]:
        image, text = self.spec.image, self.spec.text
        if image.artifact == text.artifact:
            return image.inputs + text.inputs
        return tower.inputs

    def _text_tokenizer(self) -> TextTokenizer:
        with self._opening:
            if self._tokenizer is None:
                (file,) = require(self.spec, self.spec.tokenizer.artifact, verify=True)
                self._tokenizer = open_tokenizer(file, self.spec.tokenizer)
            return self._tokenizer

    def _unit(
        self, parts: Sequence[NDArray[np.float32]], tower: Tower, session: Session
    ) -> Matrix:
        rows = np.concatenate(parts)
        if rows.shape[1:] != (self.spec.embed_dim,):
            raise ModelError(
                f"{session.file} gives rows of {'×'.join(map(str, rows.shape[1:]))} numbers, but "
                f"the description of {self.spec.name} says embed_dim = {self.spec.embed_dim}."
            )
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise ModelError(
                f"{session.file} gave numbers that are no vector (infinite, undefined or all "
                f"zero) on {session.provider}; the file does not work on this machine."
            )
        return rows if tower.normalized else (rows / lengths).astype(np.float32)
