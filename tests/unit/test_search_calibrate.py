"""Confidence: strictly in cosine order, honest at its ends, lenient in small libraries."""

import numpy as np
import pytest
from numpy.typing import NDArray

from visionquery.query.plan import Null
from visionquery.search.calibrate import (
    DEFAULT_MIN_CONFIDENCE,
    MIDPOINT,
    SLOPE,
    Scale,
    _quantiles,
    all_of,
    confidence,
    log_odds,
    log_odds_of,
    scale_of,
    suspicion,
)

BACKGROUND = Null(mean=0.1, std=0.05)
LEAST = log_odds_of(DEFAULT_MIN_CONFIDENCE)


def scores(count: int, *, middle: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(middle, 0.045, count).astype(np.float32)


def test_confidence_is_the_logistic_of_z() -> None:
    z = np.array([0.0, 2.0, MIDPOINT, 5.0])
    cosines = (0.1 + z * 0.05).astype(np.float32)
    expected = 1 / (1 + np.exp(-SLOPE * (z + 0.5 - MIDPOINT)))
    odds = log_odds(cosines, Scale(middle=0.1, spread=0.05, lift=0.5))
    np.testing.assert_allclose(confidence(odds), expected, atol=1e-5)


def test_neighbouring_cosines_never_fall_together() -> None:
    cosines = [np.float32(0.9)]
    for _ in range(50):
        cosines.append(np.nextafter(cosines[-1], np.float32(1)))
    scale = Scale(middle=0.0, spread=0.001, lift=0.0)
    for odds in (log_odds(np.array(cosines), scale), suspicion(np.array(cosines), scale)):
        assert (np.diff(odds) > 0).all()
        assert confidence(odds).max() == 1.0


def test_an_exclusion_believes_sooner_and_does_not_rise_with_what_is_common() -> None:
    cosines = np.linspace(-0.1, 0.4, 20, dtype=np.float32)
    rare, common = Scale(0.1, 0.05, lift=0.0), Scale(0.1, 0.05, lift=1.0)
    assert (suspicion(cosines, rare) > log_odds(cosines, common)).all()
    np.testing.assert_array_equal(suspicion(cosines, rare), suspicion(cosines, common))


def test_all_of_is_the_geometric_mean_of_what_is_asked() -> None:
    odds = [np.array([0.3, -4.0, 2.0]), np.array([1.0, 0.5, -1.0])]
    mean = np.sqrt(confidence(odds[0]) * confidence(odds[1]))
    np.testing.assert_allclose(confidence(all_of(odds, [])), mean, rtol=1e-12)
    near_one = all_of([np.array([50.0, 51.0]), np.array([60.0, 60.0])], [])
    assert near_one[1] > near_one[0] > 49


def test_every_exclusion_counts_in_full() -> None:
    asked, absences = np.array([2.0]), [np.array([0.0]), np.array([-1.0])]
    expected = confidence(asked) * confidence(absences[0]) * confidence(absences[1])
    np.testing.assert_allclose(confidence(all_of([asked], absences)), expected, rtol=1e-12)


def test_all_of_takes_certainties() -> None:
    certain, never = np.array([np.inf]), np.array([-np.inf])
    assert all_of([certain, certain], [])[0] == np.inf
    assert all_of([certain], [certain])[0] == np.inf
    assert all_of([certain, never], [])[0] == -np.inf
    assert all_of([certain], [np.array([1.5])])[0] == pytest.approx(1.5)


@pytest.mark.parametrize("probability", [0.01, 0.25, 0.5, 0.99])
def test_log_odds_of_is_the_inverse(probability: float) -> None:
    assert confidence(np.array([log_odds_of(probability)]))[0] == pytest.approx(probability)


def test_log_odds_of_the_ends() -> None:
    assert log_odds_of(0.0) == -np.inf
    assert log_odds_of(1.0) == np.inf


def test_a_scale_stays_with_the_misses_when_four_in_ten_match() -> None:
    misses = scores(6000)
    matches = scores(4000, middle=0.3, seed=1)
    alone = scale_of(misses, BACKGROUND)
    together = scale_of(np.concatenate([misses, matches]), BACKGROUND)
    assert together.spread == alone.spread
    assert together.middle - alone.middle < 0.5 * alone.spread
    assert alone.lift == pytest.approx(0.0, abs=0.05)
    assert together.lift > 1.5
    assert np.median(log_odds(matches, together)) > 0
    assert np.quantile(log_odds(misses, together), 0.9) < LEAST


def test_pictures_take_their_spread_from_the_lower_half() -> None:
    misses, matches = scores(6000), scores(3000, middle=0.4, seed=1)
    alone = scale_of(misses, None)
    together = scale_of(np.concatenate([misses, matches]), None)
    assert 0.045 < alone.spread < 0.06
    assert together.spread < 1.5 * alone.spread


def test_a_probe_that_scores_lower_on_everything_is_judged_alike() -> None:
    usual, lower = scores(5000), scores(5000, middle=0.03)
    np.testing.assert_allclose(
        log_odds(usual, scale_of(usual, BACKGROUND)),
        log_odds(lower, scale_of(lower, BACKGROUND)),
        atol=0.05,
    )


def test_few_images_lean_on_the_background() -> None:
    assert scale_of(np.empty(0, np.float32), BACKGROUND) == Scale(0.1, 0.05, 0.0)
    assert scale_of(np.empty(0, np.float32), None) == Scale(0.0, 0.2, 0.0)
    few = scale_of(np.array([0.9, 0.5, 0.6], np.float32), None)
    assert few.middle < 0.2
    assert few.spread > 0.15


def test_one_image_is_found_by_what_it_shows_alone() -> None:
    shown, other = np.array([0.4], np.float32), np.array([0.12], np.float32)
    assert log_odds(shown, scale_of(shown, BACKGROUND))[0] > LEAST
    assert log_odds(other, scale_of(other, BACKGROUND))[0] < log_odds_of(0.1)


@pytest.mark.parametrize("background", [BACKGROUND, None, Null(0.5, 0.0)])
@pytest.mark.parametrize("count", [1, 2, 5000])
def test_equal_scores_are_no_match_and_divide_by_nothing(
    background: Null | None, count: int
) -> None:
    cosines = np.full(count, 0.1, np.float32)
    odds = log_odds(cosines, scale_of(cosines, background))
    assert np.isfinite(odds).all()
    assert (odds < LEAST).all()


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1001])
def test_quantiles_are_those_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count).astype(np.float32)
    shares = (0.0, 0.16, 0.25, 0.5, 0.9, 1.0)
    assert _quantiles(values, shares) == pytest.approx(np.quantile(values, shares), abs=1e-6)
