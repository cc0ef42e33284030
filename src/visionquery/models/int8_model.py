"""A model folder in the making: each tower by the fastest recipe that stays near the original."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelError
from visionquery.models.checksum import sha256_of
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.models.fidelity import Vectors, compare
from visionquery.models.int8_graph import (
    Graph,
    Layer,
    most_sensitive,
    read_graph,
    write_int8,
    write_int8_weights,
)
from visionquery.models.model_toml import describe
from visionquery.models.spec import Artifact, ModelSpec, Tower
from visionquery.models.tokenizer import open_tokenizer
from visionquery.models.weights import require

__all__ = [
    "BATCH",
    "DESCRIPTION",
    "RECIPES",
    "Bench",
    "Material",
    "OnProgress",
    "Outcome",
    "Recipe",
    "read_graphs",
]

DESCRIPTION = "model.toml"

BATCH = 8
"""Pictures at once, as when a library is filled."""

_PROBED = 4
"""Pictures and texts from which it is read which layers suffer most."""

OnProgress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to make a tower smaller. `kept` is the share of its layers, the most sensitive ones,
    that stay in float32; None: all compute in float32, and only weights are stored in 8 bits."""

    name: str
    kept: float | None


RECIPES = (
    Recipe("all layers", 0.0),
    Recipe("all but 1 layer in 24", 1 / 24),
    Recipe("all but 1 layer in 8", 1 / 8),
    Recipe("all but 1 layer in 3", 1 / 3),
    Recipe("weights only", None),
)
"""From the fastest to the gentlest; the first that is good enough is taken. In many a transformer
two or three layers with outliers do nearly all of the damage; beyond a third nothing is won."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What both models are asked: prepared pictures, (n, 3, side, side), and texts."""

    pictures: NDArray[np.float32]
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a file was made smaller; `recipe` is None where it stayed as it was. Of its `layers`,
    `float_layers` compute in float32."""

    recipe: Recipe | None
    layers: int
    float_layers: int


def read_graphs(spec: ModelSpec) -> dict[Artifact, Graph]:
    """Read the towers' files, each once.

    Raises InputError where nothing can be brought to 8 bits.
    """
    wanted = list(dict.fromkeys([spec.image.artifact, spec.text.artifact]))
    files = require(spec, *wanted, verify=True)
    graphs = {artifact: read_graph(file) for artifact, file in zip(wanted, files, strict=True)}
    if not any(graph.layers for graph in graphs.values()):
        raise InputError(
            f"The model {spec.name} is in 8 bits already, or has nothing that can be brought to "
            "8 bits; use it as it is."
        )
    return graphs


class Bench:
    """A model folder in the making. It begins as a copy; one file after the other is replaced."""

    def __init__(
        self,
        source: ModelSpec,
        work: Path,
        material: Material,
        threads: int,
        on_note: Callable[[str], None],
        on_progress: OnProgress,
    ) -> None:
        self.model = work / "model"
        self._work = work
        self._source = source
        self._material = material
        self._threads = threads
        self._note = on_note
        self._progress = on_progress
        self._names = _file_names(source)
        self.outcomes: dict[str, Outcome] = {}
        self._spec = self._copy()
        encoder = load_encoder(source, threads=threads)
        self._before = Vectors(
            self._pictures(encoder, "The model as it is"), encoder.encode_texts(material.texts)
        )
        self._vectors = self._before
        self.fidelity = compare(self._before, self._before)
        self._shortfalls: list[str] = []

    def shrink(self, artifact: Artifact, graph: Graph) -> None:
        """Replace a tower's file by the first recipe's that is good enough.

        Raises ModelError when none is.
        """
        name = self._names[artifact]
        self.outcomes[name] = Outcome(None, len(graph.layers), len(graph.layers))
        worst: list[Layer] = []
        tried: set[int | None] = set()
        for recipe in RECIPES if graph.layers else ():
            count = _kept(recipe, len(graph.layers))
            if count in tried:
                continue
            tried.add(count)
            if count and not worst:
                worst = most_sensitive(graph, self._feeds(artifact), work=self._work)
            if self._is_good(name, recipe, graph, None if count is None else worst[:count]):
                kept = len(graph.layers) if count is None else count
                self.outcomes[name] = Outcome(recipe, len(graph.layers), kept)
                return
        if graph.layers:
            raise ModelError(
                f"No 8-bit form of {self._source.name} is near enough to it, the gentlest in "
                f"{name} has: {'; '.join(self._shortfalls)}. Nothing was written; use "
                "the model as it is."
            )

    def _is_good(
        self, name: str, recipe: Recipe, graph: Graph, keep: list[Layer] | None
    ) -> bool:
        """Write a file by a recipe, measure the model with it, and keep that when it is good
        enough."""
        try:
            if keep is None:
                write_int8_weights(graph, self.model / name)
            else:
                write_int8(graph, self.model / name, keep=keep, work=self._work)
            spec = self._with(name, single=keep is not None)
            vectors = self._encoded(spec, name, recipe)
        except ModelError as error:  # It gives numbers that are no vector, or does not run.
            self._shortfalls = [str(error).rstrip(".")]
        else:
            self.fidelity = compare(self._before, vectors)
            self._shortfalls = self.fidelity.shortfalls
        if self._shortfalls:
            self._note(f"{name}, {recipe.name}: {'; '.join(self._shortfalls)}.")
            return False
        self._spec, self._vectors = spec, vectors
        return True

    def _encoded(self, spec: ModelSpec, name: str, recipe: Recipe) -> Vectors:
        """Encode again what goes through a file."""
        encoder = load_encoder(spec, threads=self._threads)
        vectors = self._vectors
        if spec.image.artifact.file == name:
            rows = self._pictures(encoder, f"{name}, {recipe.name}")
            vectors = replace(vectors, pictures=rows)
        if spec.text.artifact.file == name:
            vectors = replace(vectors, texts=encoder.encode_texts(self._material.texts))
        return vectors

    def write_description(self) -> None:
        """Write the new model's `model.toml`."""
        (self.model / DESCRIPTION).write_text(describe(self._spec), encoding="utf-8")

    def _copy(self) -> ModelSpec:
        """Copy all files of the original and return the model that they are."""
        self.model.mkdir()
        for artifact, name in self._names.items():
            (file,) = require(self._source, artifact, verify=True)
            shutil.copyfile(file, self.model / name)
        source = self._source
        return replace(
            source,
            name=f"{source.name}-int8",
            summary=f"{source.summary.rstrip('.')}; brought to 8 bits on this machine.",
            aliases=(),
            source=str(self.model),
            folder=self.model,
            image=replace(source.image, artifact=self._artifact(source.image.artifact)),
            text=replace(source.text, artifact=self._artifact(source.text.artifact)),
            tokenizer=replace(
                source.tokenizer, artifact=self._artifact(source.tokenizer.artifact)
            ),
        )

    def _artifact(self, original: Artifact) -> Artifact:
        name = self._names[original]
        return Artifact(file=name, sha256=sha256_of(self.model / name))

    def _with(self, name: str, *, single: bool) -> ModelSpec:
        """Return the model with a tower's file as it is now; `single`: it takes one row at a time,
        since the numbers of a batch share their 8 bits."""
        file = Artifact(file=name, sha256=sha256_of(self.model / name))

        def changed(tower: Tower) -> Tower:
            if tower.artifact.file != name:
                return tower
            return replace(tower, artifact=file, max_batch=1 if single else tower.max_batch)

        return replace(self._spec, image=changed(self._spec.image), text=changed(self._spec.text))

    def _pictures(self, encoder: Encoder, what: str) -> NDArray[np.float32]:
        pictures = self._material.pictures
        rows = []
        for start in range(0, len(pictures), BATCH):
            self._progress(what, start, len(pictures))
            rows.append(encoder.encode_images(pictures[start : start + BATCH]))
        self._progress(what, len(pictures), len(pictures))
        return np.concatenate(rows)

    def _feeds(self, artifact: Artifact) -> list[Mapping[str, NDArray[np.generic]]]:
        """Return a few pictures, texts or, for a file with both towers, pairs of them, as the
        tower takes them."""
        source = self._source
        feeds: list[dict[str, NDArray[np.generic]]] = [{} for _ in range(_PROBED)]
        if source.text.artifact == artifact:
            (file,) = require(source, source.tokenizer.artifact, verify=False)
            tokenizer = open_tokenizer(file, source.tokenizer)
            for feed, row in zip(
                feeds, tokenizer.encode(list(self._material.texts)[:_PROBED]), strict=False
            ):
                tokens = tokenizer.pad([row])
                feed.update(zip(source.text.inputs, (tokens.ids, tokens.mask), strict=False))
        if source.image.artifact == artifact:
            step = len(self._material.pictures) // _PROBED
            for number, feed in enumerate(feeds):
                picture = self._material.pictures[number * step]
                feed[source.image.inputs[0]] = picture[np.newaxis]
        return [feed for feed in feeds if feed]


def _kept(recipe: Recipe, layers: int) -> int | None:
    """Return how many of a tower's layers a recipe leaves in float32: never all of them."""
    return None if recipe.kept is None else min(math.ceil(recipe.kept * layers), layers - 1)


def _file_names(spec: ModelSpec) -> dict[Artifact, str]:
    """Return what the files of a model are called in its int8 form."""
    if spec.image.artifact == spec.text.artifact:
        names = {spec.image.artifact: "model.onnx"}
    else:
        names = {spec.image.artifact: "image.onnx", spec.text.artifact: "text.onnx"}
    return names | {spec.tokenizer.artifact: "tokenizer.json"}
