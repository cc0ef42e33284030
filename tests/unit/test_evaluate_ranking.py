"""Measures of an ordering against values worked out by hand."""

from math import log2

import numpy as np
import pytest

from visionquery.errors import InputError
from visionquery.evaluate.ranking import (
    average_precision,
    hit_rate_at_k,
    mean_average_precision,
    median_rank,
    mrr,
    ndcg_at_k,
    ranks,
    ranks_of_all,
    recall_at_k,
)

SCORES = np.array([[0.9, 0.1, 0.5, 0.7], [0.2, 0.2, 0.2, 0.2], [0.1, 0.4, 0.3, 0.2]], np.float32)


def test_rank_counts_what_is_ahead_and_ties_count_as_ahead() -> None:
    assert ranks(SCORES, np.array([2, 0, 1])).tolist() == [3, 4, 1]


def test_a_score_that_is_no_number_ranks_last() -> None:
    scores = np.array([[np.nan, 0.1, 0.2]], np.float32)
    assert ranks(scores, np.array([0])).tolist() == [3]


def test_ranks_of_all_right_images_rise_with_wrong_ties_ahead() -> None:
    relevant = np.array([[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1]], bool)
    found = [one.tolist() for one in ranks_of_all(SCORES, relevant)]
    assert found == [[1, 3], [3, 4], [1, 2, 3]]


def test_hit_rate_mrr_and_median() -> None:
    best = np.array([1, 2, 4, 10])
    assert hit_rate_at_k(best, 1) == 0.25
    assert hit_rate_at_k(best, 4) == 0.75
    assert mrr(best) == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 10) / 4)
    assert median_rank(best) == 3.0


def test_recall_is_not_hit_rate() -> None:
    found = [np.array([1, 3]), np.array([5])]
    assert recall_at_k(found, 1) == 0.25
    assert recall_at_k(found, 3) == 0.5
    assert recall_at_k(found, 5) == 1.0
    assert hit_rate_at_k(np.array([1, 5]), 1) == 0.5


def test_ndcg() -> None:
    found = [np.array([1, 3])]
    ideal = 1 + 1 / log2(3)
    assert ndcg_at_k(found, 3) == pytest.approx((1 + 1 / 2) / ideal)
    assert ndcg_at_k(found, 1) == 1.0
    assert ndcg_at_k([np.array([2])], 1) == 0.0
    assert ndcg_at_k([np.array([1, 2, 3])], 10) == 1.0


def test_average_precision() -> None:
    assert average_precision(np.array([1, 3])) == pytest.approx((1 + 2 / 3) / 2)
    assert mean_average_precision([np.array([1]), np.array([2])]) == 0.75


def test_nothing_to_measure_is_said() -> None:
    empty = np.empty(0, np.int64)
    for measure in (mrr, median_rank, average_precision):
        with pytest.raises(InputError, match="nothing to measure"):
            measure(empty)
    for cut in (recall_at_k, ndcg_at_k):
        with pytest.raises(InputError, match="nothing to measure"):
            cut([np.array([1])], 0)
    with pytest.raises(InputError, match="right images"):
        ranks_of_all(SCORES, np.zeros_like(SCORES, bool))
