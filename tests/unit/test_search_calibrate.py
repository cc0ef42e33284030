"""Confidence: rising with the cosine, honest at its ends, in libraries of any size."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from visionquery.query.plan import Null
from visionquery.search.calibrate import (
    Scale,
    _quantiles,
    all_of,
    best_count,
    best_places,
    confidence,
    growth,
    log_odds,
    log_odds_of,
    presence,
    suspicion,
)
from visionquery.search.calibrate import picture_scale as scale_of_picture
from visionquery.search.calibrate import text_scale as scale_of_text
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE
from visionquery.types import Curve, Line

NULL = Null(mean=-0.1, std=0.05, bias=0.2)
MATCH = Line(1.2, 3.0)
CURVE = Curve(match=MATCH, presence=Line(2.5, 5.0), tail=0.5)
MATCH_ONLY = Curve(match=MATCH)
SCALE = Scale(usual=0.1, spread=0.05, best=6.0, tail=2.0, images=1000)
LEAST = log_odds_of(DEFAULT_MIN_CONFIDENCE)


def scores(count: int, *, middle: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(middle, 0.045, count).astype(np.float32)


def even_biases(count: int, bias: float = NULL.bias) -> NDArray[np.float32]:
    return np.full(count, bias, np.float32)


def text_scale(
    cosines: NDArray[np.float32], biases: NDArray[np.float32], null: Null
) -> Scale:
    """The scale of a query whose cosines with every image are known."""
    count = len(cosines)
    best = best_places(cosines, best_count(count, is_text=True))
    return scale_of_text(cosines, cosines[best], biases[best], null, images=count)


def picture_scale(cosines: NDArray[np.float32]) -> Scale:
    best = best_places(cosines, best_count(len(cosines), is_text=False))
    return scale_of_picture(cosines, cosines[best], images=len(cosines))


def sigmoid(value: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.asarray(value, np.float64)))


def logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.log(probability) - np.log1p(-probability)


# -- from a scale to confidence ------------------------------------------------------------------
def test_confidence_is_presence_times_match() -> None:
    cosines = np.linspace(-0.2, 0.5, 30, dtype=np.float32)
    match = sigmoid(MATCH.slope * ((cosines.astype(np.float64) - 0.1) / 0.05 - MATCH.midpoint))
    for best in (2.0, 4.0, 5.5):
        scale = replace(SCALE, best=best)
        present = sigmoid(2.5 * (best + 0.5 * 2.0 - 5.0))
        assert sigmoid(presence(scale, CURVE)) == pytest.approx(float(present))
        np.testing.assert_allclose(log_odds(cosines, scale, CURVE), logit(present * match))
    np.testing.assert_allclose(log_odds(cosines, SCALE, MATCH_ONLY), logit(match), atol=1e-9)


def test_confidence_rises_with_the_cosine_and_never_above_presence() -> None:
    cosines = np.linspace(-0.3, 0.6, 200, dtype=np.float32)
    for best in (0.0, 4.0, 8.0):
        scale = replace(SCALE, best=best)
        odds = log_odds(cosines, scale, CURVE)
        assert (np.diff(odds) > 0).all()
        assert (odds <= presence(scale, CURVE)).all()


def test_neighbouring_cosines_never_fall_together() -> None:
    cosines = [np.float32(0.9)]
    for _ in range(50):
        cosines.append(np.nextafter(cosines[-1], np.float32(1)))
    scale = replace(SCALE, usual=0.0, spread=0.001)
    odds = log_odds(np.array(cosines), scale, MATCH_ONLY)
    assert confidence(odds).max() == 1.0
    for values in (odds, suspicion(np.array(cosines), scale, 1.0)):
        assert (np.diff(values) > 0).all()


def test_presence_that_is_not_asked_is_certain() -> None:
    assert presence(replace(SCALE, best=-50.0), MATCH_ONLY) == math.inf
    assert np.isfinite(log_odds(scores(5), SCALE, MATCH_ONLY)).all()


def test_presence_falls_without_a_tail_and_as_a_library_grows() -> None:
    there = presence(SCALE, CURVE)
    assert presence(replace(SCALE, tail=0.5), CURVE) < there
    assert presence(replace(SCALE, best=5.0), CURVE) < there
    sizes = [presence(replace(SCALE, images=n), CURVE) for n in (10, 1000, 10_000, 10**6)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)
    assert growth(1000) == 0.0
    assert growth(0) == growth(1) < 0 < growth(2000)


def test_an_absence_beyond_doubt_is_still_a_number() -> None:
    """-inf would say that a filter leaves the image out."""
    cosines = np.array([-0.9, 0.1, 0.2], np.float32)
    for scale in (replace(SCALE, best=-2000.0), replace(SCALE, spread=1e-4)):
        odds = log_odds(cosines, scale, CURVE)
        assert np.isfinite(odds).all()
        assert (np.diff(odds) >= 0).all()
        assert odds[0] < odds[1]
    absent = log_odds(cosines, replace(SCALE, best=-2000.0), CURVE)
    assert confidence(absent).tolist() == [0.0, 0.0, 0.0]


# -- exclusions ----------------------------------------------------------------------------------
def test_suspicion_rises_from_the_exclusion_whatever_is_present() -> None:
    cosines = np.linspace(-0.1, 0.4, 20, dtype=np.float32)
    first, second = replace(SCALE, best=0.0, tail=0.0), replace(SCALE, best=9.0, images=10**6)
    values = suspicion(cosines, first, 1.5)
    np.testing.assert_array_equal(values, suspicion(cosines, second, 1.5))
    assert (np.diff(values) > 0).all()
    z = (cosines.astype(np.float64) - 0.1) / 0.05
    np.testing.assert_array_equal(values > 0, z > 1.5)


def test_what_is_asked_beside_explains_the_likeness() -> None:
    cats, dogs = np.array([0.2, 0.2], np.float32), np.array([0.1, 0.4], np.float32)
    alone = suspicion(cats, SCALE, 1.0)
    unlike = suspicion(cats, SCALE, 1.0, beside=((dogs, SCALE, 0.0),))
    alike = suspicion(cats, SCALE, 1.0, beside=((dogs, SCALE, 0.5),))
    np.testing.assert_array_equal(alone, unlike)
    assert alike[0] == pytest.approx(alone[0], abs=1e-5)
    assert alike[1] < alone[1]


# -- the scale of a library ----------------------------------------------------------------------
def test_presence_falls_when_the_best_images_lie_near_every_text() -> None:
    cosines = np.concatenate([scores(980), scores(20, middle=0.4, seed=1)])
    hubs = even_biases(1000)
    hubs[-20:] = 0.3
    usual, hub = text_scale(cosines, even_biases(1000), NULL), text_scale(cosines, hubs, NULL)
    assert hub.best == pytest.approx(usual.best - 0.1 / NULL.std)
    assert presence(hub, CURVE) < presence(usual, CURVE)
    # Only the best count: the bias of others says nothing of this query.
    others = even_biases(1000)
    others[:900] = 0.3
    assert text_scale(cosines, others, NULL).best == pytest.approx(usual.best)


def test_a_bias_that_was_not_measured_is_the_usual_one() -> None:
    cosines = scores(500)
    biases = np.random.default_rng(2).normal(NULL.bias, 0.02, 500).astype(np.float32)
    unknown = text_scale(cosines, even_biases(500, math.nan), NULL)
    assert unknown == text_scale(cosines, even_biases(500), NULL)
    best = np.argsort(cosines)[-10:]
    partly = biases.copy()
    partly[best[:5]] = math.nan
    filled = np.where(np.isnan(partly), np.float32(NULL.bias), partly)
    assert text_scale(cosines, partly, NULL) == text_scale(cosines, filled, NULL)


def test_matches_are_present_and_misses_are_not() -> None:
    misses, matches = scores(2000), scores(40, middle=0.4, seed=1)
    absent = text_scale(misses, even_biases(2000), NULL)
    there = text_scale(np.concatenate([misses, matches]), even_biases(2040), NULL)
    assert presence(absent, CURVE) < 0 < presence(there, CURVE)
    assert there.best > absent.best + 2
    assert (log_odds(misses, absent, CURVE) < LEAST).all()
    assert (log_odds(matches, there, CURVE) > LEAST).all()


def test_a_scale_stays_with_the_misses_when_four_in_ten_match() -> None:
    misses, matches = scores(6000), scores(4000, middle=0.3, seed=1)
    alone = text_scale(misses, even_biases(6000), NULL)
    together = text_scale(np.concatenate([misses, matches]), even_biases(10_000), NULL)
    assert together.spread == alone.spread
    assert together.usual - alone.usual < 0.5 * alone.spread
    assert np.median(log_odds(matches, together, CURVE)) > 0
    assert np.quantile(log_odds(misses, together, CURVE), 0.9) < LEAST


def test_a_probe_that_scores_lower_on_everything_is_matched_alike() -> None:
    usual, lower = scores(5000), scores(5000, middle=0.03)
    pair = [text_scale(each, even_biases(5000), NULL) for each in (usual, lower)]
    first, second = log_odds(usual, pair[0], MATCH_ONLY), log_odds(lower, pair[1], MATCH_ONLY)
    np.testing.assert_allclose(first, second, atol=0.05)


def test_pictures_take_their_spread_from_the_lower_half() -> None:
    misses, matches = scores(6000), scores(3000, middle=0.4, seed=1)
    alone, together = picture_scale(misses), picture_scale(np.concatenate([misses, matches]))
    assert 0.045 < alone.spread < 0.06
    assert alone.usual == pytest.approx(0.1, abs=0.01)
    assert together.spread < 1.5 * alone.spread


@pytest.mark.parametrize("count", [1, 2, 3, 49, 50, 149, 150, 999, 1000, 5000])
def test_the_best_are_one_in_fifty_but_no_more_than_asked(count: int) -> None:
    cosines = scores(count)
    places = best_places(cosines, best_count(count, is_text=True))
    wanted = min(20, max(1, count // 50))
    assert np.sort(cosines[places]).tolist() == np.sort(cosines)[-wanted:].tolist()


def test_of_equals_among_the_best_no_order_of_rows_decides() -> None:
    cosines = np.concatenate([np.full(30, 0.5, np.float32), scores(970)])
    biases = np.random.default_rng(3).normal(0.2, 0.05, 1000).astype(np.float32)
    whole = text_scale(cosines, biases, NULL)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(1000)
        shuffled = text_scale(cosines[order], biases[order], NULL)
        assert shuffled.best == pytest.approx(whole.best, abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1001, 20_000])
def test_quantiles_are_those_of_numpy(count: int) -> None:
    values = np.clip(np.random.default_rng(count).normal(0.1, 0.3, count), -1, 1)
    values = values.astype(np.float32)
    shares = (0.0, 0.16, 0.25, 0.5, 0.9, 0.97, 1.0)
    assert _quantiles(values, shares) == pytest.approx(np.quantile(values, shares), abs=1e-6)


def test_cosines_a_rounding_beyond_one_are_counted() -> None:
    ends = np.array([-1.0000002, 1.0000002], np.float32)
    assert _quantiles(ends, (0.0, 1.0)) == pytest.approx([-1, 1], abs=1e-6)


# -- small libraries -----------------------------------------------------------------------------
def test_an_empty_library_leans_on_the_background_alone() -> None:
    none = np.empty(0, np.float32)
    text, picture = text_scale(none, none, NULL), picture_scale(none)
    assert (text.usual, text.spread, text.images) == (pytest.approx(0.1), 0.05, 0)
    assert picture.images == 0
    for scale in (text, picture):
        assert log_odds(none, scale, CURVE).shape == suspicion(none, scale, 0.0).shape == (0,)
        assert math.isfinite(presence(scale, CURVE))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_small_library_shows_a_clear_match_and_only_that(count: int) -> None:
    cosines = np.array([0.1, 0.12, 0.08, 0.11][:count], np.float32)
    scale = text_scale(cosines, even_biases(count), NULL)
    assert (log_odds(cosines, scale, CURVE) < LEAST).all()
    cosines[0] = 0.42
    odds = log_odds(cosines, text_scale(cosines, even_biases(count), NULL), CURVE)
    assert np.isfinite(odds).all()
    assert odds[0] > LEAST
    assert (odds[1:] < LEAST).all()


@pytest.mark.parametrize("null", [NULL, Null(0.3, 0.0, 0.2)])
@pytest.mark.parametrize("count", [1, 2, 4, 5000])
def test_equal_scores_divide_by_nothing(null: Null, count: int) -> None:
    cosines = np.full(count, 0.1, np.float32)
    for scale in (text_scale(cosines, even_biases(count), null), picture_scale(cosines)):
        assert scale.spread > 0
        odds = log_odds(cosines, scale, CURVE)
        assert np.isfinite(odds).all()
        assert (odds < LEAST).all()


def test_few_pictures_lean_on_a_wide_prior() -> None:
    few = picture_scale(np.array([0.9, 0.5, 0.6], np.float32))
    assert few.usual < 0.2
    assert few.spread > 0.15


# -- joining -------------------------------------------------------------------------------------
def test_all_of_is_the_geometric_mean_times_each_absence() -> None:
    rng = np.random.default_rng(0)
    ends = [math.inf, -math.inf, 0.0]
    for asked_count in (1, 2, 3):
        for excluded_count in (0, 1, 2):
            asked, excluded = (
                [np.concatenate([rng.normal(0, 3, 40), ends]) for _ in range(count)]
                for count in (asked_count, excluded_count)
            )
            with np.errstate(over="ignore"):
                mean = np.prod([sigmoid(a) for a in asked], axis=0) ** (1 / asked_count)
                naive = mean * np.prod([sigmoid(e) for e in excluded], axis=0)
            np.testing.assert_allclose(confidence(all_of(asked, excluded)), naive, rtol=1e-9)


def test_exclusions_alone_all_count() -> None:
    excluded = [np.array([0.0, 3.0]), np.array([-1.0, 2.0])]
    expected = sigmoid(excluded[0]) * sigmoid(excluded[1])
    np.testing.assert_allclose(confidence(all_of([], excluded)), expected, rtol=1e-12)


def test_all_of_tells_near_certainties_apart() -> None:
    near_one = all_of([np.array([50.0, 51.0]), np.array([60.0, 60.0])], [])
    assert near_one[1] > near_one[0] > 49
    near_none = all_of([np.array([-900.0, -901.0])], [np.array([3.0, 3.0])])
    assert 0 > near_none[0] > near_none[1] > -math.inf


def test_all_of_takes_certainties() -> None:
    certain, never = np.array([np.inf]), np.array([-np.inf])
    assert all_of([certain, certain], [])[0] == np.inf
    assert all_of([certain], [certain])[0] == np.inf
    assert all_of([certain, never], [])[0] == -np.inf
    assert all_of([certain], [never])[0] == -np.inf
    assert all_of([certain], [np.array([1.5])])[0] == pytest.approx(1.5)


@pytest.mark.parametrize("probability", [0.01, 0.25, 0.5, 0.99])
def test_log_odds_of_is_the_inverse(probability: float) -> None:
    assert confidence(np.array([log_odds_of(probability)]))[0] == pytest.approx(probability)


def test_log_odds_of_the_ends() -> None:
    assert log_odds_of(0.0) == -np.inf
    assert log_odds_of(1.0) == np.inf
