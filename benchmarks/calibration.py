"""Fit SLOPE and MIDPOINT of search/calibrate.py, and print what the default threshold does.

    python benchmarks/calibration.py [MODEL] [CAPTIONS]

The truth comes from captions: a caption's own photo matches it, a photo of which a caption names
a concept matches that concept, and what no caption names is absent. The curve is fitted on the
photos of even number; rates are printed for those of odd number, a library of their own, and for
all. "Before" is what it replaced: the background alone as scale, and a conjunction as a product.
Default data: ../shared of this repository.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.evaluate.ranking import ranks
from visionquery.images import decode
from visionquery.images.limits import Limits
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.query.plan import Null
from visionquery.search.background import measure_background
from visionquery.search.calibrate import (
    DEFAULT_MIN_CONFIDENCE,
    MIDPOINT,
    SLOPE,
    LogOdds,
    all_of,
    log_odds,
    log_odds_of,
    scale_of,
    suspicion,
)
from visionquery.store.base import FileRecord, NewImage
from visionquery.store.memory import MemoryStore
from visionquery.types import Facts

SHARED = Path(__file__).resolve().parents[2] / "shared"
LEAST = log_odds_of(DEFAULT_MIN_CONFIDENCE)

_PEOPLE = (
    "man men woman women boy boys girl girls child children people person kid kids lady ladies guy "
    "guys player players toddler toddlers baby babies surfer skier climber biker bicyclist cyclist "
    "skateboarder snowboarder rider swimmer couple crowd family group"
)
# A concept, and the words of a caption that name it.
CONCEPTS = {
    line.split(": ")[0]: frozenset(line.split(": ")[1].split())
    for line in f"""a dog: dog dogs puppy puppies
