"""Steps of a writer, what a library holds after each of them, and what one does hold.

A step is one call that is durable on return. So a library in which step n was acknowledged, and
whose writer was then stopped, is as after step n, or as after the next one: nothing between. More
steps are more lines in `SCENARIOS`; what a step means for the library is said beside what it does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from visionquery.errors import StoreError
from visionquery.store.base import FileRecord, NewImage, Scope
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.testing.store_examples import MODEL, example_image
from visionquery.types import ModelIdentity

__all__ = ["SCENARIOS", "Held", "Step", "finish", "held", "prepare", "states"]

Result = TypeVar("Result")

HOME = "/pictures"
NEXT = ModelIdentity(name="next", fingerprint="f2", embed_dim=12, source="next")
THIRD = ModelIdentity(name="third", fingerprint="f3", embed_dim=6, source="third")
MODELS = {model.fingerprint: model for model in (MODEL, NEXT, THIRD)}
MANY = 1020
"""Images that a library has before the few that make its codes due."""


@dataclass(frozen=True)
class Held:
    """What a library holds: images by the file that shows them, all images, what was read and
    measured by image, the model, and which images have their vector of a next one."""

    files: dict[str, str] = field(default_factory=dict)
    images: frozenset[str] = frozenset()
    texts: dict[str, str] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)
    model: str = MODEL.fingerprint
    moving_to: str | None = None
    done: frozenset[str] = frozenset()
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A durable call, and what follows from it."""

    act: Callable[[LocalStore], object]
    then: Callable[[Held], Held]


@cache
def image(name: str, model: str = MODEL.fingerprint) -> NewImage:
    """The image of a name; models differ in its vector alone."""
    made = example_image(name, embed_dim=MODELS[model].embed_dim)
    return replace(made, vector=np.roll(made.vector, int(model[1:])))


def held(store: LocalStore) -> Held:
    """Return what a library holds, once every vector was found to be the one of its image."""
    rows = np.flatnonzero(store.alive()).tolist()
    records = store.records(rows)
    # The example's second keyword is its name.
    names = [record.facts.keywords[1] for record in records]
    assert len(set(names)) == len(rows), "an image is there twice"
    model = store.model.fingerprint
    assert all(image(n).image_id == r.image_id for n, r in zip(names, records, strict=True))
    expected = np.array([image(name, model).vector for name in names], np.float32)
    found = store.vectors(rows)
    assert np.array_equal(found, expected.reshape(found.shape)), "a vector is not its image's"
    if rows:
        close = store.estimates(found[:1])
        exact = store.scores(found[:1])
        assert (np.abs(close.cosines - exact)[:, rows] <= close.error + 1e-5).all(), "wrong codes"
    by_id = {record.image_id: name for name, record in zip(names, records, strict=True)}
    measures, done = store.measures()[:, 0], store.next_done()
    following = store.next_model()
    return Held(
        files={
            path: by_id[file.image_id or ""]
            for root in store.roots()
            for path, file in store.files(Scope(root.root_id)).items()
        },
        images=frozenset(names),
        texts={n: r.text for n, r in zip(names, records, strict=True) if r.text is not None},
        measures={
            name: float(measures[row])
            for name, row in zip(names, rows, strict=True)
            if not np.isnan(measures[row])
        },
        model=model,
        moving_to=None if following is None else following.fingerprint,
        done=frozenset(name for name, row in zip(names, rows, strict=True) if done[row]),
        notes={"kept": note} if (note := store.note("kept")) is not None else {},
    )


# -- the calls -------------------------------------------------------------------------------
def writes(first: int, count: int, *, again: str = "") -> Step:
    """Write images, each in a file of its name; `again`, under another name too."""
    names = [f"picture {number}" for number in range(first, first + count)]

    def act(store: LocalStore) -> None:
        with store.writing():
            root = store.add_root(HOME)
            files = [
                FileRecord(root.root_id, f"{folder}{name}.jpg", 1, 2, image(name).image_id)
                for folder in {"", again}
                for name in names
            ]
            store.write([image(name, store.model.fingerprint) for name in names], files)

    def then(before: Held) -> Held:
        files = {f"{folder}{name}.jpg": name for folder in {"", again} for name in names}
        return replace(before, files=before.files | files, images=before.images | {*names})

    return Step(act, then)


def reads(first: int, count: int) -> Step:
    texts = {f"picture {number}": f"read {number}" for number in range(first, first + count)}

    def act(store: LocalStore) -> None:
        with store.writing():
            store.write_texts({store.find(image(n).image_id)[0]: t for n, t in texts.items()})

    return Step(act, lambda before: replace(before, texts=before.texts | texts))


def measures(count: int) -> Step:
    def act(store: LocalStore) -> None:
        rows = np.arange(count, dtype=np.float32)[:, None]
        with store.writing():
            store.write_measures(0, rows)

    def then(before: Held) -> Held:
        # Before any image goes, rows are numbers of pictures.
        return replace(before, measures={f"picture {row}": float(row) for row in range(count)})

    return Step(act, then)


