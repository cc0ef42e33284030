"""What a model is: a frozen description, and the fingerprint of what it does."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from visionquery.types import Calibration, ModelIdentity

__all__ = [
    "PREPROCESSING_VERSION",
    "Artifact",
    "Interpolation",
    "ModelSpec",
    "Padding",
    "Preprocess",
    "Resize",
    "Rounding",
    "Tokenizer",
    "Tower",
    "artifacts",
    "fingerprint",
]

PREPROCESSING_VERSION = 1
"""Raised whenever this program would turn the same picture or text into other numbers."""

Resize = Literal["shortest", "squash", "crop"]
Interpolation = Literal["bicubic", "bilinear", "lanczos"]
Rounding = Literal["half_even", "floor", "truncate"]
Padding = Literal["longest", "max"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a model.

    `file` is its name beside a folder's `model.toml`, `path` its place in the hub repository
    `repo` at commit `revision`; `size_bytes` is its length. `sha256` is None only for a hub file:
    the commit pins it then, and its hash is recorded when it is downloaded.
    """

    file: str
    sha256: str | None
    size_bytes: int | None = None
    repo: str | None = None
    revision: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Tower:
    """One half of a model. `inputs` are names in the ONNX file: the pixels, or the token ids and
    then, where the file has it, the attention mask. `normalized`: rows come out at unit length.
    `max_batch` rows at most go through at once, 0 for any number: files with dynamic quantization
    scale a whole batch together, so that only a batch of 1 gives a row the same vector always.
    """

    artifact: Artifact
    inputs: tuple[str, ...]
    output: str
    normalized: bool
    max_batch: int = 0


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes `size` × `size` pixels, then (pixel / 255 - mean) / std per channel.

    `shortest`: the short side to `size`, then a centred square; `squash`: the whole picture to a
    square; `crop`: the largest centred square, then to `size`. `rounding` is the rule for half a
    pixel when centring ("" for squash, which has nothing to centre).
    """

    size: int
    resize: Resize
    interpolation: Interpolation
    rounding: Rounding | Literal[""]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """How a text becomes token ids. `context_length` counts tokens, special ones included;
    `template` has one `{}` for the text; `pad_token` is needed only where the file names none."""

    artifact: Artifact
    context_length: int
    padding: Padding
    lowercase: bool = False
    template: str = "{}"
    pad_token: str | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as data. `logit_scale` multiplies cosines and `logit_bias` is then added, as in
    training. `folder` holds the files of a folder model, None for files of the hub; `source` is
    what finds this model again: a catalog name or an absolute folder. `calibration` is None where
    none was fitted."""

    name: str
    summary: str
    aliases: tuple[str, ...]
    embed_dim: int
    logit_scale: float
    logit_bias: float
    languages: tuple[str, ...]
    license: str
    image: Tower
    text: Tower
    preprocess: Preprocess
    tokenizer: Tokenizer
    source: str
    folder: Path | None
    calibration: Calibration | None = None

    @property
    def identity(self) -> ModelIdentity:
        """What every vector of this model carries."""
        return ModelIdentity(self.name, fingerprint(self), self.embed_dim, self.source)


def artifacts(spec: ModelSpec) -> list[Artifact]:
    """Return the files that a model consists of, each once."""
    return list(
        dict.fromkeys([spec.image.artifact, spec.text.artifact, spec.tokenizer.artifact])
    )


@cache
def fingerprint(spec: ModelSpec) -> str:
    """Return the SHA-256 (hex) of everything that can change a vector.

    Names, words about the model and places of files are not part of it: the same files read the
    same way are the same model.
    """
    content = {
        "preprocessing_version": PREPROCESSING_VERSION,
        "embed_dim": spec.embed_dim,
        "image": _tower_content(spec.image),
        "text": _tower_content(spec.text),
        "preprocess": asdict(spec.preprocess),
        "tokenizer": asdict(spec.tokenizer) | {"artifact": _content(spec.tokenizer.artifact)},
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _tower_content(tower: Tower) -> dict[str, object]:
    return {
        "artifact": _content(tower.artifact),
        "output": tower.output,
        "normalized": tower.normalized,
        "max_batch": tower.max_batch,
    }


def _content(artifact: Artifact) -> str:
    return artifact.sha256 or f"{artifact.repo}@{artifact.revision}/{artifact.path}"
