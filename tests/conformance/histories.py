"""Random histories of a store, and whether two stores answer alike after any of them."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from visionquery.query.ast import Contains, Filter, Near, OneOf, Range
from visionquery.search.result import path_within
from visionquery.store.base import (
    MEASURES,
    FileRecord,
    Fragment,
    ImageRecord,
    NewImage,
    Order,
    Scope,
    Store,
)
from visionquery.store.memory import MemoryStore
from visionquery.testing.store_examples import example_image
from visionquery.types import ModelIdentity

__all__ = ["MODEL", "assert_alike", "live_alike"]

MODEL = ModelIdentity("tiny", "f1", 8, "tiny")
MODELS = [MODEL, ModelIdentity("wide", "f2", 12, "wide"), ModelIdentity("slim", "f3", 8, "slim")]
FOLDERS = ["/p", "/p/a", "/p/a/b", "/p/ab", "/q", "/p/a/b/c"]
PATHS = [
    "x.jpg",
    "a/x.jpg",
    "a/b/y.PNG",
    "ab/z.jpeg",
    "b/c/\udce9.jpg",
    "b/y.tif",
    "c/x.jpg",
    "a/c.zip",
    "Sommer/BeachTrip_12É.JPG",
    "京都/寺1.png",
]
KINDS = [
    "add",
    *["write"] * 6,
    "facts",
    *["forget"] * 2,
    "prune",
    "compact",
    "move",
    *["next"] * 6,
    *["read"] * 3,
]
FRAGMENTS = [
    "t=0",
    "t=12.48",
    "page=3",
    "member=Old/BeachTrip.tif",
    "member=b.PNG",
    "member=\udce9\ud800 京.jpg",
    "member=.webp",
]
TEXTS = ["", "Total  due\n17.50", "EXIT", "出口 exit", "a | b \0 c", "\udce9x", "straße [1]"]
KEYWORDS = ["Strand", "café", "cafe\u0301", "a*b", "OldTown", "[x]", "1\0"]
CAMERAS = [None, "SONY A7", "Sony a7", "[Café] 1", "x"]
PLACES = [(None, None), (0.0, 179.9), (0.5, -179.9), (89.5, 10.0), (48.8, 2.3), (-60.0, -60.0)]
FILTERS = [
    Filter("path", Contains("/A/")),
    Filter("path", Contains("b/*.?????")),
    Filter("path", Contains("*x.jp?")),
    Filter("ext", OneOf(("jpg", ".TIFF"))),
    Filter("date", Range("2024-05", "2024-08")),
    Filter("width", Range(300, None)),
    Filter("path", Contains("/P/a*")),
    Filter("path", Contains("*[*")),
    Filter("path", Contains("É")),
    Filter("path", Contains("京都")),
    Filter("height", Range(None, 480)),
    *(Filter("orientation", OneOf((kind,))) for kind in ("landscape", "portrait", "square")),
    *(Filter("camera", Contains(text)) for text in ("sony", "*7", "[caf*", "É", "?")),
    *(Filter("keyword", OneOf((text,))) for text in ("STRAND", "CAFÉ", "a*b", "[x*", "1?", "?*w?")),
    *(Filter("text", Contains(text)) for text in ("DUE 17", "exit", "[1]", "", "STRASSE", "b   c")),
    *(Filter("near", Near(*place)) for place in ((0, 180, 60), (90, 0, 500), (-59, 300, 9_999))),
]
ORDERS: tuple[Order, ...] = ("date", "path")
PHRASES = [
    "a",
    "b y",
    "x",
    "c x",
    "p",
    "beach trip",
    "beachtrip 12 e",
    "12",
    "京都",
    "寺",
    "exit",
    "total due 17",
    "a b",
    "old town",
    "oldtown",
    "cafe",
    "strasse 1",
    "q a",
    "jpg",
    "näme 3",
    "c zip old beach",
    "c zip e 京",
    "12 48",
]


def live_alike(store: Store, seed: int, *, steps: int = 120, looks: int = 1) -> None:
    """Do the same with a store and one in memory, and compare their answers at every `looks`-th
    step and at the end."""
    random, memory, model = np.random.default_rng(seed), MemoryStore(MODEL), MODEL
    moved = compacted = 0
    for step in range(steps + 1):
        act = _random_act(random, memory) if step < steps else _drop_next_and_compact
        with store.writing(), memory.writing():
            holes = memory.row_count() - memory.image_count()
            assert act(store) == act(memory)
            compacted += holes > memory.row_count() - memory.image_count()
        moved += memory.model != model
        model = memory.model
        if step % looks == 0 or step == steps:
            assert_alike(store, memory, random)
    assert memory.image_count() > 0
    assert compacted, "the history should have left holes, and closed them"
    assert moved, "the history should have moved to another model"


def _drop_next_and_compact(store: Store) -> int:
    store.drop_next()
    return store.compact().holes


def _sorted_rows(records: list[ImageRecord], by: Order, places: list[str]) -> list[int]:
    """Sort records in two steps, as a person would say it."""
    records.sort(key=lambda one: (path_within(one.paths, places) or "", one.image_id))
    if by == "date":
        records.sort(key=lambda one: one.facts.taken_at or "", reverse=True)
    return [record.row for record in records]


def _random_act(random: Generator, known: Store) -> Callable[[Store], object]:
    root_ids = [root.root_id for root in known.roots()]
    held = [(root_id, path) for root_id in root_ids for path in known.files(Scope(root_id))]
    kind = random.choice(KINDS)
    folder = str(random.choice(FOLDERS))
    if kind == "add" or not root_ids:
        whole = bool(random.random() < 0.7)
        return lambda store: store.add_root(folder, whole=whole)
    if kind == "move":
        scope = Scope(int(random.choice(root_ids)), str(random.choice(["", "", "a", "b/c"])))
        return lambda store: store.move(scope, folder)
    if kind == "forget":
        gone = [key for key in held if random.random() < 0.4]
        return lambda store: store.forget(gone)
    if kind == "prune":
        return lambda store: store.prune()
    if kind == "compact":
        return lambda store: store.compact().holes if store.next_model() is None else None
    if kind == "next":
        return _random_step_to_next(random, known)
    if kind == "facts":
        rows = np.flatnonzero(known.alive()).tolist()
        ids = [record.image_id for record in known.records(rows) if random.random() < 0.3]
        images = (_random_image(random, f"{len(id_) + i}", 8) for i, id_ in enumerate(ids))
        facts = {id_: image.facts for id_, image in zip(ids, images, strict=True)}
        return lambda store: store.write_facts(facts)
    if kind == "read":
        return _random_reading(random, known)
    return _random_write(random, root_ids, known.model.embed_dim)


def _random_step_to_next(random: Generator, known: Store) -> Callable[[Store], object]:
    following = known.next_model()
    if following is None or random.random() < 0.1:
        others = [model for model in MODELS if model != known.model]
        chosen = others[random.integers(len(others))]
        return lambda store: store.begin_next(chosen)
    missing = np.flatnonzero(known.alive() & ~known.next_done())
    if not len(missing):
        return lambda store: store.finish_next()
    rows = missing[random.random(len(missing)) < 0.7].tolist()
    vectors = np.stack(
        [example_image(f"{row}", embed_dim=following.embed_dim).vector for row in [*rows, 0]]
    )
    return lambda store: store.write_next(rows, vectors[:-1])


def _random_reading(random: Generator, known: Store) -> Callable[[Store], object]:
    rows = np.flatnonzero(known.alive())
    if random.random() < 0.7:
        read = {int(row): str(random.choice(TEXTS)) for row in rows if random.random() < 0.3}
        return lambda store: store.write_texts(read)
    first = int(random.integers(known.row_count() + 1))
    count = int(random.integers(known.row_count() + 1 - first))
    numbers = random.standard_normal((count, MEASURES)).astype(np.float32)
    return lambda store: store.write_measures(first, numbers)


def _random_image(random: Generator, name: str, embed_dim: int) -> NewImage:
    image = example_image(
        name,
        embed_dim=embed_dim,
        taken_at=f"2024-{int(name) % 12 + 1:02}-01" if int(name) % 7 else None,
        width=120 * int(name) if int(name) % 5 else 480,
    )
    latitude, longitude = PLACES[random.integers(len(PLACES))]
    return replace(
        image,
        facts=replace(
            image.facts,
            camera=CAMERAS[random.integers(len(CAMERAS))],
            latitude=latitude,
            longitude=longitude,
            caption=None if random.random() < 0.5 else TEXTS[random.integers(len(TEXTS))],
            keywords=(*image.facts.keywords, *random.choice(KEYWORDS, size=2).tolist()),
        ),
    )


def _random_write(
    random: Generator, root_ids: list[int], embed_dim: int
) -> Callable[[Store], object]:
    names = [str(name) for name in random.integers(0, 25, size=random.integers(1, 6))]
    images = [_random_image(random, name, embed_dim) for name in names]
    files = [
        FileRecord(
            int(random.choice(root_ids)),
            str(random.choice(PATHS)),
            index,
            index,
            *_random_content(random, [image.image_id for image in images[index:]]),
        )
        for index in range(len(images))
    ]
    return lambda store: store.write(images, files)


def _random_content(
    random: Generator, image_ids: list[str]
) -> tuple[str | None, str | None, tuple[Fragment, ...]]:
    """Return what a file holds: the first of some images, none, or several."""
    kind = random.random()
    if kind < 0.7:
        return (image_ids[0], None, ()) if kind < 0.55 else (None, "broken", ())
    names = random.choice(FRAGMENTS, size=random.integers(1, 5), replace=False).tolist()
    fragments = [Fragment(name, str(random.choice(image_ids))) for name in names]
    if kind > 0.9:
        fragments[0] = replace(fragments[0], image_id=None, problem="broken")
    return None, None, tuple(fragments)


def assert_alike(store: Store, memory: Store, random: Generator) -> None:
    assert store.roots() == memory.roots()
    assert store.row_count() == memory.row_count()
    assert store.image_count() == memory.image_count()
    alive = memory.alive()
    assert store.alive().tolist() == alive.tolist()
    rows = np.flatnonzero(alive).tolist()
    assert store.records(rows) == memory.records(rows)
    assert np.array_equal(store.vectors(rows), memory.vectors(rows))
    assert store.model == memory.model
    assert store.next_model() == memory.next_model()
    assert store.next_done().tolist() == memory.next_done().tolist()
    probes = random.standard_normal((2, memory.model.embed_dim)).astype(np.float32)
    np.testing.assert_allclose(
        store.scores(probes)[:, alive], memory.scores(probes)[:, alive], atol=1e-6
    )
    about = store.estimates(probes)
    off = np.abs(about.cosines - store.scores(probes))
    assert off.max(initial=0) <= about.error + 1e-6
    for wanted in FILTERS:
        assert store.matching(wanted).tolist() == memory.matching(wanted).tolist(), wanted
    for phrase in PHRASES:
        assert store.holding(phrase).tolist() == memory.holding(phrase).tolist(), phrase
    assert store.text_read().tolist() == memory.text_read().tolist()
    # Those of a hole may be gone with its image.
    assert np.array_equal(store.measures()[alive], memory.measures()[alive], equal_nan=True)
    assert store.facets() == memory.facets()
    places = random.choice(FOLDERS, size=random.integers(3)).tolist()
    for by, asked in itertools.product(ORDERS, ([], places)):
        order = store.ordered(by, places=asked).tolist()
        assert order == memory.ordered(by, places=asked).tolist(), (by, asked)
        assert order == _sorted_rows(memory.records(rows), by, asked), (by, asked)
    for folder in FOLDERS:
        scope = memory.locate(folder)
        assert store.locate(folder) == scope
        if scope is not None:
            assert list(store.files(scope).items()) == list(memory.files(scope).items())
            assert store.within([scope]).tolist() == memory.within([scope]).tolist()
    for digit in "0123456789abcdef":
        assert store.find(digit) == memory.find(digit)
