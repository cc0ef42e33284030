"""Every number of the recipe, in one place, with its unit."""

from dataclasses import dataclass, field
from pathlib import Path

EMBED_DIM = 256
"""Width of the joint space; the same as the teacher's."""

PICTURE_SIDE = 128
"""Side in pixels at which the training pictures are kept in memory."""

SIZE_LIMIT_BYTES = 24_000_000
"""What weights and tokenizer together may weigh in the wheel."""


@dataclass(frozen=True)
class Places:
    """Where things are read and written."""

    material: Path
    """Folder with the shards, targets, captions, sentences and nouns."""
    teacher: Path
    """Model folder of the teacher (`model.toml`, `text.onnx`, `tokenizer.json`)."""
    dev: Path
    """Folder with `captions.jsonl` and `images/`; judged on, never trained on."""
    work: Path
    """Scratch folder for caches and checkpoints; safe to delete."""
    output: Path
    """Model folder to export into."""


@dataclass(frozen=True)
class ImageRecipe:
    """How the image tower is built and trained."""

    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of the stages at 1/4, 1/8, 1/16 and 1/32 of the input side."""
    depths: tuple[int, ...] = (1, 2, 3, 1)
    """Residual blocks of each stage."""
    sides: tuple[tuple[float, int], ...] = ((0.45, 64), (0.68, 96), (1.0, 128))
    """(fraction of the time budget until which it holds, input side in pixels)."""
    batch: int = 256
    matrix_rate: float = 0.035
    """Peak step of Muon, for convolution kernels."""
    vector_rate: float = 2e-3
    """Peak step of AdamW, for everything else."""
    warmup_steps: int = 60
    hold: float = 0.3
    """Fraction of the budget at the peak rate, before it falls linearly to zero."""
    temperature: float = 20.0
    """Inverse temperature of the softmax over banks (near the teacher's logit_scale)."""
    bank: tuple[int, int, int] = (2048, 1536, 1024)
    """Rows drawn each step from captions, sentences and photo prompts."""
    cosine_weight: float = 2.0
    contrast_weight: float = 0.1
    crop_area: tuple[float, float] = (0.5, 1.0)
    """Least and greatest part of the picture that a training crop keeps."""
    emphasis: dict[str, float] = field(
        default_factory=lambda: {
            "flickr8k": 2.5,
            "ade20k": 1.5,
            "bsds": 2.0,
            "tiny-imagenet": 0.7,
            "pacs": 0.7,
            "clothing": 0.7,
        }
    )
    """How often a source is drawn, relative to the others: photographs of scenes more, drawings and
    the smallest pictures less."""


@dataclass(frozen=True)
class TextRecipe:
    """How the tokenizer and the text tower are built and trained."""

    vocabulary: int = 12_000
    width: int = 256
    heads: int = 4
    layers: int = 3
    expansion: int = 2
    """Width of the hidden feed-forward layer, in multiples of `width`."""
    context_length: int = 64
    """Most tokens of a text, special tokens included."""
    batch: int = 384
    matrix_rate: float = 0.02
    vector_rate: float = 2e-3
    warmup_steps: int = 60
    hold: float = 0.3
    temperature: float = 20.0
    bank: int = 4096
    """Teacher image embeddings drawn each step to compare similarities on."""
    cosine_weight: float = 4.0
    emphasis: tuple[float, float, float, float] = (0.3, 0.45, 0.1, 0.15)
    """Shares of captions, sentences, nouns and photo prompts in a batch."""
