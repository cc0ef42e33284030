"""From a tree to a plan: what is encoded, what is blended how, and what an exclusion knows."""

from dataclasses import replace

import numpy as np
import pytest

from visionquery.errors import InputError
from visionquery.query.ast import Box, Like, Not, Picture
from visionquery.query.grammar import MAX_DEPTH, parse
from visionquery.query.plan import (
    AllOf,
    AnyOf,
    Expression,
    FilterRef,
    Negation,
    Null,
    Plan,
    Probe,
    ProbeRef,
)
from visionquery.search.background import Background
from visionquery.search.calibrate import DEFAULT_CALIBRATION
from visionquery.search.kinds import with_kinds
from visionquery.search.planner import plan
from visionquery.store.memory import MemoryStore
from visionquery.types import Decoded, Facts

RED = np.zeros((2, 2, 3), np.uint8)
RED[..., 0] = 255


@pytest.fixture
def store(world) -> MemoryStore:
    return world.store(
        world.image("a1", dog=1.0), world.image("b2", beach=1.0), world.image("c3", car=1.0)
    )


def background(world, *, text: int, image: int, length: float = 0.5) -> Background:
    """The middles of both modalities, each along one axis."""
    middles = np.zeros((2, world.identity.embed_dim), np.float32)
    middles[0, text] = middles[1, image] = length
    return Background(world.null, *middles, images=3, measured_rows=3)


def vector_of(made: Plan, text: str):
    return made.vectors[[probe.text for probe in made.probes].index(text)]


# -- what is encoded -----------------------------------------------------------------------------
def test_texts_are_encoded_once_in_one_batch(world, store):
    encoder = world.encoder()
    made = world.plan("dog OR (dog -beach) OR 2:dog OR -car", store, encoder=encoder)
    assert encoder.batches == [["dog", "beach", "car"]]
    assert made.fingerprint == "f1"
    assert made.null == world.null


def test_filters_and_stored_images_do_not_wake_the_encoder(world, store):
    encoder = world.encoder()
    made = world.plan("date:2024 like:a1 OR width:>1", store, encoder=encoder)
    assert encoder.batches == []
    assert made.vectors.shape == (1, 6)
    assert world.plan("date:2024", store, encoder=encoder).vectors.shape == (0, 6)


def test_the_expression_mirrors_the_tree(world, store):
    made = world.plan("dog -snow date:2024 -date:2024", store)
    same = FilterRef(0)
    assert made.expression == AllOf((ProbeRef(0), Negation(ProbeRef(1)), same, Negation(same)))
    assert len(made.filters) == 1


def test_a_probe_knows_its_text_its_kind_and_its_words(world, store):
    made = world.plan('wet dogs OR "red car" OR like:a1 OR (like:a1 2:beach)', store)
    assert made.probes[:3] == (
        Probe("wet dogs", True, (("wet", "wets"), ("dogs", "dog"))),
        Probe('"red car"', True, (("red car",),)),
        Probe("like:a1", False),
    )
    assert (made.probes[3].is_text, made.probes[3].phrases) == (False, (("beach", "beaches"),))


def test_the_curves_of_the_model_are_used_and_the_usual_ones_without(world, store):
    assert world.plan("dog", store).calibration == world.calibration
    without = world.encoder(calibration=None)
    assert world.plan("dog", store, encoder=without).calibration == DEFAULT_CALIBRATION


def test_without_a_background_there_is_no_null(world, store):
    assert world.plan("dog", store, background=None).null is None


# -- blends --------------------------------------------------------------------------------------
def test_a_single_term_is_exactly_its_vector_even_weighted(world, store):
    middle = background(world, text=5, image=0)
    expected = world.encoder().encode_texts(["dog"])
    made = world.plan("3:dog", store, background=middle)
    np.testing.assert_array_equal(made.vectors, expected)
    made = world.plan("like:a", store, background=middle)
    np.testing.assert_array_equal(made.vectors, store.vectors([0]))


