"""One module run by several threads, each on its part of the batch.

On a CPU that other programs use too, threads that meet inside one convolution wait for the slowest
and burn time doing so. Here every thread works alone, and they meet twice a step.
"""

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


class Replicas(Generic[Module]):
    """A module and `count - 1` copies that share its parameters, not its gradients."""

    def __init__(self, module: Module, count: int) -> None:
        self.module = module
        self.device = next(module.parameters()).device
        self._modules = [module, *(_sharing_copy(module) for _ in range(count - 1))]
        initializer = (lambda: torch.set_num_threads(1)) if count > 1 else None
        self.pool = ThreadPoolExecutor(count, initializer=initializer)

    def __len__(self) -> int:
        """Return the number of parts that a batch is cut into."""
        return len(self._modules)

    def accumulate(
        self,
        inputs: Sequence[Callable[[], tuple[Tensor, ...]]],
        loss_of: Callable[[Tensor], Tensor],
    ) -> float:
        """Leave the gradients of the loss in the module's parameters; return the loss.

        Each of `inputs` makes one part's arguments, in that part's thread; `loss_of` sees the
        outputs of all parts together, (batch, 256).
        Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited
        Setup" (gradient cache).
        """
        outputs = list(self.pool.map(self._forward, self._modules, inputs))
        joined = torch.cat([output.detach() for output in outputs]).requires_grad_()
        loss = loss_of(joined)
        torch.autograd.backward(loss)
        assert joined.grad is not None
        parts = torch.split(joined.grad, [len(output) for output in outputs])
        list(self.pool.map(_backward, outputs, parts))
        self._gather()
        return float(loss.detach())

    def _forward(self, module: Module, make: Callable[[], tuple[Tensor, ...]]) -> Tensor:
        arguments = make()
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            output: Tensor = module(*arguments)
        return output

    def _gather(self) -> None:
        own = list(self.module.parameters())
        for other in self._modules[1:]:
            for parameter, copied in zip(own, other.parameters(), strict=True):
                if parameter.grad is not None and copied.grad is not None:
                    parameter.grad.add_(copied.grad)
                copied.grad = None


def _backward(output: Tensor, gradient: Tensor) -> None:
    torch.autograd.backward(output, gradient)


def _sharing_copy(module: Module) -> Module:
    twin = copy.deepcopy(module)
    for parameter, source in zip(twin.parameters(), module.parameters(), strict=True):
        parameter.data = source.data
    return twin
