"""Do engines answer as a library in a folder does?

    python -m benchmarks.engines.congruence [postgresql] [qdrant] [--real 30000] [--made 200000]

Every kind of query is asked of 30,000 real vectors, of which one in eleven was removed again, and
of 200,000 made ones (Qdrant, here in its client's local mode, of real ones only). Where every image
is compared (`exact`), the answer must be the folder's: the same images in the same order but for
those whose confidences agree to 1e-5, the same totals. The folder compares by float32 there,
without the codes whose rounding moves confidences by some thousandths. Where an index passes images
over, what counts is recall@20 against that, 0.98 at least.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks import vectors
from benchmarks.engines.libraries import encoder, library_of, made_image_id, real
from benchmarks.engines.server import running
from benchmarks.exact import FILTERED, SONY, plan_of
from benchmarks.quality.verdicts import finish, target

from visionquery.copying import copy_library
from visionquery.opening import open_at
from visionquery.query.ast import Contains, Filter
from visionquery.query.plan import AllOf, AnyOf, Expression, Negation, ProbeRef
from visionquery.search.executor import execute
from visionquery.search.result import Hit, Page, Response
from visionquery.store.base import Estimates, Scope, Store
from visionquery.types import Matrix

Answer = Page | Response
Ask = Callable[..., Answer]

_LIMIT = 20
_TIE = 1e-5
_QUERIES = 40
_REAL = (
    "a dog on a beach", "snow", "a man riding a bicycle in the street", '"red car"',
    "dog AND beach", "dog OR cat", "(dog OR horse) AND grass", "people -car",
    "a beach without people",
    "dog -beach -snow", "2:dog grass", "camera:sony a boat", "a child date:2015..2018",
    "city path:/work/clients", "mountain ext:png width:>3000", "orientation:square flower",
    "near:48.86,2.35,30 street", "keyword:dog", "dog keyword:water", "text:exit",
    "text:exit a sign",
    "date:2020", "camera:canon -ext:png", "like:{id}", "like:{id} at night", "girl", "football",
    "zebra", "a computer screen with text", "food on a plate OR date:2011", "-people",
)  # fmt: skip
_ONE, _TWO = ProbeRef(0), ProbeRef(1)
_MADE: dict[str, tuple[int, Expression, tuple[Filter, ...]]] = {
    "one text": (1, _ONE, ()),
    "one text, a filter": (1, FILTERED, (SONY,)),
    "one text, a rare filter": (1, FILTERED, (Filter("path", Contains("trip 77/")),)),
    "AND": (2, AllOf((_ONE, _TWO)), ()),
    "OR": (2, AnyOf((_ONE, _TWO)), ()),
    "NOT": (2, AllOf((_ONE, Negation(_TWO))), ()),
}


def main() -> None:
    """Compare, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="*", default=["postgresql", "qdrant"])
    parser.add_argument("--real", type=int, default=30_000)
    parser.add_argument("--made", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vq-") as temporary:
        folder = options.folder or Path(temporary)
        for engine in options.engines:
            with running(engine) as address:
                _of_real(folder, engine, address("real"), options.real)
                if engine == "postgresql":
                    _of_made(folder, engine, address("made"), options.made)
    finish()


def _of_real(folder: Path, engine: str, address: str, count: int) -> None:
    model = encoder()
    with closing(real(folder / f"real-{count}", count)) as local:
        _take_out(local)
        copy_library(local.location, address)
        _compare_by_float32(local)
        with closing(open_at(address)) as store:
            print(f"{engine}, {store.image_count():,} real vectors")
            with library_of(local, model) as ours, library_of(store, model) as theirs:
                queries = [each.format(id=made_image_id(5)) for each in _REAL]
                _compare(
                    f"{engine}, real",
                    queries,
                    [partial(ours.search, query, limit=_LIMIT) for query in queries],
                    [partial(theirs.search, query, limit=_LIMIT) for query in queries],
                )


def _of_made(folder: Path, engine: str, address: str, count: int) -> None:
    with closing(vectors.library(folder, count, 512)) as local:
        copy_library(local.location, address)
        _compare_by_float32(local)
        with closing(open_at(address)) as store:
            print(f"{engine}, {count:,} made vectors")
            for name, (probes, expression, filters) in _MADE.items():
                texts = vectors.texts(_QUERIES * probes, count, 512)
                plans = [
                    plan_of(local, each, expression, filters)
                    for each in texts.reshape(_QUERIES, probes, 512)
                ]
                _compare(
                    f"{engine}, {name}",
                    [f"{name} {number}" for number in range(_QUERIES)],
                    [partial(execute, plan, local, limit=_LIMIT) for plan in plans],
                    [partial(execute, plan, store, limit=_LIMIT) for plan in plans],
                )


def _compare_by_float32(store: Store) -> None:
    """Let a folder do without its codes, whose rounding moves confidences by some thousandths."""

    def true(probes: Matrix, **_: object) -> Estimates:
        return Estimates(store.scores(probes))

    vars(store)["estimates"] = true


def _take_out(store: Store) -> None:
    """Remove every eleventh file, so that there are holes."""
    with store.writing():
        for root in store.roots():
            paths = list(store.files(Scope(root.root_id)))
            store.forget([(root.root_id, path) for path in paths if int(path[-11:-4]) % 11 == 0])
        store.prune()


def _compare(name: str, texts: Sequence[str], ours: Sequence[Ask], theirs: Sequence[Ask]) -> None:
    """Compare the answers of a library in a folder with those of an engine."""
    different, found, wanted, passed_over = [], 0, 0, 0
    for text, local, engine in zip(texts, ours, theirs, strict=True):
        true, exact, quick = local(exact=True), engine(exact=True), engine(exact=None)
        if not (exact.exact and _same(true, exact)):
            different.append(text)
        passed_over += not quick.exact
        expected = {hit.image_id for hit in _shown(true)}
        here = len(expected & {hit.image_id for hit in _shown(quick)})
        if here < 0.9 * len(expected):
            print(f"    {here} of {len(expected)}: {text}")
        found += here
        wanted += len(expected)
    for text in different:
        print(f"    differs: {text}")
    same = 1 - len(different) / len(texts)
    target(f"{name}: answers of the exact path that are the same", same, lambda v: v == 1, "= 1")
    recall = found / max(wanted, 1)
    label = f"{name}: recall@20 ({passed_over} of {len(texts)} pass images over)"
    target(label, recall, lambda value: value >= 0.98, ">= 0.98")


def _same(one: Answer, other: Answer) -> bool:
    """Return whether two answers are the same but for the order of what is as good as equal."""
    hits, others = _shown(one), _shown(other)
    if (one.total, len(one.hits), len(hits)) != (other.total, len(other.hits), len(others)):
        return False
    known = {hit.image_id: hit.confidence for hit in hits}
    for hit, beside in zip(others, hits, strict=True):
        if abs(hit.confidence - beside.confidence) > _TIE:
            return False
        # An image that only one of them shows must be as good as the last.
        expected = known.get(hit.image_id, hits[-1].confidence)
        if abs(hit.confidence - expected) > _TIE:
            return False
    return True


def _shown(answer: Answer) -> tuple[Hit, ...]:
    return (*answer.hits, *answer.closest)


if __name__ == "__main__":
    main()
