"""Confidence: strictly in cosine order, honest at its ends, lenient in small libraries."""

import numpy as np
import pytest

from visionquery.query.plan import Null
from visionquery.search.calibrate import (
    MIDPOINT,
    SLOPE,
    all_of,
    confidence,
    log_odds,
    log_odds_of,
    own_null,
)


def test_confidence_is_the_logistic_of_z() -> None:
    null = Null(mean=0.1, std=0.05)
    z = np.array([0.0, 2.0, MIDPOINT, 5.0])
    cosines = (null.mean + z * null.std).astype(np.float32)
    expected = 1 / (1 + np.exp(-SLOPE * (z - MIDPOINT)))
    np.testing.assert_allclose(confidence(log_odds(cosines, null)), expected, atol=1e-5)


def test_neighbouring_cosines_never_fall_together() -> None:
    cosines = [np.float32(0.9)]
    for _ in range(50):
        cosines.append(np.nextafter(cosines[-1], np.float32(1)))
    odds = log_odds(np.array(cosines), Null(mean=0.0, std=0.001))
    assert (np.diff(odds) > 0).all()
    assert confidence(odds).max() == 1.0


def test_a_null_without_spread_divides_by_nothing() -> None:
    assert np.isfinite(log_odds(np.ones(1, np.float32), Null(0.5, 0.0))).all()


def test_all_of_is_the_product_and_keeps_what_a_probability_cannot_hold() -> None:
    odds = [np.array([0.3, -4.0, 2.0]), np.array([1.0, 0.5, -1.0])]
    product = confidence(odds[0]) * confidence(odds[1])
    np.testing.assert_allclose(confidence(all_of(odds)), product, rtol=1e-12)
    near_one = all_of([np.array([50.0, 51.0]), np.array([60.0, 60.0])])
    assert near_one[1] > near_one[0] > 49


def test_all_of_takes_certainties() -> None:
    certain, never = np.array([np.inf]), np.array([-np.inf])
    assert all_of([certain, certain])[0] == np.inf
    assert all_of([certain, never])[0] == -np.inf
    assert all_of([certain, np.array([1.5])])[0] == pytest.approx(1.5)


@pytest.mark.parametrize("probability", [0.01, 0.25, 0.5, 0.99])
def test_log_odds_of_is_the_inverse(probability: float) -> None:
    assert confidence(np.array([log_odds_of(probability)]))[0] == pytest.approx(probability)


def test_log_odds_of_the_ends() -> None:
    assert log_odds_of(0.0) == -np.inf
    assert log_odds_of(1.0) == np.inf


def test_own_null_leans_on_a_wide_prior_while_there_are_few() -> None:
    assert own_null(np.empty(0, np.float32)) == Null(0.0, 0.2)
    few = own_null(np.array([0.9, 0.5, 0.6], np.float32))
    assert few.mean < 0.2
    assert few.std > 0.15
    sample = np.random.default_rng(0).normal(0.5, 0.05, 50_000).astype(np.float32)
    many = own_null(sample)
    assert many.mean == pytest.approx(0.5, abs=0.002)
    assert 0.03 < many.std < 0.05
