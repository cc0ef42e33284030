"""What the student is asked to agree on with the teacher. All rows are unit rows of (n, 256)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of one minus the cosine of matching rows; both (batch, 256)."""
    return 1.0 - (student * teacher).sum(1).mean()


def bank_loss(student: Tensor, teacher: Tensor, bank: Tensor, temperature: float) -> Tensor:
    """KL divergence, teacher to student, of softmaxed similarities to `bank` (rows, 256).

    Both ways are summed: over the bank for each item of the batch, and over the batch for each
    item of the bank, which is the direction in which a search ranks.
    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network";
    affinity mimicking of Wu et al. 2023, "TinyCLIP".
    """
    guess = temperature * student @ bank.T
    truth = temperature * teacher @ bank.T
    return _divergence(guess, truth) + _divergence(guess.T, truth.T)


def contrast_loss(images: Tensor, texts: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of picking, for each text, its image out of the batch.

    `images` (batch, 256), `texts` (n, 256), `answers` (n,) int64: rows of `images`.
    Source: Radford et al. 2021, "Learning Transferable Visual Models" (CLIP), text half.
    """
    return F.cross_entropy(temperature * texts @ images.T, answers)


def _divergence(guess: Tensor, truth: Tensor) -> Tensor:
    return F.kl_div(
        torch.log_softmax(guess, dim=1),
        torch.log_softmax(truth, dim=1),
        log_target=True,
        reduction="batchmean",
    )