def test_a_blend_of_words_alone_is_not_centred(world, store):
    made = world.plan("dog 2:beach", store, background=background(world, text=5, image=0))
    np.testing.assert_allclose(made.vectors[0], np.array([1, 2, 0, 0, 0, 0]) / 5**0.5, atol=1e-6)
    assert made.probes[0].is_text


def test_in_a_blend_of_pictures_each_is_taken_from_the_middle_of_pictures(world, store):
    middle = background(world, text=5, image=1)
    made = world.plan("like:a1 3:like:c3 image:x.png", store, background=middle, pixels=RED)
    vectors = [*store.vectors([0, 2]), np.eye(6)[0]]
    apart = [vector - 0.5 * np.eye(6)[1] for vector in vectors]
    expected = np.array([1, 3, 1]) @ [each / np.linalg.norm(each) for each in apart]
    np.testing.assert_allclose(made.vectors[0], expected / np.linalg.norm(expected), atol=1e-6)
    assert not made.probes[0].is_text


def test_in_a_mixed_blend_each_term_is_taken_from_its_middle_and_words_count_more(world, store):
    middle = background(world, text=5, image=1)
    query = "snow image:x.png image:y.png like:c3 2:beach"
    made = world.plan(query, store, background=middle, pixels=RED)

    def unit(vector):
        return vector / np.linalg.norm(vector)

    axes = np.eye(6)
    picture = unit(axes[0] - 0.5 * axes[1])
    stored = unit(store.vectors([2])[0] - 0.5 * axes[1])
    words = [unit(axes[axis] - 0.5 * axes[5]) for axis in (1, 4)]
    expected = unit(2 * picture + stored + 1.75 * (2 * words[0] + words[1]))
    np.testing.assert_allclose(made.vectors[0], expected, atol=1e-6)
    assert not made.probes[0].is_text


@pytest.mark.parametrize("said", ["But with snow", "but snow", "snow"])
def test_what_links_a_change_to_its_picture_is_not_described(world, store, said):
    encoder = world.encoder()
    world.plan(f"like:c3, {said}", store, encoder=encoder, background=None)
    assert encoder.batches == [["snow"]]
    for literal in (said, f'like:c3 "{said}"'):
        encoder = world.encoder()
        world.plan(literal, store, encoder=encoder, background=None)
        assert encoder.batches == [[said]]


def test_both_parts_of_a_mixed_blend_change_the_ranking(world):
    """Texts lie near each other and pictures too: uncentred, one would drown the other."""
    rng = np.random.default_rng(0)
    store = world.store(
        *(
            world.image(f"{i:04}", people=3.0, dog=float(x), beach=float(y))
            for i, (x, y) in enumerate(rng.uniform(0, 1, (60, 2)))
        ),
        world.image("f000", people=3.0, dog=1.0, beach=0.5),
    )
    vectors = store.vectors(range(61))
    middle = Background(
        world.null,
        text_mean=np.array([0, 0, 0, 0, 0, 0.9], np.float32),
        image_mean=vectors.mean(axis=0),
        images=61, measured_rows=61,
    )  # fmt: skip

    def order(query):
        made = world.plan(query, store, background=middle)
        return np.argsort(-(made.vectors[0] @ vectors.T))

    def agreement(first, second):
        places = [np.argsort(each) for each in (first, second)]
        return np.corrcoef(*places)[0, 1]

    picture, words, both = order("like:f000"), order("beach"), order("like:f000 1:beach")
    assert agreement(picture, words) < 0.3
    assert agreement(picture, words) + 0.2 < min(agreement(both, picture), agreement(both, words))
    assert max(agreement(both, picture), agreement(both, words)) < 0.95
    shown = vectors[both[both != 60][:10], :2].mean(axis=0)
    assert (shown > 1.3 * vectors[:, :2].mean(axis=0)).all()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("like:zz", "not here"), ("like:a", "several"), ("like:zz@1,2,3,4", "like:zz is not here"),
        ("like:a@1,2,3,4", "several"),
    ],
)  # fmt: skip
def test_like_names_one_image(world, query, says):
    store = world.store(world.image("a1", dog=1.0), world.image("a2", car=1.0))
    with pytest.raises(InputError, match=says):
        world.plan(query, store)


