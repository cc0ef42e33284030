"""A first guess of the token vectors, in closed form, before any gradient step."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .tokenizer import TokenTable

_ROUNDS = 25
_RIDGE = 1e-4


def fit_word_vectors(
    table: TokenTable, rows: npt.NDArray[np.int64], targets: Tensor, vocabulary: int
) -> Tensor:
    """Return (vocabulary, 256) whose mean over a text's tokens is nearest to its target row.

    `targets` is float32 (texts, 256). Solves the ridge-regularized normal equations of least
    squares by conjugate gradients, all 256 columns at once.
    Source: Hestenes and Stiefel 1952, "Methods of Conjugate Gradients for Solving Linear Systems".
    """
    counts = _mean_matrix(table, rows, vocabulary)
    counts_t = counts.t().to_sparse_csr()
    wanted = targets[torch.from_numpy(rows)]
    solution = torch.zeros(vocabulary, wanted.shape[1])
    residual = counts_t @ wanted
    direction = residual.clone()
    energy = residual.square().sum(0)
    for _ in range(_ROUNDS):
        image = counts_t @ (counts @ direction) + _RIDGE * len(rows) / vocabulary * direction
        size = energy / (direction * image).sum(0).clamp(min=1e-12)
        solution += size * direction
        residual -= size * image
        fresh = residual.square().sum(0)
        direction = residual + fresh / energy.clamp(min=1e-12) * direction
        energy = fresh
    return solution


def _mean_matrix(table: TokenTable, rows: npt.NDArray[np.int64], vocabulary: int) -> Tensor:
    """Return sparse float32 (len(rows), vocabulary): each token's share of its text."""
    lengths = table.lengths[rows]
    places = np.repeat(np.arange(len(rows)), lengths)
    tokens = np.concatenate([table.ids[row] for row in rows])
    values = np.repeat(1.0 / lengths, lengths).astype(np.float32)
    indices = torch.from_numpy(np.stack([places, tokens]))
    size = (len(rows), vocabulary)
    return torch.sparse_coo_tensor(indices, torch.from_numpy(values), size).to_sparse_csr()