a person: {_PEOPLE}
people: {_PEOPLE}
a man: man men guy guys
a woman: woman women lady ladies
a boy: boy boys
a girl: girl girls
a child: child children kid kids boy boys girl girls toddler baby
a baby: baby babies toddler infant
a crowd: crowd crowds crowded
water: water ocean lake river sea pool stream waves wave puddle surf fountain
an ocean: ocean sea surf waves wave surfer surfing
a beach: beach shore sand seashore
a pool: pool pools
a lake: lake pond
a river: river stream creek
snow: snow snowy
grass: grass grassy lawn
a field: field
a street: street road sidewalk
a city: city urban street downtown
a building: building buildings house store
a mountain: mountain mountains hill cliff mountainside
a rock: rock rocks rocky cliff boulder
a tree: tree trees woods forest wooded
a forest: forest woods wooded
a fence: fence
sand: sand sandy beach dune
a bicycle: bicycle bike bikes bicycles biker bikers bicyclist bicyclists cyclist bmx
a motorcycle: motorcycle motorcycles motorbike motorcyclist motocross dirtbike
a car: car cars truck jeep van vehicle vehicles suv
a boat: boat boats canoe kayak kayaker raft sailboat rowboat
a skateboard: skateboard skateboards skateboarder skateboarders skateboarding
a ball: ball balls football soccer basketball baseball volleyball tennis
tennis: tennis
swimming: swimming swims swim swimmer swimmers
running: running runs run runner runners
jumping: jumping jumps jump leaps leaping leap
sitting: sitting sits sit seated
climbing: climbing climbs climb climber
a hat: hat hats cap helmet
a shirt: shirt shirts tshirt
hair: hair haired
sunglasses: sunglasses glasses goggles
a swing: swing swings swinging
a playground: playground slide swing
a skier: ski skier skiers skiing skis
a helmet: helmet helmets
a dress: dress dresses
a ramp: ramp""".splitlines()
}
COLOURS = {c: frozenset([c]) for c in ("red", "blue", "green", "yellow", "pink", "orange")}
ABSENT = """giraffe zebra elephant penguin kangaroo helicopter pizza sushi laptop keyboard
refrigerator toilet sink microscope x-ray passport receipt invoice spreadsheet violin piano
submarine rocket pyramid volcano cactus sunflower tulip snake spider jellyfish octopus dolphin
whale spaceship galaxy chess tank tractor skeleton typewriter lighthouse windmill castle crocodile
owl hedgehog teapot broccoli diamond thermometer scissors"""
WITHOUT = """a dog - people; a dog - a man; a dog - grass; a dog - water; a dog - snow;
people - water; people - a dog; a beach - a dog; a child - water; a child - grass;
a man - a bicycle; a man - a street; a woman - a child; a boy - a ball; a girl - water;
people - snow; people - a street; water - a dog; water - people; water - a child; snow - people;
snow - a dog; grass - a dog; grass - people; a street - a car; a crowd - a street;
jumping - a dog; jumping - water; a mountain - people; a ball - a dog"""
TOGETHER = """a dog + grass + a dog in the grass; a dog + water + a dog in the water;
a dog + snow + a dog in the snow; a dog + a ball + a dog with a ball;
a dog + a beach + a dog on a beach; a child + water + a child in the water;
a child + grass + a child on the grass; a man + a bicycle + a man on a bicycle;
a man + a rock + a man on a rock; people + snow + people in the snow;
people + a street + people on a street; a girl + a swing + a girl on a swing;
a boy + a ball + a boy with a ball; people + a boat + people in a boat;
a woman + a street + a woman on a street; a child + a swing + a child on a swing;
a man + a mountain + a man on a mountain; a child + a beach + a child on a beach"""

Scores = NDArray[np.float32]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Collection:
    """Photos as a library: `null` of its background; cosines of captions, (c, n), with the photo
    of each, (c,); and of other texts, (n,), with their truth, (n,)."""

    null: Null
    captions: Scores
    own: NDArray[np.intp]
    concepts: dict[str, tuple[Scores, Truth]]
    colours: dict[str, tuple[Scores, Truth]]
    absent: list[Scores]
    sentences: dict[str, Scores]


@dataclass(frozen=True)
class Curve:
    """A way from cosines to the odds of a match, of an exclusion, and of a conjunction."""

    name: str
    odds: Callable[[Scores, Null], LogOdds]
    excluded: Callable[[Scores, Null], LogOdds]
    both: Callable[[list[LogOdds]], LogOdds]


def _former(cosines: Scores, null: Null) -> LogOdds:
    odds = 2.1 * ((cosines.astype(np.float64) - null.mean) / null.std - 3.65)
    # Its threshold was 0.3; moved here to where the present one is.
    return odds - log_odds_of(0.3) + LEAST


CURVES = (
    Curve("before", _former, _former, lambda parts: all_of([], parts)),
    Curve(
        "now",
        lambda cosines, null: log_odds(cosines, scale_of(cosines, null)),
        lambda cosines, null: suspicion(cosines, scale_of(cosines, null)),
        lambda parts: all_of(parts, []),
    ),
)


def main() -> None:
    """Measure and print."""
    model = sys.argv[1] if len(sys.argv) > 1 else str(SHARED / "models/lit-tiny")
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else SHARED / "data/flickr8k-dev/captions.jsonl"
    entries = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    encoder = load_encoder(resolve(model))
    print(f"{encoder.identity.name}, {len(entries)} photos of {file.parent.name}")
    vectors = encoded([file.parent / entry["file"] for entry in entries], encoder)
    captions = [entry["captions"] for entry in entries]
    fitted, held_out = (
        collection(encoder, vectors[part::2], captions[part::2], least=10) for part in (0, 1)
    )
    slope, midpoint = fit(fitted)
    print(f"fit: slope {slope:.2f}, midpoint {midpoint:.2f} (used: {SLOPE}, {MIDPOINT})")
    for title, photos in (
        ("held out", held_out),
        ("all", collection(encoder, vectors, captions, least=20)),
    ):
        for curve in CURVES:
            print(f"\n{title}, {len(photos.captions[0])} photos, {curve.name}:")
            report(photos, curve)


def encoded(paths: list[Path], encoder: Encoder) -> Scores:
    """Return the vectors of pictures, (n, embed_dim), made 32 at a time."""
    vectors = []
    for start in range(0, len(paths), 32):
        data = [decode.read(path, limits=Limits()) for path in paths[start : start + 32]]
        decoded = [decode.decode(one, min_side=2 * encoder.image_side) for one in data]
        vectors.append(encoder.encode_images(np.stack([encoder.prepare(one) for one in decoded])))
    return np.concatenate(vectors)


def null_of(encoder: Encoder, vectors: Scores) -> Null:
    """Return the null of a library of these pictures, (n, embed_dim)."""
    store = MemoryStore(encoder.identity)
    ids = [f"{number:064x}" for number in range(len(vectors))]
    with store.writing():
        root = store.add_root("/photos").root_id
        store.write(
            [NewImage(i, v, Facts(1, 1, "JPEG", 1)) for i, v in zip(ids, vectors, strict=True)],
            [FileRecord(root, i, 1, 1, i) for i in ids],
        )
    background = measure_background(encoder, store)
    assert background is not None, "there are pictures"
    return background.null


def collection(
    encoder: Encoder, vectors: Scores, captions: list[list[str]], *, least: int
) -> Collection:
    """Score photos, (n, embed_dim), with all texts; concepts only where `least` photos match."""
    words = [set(re.findall("[a-z]+", " ".join(of).lower())) for of in captions]

    def scored(texts: list[str]) -> Scores:
        return encoder.encode_texts(texts) @ vectors.T

    def judged(concepts: dict[str, frozenset[str]]) -> dict[str, tuple[Scores, Truth]]:
        truth = {c: np.array([bool(names & w) for w in words]) for c, names in concepts.items()}
        common = [c for c, matches in truth.items() if matches.sum() >= least]
        return {c: (row, truth[c]) for c, row in zip(common, scored(common), strict=True)}

    bare = {c.removeprefix("a ").removeprefix("an "): names for c, names in CONCEPTS.items()}
    mentioned = set().union(*words)
    absent = [a for a in ABSENT.split() if a not in mentioned and f"{a}s" not in mentioned]
    sentences = [one.split(" + ")[2] for one in pairs(TOGETHER)]
    return Collection(
        null=null_of(encoder, vectors),
        captions=scored([caption for of in captions for caption in of]),
        own=np.repeat(np.arange(len(captions)), [len(of) for of in captions]),
        concepts=judged(CONCEPTS | bare),
        colours=judged(COLOURS),
        absent=list(scored([text for a in absent for text in (a, f"a {a}")])),
        sentences=dict(zip(sentences, scored(sentences), strict=True)),
    )


def pairs(text: str) -> list[str]:
    """Return the entries of a list with semicolons."""
    return [" ".join(one.split()) for one in text.split(";")]


def fit(photos: Collection) -> tuple[float, float]:
    """Return slope and midpoint of confidence = 1 / (1 + exp(-slope * (z - midpoint))).

    Newton's method on weighted pairs of text and photo. A concept's misses weigh in total what
    they are per match, a caption's 5 matches, an absent thing's a tenth each.
    """
    z, truth, weight = [], [], []

    def add(cosines: Scores, matches: Truth, *, match: float, miss: float) -> None:
        scale = scale_of(cosines, photos.null)
        z.append(log_odds(cosines, scale) / SLOPE + MIDPOINT)
        truth.append(matches)
        weight.append(np.where(matches, match, miss))

    count = len(photos.captions[0])
    for row, own in list(zip(photos.captions, photos.own, strict=True))[::4]:
        share = 1.2 / len(photos.own)
        add(row, np.arange(count) == own, match=share, miss=share * 5 / count)
    for row, matches in photos.concepts.values():
        share = 1 / len(photos.concepts) / matches.sum()
        add(row, matches, match=share, miss=share)
    for row in photos.absent:
        add(row, np.zeros(count, bool), match=0, miss=0.1 / len(photos.absent))
    return _newton(np.concatenate(z), np.concatenate(truth), np.concatenate(weight))


def _newton(z: LogOdds, truth: Truth, weight: NDArray[np.float64]) -> tuple[float, float]:
    design = np.stack([z, np.ones_like(z)], axis=1)
    theta = np.zeros(2)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-design @ theta))
        curvature = (design * (weight * chance * (1 - chance))[:, None]).T @ design
        theta -= np.linalg.solve(curvature, design.T @ (weight * (chance - truth)))
    return float(theta[0]), float(-theta[1] / theta[0])


def report(photos: Collection, curve: Curve) -> None:
    """Print all rates of one curve at the default threshold."""
    null = photos.null
    shown = np.array([curve.odds(row, null) >= LEAST for row in photos.captions])
    good = ranks(photos.captions, photos.own) <= 10
    kept = shown[np.arange(len(shown)), photos.own][good]
    print(
        f"  captions: own photo of the first ten kept {kept.mean():.1%}, "
        f"median {np.median(shown.sum(axis=1)):.0f} photos shown"
    )
    for name, known in (("concepts", photos.concepts), ("colours", photos.colours)):
        _report_known(name, known, curve, null)
    hits = np.array([np.count_nonzero(curve.odds(row, null) >= LEAST) for row in photos.absent])
    print(
        f"  absent: {np.mean(hits == 0):.0%} of {len(hits)} answered with nothing, "
        f"mean {hits.mean():.1f} photos shown"
    )
    _report_without(photos, curve)
    _report_together(photos, curve)
    _report_bins(photos, curve)


def _report_known(
    name: str, known: dict[str, tuple[Scores, Truth]], curve: Curve, null: Null
) -> None:
    answers = [(curve.odds(row, null) >= LEAST, truth) for row, truth in known.values()]
    precision = [truth[shown].mean() for shown, truth in answers if shown.any()]
    recall = [shown[truth].mean() for shown, truth in answers]
    print(
        f"  {name}: {len(precision) / len(answers):.0%} of {len(answers)} answered, precision "
        f"{np.mean(precision or [0]):.2f}, recall {np.mean(recall):.2f}"
    )


def _report_without(photos: Collection, curve: Curve) -> None:
    """Print what "A -B" leaves of B in the first 20, and loses of A without B, beside "A", and
    what "-B" leaves of B and loses of the rest."""
    before, after, lost, left, wrong = [], [], [], [], []
    for wanted, other in (one.split(" - ") for one in pairs(WITHOUT)):
        if wanted not in photos.concepts or other not in photos.concepts:
            continue
        (row, truth), (unwanted, excluded) = photos.concepts[wanted], photos.concepts[other]
        odds = curve.odds(row, photos.null)
        absence = -curve.excluded(unwanted, photos.null)
        both = all_of([odds], [absence])
        before.append(excluded[np.argsort(-odds)[:20]].mean())
        after.append(excluded[np.argsort(-both)[:20]].mean())
        right = (odds >= LEAST) & truth & ~excluded
        lost.append((both[right] < LEAST).mean() if right.any() else 0.0)
        left.append((absence[excluded] >= LEAST).mean())
        wrong.append((absence[~excluded] < LEAST).mean())
    print(
        f"  A -B, {len(after)} pairs: B in the first 20 {np.mean(before):.2f} -> "
        f"{np.mean(after):.2f}, lost of A without B {np.mean(lost):.2f}; -B alone: B that stays "
        f"{np.mean(left):.2f}, others lost {np.mean(wrong):.2f}"
    )


def _report_together(photos: Collection, curve: Curve) -> None:
    """Print how "A AND B" does beside one sentence that says both."""
    answered, precise, joined, spoken = [], [], [], []
    for first, second, sentence in (entry.split(" + ") for entry in pairs(TOGETHER)):
        if first not in photos.concepts or second not in photos.concepts:
            continue
        (one, is_one), (other, is_other) = photos.concepts[first], photos.concepts[second]
        truth = is_one & is_other
        odds = curve.both([curve.odds(row, photos.null) for row in (one, other)])
        answered.append((odds >= LEAST).any())
        precise += [truth[odds >= LEAST].mean()] if answered[-1] else []
        joined.append(truth[np.argsort(-odds)[:10]].mean())
        spoken.append(truth[np.argsort(-photos.sentences[sentence])[:10]].mean())
    print(
        f"  A AND B, {len(joined)} pairs: {np.mean(answered):.0%} answered, precision "
        f"{np.mean(precise or [0]):.2f}, of the first ten right {np.mean(joined):.2f} "
        f"(one sentence: {np.mean(spoken):.2f})"
    )


def _report_bins(photos: Collection, curve: Curve) -> None:
    """Print, for photos of concepts by confidence, how many are right."""
    odds = np.concatenate([curve.odds(row, photos.null) for row, _ in photos.concepts.values()])
    truth = np.concatenate([truth for _, truth in photos.concepts.values()])
    edges = [log_odds_of(p) for p in (0.1, 0.25, 0.4, 0.6, 0.8, 1.0)]
    bins = [truth[(odds >= a) & (odds < b)] for a, b in pairwise(edges)]
    shares = ", ".join(f"{one.mean():.2f}" if len(one) else "-" for one in bins)
    print(f"  right at confidence 0.1 to 0.25, 0.4, 0.6, 0.8, 1: {shares}")


if __name__ == "__main__":
    main()