def test_a_part_of_an_image_is_a_picture_that_is_read_once_by_its_full_id(world, store):
    read = []

    def read_picture(term):
        read.append(term)
        return Decoded(RED, Facts(2, 2, "PNG", 1))

    text = "2:like:c@10,20,30,40 OR -like:c@10,20,30,40 OR like:c@10,20,30,41 OR image:x OR like:c"
    made = plan(
        parse(text), encoder=world.encoder(), store=store, background=None,
        read_picture=read_picture,
    )  # fmt: skip
    part, longer = Box(10.0, 20.0, 30.0, 40.0), Box(10.0, 20.0, 30.0, 41.0)
    assert read == [Like("c3", box=part), Like("c3", box=longer), Picture("x")]
    assert not any(probe.is_text for probe in made.probes)
    np.testing.assert_array_equal(vector_of(made, "like:c@10,20,30,41"), np.eye(6)[0])
    np.testing.assert_array_equal(vector_of(made, "like:c"), store.vectors([2])[0])


def test_a_part_that_is_blended_with_words_is_taken_from_the_middle_of_pictures(world, store):
    middle = background(world, text=5, image=1)
    made = world.plan("snow like:c3@0,0,50,50", store, background=middle, pixels=RED)
    whole = world.plan("snow image:x.png", store, background=middle, pixels=RED)
    np.testing.assert_array_equal(made.vectors, whole.vectors)
    assert not made.probes[0].is_text


@pytest.mark.parametrize("mark", ["NOT ", "-(", "dog -(car OR beach "])
def test_the_deepest_query_has_an_answer(world, store, mark):
    text = mark * MAX_DEPTH + "dog" + ")" * (mark.count("(") * MAX_DEPTH)
    assert len(world.ids(text, store, min_confidence=0.0)) == 3


def test_terms_that_cancel_are_refused(world):
    opposite = replace(
        world.image("0a"), vector=-world.encoder().encode_texts(["dog"])[0],
        facts=Facts(1, 1, "P", 1),
    )  # fmt: skip
    with pytest.raises(InputError, match="cancel"):
        world.plan("4:dog 7:like:0a", world.store(opposite))  # words count 1.75 times


# -- conjunctions --------------------------------------------------------------------------------
def test_descriptions_that_are_joined_are_also_said_in_one_sentence(world, store):
    encoder = world.encoder()
    made = world.plan("dog AND beach", store, encoder=encoder)
    assert encoder.batches == [["dog", "beach", "dog and beach", "beach and dog"]]
    assert made.expression == AllOf(tuple(map(ProbeRef, range(4))))
    for query in ("dog AND like:a1", "dog OR beach", "dog AND beach AND car AND snow", "dog -car"):
        assert not [p for p in world.plan(query, store).probes if " and " in p.text], query


def test_a_quoted_phrase_stays_one_in_the_sentence(world, store):
    made = world.plan('old "red car" AND "wet dog"', store)
    assert made.probes[2].text == 'old "red car" and "wet dog"'
    assert made.probes[2].phrases == (("red car",), ("wet dog",), ("old", "olds"))
    assert made.probes[3].phrases == (("wet dog",), ("red car",), ("old", "olds"))


# -- exclusions ----------------------------------------------------------------------------------
def excluded(expression: Expression) -> list[ProbeRef]:
    """The probes that stand directly below a negation, or below one as an alternative."""
    match expression:
        case Negation(ProbeRef() as probe):
            return [probe]
        case Negation(AnyOf(parts)):
            return [part for part in parts if isinstance(part, ProbeRef)]
        case Negation(part):
            return excluded(part)
        case AllOf(parts) | AnyOf(parts):
            return [probe for part in parts for probe in excluded(part)]
    return []


