"""What the student is asked to agree on with the teacher. All rows are unit rows of (n, 256)."""

import torch
from torch import Tensor
from torch.nn import functional


def cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of one minus the cosine of matching rows; both (batch, 256)."""
    return 1.0 - (student * teacher).sum(1).mean()


def bank_loss(
    student: Tensor, teacher: Tensor, banks: tuple[Tensor, Tensor], temperature: float
) -> Tensor:
    """KL divergence, teacher to student, of softmaxed similarities to a bank of the other kind.

    `banks`: the same texts (or pictures) as the student's and as the teacher's rows, (rows, 256).
    Both ways are summed: over the bank for each item of the batch, and over the batch for each
    item of the bank, which is the direction in which a search ranks.
    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network";
    affinity mimicking of Wu et al. 2023, "TinyCLIP".
    """
    guess = temperature * student @ banks[0].T
    truth = temperature * teacher @ banks[1].T
    return _divergence(guess, truth) + _divergence(guess.T, truth.T)


def contrast_loss(images: Tensor, texts: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of picking, for each text, its image out of the batch.

    `images` (batch, 256), `texts` (n, 256), `answers` (n,) int64: rows of `images`.
    Source: Radford et al. 2021, "Learning Transferable Visual Models" (CLIP), text half.
    """
    return functional.cross_entropy(temperature * texts @ images.T, answers)


def _divergence(guess: Tensor, truth: Tensor) -> Tensor:
    return functional.kl_div(
        torch.log_softmax(guess, dim=1),
        torch.log_softmax(truth, dim=1),
        log_target=True,
        reduction="batchmean",
    )
