"""The image half of the dual encoder: a plain residual network of dense 3x3 convolutions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .settings import EMBED_DIM, ImageRecipe


class ConvNorm(nn.Module):
    """A convolution without bias and the batch normalization that export folds into it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        padding = 1 if kernel == 3 else 0
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, inputs, h, w) to (batch, outputs, h / stride, w / stride)."""
        normed: Tensor = self.norm(self.convolution(features))
        return normed


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; halves the side where `stride` is 2.

    The shortcut averages before it projects, so no pixel is dropped.
    Source: He et al. 2019, "Bag of Tricks for Image Classification" (ResNet-D, zero gamma).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, 3, stride)
        self.second = ConvNorm(outputs, outputs, 3)
        self.shortcut = ConvNorm(inputs, outputs, 1) if inputs != outputs else None
        self.stride = stride
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, inputs, h, w) to (batch, outputs, h / stride, w / stride)."""
        beside = features
        if self.shortcut is not None:
            pooled = functional.avg_pool2d(features, 2) if self.stride > 1 else features
            beside = self.shortcut(pooled)
        return functional.relu(self.second(functional.relu(self.first(features))) + beside)


class ImageTower(nn.Module):
    """Pixels to unit rows of the joint space."""

    def __init__(self, recipe: ImageRecipe) -> None:
        super().__init__()
        width = recipe.widths[0]
        self.stem = ConvNorm(3, width, 4, 4)
        blocks: list[nn.Module] = []
        for stage, (outputs, depth) in enumerate(zip(recipe.widths, recipe.depths, strict=True)):
            for index in range(depth):
                stride = 2 if index == 0 and stage > 0 else 1
                blocks.append(ResidualBlock(width, outputs, stride))
                width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width, EMBED_DIM)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Embed float32 (batch, 3, side, side) in -1..1 as float32 (batch, 256), unit rows."""
        features = self.blocks(functional.relu(self.stem(pixel_values)))
        raw = self.head(features.mean((2, 3)))
        return functional.normalize(raw.to(torch.float32), dim=1)