def test_an_exclusion_knows_what_is_asked_beside_it_and_how_alike_that_is(world, store):
    # From the middle of all texts, dog and car are alike in not being something else.
    made = world.plan("dog -car", store, background=background(world, text=5, image=0))
    (probe,) = excluded(made.expression)
    unit = np.array([1, 0, 0, 0, 0, -0.5]) / 1.25**0.5
    ((index, likeness),) = probe.beside
    assert made.probes[index].text == "dog"
    assert likeness == pytest.approx(unit[5] ** 2, abs=1e-6)


def test_of_several_that_are_asked_the_most_alike_explains(world, store):
    encoder = world.encoder()
    made = world.plan(
        "(dog car) AND beach -car", store, encoder=encoder,
        background=background(world, text=5, image=0, length=0.1),
    )  # fmt: skip
    (probe,) = excluded(made.expression)
    ((index, _),) = probe.beside
    assert made.probes[index].text == "dog car"


@pytest.mark.parametrize(
    "query",
    [
        "dog OR -car", "-car", "like:a1 -car", "dog -like:a1", "-car date:2024",
        "dog (beach OR -car)", "dog -(beach AND car)",
    ],
)  # fmt: skip
def test_only_descriptions_of_the_same_conjunction_explain(world, store, query):
    made = world.plan(query, store, background=background(world, text=5, image=0))
    probes = excluded(made.expression)
    assert all(probe.beside == () for probe in probes)


def test_each_of_several_alternatives_excluded_is_explained(world, store):
    made = world.plan("dog -(car OR snow)", store, background=background(world, text=5, image=0))
    probes = excluded(made.expression)
    assert [made.probes[probe.index].text for probe in probes] == ["car", "snow"]
    assert all(made.probes[probe.beside[0][0]].text == "dog" for probe in probes)


def test_without_a_background_nothing_explains(world, store):
    made = world.plan("dog -dog", store, background=None)
    assert [probe.beside for probe in excluded(made.expression)] == [()]


def test_a_general_word_is_excluded_with_its_kinds(world, store):
    made = world.plan("beach -people", store)
    texts = [made.probes[probe.index].text for probe in excluded(made.expression)]
    assert texts[0] == "people"
    assert {"a man", "a woman", "a child"} < set(texts)
    assert with_kinds(parse("-(the Animals)")) != parse("-(the Animals)")


@pytest.mark.parametrize("query", ["people", "-(-people)", "beach -barn", '-"two people"'])
def test_a_general_word_as_a_wish_or_within_a_phrase_is_itself(query):
    assert with_kinds(parse(query)) == parse(query)
    assert with_kinds(Not(Not(parse(query)))) == Not(Not(parse(query)))


def test_the_null_of_the_plan_is_the_librarys(world, store):
    other = replace(background(world, text=5, image=0), null=Null(0.3, 0.2, 0.1))
    assert world.plan("dog", store, background=other).null == Null(0.3, 0.2, 0.1)


# -- examples and concepts -------------------------------------------------------------------------
def test_examples_draw_a_vector_to_what_is_liked_and_from_what_is_not(world, store):
    plain = world.plan("dog", store).vectors[0]
    taught = world.plan("dog more:b2 less:c3", store).vectors[0]
    beach, car = store.vectors([1, 2])
    assert np.linalg.norm(taught) == pytest.approx(1.0, abs=1e-5)
    assert taught @ beach > plain @ beach
    assert taught @ car < plain @ car
    assert int(np.argmax(store.vectors([0, 1, 2]) @ taught)) == 0, "it stays near what was asked"


def test_examples_alone_are_enough_but_for_what_is_not_liked(world, store):
    (vector,) = world.plan("more:b2", store).vectors
    assert int(np.argmax(store.vectors([0, 1, 2]) @ vector)) == 1
    with pytest.raises(InputError, match="less: alone"):
        world.plan("less:b2 date:2024", store)
    with pytest.raises(InputError, match="more:zz is not here"):
        world.plan("dog more:zz", store)


def test_what_contradicts_itself_moves_a_vector_less(world, store):
    queries = ("dog", "dog more:b2 less:b2", "dog more:b2")
    plain, torn, taught = (world.plan(query, store).vectors[0] for query in queries)
    assert plain @ torn > plain @ taught
