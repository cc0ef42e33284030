"""Muon for matrices and kernels, AdamW for the rest, under one step and one state."""

from concurrent.futures import Executor
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.9
_DECAY = 0.02
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


def orthogonalize(matrix: Tensor) -> Tensor:
    """Move the singular values of (rows, columns) near one, by Newton-Schulz rounds in bfloat16.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks",
    https://kellerjordan.github.io/posts/muon/ (quintic coefficients and five rounds).
    """
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    result = wide.bfloat16()
    result = result / (result.norm() + 1e-7)
    linear, cubic, quintic = _COEFFICIENTS
    for _ in range(_ROUNDS):
        gram = result @ result.T
        result = linear * result + (cubic * gram + quintic * (gram @ gram)) @ result
    restored: Tensor = result.T if matrix.shape[0] > matrix.shape[1] else result
    return restored.to(torch.float32)


class Optimizer:
    """Updates a module's parameters; rates are peaks that `step` scales.

    Matrices are updated one a task in `pool`.
    """

    def __init__(
        self, module: nn.Module, pool: Executor, *, matrix_rate: float, vector_rate: float
    ) -> None:
        inner = [p for name, p in module.named_parameters() if _is_inner(name, p)]
        chosen = {id(p) for p in inner}
        outer = [p for p in module.parameters() if id(p) not in chosen]
        self._pool = pool
        self._matrices = sorted(inner, key=Tensor.numel, reverse=True)
        self._momenta = [torch.zeros_like(p) for p in self._matrices]
        self._adam = torch.optim.AdamW(
            outer, lr=vector_rate, betas=(0.9, 0.98), weight_decay=_DECAY
        )
        self._matrix_rate = matrix_rate
        self._vector_rate = vector_rate

    def step(self, scale: float) -> None:
        """Apply the gradients with both rates times `scale` (0..1), then clear them."""
        for group in self._adam.param_groups:
            group["lr"] = self._vector_rate * scale
        self._adam.step()
        self._step_matrices(self._matrix_rate * scale)
        self._adam.zero_grad(set_to_none=True)
        for parameter in self._matrices:
            parameter.grad = None

    def _step_matrices(self, rate: float) -> None:
        rates = [rate] * len(self._matrices)
        list(self._pool.map(_update_matrix, self._matrices, self._momenta, rates))

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {"adam": self._adam.state_dict(), "momenta": self._momenta}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier `state_dict`."""
        self._adam.load_state_dict(state["adam"])
        for momentum, saved in zip(self._momenta, state["momenta"], strict=True):
            momentum.copy_(saved)


class Average:
    """An exponential moving average of a module's parameters and statistics."""

    def __init__(self, module: nn.Module, *, decay: float = 0.998) -> None:
        self.state = {key: value.detach().clone() for key, value in module.state_dict().items()}
        self._decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards `module`; faster in the first steps, when there is little to remember."""
        keep = min(self._decay, (1 + step) / (10 + step))
        for key, value in module.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value, 1 - keep)
            else:
                self.state[key].copy_(value)


def rate_scale(step: int, fraction: float, *, warmup_steps: int, hold: float) -> float:
    """Return the part of the peak rate: linear warm-up, a plateau, then linearly to zero.

    `fraction` is the part of the wall-clock budget that is spent, so a busy machine cuts the number
    of steps and never the decay.
    """
    return min(1.0, (step + 1) / warmup_steps) * min(1.0, max(0.0, 1 - fraction) / (1 - hold))


@torch.no_grad()
def _update_matrix(parameter: Tensor, momentum: Tensor, rate: float) -> None:
    if parameter.grad is None:
        return
    momentum.lerp_(parameter.grad, 1 - _MOMENTUM)
    blend = parameter.grad.lerp(momentum, _MOMENTUM).flatten(1)
    update = orthogonalize(blend).view_as(parameter)
    rows, columns = blend.shape
    parameter.mul_(1 - rate * _DECAY)
    parameter.add_(update, alpha=-rate * max(1.0, rows / columns) ** 0.5)


def _is_inner(name: str, parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and not name.startswith(("tokens.", "places.", "stem.", "head."))
