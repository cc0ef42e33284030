"""Measures of an ordering, from the ranks of what is right. Ranks count from 1.

Ties are read against the one being measured: an image that scores the same as a right one counts
as ahead of it, so a model that gives everything one score is not rewarded.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError

__all__ = [
    "Ranks",
    "average_precision",
    "hit_rate_at_k",
    "mean_average_precision",
    "median_rank",
    "mrr",
    "ndcg_at_k",
    "ranks",
    "ranks_of_all",
    "recall_at_k",
]

Ranks = NDArray[np.int64]
"""Ranks from 1, shape (n,)."""


def ranks(scores: NDArray[np.float32], relevant: NDArray[np.intp]) -> Ranks:
    """Return for each query the rank, (q,), of its one right image.

    `scores` is (q, n), larger is better; `relevant`, (q,), gives the right column of each row.
    Equal scores of other images rank ahead (the pessimistic rank). Raises InputError when there
    are no queries.
    """
    _require(len(scores), "queries")
    own = np.take_along_axis(scores, np.asarray(relevant)[:, None], axis=1)
    # Not "<" rather than ">=": a score that is not a number then ranks last.
    return np.asarray(np.count_nonzero(~(scores < own), axis=1), dtype=np.int64)


def ranks_of_all(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> list[Ranks]:
    """Return for each query the ranks, rising, of all its right images.

    `scores` and the mask `relevant` are (q, n). Equal scores of wrong images rank ahead. Raises
    InputError for a query without a right image, for which no measure is defined.
    """
    _require(len(scores), "queries")
    return [_ranks_of_row(row, right) for row, right in zip(scores, relevant, strict=True)]


def hit_rate_at_k(best: Ranks, k: int) -> float:
    """Return the share of queries with a right image among the first k.

    mean over queries of [rank <= k], `best` (q,) being the rank of each query's best right image.
    Papers on CLIP print this number as "R@k". Raises InputError for no queries or k below 1.

    Source: Karpathy & Fei-Fei, Deep Visual-Semantic Alignments, CVPR 2015, section 4.1.
    """
    _require(len(best), "queries")
    _require(k, "places (k)")
    return float(np.mean(best <= k))


def recall_at_k(all_ranks: Sequence[Ranks], k: int) -> float:
    """Return the mean share of a query's right images that are among the first k.

    mean over queries of |{rank <= k}| / R, R being how many are right for the query. Raises
    InputError for no queries or k below 1.

    Source: Manning, Raghavan & Schütze, Introduction to Information Retrieval, 2008, eq. 8.2.
    """
    _require(len(all_ranks), "queries")
    _require(k, "places (k)")
    return float(np.mean([np.mean(one <= k) for one in all_ranks]))


def mrr(best: Ranks) -> float:
    """Return the mean reciprocal rank: mean over queries of 1 / rank, `best` being (q,).

    Raises InputError for no queries.

    Source: Voorhees, The TREC-8 Question Answering Track Report, 1999.
    """
    _require(len(best), "queries")
    return float(np.mean(1.0 / best))


def median_rank(best: Ranks) -> float:
    """Return the median of the ranks (q,); the mean of the middle two where q is even.

    Raises InputError for no queries.

    Source: Karpathy & Fei-Fei, Deep Visual-Semantic Alignments, CVPR 2015, section 4.1 ("Med r").
    """
    _require(len(best), "queries")
    return float(np.median(best))


def ndcg_at_k(all_ranks: Sequence[Ranks], k: int) -> float:
    """Return the mean normalized discounted cumulative gain of the first k, right or wrong.

    DCG = sum over right images with rank <= k of 1 / log2(rank + 1), divided by the same sum for
    ranks 1 to min(k, R). Raises InputError for no queries or k below 1.

    Source: Järvelin & Kekäläinen, Cumulated gain-based evaluation of IR techniques, ACM TOIS
    20(4), 2002; discount by log2(rank + 1) as in Burges et al., ICML 2005.
    """
    _require(len(all_ranks), "queries")
    _require(k, "places (k)")
    return float(
        np.mean(
            [
                _discounted(one[one <= k]) / _discounted(np.arange(1, min(k, len(one)) + 1))
                for one in all_ranks
            ]
        )
    )


def average_precision(ranks_of_one: Ranks) -> float:
    """Return the average precision of one query from the rising ranks (R,) of its right images.

    mean over right images j = 1..R of j / rank_j: the precision at each place where a right one
    stands. Raises InputError when none is right.

    Source: Manning, Raghavan & Schütze, Introduction to Information Retrieval, 2008, eq. 8.8.
    """
    _require(len(ranks_of_one), "right images")
    return float(np.mean(np.arange(1, len(ranks_of_one) + 1) / ranks_of_one))


def mean_average_precision(all_ranks: Sequence[Ranks]) -> float:
    """Return the mean of `average_precision` over queries; raises InputError for no queries."""
    _require(len(all_ranks), "queries")
    return float(np.mean([average_precision(one) for one in all_ranks]))


def _ranks_of_row(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> Ranks:
    found = np.sort(scores[right])[::-1]
    _require(len(found), "right images for a query")
    wrong_ahead = np.count_nonzero(~(scores[~right][None, :] < found[:, None]), axis=1)
    return np.asarray(np.arange(1, len(found) + 1) + wrong_ahead, dtype=np.int64)


def _discounted(places: Ranks) -> float:
    return float(np.sum(1.0 / np.log2(places + 1.0)))


def _require(count: int, what: str) -> None:
    if count < 1:
        raise InputError(f"There are {count} {what}, so there is nothing to measure; give some.")
