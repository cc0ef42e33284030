"""Concepts that a library was taught: named vectors, kept in a note of the store and in files.

A concept is of one model, as every vector is. A file holds no picture, and nothing that says which
pictures taught it.
"""

import base64
import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from visionquery.errors import InputError
from visionquery.store.base import Reader, Store
from visionquery.types import ModelIdentity, Vector

__all__ = [
    "CONCEPTS_NOTE",
    "Concept",
    "check_name",
    "concept_vector",
    "concepts",
    "forget",
    "keep",
    "known_concept",
    "read_file",
    "write_file",
]

CONCEPTS_NOTE: Final = "concepts"

_FORMAT: Final = "visionquery-concept"
_VERSION: Final = 1
_NAME = re.compile(r"[\w-]{1,64}")
_MOST_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Concept:
    """What was learnt: a unit vector, (embed_dim,), of the model with a name and a fingerprint,
    from so many liked and disliked examples, and from a text or None; `made_at` is ISO 8601 in
    UTC."""

    name: str
    model: str
    fingerprint: str
    vector: Vector
    liked: int
    disliked: int
    text: str | None
    made_at: str


def check_name(name: str) -> None:
    """Raise InputError for what cannot be the name of a concept."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a concept: take up to 64 letters, digits, - and _, "
            "as in our-logo."
        )


def concepts(store: Reader) -> dict[str, Concept]:
    """Return all concepts of a library by name, in the order of names."""
    note: dict[str, Any] = json.loads(store.note(CONCEPTS_NOTE) or "{}")
    return {name: _read(note[name]) for name in sorted(note)}


def concept_vector(name: str, store: Reader) -> Vector:
    """Return the vector of a concept. Raises InputError for one that is not known, and for one that
    another model was taught."""
    concept = known_concept(name, store)
    _require_model(concept, store.model)
    return concept.vector


def known_concept(name: str, store: Reader) -> Concept:
    """Return a concept. Raises InputError for one that is not known."""
    known = concepts(store)
    _require_known(name, known)
    return known[name]


def keep(store: Store, concept: Concept) -> None:
    """Keep a concept, in place of one of that name. Call it inside `store.writing()`. Raises
    InputError for one of another model, and for what cannot be a name."""
    check_name(concept.name)
    _require_model(concept, store.model)
    _write(store, concepts(store) | {concept.name: concept})


def forget(store: Store, name: str) -> None:
    """Remove a concept. Call it inside `store.writing()`. Raises InputError for one that is not
    known."""
    known = concepts(store)
    _require_known(name, known)
    _write(store, {other: concept for other, concept in known.items() if other != name})


def write_file(concept: Concept, path: Path) -> None:
    """Write a concept to a JSON file. Raises InputError where that cannot be written."""
    document = {"format": _FORMAT, "version": _VERSION, **_noted(concept)}
    try:
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error


def read_file(path: Path) -> Concept:
    """Read a concept from a file. Raises InputError for one that is not there, and for what is no
    concept or one of a newer version."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise _no_concept(path)
    if document.get("version") != _VERSION:
        raise InputError(
            f"{path} is a concept of version {document.get('version')}, and this program reads "
            f"version {_VERSION}; install the newest VisionQuery."
        )
    return _checked(document, path)


def _checked(document: dict[str, Any], path: Path) -> Concept:
    try:
        concept = _read(document)
    except (KeyError, TypeError, ValueError) as error:
        raise _no_concept(path) from error
    length = float(np.linalg.norm(concept.vector.astype(np.float64)))
    if not math.isclose(length, 1.0, abs_tol=1e-3):
        raise _no_concept(path)
    check_name(concept.name)
    return replace(concept, vector=(concept.vector / np.float32(length)).astype(np.float32))


def _no_concept(path: Path) -> InputError:
    return InputError(f"{path} is no concept; make one with: visionquery concepts export NAME FILE")


def _require_known(name: str, known: dict[str, Concept]) -> None:
    if name not in known:
        there = ", ".join(known) if known else "none so far"
        raise InputError(
            f"There is no concept {name} in this library (there are: {there}). Teach it with: "
            "visionquery concepts learn NAME --like FOLDER"
        )


def _require_model(concept: Concept, model: ModelIdentity) -> None:
    if concept.fingerprint != model.fingerprint:
        other = "another version of " if concept.model == model.name else ""
        raise InputError(
            f"The concept {concept.name} was learnt with {other}the model {concept.model}, and "
            f"this library has the model {model.name}; learn it again from its examples."
        )
    if len(concept.vector) != model.embed_dim:
        raise InputError(
            f"The concept {concept.name} has {len(concept.vector)} numbers, and those of the model "
            f"{model.name} have {model.embed_dim}; learn it again from its examples."
        )


def _write(store: Store, known: dict[str, Concept]) -> None:
    note = {name: _noted(concept) for name, concept in known.items()}
    store.set_note(CONCEPTS_NOTE, json.dumps(note))


def _noted(concept: Concept) -> dict[str, object]:
    return {
        "name": concept.name,
        "model": concept.model,
        "fingerprint": concept.fingerprint,
        "liked": concept.liked,
        "disliked": concept.disliked,
        "text": concept.text,
        "made_at": concept.made_at,
        "vector": base64.b64encode(concept.vector.astype("<f4").tobytes()).decode("ascii"),
    }


def _read(noted: dict[str, Any]) -> Concept:
    data = base64.b64decode(noted["vector"], validate=True)
    text = noted["text"]
    return Concept(
        name=str(noted["name"]),
        model=str(noted["model"]),
        fingerprint=str(noted["fingerprint"]),
        vector=np.frombuffer(data, dtype="<f4").astype(np.float32),
        liked=int(noted["liked"]),
        disliked=int(noted["disliked"]),
        text=None if text is None else str(text),
        made_at=str(noted["made_at"]),
    )
