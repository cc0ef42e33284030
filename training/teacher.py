"""The teacher's text tower, run once over every sentence and cached."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from .settings import EMBED_DIM

Array = npt.NDArray[np.float16]


def embed_texts(texts: Sequence[str], folder: Path, *, batch: int = 64) -> Array:
    """Embed texts with the teacher in `folder` as float16 (len(texts), 256), unit rows."""
    spec = tomllib.loads((folder / "model.toml").read_text())
    tokenizer = Tokenizer.from_file(str(folder / spec["tokenizer"]["file"]))
    tokenizer.enable_truncation(spec["tokenizer"]["context_length"])
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(folder / spec["text"]["file"])
    result = np.zeros((len(texts), EMBED_DIM), np.float16)
    by_length = np.argsort([len(text) for text in texts], kind="stable")
    for start in range(0, len(texts), batch):
        chosen = by_length[start : start + batch]
        encodings = tokenizer.encode_batch([texts[i] for i in chosen])
        feeds = {
            "input_ids": np.array([e.ids for e in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
        }
        result[chosen] = session.run(None, feeds)[0]
    return result


def cached_embeddings(texts: Sequence[str], folder: Path, cache: Path) -> Array:
    """Return `embed_texts`, from the file `cache` where it is there already."""
    if not cache.exists():
        np.save(cache, embed_texts(texts, folder))
    stored: Array = np.load(cache)
    if len(stored) != len(texts):
        raise ValueError(f"{cache} holds {len(stored)} rows for {len(texts)} texts; delete it")
    return stored
