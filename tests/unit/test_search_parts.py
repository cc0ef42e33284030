"""One score of a description and its things: arithmetic, and what it is for."""

import numpy as np
import pytest

from visionquery.search.parts import Usual, best_views, bound, in_parts, named_in, usual_of

RANDOM = np.random.default_rng(0)


def cosines(*shape):
    return RANDOM.normal(0.2, 0.05, shape).astype(np.float32)


def test_probes_are_the_description_its_things_and_these_in_wrong_colours():
    named = named_in("a red car and a blue house")
    assert named.texts == (
        "a red car and a blue house", "a red car", "a blue house", "a blue car", "a red house",
    )  # fmt: skip
    assert (named.things, named.right, named.wrong) == (2, (1, 2), (3, 4))
    plain = named_in("a dog")
    assert (plain.texts, plain.things, plain.right) == (("a dog",), 0, ())


def test_the_best_view_of_each_image_counts_and_the_whole_is_one():
    whole = np.array([[0.5, 0.1, 0.2, 0.3]], np.float32)
    views = np.array([[0.4, 0.6, 0.3, 0.1, 0.9]], np.float32)
    best = best_views(whole, views, np.array([0, 0, 1, 3, 3]))
    np.testing.assert_array_equal(best, np.array([[0.6, 0.3, 0.2, 0.9]], np.float32))
    nothing = best_views(whole, np.empty((1, 0), np.float32), np.empty(0, np.intp))
    np.testing.assert_array_equal(nothing, whole)


def test_a_description_without_things_is_the_mean_of_its_whole_and_its_best_view():
    named, whole = named_in("a dog"), cosines(100)
    best = np.maximum(whole, cosines(1, 100))
    score = in_parts(whole, best, named, usual_of(whole, best, named))
    wanted = (whole - whole.mean()) / whole.std() + (best[0] - best.mean()) / best.std()
    np.testing.assert_allclose(score, whole.mean() + whole.std() * wanted / 2, atol=1e-5)


@pytest.mark.parametrize("text", ["a dog", "a man and a dog", "a red car and a blue house"])
def test_scores_stay_on_the_scale_of_the_whole_and_need_no_other_images(text):
    named, whole = named_in(text), cosines(500)
    best = cosines(len(named.texts), 500)
    usual = usual_of(whole, best, named)
    score = in_parts(whole, best, named, usual)
    assert score.mean() == pytest.approx(whole.mean(), abs=1e-4)
    assert score.std() <= whole.std() * 1.0001
    some = np.array([3, 77])
    np.testing.assert_allclose(in_parts(whole[some], best[:, some], named, usual), score[some])


def test_scores_rise_with_the_whole_and_with_every_thing():
    named, whole = named_in("a man and a dog"), cosines(50)
    best = cosines(3, 50)
    usual = usual_of(whole, best, named)
    before = in_parts(whole, best, named, usual)
    assert (in_parts(whole + np.float32(0.01), best, named, usual) > before).all()
    for row in range(3):
        more = best.copy()
        more[row] += 0.01
        assert (in_parts(whole, more, named, usual) > before).all()


def test_an_image_with_exchanged_colours_comes_later():
    named = named_in("a red car and a blue house")
    right = np.array([0.3, 0.35, 0.35, 0.25, 0.25], np.float32)
    swapped = np.array([0.3, 0.25, 0.25, 0.35, 0.35], np.float32)
    best = np.stack([right, swapped], axis=1)
    whole = np.array([0.3, 0.3], np.float32)
    first, second = bound(best, named)
    assert first == pytest.approx(0.1, abs=1e-6)
    assert second == pytest.approx(-0.1, abs=1e-6)
    usual = Usual(np.full(7, 0.2, np.float32), np.full(7, 0.05, np.float32))
    assert np.diff(in_parts(whole, best, named, usual))[0] < 0


def test_a_library_of_one_image_has_a_score():
    named = named_in("a red car and a blue house")
    whole, best = cosines(1), cosines(5, 1)
    score = in_parts(whole, best, named, usual_of(whole, best, named))
    np.testing.assert_allclose(score, whole, atol=1e-5)
