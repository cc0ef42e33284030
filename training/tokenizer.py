"""The product's own tokenizer: lower-casing WordPiece, trained on the corpus and the nouns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def train_tokenizer(texts: Sequence[str], vocabulary: int, path: Path) -> None:
    """Learn `vocabulary` pieces from texts and write them to `path` as a `tokenizer.json`.

    Source: Schuster and Nakajima 2012, "Japanese and Korean Voice Search" (WordPiece).
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=64))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=[chr(code) for code in range(33, 127)],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(name, SPECIAL.index(name)) for name in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(ends[0], ends[1])
    tokenizer.save(str(path))


def load_tokenizer(path: Path, context_length: int) -> Tokenizer:
    """Open a `tokenizer.json`, cutting texts at `context_length` tokens."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(context_length)
    return tokenizer


class TokenTable:
    """Many texts tokenized once, from which padded batches are cut."""

    def __init__(self, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
        self.ids = [np.array(e.ids, np.int64) for e in tokenizer.encode_batch(list(texts))]
        self.lengths = np.array([len(ids) for ids in self.ids])

    def batch(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return ids and mask of the given rows, both int64 (len(rows), longest)."""
        ids = np.zeros((len(rows), int(self.lengths[rows].max())), np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : self.lengths[row]] = self.ids[row]
            mask[place, : self.lengths[row]] = 1
        return torch.from_numpy(ids), torch.from_numpy(mask)