def forgets(first: int, count: int) -> Step:
    paths = [f"picture {number}.jpg" for number in range(first, first + count)]

    def act(store: LocalStore) -> None:
        with store.writing():
            store.forget([(root.root_id, path) for root in store.roots() for path in paths])

    def then(before: Held) -> Held:
        left = {path: name for path, name in before.files.items() if path not in paths}
        return replace(before, files=left)

    return Step(act, then)


def prunes() -> Step:
    def act(store: LocalStore) -> None:
        with store.writing():
            store.prune()

    def then(before: Held) -> Held:
        left = frozenset(before.files.values())
        return replace(
            before,
            images=left,
            texts={name: text for name, text in before.texts.items() if name in left},
            measures={name: value for name, value in before.measures.items() if name in left},
            done=before.done & left,
        )

    return Step(act, then)


def notes(value: str) -> Step:
    def act(store: LocalStore) -> None:
        with store.writing():
            store.set_note("kept", value)

    return Step(act, lambda before: replace(before, notes={"kept": value}))


def begins(model: ModelIdentity) -> Step:
    def act(store: LocalStore) -> None:
        with store.writing():
            store.begin_next(model)

    def then(before: Held) -> Held:
        return replace(before, moving_to=model.fingerprint, done=frozenset())

    return Step(act, then)


def encodes(most: int) -> Step:
    """Give the first images that lack one their vector of the next model."""

    def act(store: LocalStore) -> None:
        model = store.next_model()
        assert model is not None
        rows = np.flatnonzero(store.alive() & ~store.next_done()).tolist()[:most]
        names = [record.facts.keywords[1] for record in store.records(rows)]
        with store.writing():
            vectors = [image(name, model.fingerprint).vector for name in names]
            store.write_next(rows, np.stack(vectors))

    def then(before: Held) -> Held:
        # Rows rise with the numbers in the names.
        missing = sorted(before.images - before.done, key=lambda name: int(name.split()[1]))
        return replace(before, done=before.done | {*missing[:most]})

    return Step(act, then)


def drops() -> Step:
    def act(store: LocalStore) -> None:
        with store.writing():
            store.drop_next()

    return Step(act, lambda before: replace(before, moving_to=None, done=frozenset()))


def switches() -> Step:
    def act(store: LocalStore) -> None:
        with store.writing():
            store.finish_next(forget_notes=["kept"])

    def then(before: Held) -> Held:
        return replace(
            before, model=before.moving_to or "", moving_to=None, done=frozenset(),
            measures={}, notes={},
        )

    return Step(act, then)


SCENARIOS: dict[str, tuple[Step, ...]] = {
    "a life": (
        writes(0, 6), writes(6, 3, again="more/"), reads(0, 4), notes("one"), measures(9),
        forgets(2, 6), prunes(), writes(20, 5), begins(THIRD), encodes(3), drops(),
        begins(NEXT), encodes(4), writes(30, 2), encodes(20), switches(), writes(40, 3),
        reads(40, 2), forgets(40, 1), prunes(),
    ),
    "codes": (writes(MANY, 8), begins(NEXT), encodes(5000), switches(), writes(3000, 4)),
}
"""By name, what a writer does. That of "codes" begins with many images."""


def prepare(scenario: str, folder: Path) -> LocalStore:
    """Make in a folder, and open, the library that a scenario begins with."""
    store = create_local(folder, MODEL)
    if scenario == "codes":
        writes(0, MANY).act(store)
    return store


def states(scenario: str) -> list[Held]:
    """Return what a library holds at the start, and after each step."""
    found = [Held() if scenario != "codes" else writes(0, MANY).then(Held())]
    for step in SCENARIOS[scenario]:
        found.append(step.then(found[-1]))
    assert all(a != b for a, b in pairwise(found)), "a step leaves no trace"
    return found


def _refuse(error: StoreError) -> None:
    raise error


def finish(
    scenario: str,
    folder: Path,
    *,
    acknowledge: Callable[[int], None] = lambda _: None,
    on_error: Callable[[StoreError], None] = _refuse,
) -> None:
    """Do what a scenario's library lacks. `acknowledge` gets the number of steps that are done,
    from 0 on, which is after the library was made. What fails is done again, in the library that
    is open, unless `on_error` raises."""
    known = states(scenario)
    store = _again(lambda: _opened(scenario, folder), on_error)
    try:
        start = known.index(_again(lambda: held(store), on_error))
        acknowledge(start)
        for number, step in enumerate(SCENARIOS[scenario][start:], start + 1):
            try:
                step.act(store)
            except StoreError as error:
                on_error(error)
                if held(store) != known[number]:
                    step.act(store)
            acknowledge(number)
    finally:
        store.close()


def _opened(scenario: str, folder: Path) -> LocalStore:
    is_new = not (folder / "catalog.sqlite").exists()
    return prepare(scenario, folder) if is_new else open_local(folder)


def _again(action: Callable[[], Result], on_error: Callable[[StoreError], None]) -> Result:
    try:
        return action()
    except StoreError as error:
        on_error(error)
        return action()
