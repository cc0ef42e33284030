"""Towers that begin where an exported model folder ends."""

from pathlib import Path

import torch
from torch import Tensor, nn

from .image_tower import ConvNorm, ImageTower
from .onnx_weights import Floats, read_weights
from .settings import ImageRecipe, TextRecipe
from .text_tower import TextTower


def image_tower_from(folder: Path, recipe: ImageRecipe, pixels: Tensor) -> ImageTower:
    """Read an image tower back from `folder`, int8 undone.

    Export folds normalization into the kernels. Here each normalization is made anew so that it
    undoes itself on `pixels` (batch, 3, side, side), ordinary training pictures: the tower answers
    as the file does, and can be trained on.
    """
    weights = read_weights(folder / "image.onnx")
    tower = ImageTower(recipe).eval()
    handles = []
    for name, layer in tower.named_modules():
        if isinstance(layer, ConvNorm):
            _copy(layer.convolution.weight, weights[f"{name}.weight"])
            bias = torch.from_numpy(weights[f"{name}.bias"])
            handles.append(layer.norm.register_forward_pre_hook(_Refit(bias)))
    _copy(tower.head.weight, weights["head.weight"])
    _copy(tower.head.bias, weights["head.bias"])
    with torch.no_grad():
        tower(pixels)
    for handle in handles:
        handle.remove()
    return tower


def text_tower_from(folder: Path, recipe: TextRecipe) -> TextTower:
    """Read a text tower back from `folder`, int8 undone."""
    weights = read_weights(folder / "text.onnx")
    tower = TextTower(recipe)
    for name, parameter in tower.named_parameters():
        _copy(parameter, weights[name])
    return tower


class _Refit:
    """Sets a normalization layer, as its first input arrives, to add `bias` and nothing else."""

    def __init__(self, bias: Tensor) -> None:
        self._bias = bias

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + self._bias)


def _copy(parameter: Tensor, values: Floats) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values))
