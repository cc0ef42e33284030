"""Words of files beside what the model sees: names, captions and keywords find images too."""

from dataclasses import replace

import numpy as np
import pytest

from visionquery.search.calibrate import log_odds_of
from visionquery.search.executor import execute
from visionquery.store.memory import MemoryStore

CROWD = 60


@pytest.fixture
def store(world) -> MemoryStore:
    """Sixty cars without a word, and some that look the same but have words."""
    return world.store(
        *(world.image(f"{i:04x}", car=1.0) for i in range(CROWD)),
        world.image("a0", car=1.0, facts={"keywords": ("Lighthouse", "storm")}),
        world.image("a1", car=1.0, facts={"caption": "A storm at the lighthouse."}),
        world.image("a2", car=1.0),
        world.image("b0", car=1.0, facts={"keywords": ("storm",)}),
        world.image("c0", car=1.0, facts={"keywords": ("dog",)}),
        world.image("d0", dog=1.0),
        world.image("d1", dog=1.0, facts={"keywords": ("storm",)}),
        names={"a2": "Holiday/storm-at-Lighthouse_2.JPG"},
    )


def test_whoever_holds_all_words_is_relevant_whatever_the_model_sees(world, store) -> None:
    assert world.relevant("lighthouse storm", store) == ["a0", "a1", "a2"]
    assert world.relevant("storms at the lighthouses", store) == ["a0", "a1", "a2"]
    found = world.confidences("lighthouse storm", store)
    assert min(found[one] for one in ("a0", "a1", "a2")) > 0.85
    assert max(found[f"{i:04x}"] for i in range(CROWD)) < 0.05


def test_whoever_holds_some_words_comes_before_those_who_look_the_same(world, store) -> None:
    order = world.ids("lighthouse storm", store, limit=100, min_confidence=0.0)
    found = world.confidences("lighthouse storm", store)
    assert set(order[:3]) == {"a0", "a1", "a2"}
    assert order.index("b0") < min(order.index(f"{i:04x}") for i in range(CROWD))
    assert found["a0"] > found["b0"] > found["c0"]
    assert found["c0"] == found["0000"]


def test_words_add_to_what_the_model_sees(world, store) -> None:
    found = world.confidences("dog", store)
    assert found["d0"] == found["d1"] > 0.5
    assert found["c0"] > 0.85
    assert world.relevant("dog", store)[:2] == ["d0", "d1"]
    assert set(world.relevant("dog", store)) == {"c0", "d0", "d1"}
    both = world.confidences("dog storm", store)
    assert both["d1"] > both["d0"]


def test_the_gain_is_the_share_of_the_words_times_their_weight(world, store) -> None:
    query = "lighthouse storm"
    with_words = world.confidences(query, store)
    gain = log_odds_of(with_words["b0"]) - log_odds_of(with_words["0000"])
    rare, common = np.log(store.image_count() / 3), np.log(store.image_count() / 5)
    share = common / (rare + common)
    assert gain == pytest.approx(world.calibration.words * share, rel=1e-4)


def test_an_exclusion_drops_whoever_holds_its_words(world) -> None:
    store = world.store(
        *(world.image(f"{i:04x}", people=1.0) for i in range(CROWD)),
        world.image("a0", car=1.0, facts={"keywords": ("Lighthouse", "storm")}),
        world.image("b0", car=1.0, facts={"keywords": ("storm",)}),
        world.image("c0", car=1.0),
    )
    assert world.relevant("car", store) == ["a0", "b0", "c0"]
    assert world.relevant("car -lighthouse", store) == ["b0", "c0"]
    assert world.relevant("car -storms", store) == ["c0"]
    assert world.relevant('car -"storm lighthouse"', store) == ["a0", "b0", "c0"]


