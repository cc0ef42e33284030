"""From texts to token ids, by the tokenizer file that a model brings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import ModelError
from visionquery.models.spec import Tokenizer

if TYPE_CHECKING:
    import tokenizers

__all__ = ["TextTokenizer", "Tokens", "open_tokenizer"]

_PADDING_NAMES = ("<pad>", "[PAD]", "<|endoftext|>")


@dataclass(frozen=True, slots=True)
class Tokens:
    """A batch of texts: `ids` and `mask` (1 for a token, 0 for padding), both (n, tokens)."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TextTokenizer:
    """A tokenizer set up as its model was trained."""

    spec: Tokenizer
    pad_id: int
    engine: "tokenizers.Tokenizer"

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, without padding, `context_length` at most; a text that is
        too long loses words at its end but keeps the end token."""
        prepared = [self.spec.template.replace("{}", text) for text in texts]
        if self.spec.lowercase:
            prepared = [text.lower() for text in prepared]
        return [encoding.ids for encoding in self.engine.encode_batch(prepared)]

    def pad(self, rows: Sequence[Sequence[int]]) -> Tokens:
        """Return rows of ids as one batch, padded at the right to the longest row, or to
        `context_length` where the model wants that always. A row without any token becomes one
        padding token that counts, so that a tower that averages has something to average."""
        longest = max((len(row) for row in rows), default=0)
        width = self.spec.context_length if self.spec.padding == "max" else max(longest, 1)
        ids = np.full((len(rows), width), self.pad_id, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : max(len(row), 1)] = 1
        return Tokens(ids, mask)


def open_tokenizer(file: Path, spec: Tokenizer) -> TextTokenizer:
    """Open a `tokenizer.json`.

    Raises ModelError for a file that is no tokenizer or that does not tell its padding token.
    """
    from tokenizers import Tokenizer as Engine

    try:
        engine = Engine.from_file(str(file))
        own_padding = engine.padding
        engine.no_padding()
        engine.enable_truncation(spec.context_length)
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{file} is not a tokenizer that can be used: {error}.") from error
    return TextTokenizer(spec, _pad_id(engine, own_padding, spec, file), engine)


def _pad_id(
    engine: "tokenizers.Tokenizer", own: dict[str, object] | None, spec: Tokenizer, file: Path
) -> int:
    if spec.pad_token is None and own is not None:
        return int(str(own["pad_id"]))
    for name in (spec.pad_token,) if spec.pad_token is not None else _PADDING_NAMES:
        number = engine.token_to_id(name)
        if number is not None:
            return int(number)
    wanted = f"no token {spec.pad_token}" if spec.pad_token else "no padding token that is known"
    raise ModelError(f"{file} has {wanted}; name one as pad_token under [tokenizer].")
