"""The text half of the dual encoder: a small transformer with masked mean pooling."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .settings import EMBED_DIM, TextRecipe


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and feed-forward, each with a residual path.

    Source: Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture".
    """

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.mix_in = nn.Linear(width, 3 * width)
        self.mix_out = nn.Linear(width, width)
        self.norm_feed = nn.LayerNorm(width)
        self.feed_in = nn.Linear(width, expansion * width)
        self.feed_out = nn.Linear(expansion * width, width)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """Map (batch, tokens, width) to itself; `bias` (batch, 1, 1, tokens) is added to scores."""
        hidden = hidden + self._attend(self.norm_attention(hidden), bias)
        feed: Tensor = self.feed_out(functional.gelu(self.feed_in(self.norm_feed(hidden))))
        return hidden + feed

    def _attend(self, hidden: Tensor, bias: Tensor) -> Tensor:
        batch, tokens, width = hidden.shape
        parts = self.mix_in(hidden).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias
        mixed = torch.softmax(scores, dim=-1) @ value
        joined: Tensor = self.mix_out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return joined


class TextTower(nn.Module):
    """Token ids to unit rows of the joint space."""

    def __init__(self, recipe: TextRecipe) -> None:
        super().__init__()
        self.tokens = nn.Embedding(recipe.vocabulary, recipe.width)
        self.places = nn.Embedding(recipe.context_length, recipe.width)
        self.layers = nn.ModuleList(
            TransformerLayer(recipe.width, recipe.heads, recipe.expansion)
            for _ in range(recipe.layers)
        )
        self.head = nn.Linear(recipe.width, EMBED_DIM)
        nn.init.normal_(self.tokens.weight, std=0.1)
        nn.init.normal_(self.places.weight, std=0.01)

    def start_from_words(self, vectors: Tensor) -> None:
        """Begin as a bag of words: pieces take `vectors` (vocabulary, 256), layers add nothing.

        Works where the width equals that of the joint space.
        """
        self.tokens.weight.data.copy_(vectors)
        nn.init.eye_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        for layer in self.layers:
            assert isinstance(layer, TransformerLayer)
            nn.init.zeros_(layer.mix_out.weight)
            nn.init.zeros_(layer.feed_out.weight)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embed int64 (batch, tokens) and its 0/1 mask as float32 (batch, 256), unit rows."""
        mask = attention_mask.to(torch.float32)
        bias = ((mask - 1.0) * 1e4)[:, None, None, :]
        hidden = self.tokens(input_ids) + self.places.weight[: input_ids.shape[1]]
        for layer in self.layers:
            hidden = layer(hidden, bias)
        hidden = hidden.to(torch.float32) * mask[:, :, None]
        pooled = hidden.sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(self.head(pooled).to(torch.float32), dim=1)