def test_a_quoted_phrase_is_held_as_a_whole(world) -> None:
    store = world.store(
        *(world.image(f"{i:04x}", car=1.0) for i in range(20)),
        world.image("a0", car=1.0, facts={"caption": "The red barn in winter"}),
        world.image("b0", car=1.0, facts={"caption": "A red tractor by the barn"}),
        world.image("c0", car=1.0, facts={"keywords": ("barn", "red")}),
    )
    assert world.relevant('"red barn"', store) == ["a0"]
    assert world.relevant("red barn", store) == ["a0", "b0", "c0"]
    found = world.confidences('"red barn"', store)
    assert found["b0"] == found["c0"] == found["0000"]


def test_a_word_that_all_have_tells_nothing_apart(world) -> None:
    store = world.store(
        *(world.image(f"{i:02x}", car=1.0, facts={"keywords": ("zoo",)}) for i in range(9)),
        world.image("aa", car=1.0),
    )
    assert world.relevant("zoo", store) == []
    assert len(set(world.confidences("zoo", store).values())) == 1


def test_a_quoted_phrase_is_held_as_a_whole_within_a_conjunction_too(world) -> None:
    images = [world.image(f"{i:02}", car=1.0) for i in range(12)]
    plain = world.store(*images)
    named = world.store(*images, names={"02": "red barn.jpg", "03": "barn red.jpg"})
    before, found = (world.confidences('"red barn" AND snow', one) for one in (plain, named))
    assert found["02"] > before["02"]
    assert found["03"] == before["03"]


def test_a_general_word_excludes_what_is_called_by_one_of_its_kinds(world) -> None:
    images = [world.image(f"{i:02}", beach=1.0) for i in range(12)]
    store = world.store(*images, names={"05": "a man at sea.jpg"})
    assert set(world.relevant("beach -people", store)) == {f"{i:02}" for i in range(12)} - {"05"}


def test_words_of_a_blend_with_a_picture_count_too(world) -> None:
    images = [world.image(f"{i:02}", beach=1.0) for i in range(12)]
    store = world.store(*images, names={"05": "sardinia.jpg"})
    assert world.ids("sardinia like:00", store)[0] == "05"
    assert world.ids("like:00", store)[0] == "00"


def test_the_store_is_asked_for_each_word_once(world, store, monkeypatch) -> None:
    asked: list[str] = []
    holding = store.holding
    monkeypatch.setattr(store, "holding", lambda word: asked.append(word) or holding(word))
    world.search("rex OR (rex dog) OR -rex OR (rex AND lighthouse)", store)
    assert {"rex", "dog", "lighthouse"} < set(asked)
    assert len(asked) == len(set(asked))


# -- what never changes a confidence -------------------------------------------------------------
@pytest.mark.parametrize(
    "query",
    ["dog", "-dog", "dog -storm", "lighthouse storm", "dog AND car", "dog OR storm", "like:d0"],
)
def test_filters_and_folders_never_change_a_confidence(world, store, query) -> None:
    everywhere = world.confidences(query, store)
    filtered = world.confidences(f"({query}) -keyword:dog height:50", store)
    assert "c0" not in filtered
    assert len(filtered) == len(everywhere) - 1
    for image_id, value in filtered.items():
        assert value == pytest.approx(everywhere[image_id], rel=1e-12)
    where = world.where(store, "a0", "d1", "0003")
    within = world.confidences(query, store, where=where)
    assert within == {one: everywhere[one] for one in ("a0", "d1", "0003")}


def test_holes_hold_no_words(world, store) -> None:
    with store.writing():
        store.forget([(1, "a0.jpg"), (1, "a1.jpg")])
        store.prune()
    assert world.relevant("lighthouse storm", store) == ["a2"]


def test_whoever_holds_all_is_believed_even_where_words_weigh_nothing(world) -> None:
    store = world.store(
        *(world.image(f"{i:04x}", car=1.0) for i in range(20)),
        world.image("a0", car=1.0, facts={"keywords": ("barn",)}),
    )
    made = world.plan("barn", store)
    weightless = replace(made, calibration=replace(made.calibration, words=0.0))
    hits = execute(weightless, store).hits
    assert [hit.image_id for hit in hits] == ["a0"]
    assert hits[0].confidence == pytest.approx(1 / (1 + np.exp(-2.0)))
