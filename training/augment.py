"""Random crops, mirror images and light shifts of colour, for a whole batch at once."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_STRETCH = math.log(4 / 3)


def augment(pixels: Tensor, side: int, area: tuple[float, float]) -> Tensor:
    """Turn uint8 (batch, h, w, 3) into float32 (batch, 3, side, side) near -1..1, channels last.

    Source: Szegedy et al. 2015, "Going Deeper with Convolutions" (random resized crop).
    """
    images = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)
    grid = functional.affine_grid(
        _crops(images, area), [len(images), 3, side, side], align_corners=False
    )
    cut = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return _recolour(cut).contiguous(memory_format=torch.channels_last)


def as_input(pixels: Tensor, side: int) -> Tensor:
    """Turn uint8 (batch, h, w, 3) into the same form without chance, for judging."""
    images = pixels.permute(0, 3, 1, 2).to(torch.float32)
    if images.shape[-1] != side:
        images = functional.interpolate(images, (side, side), mode="bicubic", antialias=True)
    scaled = images.clamp(0, 255).div(127.5).sub(1.0)
    return scaled.contiguous(memory_format=torch.channels_last)


def _crops(images: Tensor, area: tuple[float, float]) -> Tensor:
    """Return affine maps (batch, 2, 3) from output to input, in -1..1 coordinates."""
    count, device = len(images), images.device
    part = torch.empty(count, device=device).uniform_(*area).sqrt()
    stretch = torch.empty(count, device=device).uniform_(-_STRETCH, _STRETCH).div(2).exp()
    width, height = (part * stretch).clamp(max=1), (part / stretch).clamp(max=1)
    place = torch.empty(2, count, device=device).uniform_(-1, 1)
    mirror = torch.randint(0, 2, (count,), device=device) * 2 - 1
    maps = torch.zeros(count, 2, 3, device=device)
    maps[:, 0, 0], maps[:, 0, 2] = width * mirror, (1 - width) * place[0]
    maps[:, 1, 1], maps[:, 1, 2] = height, (1 - height) * place[1]
    return maps


def _recolour(images: Tensor) -> Tensor:
    shape, device = (len(images), 1, 1, 1), images.device
    saturation = torch.empty(shape, device=device).uniform_(0.6, 1.4)
    contrast = torch.empty(shape, device=device).uniform_(0.7, 1.3)
    brightness = torch.empty(shape, device=device).uniform_(-0.25, 0.25)
    grey = images.mean(1, keepdim=True)
    return ((grey + (images - grey) * saturation) * contrast + brightness).clamp(-1.2, 1.2)
