"""What the parts of an image add to what it is as a whole."""

from dataclasses import replace

import numpy as np

from visionquery.query.ast import Box
from visionquery.query.plan import Probe
from visionquery.search.regions import lifted
from visionquery.store.regions import ImageRegions, Regions, regions_of

DIM = 32
WORD = Probe("a boat", is_text=True, phrases=(("boat",),))
MANY = Probe("…", is_text=True, phrases=(("a",), ("b",), ("c",), ("d",)))


def unit(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return found


def made(count: int = 60) -> tuple[np.ndarray, np.ndarray, Regions]:
    """Return images without a match, the probe, and parts of the first 50, of which the second one
    of image 7 is the probe itself."""
    random = np.random.default_rng(3)
    probe = unit(random.standard_normal(DIM))
    whole = unit(random.standard_normal((count, DIM)))
    parts = unit(random.standard_normal((50, 3, DIM)))
    parts[7, 1] = probe
    boxes = np.array([[0, 0, 50, 50], [50, 50, 20, 10], [0, 50, 50, 50]], np.float32)
    images = [ImageRegions(boxes, of, np.full(3, 0.2, np.float32)) for of in parts]
    regions = regions_of(list(range(50)), images, embed_dim=DIM)
    assert regions is not None
    return whole @ probe, probe[None], regions


def test_a_part_that_matches_lifts_its_image_and_is_told() -> None:
    whole, probe, regions = made()
    found = lifted(whole[None], regions, regions.scores(probe), [WORD], asked={0})
    assert found.cosines.shape == (1, 60)
    assert found.cosines[0].argmax() == 7
    assert found.box(0, 7) == Box(50, 50, 20, 10)
    assert found.times.tolist() == [4**0.75]
    np.testing.assert_array_equal(found.cosines[0, 50:], whole[50:])
    assert found.box(0, 55) is None


def test_what_is_not_asked_for_is_judged_as_a_whole() -> None:
    whole, probe, regions = made()
    stacked, both = np.stack([whole, whole]), np.vstack([probe, probe])
    found = lifted(stacked, regions, regions.scores(both), [WORD, WORD], asked={1})
    np.testing.assert_array_equal(found.cosines[0], whole)
    assert found.box(0, 7) is None
    assert found.box(1, 7) is not None


def test_many_words_need_a_part_that_is_better_by_far() -> None:
    whole, probe, regions = made()
    few = lifted(whole[None], regions, regions.scores(probe), [WORD], asked={0})
    many = lifted(whole[None], regions, regions.scores(probe), [MANY], asked={0})
    raised = [int(found.in_part[0].sum()) for found in (few, many)]
    assert raised[0] > raised[1] >= 1


def test_a_part_that_is_near_every_text_counts_for_less() -> None:
    whole, probe, regions = made()
    hub = replace(regions, biases=regions.biases.copy())
    hub.biases[22] = 2.0  # the part of image 7
    found = lifted(whole[None], hub, hub.scores(probe), [WORD], asked={0})
    plain = lifted(whole[None], regions, regions.scores(probe), [WORD], asked={0})
    assert found.cosines[0, 7] < plain.cosines[0, 7]
