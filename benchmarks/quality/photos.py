"""The labelled photographs that every measurement here stands on, and what their captions say.

The captions are the truth: a photograph shows a concept when one of its captions names it. They
leave out much that can be seen, so a precision is a little better than its figure. Needs the
shared 1,000 development photographs of Flickr8k and, unless another model is named, `lit-tiny`.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.images import content, workers
from visionquery.images.limits import Limits
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.query.ast import Node
from visionquery.query.grammar import parse
from visionquery.query.plan import Plan
from visionquery.search.background import kept_background, refresh_background
from visionquery.search.planner import plan
from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.store.local import create_local
from visionquery.types import Decoded, Facts, Matrix

HERE = Path(__file__).parent
SHARED = Path(__file__).resolve().parents[3] / "shared"
LIT_TINY = str(SHARED / "models/lit-tiny")
_TOO_FEW = 10

Truth = NDArray[np.bool_]


@dataclass(eq=False)
class Photos:
    """Encoded photographs: vectors (n, embed_dim), and five captions for each."""

    encoder: Encoder
    vectors: Matrix
    captions: list[list[str]]

    @cached_property
    def words(self) -> list[set[str]]:
        """The words of each photograph's captions."""
        return [set(re.findall("[a-z]+", " ".join(of).lower())) for of in self.captions]

    @cached_property
    def texts(self) -> list[str]:
        """All captions, five of each photograph in turn."""
        return [caption for of in self.captions for caption in of]

    @cached_property
    def own(self) -> NDArray[np.intp]:
        """The photograph of each caption, (c,)."""
        return np.repeat(np.arange(len(self.captions)), [len(of) for of in self.captions])

    @cached_property
    def concepts(self) -> dict[str, Truth]:
        """Concepts that ten photographs at least show, as "a dog", and which do, (n,)."""
        truth = {
            name: np.array([bool(words & synonyms) for words in self.words])
            for name, synonyms in self.synonyms.items()
        }
        return {name: shown for name, shown in truth.items() if shown.sum() >= _TOO_FEW}

    @cached_property
    def synonyms(self) -> dict[str, frozenset[str]]:
        """The words of a caption that name each concept."""
        lines = (HERE / "concepts.txt").read_text("utf-8").splitlines()
        parted = (line.partition(": ") for line in lines)
        return {name: frozenset(words.split()) for name, _, words in parted}

    @cached_property
    def absent(self) -> list[str]:
        """Things that no caption mentions, in any number, nor the background that confidence
        stands on."""
        background = (HERE.parents[1] / "src/visionquery/search/background.txt").read_text("utf-8")
        spoken = " ".join(self.texts).lower()
        known = set(re.findall("[a-z]+", spoken + background.lower()))
        things = (HERE / "absent.txt").read_text("utf-8").splitlines()
        return [thing for thing in things if thing not in spoken and not _forms(thing) & known]

    def part(self, number: int, of: int = 2) -> "Photos":
        """Return every second photograph, the first half (0) or the other (1)."""
        chosen = slice(number, None, of)
        return Photos(self.encoder, self.vectors[chosen], self.captions[chosen])

    @contextmanager
    def library(self, facts: Sequence[Facts] | None = None) -> Iterator["Asked"]:
        """Give a library of the photographs, their background measured. File names are numbers;
        `facts`, where given, are those of each photograph."""
        with tempfile.TemporaryDirectory() as folder:
            store = create_local(Path(folder) / "library", self.encoder.identity)
            plain = Facts(224, 224, "JPEG", 1)
            with store.writing():
                root = store.add_root("/library").root_id
                images = [
                    NewImage(f"{i:032x}", vector, facts[i] if facts else plain)
                    for i, vector in enumerate(self.vectors)
                ]
                store.write(
                    images,
                    [
                        FileRecord(root, f"{i}.jpg", 1, 1, image.image_id)
                        for i, image in enumerate(images)
                    ],
                )
                refresh_background(store, self.encoder)
            yield Asked(store, self.encoder)
            store.close()


@dataclass(frozen=True, eq=False)
class Asked:
    """A library that can be asked."""

    store: Store
    encoder: Encoder

    def plan(self, query: str | Node) -> Plan:
        """Return the plan of a query, text or tree."""
        return plan(
            parse(query) if isinstance(query, str) else query,
            encoder=self.encoder,
            store=self.store,
            background=kept_background(self.store),
            read_picture=_no_picture,
        )


def _no_picture(path: str) -> Decoded:
    raise AssertionError(f"no query here names a picture, but {path} was asked for")


def _forms(thing: str) -> set[str]:
    last = thing.split()[-1]
    return {last, f"{last}s", f"{last}es", f"{last[:-1]}ies"}


def with_article(name: str) -> str:
    """Return "a giraffe" of "giraffe"."""
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def bare(name: str) -> str:
    """Return "dog" of "a dog"."""
    return re.sub("^an? ", "", name)


def load(title: str | None) -> Photos:
    """Read the command line (a model), encode the photographs, and say what is measured."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("model", nargs="?", default=LIT_TINY, help="catalog name or model folder")
    return photographs(parser.parse_args().model)


def photographs(model: str) -> Photos:
    """Encode the photographs with a model, a name or a folder, and say what is measured."""
    encoder = load_encoder(resolve(model))
    file = SHARED / "data/flickr8k-dev/captions.jsonl"
    entries = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    print(f"{encoder.identity.name}, {len(entries)} photographs of {file.parent.name}")
    vectors = _encoded([file.parent / entry["file"] for entry in entries], encoder)
    return Photos(encoder, vectors, [entry["captions"] for entry in entries])


def _encoded(paths: list[Path], encoder: Encoder) -> Matrix:
    rows = []
    for start in range(0, len(paths), 32):
        data = [content.load(path, limits=Limits()) for path in paths[start : start + 32]]
        decoded = [workers.decode(one, min_side=2 * encoder.image_side) for one in data]
        rows.append(encoder.encode_images(np.stack([encoder.prepare(one) for one in decoded])))
    return np.concatenate(rows)
